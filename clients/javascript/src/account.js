// The routes of accounts, sessions and devices, as methods. A refusal is a HoldfastError with the code of the answer.

import { HoldfastError, SessionOver, errorFrom } from "./errors.js";

/**
 * @typedef {import("./tokens.js").TokenStore} TokenStore
 * @typedef {import("../types/index.d.ts").AccountOptions} AccountOptions
 * @typedef {import("../types/index.d.ts").Reauthentication} Reauthentication
 */

/** Refusals of a re-authentication after which the person may try once more. */
const MISTYPED = new Set(["INVALID_CREDENTIALS", "INVALID_MFA_CODE"]);

export class Account {
  #tokens;
  #ask;
  /** @type {Promise<unknown> | null} */
  #asking = null;

  /**
   * @param {TokenStore} tokens
   * @param {AccountOptions} [options]
   */
  constructor(tokens, { reauthenticate } = {}) {
    this.#tokens = tokens;
    this.#ask = reauthenticate;
  }

  /** @param {{email: string, password: string}} person */
  register({ email, password }) {
    return this.#anonymous("POST", "/v1/users", { email, password });
  }

  /** @param {import("../types/index.d.ts").Credentials} credentials */
  signIn({ email, password, staySignedIn, deviceName, deviceToken }) {
    const transport = this.#tokens.isCookie ? "cookie" : undefined;
    return this.#enter("/v1/auth/login", { email, password, staySignedIn, deviceName, deviceToken, transport });
  }

  /** @param {import("../types/index.d.ts").SecondFactor} answer */
  verify({ mfaSessionId, code, recoveryCode, trustDevice }) {
    return this.#enter("/v1/auth/mfa/verify", { mfaSessionId, code, recoveryCode, trustDevice });
  }

  /** Ends the session and forgets the tokens. When no answer comes, it rejects and keeps them, to be tried again. */
  async signOut() {
    try {
      await this.#request("POST", "/v1/auth/logout");
    } catch (error) {
      if (!(error instanceof SessionOver)) throw error;
    }
    this.#tokens.clear();
  }

  session() {
    return this.#call("GET", "/v1/sessions/current");
  }

  async sessions() {
    return (await this.#call("GET", "/v1/sessions")).sessions;
  }

  /** @param {string} sessionId */
  endSession(sessionId) {
    return this.#call("DELETE", `/v1/sessions/${encodeURIComponent(sessionId)}`);
  }

  /** @param {{keepCurrent: boolean}} which */
  async endSessions({ keepCurrent }) {
    const ended = await this.#call("DELETE", `/v1/sessions?keepCurrent=${keepCurrent}`);
    if (!keepCurrent) this.#tokens.clear();
    return ended;
  }

  /**
   * @param {string} sessionId
   * @param {boolean} trusted
   */
  trust(sessionId, trusted) {
    return this.#call("PUT", `/v1/sessions/${encodeURIComponent(sessionId)}/trust`, { trusted });
  }

  async devices() {
    return (await this.#call("GET", "/v1/devices")).devices;
  }

  /** @param {string} deviceId */
  removeDevice(deviceId) {
    return this.#call("DELETE", `/v1/devices/${encodeURIComponent(deviceId)}`);
  }

  removeAllDevices() {
    return this.#call("DELETE", "/v1/devices");
  }

  /** @param {{currentPassword: string, newPassword: string}} passwords */
  changePassword({ currentPassword, newPassword }) {
    return this.#call("POST", "/v1/auth/password", { currentPassword, newPassword });
  }

  enrollMfa() {
    return this.#call("POST", "/v1/auth/mfa/enroll");
  }

  /** @param {string} code */
  activateMfa(code) {
    return this.#call("POST", "/v1/auth/mfa/activate", { code });
  }

  /** @param {import("../types/index.d.ts").Factor} factor */
  disableMfa({ code, recoveryCode }) {
    return this.#call("DELETE", "/v1/auth/mfa", { code, recoveryCode });
  }

  async renewRecoveryCodes() {
    return (await this.#call("POST", "/v1/auth/mfa/recovery-codes")).recoveryCodes;
  }

  /** @param {Reauthentication} proof */
  reauthenticate({ password, code, recoveryCode }) {
    // An empty field of a form is no code.
    const body = { password, code: code || undefined, recoveryCode: recoveryCode || undefined };
    return this.#request("POST", "/v1/auth/reauthenticate", body);
  }

  /**
   * A route that signs in.
   * @param {string} path
   * @param {object} body
   */
  async #enter(path, body) {
    const answer = await this.#anonymous("POST", path, body);
    // As cookies, the tokens are in no body; the answer says when they expire.
    if (answer.status === "AUTHENTICATED") this.#tokens.set(this.#tokens.isCookie ? answer : answer.tokens);
    return answer;
  }

  /**
   * A route that a session may have to be recent for.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async #call(method, path, body) {
    for (;;) {
      try {
        return await this.#request(method, path, body);
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== "REAUTHENTICATION_REQUIRED" || !this.#ask) throw error;
        // Several calls at once ask the person once.
        this.#asking ??= this.#becomeRecent(error).finally(() => (this.#asking = null));
        await this.#asking;
      }
    }
  }

  /** @param {HoldfastError} required */
  async #becomeRecent(required) {
    const ask = /** @type {NonNullable<AccountOptions["reauthenticate"]>} */ (this.#ask);
    for (let error = required; ; ) {
      const proof = await ask(error);
      // The person gave up.
      if (!proof) throw required;
      try {
        return await this.reauthenticate(proof);
      } catch (refused) {
        if (!(refused instanceof HoldfastError) || !MISTYPED.has(refused.code)) throw refused;
        error = refused;
      }
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   */
  async #request(method, path, body) {
    return read(await this.#tokens.fetch(path, init(method, body)));
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} body
   */
  async #anonymous(method, path, body) {
    return read(await this.#tokens.anonymous(path, init(method, body)));
  }
}

/**
 * @param {string} method
 * @param {object} [body]
 * @returns {RequestInit}
 */
function init(method, body) {
  return body ? { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) } : { method };
}

/** @param {Response} answer */
async function read(answer) {
  if (answer.ok) return answer.json();
  const error = await errorFrom(answer);
  throw error.code === "UNAUTHENTICATED" ? new SessionOver(error.message, error.code, error) : error;
}
