// Sends signed requests, repeats those that may be repeated, and gives each failure its kind.

import { ConfigurationError, Refused, Unavailable } from "./errors.js";
import { Deadline } from "./retries.js";
import { Signer } from "./signing.js";

const USER_AGENT = "holdfast-node/0.2.0";
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
/** Throttled, or temporarily without an answer. Of these only 429 is certain to have had no effect. */
const REPEATED = [429, 502, 503, 504];
/** Codes of failures after which the request certainly was not sent. */
const NOT_SENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"];
const LONGEST_DETAIL = 300;

/**
 * What one attempt came to. Without a status there was no answer; `sent` says whether the request may have arrived.
 * @typedef {{ status: number, body?: any, headers?: Headers, sent: boolean, problem: string, secrets: string[] }} Attempt
 */

/** Sends to one Holdfast. */
export class Transport {
  #timing;
  #timeoutSeconds;
  #signer;

  /**
   * @param {string} url
   * @param {{ region?: string, credentials?: any, timeoutSeconds: number, timing: import("../types/index.d.ts").Timing }} options
   */
  constructor(url, { region, credentials, timeoutSeconds, timing }) {
    this.url = checked(url);
    this.#timing = timing;
    this.#timeoutSeconds = timeoutSeconds;
    this.#signer = new Signer(this.url, region, credentials);
  }

  deadline() {
    return new Deadline(this.#timing, this.#timeoutSeconds);
  }

  /**
   * Posts a body and returns the answer. With `mayRepeat: false` it repeats only a request that certainly had no effect.
   * @param {string} path
   * @param {object} body
   * @param {Deadline} deadline
   * @param {{ mayRepeat?: boolean }} [options]
   * @returns {Promise<{ body: any, setCookies: string[] }>}
   */
  async post(path, body, deadline, { mayRepeat = true } = {}) {
    const text = JSON.stringify(body);
    // An attempt needs this much to be worth its start.
    const needed = this.#timeoutSeconds / 5;
    if (deadline.left() < needed) throw new Unavailable("UNREACHABLE", `There was no time left for POST ${path}.`);
    for (let attempt = 1; ; attempt++) {
      const came = await this.#send(path, text, deadline);
      if (came.status >= 200 && came.status < 300 && came.body) return { body: came.body, setCookies: came.headers?.getSetCookie() ?? [] };
      const maySucceed = came.status ? (mayRepeat ? REPEATED.includes(came.status) : came.status === 429) : mayRepeat || !came.sent;
      const wait = retryAfter(came.headers);
      if (!maySucceed || !(await deadline.pause(attempt, wait, needed))) throw errorOf(path, came, wait);
    }
  }

  /**
   * @param {string} path
   * @param {string} body
   * @param {Deadline} deadline
   * @returns {Promise<Attempt>}
   */
  async #send(path, body, deadline) {
    const url = new URL(this.url.pathname.replace(/\/+$/, "") + path, this.url);
    const abort = new AbortController();
    // Half of the total at most: that leaves room for a second attempt after one that hangs.
    const seconds = Math.max(0.001, Math.min(this.#timeoutSeconds / 2, deadline.left()));
    /** @type {any} */
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        reject(new Late());
        abort.abort();
      }, seconds * 1_000);
    });
    late.catch(() => {});
    /** @type {string[]} */
    let secrets = [];
    let sent = false;
    try {
      const signing = this.#signer.sign(url, { "content-type": "application/json", accept: "application/json" }, body);
      signing.catch(() => {});
      const signed = await Promise.race([signing, late]);
      secrets = signed.secrets;
      sent = true;
      const headers = { ...signed.headers, "user-agent": USER_AGENT };
      // A redirect would carry the signature and the token to another place.
      const answer = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal: abort.signal });
      const text = await answer.text();
      return { status: answer.status, body: objectOf(text), headers: answer.headers, sent, problem: "", secrets };
    } catch (error) {
      if (!sent && !(error instanceof Late)) throw error;
      const problem = error instanceof Late || abort.signal.aborted ? "no answer came in time" : codeOf(error);
      return { status: 0, sent: sent && !NOT_SENT.includes(problem), problem, secrets };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The time of an attempt has ended. */
class Late extends Error {}

/** @param {string} text */
function checked(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    // Answered below.
  }
  if (!url || !["https:", "http:"].includes(url.protocol) || url.search || url.hash || url.username) {
    throw new ConfigurationError("INVALID_URL", "The address of Holdfast must be the `httpUrl` of `make outputs`.");
  }
  if (url.protocol === "http:" && !LOOPBACK.includes(url.hostname)) {
    throw new ConfigurationError("INVALID_URL", "The address of Holdfast must begin with https://, except on this machine.");
  }
  return url;
}

