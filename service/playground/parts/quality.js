/** How good the client is: by its own examples, and by tests. */

import { canAnswer } from "../lesson.js";
import { amount, Problem, percent, plural } from "./common.js";
import { Confusion } from "./confusion.js";
import { html } from "./hooks.js";
import { Import } from "./import.js";
import { kindOf } from "./kinds.js";

export function Quality({ session }) {
  const { lesson } = session;
  const { imports } = kindOf(session.kind);
  if (!canAnswer(lesson)) return null;
  return html`<section class="card quality" aria-labelledby="quality-title">
    <h2 id="quality-title"><span class="step" aria-hidden="true">3</span> How good is it?</h2>
    <div class="halves">
      <div>
        <p>Leave out each example, learn from the others, and ask.</p>
        <button type="button" class="main" disabled=${session.busy} onClick=${() => session.judge()}>Check its own examples</button>
        <div aria-live="polite">${lesson.quality && html`<${Own} quality=${lesson.quality} classes=${lesson.classes} />`}</div>
      </div>
      <${Tests} session=${session} imports=${imports} />
    </div>
    <${Problem} session=${session} where="quality" />
  </section>`;
}

function Tests({ session, imports }) {
  const { lesson } = session;
  return html`<div>
    <p>Or ask it what it has not seen: keep answers as tests${imports ? ", or give labelled rows" : ""}.
      ${" "}<span class="quiet">${plural(lesson.tests.length, "test")} kept.</span></p>
    ${
      imports &&
      html`<details><summary>Tests from CSV</summary><${Import} kind=${imports} verb="Keep" lesson=${lesson}
        onExamples=${(queries) => session.test(queries)} /></details>`
    }
    <div class="actions">
      <button type="button" class="main" disabled=${session.busy || !lesson.tests.length} onClick=${() => session.evaluate()}>Run the tests</button>
      <button type="button" disabled=${!lesson.tests.length} onClick=${() => session.clearTests()}>Clear</button>
    </div>
    <div aria-live="polite">${lesson.evaluation && html`<${Tested} evaluation=${lesson.evaluation} classes=${lesson.classes} />`}</div>
  </div>`;
}

function Own({ quality, classes }) {
  const { estimate, reason, few_examples: few, contradictions } = quality;
  if (!estimate) return html`<p>${reason}</p>`;
  return html`<${Score} figures=${estimate} count=${estimate.judged} of="example" />
    ${estimate.confusion && html`<${Confusion} counts=${estimate.confusion} classes=${classes} of="its own examples" />`}
    <ul class="plain-list">
      ${!estimate.confusion && (estimate.confusions ?? []).map(({ labels, count }) => html`<li>${String(labels[0])} and ${String(labels[1])} are taken for each other ${plural(count, "time")}.</li>`)}
      ${(estimate.suspected_errors ?? []).map(({ label, answer }) => html`<li>An example of ${String(label)} looks like ${String(answer)}.</li>`)}
      ${contradictions?.length > 0 && html`<li>${plural(contradictions.length, "input")} with several labels.</li>`}
      ${few?.length > 0 && html`<li>Classes with fewer than three examples: ${few.map(({ label }) => String(label)).join(", ")}.</li>`}
    </ul>`;
}

const Tested = ({
  evaluation,
  classes,
}) => html`<${Score} figures=${evaluation} count=${evaluation.queries} of="test" />
  ${evaluation.confusion.length > 0 && html`<${Confusion} counts=${evaluation.confusion} classes=${classes} of="the tests" />`}`;

function Score({ figures, count, of }) {
  if (figures.accuracy === null) {
    return html`<p class="score"><b>± ${amount(figures.mae)}</b> <span class="quiet">mean error over ${plural(count, of)}</span></p>`;
  }
  const [low, high] = figures.interval;
  return html`<p class="score"><b>${percent(figures.accuracy)}</b>${" "}
    <span class="quiet">of ${plural(count, of)} right; in truth probably ${percent(low)} to ${percent(high)}</span></p>
    ${figures.micro_f1 !== undefined && html`<p class="quiet">Right: all labels of one. F1 over all labels: ${percent(figures.micro_f1)}.</p>`}`;
}
