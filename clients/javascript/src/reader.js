// All channels of a client: what frames do to their marks, what is handed over, what is saved.

import { Channel, Seen } from "./channel.js";
import { Delivery } from "./delivery.js";
import { MARK_LIFE_MS, MarkKeeper, readMarks } from "./marks.js";

/**
 * @typedef {import("./channel.js").Place} Place
 * @typedef {import("./channel.js").Ready} Ready
 * @typedef {import("./frames.js").MessageFrame} MessageFrame
 * @typedef {import("./frames.js").Position} Position
 * @typedef {import("./marks.js").SavedMark} SavedMark
 * @typedef {Ready | {reload: Place, isFirst: boolean}} Item
 * @typedef {object} Entry
 * @property {Channel} channel
 * @property {Delivery<Item>} delivery
 * @property {Place | null} done the mark as far as everything up to it has been handed over: what is saved
 * @property {number} at when that was
 * @property {Place | null} watched the mark when the watch began
 * @property {boolean} isServed whether the present socket gets it
 *
 * @typedef {object} Hands
 * @property {(channel: string, frame: MessageFrame) => unknown} message never throws, and its promise never rejects
 * @property {(channel: string, place: Place, isFirst: boolean) => boolean | Promise<boolean>} reload never
 *   throws; false: it did not work out, and nothing of the channel is handed over any more
 */

export class Reader {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** Marks of topics that nobody has asked for yet. @type {Map<string, SavedMark>} */
  #remembered = new Map();
  #seen = new Seen();
  #hands;
  #now;
  #store;
  #keeper;
  /** @type {Promise<unknown> | null} */
  #loading = null;

  /**
   * @param {import("./marks.js").MarkStore} store
   * @param {{hands: Hands, now: () => number, failed: (error: unknown) => void}} options
   */
  constructor(store, { hands, now, failed }) {
    this.#store = store;
    this.#hands = hands;
    this.#now = now;
    this.#keeper = new MarkKeeper(store, () => [...this.#collect().values()], failed);
  }

