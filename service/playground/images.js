/** Image files as base64, scaled down in the browser: no model looks at more pixels. */

const SIDE = 640;

/** The image files among the things that were dropped, pasted or chosen. */
export const imagesOf = (transfer) => [...(transfer?.files ?? [])].filter((file) => file.type.startsWith("image/"));

/** A file as a base64 JPEG whose longer side has at most `side` pixels. */
export async function readImage(file, side = SIDE) {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name || "The image"} cannot be read here. Send a JPEG, PNG or WebP file.`);
  });
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  return base64Of(
    bitmap,
    Math.max(1, Math.round(bitmap.width * scale)),
    Math.max(1, Math.round(bitmap.height * scale)),
  );
}

/** A picture (an image, a canvas or a video) as base64 on white paper. */
export function base64Of(picture, width, height, type = "image/jpeg") {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  return canvas.toDataURL(type, 0.92).split(",")[1];
}
