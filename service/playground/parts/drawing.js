/** A drawing to teach or to ask: with the mouse, a finger, the keyboard, or from an image file. */

import { base64Of, imagesOf, readImage } from "../images.js";
import SignaturePad from "../vendor/signature_pad.js";
import { html, useEffect, useId, useRef, useState } from "./hooks.js";
import { keyboardPen } from "./keyboard-pen.js";

const SIZE = 264; // pixels on the screen; the pad does not scale them
const PEN = { penColor: "#16201e", backgroundColor: "#fff", minWidth: 2.5, maxWidth: 5 };

export function DrawingEntry({ inputs, onInputs, purpose }) {
  const [canvas, pad] = [useRef(), useRef()];
  const id = useId();
  const drawn = () => onInputs([base64Of(canvas.current, SIZE, SIZE, "image/png")]);
  const latest = useRef();
  latest.current = drawn;
  useEffect(() => {
    pad.current = newPad(canvas.current);
    pad.current.addEventListener("endStroke", () => latest.current());
    const unplug = keyboardPen(canvas.current, pad.current, SIZE, () => latest.current());
    return () => {
      unplug();
      pad.current.off();
    };
  }, []);
  useEffect(() => {
    if (!inputs.length) pad.current.clear();
  }, [inputs]);
  return html`<div class="sheet">
    <div class="paper"><canvas ref=${canvas} data-first tabindex="0" role="application" aria-describedby=${id}
      aria-label=${purpose === "teach" ? "Draw an example" : "Draw a question"}></canvas>
      ${!inputs.length && html`<span class="invitation" aria-hidden="true">Draw here</span>`}
    </div>
    <p id=${id} class="keys quiet small">Arrow keys move the pen. Space puts it down and lifts it.</p>
    <div class="actions">
      <button type="button" disabled=${!inputs.length} onClick=${() => onInputs([])}>Clear</button>
      <${Upload} onInputs=${onInputs} several=${purpose === "teach"} count=${inputs.length} />
    </div>
  </div>`;
}

function newPad(canvas) {
  const ratio = Math.max(1, window.devicePixelRatio || 1);
  canvas.width = canvas.height = SIZE * ratio;
  canvas.getContext("2d").scale(ratio, ratio);
  return new SignaturePad(canvas, PEN);
}

function Upload({ onInputs, several, count }) {
  const id = useId();
  const [problem, setProblem] = useState("");
  const chosen = async (event) => {
    try {
      const files = imagesOf(event.target);
      onInputs(await Promise.all((several ? files : files.slice(0, 1)).map((file) => readImage(file))));
      setProblem("");
    } catch (error) {
      setProblem(error.message);
    }
  };
  return html`<input id=${id} class="file" type="file" accept="image/*" multiple=${several} onChange=${chosen} />
    <label for=${id} class="button">Image file…</label>
    <span class="problem" role="status">${problem || (count > 1 ? `${count} files are ready.` : "")}</span>`;
}
