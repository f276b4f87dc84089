/** Errors of the server and of the network. */

import { HandfulError } from "./handful.js";

/** Null for a client that there is not. Throws any other error. */
export function unlessUnknown(error) {
  if (error instanceof HandfulError && error.code === "unknown_client") return null;
  throw error;
}

/** The option without which a refused predict can be answered: `explain`, where the model has none or it takes too long;
 * `interval`, where there are too few examples; or null. */
export function refusedOption(error, { explain, interval }) {
  if (!(error instanceof HandfulError)) return null;
  const costly = error.code === "too_costly";
  if (explain && (costly || error.field === "explain" || /\bexplain\b/.test(error.detail))) return "explain";
  return interval && (costly || error.code === "too_few_examples" || error.field === "interval") ? "interval" : null;
}

/** What went wrong in a sentence. */
export function textOf(error) {
  if (error instanceof HandfulError) return error.detail;
  if (error.name === "TimeoutError") return "The server did not answer in time. Try again.";
  if (error instanceof TypeError) return `The server cannot be reached (${error.message}).`;
  return error.message;
}
