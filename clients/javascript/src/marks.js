// Where marks live while no page does.

import { storageOf } from "./storage.js";

/** History lasts 24 h: a mark of a topic that nobody asked for again by then recovers nothing. */
export const MARK_LIFE_MS = 24 * 3_600_000;
const VERSION = 1;

/**
 * @typedef {{channel: string, epoch: string, offset: number, at: number}} SavedMark `at`: when it was last moved, in ms
 * @typedef {{v: number, channels: SavedMark[]}} SavedMarks
 * @typedef {object} MarkStore
 * @property {() => unknown} load what was saved, or nothing; may be a promise
 * @property {(marks: SavedMarks) => unknown} save may be a promise; called again only after it
 */

/** @returns {MarkStore} marks that end with the page */
export function memoryMarks() {
  /** @type {SavedMarks | undefined} */
  let kept;
  return { load: () => kept, save: (marks) => void (kept = marks) };
}

/**
 * Marks in the tab's `sessionStorage`: they outlive a reload of the page. Two tabs with one set of marks would skip each
 * other's messages, so `localStorage` is right only where tabs share their state, too. Where there is no storage, as in
 * Node, the marks live in memory.
 * @param {string} key one per user: other people's marks are of no use
 * @param {Pick<Storage, "getItem" | "setItem">} [storage]
 * @returns {MarkStore}
 */
export function webStorageMarks(key, storage = storageOf("sessionStorage")) {
  return {
    load: () => JSON.parse(storage.getItem(key) ?? "null"),
    save: (marks) => storage.setItem(key, JSON.stringify(marks)),
  };
}

/**
 * What of a store's content can be used: all of it, or what is left of it.
 * @param {any} saved
 * @returns {Map<string, SavedMark>}
 */
export function readMarks(saved) {
  const found = new Map();
  for (const mark of saved?.v === VERSION && Array.isArray(saved.channels) ? saved.channels : []) {
    const { channel, epoch, offset, at } = mark ?? {};
    const isWhole = typeof channel === "string" && typeof epoch === "string" && Number.isSafeInteger(offset) && offset >= 0;
    if (isWhole) found.set(channel, { channel, epoch, offset, at: Number.isFinite(at) ? at : 0 });
  }
  return found;
}

/** Saves what is newest; while a save goes on, the next one waits, and what came in between is one save. */
export class MarkKeeper {
  #store;
  #collect;
  #failed;
  #isSaving = false;
  #isDue = false;

  /**
   * @param {MarkStore} store
   * @param {() => SavedMark[]} collect
   * @param {(error: unknown) => void} failed
   */
  constructor(store, collect, failed) {
    this.#store = store;
    this.#collect = collect;
    this.#failed = failed;
  }

  changed() {
    if (this.#isDue) return;
    this.#isDue = true;
    if (!this.#isSaving) queueMicrotask(() => this.#save());
  }

  async #save() {
    this.#isSaving = true;
    while (this.#isDue) {
      this.#isDue = false;
      try {
        await this.#store.save({ v: VERSION, channels: this.#collect() });
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#isSaving = false;
  }
}
