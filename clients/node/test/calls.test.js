// Calls over real HTTP: signature, kinds of errors, retries, time-outs, and connections.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";

import { ConfigurationError, Holdfast, NoSession, Refused, Unavailable } from "../src/index.js";
import { ACCEPTED, ACTIVE, CREATED, CREDENTIALS, FakeTiming, LIVE, SESSION, STALE, TOKENS, problem, signatureOf, start } from "./server.js";

const BUSY = problem(503, "UNAVAILABLE");
const IDENTITY = { identity: { provider: "p", subject: "s" } };

/** The error of a call, which is of exactly this kind. */
async function fails(kind, call) {
  const error = await call.then(() => assert.fail("it did not fail"), (error) => error);
  assert.equal(error.constructor, kind, String(error));
  assert.equal(error.name, kind.name);
  return error;
}

test("a live token is answered with its session", async (t) => {
  const { server, client } = await start(t);
  assert.deepEqual(await client.verify(LIVE), SESSION);
  assert.deepEqual(server.bodies(), [{ token: LIVE }]);
});

test("a token of no live session is no session", async (t) => {
  const { client } = await start(t);
  const error = await fails(NoSession, client.verify(STALE));
  assert.deepEqual([error.httpStatus, error.code], [401, "UNAUTHENTICATED"]);
});

test("what cannot be a token is no session without a call", async (t) => {
  const { server, client } = await start(t);
  for (const text of [undefined, null, "", "x".repeat(513), "a\nb", "a\0", "a\x7f", "a b", "ä", "a\n"]) await fails(NoSession, client.verify(text));
  assert.equal(server.requests.length, 0);
  await fails(NoSession, client.verify("x".repeat(512)));
  assert.equal(server.requests.length, 1);
  await fails(TypeError, client.verify(Buffer.from(LIVE)));
});

test("only active:false is no session", async (t) => {
  const { server, client } = await start(t);
  for (const body of [{}, { active: "false" }, { active: null }, { active: 0 }, { active: true }, { active: true, session: {} },
    { active: true, session: { ...SESSION, userId: null } }, [], "<html>", ""]) {
    server.answers = [[200, body]];
    assert.equal((await fails(Unavailable, client.verify(LIVE))).code, "UNEXPECTED_ANSWER", JSON.stringify(body));
  }
});

for (const [name, base, options, region] of [
  ["covers host, date and body", "", {}, "eu-central-1"],
  ["covers the stage in the address", "/_aws/execute-api/a1/$default/", {}, "eu-central-1"],
  ["has the Region of the option", "", { region: "us-west-2" }, "us-west-2"],
]) {
  test(`the signature ${name}`, async (t) => {
    const { server } = await start(t);
    const client = new Holdfast(server.url + base, { region: "eu-central-1", credentials: async () => CREDENTIALS, ...options });
    await client.verify(LIVE);
    const [request] = server.requests;
    assert.equal(request.path, `${base.replace(/\/$/, "")}/v1/sessions/introspect`);
    const { credential, names, given, computed } = signatureOf(request, region);
    assert.ok(credential);
    assert.equal(given, computed);
    for (const needed of ["host", "x-amz-date", "x-amz-security-token", "content-type"]) assert.ok(names.includes(needed), needed);
    assert.notEqual(given, signatureOf({ ...request, body: "{}" }, region).computed);
  });
}

test("the Region comes from the address, then from the environment", async (t) => {
  const seen = [];
  t.mock.method(globalThis, "fetch", async (_, { headers }) => {
    seen.push(headers.authorization.split("/")[2]);
    return Response.json(ACTIVE);
  });
  const kept = { ...process.env };
  t.after(() => (process.env = kept));
  delete process.env.AWS_REGION;
  process.env.AWS_DEFAULT_REGION = "sa-east-1";
  const verify = (url) => new Holdfast(url, { credentials: CREDENTIALS }).verify(LIVE);
  await verify("https://a1b2c3.execute-api.ap-south-1.amazonaws.com/x");
  await verify("https://api.example.com");
  process.env.AWS_REGION = "eu-north-1";
  await verify("https://api.example.com");
  assert.deepEqual(seen, ["ap-south-1", "sa-east-1", "eu-north-1"]);
  delete process.env.AWS_REGION;
  delete process.env.AWS_DEFAULT_REGION;
  assert.equal((await fails(ConfigurationError, verify("https://api.example.com"))).code, "NO_REGION");
});

