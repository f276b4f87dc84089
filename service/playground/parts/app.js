/** The page: what to teach, teaching, asking, how good it is, and the same as code. */

import { Ask } from "./ask.js";
import { Clients } from "./clients.js";
import { CodePanel } from "./code-panel.js";
import { Problem, useChanges } from "./common.js";
import { Examples } from "./examples.js";
import { html } from "./hooks.js";
import { KeyDialog } from "./key.js";
import { KindChoice, ModelChoice } from "./models.js";
import { Quality } from "./quality.js";
import { Sample } from "./sample.js";
import { Teach } from "./teach.js";

export function App({ session, page }) {
  useChanges(session);
  const { lesson } = session;
  return html`<header>
      <p class="brand"><${Mark} />Handful</p>
      <nav aria-label="More">
        ${lesson && html`<${Clients} session=${session} />`}
        <a href=${`${page.url}/docs`}>API</a>
      </nav>
    </header>
    <main>
      <h1>Teach a model from a handful of examples</h1>
      <${Problem} session=${session} where="start" />
      <${Problem} session=${session} where="open" />
      ${
        lesson &&
        html`<${KindChoice} session=${session} />
        <div class="bar"><${Sample} session=${session} /><${ModelChoice} session=${session} /></div>
        <div class="pair" key=${`${session.kind} ${lesson.clientId}`}>
          <${Teach} session=${session} />
          <${Ask} session=${session} />
          ${lesson.version > 0 && html`<${Examples} session=${session} />`}
        </div>
        <${Quality} session=${session} />
        <${CodePanel} page=${page} />`
      }
      ${!lesson && !session.problem && html`<p class="quiet">Loading…</p>`}
    </main>
    <${KeyDialog} page=${page} />`;
}

const Mark = () => html`<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
  <circle cx="7" cy="7" r="4" /><circle cx="25" cy="7" r="4" /><circle cx="16" cy="16" r="4" /><circle cx="7" cy="25" r="4" /><circle cx="25" cy="25" r="4" />
</svg>`;
