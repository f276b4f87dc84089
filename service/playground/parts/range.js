/** The interval around a number, beside the values of the examples. */

import { amount, percent } from "./common.js";
import { html } from "./hooks.js";

export function Range({ lesson, given }) {
  const { level, source } = lesson.answer.interval;
  const intervals = Array.isArray(given.interval[0]) ? given.interval : [given.interval];
  const rests = source === "client" ? "by the errors on these examples" : "by the errors of the model on other tasks";
  return html`<div class="range">
    ${intervals.map(
      (interval, place) =>
        html`<${Bar} interval=${interval} value=${[given.value].flat()[place]} known=${valuesOf(lesson, place)} />`,
    )}
    <p class="quiet small">Right with a probability of ${percent(level)}, ${rests}.</p>
  </div>`;
}

const valuesOf = ({ examples }, place) => examples.map(({ label }) => [label].flat()[place]);

/** The interval on a line that holds it and the values of all examples. */
function Bar({ interval: [low, high], value, known }) {
  const [from, to] = [Math.min(low, ...known), Math.max(high, ...known)];
  const at = (number) => `${(100 * (number - from)) / (to - from || 1)}%`;
  return html`<p>between <b>${amount(low)}</b> and <b>${amount(high)}</b></p>
    <div class="line" aria-hidden="true">
      <span style=${{ left: at(low), width: `calc(${at(high)} - ${at(low)})` }}></span>
      ${known.map((number) => html`<i style=${{ left: at(number) }}></i>`)}
      <b style=${{ left: at(value) }}></b>
    </div>`;
}
