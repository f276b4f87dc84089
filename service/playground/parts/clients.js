/** The client: its name, others to open, a new one, forgetting it. */

import { plural } from "./common.js";
import { html, useId, useRef, useState } from "./hooks.js";

export function Clients({ session }) {
  const dialog = useRef();
  const [listed, setListed] = useState(null);
  const open = async () => {
    dialog.current.showModal();
    setListed(null);
    setListed(
      await session.clients().then(
        ({ clients }) => clients,
        () => [],
      ),
    );
  };
  const then = (act) => () => {
    dialog.current.close();
    act();
  };
  return html`<button type="button" class="client" onClick=${open}><span class="quiet">Client</span> ${session.lesson.clientId}</button>
    <dialog ref=${dialog} aria-labelledby="clients-title">
      <h2 id="clients-title">Clients</h2>
      <p class="quiet">A client is a set of examples with a model of its own. Nobody else's examples touch it.</p>
      <${OpenForm} onOpen=${(id) => then(() => session.open(id))()} />
      <h3>On this server</h3>
      <${Listed} clients=${listed} onOpen=${(id) => then(() => session.open(id))()} />
      <div class="actions">
        <button type="button" onClick=${then(() => session.begin())}>Begin a new one</button>
        <button type="button" class="danger" disabled=${!session.lesson.version} onClick=${then(() => session.forget())}>Forget ${session.lesson.clientId}</button>
        <button type="button" onClick=${then(() => {})}>Close</button>
      </div>
    </dialog>`;
}

function OpenForm({ onOpen }) {
  const id = useId();
  const [name, setName] = useState("");
  const submit = (event) => {
    event.preventDefault();
    onOpen(name.trim());
    setName("");
  };
  return html`<form onSubmit=${submit}>
    <label class="above" for=${id}>Open or name a client</label>
    <div class="join">
      <input id=${id} value=${name} required pattern="[A-Za-z0-9_][A-Za-z0-9_.~@:+\\-]{0,127}" autocomplete="off"
        title="Letters, digits and _ . ~ @ : + -" onInput=${(event) => setName(event.target.value)} />
      <button class="main">Open</button>
    </div>
  </form>`;
}

function Listed({ clients, onOpen }) {
  if (clients === null) return html`<p class="quiet">Loading…</p>`;
  if (!clients.length) return html`<p class="quiet">None yet.</p>`;
  return html`<ul class="client-list">
    ${clients.map(
      (
        each,
      ) => html`<li><button type="button" class="plain" onClick=${() => onOpen(each.client_id)}>${each.client_id}</button>
      <span class="quiet">${each.model}, ${plural(each.examples, "example")}</span></li>`,
    )}
  </ul>`;
}
