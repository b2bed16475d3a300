import assert from "node:assert/strict";
import { test } from "node:test";

import { Account, HoldfastError, SessionOver, TokenStore, memoryStorage } from "../src/index.js";

const LATER = new Date(Date.now() + 900_000).toISOString();
const PAIR = { accessToken: "a", accessExpiresAt: LATER, refreshToken: "r", refreshExpiresAt: LATER, tokenType: "Bearer" };
const SESSION = { sessionId: "s1", userId: "u1", email: "ada@example.com", claims: {}, authenticatedAt: LATER };
const ONCE_MORE = { title: "The session is not recent", status: 403, code: "REAUTHENTICATION_REQUIRED", detail: "Show the password.", requestId: "q1" };

const reply = (status, body, headers) => new Response(JSON.stringify(body), { status, headers });

/** An account whose server answers as `routes` say, one answer after another, the last for ever. */
function account(routes, { isSignedIn = true, transport, ...options } = {}) {
  const calls = [];
  const fetch = async (url, { method = "GET", headers, body, credentials } = {}) => {
    const name = `${method} ${url.slice("http://x".length)}`;
    calls.push({ name, body: body && JSON.parse(body), bearer: headers.get("authorization"), csrf: headers.get("x-holdfast-csrf"), credentials });
    const answers = routes[name] ?? [];
    const [status, said, more] = (answers.length > 1 ? answers.shift() : answers[0]) ?? [404, { code: "NOT_FOUND" }];
    return reply(status, said, more);
  };
  const tokens = new TokenStore({ httpUrl: "http://x", storage: memoryStorage(), locks: null, fetch, transport });
  if (isSignedIn) tokens.set(PAIR);
  return { calls, tokens, account: new Account(tokens, options) };
}

const LOGIN = "POST /v1/auth/login";
const person = { email: "ada@example.com", password: "a good long password" };

test("signing in keeps the tokens", async () => {
  const answer = { status: "AUTHENTICATED", session: SESSION, tokens: PAIR, effective: "immediate" };
  const { calls, tokens, account: mine } = account({ [LOGIN]: [[200, answer]] }, { isSignedIn: false });
  assert.deepEqual(await mine.signIn({ ...person, deviceName: "laptop" }), answer);
  assert.deepEqual(calls[0].body, { ...person, deviceName: "laptop" });
  assert.equal(await tokens.access(), "a");
});

test("with cookies no token and no device token is expected in a body, and none is kept", async () => {
  const answer = { status: "AUTHENTICATED", session: SESSION, accessExpiresAt: LATER, effective: "immediate" };
  const trusted = { ...SESSION, trusted: true };
  const routes = { [LOGIN]: [[200, answer]], "PUT /v1/sessions/s1/trust": [[200, trusted]] };
  const { calls, tokens, account: mine } = account(routes, { isSignedIn: false, transport: "cookie" });
  await mine.signIn(person);
  assert.deepEqual(calls[0].body, { ...person, transport: "cookie" });
  assert.ok(tokens.isSignedIn);
  assert.deepEqual(await mine.trust("s1", true), trusted);
  assert.ok(calls.every(({ bearer, csrf, credentials }) => bearer === null && csrf === "1" && credentials === "include"));
});

test("a wrong password is an error with everything that the server said", async () => {
  const said = { title: "The e-mail or the password is wrong", status: 401, code: "INVALID_CREDENTIALS", detail: "Check both and try again.", requestId: "q7" };
  const { tokens, account: mine } = account({ [LOGIN]: [[401, said]] }, { isSignedIn: false });
  await assert.rejects(mine.signIn(person), (error) => {
    assert.ok(error instanceof HoldfastError && !(error instanceof SessionOver));
    const { code, status, title, detail, requestId, message } = error;
    assert.deepEqual({ code, status, title, detail, requestId }, said);
    assert.equal(message, "The e-mail or the password is wrong. Check both and try again.");
    return true;
  });
  assert.ok(!tokens.isSignedIn);
});

