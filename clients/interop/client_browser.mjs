// clients/javascript in a real browser: serves a page, opens it in a Chromium without a window, and passes commands on. See path.py.
// usage: node client_browser.mjs <chromium> <empty folder for its profile> <port of the page>

import { createInterface } from "node:readline";

import { Browser } from "./browser.mjs";
import { serve } from "./server.mjs";

const [executable, profile, port] = process.argv.slice(2);
const say = (text) => process.stdout.write(`${text}\n`);

const folder = new URL("..", import.meta.url);
await serve(folder, Number(port));
const browser = await Browser.open(executable, profile);
const page = await browser.page();
await page.expose("say", say);
page.onTrouble((trouble) => say(JSON.stringify({ failed: trouble })));
const base = encodeURIComponent(process.env.HOLDFAST_HTTP_URL.replace(/\/+$/, ""));
await page.visit(`http://127.0.0.1:${port}/interop/page.html?base=${base}`);
await page.run("window.ready");
for await (const line of createInterface({ input: process.stdin })) {
  page.run(`window.obey(${line})`).catch((error) => say(JSON.stringify({ failed: String(error) })));
}
await browser.close();
process.exit(0);
