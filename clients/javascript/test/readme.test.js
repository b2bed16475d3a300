// Runs the programs of README.md as a newcomer does: each in a process of its own, against a Holdfast on this machine.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Holdfast } from "./holdfast.js";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const PASSWORD = '"a good long password"';
/** For a program that does nothing at all; none waits that long. */
const PATIENCE_MS = 60_000;

/** The program under a heading. */
function program(heading) {
  const section = README.split(/^## /m).find((text) => text.startsWith(heading));
  const found = [...section.matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text);
  assert.equal(found.length, 1, `programs under "${heading}"`);
  return found[0];
}

/** A folder as after `npm install`. The stand-ins are as much of `ws` and of `react` as the programs use. */
const folder = mkdtempSync(join(tmpdir(), "holdfast-readme-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "node_modules", "@holdfast"), { recursive: true });
symlinkSync(fileURLToPath(new URL("..", import.meta.url)), join(folder, "node_modules", "@holdfast", "client"));
install("ws", `export { WebSocket } from ${JSON.stringify(new URL("./websocket.js", import.meta.url).href)};`);
install("react", `
  // StrictMode: every effect runs, is cleaned up, and runs again.
  export const useState = (value) => [value, (change) => (value = change(value))];
  export function useEffect(effect) {
    effect()();
    globalThis.unmount = effect();
  }`);
// What a browser has and Node 20 has not.
writeFileSync(join(folder, "browser.mjs"), `
  import { WebSocket } from "ws";
  const kept = new Map();
  globalThis.WebSocket = WebSocket;
  globalThis.localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
  globalThis.prompt = (question) => (console.log("asked:", question), (process.env.ANSWERS ?? "").split(",")[globalThis.prompted = (globalThis.prompted ?? -1) + 1]);`);
writeFileSync(join(folder, "node20.mjs"), "delete globalThis.WebSocket;");

function install(name, source) {
  const target = join(folder, "node_modules", name);
  mkdirSync(target);
  writeFileSync(join(target, "package.json"), JSON.stringify({ name, type: "module", exports: "./index.js" }));
  writeFileSync(join(target, "index.js"), source);
}

/** A program that runs. `says` waits for a text on its output, `ends` for its end. */
class Run {
  output = "";
  #process;
  #ended;
  #wakers = [];

  constructor(source, { preload = "browser.mjs", answers = [], url }) {
    writeFileSync(join(folder, "program.mjs"), source.replaceAll("https://api.example.com", url));
    const env = { ...process.env, NODE_OPTIONS: "", NODE_TEST_CONTEXT: undefined, ANSWERS: answers.join(",") };
    this.#process = spawn(process.execPath, ["--import", `./${preload}`, "program.mjs"], { cwd: folder, env });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.output += text;
        this.#wake();
      });
    }
    this.#ended = new Promise((done) => this.#process.on("close", (code) => (done(code), (this.isOver = true), this.#wake())));
  }

  #wake() {
    for (const waker of this.#wakers.splice(0)) waker();
  }

  async says(text) {
    while (!this.output.includes(text)) {
      assert.ok(!this.isOver, `ended without saying "${text}":\n${this.output}`);
      await new Promise((done) => this.#wakers.push(done));
    }
  }

  /** It ends by itself, without a failure. */
  async ends() {
    assert.equal(await this.#ended, 0, this.output);
  }

  async kill() {
    this.#process.kill();
    await this.#ended;
    assert.doesNotMatch(this.output, /unhandled|Error:/i);
  }
}

/** Runs a program; `play` is what happens meanwhile. */
function plays(name, heading, play, { source = program, options = {}, prepare = () => {} } = {}) {
  test(name, { timeout: PATIENCE_MS }, async () => {
    const server = await Holdfast.listen();
    prepare(server);
    const run = new Run(source(heading), { ...options, url: server.url });
    try {
      await play(run, server);
    } finally {
      await run.kill();
      server.close();
    }
  });
}

const wrongPassword = (heading) => program(heading).replace(PASSWORD, '"a wrong long password"');

plays("the quick start signs in, subscribes, gets messages, and hears the end", "Quick start", async (run, server) => {
  await run.says("subscribed");
  server.publish("topic:news.eu", "hello");
  await run.says("message topic:news.eu note hello");
  server.endSession();
  await run.says("sign in again: SESSION_ENDED The session was ended.");
  await run.ends();
});

plays("the quick start with a wrong password says so, and ends", "Quick start", async (run) => {
  await run.says("not signed in: INVALID_CREDENTIALS The e-mail or the password is wrong. Check both and try again.");
  await run.ends();
}, { source: wrongPassword });

plays("the quick start with a topic that is denied says so, and goes on with its other channels", "Quick start", async (run, server) => {
  await run.says("not subscribed: FORBIDDEN");
  await run.says("denied topic:news.eu You may not read this topic.");
  server.publish("user:u1", "yours");
  await run.says("message user:u1 note yours");
}, { prepare: (server) => (server.topics = []) });

for (const [answer, said] of [["123456", "subscribed"], ["000000", "not signed in: INVALID_MFA_CODE"]]) {
  plays(`the quick start asks for the second factor, and with ${answer} it says: ${said}`, "Quick start", async (run) => {
    await run.says("asked: The code of your authenticator:");
    await run.says(said);
  }, { prepare: (server) => (server.isMfaOn = true), options: { answers: [answer] } });
}

plays("the quick start says when nobody answers", "Quick start", async (run) => {
  await run.says("not signed in: UNREACHABLE No answer came from http://127.0.0.1:1");
  await run.ends();
}, { source: (heading) => program(heading).replace("https://api.example.com", "http://127.0.0.1:1") });

plays("Node 20 gets messages with npm ws", "Node", async (run, server) => {
  await run.says("live");
  server.publish("broadcast", "to all");
  await run.says("message broadcast to all");
  server.endSession();
  await run.says("ended SESSION_ENDED");
  await run.ends();
}, { options: { preload: "node20.mjs" } });

plays("Node 20 without npm ws says what to install, and ends", "Node", async (run) => {
  await run.says("failed: NO_WEBSOCKET There is no global WebSocket here: Node has one from version 22. Run `npm install ws`");
  await run.ends();
}, { source: (heading) => program(heading).replace(/^import .* from "ws";\n/m, "").replace(", WebSocket });", " });"), options: { preload: "node20.mjs" } });

plays("Node 20 with a wrong password says so, and ends", "Node", async (run) => {
  await run.says("failed: INVALID_CREDENTIALS");
  await run.ends();
}, { source: wrongPassword, options: { preload: "node20.mjs" } });

const inReact = (heading) => `
  import { Account, HoldfastClient, TokenStore, ticketsFrom } from "@holdfast/client";
  ${program(heading)}
  const tokens = new TokenStore({ httpUrl: "https://api.example.com" });
  await new Account(tokens).signIn({ email: "ada@example.com", password: ${PASSWORD} });
  const client = new HoldfastClient({ ticket: ticketsFrom(tokens) });
  client.on("message", ({ data }) => console.log("got", data));
  client.on("denied", ({ channel }) => console.log("denied", channel));
  client.on("error", ({ code }) => console.log("error", code));
  useTopic(client, "news.eu");
  client.on("state", ({ state }) => state === "live" && client.subscribe("news.eu").then(() => console.log("subscribed"), () => {}));`;

plays("the React hook survives the double mount of StrictMode, with one socket", "React", async (run, server) => {
  await run.says("subscribed");
  server.publish("topic:news.eu", "one");
  server.publish("topic:news.eu", "two");
  await run.says("got two");
  assert.equal(run.output, "subscribed\ngot one\ngot two\n");
  assert.equal(server.opened, 1);
}, { source: inReact });

plays("the React hook with a topic that is denied ends nothing", "React", async (run, server) => {
  await run.says("denied topic:news.eu");
  server.publish("broadcast", "to all");
  await run.says("got to all");
}, { source: inReact, prepare: (server) => (server.topics = []) });

plays("the program of errors lists sessions", "Errors", async (run) => {
  await run.says("session Chrome on Linux");
  await run.ends();
});

plays("the program of errors names the request that failed", "Errors", async (run) => {
  await run.says("failed: INVALID_CREDENTIALS The e-mail or the password is wrong. Check both and try again. q1");
  await run.ends();
}, { source: wrongPassword });

plays("the program of cookies signs in without a token in any body", "Tokens", async (run) => {
  await run.says("signed in ada@example.com\nlive");
});

plays("the program of re-authentication asks once more after a mistake, and repeats the call", "Sessions, devices", async (run, server) => {
  await run.says("device laptop (this one)");
  await run.says("asked: This session is not recent. Show the password again. Your password:");
  await run.says("asked: The e-mail or the password is wrong. Check both and try again. Your password:");
  await run.says("new recovery codes: 10");
  await run.ends();
  assert.deepEqual(server.calls.slice(2).map((call) => call.split("/").at(-1)), ["recovery-codes", "reauthenticate", "reauthenticate", "recovery-codes"]);
}, { options: { answers: ["wrong", "", "a good long password", ""] } });

plays("the program of re-authentication ends when the user gives up", "Sessions, devices", async (run) => {
  await run.says("failed: REAUTHENTICATION_REQUIRED");
  await run.ends();
});

test("every program of the page is run here", () => {
  const headings = README.split(/^## /m).filter((text) => text.includes("```js\n")).map((text) => text.split("\n")[0]);
  assert.deepEqual(headings, ["Quick start in a browser", "Node", "React", "Errors", "Tokens", "Sessions, devices, re-authentication"]);
});
