/** A confusion matrix as a table: a row for each class, a column for each answer, coloured by how often. */

import { plural } from "./common.js";
import { html } from "./hooks.js";

const SHOWN = 20; // classes

export function Confusion({ counts, classes, of }) {
  const shown = mostConfused(counts, classes);
  const count = (label, answer) => counts.find((each) => each.label === label && each.answer === answer)?.count ?? 0;
  const totals = new Map(shown.map((label) => [label, shown.reduce((sum, answer) => sum + count(label, answer), 0)]));
  const left = classes.length - shown.length;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${`Confusion matrix of ${of}`}>
    <table class="confusion">
      <caption>Rows are the right labels, columns the answers.</caption>
      <thead><tr><td></td>${shown.map((answer) => html`<th scope="col" title=${String(answer)}><span>${String(answer)}</span></th>`)}</tr></thead>
      <tbody>
        ${shown.map(
          (label) => html`<tr><th scope="row" title=${String(label)}>${String(label)}</th>
          ${shown.map((answer) => html`<${Cell} count=${count(label, answer)} right=${label === answer} of=${totals.get(label)} />`)}
        </tr>`,
        )}
      </tbody>
    </table>
  </div>
  <${Mistakes} counts=${counts} />
  ${left > 0 && html`<p class="quiet small">${plural(left, "class")} with fewer mistakes left out of the table.</p>`}`;
}

/** The classes, those with the most mistakes if there are too many, in their order. */
function mostConfused(counts, classes) {
  const mistakes = new Map(classes.map((label) => [label, 0]));
  for (const { label, answer, count } of counts) {
    if (label !== answer) for (const each of [label, answer]) mistakes.set(each, mistakes.get(each) + count);
  }
  const worst = [...classes].sort((a, b) => mistakes.get(b) - mistakes.get(a)).slice(0, SHOWN);
  return classes.filter((label) => worst.includes(label));
}

/** A share of the row, as a strength of colour. Numbers are text, so that colour alone says nothing. */
const Cell = ({ count, right, of }) =>
  html`<td class=${count ? (right ? "right" : "wrong") : "none"} style=${{ "--strength": `${Math.round((45 * count) / (of || 1))}%` }}>${count}</td>`;

/** The mistakes in words, the most frequent first. */
function Mistakes({ counts }) {
  const wrong = counts.filter(({ label, answer }) => label !== answer).sort((a, b) => b.count - a.count);
  if (!wrong.length) return html`<p class="quiet">No mistakes.</p>`;
  return html`<ul class="plain-list" aria-label="Mistakes">
    ${wrong.slice(0, 3).map(({ label, answer, count }) => html`<li>${String(label)} is taken for ${String(answer)} ${count === 1 ? "once" : `${count} times`}.</li>`)}
  </ul>`;
}
