// The client: one connection after another, the same channels over all of them.

import { Timer, between, fullJitter, systemClock } from "./backoff.js";
import { Connection } from "./connection.js";
import { AGAIN, Conversation } from "./conversation.js";
import { ConnectionLost, HoldfastError, SessionOver } from "./errors.js";
import { Emitter } from "./events.js";
import { isTopic } from "./frames.js";
import { memoryMarks } from "./marks.js";
import { isHidden, listenToThePage } from "./page.js";
import { Reader } from "./reader.js";

const MINUTE_MS = 60_000;
/**
 * API Gateway ends a socket after 10 minutes without a frame in either direction. So a keep-alive follows this silence. In a hidden
 * page the timer may be a minute late.
 */
const KEEP_ALIVE_MS = { hidden: 525_000, shown: 580_000 };
/** A keep-alive that comes later than this finds no socket. */
const IDLE_MS = 10 * MINUTE_MS;
/** After this silence a page that is shown again, or the return of the network, is a reason to ask. */
const DOUBT_MS = 4 * MINUTE_MS;
/** API Gateway ends every socket after 2 hours. The `hello` of the next one also asks whether anything is missing. */
const RENEW_MS = /** @type {const} */ ([105 * MINUTE_MS, 115 * MINUTE_MS]);
/** A socket that lived this long was a good one: the next back-off begins anew. */
const STABLE_MS = MINUTE_MS;
/** Holdfast counts frames by the minute. */
const RATE_LIMITED_MS = MINUTE_MS;
/** API Gateway accepts 500 new sockets a second: the cap suits 30 000 clients that come back at once. */
const RECONNECT = { baseMs: 1_000, capMs: MINUTE_MS };
const ANSWER_MS = 20_000;
const GAP_MS = 3_000;
/** Users one `presence` may ask about. */
const MAX_PRESENCE = 100;

/**
 * @typedef {import("./channel.js").Place} Place
 * @typedef {import("./frames.js").ServerFrame} ServerFrame
 * @typedef {import("./frames.js").ByeFrame} ByeFrame
 * @typedef {import("../types/index.d.ts").ClientOptions} ClientOptions
 * @typedef {import("../types/index.d.ts").SocketLike} SocketLike
 * @typedef {import("../types/index.d.ts").State} State
 */

export class HoldfastClient {
  #options;
  #clock;
  #random;
  #events = new Emitter();
  #reader;
  /** @type {State} */
  #state = "idle";
  /** @type {Connection | null} */
  #connection = null;
  /** Which attempt to connect this is: what an older one still does is of no interest. */
  #turn = 0;
  #attempt = 0;
  #liveAt = 0;
  #heardAt = 0;
  #connectionId = "";
  #conversation;
  /** Before this time the server does not want to be asked again. */
  #notBefore = 0;
  /** Which `start` this is: what an earlier one still does is of no interest. */
  #run = 0;
  #retry;
  #keepAlive;
  #renew;
  #ignoreThePage = () => {};

