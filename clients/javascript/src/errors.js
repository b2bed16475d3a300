// What can go wrong, by name.

/** Something Holdfast, or this client, refused. Branch on `code`; `message` is for people. */
export class HoldfastError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{cause?: unknown, retryAfterSeconds?: number}} [more]
   */
  constructor(code, message, more = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}

/** The session is over: only signing in again helps. Thrown by a `ticket` callback, it ends the client. */
export class SessionOver extends HoldfastError {
  /**
   * @param {string} [message]
   * @param {string} [code]
   */
  constructor(message = "The session is over; sign in again.", code = "SESSION_ENDED") {
    super(code, message);
  }
}

/** The socket went before the answer came. What was asked may have happened. */
export class ConnectionLost extends HoldfastError {
  /** @param {string} [message] */
  constructor(message = "The connection was lost before the answer came.") {
    super("CONNECTION_LOST", message);
  }
}
