// Time, chance and a Holdfast of the imagination: everything that a test of the client decides for itself.

import { HoldfastClient } from "../src/index.js";

/** Lets everything that is due now happen. */
export const settled = () => new Promise((done) => setImmediate(done));

export class FakeClock {
  #now = Date.parse("2026-01-01T00:00:00Z");
  #timers = new Map();
  #next = 1;

  now() {
    return this.#now;
  }

  setTimeout(work, ms) {
    this.#timers.set(this.#next, { at: this.#now + Math.max(0, ms), work });
    return this.#next++;
  }

  clearTimeout(timer) {
    this.#timers.delete(timer);
  }

  /** Time passes, and no timer runs. */
  sleep(ms) {
    this.#now += ms;
  }

  /** The clock is set back. Timers count what has passed, as they do everywhere. */
  setBack(ms) {
    this.#now -= ms;
    for (const timer of this.#timers.values()) timer.at -= ms;
  }

  /** Moves on, through every timer on the way, in order. */
  async advance(ms) {
    const until = this.#now + ms;
    for (;;) {
      await settled();
      let first = null;
      for (const [id, { at }] of this.#timers) if (first === null || at < this.#timers.get(first).at) first = id;
      if (first === null || this.#timers.get(first).at > until) break;
      const { at, work } = this.#timers.get(first);
      this.#timers.delete(first);
      this.#now = Math.max(this.#now, at);
      work();
    }
    this.#now = until;
    await settled();
  }
}

/** The same numbers for the same seed (mulberry32). */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const IDLE_MS = 600_000;

/** No faults, and everything at once. */
const PERFECT = { lose: 0, repeat: 0, delayMs: 0, unavailable: 0 };

/** Sockets, channels, recovery, as docs/websocket.md has them. */
export class Server {
  user = "u1";
  faults = { ...PERFECT };
  /** More than this many missed messages are not recovered. */
  recoverable = 1_000;
  forbidden = new Set();
  channels = new Map();
  sockets = new Set();
  /** Everything that clients sent, with the time. */
  heard = [];
  opened = [];
  /** Sockets that were ended because they were idle. */
  idle = 0;
  refuseHandshakes = false;
  #names = 0;

  constructor(clock, random = () => 0.5) {
    this.clock = clock;
    this.random = random;
    const server = this;
    this.WebSocket = class extends Socket {
      constructor(url, protocols) {
        super(server, url, protocols);
      }
    };
  }

  perfect() {
    this.faults = { ...PERFECT };
  }

  channel(name) {
    if (!this.channels.has(name)) this.channels.set(name, { epoch: this.#name("epoch"), messages: [], first: 1 });
    return this.channels.get(name);
  }

  head(name) {
    const { epoch, messages, first } = this.channel(name);
    return { channel: name, epoch, offset: first - 1 + messages.length };
  }

  /** Another numbering, as after a restored table. */
  renumber(name) {
    this.channels.set(name, { epoch: this.#name("epoch"), messages: [], first: 1 });
  }

  /** The oldest messages are 24 hours old. */
  forget(name, count) {
    const channel = this.channel(name);
    channel.first += channel.messages.splice(0, count).length;
  }

  publish(name, data = null, { ephemeral = false, expired = false } = {}) {
    const frame = { type: "message", id: this.#name("m"), channel: name, kind: "note", data, sentAt: "2026-01-01T00:00:00.000Z" };
    if (!ephemeral) {
      const { epoch, offset } = this.head(name);
      Object.assign(frame, { epoch, offset: offset + 1 });
      this.channel(name).messages.push(expired ? { ...frame, kind: "expired", data: null } : frame);
    }
    for (const socket of this.sockets) if (socket.reads(name)) this.post(socket, frame);
    return frame;
  }

  /** To one socket, with whatever may go wrong. */
  post(socket, frame) {
    const { lose, repeat, delayMs } = this.faults;
    if (frame.type === "message" && this.random() < lose) return;
    for (let copies = this.random() < repeat ? 2 : 1; copies > 0; copies -= 1) {
      const text = JSON.stringify(frame);
      if (delayMs === 0) socket.deliver(text);
      else this.clock.setTimeout(() => socket.deliver(text), this.random() * delayMs);
    }
  }

  serve(socket, text) {
    socket.idleSince = this.clock.now();
    const frame = JSON.parse(text);
    this.heard.push({ at: this.clock.now(), frame, socket });
    if (frame.action === "keepalive") return;
    if (this.random() < this.faults.unavailable) {
      return this.post(socket, { type: "error", code: "UNAVAILABLE", detail: "Nothing was decided; send it again." });
    }
    this[`on_${frame.action}`](socket, frame);
  }

  on_ping(socket) {
    this.post(socket, { type: "pong", channels: socket.channels().map((name) => this.head(name)) });
  }

  on_subscribe(socket, { topic }) {
    if (this.forbidden.has(topic)) return this.post(socket, { type: "error", code: "FORBIDDEN", detail: "not yours" });
    socket.topics.add(topic);
    this.post(socket, { type: "subscribed", ...this.head(`topic:${topic}`) });
  }

  on_unsubscribe(socket, { topic }) {
    socket.topics.delete(topic);
    this.post(socket, { type: "unsubscribed", channel: `topic:${topic}` });
  }

  on_presence(socket, { userIds }) {
    this.post(socket, { type: "presence", online: Object.fromEntries(userIds.map((id) => [id, id === this.user])) });
  }

  on_hello(socket, { channels }) {
    const marks = new Map(channels.map((mark) => [mark.channel, mark]));
    const named = new Set([...marks.keys(), `user:${this.user}`, "broadcast"]);
    const welcomed = [];
    const missed = [];
    for (const name of named) {
      const isForbidden = name.startsWith("topic:") ? this.forbidden.has(name.slice(6)) : name.startsWith("user:") && name !== `user:${this.user}`;
      if (isForbidden) {
        this.post(socket, { type: "error", code: "FORBIDDEN", detail: "not yours" });
        continue;
      }
      if (name.startsWith("topic:")) socket.topics.add(name.slice(6));
      const found = this.#missed(name, marks.get(name));
      welcomed.push({ ...this.head(name), recovered: found !== null });
      missed.push(...(found ?? []));
    }
    this.post(socket, { type: "welcome", connectionId: socket.name, channels: welcomed });
    for (const frame of missed) this.post(socket, frame);
  }

  /** All of them, or null. */
  #missed(name, mark) {
    const { epoch, messages, first } = this.channel(name);
    const head = this.head(name);
    if (mark?.epoch !== epoch || mark.offset > head.offset || mark.offset + 1 < first) return null;
    const missed = messages.slice(mark.offset + 1 - first);
    return missed.length > this.recoverable ? null : missed;
  }

  /** `bye`, then the close. */
  dismiss(socket, code, reconnect) {
    socket.deliver(JSON.stringify({ type: "bye", code, reason: "because", reconnect }));
    this.clock.setTimeout(() => socket.cut(), 500);
  }

  /** The newest socket. */
  get socket() {
    return [...this.sockets].at(-1);
  }

  #name(prefix) {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }
}

class Socket {
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  topics = new Set();
  isOpen = false;
  isOver = false;

  constructor(server, url, protocols) {
    this.server = server;
    this.url = url;
    this.protocols = protocols;
    this.name = `c${server.opened.push({ at: server.clock.now(), url, protocols })}`;
    server.clock.setTimeout(() => (server.refuseHandshakes ? this.cut() : this.#open()), 1 + server.random() * server.faults.delayMs);
  }

  #open() {
    if (this.isOver) return;
    this.isOpen = true;
    this.idleSince = this.server.clock.now();
    this.server.sockets.add(this);
    this.#watch();
    this.onopen?.({});
  }

  /** API Gateway ends a socket after ten minutes without a frame in either direction. */
  #watch() {
    const { clock } = this.server;
    if (this.isOver || this.isDeaf) return;
    const leftMs = this.idleSince + IDLE_MS - clock.now();
    if (leftMs > 0) return void clock.setTimeout(() => this.#watch(), leftMs);
    this.server.idle += 1;
    this.cut();
  }

  channels() {
    return [`user:${this.server.user}`, "broadcast", ...[...this.topics].map((topic) => `topic:${topic}`)];
  }

  reads(name) {
    return this.channels().includes(name);
  }

  send(text) {
    if (!this.isOpen) throw new Error("not open");
    if (this.isDeaf) return;
    const { delayMs } = this.server.faults;
    const serve = () => this.isOver || this.server.serve(this, text);
    this.server.clock.setTimeout(serve, this.server.random() * delayMs);
  }

  deliver(text) {
    this.idleSince = this.server.clock.now();
    if (!this.isOver && !this.isDeaf) this.onmessage?.({ data: text });
  }

  /** The network goes; the client is told. */
  cut() {
    if (this.isOver) return;
    this.isOver = true;
    this.server.sockets.delete(this);
    this.onclose?.({ code: 1006 });
  }

  /** The network goes, and nobody tells the client. */
  fallSilent() {
    this.isDeaf = true;
    this.server.sockets.delete(this);
  }

  close() {
    this.isOver = true;
    this.server.sockets.delete(this);
  }
}

/** A client of that server. */
export function clientOf(server, options = {}) {
  return new HoldfastClient({
    ticket: () => ({ url: "ws://holdfast.test/v1?ticket=t", ticket: "t" }),
    WebSocket: server.WebSocket,
    clock: server.clock,
    random: server.random,
    page: {},
    ...options,
  });
}

/** A server and a client that is live on it, with what it was handed. */
export async function live({ clock = new FakeClock(), ...options } = {}) {
  const server = new Server(clock);
  const client = clientOf(server, options);
  const log = { messages: [], reloads: [], states: [], errors: [], ended: [], denied: [] };
  client.on("message", (message) => void log.messages.push(message));
  client.on("reload", (reload) => void log.reloads.push(reload));
  client.on("state", ({ state }) => void log.states.push(state));
  client.on("error", (error) => void log.errors.push(error));
  client.on("ended", (bye) => void log.ended.push(bye));
  client.on("denied", (denied) => void log.denied.push(denied));
  client.start();
  await clock.advance(1_000);
  return { clock, server, client, log };
}
