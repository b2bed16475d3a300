// Does by hand what a person does on the page of `make demo`: signs in, publishes, pulls the plug, plugs in, ends the session.
// usage: node demo_page.mjs <chromium> <empty folder for its profile> <port> <command that serves the page>…

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";

import { Browser } from "./browser.mjs";

const PATIENCE_MS = 30_000;
const [executable, profile, port, command, ...more] = process.argv.slice(2);

const server = spawn(command, more, { stdio: ["ignore", "pipe", "inherit"] });
await new Promise((ready, failed) => server.stdout.once("data", ready) && server.once("exit", () => failed(new Error("the page is not served"))));
const browser = await Browser.open(executable, profile);
const page = await browser.page();
page.onTrouble((trouble) => fail(`the page failed: ${trouble}`));

function fail(text) {
  console.log(`FAILED: ${text}`);
  process.exitCode = 1;
}

/** Waits until an expression is true on the page. */
async function until(what, expression) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await page.run(expression))) {
    if (Date.now() > deadline) throw new Error(`${what} within ${PATIENCE_MS / 1_000} s; the page says: ${await page.run("document.body.innerText")}`);
    await new Promise((done) => setTimeout(done, 100));
  }
  console.log(`    demo     ${what}`);
}

const fill = (form, fields) =>
  page.run(`for (const [name, value] of Object.entries(${JSON.stringify(fields)})) document.querySelector("${form}")[name].value = value`);
const click = (selector) => page.run(`document.querySelector(${JSON.stringify(selector)}).click()`);
// Of what has an offset: Holdfast's own alerts have none, and come when they come.
const texts = `[...document.querySelectorAll("#messages .offset")].filter((one) => /^[0-9]/.test(one.textContent)).map((one) => one.nextSibling.textContent)`;
const stateIs = (state) => `document.querySelector("#state").textContent === "${state}"`;

try {
  await page.visit(`http://127.0.0.1:${port}/`);
  await until("the page is ready", `!document.querySelector("fieldset").disabled`);
  const person = { email: `e2e-${randomBytes(12).toString("hex")}@holdfast.test`, password: `pw-${randomBytes(12).toString("hex")}` };
  await fill("#sign-in", person);
  await click("#sign-in button:not([name])");
  await until("a refusal is shown with its title, what to do, and its code",
    `/\\w/.test(document.querySelector("#notice strong")?.textContent) && document.querySelector("#notice").innerText.includes("INVALID_CREDENTIALS")`);
  await fill("#sign-in", person);
  await click("[name=register]");
  await until("a new account is signed in, and live", stateIs("live"));
  await until("its session is listed", `document.querySelectorAll("#sessions li").length === 1`);
  await fill("#publish", { text: "hello" });
  await click("#publish button");
  await until("a message arrives", `${texts}.includes("hello")`);
  await click("#plug");
  await until("the plug is pulled", stateIs("unplugged"));
  await click("#burst");
  await until("ten are published meanwhile", `performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/publish")).length === 11`);
  if (await page.run(`${texts}.length > 1`)) throw new Error("messages arrive without a plug");
  await click("#plug");
  await until("what was missed follows, in order, each once",
    `JSON.stringify(${texts}.reverse().slice(1)) === JSON.stringify(Array.from({ length: 10 }, (_, n) => \`number \${n + 1} of 10\`))`);
  await until("and is shown as recovered", `document.querySelectorAll("#messages .recovered").length === 10`);
  await click("#trust");
  await until("the device is trusted, and listed", `document.querySelectorAll("#devices .danger").length === 1`);
  await click("#devices .danger");
  await until("and is removed", `document.querySelectorAll("#devices .danger").length === 0`);
  for (const width of [390, 768, 1280]) {
    await page.resize(width);
    const { narrowest, overflow } = await page.run(`({
      narrowest: Math.min(...[...document.querySelectorAll("#messages .text")].map((one) => one.getBoundingClientRect().width)),
      overflow: document.documentElement.scrollWidth - innerWidth,
    })`);
    // A word of ordinary length fits: at a letter a line nobody reads.
    if (narrowest < 150 || overflow > 0) throw new Error(`at ${width} px a message has ${narrowest} px, and the page is ${overflow} px too wide`);
  }
  console.log("    demo     messages are legible at 390, 768 and 1280 px");
  await click("#sessions .danger");
  await until("the session is ended, and the page hears bye", `document.querySelector("#notice").textContent.includes("SESSION_ENDED")`);
} catch (error) {
  fail(error.message);
} finally {
  await browser.close();
  server.kill("SIGINT");
}
