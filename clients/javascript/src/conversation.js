// What is said on whichever socket there is: hello, subscriptions, and asking again for what does not come.

import { Timer, fullJitter } from "./backoff.js";
import { ConnectionLost, HoldfastError } from "./errors.js";

/** Between tries on a socket that is open. A choice, not part of the protocol. */
export const AGAIN = { baseMs: 1_000, capMs: 30_000 };

/**
 * @typedef {import("./channel.js").Place} Place
 * @typedef {import("./connection.js").Connection} Connection
 * @typedef {import("./frames.js").ServerFrame} ServerFrame
 * @typedef {import("./reader.js").Reader} Reader
 * @typedef {{resolve(place: Place & {channel: string}): void, reject(error: HoldfastError): void}} Waiter
 *
 * @typedef {object} Means
 * @property {import("./backoff.js").Clock} clock
 * @property {() => number} random
 * @property {number} gapMs
 * @property {(connectionId: string) => void} welcomed
 * @property {(channel: string, error: HoldfastError) => void} denied a channel that is refused
 * @property {(error: unknown) => void} failed
 */

export class Conversation {
  #reader;
  #means;
  /** @type {Connection | null} */
  #connection = null;
  #isWelcome = false;
  /** The marks of the last `hello`. @type {Map<string, Place>} */
  #asked = new Map();
  #isAsking = false;
  /** Errors since then; they name no channel. @type {HoldfastError[]} */
  #refusals = [];
  /** Askings in a row that closed no gap. */
  #fruitless = 0;
  /** @type {Map<string, Waiter[]>} */
  #waiters = new Map();
  #gap;

  /**
   * @param {Reader} reader
   * @param {Means} means
   */
  constructor(reader, means) {
    this.#reader = reader;
    this.#means = means;
    this.#gap = new Timer(means.clock);
  }

  /** @param {Connection} connection */
  begin(connection) {
    this.#connection = connection;
    this.#hello();
  }

  /** The socket is gone. */
  end() {
    this.#connection = null;
    this.#isWelcome = false;
    this.#isAsking = false;
    this.#gap.clear();
    this.#reader.unserve();
  }

