/** Say what the right answer is: to teach it, or to count it as a test. */

import { labelFrom, UNNAMED } from "../lesson.js";
import { html, useId, useState } from "./hooks.js";
import { Naming } from "./naming.js";

/** The labels are in the order of their probabilities, so that the right one is near. */
export function Correct({ session, given }) {
  const { lesson } = session;
  const [said, say] = useState({ ...UNNAMED, pressed: given.labels ?? [] });
  const teach = (label) => session.correct(label);
  const submit = (event) => {
    event.preventDefault();
    teach(labelFrom(lesson, said));
  };
  return html`<form class="correct" onSubmit=${submit}>
    <${Naming} lesson=${lesson} title="Wrong? The right answer is" verb="Teach it" said=${said} onSaid=${say}
      first=${byProbability(lesson, given)} disabled=${Boolean(session.busy)} onNamed=${teach} />
    ${
      given.label === undefined
        ? html`<button type="button" class="small" disabled=${given.value !== undefined && !said.text.trim()}
            onClick=${() => session.test([{ input: lesson.asked, label: labelFrom(lesson, said) }])}>Keep as a test</button>`
        : html`<${Test} session=${session} given=${given} />`
    }
  </form>`;
}

function byProbability({ classes }, { probabilities }) {
  if (!probabilities) return [];
  const shareOf = (name) => probabilities[String(name)] ?? 0;
  return [...classes].sort((a, b) => shareOf(b) - shareOf(a));
}

/** Keep the question as a test. It may belong to no class. */
function Test({ session, given }) {
  const { lesson } = session;
  const id = useId();
  const [right, setRight] = useState(given.unknown ? "" : String(given.label));
  const label = lesson.classes.find((name) => String(name) === right) ?? null;
  return html`<div class="as-test">
    <label for=${id}>To check later, this is</label>
    <select id=${id} value=${right} onChange=${(event) => setRight(event.target.value)}>
      ${lesson.classes.map((name) => html`<option value=${String(name)} selected=${String(name) === right}>${String(name)}</option>`)}
      <option value="" selected=${right === ""}>none of these</option>
    </select>
    <button type="button" onClick=${() => session.test([{ input: lesson.asked, label }])}>Keep as a test</button>
  </div>`;
}
