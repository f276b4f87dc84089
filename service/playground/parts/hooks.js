/** What the page uses of htm and preact, and an id for labels, which their bundle lacks. */

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";

export { html, useEffect, useRef, useState };

let ids = 0;

export const useId = () => useState(() => `id-${ids++}`)[0];
