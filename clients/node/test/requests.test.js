// How the token of a request is found. `clients/interop/requests.json` has the cases of both kits.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { CrossSiteRequest, NoSession, Unavailable } from "../src/index.js";
import { Caller, fromEvent } from "../src/requests.js";
import { LIVE, ORIGIN, OTHER, STALE, problem, start } from "./server.js";

const TABLE = JSON.parse(readFileSync(new URL("../../interop/requests.json", import.meta.url), "utf8"));
const COOKIE = `__Host-holdfast-access=${LIVE}`;

function outcome(caller, origins) {
  try {
    return caller.accessTokens(origins);
  } catch (error) {
    assert.ok(error instanceof CrossSiteRequest, String(error));
    return "refused";
  }
}

for (const { name, method, headers, allowedOrigins = TABLE.allowedOrigins, needsRepeatedHeaders, expected } of TABLE.cases) {
  test(`the table: ${name}`, () => {
    assert.deepEqual(outcome(new Caller(method, headers), allowedOrigins), expected);
    if (!needsRepeatedHeaders) assert.deepEqual(outcome(new Caller(method, Object.fromEntries(headers)), allowedOrigins), expected);
  });
}

test("headers come in the forms of frameworks", () => {
  for (const headers of [{ AUTHORIZATION: "Bearer t1" }, { authorization: ["Bearer t1"], cookie: undefined }, [["Authorization", "Bearer t1"]],
    new Headers({ authorization: "Bearer t1" }), new Map([["authorization", "Bearer t1"]])]) {
    assert.deepEqual(new Caller("GET", headers).accessTokens([]), ["t1"]);
  }
});

test("the events of API Gateway and load balancers are read", async (t) => {
  const { client } = await start(t);
  for (const event of [
    { version: "2.0", headers: { authorization: `Bearer ${LIVE}` }, requestContext: { http: { method: "POST" } } },
    { version: "2.0", headers: { origin: ORIGIN, "x-holdfast-csrf": "1" }, cookies: ["a=b", COOKIE], requestContext: { http: { method: "POST" } } },
    { version: "1.0", httpMethod: "GET", headers: { Authorization: `Bearer ${LIVE}` }, multiValueHeaders: null, requestContext: {} },
    { httpMethod: "GET", headers: { Cookie: "a=b" }, multiValueHeaders: { Cookie: ["a=b", COOKIE] }, requestContext: {} },
    { httpMethod: "GET", multiValueHeaders: { cookie: [COOKIE] }, requestContext: { elb: {} } },
    { headers: { Cookie: COOKIE, Origin: ORIGIN }, requestContext: { connectionId: "c1", eventType: "CONNECT" } },
  ]) {
    assert.equal((await client.verifyEvent(event)).userId, "u1", JSON.stringify(event));
  }
});

test("a change or a handshake by cookie needs its origin", async (t) => {
  const { server, client } = await start(t);
  const handshake = { connectionId: "c1", eventType: "CONNECT" };
  for (const event of [
    { version: "2.0", headers: {}, cookies: [COOKIE], requestContext: { http: { method: "POST" } } },
    { httpMethod: "DELETE", headers: { Cookie: COOKIE, Origin: ORIGIN }, requestContext: {} },
    { headers: { Cookie: COOKIE }, requestContext: handshake },
    { headers: { Cookie: COOKIE, Origin: "https://evil.example" }, requestContext: handshake },
  ]) {
    await assert.rejects(client.verifyEvent(event), { name: "CrossSiteRequest", httpStatus: 403, code: "FORBIDDEN" });
  }
  assert.equal(server.requests.length, 0);
});

test("an event of another kind is a mistake of the program", () => {
  for (const event of [undefined, {}, { Records: [] }, { requestContext: null }]) assert.throws(() => fromEvent(event), TypeError);
});

test("the first live cookie counts", async (t) => {
  const { server, client } = await start(t);
  const cookie = ["junk", STALE, OTHER, LIVE].map((value) => `__Host-holdfast-access=${value}`).join("; ");
  assert.equal((await client.verifyRequest({ method: "GET", headers: { cookie } })).userId, "u1");
  assert.deepEqual(server.bodies(), [{ token: STALE }, { token: OTHER }, { token: LIVE }]);
});

test("without a live token there is no session", async (t) => {
  const { client } = await start(t);
  for (const headers of [{}, { authorization: `Bearer ${STALE}` }, { authorization: "Basic x", cookie: COOKIE }, { cookie: `__Host-holdfast-access=${STALE}` }]) {
    await assert.rejects(client.verifyRequest({ method: "GET", headers }), NoSession);
  }
});

test("a request without a method changes something", async (t) => {
  const { client } = await start(t);
  await assert.rejects(client.verifyRequest({ headers: { cookie: COOKIE } }), CrossSiteRequest);
});

test("an outage at one cookie decides nothing", async (t) => {
  const { server, client } = await start(t);
  server.answers = [[200, { active: false }], [500, problem(500, "INTERNAL")]];
  await assert.rejects(client.verifyRequest({ method: "GET", headers: { cookie: `__Host-holdfast-access=${STALE}; ${COOKIE}` } }), Unavailable);
});

test("all cookies share one time-out", async (t) => {
  const { server, client, timing } = await start(t);
  const busy = [503, problem(503, "UNAVAILABLE"), { "retry-after": "25" }];
  server.answers = [busy, [200, { active: false }], busy];
  const cookie = [STALE, OTHER, LIVE].map((value) => `__Host-holdfast-access=${value}`).join("; ");
  await assert.rejects(client.verifyRequest({ method: "GET", headers: { cookie } }), Unavailable);
  assert.deepEqual(timing.waits, [25.05]);
});
