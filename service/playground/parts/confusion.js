/** A confusion matrix as a table: a row for each class, a column for each answer. */

import { html } from "./hooks.js";

const SHOWN = 12; // classes

export function Confusion({ counts, classes = [...new Set(counts.map(({ label }) => label))] }) {
  const shown = classes.slice(0, SHOWN);
  const largest = Math.max(...counts.map(({ count }) => count), 1);
  const count = (label, answer) => counts.find((each) => each.label === label && each.answer === answer)?.count ?? 0;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">
    <table class="confusion">
      <caption>Rows are the right labels, columns the answers.</caption>
      <thead><tr><td></td>${shown.map((answer) => html`<th scope="col">${String(answer)}</th>`)}</tr></thead>
      <tbody>
        ${shown.map(
          (label) => html`<tr><th scope="row">${String(label)}</th>
          ${shown.map((answer) => html`<${Cell} count=${count(label, answer)} right=${label === answer} largest=${largest} />`)}
        </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const Cell = ({ count, right, largest }) =>
  html`<td class=${right ? "right" : "wrong"} style=${{ "--strength": `${Math.round((45 * count) / largest)}%` }}>${count || ""}</td>`;
