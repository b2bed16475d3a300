// One socket: opening it, one request at a time, not too many a minute, and noticing that it is dead.

import { Timer } from "./backoff.js";
import { ConnectionLost, HoldfastError } from "./errors.js";
import { readFrame } from "./frames.js";

/** Holdfast ends a socket that sends more than 100 frames a minute; the rest is for clocks that differ. */
const FRAMES_PER_MINUTE = 80;
const MINUTE_MS = 60_000;
/** After `bye` Holdfast closes; if that never arrives, this side does. */
const BYE_PATIENCE_MS = 5_000;

/**
 * @typedef {import("./backoff.js").Clock} Clock
 * @typedef {import("./frames.js").ServerFrame} ServerFrame
 * @typedef {import("./frames.js").ByeFrame} ByeFrame
 * @typedef {object} Request
 * @property {object} frame what is sent
 * @property {(frame: ServerFrame) => boolean} accepts whether a frame is the answer
 * @property {(code: string) => boolean} [survives] errors after which the answer may still come
 * @property {(answer: any) => void} resolve
 * @property {(error: HoldfastError) => void} reject
 *
 * @typedef {object} Listeners
 * @property {(frame: ServerFrame) => void} frame everything that came, answers included, before their promise settles
 * @property {(bye: ByeFrame | null, why: HoldfastError) => void} closed once; with what Holdfast said before, and what ended it
 * @property {(error: HoldfastError) => void} error what answers nothing
 */

export class Connection {
  #socket;
  #clock;
  #listeners;
  #answerMs;
  /** @type {Request[]} */
  #waiting = [];
  /** @type {Request | null} */
  #current = null;
  /** @type {number[]} */
  #sentAt = [];
  /** When the last frame went in either direction. */
  #activeAt = 0;
  /** @type {ByeFrame | null} */
  #bye = null;
  #isOpen = false;
  #isOver = false;
  /** What the socket said of its failure. @type {unknown} */
  #cause = undefined;
  #patience;
  #pace;

  /**
   * @param {() => import("./client.js").SocketLike} open
   * @param {{clock: Clock, answerMs: number, listeners: Listeners}} options
   */
  constructor(open, { clock, answerMs, listeners }) {
    this.#clock = clock;
    this.#answerMs = answerMs;
    this.#listeners = listeners;
    this.#patience = new Timer(clock);
    this.#pace = new Timer(clock);
    this.#socket = open();
    this.#patience.set(answerMs, () => this.drop(new HoldfastError("CONNECT_TIMEOUT", `The socket did not open within ${answerMs} ms.`)));
    this.#socket.onopen = () => {
      if (this.#isOver) return;
      this.#isOpen = true;
      this.#activeAt = this.#clock.now();
      this.#patience.clear();
      this.#next();
    };
    this.#socket.onmessage = (event) => this.#hear(event.data);
    this.#socket.onclose = (event) => this.#end(this.#closedBecause(event));
    // A close follows. Browsers say no reason here; npm `ws` does.
    this.#socket.onerror = (event) => void (this.#cause = event?.error);
  }

