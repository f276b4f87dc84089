/** Give examples: an input, its label, and Teach. */

import { isRegression, labelFrom, UNNAMED } from "../lesson.js";
import { Problem } from "./common.js";
import { html, useRef, useState } from "./hooks.js";
import { Import } from "./import.js";
import { kindOf } from "./kinds.js";
import { Naming } from "./naming.js";
import { Suggest } from "./suggest.js";

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
    ${!lesson.count && lesson.model.several_labels && html`<${Several} session=${session} />`}
    <${Suggest} session=${session} />
    <${Problem} session=${session} where="teach" />
  </section>`;
}

const Several = ({ session }) => html`<label class="check">
  <input type="checkbox" checked=${session.lesson.several} onChange=${(event) => session.chooseSeveral(event.target.checked)} />
  A ${kindOf(session.kind).noun} may have several labels, or none</label>`;

function OneExample({ session, kind }) {
  const { lesson } = session;
  const form = useRef();
  const [inputs, setInputs] = useState([]);
  const [said, say] = useState(UNNAMED);
  const disabled = !inputs.length || session.busy;
  const teach = async (label) => {
    const taught = await session.teach(inputs.map((input) => ({ input, label })));
    if (!taught) return;
    setInputs([]);
    if (lesson.several) say(UNNAMED);
    form.current?.querySelector("[data-first]")?.focus();
  };
  const submit = (event) => {
    event.preventDefault();
    if (!disabled) teach(labelFrom(lesson, said));
  };
  return html`<form ref=${form} onSubmit=${submit}>
    <${kind.Entry} purpose="teach" lesson=${lesson} inputs=${inputs} onInputs=${setInputs} />
    <${Naming} lesson=${lesson} title=${isRegression(lesson) ? "Its value" : `What is this ${kind.noun}?`}
      said=${said} onSaid=${say} disabled=${disabled} onNamed=${teach} />
  </form>`;
}
