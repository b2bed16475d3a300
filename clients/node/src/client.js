// The client: verify, publish, create a session.

import { HoldfastError, NoSession, Unavailable } from "./errors.js";
import { Caller, fromEvent } from "./requests.js";
import { TIMING } from "./retries.js";
import { canBeToken } from "./tokens.js";
import { Transport } from "./transport.js";

const INTROSPECT = "/v1/sessions/introspect";
const SESSIONS = "/v1/sessions";
const MESSAGES = "/v1/messages";

/** @typedef {import("../types/index.d.ts").Session} Session */

/** A client of one Holdfast. Create it once for the process. */
export class Holdfast {
  #allowedOrigins;
  #transport;

  /**
   * @param {string} url `httpUrl` of `make outputs`
   * @param {import("../types/index.d.ts").Options} [options]
   */
  constructor(url, { allowedOrigins = [], timeoutSeconds = 5, region, credentials, timing = TIMING } = {}) {
    if (!Array.isArray(allowedOrigins)) throw new TypeError("`allowedOrigins` is a list of origins.");
    if (!(timeoutSeconds > 0)) throw new RangeError("`timeoutSeconds` must be more than 0.");
    this.#allowedOrigins = [...allowedOrigins];
    this.#transport = new Transport(url, { region, credentials, timeoutSeconds, timing });
  }

  /**
   * Returns the live session of an access token.
   * @param {string | null | undefined} token
   */
  async verify(token) {
    return this.#verify(token, this.#transport.deadline());
  }

  /**
   * Returns the live session of a request, by bearer token or cookie.
   * @param {{ method?: string, headers: import("../types/index.d.ts").HeadersLike }} request
   */
  async verifyRequest({ method, headers }) {
    return this.#verifyAny(new Caller(String(method), headers));
  }

  /**
   * Returns the live session of the request in the event of a Lambda function, as `verifyRequest`.
   * @param {object} event
   */
  async verifyEvent(event) {
    return this.#verifyAny(fromEvent(event));
  }

  /**
   * @param {Caller} caller
   * @returns {Promise<Session>}
   */
  async #verifyAny(caller) {
    const deadline = this.#transport.deadline();
    // A stale cookie may come before the valid one.
    for (const token of caller.accessTokens(this.#allowedOrigins)) {
      try {
        return await this.#verify(token, deadline);
      } catch (error) {
        if (!(error instanceof NoSession)) throw error;
      }
    }
    throw new NoSession();
  }

  /**
   * @param {string | null | undefined} token
   * @param {import("./retries.js").Deadline} deadline
   * @returns {Promise<Session>}
   */
  async #verify(token, deadline) {
    if (token !== null && token !== undefined && typeof token !== "string") throw new TypeError("An access token is a text.");
    if (!token || !canBeToken(token)) throw new NoSession();
    const { body } = await this.#transport.post(INTROSPECT, { token }, deadline);
    if (body.active === false) throw new NoSession();
    return checkedSession(INTROSPECT, body.active === true ? body.session : undefined);
  }

  /**
   * Publishes a message to users, to a topic or to every client.
   * @param {import("../types/index.d.ts").Message} message
   */
  async publish({ userIds, topic, broadcast, kind, data = null, idempotencyKey = crypto.randomUUID(), ttlSeconds, ephemeral }) {
    const targets = [userIds && { userIds }, topic !== undefined && { topic }, broadcast && { broadcast }].filter(Boolean);
    if (targets.length !== 1) throw new TypeError("Publish to one of `userIds`, `topic` and `broadcast`.");
    if (userIds && !Array.isArray(userIds)) throw new TypeError("`userIds` is a list of user ids.");
    const message = { to: targets[0], kind, data, idempotencyKey, ttlSeconds, ephemeral: ephemeral || undefined };
    try {
      const { body } = await this.#transport.post(MESSAGES, message, this.#transport.deadline());
      if (typeof body.messageId !== "string") throw unexpected(MESSAGES);
      return { ...body, duplicate: body.duplicate === true, idempotencyKey };
    } catch (error) {
      if (error instanceof HoldfastError) error.idempotencyKey = idempotencyKey;
      throw error;
    }
  }

  /**
   * Makes a session for a user whom this application has authenticated (`POST /v1/sessions`). It is not safe to repeat, so it is repeated only if
   * Holdfast certainly did not process it: there was no connection, or the answer was 429.
   * @param {import("../types/index.d.ts").NewSessionRequest} request
   * @returns {Promise<import("../types/index.d.ts").NewSession>}
   */
  async createSession(request) {
    const { body, setCookies } = await this.#transport.post(SESSIONS, request, this.#transport.deadline(), { mayRepeat: false });
    return concealed({ session: checkedSession(SESSIONS, body.session), effective: body.effective, withinSeconds: body.withinSeconds }, { tokens: body.tokens, setCookies });
  }
}

/**
 * A session. An answer of another form is no statement about it.
 * @param {string} path
 * @param {any} session
 * @returns {Session}
 */
function checkedSession(path, session) {
  const isText = (/** @type {string} */ name) => typeof session?.[name] === "string";
  const isSession = ["sessionId", "userId", "authenticatedAt", "expiresAt"].every(isText) && typeof session.claims === "object" && session.claims !== null;
  if (!isSession) throw unexpected(path);
  return session;
}

/** @param {string} path */
function unexpected(path) {
  return new Unavailable("UNEXPECTED_ANSWER", `The answer to POST ${path} does not have the form of docs/api.md.`);
}

/**
 * Adds secrets to an object so that `console.log` and `JSON.stringify` do not show them.
 * @param {any} object
 * @param {Record<string, unknown>} secrets
 */
function concealed(object, secrets) {
  for (const [name, value] of Object.entries(secrets)) Object.defineProperty(object, name, { value, enumerable: false });
  return object;
}
