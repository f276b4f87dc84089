/** A call to the server as lines to copy: for a shell, for Python and for JavaScript. */

const KEY = "HANDFUL_KEY";

/** The last call of each name, the latest last. Calls that only fill the page are left out. */
export function remembered(calls, call) {
  const name = nameOf(call);
  const number = (calls.at(-1)?.number ?? 0) + 1;
  return name ? [...calls.filter((each) => each.name !== name), { ...call, name, number }].slice(-4) : calls;
}

function nameOf({ method, path }) {
  if (path === "/adapt") return "Teach";
  if (path === "/predict") return "Ask";
  if (path.endsWith("/feedback")) return "Correct";
  if (path.endsWith("/suggest")) return "Suggest";
  if (path.endsWith("/unlabelled")) return "Unlabelled";
  if (path.endsWith("/quality")) return "Quality";
  if (path.endsWith("/evaluate")) return "Tests";
  return method === "GET" ? null : "Change";
}

/** The lines of a call {method, path, body} by language. Long texts are kept whole. */
export function codeOf(call, url, hasKey) {
  return {
    curl: curl(call, url, hasKey),
    Python: python(call, url, hasKey),
    JavaScript: javascript(call, url, hasKey),
  };
}

/** The same lines with long texts, such as images, cut for the eye. */
export const shortened = (code) => code.replace(/([A-Za-z0-9+/=_-]{48})[A-Za-z0-9+/=_-]{40,}/g, "$1…");

function curl({ method, path, body }, url, hasKey) {
  const parts = ["curl -s", method === "GET" || (method === "POST" && body) ? "" : `-X ${method}`, shell(url + path)];
  if (hasKey) parts.push(`-H "Authorization: Bearer $${KEY}"`);
  if (body) parts.push("-H 'content-type: application/json'", "-d @- <<'END'");
  const line = parts.filter(Boolean).join(" ");
  return body ? `${line}\n${JSON.stringify(body)}\nEND` : line;
}

function python({ method, path, body }, url, hasKey) {
  const lines = [...(hasKey ? ["import os", ""] : []), "import httpx", ""];
  const given = [quoted(url + path)];
  if (body) given.push(`json=${literal(body)}`);
  if (hasKey) given.push(`headers={"Authorization": f"Bearer {os.environ['${KEY}']}"}`);
  return [
    ...lines,
    `answer = httpx.${call(method, body)}(${given.join(", ")}, timeout=60)`,
    "print(answer.json())",
  ].join("\n");
}

const call = (method) => method.toLowerCase();

function javascript({ method, path, body }, url, hasKey) {
  const headers = [
    ...(hasKey ? [`authorization: \`Bearer \${process.env.${KEY}}\``] : []),
    ...(body ? ['"content-type": "application/json"'] : []),
  ];
  const options = [`method: "${method}"`];
  if (headers.length) options.push(`headers: { ${headers.join(", ")} }`);
  if (body) options.push(`body: JSON.stringify(${JSON.stringify(body)})`);
  return `const answer = await fetch(${quoted(url + path)}, { ${options.join(", ")} });\nconsole.log(await answer.json());`;
}

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const quoted = (text) => JSON.stringify(text);

/** A JSON value as a Python literal. */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return pythonText(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([name, each]) => `${pythonText(name)}: ${literal(each)}`)
    .join(", ")}}`;
}

/** JSON's escapes are Python's too, except for halves of characters beyond U+FFFF, which JSON.stringify leaves whole. */
const pythonText = (text) => JSON.stringify(text).replaceAll("\u007f", "\\x7f");
