/** A photo from the camera. Where a page may not use it (no https), the file chooser of a phone offers the camera. */

import { base64Of, imagesOf } from "../images.js";
import { html, useEffect, useRef, useState } from "./hooks.js";

const SIDE = 480;

export function Camera({ onTaken, onFiles }) {
  const [open, setOpen] = useState(false);
  const file = useRef();
  const start = () => (navigator.mediaDevices?.getUserMedia ? setOpen(true) : file.current.click());
  return html`<button type="button" onClick=${start}>Use the camera</button>
    <input ref=${file} type="file" accept="image/*" capture="environment" hidden aria-label="Take a photo"
      onChange=${(event) => onFiles(imagesOf(event.target))} />
    ${open && html`<${Viewfinder} onTaken=${onTaken} onClose=${() => setOpen(false)} />`}`;
}

function Viewfinder({ onTaken, onClose }) {
  const [dialog, video] = [useRef(), useRef()];
  const [problem, setProblem] = useState("");
  const [shows, setShows] = useState(false);
  useEffect(() => {
    const camera = navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    dialog.current.showModal();
    camera
      .then((stream) => (video.current.srcObject = stream))
      .catch((error) => setProblem(`No camera: ${error.message}.`));
    return () => camera.then(stop).catch(() => {});
  }, []);
  const take = () => {
    const { videoWidth: width, videoHeight: height } = video.current;
    const scale = SIDE / Math.min(width, height);
    onTaken(base64Of(video.current, Math.round(width * scale), Math.round(height * scale)));
    onClose();
  };
  return html`<dialog ref=${dialog} class="camera" aria-label="Camera" onClose=${onClose}>
    <video ref=${video} autoplay playsinline muted onLoadedData=${() => setShows(true)}></video>
    <p class="problem" role="alert">${problem}</p>
    <div class="actions"><button type="button" class="main" disabled=${!shows} onClick=${take}>Take the photo</button>
      <button type="button" onClick=${onClose}>Close</button></div>
  </dialog>`;
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}
