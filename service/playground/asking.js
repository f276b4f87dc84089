/** Questions to the server, with all that a model can say about an answer at no great cost. */

import { isRegression } from "./lesson.js";
import { refusedOption } from "./problems.js";

const LEVEL = 0.9; // of the interval around a number

export class Asking {
  #api;
  #refused = new Map(); // the options that each model refuses

  constructor(api) {
    this.#api = api;
  }

  /** The answer to an input: explained, and with an interval or "unknown", where the model can tell. */
  async answer({ clientId, ...lesson }, input) {
    let options = this.#options(lesson);
    for (;;) {
      try {
        return await this.#api.predictAll(clientId, [input], options);
      } catch (error) {
        const refused = refusedOption(error, options);
        if (!refused) throw error;
        if (error.status === 422 && error.code !== "too_costly") this.#remember(lesson.model, refused);
        options = without(options, [refused]);
      }
    }
  }

  /** Several labels are neither explained nor unknown. */
  #options(lesson) {
    if (lesson.several) return {};
    const wanted = isRegression(lesson) ? { interval: LEVEL } : { abstain: true };
    return without({ explain: true, ...wanted }, this.#refused.get(lesson.model.name) ?? []);
  }

  #remember({ name }, option) {
    this.#refused.set(name, [...(this.#refused.get(name) ?? []), option]);
  }
}

const without = (options, names) =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));
