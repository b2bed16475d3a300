// A Holdfast of a few routes that listens on this machine, for programs that run in a process of their own.

import { createServer } from "node:http";

import { accept } from "./websocket.js";

const PASSWORD = "a good long password";
const LATER = new Date(Date.now() + 900_000).toISOString();
const SESSION = {
  sessionId: "s1", userId: "u1", email: "ada@example.com", claims: {}, authenticatedAt: LATER, current: true, createdAt: LATER, lastUsedAt: LATER,
  expiresAt: LATER, absoluteExpiresAt: LATER, staySignedIn: false, mfaVerified: false, trusted: true, trustedAt: LATER, version: 1,
  device: { name: "Chrome on Linux", browser: "Chrome", os: "Linux", ip: "192.0.2.7" },
};
const DEVICE = { deviceId: "d1", name: "laptop", createdAt: LATER, lastUsedAt: LATER, expiresAt: LATER, current: true };

export class Holdfast {
  url = "";
  /** Everything that was asked: method and path. */
  calls = [];
  /** Topics that are open; the others are refused. */
  topics = ["news.eu"];
  isMfaOn = false;
  isRecent = false;
  opened = 0;
  sockets = new Set();
  #server;
  /** Every message, by channel. */
  #history = new Map();

  static async listen() {
    const holdfast = new Holdfast();
    await holdfast.#listen();
    return holdfast;
  }

  #listen() {
    this.#server = createServer(async (request, answer) => {
      const body = await new Response(request).text();
      const [status, said] = this.#answer(request, body && JSON.parse(body));
      const problem = status < 400 ? said : { type: `urn:holdfast:problem:${said.code}`, status, requestId: `q${this.calls.length}`, ...said };
      answer.writeHead(status, { "content-type": status < 400 ? "application/json" : "application/problem+json" });
      answer.end(JSON.stringify(problem));
    });
    this.#server.on("upgrade", (request, stream) => this.#converse(accept(request, stream)));
    return new Promise((done) => this.#server.listen(0, "127.0.0.1", () => {
      this.url = `http://127.0.0.1:${this.#server.address().port}`;
      done();
    }));
  }

  close() {
    for (const side of this.sockets) side.close();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answer({ method, url, headers }, body) {
    const route = `${method} ${url}`;
    this.calls.push(route);
    const isCookie = headers["x-holdfast-csrf"] === "1";
    const tokens = { accessToken: "access", accessExpiresAt: LATER, refreshToken: "refresh", refreshExpiresAt: LATER, tokenType: "Bearer" };
    const signedIn = { status: "AUTHENTICATED", session: SESSION, ...(isCookie ? { accessExpiresAt: LATER } : { tokens }), effective: "immediate" };
    const wrong = { code: "INVALID_CREDENTIALS", title: "The e-mail or the password is wrong", detail: "Check both and try again." };
    if (route === "POST /v1/auth/login") {
      if (body.password !== PASSWORD) return [401, wrong];
      return [200, this.isMfaOn ? { status: "MFA_REQUIRED", loginSessionId: "l1", mfaSessionId: "m1", methods: ["totp"], expiresAt: LATER } : signedIn];
    }
    if (route === "POST /v1/auth/mfa/verify") {
      return body.code === "123456" ? [200, signedIn] : [401, { code: "INVALID_MFA_CODE", title: "The code is wrong", attemptsRemaining: 4 }];
    }
    if (!isCookie && headers.authorization !== "Bearer access") return [401, { code: "UNAUTHENTICATED", title: "Nobody is signed in" }];
    if (route === "POST /v1/auth/reauthenticate") {
      if (body.password !== PASSWORD) return [401, wrong];
      this.isRecent = true;
      return [200, SESSION];
    }
    if (route === "POST /v1/auth/mfa/recovery-codes") {
      if (!this.isRecent) return [403, { code: "REAUTHENTICATION_REQUIRED", title: "This session is not recent", detail: "Show the password again." }];
      return [200, { recoveryCodes: Array.from({ length: 10 }, (_, n) => `code-${n}`) }];
    }
    const routes = {
      "GET /v1/sessions/current": [200, SESSION],
      "GET /v1/sessions": [200, { sessions: [SESSION] }],
      "GET /v1/devices": [200, { devices: [DEVICE] }],
      "DELETE /v1/devices/d1": [200, { removed: 1 }],
      "POST /v1/auth/logout": [200, { revoked: 1, effective: "immediate" }],
      "POST /v1/push/tickets": [201, { ticket: "t", expiresAt: LATER, url: `${this.url.replace("http", "ws")}/v1?ticket=t` }],
    };
    return routes[route] ?? [404, { code: "NOT_FOUND", title: "There is no such route" }];
  }

  #converse(side) {
    this.opened += 1;
    this.sockets.add(side);
    side.topics = new Set();
    side.onClose = () => this.sockets.delete(side);
    side.onText = (text) => {
      const { action, topic, channels = [] } = JSON.parse(text);
      const say = (frame) => side.send(JSON.stringify(frame));
      if (action === "hello") {
        const marks = new Map(channels.map(({ channel, offset }) => [channel, offset]));
        const all = ["user:u1", "broadcast"].map((channel) => ({ ...this.#head(channel), recovered: marks.has(channel) }));
        say({ type: "welcome", connectionId: "c1", channels: all });
        for (const { channel, recovered } of all) if (recovered) this.#messages(channel).slice(marks.get(channel)).forEach(say);
      } else if (action === "subscribe" && this.topics.includes(topic)) {
        side.topics.add(topic);
        say({ type: "subscribed", ...this.#head(`topic:${topic}`) });
      } else if (action === "subscribe") {
        say({ type: "error", code: "FORBIDDEN", detail: "You may not read this topic." });
      }
    };
  }

  #messages(channel) {
    if (!this.#history.has(channel)) this.#history.set(channel, []);
    return this.#history.get(channel);
  }

  #head(channel) {
    return { channel, epoch: "e", offset: this.#messages(channel).length };
  }

  /** To every socket that reads the channel. */
  publish(channel, data) {
    const offset = this.#head(channel).offset + 1;
    const frame = { type: "message", id: `${channel}${offset}`, channel, epoch: "e", offset, kind: "note", data, sentAt: new Date().toISOString() };
    this.#messages(channel).push(frame);
    for (const side of this.sockets) if (!channel.startsWith("topic:") || side.topics.has(channel.slice(6))) side.send(JSON.stringify(frame));
  }

  /** Ends the session, as everything that ends one does. */
  endSession() {
    for (const side of this.sockets) {
      side.send(JSON.stringify({ type: "bye", code: "SESSION_ENDED", reason: "The session was ended.", reconnect: false }));
      side.close();
    }
  }
}