test("too many attempts say when to come again, in the body, in seconds, or as a date", async () => {
  const date = { "retry-after": "Thu, 01 Jan 2026 00:01:30 GMT", date: "Thu, 01 Jan 2026 00:00:00 GMT" };
  for (const more of [[{ code: "TOO_MANY_ATTEMPTS", retryAfterSeconds: 90 }], [{}, { "retry-after": "90" }], [{}, date]]) {
    const { account: mine } = account({ [LOGIN]: [[429, ...more]] });
    await assert.rejects(mine.signIn(person), { status: 429, retryAfterSeconds: 90 });
  }
});

test("no answer at all is an error that names the server and keeps the cause", async () => {
  const cause = new TypeError("fetch failed");
  const tokens = new TokenStore({ httpUrl: "https://api.example.com", storage: memoryStorage(), fetch: () => Promise.reject(cause) });
  await assert.rejects(new Account(tokens).signIn(person), { code: "UNREACHABLE", status: undefined, cause, message: /api\.example\.com/ });
});

test("a request that its caller aborts is no trouble of the server's", async () => {
  const tokens = new TokenStore({ httpUrl: "http://x", storage: memoryStorage(), fetch: (_url, { signal }) => Promise.reject(signal.reason) });
  await assert.rejects(tokens.anonymous("/v1/health", { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("a second factor is asked for, may be mistyped, and signs in", async () => {
  const required = { status: "MFA_REQUIRED", loginSessionId: "l", mfaSessionId: "m", methods: ["totp"], expiresAt: LATER };
  const wrong = { code: "INVALID_MFA_CODE", detail: "Try again.", attemptsRemaining: 4 };
  const signedIn = { status: "AUTHENTICATED", session: SESSION, tokens: PAIR, deviceToken: "d", effective: "immediate" };
  const routes = { [LOGIN]: [[200, required]], "POST /v1/auth/mfa/verify": [[401, wrong], [200, signedIn]] };
  const { tokens, account: mine } = account(routes, { isSignedIn: false });
  const { mfaSessionId } = await mine.signIn(person);
  assert.ok(!tokens.isSignedIn);
  await assert.rejects(mine.verify({ mfaSessionId, code: "000000" }), { code: "INVALID_MFA_CODE", attemptsRemaining: 4 });
  assert.equal((await mine.verify({ mfaSessionId, code: "123456", trustDevice: true })).deviceToken, "d");
  assert.ok(tokens.isSignedIn);
});

test("devices are listed and removed", async () => {
  const devices = [{ deviceId: "d/1", name: "laptop", createdAt: LATER, lastUsedAt: LATER, expiresAt: LATER, current: true }];
  const routes = { "GET /v1/devices": [[200, { devices }]], "DELETE /v1/devices/d%2F1": [[200, { removed: 1 }]], "DELETE /v1/devices": [[200, { removed: 3 }]] };
  const { account: mine } = account(routes);
  assert.deepEqual(await mine.devices(), devices);
  assert.deepEqual(await mine.removeDevice("d/1"), { removed: 1 });
  assert.deepEqual(await mine.removeAllDevices(), { removed: 3 });
  await assert.rejects(mine.removeDevice("other"), { code: "NOT_FOUND", status: 404 });
});

test("a session is made recent, and empty fields of a form are no codes", async () => {
  const { calls, account: mine } = account({ "POST /v1/auth/reauthenticate": [[200, SESSION]] });
  assert.deepEqual(await mine.reauthenticate({ password: "p", code: "", recoveryCode: "" }), SESSION);
  assert.deepEqual(calls[0].body, { password: "p" });
});

test("a wrong password of a re-authentication is no end of the session", async () => {
  const { tokens, account: mine } = account({ "POST /v1/auth/reauthenticate": [[401, { code: "INVALID_CREDENTIALS" }]] });
  await assert.rejects(mine.reauthenticate({ password: "p" }), (error) => error.code === "INVALID_CREDENTIALS" && !(error instanceof SessionOver));
  assert.ok(tokens.isSignedIn);
});

const RENEW = "POST /v1/auth/mfa/recovery-codes";
const REAUTHENTICATE = "POST /v1/auth/reauthenticate";

test("without somebody to ask, REAUTHENTICATION_REQUIRED is an error", async () => {
  const { calls, account: mine } = account({ [RENEW]: [[403, ONCE_MORE]] });
  await assert.rejects(mine.renewRecoveryCodes(), { code: "REAUTHENTICATION_REQUIRED", requestId: "q1", detail: "Show the password." });
  assert.equal(calls.length, 1);
});

test("the person is asked, again after a mistake, and the call is repeated", async () => {
  const asked = [];
  const reauthenticate = ({ code }) => {
    asked.push(code);
    return { password: `try ${asked.length}`, code: "123456" };
  };
  const routes = {
    [RENEW]: [[403, ONCE_MORE], [200, { recoveryCodes: ["c"] }]],
    [REAUTHENTICATE]: [[401, { code: "INVALID_CREDENTIALS" }], [401, { code: "INVALID_MFA_CODE" }], [200, SESSION]],
  };
  const { calls, account: mine } = account(routes, { reauthenticate });
  assert.deepEqual(await mine.renewRecoveryCodes(), ["c"]);
  assert.deepEqual(asked, ["REAUTHENTICATION_REQUIRED", "INVALID_CREDENTIALS", "INVALID_MFA_CODE"]);
  assert.deepEqual(calls.map(({ name }) => name), [RENEW, REAUTHENTICATE, REAUTHENTICATE, REAUTHENTICATE, RENEW]);
  assert.deepEqual(calls[3].body, { password: "try 3", code: "123456" });
});

test("several calls at once ask the person once", async () => {
  let asked = 0;
  const reauthenticate = () => {
    asked += 1;
    return new Promise((done) => setImmediate(done, { password: "p" }));
  };
  const routes = {
    [RENEW]: [[403, ONCE_MORE], [200, { recoveryCodes: [] }]],
    "POST /v1/auth/mfa/enroll": [[403, ONCE_MORE], [200, { secret: "s", otpauthUri: "o" }]],
    [REAUTHENTICATE]: [[200, SESSION]],
  };
  const { account: mine } = account(routes, { reauthenticate });
  await Promise.all([mine.renewRecoveryCodes(), mine.enrollMfa()]);
  assert.equal(asked, 1);
});

test("a person who gives up, and one who may not try any more, end the call, which changes nothing", async () => {
  const routes = { [RENEW]: [[403, ONCE_MORE]], [REAUTHENTICATE]: [[429, { code: "TOO_MANY_ATTEMPTS", retryAfterSeconds: 60 }]] };
  await assert.rejects(account(routes, { reauthenticate: () => null }).account.renewRecoveryCodes(), { code: "REAUTHENTICATION_REQUIRED" });
  const { account: mine } = account(routes, { reauthenticate: () => ({ password: "p" }) });
  await assert.rejects(mine.renewRecoveryCodes(), { code: "TOO_MANY_ATTEMPTS", retryAfterSeconds: 60 });
});

test("signing out forgets the tokens, also of a session that is over, and not when nobody answers", async () => {
  const out = account({ "POST /v1/auth/logout": [[200, { revoked: 1 }]] });
  await out.account.signOut();
  assert.ok(!out.tokens.isSignedIn);
  const over = account({ "POST /v1/auth/logout": [[401, { code: "UNAUTHENTICATED" }]], "POST /v1/auth/refresh": [[401, { code: "INVALID_REFRESH_TOKEN" }]] });
  await over.account.signOut();
  assert.ok(!over.tokens.isSignedIn);
  const away = account({ "POST /v1/auth/logout": [[503, { code: "UNAVAILABLE" }]] });
  await assert.rejects(away.account.signOut(), { code: "UNAVAILABLE" });
  assert.ok(away.tokens.isSignedIn, "to be tried again");
});

test("ending every session, this one too, forgets the tokens; ending the others does not", async () => {
  const ended = { revoked: 2, effective: "immediate" };
  const routes = { "DELETE /v1/sessions?keepCurrent=true": [[200, ended]], "DELETE /v1/sessions?keepCurrent=false": [[200, ended]] };
  const { tokens, account: mine } = account(routes);
  assert.deepEqual(await mine.endSessions({ keepCurrent: true }), ended);
  assert.ok(tokens.isSignedIn);
  await mine.endSessions({ keepCurrent: false });
  assert.ok(!tokens.isSignedIn);
});
