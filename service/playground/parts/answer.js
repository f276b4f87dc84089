/** An answer: the label, the probabilities as bars, why, and what to make of it. */

import { amount, percent, width } from "./common.js";
import { Correct } from "./correct.js";
import { Explanation } from "./explanation.js";
import { html } from "./hooks.js";
import { kindOf } from "./kinds.js";
import { Range } from "./range.js";

const SHOWN = 8; // probabilities

export function Answer({ session }) {
  const { lesson } = session;
  const [given] = lesson.answer.predictions;
  const { Shown } = kindOf(session.kind);
  return html`<div class="answer">
    <div class="answer-head">
      <div class="question"><${Shown} input=${lesson.asked} alt="What was asked" /></div>
      <${Verdict} given=${given} />
    </div>
    ${given.interval && html`<${Range} lesson=${lesson} given=${given} />`}
    ${given.probabilities && html`<${Bars} given=${given} thresholds=${lesson.answer.thresholds} />`}
    <${Explanation} session=${session} given=${given} />
    <${Correct} key=${lesson.answer} session=${session} given=${given} />
  </div>`;
}

function Verdict({ given }) {
  if (given.value !== undefined)
    return html`<p class="verdict"><b>${[given.value].flat().map(amount).join(", ")}</b></p>`;
  if (given.labels) return html`<${Labels} labels=${given.labels} />`;
  if (given.unknown) {
    return html`<p class="verdict"><b class="unknown">unknown</b>
      <span class="quiet">Probably none of these. Closest: ${String(given.label)}.</span></p>`;
  }
  return html`<p class="verdict"><b>${String(given.label)}</b> <span class="quiet">${percent(given.probability)} sure</span></p>`;
}

const Labels = ({ labels }) =>
  labels.length
    ? html`<p class="verdict"><b>${labels.map(String).join(", ")}</b></p>`
    : html`<p class="verdict"><b class="unknown">no label</b> <span class="quiet">None reaches its threshold.</span></p>`;

/** Args: thresholds of the labels, where an answer may have several; each is a mark on its bar. */
function Bars({ given, thresholds = [] }) {
  const sorted = Object.entries(given.probabilities)
    .sort(([, a], [, b]) => b - a)
    .slice(0, Math.max(SHOWN, given.labels?.length ?? 0));
  const right = given.labels ?? (given.unknown ? [] : [given.label]);
  const from = new Map(thresholds.map((each) => [String(each.label), each.at_least]));
  return html`<ul class="bars" aria-label="Probabilities">
    ${sorted.map(
      ([label, share]) => html`<li class=${right.map(String).includes(label) ? "best" : ""}>
      <span class="name">${label}</span>
      <span class="track" aria-hidden="true"><span style=${width(share)}></span>
        ${from.has(label) && html`<i style=${{ left: `${100 * from.get(label)}%` }}></i>`}</span>
      <span class="share">${percent(share)}</span>
    </li>`,
    )}
  </ul>
  ${from.size > 0 && html`<p class="quiet small">A label counts from the mark on its bar on: ${marks(thresholds)}.</p>`}`;
}

/** The thresholds in words: one if all are the same. */
function marks(thresholds) {
  const shares = thresholds.map(({ at_least: share }) => share);
  const [least, most] = [Math.min(...shares), Math.max(...shares)];
  return least === most ? percent(least) : `${percent(least)} to ${percent(most)}`;
}