  /**
   * Sends a frame and waits for its answer. Frames may be processed in any order, so the next goes out after the answer.
   * @template {ServerFrame} [Answer=ServerFrame]
   * @param {object} frame
   * @param {(frame: ServerFrame) => boolean} accepts
   * @param {(code: string) => boolean} [survives]
   * @returns {Promise<Answer>}
   */
  ask(frame, accepts, survives) {
    return new Promise((resolve, reject) => {
      if (this.#isOver || this.#bye) return void reject(new ConnectionLost());
      this.#waiting.push({ frame, accepts, survives, resolve, reject });
      this.#next();
    });
  }

  /** How long no frame went in either direction. */
  get quietMs() {
    return this.#clock.now() - this.#activeAt;
  }

  /** Sends a frame that nobody answers, so that API Gateway does not take the socket for idle. */
  keepAlive() {
    if (this.#isOver || !this.#isOpen || this.#bye) return;
    this.#sentAt.push(this.#clock.now());
    this.#send({ action: "keepalive" });
  }

  /**
   * Ends it from this side, without waiting for the other.
   * @param {HoldfastError} [why]
   */
  drop(why = new ConnectionLost()) {
    if (this.#isOver) return;
    const socket = this.#socket;
    this.#end(why);
    try {
      socket.close(1000);
    } catch {
      // It was not open yet, or no longer.
    }
  }

  #next() {
    if (this.#isOver || !this.#isOpen || this.#bye || this.#current || this.#waiting.length === 0 || this.#pace.isSet) return;
    const now = this.#clock.now();
    this.#sentAt = this.#sentAt.filter((at) => at > now - MINUTE_MS);
    if (this.#sentAt.length >= FRAMES_PER_MINUTE) {
      this.#pace.set(this.#sentAt[0] + MINUTE_MS - now + 1, () => this.#next());
      return;
    }
    this.#sentAt.push(now);
    const request = /** @type {Request} */ (this.#waiting.shift());
    this.#current = request;
    // No answer at all: the socket only looks open.
    const late = () => this.drop(new HoldfastError("ANSWER_TIMEOUT", `No answer came within ${this.#answerMs} ms on an open socket.`));
    this.#patience.set(this.#answerMs, late);
    this.#send(request.frame);
  }

  /** @param {object} frame */
  #send(frame) {
    this.#activeAt = this.#clock.now();
    try {
      this.#socket.send(JSON.stringify(frame));
    } catch (error) {
      this.drop(new HoldfastError("CONNECTION_LOST", "The socket could not send.", { cause: error }));
    }
  }

  /** @param {unknown} data */
  #hear(data) {
    if (this.#isOver) return;
    this.#activeAt = this.#clock.now();
    const frame = readFrame(data);
    if (frame === undefined) return;
    if (frame === null) {
      this.#listeners.error(new HoldfastError("INVALID_FRAME", "A frame came that is not of this protocol."));
      return;
    }
    this.#listeners.frame(frame);
    if (this.#isOver) return;
    if (frame.type === "bye") this.#heardBye(frame);
    else if (frame.type === "error") this.#heardError(frame);
    else if (this.#current?.accepts(frame)) this.#settle((request) => request.resolve(frame));
  }

  /** @param {ByeFrame} bye */
  #heardBye(bye) {
    this.#bye = bye;
    this.#pace.clear();
    this.#patience.set(BYE_PATIENCE_MS, () => this.drop());
  }

  /** @param {import("./frames.js").ErrorFrame} frame */
  #heardError(frame) {
    const error = new HoldfastError(frame.code, frame.detail || frame.code);
    if (!this.#current) this.#listeners.error(error);
    else if (!this.#current.survives?.(frame.code)) this.#settle((request) => request.reject(error));
  }

  /** @param {(request: Request) => void} how */
  #settle(how) {
    const request = /** @type {Request} */ (this.#current);
    this.#current = null;
    if (!this.#bye) this.#patience.clear();
    how(request);
    this.#next();
  }

  /**
   * @param {any} event
   * @returns {HoldfastError}
   */
  #closedBecause(event) {
    const code = event?.code ? ` with code ${event.code}` : "";
    const reason = event?.reason ? ` (${event.reason})` : "";
    const more = { cause: this.#cause };
    if (this.#isOpen) return new HoldfastError("CONNECTION_LOST", `The socket closed${code}${reason}.`, more);
    return new HoldfastError(
      "CONNECTION_FAILED",
      `The socket closed${code}${reason} before it opened: the server is unreachable, the ticket was used or has expired, or allowed_origins lacks this page's origin.`,
      more,
    );
  }

  /** @param {HoldfastError} why */
  #end(why) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#patience.clear();
    this.#pace.clear();
    const left = this.#current ? [this.#current, ...this.#waiting] : this.#waiting;
    this.#current = null;
    this.#waiting = [];
    for (const request of left) request.reject(new ConnectionLost());
    this.#listeners.closed(this.#bye, why);
  }
}
