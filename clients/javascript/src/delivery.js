// Handing over, one after another: a channel's next message waits for whoever still works on the last one.

/**
 * @template Item
 */
export class Delivery {
  /** @type {Item[]} */
  #items = [];
  #isBusy = false;
  #isOver = false;
  #hand;

  /** @param {(item: Item) => unknown} hand never throws; what it promises is waited for, and must not reject */
  constructor(hand) {
    this.#hand = hand;
  }

  /** @param {Item} item */
  push(item) {
    this.#items.push(item);
    if (!this.#isBusy) this.#drain();
  }

  /** @returns {Item[]} what has not been handed over, and never is */
  end() {
    this.#isOver = true;
    return this.#items.splice(0);
  }

  #drain() {
    this.#isBusy = true;
    while (this.#items.length > 0) {
      const done = this.#hand(/** @type {Item} */ (this.#items.shift()));
      if (done instanceof Promise) {
        done.then(() => this.#isOver || this.#drain());
        return;
      }
    }
    this.#isBusy = false;
  }
}