test("credentials come from the environment, and missing ones are a configuration error", async (t) => {
  const { server } = await start(t);
  const kept = { ...process.env };
  t.after(() => (process.env = kept));
  for (const name of Object.keys(process.env).filter((name) => name.startsWith("AWS_"))) delete process.env[name];
  Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: "true", AWS_CONFIG_FILE: "/dev/null", AWS_SHARED_CREDENTIALS_FILE: "/dev/null", AWS_REGION: "eu-central-1" });
  assert.equal((await fails(ConfigurationError, new Holdfast(server.url).verify(LIVE))).code, "NO_CREDENTIALS");
  assert.equal(server.requests.length, 0);
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey, AWS_SESSION_TOKEN: CREDENTIALS.sessionToken });
  await new Holdfast(server.url).verify(LIVE);
  const { given, computed } = signatureOf(server.requests[0]);
  assert.equal(given, computed);
});

test("a source of credentials that fails or never answers is an outage", async (t) => {
  const { server } = await start(t);
  const broken = new Holdfast(server.url, { region: "r", credentials: async () => { throw new Error(CREDENTIALS.secretAccessKey); } });
  const error = await fails(Unavailable, broken.verify(LIVE));
  assert.equal(error.code, "CREDENTIALS_UNAVAILABLE");
  assert.ok(!inspect(error).includes(CREDENTIALS.secretAccessKey));
  const slow = new Holdfast(server.url, { region: "r", credentials: () => new Promise(() => {}), timeoutSeconds: 0.2 });
  assert.equal((await fails(Unavailable, slow.verify(LIVE))).code, "UNREACHABLE");
});

test("missing rights are a configuration error", async (t) => {
  const { server, client } = await start(t);
  for (const [status, body, code] of [
    [403, { message: "Forbidden" }, "HTTP_403"], [403, { Message: "User: arn:aws:iam::1:role/app is not authorized" }, "HTTP_403"],
    [403, problem(403, "FORBIDDEN"), "FORBIDDEN"], [401, { message: "Unauthorized" }, "HTTP_401"], [401, problem(401, "UNAUTHENTICATED"), "UNAUTHENTICATED"],
  ]) {
    server.answers = [[status, body]];
    const error = await fails(ConfigurationError, client.verify(LIVE));
    assert.deepEqual([error.code, error.status, error.httpStatus, error.requestId], [code, status, 500, "q1"]);
    assert.match(error.detail, /execute-api:Invoke on POST \/v1\/sessions\/introspect/);
  }
  assert.equal(server.requests.length, 5);
});

test("another address is a configuration error", async (t) => {
  const { server, client } = await start(t);
  for (const answer of [[404, { message: "Not Found" }], [405, "no"], [302, "", { location: "https://evil.example" }]]) {
    server.answers = [answer];
    assert.match((await fails(ConfigurationError, client.verify(LIVE))).detail, /`httpUrl`/);
  }
  assert.equal(server.requests.length, 3, "a redirect is not followed");
  for (const url of ["http://api.example.com", "ftp://api.example.com", "api.example.com", "", "https://", "https://a.example/?x=1", "https://u:p@a.example"]) {
    assert.throws(() => new Holdfast(url), { name: "ConfigurationError", code: "INVALID_URL" }, url);
  }
});

test("a refused call has the code and detail of Holdfast", async (t) => {
  const { server, client } = await start(t);
  for (const [status, code] of [[400, "INVALID_REQUEST"], [413, "PAYLOAD_TOO_LARGE"], [404, "NOT_FOUND"], [403, "ACCOUNT_DISABLED"]]) {
    server.answers = [[status, problem(status, code)]];
    const error = await fails(Refused, client.createSession(IDENTITY));
    assert.deepEqual([error.code, error.detail, error.status, error.requestId], [code, "A detail.", status, "q1"]);
  }
  assert.equal(server.requests.length, 4);
  server.answers = [[413, { message: "Request Too Long" }]];
  assert.equal((await fails(Refused, client.verify(LIVE))).code, "HTTP_413");
});

test("an outage is never no session", async (t) => {
  const { server, client, timing } = await start(t);
  for (const [answer, code, attempts] of [[[503, BUSY], "UNAVAILABLE", 4], [[502, "<html>"], "HTTP_502", 4], [[504, { message: "Timeout" }], "HTTP_504", 4],
    [[429, { message: "Too Many Requests" }], "HTTP_429", 4], ["close", "UNREACHABLE", 4],
    [[500, { message: "Internal Server Error" }], "HTTP_500", 1], [[500, problem(500, "INTERNAL")], "INTERNAL", 1]]) {
    timing.time += 100;
    server.requests = [];
    server.answers = Array(4).fill(answer);
    const error = await fails(Unavailable, client.verify(LIVE));
    assert.deepEqual([error.code, error.httpStatus, server.requests.length], [code, 503, attempts]);
    server.answers = [];
  }
});

