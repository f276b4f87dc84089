/** Ways to give many inputs without labels: image files, lines of text, rows. */

import { parseCsv, tableInputs, writeCsv } from "../csv.js";
import { Field } from "./common.js";
import { html, useId, useTyped } from "./hooks.js";
import { Images } from "./photo.js";
import { columnsOf } from "./table.js";

export const PicturePool = (noun) => (props) => html`<${Images} several noun=${noun} ...${props} />`;

export const TextPool = (props) =>
  html`<${Lines} ...${props} label="Texts" hint="one a line" accept=".txt,text/plain" read=${linesOf} write=${(texts) => texts.join("\n")} />`;

export const RowPool = (props) => {
  const columns = Object.keys(columnsOf(props.lesson.examples));
  const read = (text) => {
    const table = parseCsv(text);
    return table ? tableInputs(table, columns) : [];
  };
  return html`<${Lines} ...${props} label="Rows without labels" hint="CSV with a header" accept=".csv,.tsv,text/csv" read=${read} write=${writeCsv} />`;
};

const linesOf = (text) => [...new Set(text.split("\n").map((line) => line.trim()))].filter(Boolean);

/** A text that is read into inputs. */
function Lines({ inputs, onInputs, label, hint, accept, read, write }) {
  const id = useId();
  const [text, type] = useTyped({ inputs, onInputs }, "", write(inputs));
  const fill = (given) => type(given, read(given));
  const open = async (files) => files[0] && fill(await files[0].text());
  return html`<${Field} label=${label} hint=${hint}>
      ${(field) => html`<textarea id=${field} rows="4" value=${text} onInput=${(event) => fill(event.target.value)}></textarea>`}
    <//>
    <input id=${id} class="file" type="file" accept=${accept} onChange=${(event) => open(event.target.files)} />
    <label for=${id} class="button">File…</label>`;
}
