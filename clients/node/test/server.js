// A Holdfast of one process for the tests: real HTTP, with the answers that a test has prepared.

import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

import { Holdfast } from "../src/index.js";

export const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "the/secret+key", sessionToken: "the+security/token==" };
export const ORIGIN = "https://app.example.com";
/** Longer than by default, so that no attempt is late on a machine that is busy. No test waits for it. */
const TIMEOUT_SECONDS = 60;
/** Well-formed access tokens. */
export const [LIVE, STALE, OTHER] = ["1.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB.axeMdA", "2.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB.VNzy4Q",
  "3.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB.90rarQ"].map((rest) => `hf1.AAAAAAAAAAAAAAAAAAAAAA.${rest}`);
export const SESSION = {
  sessionId: "s1", userId: "u1", email: "ada@example.com", claims: { role: "editor" }, authenticatedAt: "2026-11-28T10:00:00.000Z", current: true,
  createdAt: "2026-11-28T10:00:00.000Z", lastUsedAt: "2026-11-28T10:00:00.000Z", expiresAt: "2026-11-28T11:00:00.000Z",
  absoluteExpiresAt: "2026-11-29T10:00:00.000Z", staySignedIn: false, mfaVerified: true,
  device: { name: "Firefox on Linux", browser: "Firefox", os: "Linux", ip: "192.0.2.1" }, trusted: false, trustedAt: null, version: 1,
};
export const TOKENS = { accessToken: "hf1.access", accessExpiresAt: "2026-11-28T10:15:00.000Z", refreshToken: "hf1.refresh",
  refreshExpiresAt: "2026-11-28T11:00:00.000Z", tokenType: "Bearer" };
export const ACTIVE = { active: true, session: SESSION, claims: SESSION.claims };
export const ACCEPTED = { messageId: "m1", duplicate: false, channel: "user:u1", offset: 7 };
export const CREATED = { status: "AUTHENTICATED", session: SESSION, tokens: TOKENS, effective: "immediate" };

/** A problem document of Holdfast. */
export function problem(status, code) {
  return { type: `urn:holdfast:problem:${code}`, title: "A title", status, code, detail: "A detail." };
}

/** A clock that only moves when a call waits. */
export class FakeTiming {
  time = 1_000;
  waits = [];
  chance = 0.5;
  now = () => this.time;
  random = () => this.chance;
  sleep = async (seconds) => {
    this.waits.push(seconds);
    this.time += seconds;
  };
}

/**
 * `answers` are used in order: [status, body], [status, body, headers], "hang", "hang in the body" or "close". Afterwards each route answers as if
 * all is good.
 */
export class Server {
  requests = [];
  answers = [];
  connections = 0;
  #http;

  static async listen(t) {
    const server = new Server();
    server.#http = createServer((request, response) => server.#serve(request, response)).on("connection", () => server.connections++);
    server.#http.keepAliveTimeout = 60_000;
    await once(server.#http.listen(0, "127.0.0.1"), "listening");
    server.url = `http://127.0.0.1:${server.#http.address().port}`;
    t.after(() => server.close());
    return server;
  }

  close() {
    this.#http.close();
    this.#http.closeAllConnections();
  }

  async #serve(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts).toString();
    this.requests.push({ path: request.url, method: request.method, headers: request.headers, body });
    const answer = this.answers.shift() ?? this.#good(request.url, JSON.parse(body));
    if (answer === "hang") return;
    if (answer === "hang in the body") return void response.writeHead(200, { "content-length": "100" }).write("{");
    if (answer === "close") return void request.socket.destroy();
    const [status, said, headers = {}] = answer;
    response.writeHead(status, { "x-request-id": "q1", ...headers }).end(typeof said === "string" ? said : JSON.stringify(said));
  }

  #good(path, body) {
    if (path.endsWith("/v1/sessions/introspect")) return [200, body.token === LIVE ? ACTIVE : { active: false }];
    return path.endsWith("/v1/messages") ? [202, ACCEPTED] : [201, CREATED];
  }

  bodies() {
    return this.requests.map(({ body }) => JSON.parse(body));
  }
}

/** A server and its client, for the time of a test. */
export async function start(t, options = {}) {
  const [server, timing] = [await Server.listen(t), new FakeTiming()];
  const client = new Holdfast(options.url ?? server.url, { region: "eu-central-1", credentials: CREDENTIALS, allowedOrigins: [ORIGIN], timing, timeoutSeconds: TIMEOUT_SECONDS, ...options });
  return { server, client, timing };
}

/** The signature that a request must have, computed from what arrived (AWS documentation, "Create a signed AWS API request"). */
export function signatureOf({ method, path, headers, body }, region = "eu-central-1") {
  const [, credential, names, given] = /^AWS4-HMAC-SHA256 Credential=([^,]*), SignedHeaders=([^,]*), Signature=([0-9a-f]{64})$/.exec(headers.authorization);
  const date = headers["x-amz-date"];
  const scope = `${date.slice(0, 8)}/${region}/execute-api/aws4_request`;
  const hash = (text) => createHash("sha256").update(text).digest("hex");
  const hmac = (key, text) => createHmac("sha256", key).update(text).digest();
  const canonicalPath = path.split("/").map((part) => encodeURIComponent(part)).join("/");
  const canonicalHeaders = names.split(";").map((name) => `${name}:${headers[name].trim().replace(/ +/g, " ")}\n`).join("");
  const canonical = [method, canonicalPath, "", canonicalHeaders, names, hash(body)].join("\n");
  const key = scope.split("/").reduce(hmac, `AWS4${CREDENTIALS.secretAccessKey}`);
  const computed = hmac(key, ["AWS4-HMAC-SHA256", date, scope, hash(canonical)].join("\n")).toString("hex");
  return { credential: credential === `${CREDENTIALS.accessKeyId}/${scope}`, names: names.split(";"), given, computed };
}