test("a closed port is an outage", async () => {
  const unused = createServer();
  await once(unused.listen(0, "127.0.0.1"), "listening");
  const { port } = unused.address();
  await new Promise((done) => unused.close(done));
  for (const call of [(client) => client.verify(LIVE), (client) => client.createSession(IDENTITY)]) {
    const timing = new FakeTiming();
    const client = new Holdfast(`http://127.0.0.1:${port}`, { region: "r", credentials: CREDENTIALS, timing });
    assert.match((await fails(Unavailable, call(client))).detail, /ECONNREFUSED/);
    assert.equal(timing.waits.length, 3);
  }
});

test("back-off doubles with full jitter", async (t) => {
  const { server, client, timing } = await start(t);
  server.answers = Array(3).fill([502, ""]);
  await client.verify(LIVE);
  assert.deepEqual(timing.waits, [0.05, 0.1, 0.2]);
  assert.deepEqual(server.bodies(), Array(4).fill({ token: LIVE }));
});

test("Retry-After is the least wait, also as a date of the server's clock", async (t) => {
  const { server, client, timing } = await start(t);
  const date = { date: "Sat, 28 Nov 2026 10:00:00 GMT", "retry-after": "Sat, 28 Nov 2026 10:00:01 GMT" };
  server.answers = [[503, BUSY, { "retry-after": "1" }], [429, "", date], [503, BUSY, { "retry-after": "soon" }]];
  await client.verify(LIVE);
  assert.deepEqual(timing.waits, [1.05, 1.1, 0.2]);
});

test("a wait beyond the time-out ends the call at once", async (t) => {
  const { server, client, timing } = await start(t);
  server.answers = [[503, BUSY, { "retry-after": "90" }]];
  const error = await fails(Unavailable, client.verify(LIVE));
  assert.deepEqual([error.retryAfterSeconds, timing.waits], [90, []]);
});

test("a call has 5 s by default", async (t) => {
  const { server, timing } = await start(t);
  const client = new Holdfast(server.url, { region: "r", credentials: CREDENTIALS, timing });
  for (const [seconds, waits] of [["5", []], ["3", [3.05]]]) {
    server.answers = [[503, BUSY, { "retry-after": seconds }]];
    await client.verify(LIVE).catch((error) => assert.equal(error.retryAfterSeconds, 5));
    assert.deepEqual(timing.waits, waits);
  }
});

test("all waits fit into the time-out", async (t) => {
  const { server, client, timing } = await start(t);
  timing.chance = 1;
  server.answers = Array(4).fill([503, BUSY, { "retry-after": "30" }]);
  await fails(Unavailable, client.verify(LIVE));
  // A second wait would leave too little of the 60 s for an attempt.
  assert.deepEqual(timing.waits, [30.1]);
});

test("a publish keeps its key over all attempts, and names it when it failed", async (t) => {
  const { server, client } = await start(t);
  server.answers = ["close", [503, problem(503, "CHANNEL_BUSY")]];
  const published = await client.publish({ userIds: ["u1"], kind: "note", data: { a: 1 } });
  assert.deepEqual(server.bodies().map((body) => body.idempotencyKey), Array(3).fill(published.idempotencyKey));
  assert.notEqual((await client.publish({ topic: "t", kind: "note" })).idempotencyKey, published.idempotencyKey);
  server.requests = [];
  server.answers = Array(4).fill([503, BUSY]);
  const error = await fails(Unavailable, client.publish({ broadcast: true, kind: "note" }));
  assert.deepEqual(server.bodies().map((body) => body.idempotencyKey), Array(4).fill(error.idempotencyKey));
});

test("a session is created at most once", async (t) => {
  const { server, client } = await start(t);
  for (const [answer, attempts] of [["close", 1], [[502, ""], 1], [[503, BUSY], 1], [[504, ""], 1], [[429, ""], 2]]) {
    server.requests = [];
    server.answers = [answer];
    if (attempts === 1) await fails(Unavailable, client.createSession(IDENTITY));
    else await client.createSession(IDENTITY);
    assert.equal(server.requests.length, attempts, String(answer));
  }
});

test("a connection is used again", async (t) => {
  const { server, client } = await start(t);
  server.answers = [[503, BUSY]];
  for (let call = 0; call < 9; call++) await client.verify(LIVE);
  await client.publish({ topic: "t", kind: "note" });
  assert.equal(server.requests.length, 11);
  // `fetch` opens a second one if it is asked again before the first one is free.
  assert.ok(server.connections <= 2, `${server.connections} connections`);
});

