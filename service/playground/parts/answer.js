/** An answer: the label, the probabilities as bars, why, and what to make of it. */

import { labelOf } from "../lesson.js";
import { amount, percent, width } from "./common.js";
import { Explanation } from "./explanation.js";
import { html, useId, useState } from "./hooks.js";
import { kindOf } from "./kinds.js";

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
    ${given.probabilities && html`<${Bars} given=${given} />`}
    <${Explanation} session=${session} given=${given} />
    ${given.probabilities && html`<${Correct} key=${lesson.answer} session=${session} given=${given} />`}
  </div>`;
}

function Verdict({ given }) {
  if (given.value !== undefined)
    return html`<p class="verdict"><b>${[given.value].flat().map(amount).join(", ")}</b></p>`;
  if (given.unknown) {
    return html`<p class="verdict"><b class="unknown">unknown</b>
      <span class="quiet">Probably none of these. Closest: ${String(given.label)}.</span></p>`;
  }
  return html`<p class="verdict"><b>${String(given.label)}</b> <span class="quiet">${percent(given.probability)} sure</span></p>`;
}

function Bars({ given }) {
  const sorted = Object.entries(given.probabilities)
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN);
  return html`<ul class="bars" aria-label="Probabilities">
    ${sorted.map(
      ([label, share]) => html`<li class=${label === String(given.label) && !given.unknown ? "best" : ""}>
      <span class="name">${label}</span>
      <span class="track" aria-hidden="true"><span style=${width(share)}></span></span>
      <span class="share">${percent(share)}</span>
    </li>`,
    )}
  </ul>`;
}

/** Say what the right answer is: to teach it, or to count it as a test. */
function Correct({ session, given }) {
  const { lesson } = session;
  const id = useId();
  const [right, setRight] = useState(given.unknown ? "" : String(given.label));
  const label = right === "" ? null : labelOf(lesson, right);
  const query = { input: lesson.asked, label };
  return html`<div class="correct">
    <label class="above" for=${id}>The right answer is</label>
    <select id=${id} value=${right} onChange=${(event) => setRight(event.target.value)}>
      ${lesson.classes.map((name) => html`<option value=${String(name)} selected=${String(name) === right}>${String(name)}</option>`)}
      <option value="" selected=${right === ""}>none of these</option>
    </select>
    <button type="button" disabled=${label === null || session.busy} onClick=${() => session.teach([query])}>Teach it</button>
    <button type="button" onClick=${() => session.test([query])}>Keep as a test</button>
  </div>`;
}
