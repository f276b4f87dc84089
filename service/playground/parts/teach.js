/** Give examples: an input, its label, and Teach. */

import { isRegression, labelOf } from "../lesson.js";
import { Problem } from "./common.js";
import { html, useId, useRef, useState } from "./hooks.js";
import { Import } from "./import.js";
import { kindOf } from "./kinds.js";

export function Teach({ session }) {
  const { lesson } = session;
  const kind = kindOf(session.kind);
  return html`<section class="card teach" aria-labelledby="teach-title">
    <h2 id="teach-title"><span class="step" aria-hidden="true">1</span> Teach</h2>
    ${!lesson.count && html`<p class="start">${kind.start}</p>`}
    ${
      kind.imports === "table" &&
      html`<${Import} kind="table" verb="Teach" lesson=${lesson} busy=${session.busy}
      onExamples=${(examples) => session.teach(examples)} />`
    }
    ${
      kind.imports === "table" && lesson.count
        ? html`<details><summary>Add one row</summary><${OneExample} session=${session} kind=${kind} /></details>`
        : kind.imports !== "table" && html`<${OneExample} session=${session} kind=${kind} />`
    }
    ${
      kind.imports === "text" &&
      html`<details><summary>Many at once, from CSV</summary>
      <${Import} kind="text" verb="Teach" lesson=${lesson} busy=${session.busy} onExamples=${(examples) => session.teach(examples)} />
    </details>`
    }
    <${Problem} session=${session} where="teach" />
  </section>`;
}

function OneExample({ session, kind }) {
  const { lesson } = session;
  const form = useRef();
  const [inputs, setInputs] = useState([]);
  const [label, setLabel] = useState("");
  const ready = inputs.length > 0 && label.trim() !== "" && !session.busy;
  const teach = async (name) => {
    const taught = await session.teach(inputs.map((input) => ({ input, label: name })));
    if (!taught) return;
    setInputs([]);
    form.current?.querySelector("[data-first]")?.focus();
  };
  const submit = (event) => {
    event.preventDefault();
    if (ready) teach(labelOf(lesson, label));
  };
  return html`<form ref=${form} onSubmit=${submit}>
    <${kind.Entry} purpose="teach" lesson=${lesson} inputs=${inputs} onInputs=${setInputs} />
    <${LabelField} lesson=${lesson} kind=${kind} label=${label} onLabel=${setLabel} ready=${ready} />
    <${KnownLabels} lesson=${lesson} disabled=${!inputs.length || session.busy}
      onChoose=${teach} />
  </form>`;
}

function LabelField({ lesson, kind, label, onLabel, ready }) {
  const id = useId();
  const title = isRegression(lesson) ? "Its value" : `What is this ${kind.noun}?`;
  return html`<label class="above" for=${id}>${title}</label>
    <div class="join">
      <input id=${id} value=${label} autocomplete="off" maxlength="200" inputmode=${isRegression(lesson) ? "decimal" : "text"}
        onInput=${(event) => onLabel(event.target.value)} onFocus=${(event) => event.target.select()} />
      <button class="main" disabled=${!ready}>Teach</button>
    </div>`;
}

/** The labels that there are: one press teaches the input as one of them. */
function KnownLabels({ lesson, disabled, onChoose }) {
  if (!lesson.classes?.length) return null;
  return html`<div class="chips" role="group" aria-label="Teach as a class that there is">
    ${lesson.classes.slice(0, 30).map(
      (name) => html`<button type="button" class="chip" disabled=${disabled}
      aria-label=${`Teach as ${name}`} onClick=${() => onChoose(name)}>${String(name)}</button>`,
    )}
  </div>`;
}
