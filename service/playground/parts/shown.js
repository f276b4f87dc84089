/** An input to look at, one component for each kind. */

import { amount } from "./common.js";
import { html } from "./hooks.js";

export const Picture = ({ input, alt = "" }) =>
  typeof input === "string"
    ? html`<img class="picture" src=${`data:image/png;base64,${input}`} alt=${alt} />`
    : html`<${Json} input=${input} />`;

/** A drawing as the server keeps it: light ink on dark paper. */
export const Ink = (props) => html`<span class="ink"><${Picture} ...${props} /></span>`;

export const Text = ({ input }) =>
  html`<span class="text">${typeof input === "string" ? input : JSON.stringify(input)}</span>`;

export const Row = ({ input }) => html`<span class="row">
  ${Object.entries(input ?? {}).map(([name, value]) => html`<span><i>${name}</i> ${value === null ? "–" : String(value)}</span> `)}
</span>`;

export const Numbers = ({ input }) => html`<span class="text">${[input].flat(9).map(amount).join(", ")}</span>`;

export const Json = ({ input }) => html`<code class="text">${JSON.stringify(input)?.slice(0, 200)}</code>`;
