/** The examples of the client by class: look, relabel, rename, remove, undo. */

import { byClass, isRegression, labelFrom, labelOf, labelsOf, UNNAMED } from "../lesson.js";
import { named, Problem, plural } from "./common.js";
import { html, useId, useState } from "./hooks.js";
import { kindOf } from "./kinds.js";
import { Naming } from "./naming.js";
import { Versions } from "./versions.js";

export function Examples({ session }) {
  const { lesson } = session;
  const [picked, pick] = useState(null); // the id of an example, or a class
  const classes = lesson.classes ? `, ${plural(lesson.classes.length, "class")}` : "";
  return html`<section class="card examples" aria-labelledby="examples-title">
    <div class="card-head">
      <h2 id="examples-title" tabindex="-1">What it knows</h2>
      <span class="quiet" role="status">${plural(lesson.count, "example")}${classes}</span>
      <button type="button" class="small" disabled=${!lesson.past.length || session.busy} onClick=${() => session.undo()}>Undo</button>
    </div>
    <div class=${`groups ${session.kind}`}>
      ${byClass(lesson).map(
        ([label, examples]) => html`<${Group} key=${String(label)} session=${session} label=${label}
        examples=${examples} picked=${picked} pick=${(what) => pick(what === picked ? null : what)} />`,
      )}
    </div>
    <${Problem} session=${session} where="edit" />
    ${lesson.cursor !== null && html`<button type="button" class="small" onClick=${() => session.more()}>Show more examples</button>`}
    <${Versions} session=${session} />
    <${Warnings} lesson=${lesson} />
  </section>`;
}

function Group({ session, label, examples, picked, pick }) {
  const [name, idOf] = [`class ${label}`, (example) => `example ${example.id} of ${label}`];
  const open = examples.find((example) => idOf(example) === picked);
  const done = () => {
    pick(picked); // closes it
    document.getElementById("examples-title")?.focus();
  };
  return html`<div class=${`group ${open || picked === name ? "open" : ""}`} role="group" aria-label=${label === null ? "Examples" : `Class ${label}`}>
    ${label === null && !isRegression(session.lesson) && html`<p class="quiet">no label ${examples.length}</p>`}
    ${
      label !== null &&
      html`<button type="button" class="class-name" aria-expanded=${picked === name} title="Rename or remove"
      onClick=${() => pick(name)}><b>${String(label)}</b> <span class="quiet">${examples.length}</span></button>`
    }
    ${picked === name && html`<${Rename} session=${session} label=${label} onDone=${done} />`}
    <ul class="items">
      ${examples.map(
        (example, place) => html`<li key=${example.id}>
        <${Item} kind=${kindOf(session.kind)} example=${example} place=${place} of=${examples.length} open=${example === open}
          onPick=${() => pick(idOf(example))} />
      </li>`,
      )}
    </ul>
    ${open && html`<${Edit} key=${open.id} session=${session} example=${open} onDone=${done} />`}
  </div>`;
}

function Item({ kind, example, place, of, open, onPick }) {
  const { Shown, Stored = Shown } = kind;
  const labels = labelsOf(example);
  const name = `Change example ${place + 1} of ${of}: ${named(labels)}`;
  return html`<button type="button" class="item" aria-expanded=${open} title="Relabel or remove" aria-label=${name} onClick=${onPick}>
    <${Stored} input=${example.input} />
    ${typeof example.label === "string" || !labels.length ? "" : html` → <b>${named(labels)}</b>`}
  </button>`;
}

function Edit({ session, example, onDone }) {
  const { lesson } = session;
  const [said, say] = useState({ ...UNNAMED, ...saidOf(lesson, example) });
  const relabel = async (label) => (await session.relabel(example.id, label)) && onDone();
  const save = (event) => {
    event.preventDefault();
    relabel(labelFrom(lesson, said));
  };
  const remove = async () => (await session.remove(example.id)) && onDone();
  return html`<form class="edit" onSubmit=${save}>
    <${Naming} lesson=${lesson} title=${isRegression(lesson) ? "Value of this example" : "Label of this example"} verb="Relabel"
      said=${said} onSaid=${say} disabled=${Boolean(session.busy)} onNamed=${relabel} />
    <button type="button" disabled=${session.busy} onClick=${remove}>Remove</button>
  </form>`;
}

const saidOf = ({ several }, example) =>
  several ? { pressed: example.labels } : { text: String(example.label ?? "") };

function Rename({ session, label, onDone }) {
  const id = useId();
  const [name, setName] = useState(String(label));
  const save = async (event) => {
    event.preventDefault();
    if (await session.renameClass(label, labelOf(session.lesson, name))) onDone();
  };
  return html`<form class="edit" onSubmit=${save}>
    <label for=${id}>Name of this class</label>
    <input id=${id} value=${name} autocomplete="off" onInput=${(event) => setName(event.target.value)} />
    <button class="main" disabled=${session.busy || !name.trim() || name === String(label)}>Rename</button>
    <button type="button" disabled=${session.busy} onClick=${() => session.removeClass(label)}>Remove the class</button>
  </form>`;
}

function Warnings({ lesson }) {
  if (!lesson.warnings.length) return null;
  return html`<ul class="warnings" aria-label="Remarks">${lesson.warnings.slice(0, 5).map((each) => html`<li>${each.detail}</li>`)}</ul>`;
}
