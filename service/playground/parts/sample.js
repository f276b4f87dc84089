/** Teach examples that come with the page, and ask about one more. */

import { html } from "./hooks.js";
import { kindOf, sampleOf } from "./kinds.js";

export function Sample({ session }) {
  const { lesson } = session;
  const sample = sampleOf(kindOf(session.kind), lesson.model);
  if (!sample || lesson.count) return null;
  const play = async () => {
    const { examples, query } = await sample.load();
    if (!(await session.teach(examples))) return;
    await session.ask(query);
    document.querySelector(".answer")?.scrollIntoView({ block: "nearest" });
  };
  return html`<button type="button" class="try" disabled=${session.busy} onClick=${play}>Try an example: ${sample.title}</button>`;
}
