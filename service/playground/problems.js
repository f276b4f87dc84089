/** Errors of the server and of the network. */

import { HandfulError } from "./handful.js";

/** Null for a client that there is not. Throws any other error. */
export function unlessUnknown(error) {
  if (error instanceof HandfulError && error.code === "unknown_client") return null;
  throw error;
}

/** Whether a request was refused because of its explanation: the model has none, or it takes too long. */
export const isAboutExplain = (error) =>
  error instanceof HandfulError &&
  (error.code === "too_costly" || error.field === "explain" || /\bexplain\b/.test(error.detail));

/** What went wrong in a sentence. */
export function textOf(error) {
  if (error instanceof HandfulError) return error.detail;
  if (error.name === "TimeoutError") return "The server did not answer in time. Try again.";
  if (error instanceof TypeError) return `The server cannot be reached (${error.message}).`;
  return error.message;
}
