/** Starts the page. The client that it shows is in the address, so that a reload keeps it. */

import { remembered } from "./code.js";
import { Handful } from "./handful.js";
import { App } from "./parts/app.js";
import { Session } from "./session.js";
import { html, render } from "./vendor/htm-preact.js";

const url = new URL("..", import.meta.url).href.replace(/\/$/, "");
const page = { url, key: null, calls: [], askForKey: async () => null };

const api = new Handful(url, {
  onUnauthorized: async (refused) => (page.key = await page.askForKey(refused)),
  onCall: (call) => {
    page.calls = remembered(page.calls, call);
  },
});

const session = new Session(api);
session.subscribe(() => {
  const { clientId, version } = session.lesson ?? {};
  history.replaceState(null, "", version ? `#${encodeURIComponent(clientId)}` : location.pathname);
});

document.getElementById("page").replaceChildren();
render(html`<${App} session=${session} page=${page} />`, document.getElementById("page"));
session.start(decodeURIComponent(location.hash.slice(1)));
