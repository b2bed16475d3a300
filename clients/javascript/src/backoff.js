// Waiting at random. Full jitter: anything from nothing to the limit, so that clients that fell together do not come together
// (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).

/**
 * @param {number} attempt 0 for the first
 * @param {{baseMs: number, capMs: number}} limits
 * @param {() => number} random from 0 to 1
 */
export function fullJitter(attempt, limits, random) {
  return random() * Math.min(limits.capMs, limits.baseMs * 2 ** Math.min(attempt, 30));
}

/**
 * @param {number} from
 * @param {number} to
 * @param {() => number} random from 0 to 1
 */
export function between(from, to, random) {
  return from + random() * (to - from);
}

/**
 * Time as the client uses it. Tests bring their own.
 * @typedef {{now(): number, setTimeout(work: () => void, ms: number): any, clearTimeout(timer: any): void}} Clock
 * @type {Clock}
 */
export const systemClock = {
  now: () => Date.now(),
  setTimeout: (work, ms) => setTimeout(work, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

/** A timer that is set anew, or not at all; never two at once. */
export class Timer {
  /** @type {any} */
  #timer = null;
  #clock;

  /** @param {Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  get isSet() {
    return this.#timer !== null;
  }

  /**
   * @param {number} ms
   * @param {() => void} work
   */
  set(ms, work) {
    this.clear();
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      work();
    }, ms);
  }

  clear() {
    if (this.#timer !== null) this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
