/**
 * A client of a Handful server: one ES module without dependencies, for browsers and Node 20.
 *
 *     const handful = new Handful("http://127.0.0.1:8000");
 *     await handful.adapt("shop", [["Where is my parcel?", "delivery"], ["I want my money back", "refund"]], { model: "texts" });
 *     const [answer] = await handful.predict("shop", ["The courier never came"]);
 */

const JSON_TYPE = "application/json";
const RETRIED = [429, 503];
const MAX_PAUSE_S = 10;

/** A refused request. `detail` says what was wrong and what to do. */
export class HandfulError extends Error {
  constructor(status, problem, retryAfterS = null) {
    super(problem.detail || `The server answered ${status}.`);
    this.name = "HandfulError";
    this.status = status;
    this.code = problem.code ?? "http";
    this.field = problem.field ?? null;
    this.detail = this.message;
    this.receipt = problem.receipt ?? null;
    this.retryAfterS = retryAfterS;
  }
}

export class Handful {
  #url;
  #options;

  constructor(url = "http://127.0.0.1:8000", options = {}) {
    this.#url = String(url).replace(/\/+$/, "");
    this.#options = { apiKey: null, retries: 4, timeoutS: 60, fetch: (...call) => fetch(...call), ...options };
  }

  models() {
    return this.#send("GET", "/models");
  }

  model(name) {
    return this.#send("GET", `/models/${segment(name)}`);
  }

  /** Adapt a model to examples, [input, label] or {input, label, id}. Bytes and Blobs are sent as base64. A Set of labels, or
   * a list of texts, is several labels. */
  async adapt(clientId, examples, options = {}) {
    const { ifMatch, idempotencyKey = newKey(), ...fields } = options;
    const support = await Promise.all(examples.map(example));
    const body = { client_id: clientId, support, ...fields };
    return this.#send("POST", "/adapt", { body, ifMatch, idempotencyKey });
  }

  append(clientId, examples, options = {}) {
    return this.adapt(clientId, examples, { ...options, mode: "append" });
  }

  /** The answer to each input. */
  async predict(clientId, inputs, options = {}) {
    return (await this.predictAll(clientId, inputs, options)).predictions;
  }

  /** The whole answer to a predict, with its version, its threshold and its warnings. */
  async predictAll(clientId, inputs, options = {}) {
    const body = { client_id: clientId, inputs: await Promise.all(inputs.map(plain)), ...options };
    return this.#send("POST", "/predict", { body });
  }

  /** Teach a recent query, by the id of its prediction and the right label. The client must keep its queries. */
  feedback(clientId, id, label, { ifMatch, idempotencyKey = newKey() } = {}) {
    const body = { id, ...labelled(label) };
    return this.#send("POST", path(clientId, "feedback"), { body, ifMatch, idempotencyKey });
  }

  /** Add inputs without labels to the examples, from which models with `weighted_examples` learn too. Options: ids. */
  async unlabelled(clientId, inputs, { ifMatch, idempotencyKey = newKey(), ...options } = {}) {
    const body = { inputs: await Promise.all(inputs.map(plain)), ...options };
    return this.#send("POST", path(clientId, "unlabelled"), { body, ifMatch, idempotencyKey });
  }

