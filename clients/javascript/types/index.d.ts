// The public API. src/ is checked against it (`npm run types`).

/** Where a message lies in its channel. */
export interface Place {
  /** Which numbering; another one makes every offset of the old one meaningless. */
  epoch: string;
  /** 1 for the first message. */
  offset: number;
}

export interface Message<Data = unknown> {
  /** The `messageId` that the publisher was given. */
  id: string;
  /** `user:<userId>`, `topic:<name>` or `broadcast`. */
  channel: string;
  /** What to branch on. */
  kind: string;
  data: Data;
  /** RFC 3339. */
  sentAt: string;
  /** Absent in ephemeral messages. */
  epoch?: string;
  offset?: number;
  /** Has no place in the channel; a missed one is never recovered. */
  ephemeral: boolean;
  /** Its time ran out before it could be recovered: `kind` is `expired`, `data` is null. */
  expired: boolean;
}

/** Messages up to this place may have been missed: load what they would have told. Those after it follow. */
export interface Reload extends Place {
  channel: string;
  /** There was no mark: nothing is known to be missed, everything up to here simply lies before this client. */
  first: boolean;
}

/** `idle` until `start`; `waiting` between connections; `ended` by Holdfast, `stopped` by you: both are final. */
export type State = "idle" | "connecting" | "live" | "waiting" | "ended" | "stopped";

export interface Bye {
  /** `SESSION_ENDED`, `SESSION_EXPIRED`, `REPLACED`, `RATE_LIMITED`, `SHUTDOWN`, `STATE_LOST`. */
  code: string;
  /** For people. */
  reason: string;
  reconnect: boolean;
}

export interface ClientEvents<Data = unknown> {
  /** Each once, in the channel's order. The channel's next waits for what you return. */
  message: Message<Data>;
  /** The channel's messages wait for what you return; if that fails, you are asked again. */
  reload: Reload;
  state: { state: State; retryAt?: number };
  /** Holdfast is about to close the socket. */
  bye: Bye;
  /** There will be no further connection. */
  ended: Bye;
  /** A topic that was subscribed to is no longer yours to read. */
  denied: { channel: string; error: HoldfastError };
  /** What nobody waits for, and what your listeners throw. Without a listener it goes to `console.warn`. */
  error: unknown;
}

/** As much of a WebSocket as the client uses: the browser's, Node 22's, or the class of npm `ws`. */
export interface SocketLike {
  onopen: ((event: any) => any) | null;
  onmessage: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface Ticket {
  /** Where to connect; holds the ticket. */
  url: string;
  /** For `subprotocol`. */
  ticket?: string;
}

export interface MarkStore {
  /** What `save` was given last, or nothing. */
  load(): unknown;
  save(marks: SavedMarks): unknown;
}

export interface SavedMarks {
  v: number;
  channels: { channel: string; epoch: string; offset: number; at: number }[];
}

export interface Clock {
  now(): number;
  setTimeout(work: () => void, ms: number): any;
  clearTimeout(timer: any): void;
}

export interface ClientOptions {
  /** A fresh answer of `POST /v1/push/tickets`; called before every connection. Throw `SessionOver` to end the client. */
  ticket: () => Ticket | Promise<Ticket>;
  /** Where marks outlive the page; without it, messages of the time before are not recovered. */
  marks?: MarkStore;
  /** The global one by default. */
  WebSocket?: new (url: string, protocols?: string[]) => SocketLike;
  /** Send the ticket as a sub-protocol, which keeps it out of logs. AWS only. */
  subprotocol?: boolean;
  /** Back-off between connections; the cap should be the number of your clients ÷ 500 s. Default 1 s, at most 60 s. */
  reconnect?: { baseMs: number; capMs: number };
  /** A socket that does not answer within this is dead. Default 20 s. */
  answerMs?: number;
  /** How long a gap may stay open before it is asked about. Default 3 s. */
  gapMs?: number;
  clock?: Clock;
  /** From 0 to 1. */
  random?: () => number;
  /** Whose `online` and `visibilitychange` to listen to; `globalThis` by default. */
  page?: object;
}

export declare class HoldfastClient<Data = any> {
  constructor(options: ClientOptions);
  readonly state: State;
  readonly connectionId: string;
  /** @returns what takes the listener away */
  on<Type extends keyof ClientEvents>(type: Type, listener: (event: ClientEvents<Data>[Type]) => unknown): () => void;
  /** Connects, and stays connected until `stop` or until the session is over. */
  start(): this;
  stop(): void;
  /** Resolves when messages flow; rejects when they never will. */
  live(): Promise<void>;
  /** Connects now if it is waiting to. */
  reconnect(): void;
  /** Asks now whether anything is missing, and whether the socket lives. */
  check(): void;
  /** Resolves with where the topic stood: what comes later is delivered. Rejects with `FORBIDDEN`, `TOO_MANY_TOPICS`, `INVALID_TOPIC`. */
  subscribe(topic: string): Promise<Place & { channel: string }>;
  unsubscribe(topic: string): Promise<void>;
  /** Who of at most 100 users has a live socket. */
  presence(userIds: string[]): Promise<Record<string, boolean>>;
}

export declare class HoldfastError extends Error {
  constructor(code: string, message: string, more?: { cause?: unknown; retryAfterSeconds?: number });
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;
}

/** Only signing in again helps. */
export declare class SessionOver extends HoldfastError {
  constructor(message?: string, code?: string);
}

/** The socket went before the answer came. */
export declare class ConnectionLost extends HoldfastError {
  constructor(message?: string);
}

/** Marks that end with the page. */
export declare function memoryMarks(): MarkStore;

/** Marks in `sessionStorage`, or another storage; one key per user. */
export declare function webStorageMarks(key: string, storage?: Pick<Storage, "getItem" | "setItem">): MarkStore;

/** `tokens` of a sign-in; where they came as cookies, the answer itself, which says when they expire. */
export interface Tokens {
  accessToken?: string;
  accessExpiresAt: string;
  refreshToken?: string;
}

export interface TokenOptions {
  httpUrl: string;
  /** What the sign-in asked for; `bearer` by default. With `cookie` the storage holds no token, only when it expires. */
  transport?: "bearer" | "cookie";
  /** Shared by all tabs; `localStorage` by default. */
  storage?: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  key?: string;
  /** `navigator.locks` by default; null to do without. */
  locks?: Pick<LockManager, "request"> | null;
  fetch?: typeof fetch;
  now?: () => number;
  sleep?: (ms: number) => Promise<void>;
}

/** One token pair for all tabs, refreshed by one of them at a time. */
export declare class TokenStore {
  constructor(options: TokenOptions);
  readonly isSignedIn: boolean;
  /** After signing in: `tokens` of the answer; the answer itself, where the tokens came as cookies. */
  set(tokens: Tokens): void;
  clear(): void;
  /** An access token that is good for a while; not with cookies. */
  access(): Promise<string>;
  /** `fetch` with the access token; refreshes it when it has to. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** The client's `ticket`, from a token store. */
export declare function ticketsFrom(tokens: Pick<TokenStore, "fetch">): () => Promise<{ ticket: string; url: string }>;
