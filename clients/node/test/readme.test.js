// Runs the programs of README.md as they are written, each in a process of its own, against a Holdfast on this machine.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { CREDENTIALS, LIVE, ORIGIN, STALE, Server } from "./server.js";

const PROGRAMS = [...readFileSync(new URL("../README.md", import.meta.url), "utf8").matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text);

/** A folder as after `npm install`. */
const folder = mkdtempSync(join(tmpdir(), "holdfast-server-"));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "node_modules", "@holdfast"), { recursive: true });
symlinkSync(fileURLToPath(new URL("..", import.meta.url)), join(folder, "node_modules", "@holdfast", "server"));

/** Starts a program. Its output is passed to `heard`; the promise is its whole output. */
function run(t, url, source, heard = () => {}) {
  writeFileSync(join(folder, "program.mjs"), source.replaceAll("https://api.example.com", url));
  const env = { ...process.env, NODE_OPTIONS: "", NODE_TEST_CONTEXT: undefined, AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey };
  const child = spawn(process.execPath, ["program.mjs"], { cwd: folder, env });
  t.after(() => child.kill());
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => heard((output += text)));
  return new Promise((done) => child.on("close", () => done(output)));
}

test("every program is run here", () => assert.equal(PROGRAMS.length, 3));

test("the function answers with the user or the status", async (t) => {
  const server = await Server.listen(t);
  server.answers = [undefined, undefined, [500, { message: "Internal Server Error" }]];
  const said = await run(t, server.url, `${PROGRAMS[0]}
    for (const token of ["${LIVE}", "${STALE}", "${LIVE}"]) {
      console.log(JSON.stringify(await handler({ headers: { authorization: "Bearer " + token }, requestContext: { http: { method: "GET" } } })));
    }`);
  assert.equal(said, ['{"statusCode":200,"body":"u1 editor"}', '{"statusCode":401,"body":"UNAUTHENTICATED"}', '{"statusCode":503,"body":"HTTP_500"}', ""].join("\n"));
});

test("the server answers by cookie", async (t) => {
  const server = await Server.listen(t);
  const source = PROGRAMS[1].replace("8080", "0").replace('"listening"', 'server.address().port');
  const port = await new Promise((done) => run(t, server.url, source, (output) => /^[0-9]+\n/.test(output) && done(Number(output))));
  const send = (headers) => fetch(`http://127.0.0.1:${port}/`, { method: "POST", headers: { cookie: `__Host-holdfast-access=${LIVE}`, ...headers } });
  assert.equal((await send({})).status, 403);
  const answer = await send({ origin: ORIGIN, "x-holdfast-csrf": "1" });
  assert.deepEqual([answer.status, await answer.text()], [200, "hello u1"]);
});

test("the program publishes", async (t) => {
  const server = await Server.listen(t);
  assert.equal(await run(t, server.url, PROGRAMS[2]), "published m1 7\n");
  assert.deepEqual(server.bodies()[0].to, { userIds: ["4f0c"] });
});
