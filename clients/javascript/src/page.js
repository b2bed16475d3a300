// What a browser's page knows and timers do not: that the network is back, that somebody looks again.

/**
 * Browsers run the timers of a hidden page once a minute.
 * @param {any} page `globalThis`, or what stands in for it
 */
export function isHidden(page) {
  return page.document?.visibilityState === "hidden";
}

/**
 * @param {any} page `globalThis`, or what stands in for it
 * @param {{online: () => void, visible: () => void, hidden: () => void}} tell
 * @returns {() => void} stops listening
 */
export function listenToThePage(page, { online, visible, hidden }) {
  if (typeof page.addEventListener !== "function") return () => {};
  const seen = () => (isHidden(page) ? hidden() : visible());
  page.addEventListener("online", online);
  page.document?.addEventListener?.("visibilitychange", seen);
  return () => {
    page.removeEventListener("online", online);
    page.document?.removeEventListener?.("visibilitychange", seen);
  };
}