test("a connection that was closed meanwhile does no harm", async (t) => {
  const { server, client } = await start(t);
  server.answers = [[200, ACTIVE], "close"];
  await client.verify(LIVE);
  await client.verify(LIVE);
  assert.equal(server.requests.length, 3);
});

test("a server that never answers, or never ends its answer, is an outage", async (t) => {
  const { server } = await start(t);
  const client = new Holdfast(server.url, { region: "r", credentials: CREDENTIALS, timeoutSeconds: 0.3 });
  for (const answer of ["hang", "hang in the body"]) {
    for (const call of [() => client.verify(LIVE), () => client.publish({ topic: "t", kind: "n" }), () => client.createSession(IDENTITY)]) {
      server.answers = Array(4).fill(answer);
      const error = await fails(Unavailable, call());
      assert.deepEqual([error.code, error.status], ["UNREACHABLE", undefined]);
      assert.match(error.detail, /in time/);
    }
  }
});

test("no error, result or inspection shows a secret", async (t) => {
  const { server, client } = await start(t);
  const wrong = `The request signature does not match. ${CREDENTIALS.sessionToken}\n\nThe Canonical String was\n${CREDENTIALS.sessionToken} and more`;
  const created = await client.createSession(IDENTITY);
  const texts = [inspect(client, { depth: 9, showHidden: true }), inspect(created), JSON.stringify(created)];
  for (const answer of [[403, { message: wrong }], [400, problem(400, "INVALID_REQUEST")], "close"]) {
    server.answers = Array(4).fill(answer);
    const error = await client.verify(LIVE).catch((error) => error);
    texts.push(String(error), inspect(error, { depth: 9, showHidden: true }), JSON.stringify(error));
    assert.equal(error.cause, undefined);
    server.answers = [];
  }
  for (const secret of [LIVE, CREDENTIALS.secretAccessKey, CREDENTIALS.sessionToken, TOKENS.accessToken, TOKENS.refreshToken, "and more"]) {
    for (const text of texts) assert.ok(!text.includes(secret), text);
  }
});

test("a message has the form of the route, and its answer is passed on", async (t) => {
  const { server, client } = await start(t);
  const published = await client.publish({ userIds: ["u1", "u2"], kind: "note", data: { text: "grüße" }, idempotencyKey: "k1", ttlSeconds: 60, ephemeral: true });
  await client.publish({ topic: "news.eu", kind: "note", idempotencyKey: "k2" });
  await client.publish({ broadcast: true, kind: "note", data: [1], idempotencyKey: "k3", ttlSeconds: 0 });
  assert.deepEqual(published, { ...ACCEPTED, idempotencyKey: "k1" });
  assert.deepEqual(server.bodies(), [
    { to: { userIds: ["u1", "u2"] }, kind: "note", data: { text: "grüße" }, idempotencyKey: "k1", ttlSeconds: 60, ephemeral: true },
    { to: { topic: "news.eu" }, kind: "note", data: null, idempotencyKey: "k2" },
    { to: { broadcast: true }, kind: "note", data: [1], idempotencyKey: "k3", ttlSeconds: 0 },
  ]);
  assert.deepEqual(new Set(server.requests.map(({ path }) => path)), new Set(["/v1/messages"]));
});

test("a message without one target is a mistake of the program", async (t) => {
  const { server, client } = await start(t);
  for (const target of [{}, { topic: "t", broadcast: true }, { userIds: ["u"], topic: "t" }, { userIds: "u" }]) {
    await fails(TypeError, client.publish({ ...target, kind: "note" }));
  }
  assert.throws(() => new Holdfast(server.url, { allowedOrigins: "https://a.example" }), TypeError);
  assert.throws(() => new Holdfast(server.url, { timeoutSeconds: 0 }), RangeError);
  assert.equal(server.requests.length, 0);
});

test("a created session has tokens or cookies", async (t) => {
  const { server, client } = await start(t);
  const request = { ...IDENTITY, email: "a@example.com", claims: {}, client: { ip: "192.0.2.1" } };
  const created = await client.createSession(request);
  assert.deepEqual([created.session, created.tokens, created.setCookies, created.effective], [SESSION, TOKENS, [], "immediate"]);
  server.answers = [[201, { ...CREATED, tokens: undefined }, { "set-cookie": ["a=1; Path=/", "b=2; Path=/"] }]];
  const { tokens, setCookies } = await client.createSession({ ...IDENTITY, transport: "cookie" });
  assert.deepEqual([tokens, setCookies], [undefined, ["a=1; Path=/", "b=2; Path=/"]]);
  assert.deepEqual(server.bodies(), [request, { ...IDENTITY, transport: "cookie" }]);
});
