/** Why an answer: the examples that decided, and the parts of the input that count. Absent where the model cannot tell. */

import { named, width } from "./common.js";
import { html } from "./hooks.js";
import { kindOf } from "./kinds.js";

const SHOWN = 4; // examples
const COLUMNS = 8;

export function Explanation({ session, given }) {
  const why = given.explanation;
  if (!why) return null;
  const { words, saliency_png: map, columns, numbers } = why.input ?? {};
  const { asked } = session.lesson;
  const sides = why.label === null ? { for: "raises it", against: "lowers it" } : { for: "for it", against: "against" };
  return html`<div class="why">
    <h3>${why.label === null ? "Why this value?" : `Why ${why.label} and not ${why.against}?`}</h3>
    <${Deciding} session=${session} examples=${why.examples} sides=${sides} />
    ${words && typeof asked === "string" && html`<${Words} text=${asked} words=${words} />`}
    ${map && html`<${Saliency} input=${asked} map=${map} />`}
    ${columns && html`<${Columns} columns=${columns} sides=${sides} />`}
    ${numbers?.length > 1 && html`<${Columns} columns=${numbers.map((weight, place) => ({ name: `number ${place + 1}`, weight }))} sides=${sides} />`}
  </div>`;
}

const sizeOf = ({ weight }) => Math.abs(weight ?? 0);
const largestOf = (weighted) => Math.max(...weighted.map(sizeOf), 1e-9);
const side = ({ weight }) => (weight < 0 ? "against" : "for");

/** The examples with the largest weights, and the names of classes that count as examples. */
function Deciding({ session, examples, sides }) {
  const known = new Map(session.lesson.examples.map((example) => [example.id, example]));
  const found = examples.filter(({ id, name }) => name || known.has(id)).slice(0, SHOWN);
  if (!found.length) return null;
  const largest = largestOf(found);
  return html`<ul class="deciding" aria-label="Examples that decided">
    ${found.map(
      (each) => html`<li class=${side(each)}>
        <${Decider} session=${session} of=${each} example=${known.get(each.id)} />
        <span class="quiet">${sides[side(each)]}</span>
        <span class="track" aria-hidden="true"><span style=${width(sizeOf(each) / largest)}></span></span>
      </li>`,
    )}
  </ul>`;
}

function Decider({ session, of: { name, label }, example }) {
  const { Shown, Stored = Shown } = kindOf(session.kind);
  if (name) return html`<span class="text">the name “${String(label)}”</span>`;
  return html`<${Stored} input=${example.input} alt="" /><span class="name">${named(label ?? [])}</span>`;
}

/** The text itself; words that speak for the answer are marked, those against it underlined. */
function Words({ text, words }) {
  const largest = largestOf(words);
  const letters = [...text]; // places count whole characters, which may be two of JavaScript's
  const part = (start, end) => letters.slice(start, end).join("");
  const pieces = [];
  let end = 0;
  for (const word of words) {
    pieces.push(part(end, word.start));
    const strength = { "--strength": `${Math.round((60 * sizeOf(word)) / largest)}%` };
    pieces.push(html`<mark class=${side(word)} style=${strength}>${part(word.start, word.end)}</mark>`);
    end = word.end;
  }
  return html`<p class="words"><span class="hidden">Words that count: </span>${pieces}${part(end)}</p>
    <p class="quiet small">Marked words speak for the answer, underlined ones against it.</p>`;
}

/** A map of transparent colours over the image. */
const Saliency = ({ input, map }) => html`<div class="saliency">
    <img src=${`data:image/png;base64,${input}`} alt="What was asked" />
    <img class="map" src=${`data:image/png;base64,${map}`} alt="Where it looks" />
  </div>
  <p class="quiet small">Orange places speak for the answer, blue ones against it.</p>`;

function Columns({ columns, sides }) {
  const sorted = [...columns].sort((a, b) => sizeOf(b) - sizeOf(a)).slice(0, COLUMNS);
  const largest = largestOf(sorted);
  return html`<ul class="bars" aria-label="Columns that count">
    ${sorted.map(
      (each) => html`<li class=${side(each)}>
        <span class="name">${each.name}</span>
        <span class="track" aria-hidden="true"><span style=${width(sizeOf(each) / largest)}></span></span>
        <span class="share quiet">${sides[side(each)]}</span>
      </li>`,
    )}
  </ul>`;
}
