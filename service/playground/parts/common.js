/** Small things that several parts of the page use. */

import { html, useEffect, useId, useState } from "./hooks.js";

/** Render again after each change of the session. */
export function useChanges(session) {
  const [, again] = useState(0);
  useEffect(() => session.subscribe(() => again((count) => count + 1)), [session]);
}

/** What went wrong, beside the part that it concerns. */
export function Problem({ session, where }) {
  const { problem } = session;
  return html`<p class="problem" role="alert">${problem?.where === where ? problem.text : ""}</p>`;
}

/** A labelled field. The control is a function of the id that the label names. */
export function Field({ label, hint, children }) {
  const id = useId();
  return html`<div class="field">
    <label for=${id}>${label}${hint && html` <span class="quiet">${hint}</span>`}</label>
    ${children(id)}
  </div>`;
}

export const percent = (share) =>
  `${share > 0.995 && share < 1 ? ">99" : share < 0.005 && share > 0 ? "<1" : Math.round(100 * share)}\u00a0%`;

/** The style of a bar. */
export const width = (share) => ({ width: `${100 * share}%` });

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : /(s|x|ch|sh)$/.test(noun) ? "es" : "s"}`;

/** Labels to read: classes as they are, numbers with few digits, several with commas. */
export const named = (label) =>
  [label]
    .flat()
    .map((each) => (Number.isInteger(each) ? each : Number.isFinite(each) ? amount(each) : String(each)))
    .join(", ") || "no label";

export const amount = (number) => Number(number).toLocaleString("en", { maximumSignificantDigits: 4 });
