/** The parts of the page that need no browser: tables from CSV, and code to copy. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInThisContext } from "node:vm";
import { codeOf, remembered, shortened } from "../../service/playground/code.js";
import {
  labelColumn,
  parseCsv,
  tableExamples,
  tableInputs,
  textColumn,
  textExamples,
} from "../../service/playground/csv.js";
import { byClass, canAnswer, labelFrom, labelOf, modelsByKind, newLesson } from "../../service/playground/lesson.js";

runInThisContext(readFileSync(new URL("../../service/playground/vendor/papaparse.js", import.meta.url), "utf8"));
const parsed = (text) => parseCsv(text, globalThis.Papa);

test("numbers beside semicolons may have a decimal comma", () => {
  const rows = tableInputs(parsed("spend;note\n1.234,50;a, b\n12,5;1.5"), []);
  assert.deepEqual(rows, [
    { spend: 1234.5, note: "a, b" },
    { spend: 12.5, note: "1.5" },
  ]);
});

test("a table has typed columns, and null for what is missing", () => {
  const table = parsed(
    'age,plan,active,code,outcome\n22,"free, really",true,007,leaves\n,pro,FALSE,12,stays\n3e1,,,5,stays\n1,2,3,4,\n',
  );
  assert.equal(labelColumn(table), 4);
  const examples = tableExamples(
    parsed("age,plan,active,code,outcome\n22,free,true,007,leaves\n,pro,FALSE,12,stays"),
    4,
  );
  assert.deepEqual(examples, [
    { input: { age: 22, plan: "free", active: true, code: "007" }, label: "leaves" },
    { input: { age: null, plan: "pro", active: false, code: "12" }, label: "stays" },
  ]);
  assert.equal(tableExamples(table, 4).length, 3, "a row without a label is left out");
});

test("rows without labels have the known columns, and all if none is known", () => {
  const table = parsed("b,a,note\n1,x,n\n2,y,m");
  assert.deepEqual(tableInputs(table, ["a", "b"])[1], { b: 2, a: "y" });
  assert.deepEqual(tableInputs(table, [])[0], { b: 1, a: "x", note: "n" });
});

test("the columns of texts and labels are found by their names or their lengths", () => {
  const table = parsed("intent;id;message\nrefund;1;I want my money back\ndelivery;2;Where is my parcel?");
  const label = labelColumn(table);
  assert.deepEqual([label, textColumn(table, label)], [0, 2]);
  assert.deepEqual(textExamples(table, label, 2)[1], { input: "Where is my parcel?", label: "delivery" });
});

test("a text without rows is no table", () => {
  for (const text of ["", "a,b", "\n\n"]) assert.equal(parsed(text), null);
});

test("short rows are filled", () => {
  assert.deepEqual(parsed("a,b,c\n1\n").rows, [["1", "", ""]]);
});

test("the code for a shell and for Python quotes whatever a label holds", () => {
  const body = { label: 'it\'s "$(rm)" `x` \\ ü\n', flag: true, none: null, many: [1, 2.5] };
  const code = codeOf({ method: "PATCH", path: "/clients/a/examples/b", body }, "http://h", true);
  assert.ok(
    code.curl.startsWith("curl -s -X PATCH 'http://h/clients/a/examples/b' -H \"Authorization: Bearer $HANDFUL_KEY\""),
  );
  assert.ok(code.curl.includes("<<'END'\n{"));
  assert.ok(code.Python.includes('"flag": True, "none": None, "many": [1, 2.5]'));
  assert.equal(codeOf({ method: "GET", path: "/a'b" }, "http://h", false).curl, "curl -s 'http://h/a'\\''b'");
});

test("the code shows images cut and copies them whole", () => {
  const code = codeOf(
    { method: "POST", path: "/predict", body: { inputs: ["A".repeat(500)] } },
    "http://h",
    false,
  ).curl;
  assert.ok(code.includes("A".repeat(500)));
  assert.ok(shortened(code).length < 200);
});

test("the last call of each name is remembered", () => {
  const calls = ["/adapt", "/predict", "/adapt"].reduce(
    (all, path, body) => remembered(all, { method: "POST", path, body }),
    [],
  );
  assert.deepEqual(
    calls.map(({ name, body }) => [name, body]),
    [
      ["Ask", 1],
      ["Teach", 2],
    ],
  );
  assert.equal(remembered([], { method: "GET", path: "/clients" }).length, 0);
});

const card = (name, type, kind = "classification") => ({ name, kind, input: { type } });

test("models come by kind, well-known kinds first and the plain model of each kind first", () => {
  const kinds = modelsByKind([
    card("waves", "waveform"),
    card("texts-b", "text"),
    card("texts", "text"),
    card("g", "drawing"),
  ]);
  assert.deepEqual([...kinds.keys()], ["drawing", "text", "waveform"]);
  assert.deepEqual(
    kinds.get("text").map(({ name }) => name),
    ["texts", "texts-b"],
  );
});

test("a label has the type that the client's labels have", () => {
  const texts = newLesson([card("texts", "text")]);
  assert.equal(labelOf(texts, " 7 "), "7");
  assert.equal(labelOf({ ...texts, classes: [1, 2] }, " 7 "), 7);
  assert.equal(labelOf({ ...texts, classes: [1, 2] }, "seven"), "seven");
  assert.equal(labelOf(newLesson([card("s", "vector", "regression")]), "1.5"), 1.5);
});

test("several labels are those that were pressed and those that were typed", () => {
  const lesson = { ...newLesson([card("texts", "text")]), several: true };
  assert.deepEqual(labelFrom(lesson, { text: " new, a ,", pressed: ["a", "b, c"] }), new Set(["a", "b, c", "new"]));
  assert.deepEqual(labelFrom(lesson, { text: "" }), new Set());
  assert.equal(labelFrom({ ...lesson, several: false }, { text: "new, a" }), "new, a");
});

test("a client of several labels answers from one class on, and its examples stand in each of theirs", () => {
  const examples = [{ labels: ["a", "b"] }, { labels: [] }];
  const lesson = { ...newLesson([card("texts", "text")]), several: true, classes: ["a", "b"], examples };
  assert.equal(canAnswer({ ...lesson, classes: ["a"] }), true);
  assert.deepEqual(byClass(lesson), [
    ["a", [examples[0]]],
    ["b", [examples[0]]],
    [null, [examples[1]]],
  ]);
});

test("a client answers from two classes on, or from one point", () => {
  const lesson = newLesson([card("texts", "text")]);
  assert.equal(canAnswer({ ...lesson, classes: ["a"], count: 3 }), false);
  assert.equal(canAnswer({ ...lesson, classes: ["a", "b"], count: 2 }), true);
  assert.equal(canAnswer({ ...newLesson([card("s", "vector", "regression")]), classes: null, count: 1 }), true);
});

test("examples are grouped by class", () => {
  const lesson = {
    ...newLesson([card("t", "text")]),
    classes: ["a", "b"],
    examples: [{ label: "b" }, { label: "a" }, { label: "b" }],
  };
  assert.deepEqual(
    byClass(lesson).map(([label, examples]) => [label, examples.length]),
    [
      ["a", 1],
      ["b", 2],
    ],
  );
});
