/** Choose what to teach, and which model to use. */

import { Problem, percent } from "./common.js";
import { html, useId } from "./hooks.js";
import { kindOf } from "./kinds.js";

export function KindChoice({ session }) {
  return html`<fieldset class="kinds"><legend class="hidden">What to teach</legend>
    ${[...session.kinds.keys()].map(
      (name) => html`<label>
      <input type="radio" name="kind" value=${name} checked=${name === session.kind} disabled=${session.busy && session.busy !== "ask"} onChange=${() => session.chooseKind(name)} />
      <span class="kind"><b>${kindOf(name).title}</b> <span class="quiet">${kindOf(name).of}</span></span>
    </label>`,
    )}
  </fieldset>`;
}

export function ModelChoice({ session }) {
  const id = useId();
  const { model, models } = session.lesson;
  return html`<div class="model">
    <label for=${id}>Model</label>
    <select id=${id} value=${model.name} disabled=${session.busy} onChange=${(event) => session.chooseModel(event.target.value)}>
      ${models.map(({ name }) => html`<option value=${name} selected=${name === model.name}>${name}</option>`)}
    </select>
    <span class="quiet">${model.algorithm}. ${measured(model)}</span>
    <${Problem} session=${session} where="model" />
  </div>`;
}

/** The first measured accuracy of a card in a sentence. */
function measured({ figures = [] }) {
  const figure = figures.find(({ metric }) => metric === "accuracy");
  return figure ? `Measured: ${percent(figure.mean)} right (${figure.setting}).` : "";
}
