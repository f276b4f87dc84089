/** Numbers, and anything else as JSON. */

import { Field } from "./common.js";
import { html, useTyped } from "./hooks.js";

/** The texts of an entry are kept as typed; its input is what they mean. */
function Typed({ label, hint, read, inputs, onInputs, mode }) {
  const [text, type] = useTyped({ inputs, onInputs }, "");
  const typed = (event) => {
    const input = read(event.target.value);
    type(event.target.value, input === undefined ? [] : [input]);
  };
  return html`<${Field} label=${label} hint=${hint}>
    ${(id) => html`<input id=${id} data-first value=${text} onInput=${typed} inputmode=${mode} autocomplete="off" />`}
  <//>`;
}

export const NumberEntry = (props) =>
  html`<${Typed} ...${props} label="Number" hint="several with commas" read=${numbers} />`;

export const JsonEntry = (props) => html`<${Typed} ...${props} label="Input" hint="as JSON" read=${json} />`;

function numbers(text) {
  const given = text
    .split(/[,;\s]+/)
    .filter(Boolean)
    .map(Number);
  if (!given.length || !given.every(Number.isFinite)) return undefined;
  return given.length === 1 ? given[0] : given;
}

function json(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
