// When a call is repeated: back-off with full jitter, never past the total time-out of the call.

export const MAX_ATTEMPTS = 4;
const FIRST_WAIT_SECONDS = 0.1;
const LONGEST_WAIT_SECONDS = 1;

/**
 * The clock (seconds), the pause and the chance that retries use. Tests replace them.
 * @type {import("../types/index.d.ts").Timing}
 */
export const TIMING = {
  now: () => performance.now() / 1_000,
  sleep: (seconds) => new Promise((done) => setTimeout(done, seconds * 1_000)),
  random: Math.random,
};

/** The total time-out of one call. All attempts and all candidates of a request share it. */
export class Deadline {
  #timing;
  #until;

  /**
   * @param {import("../types/index.d.ts").Timing} timing
   * @param {number} seconds
   */
  constructor(timing, seconds) {
    this.#timing = timing;
    this.#until = timing.now() + seconds;
  }

  /** The remaining seconds. */
  left() {
    return this.#until - this.#timing.now();
  }

  /**
   * Waits before the next attempt. Returns false, without a wait, if no further attempt of `needed` seconds fits. The jitter comes on top of
   * `Retry-After`, so that clients that were refused together do not return together.
   * @param {number} attempt
   * @param {number | undefined} retryAfter
   * @param {number} needed
   */
  async pause(attempt, retryAfter, needed) {
    const longest = Math.min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1));
    const wait = (retryAfter ?? 0) + this.#timing.random() * longest;
    if (attempt >= MAX_ATTEMPTS || wait + needed > this.left()) return false;
    await this.#timing.sleep(wait);
    return true;
  }
}