  /** Takes up where the last page, or the last start, left off. */
  async load() {
    // Once: after that the marks here are the newest.
    await (this.#loading ??= this.#read());
    for (const name of [...this.#remembered.keys()]) {
      if (!name.startsWith("topic:") || this.#entries.has(name)) this.open(name);
    }
  }

  async #read() {
    try {
      for (const [name, mark] of readMarks(await this.#store.load())) {
        const isTopic = name.startsWith("topic:");
        if (!isTopic || mark.at > this.#now() - MARK_LIFE_MS) this.#remembered.set(name, mark);
      }
    } catch (error) {
      this.#loading = null;
      throw error;
    }
  }

  /** Every channel with a mark, as `hello` names them: one that it leaves out begins anew. */
  marks() {
    const marks = [];
    for (const [channel, { channel: { mark } }] of this.#entries) if (mark) marks.push({ channel, ...mark });
    return marks;
  }

  /**
   * @param {string} name
   * @returns {Entry}
   */
  open(name) {
    const entry = this.#entries.get(name) ?? this.#create(name);
    const kept = this.#remembered.get(name);
    this.#remembered.delete(name);
    if (kept && entry.channel.mark === null) {
      const place = { epoch: kept.epoch, offset: kept.offset };
      Object.assign(entry, { done: place, at: kept.at });
      entry.channel.mark = place;
    }
    return entry;
  }

  /** @param {string} name */
  get(name) {
    return this.#entries.get(name);
  }

  /** @param {string} name */
  close(name) {
    this.#entries.get(name)?.delivery.end();
    this.#entries.delete(name);
    this.#remembered.delete(name);
    this.#keeper.changed();
  }

  /** Nothing more is handed over until `load`. What has not been handed over counts as not seen, so that it can come again. */
  end() {
    for (const { delivery } of this.#entries.values()) {
      for (const item of delivery.end()) if ("frame" in item && item.frame) this.#seen.forget(item.frame.id);
    }
    this.#remembered = this.#collect();
    this.#entries.clear();
  }

  topics() {
    return [...this.#entries].filter(([name]) => name.startsWith("topic:"));
  }

  /** Another socket: nothing is known to be served on it. */
  unserve() {
    for (const entry of this.#entries.values()) entry.isServed = false;
  }

  /** @param {MessageFrame} frame */
  message(frame) {
    // A topic that is not, or no longer, wanted. The other two come unasked, perhaps before `welcome` has named them.
    const entry = frame.channel.startsWith("topic:") ? this.#entries.get(frame.channel) : this.open(frame.channel);
    if (entry) this.#hand(entry, entry.channel.receive(frame));
  }

  /**
   * @param {(Position & {recovered: boolean})[]} channels
   * @param {Map<string, Place>} asked the marks that the `hello` carried
   */
  welcome(channels, asked) {
    for (const { channel: name, recovered, epoch, offset } of channels) {
      const entry = name.startsWith("topic:") ? this.#entries.get(name) : this.open(name);
      // A topic without a mark was left and asked for again since: what this says of it is past.
      if (!entry || (name.startsWith("topic:") && entry.channel.mark === null)) continue;
      entry.isServed = true;
      const isFirst = entry.channel.mark === null;
      if (recovered && !isFirst) {
        entry.channel.reach({ epoch, offset }, { recovered });
        continue;
      }
      const { from, ready } = entry.channel.restart({ epoch, offset }, asked.get(name));
      entry.delivery.push({ reload: from, isFirst });
      this.#hand(entry, ready);
    }
  }

  /**
   * @param {Position} at
   * @returns {boolean} whether it was wanted
   */
  subscribed({ channel: name, epoch, offset }) {
    const entry = this.#entries.get(name);
    if (!entry) return false;
    entry.isServed = true;
    if (entry.channel.mark !== null) {
      // Subscribed before, by a frame whose answer was late: the mark stands, and says what is missing.
      entry.channel.reach({ epoch, offset });
      return true;
    }
    const { from, ready } = entry.channel.restart({ epoch, offset });
    entry.delivery.push({ place: from, frame: null });
    this.#hand(entry, ready);
    return true;
  }

  /**
   * @param {Position[]} channels
   * @returns {boolean} whether to say hello
   */
  pong(channels) {
    const named = new Set();
    for (const { channel: name, epoch, offset } of channels) {
      named.add(name);
      this.#entries.get(name)?.channel.reach({ epoch, offset });
    }
    // A topic that the socket has lost.
    const isMissing = this.topics().some(([name, entry]) => entry.isServed && !named.has(name));
    return isMissing || this.isBehind;
  }

  get isBehind() {
    return [...this.#entries.values()].some(({ channel }) => channel.isBehind);
  }

  /** Remembers where the channels stand. */
  watch() {
    for (const entry of this.#entries.values()) entry.watched = entry.channel.isBehind ? entry.channel.mark : null;
  }

  /** Whether a channel that is behind has not moved since. */
  get isStuck() {
    return [...this.#entries.values()].some(
      ({ channel, watched }) => channel.isBehind && channel.mark !== null && channel.mark === watched,
    );
  }

  /** @param {string} name */
  #create(name) {
    /** @type {Entry} */
    const entry = {
      channel: new Channel(name, this.#seen),
      delivery: new Delivery((item) => this.#deliver(entry, item)),
      done: null,
      at: this.#now(),
      watched: null,
      isServed: false,
    };
    this.#entries.set(name, entry);
    return entry;
  }

  /**
   * @param {Entry} entry
   * @param {Ready[]} ready
   */
  #hand(entry, ready) {
    for (const item of ready) entry.delivery.push(item);
  }

  /**
   * @param {Entry} entry
   * @param {Item} item
   */
  #deliver(entry, item) {
    const { name } = entry.channel;
    const place = "reload" in item ? item.reload : item.place;
    /** @type {unknown} */
    let done = true;
    if ("reload" in item) done = this.#hands.reload(name, item.reload, item.isFirst);
    else if (item.frame) done = this.#hands.message(name, item.frame);
    const settle = (/** @type {unknown} */ result) => {
      // A message that its listener failed on was handed over all the same.
      if ("reload" in item && result === false) return entry.delivery.end();
      if (place === null) return;
      entry.done = place;
      entry.at = this.#now();
      this.#keeper.changed();
    };
    return done instanceof Promise ? done.then(settle) : settle(done);
  }

  #collect() {
    const saved = new Map(this.#remembered);
    for (const [channel, { done, at }] of this.#entries) if (done) saved.set(channel, { channel, ...done, at });
    return saved;
  }
}
