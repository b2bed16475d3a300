import assert from "node:assert/strict";
import { test } from "node:test";

import { HoldfastError, SessionOver, TokenStore, ticketsFrom } from "../src/index.js";

const NOW = Date.parse("2026-01-01T00:00:00Z");

function storage() {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: (key) => void kept.delete(key) };
}

function pair(generation, minutes = 15) {
  const expires = new Date(NOW + minutes * 60_000).toISOString();
  return { accessToken: `a${generation}`, accessExpiresAt: expires, refreshToken: `r${generation}`, refreshExpiresAt: expires };
}

const reply = (status, body, headers) => new Response(JSON.stringify(body), { status, headers });

/** The API: refreshes, takes a while, counts. Only the newest access token is good. */
function api({ lose = 0, refuse } = {}) {
  const calls = [];
  let generation = 1;
  const fetch = async (url, { headers, body } = {}) => {
    const path = new URL(url).pathname;
    calls.push(path);
    await new Promise((done) => setTimeout(done, 5));
    if (path === "/v1/auth/refresh") {
      if (refuse) return refuse();
      const asked = JSON.parse(body).refreshToken;
      if (asked === `r${generation}`) generation += 1;
      else if (asked !== `r${generation - 1}`) return reply(401, { code: "REFRESH_TOKEN_REUSED", detail: "stolen" });
      if (lose > 0) {
        lose -= 1;
        throw new TypeError("network");
      }
      return reply(200, { tokens: pair(generation) });
    }
    const token = headers.get("authorization");
    if (token !== `Bearer a${generation}`) return reply(401, { code: "UNAUTHENTICATED", detail: "no" });
    return path === "/v1/push/tickets" ? reply(201, { ticket: "t", url: "ws://x?ticket=t" }) : reply(200, { token });
  };
  return { calls, fetch, expire: () => (generation += 1), refreshes: () => calls.filter((path) => path.endsWith("refresh")).length };
}

/** `navigator.locks`, for one process. */
function locks() {
  let queue = Promise.resolve();
  return {
    request: (_name, work) => {
      const mine = queue.then(work);
      queue = mine.catch(() => {});
      return mine;
    },
  };
}

function tab(server, shared, more = {}) {
  return new TokenStore({ httpUrl: "http://x/", storage: shared, locks: null, fetch: server.fetch, now: () => NOW, ...more });
}

test("a token that is good for a while is used as it is", async () => {
  const server = api();
  const tokens = tab(server, storage());
  tokens.set(pair(1));
  assert.equal(await tokens.access(), "a1");
  assert.deepEqual(server.calls, []);
});

test("many who need a new token at once cause one refresh", async () => {
  const server = api();
  const tokens = tab(server, storage());
  tokens.set(pair(1, 0));
  const all = await Promise.all(Array.from({ length: 20 }, () => tokens.access()));
  assert.deepEqual(new Set(all), new Set(["a2"]));
  assert.equal(server.refreshes(), 1);
});

for (const [how, lock] of [["the browser's locks", locks()], ["a lease in the storage", null]]) {
  test(`ten tabs cause one refresh, with ${how}`, async () => {
    const server = api();
    const shared = storage();
    const tabs = Array.from({ length: 10 }, () => tab(server, shared, { locks: lock }));
    tabs[0].set(pair(1, 0));
    const all = await Promise.all(tabs.map((tokens) => tokens.access()));
    assert.deepEqual(new Set(all), new Set(["a2"]));
    assert.equal(server.refreshes(), 1);
    assert.equal(shared.getItem("holdfast.tokens.lock"), null, "given back");
  });
}

test("a lease that a closed tab left behind ends by itself", async () => {
  const shared = storage();
  shared.setItem("holdfast.tokens.lock", `gone ${NOW + 120}`);
  let now = NOW;
  const sleep = async (ms) => void (now += ms);
  const tokens = tab(api(), shared, { now: () => now, sleep });
  tokens.set(pair(1, 0));
  assert.equal(await tokens.access(), "a2");
  assert.ok(now >= NOW + 120);
});

test("an answer that was lost is asked for again with the same token", async () => {
  const server = api({ lose: 2 });
  const tokens = tab(server, storage());
  tokens.set(pair(1, 0));
  assert.equal(await tokens.access(), "a2");
  assert.equal(server.refreshes(), 3);
});