  /**
   * There will be no further socket until the client is started anew.
   * @param {HoldfastError} why
   */
  giveUp(why) {
    const all = [...this.#waiters.values()].flat();
    this.#waiters.clear();
    this.#fruitless = 0;
    for (const { reject } of all) reject(why);
  }

  /** @param {ServerFrame} frame applied here and now: what follows it in the same instant finds it applied */
  hear(frame) {
    if (frame.type === "message") this.#reader.message(frame);
    else if (frame.type === "welcome" && this.#isAsking) this.#welcomed(frame);
    else if (frame.type === "subscribed" && this.#reader.subscribed(frame)) this.#confirm(frame);
    else if (frame.type === "pong" && this.#reader.pong(frame.channels)) this.#hello();
    else if (frame.type === "error" && this.#isAsking) this.#refusals.push(new HoldfastError(frame.code, frame.detail));
    this.#watch();
  }

  /**
   * @param {string} name
   * @param {Waiter} waiter
   */
  subscribe(name, waiter) {
    const { channel, isServed } = this.#reader.open(name);
    if (isServed && channel.mark) return waiter.resolve({ channel: name, ...channel.mark });
    const waiters = this.#waiters.get(name) ?? [];
    this.#waiters.set(name, [...waiters, waiter]);
    if (this.#isWelcome && waiters.length === 0) this.#ask(name);
  }

  /** @param {string} name */
  async unsubscribe(name) {
    this.#deny(name, new HoldfastError("UNSUBSCRIBED", `Unsubscribed from ${name}.`));
    const isAnswer = (/** @type {ServerFrame} */ frame) => frame.type === "unsubscribed" && frame.channel === name;
    for (let attempt = 0; this.#connection && !this.#reader.get(name); attempt += 1) {
      try {
        return void (await this.#connection.ask({ action: "unsubscribe", topic: topicOf(name) }, isAnswer));
      } catch (error) {
        // The next socket does not ask for it.
        if (error instanceof ConnectionLost) return;
        if (!isUnavailable(error)) throw error;
        await this.#pause(attempt);
      }
    }
  }

  #hello() {
    const connection = this.#connection;
    if (!connection || this.#isAsking) return;
    this.#isAsking = true;
    this.#refusals = [];
    const channels = this.#reader.marks();
    this.#asked = new Map(channels.map(({ channel, epoch, offset }) => [channel, { epoch, offset }]));
    const survives = (/** @type {string} */ code) => code === "FORBIDDEN" || code === "TOO_MANY_TOPICS";
    connection.ask({ action: "hello", channels }, ({ type }) => type === "welcome", survives).catch((error) => {
      if (connection !== this.#connection || error instanceof ConnectionLost) return;
      this.#isAsking = false;
      if (!isUnavailable(error)) this.#means.failed(error);
      this.#helloLater();
    });
  }

  #helloLater() {
    this.#fruitless += 1;
    this.#gap.set(fullJitter(this.#fruitless, AGAIN, this.#means.random), () => this.#hello());
  }

  /** @param {import("./frames.js").WelcomeFrame} frame one that was asked for: a repeated one tells of a past */
  #welcomed({ connectionId, channels }) {
    this.#isAsking = false;
    this.#gap.clear();
    this.#reader.welcome(channels, this.#asked);
    for (const place of channels) if (this.#reader.get(place.channel)?.isServed) this.#confirm(place);
    const named = new Set(channels.map(({ channel }) => channel));
    const absent = [...this.#asked.keys()].filter((name) => !named.has(name) && this.#reader.get(name));
    const refusals = this.#refusals.filter((error) => !isUnavailable(error));
    // An error does not say, in a form to rely on, which channel it is about. All of them, or ask once more.
    if (absent.length > 0 && refusals.length === absent.length) absent.forEach((name, i) => this.#deny(name, refusals[i]));
    else if (absent.length > 0) this.#helloLater();
    this.#isWelcome = true;
    this.#means.welcomed(connectionId);
    for (const [name, { isServed, channel }] of this.#reader.topics()) {
      if (!isServed && (channel.mark === null || !this.#asked.has(name))) this.#ask(name);
    }
  }

  /** @param {Place & {channel: string}} place */
  #confirm({ channel, epoch, offset }) {
    const waiters = this.#waiters.get(channel) ?? [];
    this.#waiters.delete(channel);
    for (const { resolve } of waiters) resolve({ channel, epoch, offset });
  }

  /**
   * A topic that this socket does not serve yet: by `hello` where there is a mark, else from now on.
   * @param {string} name
   */
  #ask(name, attempt = 0) {
    const connection = this.#connection;
    if (!connection) return;
    if (this.#reader.get(name)?.channel.mark) return this.#hello();
    const isAnswer = (/** @type {ServerFrame} */ frame) => frame.type === "subscribed" && frame.channel === name;
    connection.ask({ action: "subscribe", topic: topicOf(name) }, isAnswer).catch(async (error) => {
      if (error instanceof ConnectionLost) return;
      if (!isUnavailable(error)) return this.#deny(name, error);
      await this.#pause(attempt);
      if (connection === this.#connection && this.#reader.get(name)?.isServed === false) this.#ask(name, attempt + 1);
    });
  }

  /**
   * A channel that is not to be had, or not wanted.
   * @param {string} name
   * @param {HoldfastError} error
   */
  #deny(name, error) {
    const waiters = this.#waiters.get(name) ?? [];
    const wasThere = this.#reader.get(name) !== undefined;
    this.#waiters.delete(name);
    this.#reader.close(name);
    for (const { reject } of waiters) reject(error);
    if (wasThere && error.code !== "UNSUBSCRIBED") this.#means.denied(name, error);
  }

  /** While something is missing: gives it time to come, then asks for it. */
  #watch() {
    if (!this.#reader.isBehind) {
      if (this.#isWelcome && !this.#isAsking) this.#fruitless = 0;
      return;
    }
    if (!this.#isWelcome || this.#isAsking || this.#gap.isSet) return;
    this.#reader.watch();
    this.#gap.set(Math.min(this.#means.gapMs * 2 ** Math.min(this.#fruitless, 30), AGAIN.capMs), () => {
      if (this.#reader.isStuck) {
        this.#fruitless += 1;
        this.#hello();
      } else {
        this.#fruitless = 0;
        this.#watch();
      }
    });
  }

  /** @param {number} attempt */
  #pause(attempt) {
    const { clock, random } = this.#means;
    return new Promise((/** @type {(done: void) => void} */ done) => clock.setTimeout(done, fullJitter(attempt, AGAIN, random)));
  }
}

/** @param {string} name */
function topicOf(name) {
  return name.slice("topic:".length);
}

/** @param {unknown} error */
function isUnavailable(error) {
  return error instanceof HoldfastError && error.code === "UNAVAILABLE";
}
