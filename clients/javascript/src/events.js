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
   * Calls everybody; what they promise is waited for, what they throw is reported.
   * @param {string} type
   * @param {unknown} event
   * @returns {boolean | Promise<boolean>} whether nobody failed
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
    const end = () => {
      for (const error of thrown) this.report(error);
      return thrown.length === 0;
    };
    return pending.length > 0 ? Promise.all(pending).then(end) : end();
  }

  /**
   * To the listeners of `error`; one of them that throws is not told about it, which would have no end.
   * @param {unknown} error
   */
  report(error) {
    const listeners = this.#listeners.get("error");
    if (!listeners?.size) console.warn("holdfast:", error);
    for (const listener of [...(listeners ?? [])]) {
      try {
        listener(error);
      } catch (another) {
        console.warn("holdfast:", another);
      }
    }
  }
}
