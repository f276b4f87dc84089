/** Say what an input is: press a label that there is, or type one. */

import { isRegression, labelFrom } from "../lesson.js";
import { html, useId } from "./hooks.js";

const SHOWN = 30; // labels to press

/**
 * Args:
 *   said, onSaid: what is typed and pressed so far, as UNNAMED in lesson.js.
 *   verb: of the button, which submits the form around it.
 *   first: the labels that are shown first.
 *   onNamed: takes a label that was pressed. Where there may be several, pressed ones wait for the button.
 */
export function Naming({ lesson, title, said, onSaid, verb = "Teach", disabled, first = [], onNamed }) {
  const id = useId();
  const several = lesson.several && html` <span class="quiet">none, one or several, with commas</span>`;
  return html`<label class="above" for=${id}>${title}${several}</label>
    <div class="join">
      <input id=${id} value=${said.text} autocomplete="off" maxlength="200" inputmode=${isRegression(lesson) ? "decimal" : "text"}
        onInput=${(event) => onSaid({ ...said, text: event.target.value })} onFocus=${(event) => event.target.select()} />
      <button class="main" disabled=${disabled || !isSaid(lesson, said)}>${verb}</button>
    </div>
    <${Known} lesson=${lesson} said=${said} onSaid=${onSaid} verb=${verb} disabled=${disabled} first=${first} onNamed=${onNamed} />`;
}

/** Whether there is a label; where there may be several, none is one too. */
const isSaid = (lesson, { text }) => lesson.several || text.trim() !== "";

function Known({ lesson, said, onSaid, verb, disabled, first, onNamed }) {
  if (!lesson.classes?.length) return null;
  const names = [...first, ...lesson.classes.filter((name) => !first.includes(name))].slice(0, SHOWN);
  const press = (name) =>
    lesson.several
      ? onSaid({ ...said, pressed: toggled(said.pressed, name) })
      : onNamed(labelFrom(lesson, { text: String(name) }));
  const [group, pressed] = lesson.several
    ? ["Labels", (name) => said.pressed.includes(name)]
    : [`${verb} as`, () => undefined];
  return html`<div class="chips" role="group" aria-label=${group}>
    ${names.map(
      (name) => html`<button type="button" class="chip" disabled=${disabled} aria-pressed=${pressed(name)}
      aria-label=${lesson.several ? String(name) : `${verb} as ${name}`} onClick=${() => press(name)}>${String(name)}</button>`,
    )}
  </div>`;
}

const toggled = (names, name) => (names.includes(name) ? names.filter((each) => each !== name) : [...names, name]);