  /** @param {ClientOptions} options */
  constructor(options) {
    this.#options = { answerMs: ANSWER_MS, reconnect: RECONNECT, ...options };
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#retry = new Timer(this.#clock);
    this.#keepAlive = new Timer(this.#clock);
    this.#renew = new Timer(this.#clock);
    this.#reader = new Reader(options.marks ?? memoryMarks(), {
      hands: {
        message: (channel, frame) => this.#handMessage(channel, frame),
        reload: (channel, place, isFirst) => this.#handReload(channel, place, isFirst, 0),
      },
      now: () => this.#clock.now(),
      failed: (error) => this.#events.report(error),
    });
    this.#conversation = new Conversation(this.#reader, {
      clock: this.#clock,
      random: this.#random,
      gapMs: options.gapMs ?? GAP_MS,
      welcomed: (connectionId) => this.#welcomed(connectionId),
      denied: (channel, error) => this.#events.emit("denied", { channel, error }),
      failed: (error) => this.#events.report(error),
    });
  }

  get state() {
    return this.#state;
  }

  /** The gateway's name for the present socket. */
  get connectionId() {
    return this.#state === "live" ? this.#connectionId : "";
  }

  /**
   * @param {string} type
   * @param {(event: any) => unknown} listener
   */
  on(type, listener) {
    return this.#events.on(type, listener);
  }

  /**
   * Connects, and stays connected until `stop` or until the session is over. Does nothing while it runs; starts anew when it was
   * stopped or has ended. Throws where there is no WebSocket.
   */
  start() {
    if (this.#isRunning) return this;
    this.#socketClass();
    this.#run += 1;
    this.#attempt = 0;
    this.#notBefore = 0;
    this.#ignoreThePage = listenToThePage(this.#options.page ?? globalThis, {
      online: () => this.#wake(true),
      visible: () => this.#wake(this.#clock.now() - this.#heardAt > DOUBT_MS),
      // Its timers may be late from now on.
      hidden: () => this.#staySeen(),
    });
    this.#change("connecting");
    this.#load(++this.#turn);
    return this;
  }

  /**
   * Disconnects, and ends every subscription. What was received but not handed over comes after the next `start`, by the marks.
   */
  stop() {
    if (this.#isOver) return;
    this.#finish("stopped", new HoldfastError("STOPPED", "The client was stopped."));
  }

  /** Resolves when messages flow; rejects when they never will. */
  live() {
    const asked = new Promise((/** @type {(done: void) => void} */ resolve, reject) => {
      const check = () => {
        if (this.#state === "live") resolve();
        else if (this.#isOver) reject(this.#overError());
        else return false;
        return true;
      };
      if (check()) return;
      const off = this.on("state", () => check() && off());
    });
    asked.catch(() => {});
    return asked;
  }

  /** Connects now, without waiting any longer. */
  reconnect() {
    if (this.#state === "waiting") this.#connect();
  }

  /** Asks now whether anything is missing, instead of when the next socket is opened. A dead socket is found out, too. */
  check() {
    if (this.#state === "live") this.#sendPing();
  }

  /**
   * Rejects when the topic is refused; `denied` says so, too, so that a promise that nobody looks at ends no process.
   * @param {string} topic
   * @returns {Promise<Place & {channel: string}>} where the topic stood: what comes later is delivered
   */
  subscribe(topic) {
    const asked = new Promise((/** @type {(place: Place & {channel: string}) => void} */ resolve, reject) => {
      if (!isTopic(topic)) {
        throw new HoldfastError("INVALID_TOPIC", "A topic has 1 to 128 of A-Z a-z 0-9 . _ : -");
      }
      if (this.#isOver) throw this.#overError();
      this.#conversation.subscribe(`topic:${topic}`, { resolve, reject });
    });
    asked.catch((error) => error.code === "INVALID_TOPIC" && this.#events.report(error));
    return asked;
  }

  /**
   * @param {string} topic
   * @returns {Promise<void>}
   */
  unsubscribe(topic) {
    const asked = this.#conversation.unsubscribe(`topic:${topic}`);
    asked.catch((error) => this.#events.report(error));
    return asked;
  }

  /**
   * @param {string[]} userIds
   * @returns {Promise<Record<string, boolean>>}
   */
  async presence(userIds) {
    if (userIds.length > MAX_PRESENCE) {
      throw new HoldfastError("INVALID_FRAME", `Ask about at most ${MAX_PRESENCE} users at once.`);
    }
    await this.live();
    if (!this.#connection) throw new ConnectionLost();
    /** @type {import("./frames.js").PresenceFrame} */
    const { online } = await this.#connection.ask({ action: "presence", userIds }, ({ type }) => type === "presence");
    return online;
  }

  get #isRunning() {
    return this.#state === "connecting" || this.#state === "live" || this.#state === "waiting";
  }

  get #isOver() {
    return this.#state === "ended" || this.#state === "stopped";
  }

  /** @returns {new (url: string, protocols?: string[]) => SocketLike} */
  #socketClass() {
    const found = this.#options.WebSocket ?? /** @type {any} */ (globalThis).WebSocket;
    if (found) return found;
    throw new HoldfastError(
      "NO_WEBSOCKET",
      "There is no global WebSocket here: Node has one from version 22. Run `npm install ws` and pass its class: " +
        'new HoldfastClient({ WebSocket: (await import("ws")).WebSocket, … }).',
    );
  }

  #overError() {
    return this.#state === "stopped" ? new HoldfastError("STOPPED", "The client was stopped.") : new SessionOver();
  }

  /** @param {number} turn */
  async #load(turn) {
    try {
      await this.#reader.load();
    } catch (error) {
      // Without marks messages begin anew, as on a first visit, with `reload`.
      this.#events.report(error);
    }
    if (turn === this.#turn) this.#connect();
  }

  /** @param {{url: string, ticket?: string}} [ready] */
  async #connect(ready) {
    this.#retry.clear();
    this.#change("connecting");
    const turn = ++this.#turn;
    let ticket;
    try {
      ticket = ready ?? (await this.#ticket());
    } catch (error) {
      if (turn === this.#turn) this.#noTicket(error);
      return;
    }
    if (turn !== this.#turn) return;
    try {
      this.#open(ticket);
    } catch (error) {
      this.#wait(0, error);
    }
  }

  /** @returns {Promise<{url: string, ticket?: string}>} */
  #ticket() {
    return new Promise((resolve, reject) => {
      const patience = new Timer(this.#clock);
      const late = new HoldfastError("UNREACHABLE", `No ticket within ${this.#options.answerMs} ms.`);
      patience.set(this.#options.answerMs, () => reject(late));
      Promise.resolve()
        .then(() => this.#options.ticket())
        .then(resolve, reject)
        .finally(() => patience.clear());
    });
  }

  /** @param {any} error */
  #noTicket(error) {
    const isOver = error instanceof SessionOver;
    if (!isOver) return this.#wait((error?.retryAfterSeconds ?? 0) * 1_000, error);
    if (this.#reported(error)) this.#end({ type: "bye", code: error.code, reason: error.message, reconnect: false });
  }

  /**
   * @param {unknown} error
   * @returns {boolean} whether to go on: a listener may have stopped the client
   */
  #reported(error) {
    const turn = this.#turn;
    this.#events.report(error);
    return turn === this.#turn;
  }

  /** @param {{url: string, ticket?: string}} ticket */
  #open({ url, ticket }) {
    const Socket = this.#socketClass();
    const bySubprotocol = this.#options.subprotocol && ticket;
    /** @type {Connection} */
    const connection = new Connection(
      () => (bySubprotocol ? new Socket(url.split("?")[0], ["holdfast.v1", `ticket.${ticket}`]) : new Socket(url)),
      {
        clock: this.#clock,
        answerMs: this.#options.answerMs,
        listeners: {
          frame: (frame) => connection === this.#connection && this.#hear(frame),
          closed: (bye, why) => connection === this.#connection && this.#closed(bye, why),
          error: (error) => this.#events.report(error),
        },
      },
    );
    this.#connection = connection;
    this.#conversation.begin(connection);
  }

  /** @param {ServerFrame} frame */
  #hear(frame) {
    this.#heardAt = this.#clock.now();
    this.#conversation.hear(frame);
    if (frame.type === "bye") this.#events.emit("bye", bare(frame));
  }

  /** @param {string} connectionId */
  #welcomed(connectionId) {
    this.#connectionId = connectionId;
    if (this.#state === "live") return;
    this.#liveAt = this.#clock.now();
    this.#staySeen();
    this.#renew.set(between(...RENEW_MS, this.#random), () => this.#replace());
    this.#change("live");
  }

  /** @param {boolean} isDoubtful whether the socket may be dead */
  #wake(isDoubtful) {
    if (this.#clock.now() >= this.#notBefore) this.reconnect();
    if (isDoubtful) this.check();
  }

  /** Keeps the socket from being idle. Frames in either direction do that, too. */
  #staySeen() {
    const connection = this.#connection;
    if (!connection) return;
    const quietMs = connection.quietMs;
    const limitMs = isHidden(this.#options.page ?? globalThis) ? KEEP_ALIVE_MS.hidden : KEEP_ALIVE_MS.shown;
    // This machine slept. The socket looks open, but API Gateway has ended it.
    if (quietMs >= IDLE_MS) this.#sendPing();
    else if (quietMs >= limitMs) connection.keepAlive();
    const next = [KEEP_ALIVE_MS.hidden, KEEP_ALIVE_MS.shown].find((ms) => ms > connection.quietMs);
    const waitMs = next === undefined ? KEEP_ALIVE_MS.hidden : next - connection.quietMs;
    this.#keepAlive.set(Math.min(waitMs, KEEP_ALIVE_MS.hidden), () => this.#staySeen());
  }

  #sendPing() {
    // An error is as good a sign of life as a pong; no answer at all ends the connection.
    this.#connection?.ask({ action: "ping" }, ({ type }) => type === "pong").catch(() => {});
  }

  /** A new socket before the gateway ends this one: the ticket first, so that little time passes in between. */
  async #replace() {
    const connection = this.#connection;
    let ticket;
    try {
      ticket = await this.#ticket();
    } catch (error) {
      if (connection !== this.#connection) return;
      if (error instanceof SessionOver) return this.#noTicket(error);
      this.#events.report(error);
      this.#renew.set(MINUTE_MS, () => this.#replace());
      return;
    }
    if (connection !== this.#connection) return;
    this.#leave();
    this.#connect(ticket);
  }

  /**
   * @param {ByeFrame | null} bye
   * @param {HoldfastError} why
   */
  #closed(bye, why) {
    const wasLive = this.#state === "live";
    this.#leave();
    if (bye && !bye.reconnect) return this.#end(bye);
    const restMs = bye?.code === "RATE_LIMITED" ? RATE_LIMITED_MS : 0;
    // Nothing else would say why this client does not become live.
    this.#wait(restMs, wasLive || bye ? null : why);
  }

  /** Lets go of the connection. */
  #leave() {
    const connection = this.#connection;
    this.#connection = null;
    this.#conversation.end();
    this.#keepAlive.clear();
    this.#renew.clear();
    if (this.#state === "live" && this.#clock.now() - this.#liveAt >= STABLE_MS) this.#attempt = 0;
    connection?.drop();
  }

  #backOff() {
    const wait = fullJitter(this.#attempt, this.#options.reconnect, this.#random);
    this.#attempt += 1;
    return wait;
  }

  /**
   * @param {number} restMs what the server asked for; the back-off comes after it, so that not all clients come at once
   * @param {unknown} [why] what to report
   */
  #wait(restMs, why = null) {
    if (why !== null && !this.#reported(why)) return;
    const now = this.#clock.now();
    const ms = restMs + this.#backOff();
    this.#notBefore = now + restMs;
    this.#retry.set(ms, () => this.#connect());
    this.#change("waiting", now + ms);
  }

  /** @param {ByeFrame} bye */
  #end(bye) {
    this.#finish("ended", new SessionOver(bye.reason, bye.code));
    this.#events.emit("ended", bare(bye));
  }

  /**
   * @param {State} state
   * @param {HoldfastError} why
   */
  #finish(state, why) {
    this.#turn += 1;
    this.#retry.clear();
    this.#leave();
    this.#ignoreThePage();
    this.#conversation.giveUp(why);
    this.#reader.end();
    this.#change(state);
  }

  /**
   * @param {State} state
   * @param {number} [retryAt]
   */
  #change(state, retryAt) {
    if (state === this.#state) return;
    this.#state = state;
    this.#events.emit("state", retryAt === undefined ? { state } : { state, retryAt });
  }

  /**
   * @param {string} channel
   * @param {import("./frames.js").MessageFrame} frame
   */
  #handMessage(channel, frame) {
    const { id, kind, data, sentAt, epoch, offset } = frame;
    const isExpired = offset !== undefined && kind === "expired" && data === null;
    const message = { id, channel, kind, data, sentAt, epoch, offset, ephemeral: offset === undefined, expired: isExpired };
    return this.#events.emit("message", message);
  }

  /**
   * The state has to be loaded anew; the channel's messages wait until it is.
   * @param {string} channel
   * @param {Place} place
   * @param {boolean} first
   * @param {number} attempt
   * @returns {boolean | Promise<boolean>} whether it is
   */
  #handReload(channel, place, first, attempt) {
    const run = this.#run;
    const again = async () => {
      await this.#sleep(fullJitter(attempt, AGAIN, this.#random));
      return this.#isOver || run !== this.#run ? false : this.#handReload(channel, place, first, attempt + 1);
    };
    const done = this.#events.emit("reload", { channel, ...place, first });
    if (done instanceof Promise) return done.then((isDone) => isDone || again());
    return done || again();
  }

  /** @param {number} ms */
  #sleep(ms) {
    return new Promise((/** @type {(done: void) => void} */ done) => this.#clock.setTimeout(done, ms));
  }
}

/** @param {ByeFrame} bye */
function bare({ code, reason, reconnect }) {
  return { code, reason, reconnect };
}
