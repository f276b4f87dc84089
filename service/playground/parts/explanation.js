/** Why an answer: the examples that decided, and the parts of the input that count. Absent on servers that cannot tell. */

import { percent } from "./common.js";
import { html } from "./hooks.js";
import { kindOf } from "./kinds.js";

const SHOWN = 4; // examples

export function Explanation({ session, given }) {
  const why = given.explanation;
  if (!why) return null;
  return html`<div class="why">
    <${Deciding} session=${session} why=${why} />
    ${why.input?.words && html`<${Words} text=${session.lesson.asked} words=${why.input.words} label=${why.label} />`}
    ${why.input?.saliency_png && html`<${Saliency} input=${session.lesson.asked} map=${why.input.saliency_png} />`}
    ${why.input?.columns && html`<${Columns} columns=${why.input.columns} label=${why.label} />`}
  </div>`;
}

function Deciding({ session, why }) {
  const { Shown, Stored = Shown } = kindOf(session.kind);
  const known = new Map(session.lesson.examples.map((example) => [example.id, example]));
  const found = why.examples.filter(({ id }) => known.has(id)).slice(0, SHOWN);
  if (!found.length) return null;
  const largest = Math.max(...found.map(({ weight }) => Math.abs(weight)), 1e-9);
  return html`<h3>Because of these examples</h3>
    <ul class="deciding">
      ${found.map(
        ({ id, label, weight }) => html`<li class=${weight < 0 ? "against" : "for"}>
        <${Stored} input=${known.get(id).input} alt=${`Example of ${label}`} />
        <span class="quiet">${String(label)}${weight < 0 ? ", against" : ""}</span>
        <span class="track" aria-hidden="true"><span style=${{ width: `${(100 * Math.abs(weight)) / largest}%` }}></span></span>
      </li>`,
      )}
    </ul>`;
}

/** The text itself; words that speak for the answer are marked, those against it underlined. */
function Words({ text, words, label }) {
  if (typeof text !== "string") return null;
  const largest = Math.max(...words.map(({ weight }) => Math.abs(weight)), 1e-9);
  const pieces = [];
  let end = 0;
  for (const word of [...words].sort((a, b) => a.start - b.start)) {
    if (word.start > end) pieces.push(text.slice(end, word.start));
    const strength = Math.abs(word.weight) / largest;
    pieces.push(html`<mark class=${word.weight < 0 ? "against" : "for"} title=${word.weight.toPrecision(2)}
      style=${{ "--strength": `${Math.round(60 * strength)}%` }}>${text.slice(word.start, word.end)}</mark>`);
    end = word.end;
  }
  return html`<h3>Words that speak for ${String(label)}</h3><p class="words">${pieces}${text.slice(end)}</p>`;
}

const Saliency = ({ input, map }) => html`<h3>Where it looks</h3>
  <div class="saliency">
    <img src=${`data:image/png;base64,${input}`} alt="What was asked" />
    <img class="map" src=${`data:image/png;base64,${map}`} alt="The brighter, the more a place speaks for the answer" />
  </div>`;

function Columns({ columns, label }) {
  const sorted = [...columns].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, 8);
  const total = sorted.reduce((sum, { weight }) => sum + Math.abs(weight), 0) || 1;
  return html`<h3>Columns that count${label === null ? "" : ` for ${label}`}</h3>
    <ul class="bars">
      ${sorted.map(
        ({ name, weight }) => html`<li class=${weight < 0 ? "against" : "for"}>
        <span class="name">${name}</span>
        <span class="track" aria-hidden="true"><span style=${{ width: `${(100 * Math.abs(weight)) / total}%` }}></span></span>
        <span class="share">${weight < 0 ? "−" : "+"}${percent(Math.abs(weight) / total)}</span>
      </li>`,
      )}
    </ul>`;
}
