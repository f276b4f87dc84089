/** Ask about an input, and see the answer. */

import { canAnswer } from "../lesson.js";
import { Answer } from "./answer.js";
import { Problem } from "./common.js";
import { html, useState } from "./hooks.js";
import { kindOf } from "./kinds.js";

export function Ask({ session }) {
  const { lesson } = session;
  const ready = canAnswer(lesson);
  return html`<section class="card ask" aria-labelledby="ask-title">
    <h2 id="ask-title"><span class="step" aria-hidden="true">2</span> Ask</h2>
    ${ready ? html`<${Question} session=${session} />` : html`<p class="start quiet">${waiting(lesson)}</p>`}
    <${Problem} session=${session} where="ask" />
    <div aria-live="polite">${lesson.answer && html`<${Answer} session=${session} />`}</div>
  </section>`;
}

const waiting = ({ classes, count }) =>
  count === 0 || !classes?.length ? "Teach it two names first." : "Teach it one more name: with two it can choose.";

function Question({ session }) {
  const kind = kindOf(session.kind);
  const [inputs, setInputs] = useState([]);
  const give = (given) => {
    setInputs(given);
    if (kind.live && given.length) session.ask(given[0]);
  };
  const submit = (event) => {
    event.preventDefault();
    if (inputs.length) session.ask(inputs[0]);
  };
  return html`<form onSubmit=${submit}>
    <${kind.Entry} purpose="ask" lesson=${session.lesson} inputs=${inputs} onInputs=${give} />
    ${kind.live ? html`<p class="quiet small centred">${kind.live}</p>` : html`<button class="main wide" disabled=${!inputs.length}>Ask</button>`}
  </form>`;
}
