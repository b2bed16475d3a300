// The errors of this kit, one class for each reaction.

/**
 * What an error says besides its code and detail.
 * @typedef {object} ErrorFields
 * @property {number} [status] of Holdfast's answer
 * @property {string} [requestId]
 * @property {number} [retryAfterSeconds]
 */

/** Holdfast, or this kit, refuses a call. No error holds a token, a credential or a body. */
export class HoldfastError extends Error {
  /** The status for the application's own answer. */
  httpStatus = 500;
  /** @type {string | undefined} */
  idempotencyKey;

  /**
   * @param {string} code
   * @param {string} detail
   * @param {ErrorFields} [fields]
   */
  constructor(code, detail, fields = {}) {
    super(`${detail} (${code})`);
    this.name = new.target.name;
    this.code = code;
    this.detail = detail;
    this.status = fields.status;
    this.requestId = fields.requestId;
    this.retryAfterSeconds = fields.retryAfterSeconds;
  }
}

/** The request has no access token of a live session. The user has to sign in. */
export class NoSession extends HoldfastError {
  httpStatus = 401;

  constructor() {
    super("UNAUTHENTICATED", "The request has no access token of a live session.");
  }
}

/** Another site may have caused this request by cookie. The session was not looked up. */
export class CrossSiteRequest extends HoldfastError {
  httpStatus = 403;

  /** @param {string} detail */
  constructor(detail) {
    super("FORBIDDEN", detail);
  }
}

/** The application cannot call Holdfast as it is configured: address, Region, credentials or IAM rights. A retry does not help. */
export class ConfigurationError extends HoldfastError {}

/** Holdfast cannot answer now, so nothing is known about the session. It is never the same as signed out. */
export class Unavailable extends HoldfastError {
  httpStatus = 503;
}

/** Holdfast refuses the call itself. `code` and `detail` say why. */
export class Refused extends HoldfastError {}
