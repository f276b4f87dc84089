/** Photos to teach or to ask: dropped, pasted, chosen or taken. */

import { imagesOf, readImage } from "../images.js";
import { Camera } from "./camera.js";
import { html, useEffect, useId, useState } from "./hooks.js";
import { Picture } from "./shown.js";

export function PhotoEntry({ inputs, onInputs, purpose }) {
  const several = purpose === "teach";
  return html`<${Images} several=${several} noun="photo" inputs=${inputs} onInputs=${onInputs} camera />
    <${Chosen} inputs=${inputs} onInputs=${onInputs} />`;
}

/** A place to drop image files on, to paste them into, and to choose them from. */
export function Images({ several, noun, inputs, onInputs, camera }) {
  const id = useId();
  const [problem, setProblem] = useState("");
  const [over, setOver] = useState(false);
  const take = async (files) => {
    try {
      const read = await Promise.all(files.slice(0, several ? 100 : 1).map((file) => readImage(file)));
      if (read.length) onInputs(several ? [...inputs, ...read] : read);
      setProblem(files.length ? "" : "That is not an image file.");
    } catch (error) {
      setProblem(error.message);
    }
  };
  const hover = (event) => {
    event.preventDefault();
    setOver(true);
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    take(imagesOf(event.dataTransfer));
  };
  usePaste((transfer) => take(imagesOf(transfer)), `${id}-zone`);
  const chosen = (event) => {
    take(imagesOf(event.target));
    event.target.value = "";
  };
  return html`<div id=${`${id}-zone`} class=${`drop ${over ? "over" : ""}`} onDrop=${drop}
      onDragOver=${hover} onDragLeave=${() => setOver(false)}>
    <p class="quiet">Drop or paste ${several ? `${noun}s` : `a ${noun}`} here</p>
    <div class="actions">
      <input id=${id} data-first class="file" type="file" accept="image/*" multiple=${several} onChange=${chosen} />
      <label for=${id} class="button">${several ? `Choose ${noun}s…` : `Choose a ${noun}…`}</label>
      ${camera && html`<${Camera} onTaken=${(input) => onInputs(several ? [...inputs, input] : [input])} onFiles=${take} />`}
    </div>
    <p class="problem" role="alert">${problem}</p>
  </div>`;
}

/** Pasted images go to the zone that holds the focus, or else to the one on the screen that comes last. */
function usePaste(take, zone) {
  useEffect(() => {
    const paste = (event) => {
      if (!imagesOf(event.clipboardData).length) return;
      const form =
        document.activeElement?.closest("form") ?? [...document.querySelectorAll(".drop")].at(-1).closest("form");
      if (form.contains(document.getElementById(zone))) take(event.clipboardData);
    };
    document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  });
}

function Chosen({ inputs, onInputs }) {
  const without = (place) => onInputs(inputs.filter((_, i) => i !== place));
  return html`<ul class="pictures">
    ${inputs.map(
      (input, place) => html`<li>
      <${Picture} input=${input} alt=${`Chosen photo ${place + 1}`} />
      <button type="button" class="cross" aria-label=${`Leave out photo ${place + 1}`} onClick=${() => without(place)}>×</button>
    </li>`,
    )}
  </ul>`;
}
