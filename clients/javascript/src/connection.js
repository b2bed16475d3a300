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
 * @property {(bye: ByeFrame | null) => void} closed once; with what Holdfast said before
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
  /** @type {ByeFrame | null} */
  #bye = null;
  #isOpen = false;
  #isOver = false;
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
    this.#patience.set(answerMs, () => this.drop());
    this.#socket.onopen = () => {
      if (this.#isOver) return;
      this.#isOpen = true;
      this.#patience.clear();
      this.#next();
    };
    this.#socket.onmessage = (event) => this.#hear(event.data);
    this.#socket.onclose = () => this.#end();
    // A close follows; what an error event says is nothing that a page may know.
    this.#socket.onerror = () => {};
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

  /** Ends it from this side, without waiting for the other. */
  drop() {
    if (this.#isOver) return;
    const socket = this.#socket;
    this.#end();
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
    this.#patience.set(this.#answerMs, () => this.drop());
    try {
      this.#socket.send(JSON.stringify(request.frame));
    } catch {
      this.drop();
    }
  }

  /** @param {unknown} data */
  #hear(data) {
    if (this.#isOver) return;
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

  #end() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#patience.clear();
    this.#pace.clear();
    const left = this.#current ? [this.#current, ...this.#waiting] : this.#waiting;
    this.#current = null;
    this.#waiting = [];
    for (const request of left) request.reject(new ConnectionLost());
    this.#listeners.closed(this.#bye);
  }
}
