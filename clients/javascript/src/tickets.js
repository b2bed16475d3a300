// Tickets over HTTP, with the token store's access token.

import { SessionOver, errorFrom } from "./errors.js";

/**
 * @param {Pick<import("./tokens.js").TokenStore, "fetch">} tokens
 * @returns {() => Promise<{ticket: string, url: string}>} the client's `ticket`
 */
export function ticketsFrom(tokens) {
  return async () => {
    const answer = await tokens.fetch("/v1/push/tickets", { method: "POST" });
    if (answer.ok) return answer.json();
    const error = await errorFrom(answer);
    // A 401 with another code is not Holdfast's: a proxy's, say, which knows nothing of the session.
    if (error.code === "UNAUTHENTICATED") throw new SessionOver(error.message, error.code, error);
    throw error;
  };
}
