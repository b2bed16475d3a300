// Listeners, called in the order in which they came.

export class Emitter {
  /** @type {Map<string, Set<(event: any) => unknown>>} */
  #listeners = new Map();

  /**
   * @param {string} type
   * @param {(event: any) => unknown} listener
   * @returns {() => void} takes it away again
   */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /**
   * Calls everybody; what they promise is waited for.
   * @param {string} type
   * @param {unknown} event
   * @returns {unknown[] | Promise<unknown[]>} what was thrown
   */
  emit(type, event) {
    /** @type {unknown[]} */
    const thrown = [];
    const pending = [];
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      try {
        const done = listener(event);
        if (done instanceof Promise) pending.push(done.catch((error) => thrown.push(error)));
      } catch (error) {
        thrown.push(error);
      }
    }
    return pending.length > 0 ? Promise.all(pending).then(() => thrown) : thrown;
  }

  /** @param {string} type */
  has(type) {
    return (this.#listeners.get(type)?.size ?? 0) > 0;
  }
}
