// One token pair for all tabs of a site, refreshed by one of them at a time; in a storage, or as cookies that no script can read.

import { HoldfastError, SessionOver, errorFrom, unreachable } from "./errors.js";
import { storageOf } from "./storage.js";

/** Refreshed this long before it expires: longer than any request that carries it should take. */
const MARGIN_MS = 30_000;
/** A lost answer is asked for again at once: the old token gives the same pair for ten seconds only (contract: grace). */
const REFRESH_TRIES = 3;
const TRY_MS = 2_500;
/** A lock that a closed tab left behind is void after this. */
const LEASE_MS = 10_000;
/** The codes that say that a session is over. A 401 with another code comes from a proxy or a gateway. */
const OVER = new Set(["INVALID_REFRESH_TOKEN", "REFRESH_TOKEN_REUSED", "UNAUTHENTICATED"]);

/**
 * What is kept. With cookies that is when they expire, and nothing else.
 * @typedef {{accessToken?: string, accessExpiresAt: string, refreshToken?: string, isClockAhead?: boolean}} Tokens
 * @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} KeyValues
 * @typedef {object} TokenOptions
 * @property {string} httpUrl
 * @property {"bearer" | "cookie"} [transport] what the sign-in asked for
 * @property {KeyValues} [storage] shared by the tabs: `localStorage`, or memory where there is none
 * @property {string} [key]
 * @property {Pick<LockManager, "request"> | null} [locks] `navigator.locks`; null where there is none
 * @property {typeof fetch} [fetch]
 * @property {() => number} [now]
 * @property {(ms: number) => Promise<void>} [sleep]
 */

export class TokenStore {
  #httpUrl;
  #isCookie;
  #storage;
  #key;
  #locks;
  #fetch;
  #now;
  #sleep;
  /** @type {Promise<Tokens> | null} */
  #refreshing = null;

  /** @param {TokenOptions} options */
  constructor({ httpUrl, transport, storage, key = "holdfast.tokens", locks, fetch, now, sleep }) {
    this.#httpUrl = httpUrl.replace(/\/+$/, "");
    this.#isCookie = transport === "cookie";
    this.#storage = storage ?? storageOf("localStorage");
    this.#key = key;
    this.#locks = locks === undefined ? globalThis.navigator?.locks ?? null : locks;
    this.#fetch = fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#now = now ?? Date.now;
    this.#sleep = sleep ?? ((ms) => new Promise((done) => setTimeout(done, ms)));
  }

  /**
   * After signing in: `tokens` of the answer; the answer itself, where the tokens came as cookies.
   * @param {Tokens} tokens
   */
  set(tokens) {
    const { accessExpiresAt, isClockAhead } = tokens;
    this.#storage.setItem(this.#key, JSON.stringify(this.#isCookie ? { accessExpiresAt, isClockAhead } : tokens));
  }

  /** Forgets the tokens, here and in every tab that shares the storage. The session itself goes on: see `Account.signOut`. */
  clear() {
    this.#storage.removeItem(this.#key);
  }

  get isCookie() {
    return this.#isCookie;
  }

  get isSignedIn() {
    return this.#read() !== null;
  }

  /**
   * An access token that is good for a while. Rejects with SessionOver when only signing in again helps.
   * @returns {Promise<string>}
   */
  async access() {
    const { accessToken } = await this.#good();
    if (accessToken === undefined) throw new HoldfastError("COOKIES", "The tokens are cookies: use fetch of the token store.");
    return accessToken;
  }

  /**
   * `fetch` with the access token; once more with a new one if that is refused. Rejects with `UNREACHABLE` when no answer comes.
   * @param {string} path from `/v1/…`
   * @param {RequestInit} [init]
   * @returns {Promise<Response>}
   */
  async fetch(path, init = {}) {
    const tokens = await this.#good();
    const answer = await this.#send(path, init, tokens.accessToken);
    if (answer.status !== 401) return answer;
    const { code } = await errorFrom(answer.clone());
    if (code !== "UNAUTHENTICATED") return answer;
    return this.#send(path, init, (await this.#refreshOnce(tokens)).accessToken);
  }

