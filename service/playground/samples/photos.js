/** Two photos of each of four fruits and vegetables, and one more. */

const NAMES = ["cucumber", "kiwi", "pomegranate", "red-bell-pepper"];

async function photo(name) {
  const response = await fetch(new URL(`photos/${name}.jpg`, import.meta.url));
  let text = "";
  for (const byte of new Uint8Array(await response.arrayBuffer())) text += String.fromCharCode(byte);
  return btoa(text);
}

const example = async (name, number) => ({ input: await photo(`${name}-${number}`), label: name.replaceAll("-", " ") });

export default async () => ({
  examples: await Promise.all(NAMES.flatMap((name) => [example(name, 1), example(name, 2)])),
  query: await photo("kiwi-3"),
});
