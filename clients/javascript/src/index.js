// Push that loses nothing: every message of a channel once, in order, over reconnects. The protocol is docs/websocket.md.

export { Account } from "./account.js";
export { HoldfastClient } from "./client.js";
export { ConnectionLost, HoldfastError, SessionOver, errorFrom } from "./errors.js";
export { memoryMarks, webStorageMarks } from "./marks.js";
export { memoryStorage } from "./storage.js";
export { ticketsFrom } from "./tickets.js";
export { TokenStore } from "./tokens.js";
