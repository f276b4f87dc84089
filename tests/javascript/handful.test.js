/** The module handful.js in Node, against a server of the test's own. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { Handful, HandfulError } from "../../service/playground/handful.js";

let server;
let url;
let requests;
let answers; // what the server answers, in order; then always the last

before(async () => {
  server = createServer(async (request, response) => {
    let body = "";
    for await (const piece of request) body += piece;
    requests.push({
      method: request.method,
      path: request.url,
      headers: request.headers,
      body: body && JSON.parse(body),
    });
    const { status = 200, headers = {}, json = {} } = answers.length > 1 ? answers.shift() : answers[0];
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(json));
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  url = `http://127.0.0.1:${server.address().port}`;
});

beforeEach(() => {
  requests = [];
  answers = [{}];
});

after(() => server.close());

test("adapt sends pairs and objects, and a key that makes retries safe", async () => {
  await new Handful(url).adapt("shop", [["a", "x"], { input: "b", label: "y", id: "b-1" }], { model: "texts" });
  const [{ method, path, body, headers }] = requests;
  assert.deepEqual([method, path], ["POST", "/adapt"]);
  assert.deepEqual(body, {
    client_id: "shop",
    support: [
      { input: "a", label: "x" },
      { input: "b", label: "y", id: "b-1" },
    ],
    model: "texts",
  });
  assert.match(headers["idempotency-key"], /^[0-9a-f]{32}$/);
});

test("several labels are a Set or a list of texts, and a list of numbers is one value", async () => {
  const handful = new Handful(url);
  const examples = [
    ["a", new Set([1, 2])],
    ["b", ["x", "y"]],
    ["c", []],
    ["d", [0.5, 2]],
  ];
  await handful.adapt("shop", examples);
  assert.deepEqual(
    requests[0].body.support.map(({ labels, label }) => labels ?? { label }),
    [[1, 2], ["x", "y"], [], { label: [0.5, 2] }],
  );
  await handful.relabel("shop", "a", ["x"]);
  assert.deepEqual(requests[1].body, { labels: ["x"] });
});

test("feedback names a prediction, and has a key that makes retries safe", async () => {
  await new Handful(url).feedback("shop", "9f-0", "refund");
  const [{ path, body, headers }] = requests;
  assert.deepEqual([path, body], ["/clients/shop/feedback", { id: "9f-0", label: "refund" }]);
  assert.match(headers["idempotency-key"], /^[0-9a-f]{32}$/);
});

test("unlabelled sends inputs and ids, and a key that makes retries safe", async () => {
  await new Handful(url).unlabelled("shop", ["a", "b"], { ids: ["a-1", "b-1"] });
  const [{ method, path, body, headers }] = requests;
  assert.deepEqual([method, path], ["POST", "/clients/shop/unlabelled"]);
  assert.deepEqual(body, { inputs: ["a", "b"], ids: ["a-1", "b-1"] });
  assert.match(headers["idempotency-key"], /^[0-9a-f]{32}$/);
});

test("suggest sends inputs and answers with the list", async () => {
  answers = [{ json: { suggestions: [{ index: 1, score: 0.5 }] } }];
  assert.deepEqual(await new Handful(url).suggest("shop", ["a", "b"], { k: 1 }), [{ index: 1, score: 0.5 }]);
  assert.deepEqual(requests[0].body, { inputs: ["a", "b"], k: 1 });
});

test("append adds to the examples", async () => {
  await new Handful(url).append("shop", [["a", "x"]]);
  assert.equal(requests[0].body.mode, "append");
});

test("bytes, buffers and Blobs are sent as base64, typed arrays as lists", async () => {
  const bytes = new Uint8Array([0, 1, 254, 255]);
  const inputs = [bytes, bytes.buffer, new Blob([bytes]), new Float32Array([0.5, 2])];
  answers = [{ json: { predictions: [1, 2, 3, 4] } }];
  assert.deepEqual(await new Handful(url).predict("shop", inputs), [1, 2, 3, 4]);
  assert.deepEqual(requests[0].body.inputs, ["AAH+/w==", "AAH+/w==", "AAH+/w==", [0.5, 2]]);
});

test("a large file is encoded in pieces", async () => {
  answers = [{ json: { predictions: [] } }];
  await new Handful(url).predict("shop", [new Uint8Array(300_000).fill(7)]);
  assert.equal(requests[0].body.inputs[0].length, 400_000);
});

test("names are escaped in paths", async () => {
  const handful = new Handful(`${url}/`);
  await handful.relabel("a:b", "ü 1", "x");
  await handful.removeClass("a", "50 % / #?", { keepHistory: true });
  assert.deepEqual(
    requests.map(({ path }) => path),
    ["/clients/a%3Ab/examples/%C3%BC%201", "/clients/a/classes/50%20%25%20%2F%20%23%3F?keep_history=true"],
  );
});

test("a name that would change the path is refused before anything is sent", async () => {
  const handful = new Handful(url);
  for (const label of ["..", ".", "", "a/"]) assert.throws(() => handful.removeClass("shop", label), RangeError);
  assert.equal(requests.length, 0);
});

test("a refusal is an error with its code, field and detail", async () => {
  answers = [{ status: 422, json: { code: "invalid", field: "inputs[0]", detail: "inputs[0]: takes a text." } }];
  await assert.rejects(new Handful(url).predict("shop", [1]), (error) => {
    assert.ok(error instanceof HandfulError);
    assert.deepEqual([error.status, error.code, error.field], [422, "invalid", "inputs[0]"]);
    assert.equal(error.message, "inputs[0]: takes a text.");
    return true;
  });
});

test("a busy server is asked again, with the same key", async () => {
  answers = [{ status: 429, headers: { "retry-after": "0.01" } }, { status: 503, headers: { "retry-after": "0" } }, {}];
  await new Handful(url).adapt("shop", []);
  assert.equal(requests.length, 3);
  assert.equal(new Set(requests.map(({ headers }) => headers["idempotency-key"])).size, 1);
});

test("a server that stays busy is given up, and one that asks for a long pause at once", async () => {
  answers = [{ status: 503, headers: { "retry-after": "0.01" }, json: { code: "unavailable" } }];
  await assert.rejects(new Handful(url, { retries: 2 }).clients(), { code: "unavailable" });
  assert.equal(requests.length, 3);
  answers = [{ status: 507, headers: { "retry-after": "60" }, json: { code: "store_full" } }];
  await assert.rejects(new Handful(url).clients(), { retryAfterS: 60 });
  assert.equal(requests.length, 4);
});

test("the key is sent, asked for, and asked for again if it is refused", async () => {
  answers = [{ status: 401 }, { status: 401 }, {}];
  const given = ["wrong", "right"];
  const refused = [];
  const handful = new Handful(url, {
    onUnauthorized: async (key) => {
      refused.push(key);
      return given.shift();
    },
  });
  await handful.clients();
  await handful.clients();
  assert.deepEqual(refused, [null, "wrong"]);
  assert.deepEqual(
    requests.map(({ headers }) => headers.authorization),
    [undefined, "Bearer wrong", "Bearer right", "Bearer right"],
  );
});

test("a key that was refused is not sent again", async () => {
  answers = [{ status: 401, json: { code: "unauthorized" } }];
  const handful = new Handful(url, { apiKey: "wrong", onUnauthorized: async () => "wrong" });
  await assert.rejects(handful.clients(), { code: "unauthorized" });
  assert.equal(requests.length, 1);
});

test("a redirect is not followed, so that no other host gets the key", async () => {
  answers = [{ status: 307, headers: { location: "http://127.0.0.1:9/elsewhere" } }];
  await assert.rejects(new Handful(url, { apiKey: "secret" }).clients(), TypeError);
  assert.equal(requests.length, 1);
});

test("a silent server is given up", async () => {
  const silent = new Handful(url, { timeoutS: 0.01, fetch: (_, { signal }) => aborted(signal) });
  await assert.rejects(silent.clients(), { name: "TimeoutError" });
});

const aborted = (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("all examples are read page by page", async () => {
  answers = [{ json: { examples: [1, 2], next_cursor: 7 } }, { json: { examples: [3], next_cursor: null } }];
  const found = [];
  for await (const each of new Handful(url).allExamples("shop", { limit: 2 })) found.push(each);
  assert.deepEqual(found, [1, 2, 3]);
  assert.match(requests[1].path, /cursor=7/);
});

test("an answer has its entity tag, which a change can name", async () => {
  answers = [{ headers: { etag: '"3-a"' }, json: { version: 3 } }];
  const handful = new Handful(url);
  const { etag } = await handful.client("shop");
  await handful.rollback("shop", 2, { ifMatch: etag });
  assert.equal(requests[1].headers["if-match"], '"3-a"');
});

test("the types name the methods that there are", async () => {
  const types = await readFile(new URL("../../service/playground/handful.d.ts", import.meta.url), "utf8");
  const [, body] = types.match(/export class Handful \{(.*?)\n\}/s);
  const typed = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name);
  assert.deepEqual(typed.sort(), Object.getOwnPropertyNames(Handful.prototype).sort());
});