test("no answer at all is not the end of the session", async () => {
  const server = api({ lose: 99 });
  const tokens = tab(server, storage());
  tokens.set(pair(1, 0));
  await assert.rejects(tokens.access(), (error) => error.code === "UNREACHABLE" && !(error instanceof SessionOver));
  assert.ok(tokens.isSignedIn);
});

test("a store that cannot be reached is not the end of the session, and says when to come again", async () => {
  const refuse = () => reply(503, { code: "UNAVAILABLE", detail: "later", retryAfterSeconds: 2 });
  const tokens = tab(api({ refuse }), storage());
  tokens.set(pair(1, 0));
  await assert.rejects(tokens.access(), { code: "UNAVAILABLE", retryAfterSeconds: 2 });
  assert.ok(tokens.isSignedIn);
});

for (const [what, answer, code] of [
  ["a proxy's 401", () => new Response("<html>", { status: 401 }), "HTTP_401"],
  ["a gateway's 403", () => reply(403, { message: "Forbidden" }), "HTTP_403"],
  ["a 500", () => reply(500, { code: "INTERNAL" }), "INTERNAL"],
  ["too many requests", () => reply(429, { message: "Too Many Requests" }), "HTTP_429"],
  ["a 400 of a proxy", () => new Response("<html>", { status: 400 }), "HTTP_400"],
]) {
  for (const transport of ["bearer", "cookie"]) {
    test(`${what} at the refresh is not the end of a session of transport ${transport}`, async () => {
      const tokens = tab({ fetch: async () => answer() }, storage(), { transport });
      tokens.set(pair(1, 0));
      await assert.rejects(tokens.fetch("/v1/sessions"), (error) => error.code === code && !(error instanceof SessionOver));
      assert.ok(tokens.isSignedIn);
    });
  }
}

test("a clock that is ahead does not make every request refresh", async () => {
  const server = api();
  const shared = storage();
  const ahead = { now: () => NOW + 2 * 3_600_000 };
  const tokens = tab(server, shared, ahead);
  tokens.set(pair(1));
  for (let n = 0; n < 5; n += 1) assert.equal((await tokens.fetch("/v1/sessions/current")).status, 200);
  assert.equal((await tab(server, shared, ahead).fetch("/v1/sessions/current")).status, 200);
  assert.equal(server.refreshes(), 1, "the sign-in's token looked expired, that of the refresh cannot have been");
  server.expire();
  shared.setItem("holdfast.tokens", JSON.stringify({ ...JSON.parse(shared.getItem("holdfast.tokens")), refreshToken: "r3" }));
  assert.equal((await tokens.fetch("/v1/sessions/current")).status, 200);
  assert.equal(server.refreshes(), 2, "the server's refusal is what counts then");
});

test("a clock that is behind is found out by the server's refusal", async () => {
  const server = api();
  const tokens = tab(server, storage(), { now: () => NOW - 2 * 3_600_000 });
  tokens.set(pair(1));
  server.expire();
  assert.equal((await tokens.fetch("/v1/sessions/current")).status, 200);
  assert.equal(server.refreshes(), 1);
});

test("a lease that was taken before the clock was set back holds nobody up", async () => {
  const shared = storage();
  shared.setItem("holdfast.tokens.lock", `gone ${NOW + 3_600_000}`);
  const tokens = tab(api(), shared);
  tokens.set(pair(1, 0));
  assert.equal(await tokens.access(), "a2");
});

test("where there is no localStorage, as in Node 20, tokens live in memory", async () => {
  const own = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  const forbidden = { get: () => { throw new Error("SecurityError"); }, configurable: true };
  for (const property of [{ value: undefined, configurable: true }, forbidden]) {
    Object.defineProperty(globalThis, "localStorage", property);
    try {
      const tokens = new TokenStore({ httpUrl: "http://x", fetch: api().fetch, now: () => NOW });
      tokens.set(pair(1));
      assert.equal(await tokens.access(), "a1");
    } finally {
      if (own) Object.defineProperty(globalThis, "localStorage", own);
      else delete globalThis.localStorage;
    }
  }
});

for (const code of ["INVALID_REFRESH_TOKEN", "REFRESH_TOKEN_REUSED"]) {
  test(`${code} is the end of the session, for every tab`, async () => {
    const shared = storage();
    const tokens = tab(api({ refuse: () => reply(401, { code, detail: "over" }) }), shared);
    tokens.set(pair(1, 0));
    await assert.rejects(tokens.access(), (error) => error instanceof SessionOver && error.code === code);
    assert.ok(!tokens.isSignedIn);
    await assert.rejects(tab(api(), shared).access(), SessionOver);
  });
}

