// The public API. src/ is checked against it (`npm run types`).

/** Headers as Node, `fetch` and Lambda have them. */
export type HeadersLike = Iterable<readonly [string, string]> | Record<string, string | readonly string[] | undefined>;

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** What retries use. Tests replace it. Times are seconds. */
export interface Timing {
  now(): number;
  sleep(seconds: number): Promise<void>;
  random(): number;
}

export interface Options {
  /** The origins of the pages that may send cookies; none by default. */
  allowedOrigins?: readonly string[];
  /** Bounds a whole call with its retries; 5 by default. */
  timeoutSeconds?: number;
  /** Needed only where neither the address nor `AWS_REGION` names it. */
  region?: string;
  /** The AWS SDK's usual chain by default. A function is asked for each request, and has to cache. */
  credentials?: Credentials | (() => Promise<Credentials>);
  timing?: Timing;
}

/** A live session, as docs/api.md describes it. Times are RFC 3339. */
export interface Session {
  sessionId: string;
  userId: string;
  email: string;
  identity?: { provider: string; subject: string };
  claims: Record<string, unknown>;
  authenticatedAt: string;
  current: boolean;
  createdAt: string;
  lastUsedAt: string;
  /** The session ends at this time unless it is refreshed. */
  expiresAt: string;
  absoluteExpiresAt: string;
  staySignedIn: boolean;
  mfaVerified: boolean;
  device: { name: string; browser: string; os: string; ip: string };
  trusted: boolean;
  trustedAt: string | null;
  version: number;
}

export type Target =
  | { userIds: readonly string[]; topic?: undefined; broadcast?: undefined }
  | { topic: string; userIds?: undefined; broadcast?: undefined }
  | { broadcast: true; userIds?: undefined; topic?: undefined };

export type Message = Target & {
  /** 1 to 64 bytes. Clients branch on it. */
  kind: string;
  /** JSON of at most 32 KiB; null by default. */
  data?: unknown;
  /** Generated for each call by default. The same key within 24 hours is published once. */
  idempotencyKey?: string;
  ttlSeconds?: number;
  /** Reaches live sockets only. */
  ephemeral?: boolean;
};

export interface Published {
  messageId: string;
  /** A call with this key was accepted before. It may be an earlier attempt of the same call. */
  duplicate: boolean;
  idempotencyKey: string;
  /** For users. */
  recipients?: number;
  /** For one target. */
  channel?: string;
  offset?: number;
}

/** The body of `POST /v1/sessions`. */
export interface NewSessionRequest {
  identity: { provider: string; subject: string };
  email?: string;
  claims?: Record<string, unknown>;
  sessionId?: string;
  staySignedIn?: boolean;
  deviceName?: string;
  mfaVerified?: boolean;
  authenticatedAt?: string;
  client?: { ip?: string; userAgent?: string };
  transport?: "body" | "cookie";
}

export interface Tokens {
  accessToken: string;
  accessExpiresAt: string;
  refreshToken: string;
  refreshExpiresAt: string;
  tokenType: "Bearer";
}

export interface NewSession {
  session: Session;
  effective?: "immediate" | "bounded";
  withinSeconds?: number;
  /** Absent with `transport: "cookie"` and with `sessionId`. Neither `console.log` nor `JSON.stringify` shows it. */
  readonly tokens?: Tokens;
  /** The values of the `Set-Cookie` headers to send to the browser. Not shown either. */
  readonly setCookies: readonly string[];
}

/** A client of one Holdfast. Create it once for the process. */
export class Holdfast {
  /** `url` is `httpUrl` of `make outputs`. */
  constructor(url: string, options?: Options);
  /** The live session of an access token. Rejects with `NoSession`, or with `Unavailable` if Holdfast cannot answer. */
  verify(token: string | null | undefined): Promise<Session>;
  /** The live session of a request, by bearer token or cookie. Also rejects with `CrossSiteRequest`. */
  verifyRequest(request: { method?: string; headers: HeadersLike }): Promise<Session>;
  /** The live session of the request in the event of a Lambda function, as `verifyRequest`. */
  verifyEvent(event: object): Promise<Session>;
  /** Publishes once, however often the kit has to send. */
  publish(message: Message): Promise<Published>;
  /** Makes a session for a user whom this application has authenticated. After `Unavailable` the session may exist. */
  createSession(request: NewSessionRequest): Promise<NewSession>;
}

export class HoldfastError extends Error {
  constructor(code: string, detail: string, fields?: { status?: number; requestId?: string; retryAfterSeconds?: number });
  /** The status for the application's own answer. */
  httpStatus: number;
  /** A code of docs/api.md, a code of the kit, or `HTTP_<status>`. */
  code: string;
  detail: string;
  /** The status of Holdfast's answer, if one came. */
  status: number | undefined;
  /** Finds the request in the logs of Holdfast. */
  requestId: string | undefined;
  retryAfterSeconds: number | undefined;
  /** The key of a `publish` that failed: repeat it with this key. */
  idempotencyKey: string | undefined;
}

/** The request has no access token of a live session: answer 401. */
export class NoSession extends HoldfastError {
  constructor();
}
/** Another site may have caused the request by cookie: answer 403. */
export class CrossSiteRequest extends HoldfastError {
  constructor(detail: string);
}
/** Address, Region, credentials or IAM rights of the application are wrong: answer 500, and alert. */
export class ConfigurationError extends HoldfastError {}
/** Holdfast cannot answer now: answer 503. It is never the same as signed out. */
export class Unavailable extends HoldfastError {}
/** Holdfast refuses the call itself; `code` says why. */
export class Refused extends HoldfastError {}
