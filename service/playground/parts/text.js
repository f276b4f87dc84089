/** A text to teach or to ask. Enter sends it, Shift and Enter begin a line. */

import { Field } from "./common.js";
import { html } from "./hooks.js";

export function TextEntry({ inputs, onInputs, purpose }) {
  const typed = (event) => onInputs(event.target.value.trim() ? [event.target.value] : []);
  const submits = (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  };
  const hint = purpose === "teach" ? "such as “Where is my parcel?”" : "and press Enter";
  return html`<${Field} label="Text" hint=${hint}>
    ${(id) => html`<textarea id=${id} data-first rows="3" value=${inputs[0] ?? ""} onInput=${typed}
      onKeyDown=${purpose === "ask" ? submits : undefined}></textarea>`}
  <//>`;
}
