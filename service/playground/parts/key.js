/** Asks for the API key when the server wants one. The key stays in memory. */

import { html, useEffect, useId, useRef, useState } from "./hooks.js";

export function KeyDialog({ page }) {
  const [dialog, id] = [useRef(), useId()];
  const [asked, setAsked] = useState(null); // {refused, answer} of the question in progress
  const [key, setKey] = useState("");
  useEffect(() => {
    page.askForKey = (refused) => new Promise((answer) => setAsked({ refused, answer }));
  }, []);
  useEffect(() => asked && dialog.current.showModal(), [asked]);
  const close = (given) => {
    asked?.answer(given);
    setAsked(null);
    setKey("");
    dialog.current.close();
  };
  const submit = (event) => {
    event.preventDefault();
    close(key.trim() || null);
  };
  return html`<dialog ref=${dialog} aria-labelledby="key-title" onClose=${() => asked && close(null)}>
    <form onSubmit=${submit}>
      <h2 id="key-title">API key</h2>
      <p>${asked?.refused ? "The server refused this key." : "This server asks for a key."}
        ${" "}<span class="quiet">It stays in the memory of this page and is gone when you close or reload it.</span></p>
      <label class="above" for=${id}>Key</label>
      <div class="join">
        <input id=${id} type="password" value=${key} required autocomplete="off" onInput=${(event) => setKey(event.target.value)} />
        <button class="main">Use it</button>
      </div>
      <button type="button" class="plain" onClick=${() => close(null)}>Cancel</button>
    </form>
  </dialog>`;
}