  /** Which of these inputs are most worth a label, the most worthy first. Options: k, ids. */
  async suggest(clientId, inputs, options = {}) {
    const body = { inputs: await Promise.all(inputs.map(plain)), ...options };
    return (await this.#send("POST", path(clientId, "suggest"), { body })).suggestions;
  }

  /** A page of clients. */
  clients(options = {}) {
    return this.#send("GET", `/clients${query(options)}`);
  }

  client(clientId) {
    return this.#send("GET", path(clientId));
  }

  forget(clientId) {
    return this.#send("DELETE", path(clientId));
  }

  /** A page of examples. Options: label, cursor, limit, inputs, version. */
  examples(clientId, options = {}) {
    return this.#send("GET", path(clientId, "examples") + query(options));
  }

  /** All examples, page by page. */
  async *allExamples(clientId, options = {}) {
    let cursor = 0;
    while (cursor !== null) {
      const page = await this.examples(clientId, { ...options, cursor });
      yield* page.examples;
      cursor = page.next_cursor;
    }
  }

  example(clientId, id, options = {}) {
    return this.#send("GET", path(clientId, "examples", id) + query(options));
  }

  relabel(clientId, id, label, { ifMatch } = {}) {
    return this.#send("PATCH", path(clientId, "examples", id), { body: labelled(label), ifMatch });
  }

  remove(clientId, id, { keepHistory = false, ifMatch } = {}) {
    return this.#send("DELETE", path(clientId, "examples", id) + query({ keep_history: keepHistory }), { ifMatch });
  }

  renameClass(clientId, label, to, { ifMatch } = {}) {
    return this.#send("PATCH", path(clientId, "classes", label), { body: { label: to }, ifMatch });
  }

  removeClass(clientId, label, { keepHistory = false, ifMatch } = {}) {
    return this.#send("DELETE", path(clientId, "classes", label) + query({ keep_history: keepHistory }), { ifMatch });
  }

  async versions(clientId) {
    return (await this.#send("GET", path(clientId, "versions"))).versions;
  }

  rollback(clientId, version, { ifMatch } = {}) {
    return this.#send("POST", path(clientId, "rollback"), { body: { version }, ifMatch });
  }

  copy(clientId, to, options = {}) {
    return this.#send("POST", path(clientId, "copy"), { body: { client_id: to, ...options } });
  }

  move(clientId, model, { ifMatch } = {}) {
    return this.#send("POST", path(clientId, "model"), { body: { model }, ifMatch });
  }

  readapt(clientId) {
    return this.#send("POST", path(clientId, "readapt"));
  }

  quality(clientId, options = {}) {
    return this.#send("GET", path(clientId, "quality") + query(options));
  }

  /** Compare the answers to labelled queries, [input, label] or {input, label}, with their labels. */
  async evaluate(clientId, queries, options = {}) {
    const body = { queries: await Promise.all(queries.map(example)), ...options };
    return this.#send("POST", path(clientId, "evaluate"), { body });
  }

  /** The answer to a request, after retries and, if the server asks for one, with a key from `onUnauthorized`. */
  async #send(method, where, call = {}) {
    this.#options.onCall?.({ method, path: where, body: call.body });
    for (let attempt = 0; ; attempt++) {
      const response = await this.#fetch(method, where, call);
      if (response.status === 401 && (await this.#newKey())) continue;
      const pauseS =
        attempt < this.#options.retries && RETRIED.includes(response.status) ? pause(response, attempt) : null;
      if (pauseS === null) return read(response);
      await new Promise((resume) => setTimeout(resume, 1000 * pauseS));
    }
  }

  #fetch(method, where, { body, ifMatch, idempotencyKey }) {
    const { apiKey, timeoutS, fetch: send } = this.#options;
    const headers = { Accept: JSON_TYPE };
    if (body !== undefined) headers["Content-Type"] = JSON_TYPE;
    if (apiKey) headers.Authorization = `Bearer ${apiKey}`;
    if (ifMatch) headers["If-Match"] = ifMatch;
    if (idempotencyKey) headers["Idempotency-Key"] = idempotencyKey;
    const signal = AbortSignal.timeout(1000 * timeoutS);
    const sent = body === undefined ? undefined : JSON.stringify(body);
    return send(this.#url + where, { method, headers, signal, body: sent, redirect: "error", cache: "no-store" });
  }

  /** Ask for another key. Whether there is one that was not refused just now. */
  async #newKey() {
    const refused = this.#options.apiKey;
    const key = await this.#options.onUnauthorized?.(refused);
    if (!key || key === refused) return false;
    this.#options.apiKey = key;
    return true;
  }
}

/** An answer as an object, with its entity tag as `etag`. Throws HandfulError. */
async function read(response) {
  const text = await response.text();
  const parsed = parse(text);
  if (!response.ok) throw new HandfulError(response.status, parsed ?? {}, seconds(response));
  const etag = response.headers.get("etag");
  return etag && parsed ? Object.assign(parsed, { etag }) : parsed;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // an empty answer, or the page of a proxy
  }
}

function seconds(response) {
  const after = Number.parseFloat(response.headers.get("retry-after"));
  return Number.isFinite(after) ? after : null;
}

function pause(response, attempt) {
  const after = seconds(response) ?? 0.5 * 2 ** attempt;
  return after <= MAX_PAUSE_S ? after : null;
}

async function example(given) {
  const { input, label, id } = Array.isArray(given) ? { input: given[0], label: given[1], id: given[2] } : given;
  const sent = { input: await plain(input), ...labelled(label) };
  return id === undefined ? sent : { ...sent, id };
}

/** The fields of one label, or of several: a Set, or a list of texts. A list of numbers is one value of a regression. */
function labelled(label) {
  const several = label instanceof Set || (Array.isArray(label) && label.every((each) => typeof each === "string"));
  return several ? { labels: [...label] } : { label };
}

/** What JSON can carry: bytes and Blobs become base64. */
async function plain(input) {
  if (input instanceof Blob) return base64(new Uint8Array(await input.arrayBuffer()));
  if (input instanceof ArrayBuffer) return base64(new Uint8Array(input));
  if (input instanceof Uint8Array) return base64(input);
  return ArrayBuffer.isView(input) ? Array.from(input) : input;
}

function base64(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(text);
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID needs https
  return Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
}

const path = (clientId, ...parts) => ["/clients", ...[clientId, ...parts].map(segment)].join("/");

/** A part of a path. Refuses what a URL cannot carry, so that no request reaches another resource. */
function segment(part) {
  const text = String(part);
  if (["", ".", ".."].includes(text) || text.endsWith("/")) {
    throw new RangeError(`${JSON.stringify(text)} cannot be part of a URL. Change the examples by their ids instead.`);
  }
  return encodeURIComponent(text);
}

function query(options) {
  const given = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
