// A page signs in by cookie and calls a protected API with it. Then pages of a foreign origin and of a foreign site try the same.
// usage: node protected_page.mjs <chromium> <empty folder for its profile> <port of the page> <other port> <Holdfast> <protected API> [<picture>]
//
// Both addresses have the host name localhost, like the page: cookies do not depend on the port. The last line that it prints is the number of
// requests that reached the handler.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { writeFile } from "node:fs/promises";

import { Browser } from "./browser.mjs";
import { serve } from "./server.mjs";

const PATIENCE_MS = 20_000;
const [executable, profile, port, otherPort, holdfast, orders, picture] = process.argv.slice(2);

await serve(new URL("..", import.meta.url), Number(port));
// An empty page: what it does comes from the steps below.
const other = createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Another</title><link rel=icon href=data:,>"));
await new Promise((done) => other.listen(Number(otherPort), "127.0.0.1", done));
const browser = await Browser.open(executable, profile);

/** A page, with the requests to the protected API as the browser's network saw them, also those that no script may read. */
async function open(url) {
  const page = await browser.page();
  const seen = new Map();
  const of = (id) => seen.get(id) ?? seen.set(id, {}).get(id);
  page.on("Network.requestWillBeSent", ({ requestId, request }) => Object.assign(of(requestId), { url: request.url, method: request.method }));
  page.on("Network.requestWillBeSentExtraInfo", ({ requestId, associatedCookies, headers }) => {
    const access = associatedCookies.filter(({ cookie }) => cookie.name === "__Host-holdfast-access");
    // The browser names the reasons for which it has not sent a cookie.
    const names = Object.keys(headers).map((name) => name.toLowerCase());
    Object.assign(of(requestId), {
      cookie: access.map(({ blockedReasons }) => (/SameSiteStrict/.test(blockedReasons) ? "SameSite" : blockedReasons.join() || "sent")).join(), bearer: names.includes("authorization"),
    });
  });
  page.on("Network.responseReceivedExtraInfo", ({ requestId, statusCode }) => Object.assign(of(requestId), { status: statusCode }));
  // A request whose preflight was refused is never sent.
  page.on("Network.loadingFailed", ({ requestId, corsErrorStatus }) => corsErrorStatus?.corsError.startsWith("Preflight") && seen.delete(requestId));
  await page.call("Network.enable");
  await page.visit(url);
  return { page, seen };
}

/** What the network saw of the requests to the protected API while this was done. */
async function during({ page, seen }, expression, isOver) {
  seen.clear();
  const result = await page.run(expression);
  await until(`the end of ${expression}`, isOver ?? (() => true));
  // The events of the last request may come after the answer that the script got.
  await until(`the status of ${expression}`, () => requests().every(({ status }) => status));
  function requests() {
    return [...seen.values()].filter(({ url }) => url?.startsWith(orders));
  }
  const told = requests().map(({ method, status, cookie, bearer }) => `${method} ${status} ${cookie || "no cookie"}${bearer ? " bearer" : ""}`);
  // The browser reports a preflight before or after its request.
  return { result, requests: told.sort() };
}

async function until(what, holds) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${PATIENCE_MS / 1_000} s`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

let reached = 0;
/** The requests that are expected, and whether the handler ran. */
function check(what, came, expected, more = true) {
  if (JSON.stringify(came.requests) !== JSON.stringify(expected) || !more) throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(came)}`);
  reached += came.requests.filter((request) => request.includes(" 200 ") && !request.startsWith("OPTIONS")).length;
  console.log(`    page     ${what}: ${came.requests.join(", ") || "nothing sent"}`);
}

const quoted = JSON.stringify;
/** A request of a foreign page. What a script gets to see of it: its status, or the name of the error. */
const tries = (method, more = "") => `fetch(${quoted(orders)}, {method: "${method}", credentials: "include", ${more}}).then(({ status }) => status, ({ name }) => name)`;
/** A form that a foreign page sends. Its answer goes to a frame. */
const form = `(() => {
  document.body.innerHTML = '<iframe name="answer"></iframe><form method="post" target="answer"></form>';
  document.forms[0].action = ${quoted(orders)};
  document.forms[0].submit();
})()`;

try {
  const query = new URLSearchParams({ holdfast, orders });
  const own = await open(`http://localhost:${port}/interop/protected.html?${query}`);
  own.page.onTrouble((trouble) => console.log(`the page failed: ${trouble}`));
  const answers = () => own.page.run(`[...document.querySelectorAll("#answers li")].map((item) => item.textContent)`);
  let shown = 0;
  const click = (selector) => during(own, `document.querySelector("${selector}").click()`, async () => (await answers()).length > shown).then(async (came) => {
    shown = (await answers()).length;
    return { ...came, result: (await answers()).at(-1) };
  });

  const person = { email: `e2e-${randomBytes(12).toString("hex")}@holdfast.test`, password: `pw-${randomBytes(12).toString("hex")}` };
  await own.page.run(`for (const [name, value] of Object.entries(${quoted(person)})) document.querySelector("#sign-in")[name].value = value`);
  let came = await click("#sign-in button");
  check("a user registers and signs in by cookie", came, [], came.result === `signed in: ${person.email}`);
  const kept = await own.page.run("document.cookie + Object.values(localStorage).join()");
  if (kept.includes("hf1.")) throw new Error("a script can read a token");
  came = await click("#read");
  check("the page reads from the protected API with the cookie alone", came, ["GET 200 sent"], came.result.includes('"userId"'));
  came = await click("#order");
  check("and changes something, with the header", came, ["OPTIONS 204 no cookie", "POST 200 sent"], came.result.includes('"userId"'));
  came = await click("#forget");
  // The local cloud adds no header of CORS to a refusal of the authorizer, so a script cannot read its status.
  check("the same request without the header is refused", came, ["POST 403 sent"], /^forget: (403|failed)/.test(came.result));

  const sibling = await open(`http://localhost:${otherPort}/`);
  came = await during(sibling, tries("POST"));
  check("a foreign origin of the same site cannot change anything, though its request has the cookie", came, ["POST 403 sent"], came.result === "TypeError");
  came = await during(sibling, tries("POST", `headers: {"x-holdfast-csrf": "1"}`));
  const isRefused = came.requests.every((request) => request.startsWith("OPTIONS"));
  check("nor with the header, because its preflight is refused", came, came.requests, isRefused && came.requests.length === 1 && came.result === "TypeError");
  came = await during(sibling, form, () => [...sibling.seen.values()].some(({ status }) => status));
  check("nor with a form", came, ["POST 403 sent"]);
  came = await during(sibling, tries("GET"));
  check("and reads nothing", came, came.requests, came.result === "TypeError");

  const stranger = await open(`http://127.0.0.1:${otherPort}/`);
  came = await during(stranger, tries("GET"));
  check("a foreign site reads nothing, and the browser keeps the cookie from it", came, ["GET 403 SameSite"], came.result === "TypeError");
  came = await during(stranger, form, () => [...stranger.seen.values()].some(({ status }) => status));
  check("nor does its form have the cookie", came, ["POST 403 SameSite"]);

  came = await click("#read");
  check("the user is still signed in", came, ["GET 200 sent"]);
  for (const [name, width] of picture ? [["wide", 1280], ["narrow", 390]] : []) {
    await own.page.resize(width);
    await writeFile(`${picture}-${name}.png`, await own.page.picture());
  }
  await click("#sign-out");
  came = await click("#read");
  check("after the sign-out the API refuses the page", came, ["GET 403 no cookie"]);
  console.log(`reached ${reached}`);
} catch (error) {
  console.log(`FAILED: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
