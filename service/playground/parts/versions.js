/** The versions of the client, and a way back to each that is kept. */

import { plural } from "./common.js";
import { html, useEffect, useState } from "./hooks.js";

const CHANGES = {
  replace: "begun",
  append: "taught",
  feedback: "corrected",
  relabel: "relabelled",
  rename: "class renamed",
  remove: "removed",
  unlabelled: "learned without labels",
  rollback: "gone back",
  move: "other model",
  copy: "copied",
  import: "imported",
};

export function Versions({ session }) {
  const [open, setOpen] = useState(false);
  const [listed, setListed] = useState([]);
  const { version, clientId } = session.lesson;
  useEffect(() => {
    if (open) session.versions().then(setListed, () => setListed([]));
  }, [open, version, clientId]);
  return html`<details onToggle=${(event) => setOpen(event.target.open)}>
    <summary>Versions</summary>
    <ul class="versions">
      ${listed.map((each) => html`<${Version} key=${each.version} session=${session} of=${each} current=${each.version === version} />`)}
    </ul>
  </details>`;
}

function Version({ session, of: { version, change, model, examples, gone, created_at: at }, current }) {
  const what = gone
    ? "removed with an example"
    : `${CHANGES[change] ?? change}: ${plural(examples, "example")}, ${model}, ${timeOf(at)}`;
  return html`<li><b>${version}</b> <span class="quiet">${what}</span>
    ${current ? html`<span>current</span>` : !gone && html`<button type="button" class="small" disabled=${session.busy} aria-label=${`Go back to version ${version}`} onClick=${() => session.rollback(version)}>Go back</button>`}
  </li>`;
}

const timeOf = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
