// Tickets over HTTP, with the token store's access token.

import { HoldfastError, SessionOver } from "./errors.js";
import { problem } from "./tokens.js";

/**
 * @param {Pick<import("./tokens.js").TokenStore, "fetch">} tokens
 * @returns {() => Promise<{ticket: string, url: string}>} the client's `ticket`
 */
export function ticketsFrom(tokens) {
  return async () => {
    const answer = await tokens.fetch("/v1/push/tickets", { method: "POST" });
    if (answer.ok) return answer.json();
    const { code, detail, retryAfterSeconds } = await problem(answer);
    if (answer.status === 401) throw new SessionOver(detail, code);
    throw new HoldfastError(code, detail, { retryAfterSeconds });
  };
}
