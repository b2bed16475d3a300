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

/** `idle` until `start`; `waiting` between connections; `ended` by Holdfast, `stopped` by you, until the next `start`. */
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
  /** There will be no further connection until `start` is called again. */
  ended: Bye;
  /** A topic is refused: at `subscribe`, whose promise rejects with the same error, or later, at a reconnect. */
  denied: { channel: string; error: HoldfastError };
  /**
   * A ticket that was refused, a socket that did not open, a frame that is not of the protocol: a `HoldfastError`. What your
   * listeners throw comes here, too. Without a listener, errors go to `console.warn`. The client retries by itself.
   */
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
  /** The global one by default. Node has one from version 22; before that, pass the class of npm `ws`. */
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
  /**
   * Connects, and stays connected until `stop` or until the session is over. Does nothing while the client runs; starts it anew when
   * it was stopped or has ended. Throws `NO_WEBSOCKET` where there is none.
   */
  start(): this;
  /** Disconnects and ends every subscription. Listeners and marks stay: after `start` messages go on where they stopped. */
  stop(): void;
  /** Resolves when messages flow; rejects when they never will. */
  live(): Promise<void>;
  /** Connects now if it is waiting to. */
  reconnect(): void;
  /** Asks now whether anything is missing, and whether the socket lives. */
  check(): void;
  /**
   * Resolves with where the topic stood: what comes later is delivered. Rejects with `FORBIDDEN`, `TOO_MANY_TOPICS`,
   * `INVALID_TOPIC`, `STOPPED`, or the code of the session's end. Other subscriptions are not affected.
   */
  subscribe(topic: string): Promise<Place & { channel: string }>;
  unsubscribe(topic: string): Promise<void>;
  /** Who of at most 100 users has a live socket. */
  presence(userIds: string[]): Promise<Record<string, boolean>>;
}

/** Codes of Holdfast's answers (docs/api.md). */
export type ApiErrorCode =
  | "ACCOUNT_DISABLED"
  | "CHANNEL_BUSY"
  | "EMAIL_TAKEN"
  | "FORBIDDEN"
  | "INTERNAL"
  | "INVALID_CREDENTIALS"
  | "INVALID_MFA_CODE"
  | "INVALID_REFRESH_TOKEN"
  | "INVALID_REQUEST"
  | "METHOD_NOT_ALLOWED"
  | "MFA_ALREADY_ENABLED"
  | "MFA_EXPIRED"
  | "NOT_FOUND"
  | "PAYLOAD_TOO_LARGE"
  | "PRECONDITION_FAILED"
  | "REAUTHENTICATION_REQUIRED"
  | "REFRESH_TOKEN_REUSED"
  | "REGISTRATION_CLOSED"
  | "TOO_MANY_ATTEMPTS"
  | "UNAUTHENTICATED"
  | "UNAVAILABLE";

/** Codes of the WebSocket protocol's `error` and `bye` frames (docs/websocket.md), besides those above. */
export type PushErrorCode =
  | "INVALID_FRAME"
  | "INVALID_TOPIC"
  | "RATE_LIMITED"
  | "REPLACED"
  | "SESSION_ENDED"
  | "SESSION_EXPIRED"
  | "SHUTDOWN"
  | "STATE_LOST"
  | "TOO_MANY_TOPICS"
  | "UNKNOWN_ACTION";

/** Codes of errors that this client finds by itself. */
export type ClientErrorCode =
  /** An open socket gave no answer. */
  | "ANSWER_TIMEOUT"
  /** The socket closed before it opened. */
  | "CONNECTION_FAILED"
  /** The socket closed before the answer came. */
  | "CONNECTION_LOST"
  /** The socket did not open in time. */
  | "CONNECT_TIMEOUT"
  /** `access` was called, and the tokens are cookies. */
  | "COOKIES"
  /** There is no WebSocket class: Node before version 22. */
  | "NO_WEBSOCKET"
  /** The client was stopped. */
  | "STOPPED"
  /** No HTTP answer came: the network, the address, or an origin that is not in `allowed_origins`. */
  | "UNREACHABLE"
  /** `unsubscribe` came before the answer of `subscribe`. */
  | "UNSUBSCRIBED";

/** `HTTP_<status>` is the code of answers that are not Holdfast's own: API Gateway's throttling, a proxy. */
export type ErrorCode = ApiErrorCode | PushErrorCode | ClientErrorCode | `HTTP_${number}` | (string & {});

export interface ErrorFields {
  cause?: unknown;
  status?: number;
  title?: string;
  detail?: string;
  retryAfterSeconds?: number;
  requestId?: string;
  attemptsRemaining?: number;
}

