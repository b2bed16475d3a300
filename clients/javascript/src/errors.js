// What can go wrong, by name.

/**
 * What an error says besides its code and message.
 * @typedef {object} ErrorFields
 * @property {unknown} [cause]
 * @property {number} [status] of the HTTP answer
 * @property {string} [title] what was refused
 * @property {string} [detail] what to do about it; the message by default
 * @property {number} [retryAfterSeconds]
 * @property {string} [requestId]
 * @property {number} [attemptsRemaining]
 */

/** Something Holdfast, or this client, refused. Branch on `code`; `message` is for people. */
export class HoldfastError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {ErrorFields} [fields]
   */
  constructor(code, message, fields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = new.target.name;
    this.code = code;
    this.status = fields.status;
    this.title = fields.title;
    this.detail = fields.detail ?? message;
    this.retryAfterSeconds = fields.retryAfterSeconds;
    this.requestId = fields.requestId;
    this.attemptsRemaining = fields.attemptsRemaining;
  }
}

/** The session is over: only signing in again helps. Thrown by a `ticket` callback, it ends the client. */
export class SessionOver extends HoldfastError {
  /**
   * @param {string} [message]
   * @param {string} [code]
   * @param {ErrorFields} [fields]
   */
  constructor(message = "The session is over; sign in again.", code = "SESSION_ENDED", fields = {}) {
    super(code, message, fields);
  }
}

/** The socket went before the answer came. What was asked may have happened. */
export class ConnectionLost extends HoldfastError {
  /** @param {string} [message] */
  constructor(message = "The connection was lost before the answer came.") {
    super("CONNECTION_LOST", message);
  }
}

/**
 * The error that an HTTP answer tells of. Answers that API Gateway or a proxy makes have another form: their code is
 * `HTTP_<status>`.
 * @param {Response} answer
 * @returns {Promise<HoldfastError>}
 */
export async function errorFrom(answer) {
  const said = await answer.json().catch(() => null);
  const code = text(said?.code) ?? `HTTP_${answer.status}`;
  const title = text(said?.title);
  const detail = text(said?.detail) ?? text(said?.message) ?? title ?? `The server answered HTTP ${answer.status}.`;
  return new HoldfastError(code, sentences(title, detail), {
    status: answer.status,
    title,
    detail,
    retryAfterSeconds: retryAfter(said?.retryAfterSeconds ?? answer.headers.get("retry-after"), answer.headers.get("date")),
    requestId: text(said?.requestId) ?? answer.headers.get("x-request-id") ?? undefined,
    attemptsRemaining: typeof said?.attemptsRemaining === "number" ? said.attemptsRemaining : undefined,
  });
}

/**
 * No answer came at all.
 * @param {string} url
 * @param {unknown} cause
 */
export function unreachable(url, cause) {
  const origin = /** @type {any} */ (globalThis).location?.origin;
  const hint = origin ? ` If it is reachable, its allowed_origins may lack this page's origin, ${origin}.` : "";
  const server = /^https?:\/\/[^/]+/.exec(url)?.[0] ?? "the server";
  return new HoldfastError("UNREACHABLE", `No answer came from ${server}.${hint}`, { cause });
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * @param {string | undefined} title
 * @param {string} detail
 */
function sentences(title, detail) {
  if (title === undefined || title === detail) return detail;
  return `${title}${/[.!?:]$/.test(title) ? "" : "."} ${detail}`;
}

/**
 * `Retry-After` is a number of seconds or a date (RFC 9110, section 10.2.3).
 * @param {unknown} value
 * @param {string | null} date the server's clock, which the date is of
 */
function retryAfter(value, date) {
  if (value === null || value === "") return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const until = Date.parse(String(value)) - (date ? Date.parse(date) : Date.now());
  return Number.isFinite(until) ? Math.max(0, until / 1_000) : undefined;
}