  /**
   * `fetch` without a token, for who is not signed in yet.
   * @param {string} path from `/v1/…`
   * @param {RequestInit} [init]
   * @returns {Promise<Response>}
   */
  anonymous(path, init = {}) {
    return this.#send(path, init);
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   * @param {string} [token]
   */
  async #send(path, init, token) {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    if (this.#isCookie) headers.set("x-holdfast-csrf", "1");
    const credentials = this.#isCookie ? { credentials: /** @type {const} */ ("include") } : {};
    const url = this.#httpUrl + path;
    try {
      return await this.#fetch(url, { ...init, headers, ...credentials });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw unreachable(url, error);
    }
  }

  async #good() {
    const tokens = this.#read();
    if (!tokens) throw new SessionOver("Nobody is signed in.", "UNAUTHENTICATED");
    return this.#isGood(tokens) ? tokens : this.#refreshOnce(tokens);
  }

  /** @returns {Tokens | null} */
  #read() {
    try {
      return JSON.parse(this.#storage.getItem(this.#key) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {Tokens} tokens */
  #isGood(tokens) {
    return tokens.isClockAhead || Date.parse(tokens.accessExpiresAt) - MARGIN_MS > this.#now();
  }

  /**
   * @param {Tokens} refused what is no good any more
   * @returns {Promise<Tokens>}
   */
  #refreshOnce(refused) {
    this.#refreshing ??= this.#alone(async () => {
      const tokens = this.#read();
      if (!tokens) throw new SessionOver("Signed out in another tab.", "UNAUTHENTICATED");
      // Another tab was first: its pair is this one's, too.
      if (!isSame(tokens, refused) && this.#isGood(tokens)) return tokens;
      const fresh = this.#received(await this.#refresh(tokens));
      // Signed out, or in as somebody else, meanwhile: that stands.
      if (isSame(this.#read(), tokens)) this.set(fresh);
      return fresh;
    }).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /**
   * A token that has expired when it arrives has not: this machine's clock is ahead. Such a token is used until the server
   * refuses it. Else every request would refresh.
   * @param {Tokens} fresh
   * @returns {Tokens}
   */
  #received(fresh) {
    return this.#isGood(fresh) ? fresh : { ...fresh, isClockAhead: true };
  }

  /**
   * @param {Tokens} tokens
   * @returns {Promise<Tokens>}
   */
  async #refresh(tokens) {
    const { refreshToken } = tokens;
    const headers = { "content-type": "application/json" };
    const more = this.#isCookie ? {} : { headers, body: JSON.stringify({ refreshToken }) };
    let lost;
    for (let attempt = 0; attempt < REFRESH_TRIES; attempt += 1) {
      let answer;
      try {
        answer = await this.#send("/v1/auth/refresh", { method: "POST", signal: AbortSignal.timeout(TRY_MS), ...more });
        if (answer.ok) return this.#isCookie ? await answer.json() : (await answer.json()).tokens;
      } catch (error) {
        lost = error;
        continue;
      }
      const error = await errorFrom(answer);
      // No refresh cookie was sent: it ended with the browser, or with signing out, and what is kept here did not.
      const isWithoutCookie = this.#isCookie && error.code === "INVALID_REQUEST";
      if (!OVER.has(error.code) && !isWithoutCookie) throw error;
      if (isSame(this.#read(), tokens)) this.clear();
      throw new SessionOver(error.message, error.code, error);
    }
    throw lost instanceof HoldfastError ? lost : unreachable(`${this.#httpUrl}/v1/auth/refresh`, lost);
  }

  /**
   * One tab at a time. Without the browser's locks (a page that is not of a secure origin) by a lease in the storage: two
   * tabs that take it in the same instant both refresh, and within the grace get the same pair.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #alone(work) {
    const name = `${this.#key}.lock`;
    if (this.#locks) return this.#locks.request(name, work);
    const me = Math.random().toString(36).slice(2);
    for (;;) {
      const [owner, until] = (this.#storage.getItem(name) ?? "").split(" ");
      if (owner === me) break;
      const left = Number(until) - this.#now();
      // More than a whole lease left: the clock was set back since.
      const isFree = !owner || !(left > 0) || left > LEASE_MS;
      if (isFree) this.#storage.setItem(name, `${me} ${this.#now() + LEASE_MS}`);
      await this.#sleep(isFree ? 10 : 50);
    }
    try {
      return await work();
    } finally {
      if (this.#storage.getItem(name)?.startsWith(`${me} `)) this.#storage.removeItem(name);
    }
  }
}

/**
 * @param {Tokens | null} one
 * @param {Tokens} other
 */
function isSame(one, other) {
  return one?.accessToken === other.accessToken && one?.accessExpiresAt === other.accessExpiresAt;
}
