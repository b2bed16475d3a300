// One channel as its reader sees it: the mark, what waits for a gap to close, what was seen. No time, no network.

/** Frames held while a gap is open. A `hello` brings back at most 1 000; live ones come in between. */
const MAX_HELD = 2_000;
/** Ids remembered: several times what one `hello` can bring back. */
const MAX_SEEN = 5_000;

/** The newest ids, as many as there is room for; over all channels, so that they outlive a subscription. */
export class Seen {
  #ids = new Set();

  /** @param {string} id */
  isNew(id) {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > MAX_SEEN) this.#ids.delete(this.#ids.values().next().value);
    return true;
  }

  /** @param {string} id of a message that was not handed over after all */
  forget(id) {
    this.#ids.delete(id);
  }
}

/**
 * @typedef {{epoch: string, offset: number}} Place
 * @typedef {import("./frames.js").MessageFrame} MessageFrame
 * @typedef {{place: Place | null, frame: MessageFrame | null}} Ready a message to hand over, in order; without a frame, a
 *   place that is passed over because its message was handed over before
 */

export class Channel {
  /**
   * The highest place with none missing below it. Moved by messages, and by `restart`; by nothing else.
   * @type {Place | null}
   */
  mark;
  /**
   * The newest place that is known to exist.
   * @type {Place | null}
   */
  #head = null;
  /** @type {Map<string, MessageFrame>} */
  #held = new Map();
  #seen;

  /**
   * @param {string} name
   * @param {Seen} [seen]
   * @param {Place | null} [mark]
   */
  constructor(name, seen = new Seen(), mark = null) {
    this.name = name;
    this.#seen = seen;
    this.mark = mark;
  }

  /** Whether something is known to be missing, or the numbering may have changed: `hello` answers both. */
  get isBehind() {
    const { mark } = this;
    const head = this.#head;
    return mark !== null && head !== null && (head.epoch !== mark.epoch || head.offset > mark.offset);
  }

  /**
   * A message came. What can be handed over now: nothing, it, or it and what had waited for it.
   * @param {MessageFrame} frame
   * @returns {Ready[]}
   */
  receive(frame) {
    if (frame.offset === undefined) return this.#seen.isNew(frame.id) ? [{ place: null, frame }] : [];
    const place = { epoch: frame.epoch, offset: frame.offset };
    const { mark } = this;
    const known = mark !== null && mark.epoch === place.epoch;
    if (known && place.offset <= mark.offset) return [];
    this.#raise(place);
    const isNext = known && place.offset === mark.offset + 1;
    if (isNext || this.#held.size < MAX_HELD) this.#held.set(key(place), frame);
    return this.#release();
  }

  /**
   * `pong` or `welcome` said where the channel is. That moves no mark.
   * @param {Place} place
   * @param {{recovered?: boolean}} [by] a `welcome` settles which numbering holds
   */
  reach(place, by = {}) {
    if (by.recovered && place.epoch === this.mark?.epoch) this.#settle(place, 0);
    else this.#raise(place);
  }

  /**
   * `subscribed`, or `welcome` with `recovered:false`: from here on, whatever was missed.
   * @param {Place} place
   * @param {Place | null} [asked] the mark that the `hello` carried: a mark that went past `place` meanwhile stays
   * @returns {{from: Place, ready: Ready[]}} after which place its messages go on, and those that are here already
   */
  restart(place, asked = null) {
    const { mark } = this;
    const sameRun = asked !== null && asked.epoch === place.epoch && asked.offset <= place.offset;
    const isPast = sameRun && mark !== null && mark.epoch === place.epoch && mark.offset > place.offset;
    const from = isPast ? mark : place;
    this.mark = from;
    this.#settle(place, from.offset);
    return { from, ready: this.#release() };
  }

  /** @param {Place} place */
  #raise(place) {
    const head = this.#head;
    if (head === null || head.epoch !== place.epoch || head.offset < place.offset) this.#head = place;
  }

  /** @returns {Ready[]} */
  #release() {
    const ready = [];
    for (let mark = this.mark; mark !== null; mark = this.mark) {
      const next = { epoch: mark.epoch, offset: mark.offset + 1 };
      const frame = this.#held.get(key(next));
      if (frame === undefined) break;
      this.#held.delete(key(next));
      this.mark = next;
      ready.push({ place: next, frame: this.#seen.isNew(frame.id) ? frame : null });
    }
    return ready;
  }

  /**
   * This numbering holds and no other; of what is held, what lies after `from` is still wanted.
   * @param {Place} place
   * @param {number} from
   */
  #settle(place, from) {
    this.#head = place;
    for (const [name, { epoch = "", offset = 0 }] of this.#held) {
      if (epoch !== place.epoch || offset <= from) this.#held.delete(name);
      else this.#raise({ epoch, offset });
    }
  }
}

/** @param {Place} place */
function key(place) {
  return `${place.offset}/${place.epoch}`;
}
