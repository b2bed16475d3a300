// Finds the access tokens of a request, by the rules of Holdfast's own routes (docs/api.md and docs/sign-in.md).
//
// An `Authorization` header counts before cookies and needs no origin. By cookie, a method other than GET, HEAD and OPTIONS needs an `Origin` on
// the allow-list and `X-Holdfast-CSRF: 1`. A WebSocket handshake by cookie needs an `Origin` on the allow-list.

import { CrossSiteRequest } from "./errors.js";
import { isWellFormed } from "./tokens.js";

const ACCESS_COOKIE = "__Host-holdfast-access";
/** So many cookies of one name are tried. Each costs a call, and a sibling host could plant many. */
const MAX_CANDIDATES = 4;
const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** The parts of a request that identify its caller. */
export class Caller {
  /** @type {[string, string][]} */
  #headers;

  /**
   * @param {string} method
   * @param {import("../types/index.d.ts").HeadersLike} headers
   * @param {readonly string[]} [cookies]
   * @param {boolean} [isHandshake]
   */
  constructor(method, headers, cookies = [], isHandshake = false) {
    this.method = method;
    this.#headers = [...pairs(headers), ...cookies.map((cookie) => /** @type {[string, string]} */ (["cookie", cookie]))];
    // A page of another site can open a socket with the user's cookie, and cannot add a header to it.
    this.isHandshake = isHandshake || this.#all("upgrade").some((value) => /websocket/i.test(value));
  }

  /**
   * All values of a header, by its lower-case name.
   * @param {string} name
   */
  #all(name) {
    return this.#headers.filter(([found]) => found === name).map(([, value]) => value);
  }

  /**
   * The value of a header, by its lower-case name. Several are one list (RFC 9110, section 5.3), as API Gateway joins them.
   * @param {string} name
   */
  #one(name) {
    const values = this.#all(name);
    return values.length ? values.join(",") : undefined;
  }

  /**
   * The distinct values of a cookie, in the order in which they were sent. Only spaces and tabs are trimmed (RFC 6265, section 5.2).
   * @param {string} name
   */
  cookies(name) {
    const values = new Set();
    for (const pair of this.#all("cookie").join(";").split(";")) {
      const at = pair.indexOf("=");
      if (at < 0 || trim(pair.slice(0, at)) !== name) continue;
      const value = trim(pair.slice(at + 1));
      values.add(/^".*"$/s.test(value) ? value.slice(1, -1) : value);
    }
    return [...values];
  }

  /**
   * The tokens to try, in order: that of `Authorization`, else those of the cookie.
   * @param {readonly string[]} allowedOrigins
   * @returns {string[]}
   */
  accessTokens(allowedOrigins) {
    const authorization = this.#one("authorization");
    if (authorization !== undefined) {
      // Two credentials are none, because no token has a comma.
      const token = BEARER.exec(trim(authorization))?.[1];
      return token === undefined ? [] : [token];
    }
    const values = this.cookies(ACCESS_COOKIE);
    const wellFormed = values.filter(isWellFormed).slice(0, MAX_CANDIDATES);
    const tokens = wellFormed.length ? wellFormed : values.slice(0, 1);
    if (tokens.length) this.#refuseOtherSites(allowedOrigins);
    return tokens;
  }

  /** @param {readonly string[]} allowedOrigins */
  #refuseOtherSites(allowedOrigins) {
    const changes = !SAFE_METHODS.includes(this.method);
    if (!changes && !this.isHandshake) return;
    const origin = this.#one("origin");
    if (changes && (origin === undefined || this.#one("x-holdfast-csrf") !== "1")) {
      throw new CrossSiteRequest("With cookies, requests that change something need an allowed `Origin` and `X-Holdfast-CSRF: 1`.");
    }
    if (origin === undefined) throw new CrossSiteRequest("With cookies, a WebSocket handshake needs an allowed `Origin`.");
    if (!allowedOrigins.includes(origin)) throw new CrossSiteRequest("This `Origin` is not on the allow-list.");
  }
}

/**
 * Reads the event of a function behind API Gateway (HTTP, REST or WebSocket API), a function URL or a load balancer.
 * @param {any} event
 */
export function fromEvent(event) {
  const context = event?.requestContext ?? {};
  const isHandshake = typeof context.connectionId === "string";
  const method = event?.httpMethod ?? context.http?.method ?? (isHandshake ? "GET" : undefined);
  if (typeof method !== "string") {
    throw new TypeError("The event is not of an HTTP request: it has neither `httpMethod` nor `requestContext.http.method`.");
  }
  // `headers` of a REST API has the last value of each header only.
  const many = event.multiValueHeaders ?? {};
  return new Caller(method, Object.keys(many).length ? many : (event.headers ?? {}), event.cookies ?? [], isHandshake);
}

/**
 * @param {any} headers
 * @returns {[string, string][]}
 */
function pairs(headers) {
  const entries = typeof headers?.entries === "function" ? [...headers] : Object.entries(headers ?? {});
  return entries.flatMap(([name, value]) =>
    [value].flat().filter((one) => one !== undefined).map((one) => /** @type {[string, string]} */ ([String(name).toLowerCase(), String(one)])));
}

/** @param {string} text */
function trim(text) {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}
