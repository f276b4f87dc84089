/** Inputs without labels: which of them to label next, one after the other, or all of them as they are. */

import { labelFrom, learnsUnlabelled, UNNAMED } from "../lesson.js";
import { named, Problem, percent, plural } from "./common.js";
import { html, useEffect, useRef, useState } from "./hooks.js";
import { kindOf } from "./kinds.js";
import { Naming } from "./naming.js";

export function Suggest({ session }) {
  const [open, setOpen] = useState(false);
  const { lesson } = session;
  const { Pool } = kindOf(session.kind);
  if (!Pool) return null;
  const { pool, suggested } = lesson;
  return html`<details class="suggest" onToggle=${(event) => setOpen(event.target.open)}>
    <summary>Many without labels</summary>
    ${
      open &&
      html`<p class="quiet">It chooses those that teach it most. You name them, and leave the rest.${
        learnsUnlabelled(lesson) && " It can also learn from all of them without labels, as far as it is sure."
      }</p>
      ${
        !suggested.length &&
        html`<form onSubmit=${(event) => event.preventDefault()}>
        <${Pool} inputs=${pool} onInputs=${(inputs) => session.fillPool(inputs)} lesson=${lesson} />
      </form>`
      }
      <div class="actions">
        <button type="button" class=${suggested.length ? "" : "main"} disabled=${session.busy || !pool.length}
          onClick=${() => session.suggest()}>Choose from ${plural(pool.length, kindOf(session.kind).noun)}</button>
        ${
          learnsUnlabelled(lesson) &&
          html`<button type="button" disabled=${session.busy || !pool.length}
          onClick=${() => session.learnUnlabelled()}>Learn from ${plural(pool.length, kindOf(session.kind).noun)} without labels</button>`
        }
        <button type="button" disabled=${!pool.length} onClick=${() => session.fillPool([])}>Clear</button>
      </div>
      <div aria-live="polite">
        ${suggested.length > 0 && html`<${Next} key=${lesson.pool.length} session=${session} suggested=${suggested[0]} more=${suggested.length - 1} />`}
      </div>
      <${Problem} session=${session} where="suggest" />`
    }
  </details>`;
}

/** The first of the suggested inputs, to be named or left out. */
function Next({ session, suggested, more }) {
  const { lesson } = session;
  const [form, focused] = [useRef(), useRef(false)];
  const [said, say] = useState(UNNAMED);
  const { Shown } = kindOf(session.kind);
  const { label: guess, probability } = suggested.guess;
  useEffect(() => {
    if (session.busy || focused.current) return;
    focused.current = true; // once, so that it takes the focus from nothing else
    (form.current.querySelector(".chip") ?? form.current.querySelector("input")).focus();
  });
  const name = (label) => session.label(suggested, label);
  const submit = (event) => {
    event.preventDefault();
    name(labelFrom(lesson, said));
  };
  return html`<form ref=${form} class="next" onSubmit=${submit}>
    <div class="question"><${Shown} input=${suggested.input} alt="What to label" /></div>
    ${guess !== undefined && html`<p class="quiet small">It takes this for ${named(guess)}, ${percent(probability)} sure.</p>`}
    <${Naming} lesson=${lesson} title="Label this one" said=${said} onSaid=${say} disabled=${Boolean(session.busy)}
      first=${guess === undefined ? [] : [guess]} onNamed=${name} />
    <p class="actions"><button type="button" class="small" disabled=${session.busy} onClick=${() => session.leaveOut(suggested)}>Leave it out</button>
      <span class="quiet small">${more ? `${more} more after it.` : "The last one for now."}</span></p>
  </form>`;
}
