/** What the page uses of htm and preact, and an id for labels, which their bundle lacks. */

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";

export { html, useEffect, useRef, useState };

let ids = 0;

export const useId = () => useState(() => `id-${ids++}`)[0];

/** What is typed, as it was typed, and a function that takes it with the inputs that it means. Half of a number means no
 * input yet, and stays. When others empty the inputs, as after teaching, it is `empty`. */
export function useTyped({ inputs, onInputs }, empty, initial = empty) {
  const [own, setOwn] = useState(() => ({ typed: initial, inputs }));
  const type = (typed, meant) => {
    setOwn({ typed, inputs: meant });
    onInputs(meant);
  };
  return [inputs === own.inputs || inputs.length ? own.typed : empty, type];
}
