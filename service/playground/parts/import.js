/** Many examples at once, from CSV that is pasted, dropped or chosen. */

import { labelColumn, parseCsv, tableExamples, textColumn, textExamples } from "../csv.js";
import { labelOf } from "../lesson.js";
import { Field, plural } from "./common.js";
import { html, useId, useState } from "./hooks.js";

/** Args: kind "text" or "table"; verb and onExamples say what becomes of the examples. */
export function Import({ kind, verb, lesson, onExamples, busy }) {
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState({});
  const table = text.trim() ? parseCsv(text) : null;
  const label = table && (chosen.label ?? labelColumn(table));
  const source = table && (chosen.source ?? textColumn(table, label));
  const named = (given) => labelOf(lesson, given);
  const examples = !table
    ? []
    : kind === "table"
      ? tableExamples(table, label, named)
      : textExamples(table, label, source, named);
  const fill = (given) => {
    setText(given);
    setChosen({});
  };
  const send = async () => (await onExamples(examples)) !== false && fill("");
  return html`<div class="import">
    <${Paste} text=${text} onText=${fill} kind=${kind} />
    ${text.trim() && !table && html`<p class="problem" role="status">That needs a header and at least one row.</p>`}
    ${
      table &&
      html`<div class="fields">
      <${Column} title="Column of the labels" names=${table.names} value=${label} onChange=${(place) => setChosen({ ...chosen, label: place })} />
      ${
        kind === "text" &&
        html`<${Column} title="Column of the texts" names=${table.names} value=${source}
        onChange=${(place) => setChosen({ ...chosen, source: place })} />`
      }
    </div>
    <button type="button" class="main" disabled=${busy || !examples.length} onClick=${send}>
      ${verb} ${plural(examples.length, kind === "table" ? "row" : "text")}</button>`
    }
  </div>`;
}

function Paste({ text, onText, kind }) {
  const id = useId();
  const read = async (files) => files[0] && onText(await files[0].text());
  const drop = (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    read(event.dataTransfer.files);
  };
  const hint =
    kind === "table" ? "age,plan,outcome\n22,free,leaves\n35,pro,stays" : "text,label\nWhere is my parcel?,delivery";
  return html`<${Field} label="Paste or drop CSV" hint="with a header">
      ${(
        field,
      ) => html`<textarea id=${field} rows="4" class="code" value=${text} placeholder=${hint} spellcheck=${false}
        onInput=${(event) => onText(event.target.value)} onDrop=${drop} onDragOver=${(event) => event.preventDefault()}></textarea>`}
    <//>
    <input id=${id} class="file" type="file" accept=".csv,.tsv,.txt,text/csv" onChange=${(event) => read(event.target.files)} />
    <label for=${id} class="button">CSV file…</label>`;
}

const Column = ({ title, names, value, onChange }) => html`<${Field} label=${title}>
  ${(id) => html`<select id=${id} value=${value} onChange=${(event) => onChange(Number(event.target.value))}>
    ${names.map((name, place) => html`<option value=${place} selected=${place === value}>${name}</option>`)}
  </select>`}
<//>`;