export declare class HoldfastError extends Error {
  constructor(code: ErrorCode, message: string, fields?: ErrorFields);
  /** What to branch on. `message`, `title` and `detail` are for people and may change. */
  readonly code: ErrorCode;
  /** Of the HTTP answer; absent when none came, and in errors of the socket. */
  readonly status: number | undefined;
  /** What was refused. */
  readonly title: string | undefined;
  /** What to do about it; the message, where the server sent none. */
  readonly detail: string;
  /** How long to wait before the next try: of 429 and 503. */
  readonly retryAfterSeconds: number | undefined;
  /** Finds the request in the server's logs. */
  readonly requestId: string | undefined;
  /** Of `INVALID_MFA_CODE`: how many more codes this sign-in accepts. */
  readonly attemptsRemaining: number | undefined;
}

/** Only signing in again helps. */
export declare class SessionOver extends HoldfastError {
  constructor(message?: string, code?: ErrorCode, fields?: ErrorFields);
}

/** The socket went before the answer came. */
export declare class ConnectionLost extends HoldfastError {
  constructor(message?: string);
}

/** The error that a refusing answer of `TokenStore.fetch` tells of. */
export declare function errorFrom(answer: Response): Promise<HoldfastError>;

/** Marks that end with the page. */
export declare function memoryMarks(): MarkStore;

/** Marks in `sessionStorage`, in another storage, or in memory where there is none; one key per user. */
export declare function webStorageMarks(key: string, storage?: Pick<Storage, "getItem" | "setItem">): MarkStore;

/** A storage that ends with the page or the process. */
export declare function memoryStorage(): Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** What a `TokenStore` keeps: `tokens` of a sign-in; where they came as cookies, the answer itself, which says when they expire. */
export interface Tokens {
  accessToken?: string;
  accessExpiresAt: string;
  refreshToken?: string;
}

/** `tokens` of a sign-in's and a refresh's answer with `transport: "bearer"`, which is the default. */
export interface TokenPair {
  /** Opaque; for `Authorization: Bearer`. */
  accessToken: string;
  /** RFC 3339. */
  accessExpiresAt: string;
  /** Opaque; for `POST /v1/auth/refresh`, once. */
  refreshToken: string;
  /** RFC 3339; the session's `expiresAt`. */
  refreshExpiresAt: string;
  tokenType: "Bearer";
}

export interface Session {
  sessionId: string;
  userId: string;
  email: string;
  /** Of a session that a service of yours made for somebody whom it had authenticated. */
  identity?: { provider: string; subject: string };
  /** What your services have set for the account: an object of at most 2 KiB. */
  claims: Record<string, unknown>;
  /** When the password, and the second factor if there is one, were last shown. RFC 3339, as every time here. */
  authenticatedAt: string;
  /** Whether it is the session that asks. */
  current: boolean;
  createdAt: string;
  lastUsedAt: string;
  /** When it ends unless it is refreshed. */
  expiresAt: string;
  /** When it ends whatever happens. */
  absoluteExpiresAt: string;
  staySignedIn: boolean;
  mfaVerified: boolean;
  device: { name: string; browser: string; os: string; ip: string };
  /** Whether its device token works now. */
  trusted: boolean;
  trustedAt: string | null;
  version: number;
}

/** A trusted device. */
export interface Device {
  deviceId: string;
  name: string;
  createdAt: string;
  lastUsedAt: string;
  expiresAt: string;
  /** Whether it is the device of the session that asks. */
  current: boolean;
}

/** How soon a change holds everywhere. `immediate`: from the next request on; `bounded`: within the seconds that it names. */
export interface Effect {
  effective: "immediate" | "bounded";
  withinSeconds?: number;
}

export interface Credentials {
  email: string;
  password: string;
  /** Two weeks instead of an hour without use, a month instead of a day in all. */
  staySignedIn?: boolean;
  /** What lists of sessions show; browser and system without it. */
  deviceName?: string;
  /** Of an earlier sign-in on this device: stands in for the second factor. With cookies, leave it out. */
  deviceToken?: string;
}

/** A code of the authenticator, or one of the recovery codes. */
export interface Factor {
  code?: string;
  recoveryCode?: string;
}

export interface SecondFactor extends Factor {
  mfaSessionId: string;
  trustDevice?: boolean;
}

export interface Reauthentication extends Factor {
  password: string;
}