test("signing out while a refresh is under way stands", async () => {
  const server = api();
  const shared = storage();
  const fetch = (...call) => {
    tab(server, shared).clear();
    return server.fetch(...call);
  };
  const tokens = tab({ fetch }, shared);
  tokens.set(pair(1, 0));
  await tokens.access();
  assert.equal(server.refreshes(), 1);
  assert.ok(!tokens.isSignedIn);
});

test("a request that is refused is sent once more with a new token", async () => {
  const server = api();
  const tokens = tab(server, storage());
  tokens.set(pair(1));
  server.expire();
  assert.equal((await tokens.fetch("/v1/sessions/current")).status, 200);
  assert.equal(server.refreshes(), 1);
});

test("a request with a token that another tab has replaced finds the new one", async () => {
  const server = api();
  const shared = storage();
  const tokens = tab(server, shared);
  tokens.set(pair(0));
  const answer = tokens.fetch("/v1/sessions/current");
  await new Promise((done) => setTimeout(done, 2));
  tab(server, shared).set(pair(1));
  assert.equal((await answer).status, 200);
  assert.equal(server.refreshes(), 0);
});

test("with cookies nothing of a token is kept, and every request says what another site could not", async () => {
  const seen = [];
  const later = new Date(NOW + 900_000).toISOString();
  const fetch = async (url, init) => {
    seen.push([new URL(url).pathname, init.headers.get("x-holdfast-csrf"), init.credentials, init.headers.get("authorization"), init.body]);
    return url.endsWith("refresh") ? reply(200, { session: {}, accessExpiresAt: later }) : reply(200, {});
  };
  const shared = storage();
  const tabs = Array.from({ length: 5 }, () => tab({ fetch }, shared, { transport: "cookie" }));
  tabs[0].set({ ...pair(1, 0), accessExpiresAt: new Date(NOW).toISOString() });
  await Promise.all(tabs.map((tokens) => tokens.fetch("/v1/sessions")));
  assert.deepEqual(seen.filter(([path]) => path === "/v1/auth/refresh"), [["/v1/auth/refresh", "1", "include", null, undefined]]);
  assert.equal(seen.length, 6);
  assert.ok(seen.every(([, header, credentials, bearer]) => header === "1" && credentials === "include" && bearer === null));
  assert.equal(shared.getItem("holdfast.tokens"), JSON.stringify({ accessExpiresAt: later }));
  await assert.rejects(tabs[0].access(), { code: "COOKIES" });
});

test("cookies that ended with the browser are the end of the session", async () => {
  const fetch = async () => reply(400, { code: "INVALID_REQUEST", detail: "a body is needed" });
  const tokens = tab({ fetch }, storage(), { transport: "cookie" });
  tokens.set(pair(1, 0));
  await assert.rejects(tokens.fetch("/v1/sessions"), SessionOver);
  assert.ok(!tokens.isSignedIn);
});

test("tickets come with the access token, and the end of the session ends them", async () => {
  const server = api();
  const tokens = tab(server, storage());
  tokens.set(pair(1));
  assert.deepEqual(await ticketsFrom(tokens)(), { ticket: "t", url: "ws://x?ticket=t" });
  tokens.clear();
  await assert.rejects(ticketsFrom(tokens)(), SessionOver);
});

test("what is refused for another reason is an error with its code", async () => {
  const refusals = [
    [reply(429, { code: "TOO_MANY_ATTEMPTS", retryAfterSeconds: 7 }), { code: "TOO_MANY_ATTEMPTS", retryAfterSeconds: 7 }],
    [reply(503, { message: "Service Unavailable" }, { "retry-after": "3" }), { code: "HTTP_503", retryAfterSeconds: 3 }],
    [new Response("<html>", { status: 502 }), { code: "HTTP_502" }],
  ];
  for (const [answer, expected] of refusals) {
    await assert.rejects(ticketsFrom({ fetch: async () => answer })(), (error) => {
      assert.ok(error instanceof HoldfastError && !(error instanceof SessionOver));
      assert.equal(error.code, expected.code);
      assert.equal(error.retryAfterSeconds, expected.retryAfterSeconds);
      return true;
    });
  }
});
