/** A row of a table: a field for each column that the client's examples have. */

import { Field } from "./common.js";
import { html, useTyped } from "./hooks.js";

export function RowEntry({ inputs, onInputs, lesson, purpose }) {
  const columns = columnsOf(lesson.examples);
  const [row, type] = useTyped({ inputs, onInputs }, {});
  const typed = (name, text) => {
    const filled = { ...row, [name]: text };
    const values = Object.entries(columns).map(([column, read]) => [column, read(filled[column] ?? "")]);
    type(filled, values.every(([, value]) => value === null) ? [] : [Object.fromEntries(values)]);
  };
  const names = Object.keys(columns);
  if (!names.length)
    return purpose === "teach" ? null : html`<p class="quiet">The columns appear here once there are rows.</p>`;
  return html`<div class="columns-of-row">
    ${names.map(
      (name, place) => html`<${Field} label=${name}>
      ${(id) => html`<input id=${id} data-first=${place === 0} value=${row[name] ?? ""} autocomplete="off"
        placeholder=${placeholder(lesson.examples, name)} onInput=${(event) => typed(name, event.target.value)} />`}
    <//>`,
    )}
  </div>`;
}

/** How to read what is typed, by column: as the type that the examples have there. */
export function columnsOf(examples) {
  const columns = {};
  for (const { input } of examples) {
    for (const [name, value] of Object.entries(input ?? {}))
      if (value !== null) columns[name] ??= readers[typeof value];
  }
  return columns;
}

const readers = {
  number: (text) => (text.trim() && Number.isFinite(Number(text)) ? Number(text) : null),
  boolean: (text) => (text.trim() ? /^(true|yes|1)$/i.test(text.trim()) : null),
  string: (text) => text.trim() || null,
};

const placeholder = (examples, name) =>
  String(examples.find(({ input }) => (input?.[name] ?? null) !== null)?.input[name] ?? "");