export interface SignedIn extends Effect {
  status: "AUTHENTICATED";
  session: Session;
  /** Absent with cookies. The token store has them already. */
  tokens?: TokenPair;
  /** With cookies, instead of `tokens`. */
  accessExpiresAt?: string;
  /** Of a trusted device; keep it for the next sign-in. Absent with cookies: there it is the cookie `__Host-holdfast-device`. */
  deviceToken?: string;
}

/** The password was right; call `verify` with a code. */
export interface MfaRequired {
  status: "MFA_REQUIRED";
  loginSessionId: string;
  mfaSessionId: string;
  methods: ("totp" | "recoveryCode")[];
  expiresAt: string;
}

export interface AccountOptions {
  /**
   * Asks the person for the password, and for a code if they have a second factor. Called when a route answers
   * `REAUTHENTICATION_REQUIRED`; the call is then repeated. `error` says why: the same code at first, `INVALID_CREDENTIALS` or
   * `INVALID_MFA_CODE` after a mistake. Return null to give up: the call rejects with `REAUTHENTICATION_REQUIRED`.
   */
  reauthenticate?: (error: HoldfastError) => Reauthentication | null | undefined | Promise<Reauthentication | null | undefined>;
}

/** The HTTP API of accounts, sessions and devices. Refusals reject with a `HoldfastError`, the end of the session with `SessionOver`. */
export declare class Account {
  constructor(tokens: TokenStore, options?: AccountOptions);
  register(person: { email: string; password: string }): Promise<{ userId: string; email: string }>;
  /** Signs in; the token store then has the tokens, unless a second factor is asked for. */
  signIn(credentials: Credentials): Promise<SignedIn | MfaRequired>;
  /** Answers `MFA_REQUIRED`. Rejects with `INVALID_MFA_CODE` or `MFA_EXPIRED`. */
  verify(answer: SecondFactor): Promise<SignedIn>;
  /** Ends the session and forgets the tokens. When no answer comes, it rejects and keeps them, to be tried again. */
  signOut(): Promise<void>;
  session(): Promise<Session>;
  /** Most recently used first. */
  sessions(): Promise<Session[]>;
  endSession(sessionId: string): Promise<Effect & { revoked: number }>;
  endSessions(which: { keepCurrent: boolean }): Promise<Effect & { revoked: number }>;
  /** Trusting a device needs a recent session. `deviceToken` comes when the present session becomes trusted; not with cookies. */
  trust(sessionId: string, trusted: boolean): Promise<Session & { deviceToken?: string }>;
  /** The trusted devices. */
  devices(): Promise<Device[]>;
  /** The device's token is void at once. */
  removeDevice(deviceId: string): Promise<{ removed: number }>;
  removeAllDevices(): Promise<{ removed: number }>;
  /** Needs a recent session; ends every other. */
  changePassword(passwords: { currentPassword: string; newPassword: string }): Promise<Effect & { revoked: number }>;
  /** Needs a recent session. Nothing is asked for at sign-ins until `activateMfa`. */
  enrollMfa(): Promise<{ secret: string; otpauthUri: string }>;
  activateMfa(code: string): Promise<{ recoveryCodes: string[]; session: Session }>;
  /** Needs a recent session. */
  disableMfa(factor: Factor): Promise<{ mfaEnabled: false }>;
  /** Ten new codes; the old ones are void. Needs a recent session that has shown its second factor. */
  renewRecoveryCodes(): Promise<string[]>;
  /** Makes this session recent, and `mfaVerified` with a code. Rejects with `INVALID_CREDENTIALS` or `INVALID_MFA_CODE`. */
  reauthenticate(proof: Reauthentication): Promise<Session>;
}

export interface TokenOptions {
  httpUrl: string;
  /** `bearer` by default. With `cookie` the storage holds no token, only when it expires. */
  transport?: "bearer" | "cookie";
  /** Shared by all tabs: `localStorage` by default, memory where there is none, as in Node. */
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
  /** Whether the tokens are cookies. */
  readonly isCookie: boolean;
  /** After signing in without `Account`: `tokens` of the answer; the answer itself, where the tokens came as cookies. */
  set(tokens: Tokens): void;
  /** Forgets the tokens. The session goes on: `Account.signOut` ends it. */
  clear(): void;
  /** An access token that is good for a while; not with cookies. */
  access(): Promise<string>;
  /** `fetch` with the access token, which it refreshes when it has to. Rejects with `UNREACHABLE`, `SessionOver`, or what a refresh was refused with. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** `fetch` without a token: for routes before signing in. */
  anonymous(path: string, init?: RequestInit): Promise<Response>;
}

/** The client's `ticket`, from a token store. */
export declare function ticketsFrom(tokens: Pick<TokenStore, "fetch">): () => Promise<{ ticket: string; url: string }>;