/** @param {string} text */
function objectOf(text) {
  try {
    const found = JSON.parse(text);
    return found !== null && typeof found === "object" && !Array.isArray(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The code of a failure of `fetch`. Its message may name what was sent, so it is not used.
 * @param {any} error
 */
function codeOf(error) {
  return String(error?.cause?.code ?? error?.cause?.name ?? error?.name ?? "no answer");
}

/**
 * The seconds of `Retry-After`: a number, or a date by the server's clock (RFC 9110, section 10.2.3).
 * @param {Headers | undefined} headers
 */
function retryAfter(headers) {
  const value = headers?.get("retry-after")?.trim();
  if (!value) return undefined;
  if (/^[0-9]+$/.test(value)) return Number(value);
  const seconds = (Date.parse(value) - Date.parse(headers?.get("date") ?? new Date().toUTCString())) / 1_000;
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

/**
 * The error of an attempt that is not repeated.
 * @param {string} path
 * @param {Attempt} came
 * @param {number | undefined} retryAfterSeconds
 */
function errorOf(path, { status, body, headers, problem, secrets }, retryAfterSeconds) {
  if (!status) return new Unavailable("UNREACHABLE", `Holdfast does not answer POST ${path} (${problem}).`);
  const ownCode = typeof body?.code === "string" ? body.code : undefined;
  const said = [body?.detail, body?.message, body?.Message, body?.title].find((text) => typeof text === "string");
  const code = ownCode ?? `HTTP_${status}`;
  const detail = without(secrets, said ?? "") || `POST ${path} was answered with HTTP ${status}.`;
  const requestId = ["x-request-id", "apigw-requestid", "x-amzn-requestid"].map((name) => headers?.get(name)).find(Boolean) ?? undefined;
  const fields = { status, requestId, retryAfterSeconds };
  if (status >= 200 && status < 300) {
    return new Unavailable("UNEXPECTED_ANSWER", `POST ${path} was answered with HTTP ${status} and no JSON object.`, fields);
  }
  if (status >= 500 || status === 429) return new Unavailable(code, detail, fields);
  if ((status === 401 || status === 403) && [undefined, "FORBIDDEN", "UNAUTHENTICATED"].includes(ownCode)) {
    const hint = `The credentials of this process need execute-api:Invoke on POST ${path}, and a signature for the Region of Holdfast.`;
    return new ConfigurationError(code, `${detail} ${hint}`, fields);
  }
  if (ownCode === undefined && (status < 400 || status === 404 || status === 405)) {
    return new ConfigurationError(code, `${detail} The address may not be that of Holdfast: use \`httpUrl\` of \`make outputs\`.`, fields);
  }
  return new Refused(code, detail, fields);
}

/**
 * The first line of a text, without secrets. AWS answers a wrong signature with the whole request that it has signed.
 * @param {string[]} secrets
 * @param {string} text
 */
function without(secrets, text) {
  const line = secrets.reduce((rest, secret) => rest.replaceAll(secret, "…"), text.split(/[\r\n]/, 1)[0]);
  return line.slice(0, LONGEST_DETAIL);
}
