/** The last calls as lines to copy. */

import { codeOf, shortened } from "../code.js";
import { html, useState } from "./hooks.js";

export function CodePanel({ page }) {
  const [language, choose] = useState("curl");
  const [copied, setCopied] = useState(null);
  const [wanted, want] = useState(null); // the number of a call; the last one unless another is chosen
  if (!page.calls.length) return null;
  const call = page.calls.find(({ number }) => number === wanted) ?? page.calls.at(-1);
  const code = codeOf(call, page.url, Boolean(page.key));
  const copy = async () => setCopied((await copyText(code[language])) ? code[language] : null);
  return html`<section class="card code-panel" aria-labelledby="code-title">
    <div class="code-head">
      <h2 id="code-title">The same from your program</h2>
      <${Calls} calls=${page.calls} chosen=${call} onChoose=${want} />
      <fieldset class="segments"><legend class="hidden">Language</legend>
        ${Object.keys(code).map(
          (name) => html`<label><input type="radio" name="language" value=${name} checked=${name === language}
          onChange=${() => choose(name)} /><span>${name}</span></label>`,
        )}
      </fieldset>
      <span class="quiet" role="status">${copied === code[language] ? "Copied." : ""}</span>
      <button type="button" onClick=${copy}>Copy</button>
    </div>
    <pre tabindex="0" role="region" aria-label=${`${call.name} in ${language}`}><code>${shortened(code[language])}</code></pre>
  </section>`;
}

const Calls = ({ calls, chosen, onChoose }) => html`<fieldset class="segments"><legend class="hidden">Call</legend>
  ${calls.map(
    (call) => html`<label key=${call.name}><input type="radio" name="call" checked=${call === chosen}
    onChange=${() => onChoose(call.number)} /><span>${call.name}</span></label>`,
  )}
</fieldset>`;

async function copyText(text) {
  if (navigator.clipboard)
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  const area = Object.assign(document.createElement("textarea"), { value: text }); // without https there is no clipboard API
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
