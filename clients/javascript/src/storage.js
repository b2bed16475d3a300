// Where values live: a browser's storage, or memory where there is none.

/**
 * @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} KeyValues
 */

/** @returns {KeyValues} a storage that ends with the page or process */
export function memoryStorage() {
  /** @type {Map<string, string>} */
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

/**
 * @param {"localStorage" | "sessionStorage"} name
 * @returns {KeyValues} memory where there is no such storage, as in Node, or the browser forbids it
 */
export function storageOf(name) {
  try {
    return globalThis[name] ?? memoryStorage();
  } catch {
    return memoryStorage();
  }
}
