// Random runs against a network that loses, repeats, delays and reorders, a server that forgets and renumbers, and a page that
// is loaded anew: every message once, in order, or `reload` in its place. A run that fails names its seed:
//   HOLDFAST_SEED=17 npm test        HOLDFAST_RUNS=10000 npm test

import assert from "node:assert/strict";
import { test } from "node:test";

import { FakeClock, Server, clientOf, seeded } from "./world.js";

const RUNS = Number(process.env.HOLDFAST_RUNS ?? 300);
const ONE = process.env.HOLDFAST_SEED;
const STEPS = 150;
const TOPICS = ["a", "b"];

/** What one channel's reader may be told next, and nothing else. */
class Ledger {
  #next = new Map();
  #ids = new Set();
  handed = 0;
  reloads = 0;

  message({ id, channel, epoch, offset, ephemeral }) {
    assert.ok(!this.#ids.has(id), `${id} of ${channel} was handed over twice`);
    this.#ids.add(id);
    this.handed += 1;
    if (ephemeral) return;
    const next = this.#next.get(channel) ?? { epoch, offset };
    assert.deepEqual({ epoch, offset }, next, `${channel} out of order`);
    this.#next.set(channel, { epoch, offset: offset + 1 });
  }

  reload({ channel, epoch, offset }) {
    const next = this.#next.get(channel);
    // A repeated `welcome` can be taken for the answer to a later `hello`. Then there is one reload too many, and what was handed
    // over stays handed over.
    const isPast = next?.epoch === epoch && next.offset > offset + 1;
    if (!isPast) this.#next.set(channel, { epoch, offset: offset + 1 });
    this.reloads += 1;
  }

  /** Subscribed with no mark: from wherever it stands. */
  begin(channel) {
    this.#next.delete(channel);
  }

  isUpTo({ channel, epoch, offset }) {
    const next = this.#next.get(channel);
    if (next) assert.deepEqual(next, { epoch, offset: offset + 1 }, `${channel} is not complete`);
    return next !== undefined;
  }
}

class Run {
  constructor(seed) {
    this.random = seeded(seed);
    this.clock = new FakeClock();
    this.server = new Server(this.clock, this.random);
    this.server.recoverable = 60;
    this.server.faults = {
      lose: this.random() * 0.3,
      repeat: this.random() * 0.3,
      delayMs: this.random() < 0.2 ? 0 : this.random() * 4_000,
      unavailable: this.random() * 0.1,
    };
    this.begun = new Map();
    this.isSlow = this.random() < 0.3;
    this.ledger = new Ledger();
    this.wanted = new Set();
    this.kept = undefined;
    this.begin();
  }

  begin() {
    const marks = {
      load: () => this.kept,
      // A page that is gone saves nothing.
      save: (saved) => client.state === "stopped" || void (this.kept = structuredClone(saved)),
    };
    const client = clientOf(this.server, { marks });
    this.client = client;
    this.client.on("message", async (message) => {
      // Work that takes its time counts when it is done; a page that goes away takes it along.
      const begun = this.begun.get(message.channel);
      if (this.isSlow) await new Promise((done) => this.clock.setTimeout(done, this.random() * 200));
      // One that was under way when its topic was left and asked for again belongs to neither.
      if (client.state !== "stopped" && begun === this.begun.get(message.channel)) this.ledger.message(message);
    });
    this.client.on("reload", (reload) => this.ledger.reload(reload));
    this.client.on("error", (error) => {
      if (error instanceof assert.AssertionError) this.wrong ??= error;
    });
    this.client.start();
    for (const topic of this.wanted) this.client.subscribe(topic).catch(() => {});
  }

  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  step() {
    const { server, client } = this;
    const channels = [`user:${server.user}`, "broadcast", ...TOPICS.map((topic) => `topic:${topic}`)];
    const name = this.pick(channels);
    const chance = this.random();
    if (chance < 0.7) server.publish(name, this.random(), { ephemeral: this.random() < 0.1, expired: this.random() < 0.1 });
    else if (chance < 0.74) server.socket?.cut();
    else if (chance < 0.77) server.socket?.fallSilent();
    else if (chance < 0.79 && server.socket) server.dismiss(server.socket, this.pick(["SHUTDOWN", "STATE_LOST", "RATE_LIMITED"]), true);
    else if (chance < 0.8) server.renumber(name);
    else if (chance < 0.82) server.forget(name, 5);
    else if (chance < 0.85) client.check();
    else if (chance < 0.87) this.loadAnew();
    else if (chance < 0.93) this.toggle(this.pick(TOPICS));
    else if (chance < 0.94) for (let i = 0; i < 80; i += 1) server.publish(name);
  }

  toggle(topic) {
    if (this.wanted.delete(topic)) {
      this.client.unsubscribe(topic).catch(() => {});
      return;
    }
    this.wanted.add(topic);
    this.begun.set(`topic:${topic}`, this.clock.now());
    this.ledger.begin(`topic:${topic}`);
    this.client.subscribe(topic).catch(() => {});
  }

  /** The page goes away, and comes back with the marks that were saved. */
  loadAnew() {
    this.client.stop();
    this.server.socket?.cut();
    // What was subscribed to and never answered has no mark: it begins anew.
    for (const topic of this.wanted) {
      if (!this.kept?.channels.some(({ channel }) => channel === `topic:${topic}`)) this.ledger.begin(`topic:${topic}`);
    }
    this.begin();
  }

  async play() {
    for (let step = 0; step < STEPS; step += 1) {
      this.step();
      await this.clock.advance(this.random() < 0.5 ? 0 : this.random() * 3_000);
      if (this.wrong) throw this.wrong;
    }
    this.server.perfect();
    // Long enough for a new socket, and the longest back-off.
    await this.clock.advance(120 * 60_000);
    if (this.wrong) throw this.wrong;
    assert.equal(this.client.state, "live");
    const names = [`user:${this.server.user}`, "broadcast", ...[...this.wanted].map((topic) => `topic:${topic}`)];
    for (const name of names) this.ledger.isUpTo(this.server.head(name));
    assert.ok(this.ledger.isUpTo(this.server.head("broadcast")), "nothing of the broadcast channel was ever said");
    this.client.stop();
    return this.ledger;
  }
}

async function play(seed) {
  try {
    return await new Run(seed).play();
  } catch (error) {
    error.message = `seed ${seed}: ${error.message}`;
    throw error;
  }
}

test("whatever the network does, every message is handed over once and in order, or the channel is reloaded", async (t) => {
  let handed = 0;
  let reloads = 0;
  const seeds = ONE === undefined ? Array.from({ length: RUNS }, (_, index) => index + 1) : [Number(ONE)];
  for (const seed of seeds) {
    const ledger = await play(seed);
    handed += ledger.handed;
    reloads += ledger.reloads;
  }
  t.diagnostic(`${seeds.length} runs: ${handed} messages delivered, ${reloads} reloads`);
});
