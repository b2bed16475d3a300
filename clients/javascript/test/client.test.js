import assert from "node:assert/strict";
import { test } from "node:test";

import {
  ConnectionLost, HoldfastError, SessionOver, TokenStore, memoryMarks, memoryStorage, ticketsFrom, webStorageMarks,
} from "../src/index.js";
import { FakeClock, Server, clientOf, live } from "./world.js";

const MINUTE = 60_000;
const actions = (server) => server.heard.map(({ frame }) => frame.action);
const last = (server, action) => server.heard.findLast(({ frame }) => frame.action === action);
const mark = (frame, name) => frame.channels.find(({ channel }) => channel === name);

test("a first visit says hello without marks, and is told where everything begins", async () => {
  const { server, log } = await live();
  assert.deepEqual(server.heard.map(({ frame }) => frame), [{ action: "hello", channels: [] }]);
  assert.deepEqual(log.states, ["connecting", "live"]);
  assert.deepEqual(log.reloads.map(({ channel, first }) => [channel, first]), [["user:u1", true], ["broadcast", true]]);
});

test("a message that comes before the first welcome is not lost if it lies behind it", async () => {
  const clock = new FakeClock();
  const server = new Server(clock);
  const client = clientOf(server);
  const messages = [];
  client.on("message", ({ offset }) => void messages.push(offset));
  server.on_hello = (socket) => {
    const heads = ["user:u1", "broadcast"].map((name) => ({ ...server.head(name), recovered: false }));
    server.publish("user:u1");
    server.post(socket, { type: "welcome", connectionId: "c", channels: heads });
  };
  client.start();
  await clock.advance(1_000);
  assert.deepEqual(messages, [1]);
});

test("what was missed while away comes after the reconnect, in order, before what is new", async () => {
  const { clock, server, log } = await live();
  server.publish("user:u1", "a");
  server.socket.cut();
  server.publish("user:u1", "b");
  server.publish("user:u1", "c", { expired: true });
  await clock.advance(5_000);
  server.publish("user:u1", "d");
  assert.deepEqual(log.messages.map(({ data, kind, expired }) => [data, kind, expired]), [
    ["a", "note", false],
    ["b", "note", false],
    [null, "expired", true],
    ["d", "note", false],
  ]);
  assert.equal(log.reloads.length, 2, "only those of the first visit");
});

test("every hello names every channel", async () => {
  const { clock, server, client } = await live();
  const asked = client.subscribe("a");
  await clock.advance(10);
  await asked;
  server.socket.cut();
  await clock.advance(5_000);
  const { frame } = last(server, "hello");
  assert.deepEqual(frame.channels.map(({ channel }) => channel), ["user:u1", "broadcast", "topic:a"]);
  assert.deepEqual(mark(frame, "topic:a"), { ...server.head("topic:a") });
});

test("recovered:false asks for a reload, and messages wait until it is done", async () => {
  const { clock, server, client, log } = await live();
  let loaded;
  const off = client.on("reload", () => new Promise((done) => (loaded = done)));
  server.recoverable = 1;
  server.socket.cut();
  for (let n = 0; n < 3; n += 1) server.publish("user:u1", n);
  await clock.advance(5_000);
  server.publish("user:u1", "after");
  await clock.advance(10);
  assert.deepEqual(log.reloads.at(-1), { channel: "user:u1", ...place(server, "user:u1", 3), first: false });
  assert.deepEqual(log.messages, []);
  loaded();
  await clock.advance(10);
  assert.deepEqual(log.messages.map(({ data }) => data), ["after"]);
  off();
});

test("a reload that fails is tried again, and its channel waits", async () => {
  const { clock, server, client, log } = await live();
  let tries = 0;
  client.on("reload", () => {
    tries += 1;
    if (tries < 3) throw new Error("no state");
  });
  server.renumber("broadcast");
  server.socket.cut();
  await clock.advance(1_000);
  server.publish("broadcast", "later");
  server.publish("user:u1", "at once");
  assert.deepEqual(log.messages.map(({ data }) => data), ["at once"]);
  await clock.advance(MINUTE);
  assert.equal(tries, 3);
  assert.equal(log.errors.length, 2);
  assert.deepEqual(log.messages.map(({ data }) => data), ["at once", "later"]);
});

test("a gap that does not close is asked about", async () => {
  const { clock, server, log } = await live();
  server.faults.lose = 1;
  server.publish("user:u1", "lost");
  server.faults.lose = 0;
  server.publish("user:u1", "held");
  assert.deepEqual(log.messages, []);
  await clock.advance(2_900);
  assert.deepEqual(actions(server), ["hello"]);
  await clock.advance(200);
  assert.deepEqual(actions(server), ["hello", "hello"]);
  assert.deepEqual(log.messages.map(({ data }) => data), ["lost", "held"]);
});

test("a gap that closes by itself is not asked about", async () => {
  const { clock, server, log } = await live();
  server.faults.lose = 1;
  const late = server.publish("user:u1");
  server.faults.lose = 0;
  server.publish("user:u1");
  await clock.advance(1_000);
  server.post(server.socket, late);
  await clock.advance(MINUTE);
  assert.deepEqual(actions(server), ["hello"]);
  assert.equal(log.messages.length, 2);
});

test("a gap that hello does not close is asked about more and more seldom", async () => {
  const { clock, server } = await live();
  server.faults.lose = 1;
  server.publish("user:u1");
  server.faults.lose = 0;
  server.publish("user:u1");
  server.faults.lose = 1;
  await clock.advance(3 * MINUTE);
  const hellos = server.heard.filter(({ frame }) => frame.action === "hello").map(({ at }) => at);
  const waits = hellos.slice(2).map((at, index) => at - hellos[index + 1]);
  assert.ok(hellos.length < 12, `${hellos.length} hellos`);
  assert.ok(waits.every((wait, index) => index === 0 || wait >= waits[index - 1]), `${waits}`);
});

const sent = (server, action) => server.heard.filter(({ frame }) => frame.action === action).map(({ at }) => at);
const waitsOf = (times) => times.slice(1).map((at, index) => (at - times[index]) / 1_000);
/** A page that a test hides and shows. */
const pageOf = (visibilityState) => {
  const page = Object.assign(new EventTarget(), { document: new EventTarget() });
  page.document.visibilityState = visibilityState;
  return page;
};

test("a quiet socket is kept open by frames that nobody answers, earlier where timers are late", async () => {
  for (const [page, seconds] of [[{}, 580], [pageOf("visible"), 580], [pageOf("hidden"), 525]]) {
    const { clock, server, client } = await live({ page });
    await clock.advance(58 * MINUTE);
    const waits = waitsOf([server.opened[0].at, ...sent(server, "keepalive")]);
    assert.ok(waits.length >= 6 && waits.every((wait) => Math.abs(wait - seconds) < 1.1), `${waits}`);
    assert.deepEqual(new Set(actions(server)), new Set(["hello", "keepalive"]));
    assert.deepEqual([server.idle, server.opened.length, client.state], [0, 1, "live"]);
    assert.deepEqual(Object.keys(server.heard.at(-1).frame), ["action"]);
  }
});

test("messages keep a socket open, too", async () => {
  const { clock, server } = await live();
  for (let n = 0; n < 12; n += 1) {
    await clock.advance(9 * MINUTE);
    server.publish("user:u1");
  }
  assert.deepEqual(sent(server, "keepalive"), []);
  assert.deepEqual([server.idle, server.opened.length], [0, 1]);
});

test("frames of the client count from when they are sent", async () => {
  const { clock, server, client } = await live();
  await clock.advance(9 * MINUTE);
  const at = clock.now();
  const asked = client.presence(["u1"]);
  await clock.advance(10);
  await asked;
  await clock.advance(20 * MINUTE);
  assert.ok(Math.abs(sent(server, "keepalive")[0] - at - 580_000) < 1_100);
});

test("a page that is hidden just before its keep-alive sends it at once", async () => {
  const page = pageOf("visible");
  const { clock, server } = await live({ page });
  await clock.advance(530_000);
  page.document.visibilityState = "hidden";
  assert.equal(sent(server, "keepalive").length, 0);
  // Its timers may be a minute late from now on.
  page.document.dispatchEvent(new Event("visibilitychange"));
  await clock.advance(10);
  assert.equal(sent(server, "keepalive").length, 1);
  assert.equal(server.idle, 0);
});

test("the hello of the next socket asks what is missing, and a socket that is quiet until then sends no ping", async () => {
  const { clock, server, log } = await live({ reconnect: { baseMs: 1_000, capMs: 8_000 } });
  server.faults.lose = 1;
  server.publish("user:u1", "lost at the end");
  server.faults.lose = 0;
  await clock.advance(104 * MINUTE);
  assert.deepEqual([sent(server, "ping"), log.messages], [[], []]);
  await clock.advance(12 * MINUTE);
  assert.deepEqual([sent(server, "ping"), server.idle, server.opened.length], [[], 0, 2]);
  assert.deepEqual(log.messages.map(({ data }) => data), ["lost at the end"]);
});

test("a machine that slept asks at once whether its socket still lives", async () => {
  const { clock, server, client, log } = await live();
  server.socket.fallSilent();
  server.publish("user:u1", "meanwhile");
  // No timer runs while it sleeps.
  clock.sleep(20 * MINUTE);
  await clock.advance(21_000);
  assert.equal(client.state, "live");
  assert.equal(server.opened.length, 2);
  assert.deepEqual(log.messages.map(({ data }) => data), ["meanwhile"]);
});

test("a clock that is set back delays no keep-alive", async () => {
  const { clock, server } = await live();
  await clock.advance(2 * MINUTE);
  clock.setBack(60 * MINUTE);
  await clock.advance(30 * MINUTE);
  assert.equal(server.idle, 0);
});

test("a pong that is ahead makes the client say hello, and moves no mark", async () => {
  const { clock, server, client, log } = await live();
  server.faults.lose = 1;
  server.publish("broadcast", "lost at the end");
  server.faults.lose = 0;
  client.check();
  await clock.advance(10);
  assert.deepEqual(actions(server), ["hello", "ping", "hello"]);
  assert.equal(mark(last(server, "hello").frame, "broadcast").offset, 0);
  assert.deepEqual(log.messages.map(({ data }) => data), ["lost at the end"]);
});

test("a pong without a topic makes the client subscribe again, with its mark", async () => {
  const { clock, server, client, log } = await live();
  client.subscribe("a");
  await clock.advance(10);
  server.socket.topics.clear();
  server.publish("topic:a", "unheard");
  client.check();
  await clock.advance(10);
  assert.deepEqual(log.messages.map(({ data }) => data), ["unheard"]);
});

test("a socket that does not answer is given up", async () => {
  const { clock, server, client, log } = await live();
  server.socket.fallSilent();
  server.publish("user:u1", "while deaf");
  client.check();
  await clock.advance(19_000);
  assert.equal(client.state, "live");
  await clock.advance(3_000);
  assert.equal(server.opened.length, 2);
  assert.deepEqual(log.messages.map(({ data }) => data), ["while deaf"]);
});

test("the wait between connections doubles up to its cap, with full jitter, and a good connection ends that", async () => {
  const { clock, server } = await live({ random: () => 0.5, reconnect: { baseMs: 1_000, capMs: 8_000 } });
  server.refuseHandshakes = true;
  await clock.advance(2 * MINUTE);
  server.socket.cut();
  await clock.advance(MINUTE);
  const waits = server.opened.slice(1).map(({ at }, index) => at - server.opened[index].at);
  assert.deepEqual(waits.slice(1, 6).map((wait) => Math.round(wait / 100) / 10), [1, 2, 4, 4, 4]);
  assert.equal(Math.round((server.opened[1].at - server.opened[0].at - 2 * MINUTE) / 1_000), 2, "0.5 s after the first second");
});

test("connections that fail soon after they began do not end the back-off", async () => {
  const { clock, server } = await live({ reconnect: { baseMs: 1_000, capMs: 64_000 } });
  const waits = [];
  for (let n = 0; n < 5; n += 1) {
    const cut = clock.now();
    server.socket.cut();
    await clock.advance(40_000);
    waits.push(Math.round((server.opened.at(-1).at - cut) / 100) / 10);
  }
  // Chance is one half; the first connection was the first attempt.
  assert.deepEqual(waits, [0.5, 1, 2, 4, 8]);
});

test("a new socket replaces the old one after 105 to 115 minutes, and nothing is lost", async () => {
  for (const [random, minutes] of [[0, 105], [0.5, 110], [0.999999, 115]]) {
    const { clock, server, log } = await live({ random: () => random });
    await clock.advance((minutes - 1) * MINUTE);
    assert.equal(server.opened.length, 1);
    await clock.advance(1.5 * MINUTE);
    assert.equal(server.opened.length, 2);
    assert.equal(server.sockets.size, 1, "the old one is closed");
    server.publish("user:u1", "still there");
    assert.equal(log.messages.length, 1);
    assert.equal(log.reloads.length, 2);
  }
});

test("no ticket for the new socket: the old one stays", async () => {
  let fail = false;
  const ticket = () => {
    if (fail) throw new HoldfastError("UNAVAILABLE", "later");
    return { url: "ws://x/v1?ticket=t" };
  };
  const { clock, server, client } = await live({ ticket });
  fail = true;
  await clock.advance(111 * MINUTE);
  assert.equal(client.state, "live");
  fail = false;
  await clock.advance(2 * MINUTE);
  assert.equal(server.opened.length, 2);
  assert.equal(client.state, "live");
});

for (const code of ["SESSION_ENDED", "SESSION_EXPIRED", "REPLACED"]) {
  test(`after bye ${code} nobody comes back`, async () => {
    const { clock, server, client, log } = await live();
    server.dismiss(server.socket, code, false);
    await clock.advance(60 * MINUTE);
    assert.equal(server.opened.length, 1);
    assert.deepEqual(log.ended, [{ code, reason: "because", reconnect: false }]);
    assert.equal(client.state, "ended");
    await assert.rejects(client.live(), SessionOver);
    await assert.rejects(client.subscribe("a"), SessionOver);
  });
}

for (const code of ["SHUTDOWN", "STATE_LOST"]) {
  test(`after bye ${code} the client comes back, with hello`, async () => {
    const { clock, server, client, log } = await live();
    server.dismiss(server.socket, code, true);
    server.publish("user:u1", "between");
    await clock.advance(MINUTE);
    assert.equal(client.state, "live");
    assert.equal(actions(server).filter((action) => action === "hello").length, 2);
    assert.deepEqual(log.messages.map(({ data }) => data), ["between"]);
  });
}

test("after bye RATE_LIMITED the client stays away for a minute", async () => {
  const { clock, server, client } = await live();
  server.dismiss(server.socket, "RATE_LIMITED", true);
  await clock.advance(59_000);
  assert.equal(server.opened.length, 1);
  await clock.advance(10_000);
  assert.equal(server.opened.length, 2);
  assert.equal(client.state, "live");
});

test("what comes between bye and the close still counts", async () => {
  const { clock, server, log } = await live();
  const { socket } = server;
  server.dismiss(socket, "SHUTDOWN", true);
  socket.deliver(JSON.stringify({ ...server.publish("broadcast", "late") }));
  await clock.advance(MINUTE);
  assert.deepEqual(log.messages.map(({ data }) => data), ["late"]);
});

test("if the close after bye never arrives, the client closes", async () => {
  const { clock, server, client } = await live();
  server.socket.deliver(JSON.stringify({ type: "bye", code: "SESSION_ENDED", reason: "", reconnect: false }));
  await clock.advance(6_000);
  assert.equal(client.state, "ended");
  assert.equal(server.sockets.size, 0);
});

test("a hundred subscriptions at once stay below the limit of frames a minute", async () => {
  const { clock, server, client } = await live();
  const all = Array.from({ length: 100 }, (_, n) => client.subscribe(`t${n}`));
  await clock.advance(30_000);
  assert.ok(server.heard.length <= 80, `${server.heard.length} frames`);
  await clock.advance(2 * MINUTE);
  await Promise.all(all);
  const times = server.heard.map(({ at }) => at);
  for (const at of times) assert.ok(times.filter((other) => other >= at && other < at + MINUTE).length <= 80);
});

test("a topic that is refused says so, and is not asked for again", async () => {
  const { clock, server, client } = await live();
  server.forbidden.add("secret");
  const refused = assert.rejects(client.subscribe("secret"), { name: "HoldfastError", code: "FORBIDDEN" });
  await clock.advance(10);
  await refused;
  server.socket.cut();
  await clock.advance(5_000);
  assert.ok(!mark(last(server, "hello").frame, "topic:secret"));
  await assert.rejects(client.subscribe("no spaces"), { code: "INVALID_TOPIC" });
});

test("a topic that is refused at the reconnect is given up, and its reader told", async () => {
  const { clock, server, client, log } = await live();
  client.subscribe("a");
  client.subscribe("b");
  await clock.advance(10);
  server.forbidden.add("a");
  server.socket.cut();
  await clock.advance(5_000);
  assert.deepEqual(log.denied.map(({ channel, error }) => [channel, error.code]), [["topic:a", "FORBIDDEN"]]);
  server.publish("topic:b", "goes on");
  assert.deepEqual(log.messages.map(({ data }) => data), ["goes on"]);
});

test("a subscription that was asked for while away is made at the reconnect", async () => {
  const { clock, server, client, log } = await live();
  server.socket.cut();
  const asked = client.subscribe("a");
  await clock.advance(5_000);
  await asked;
  server.publish("topic:a", "heard");
  assert.equal(log.messages.length, 1);
});

test("a subscription whose answer was lost with the socket is made again", async () => {
  const { clock, server, client } = await live();
  server.on_subscribe = (socket) => socket.cut();
  const asked = client.subscribe("a");
  await clock.advance(10);
  delete server.on_subscribe;
  await clock.advance(5_000);
  assert.equal((await asked).channel, "topic:a");
});

test("after unsubscribe nothing of the topic comes, and the next subscription begins where it stands", async () => {
  const { clock, server, client, log } = await live();
  client.subscribe("a");
  await clock.advance(10);
  const { socket } = server;
  const gone = client.unsubscribe("a");
  socket.deliver(JSON.stringify(server.publish("topic:a", "too late")));
  await clock.advance(10);
  await gone;
  server.publish("topic:a", "unheard");
  const { offset } = await Promise.all([client.subscribe("a"), clock.advance(10)]).then(([place]) => place);
  assert.equal(offset, 2);
  server.publish("topic:a", "heard");
  assert.deepEqual(log.messages.map(({ data }) => data), ["heard"]);
});

test("contrary requests go out one after the other's answer", async () => {
  const { clock, server, client } = await live();
  const order = [];
  const answer = Server.prototype.post;
  server.post = (socket, frame) => {
    order.push(frame.type);
    clock.setTimeout(() => answer.call(server, socket, frame), 100);
  };
  client.subscribe("a").catch(() => {});
  client.unsubscribe("a");
  client.subscribe("a");
  await clock.advance(50);
  assert.deepEqual(order, ["subscribed"]);
  await clock.advance(1_000);
  assert.deepEqual(order, ["subscribed", "unsubscribed", "subscribed"]);
});

test("a store that cannot be reached is asked again", async () => {
  const { clock, server, client, log } = await live();
  let failures = 3;
  const serve = Server.prototype.serve;
  server.serve = (socket, text) => {
    failures -= 1;
    if (failures < 0) return serve.call(server, socket, text);
    server.post(socket, { type: "error", code: "UNAVAILABLE", detail: "send it again" });
  };
  const asked = client.subscribe("a");
  await clock.advance(MINUTE);
  await asked;
  failures = 3;
  server.socket.cut();
  await clock.advance(MINUTE);
  assert.equal(client.state, "live");
  assert.deepEqual(log.errors, []);
});

test("presence says who is there", async () => {
  const { clock, client } = await live();
  const asked = client.presence(["u1", "u2"]);
  await clock.advance(10);
  assert.deepEqual(await asked, { u1: true, u2: false });
  await assert.rejects(client.presence(Array(101).fill("u")), { code: "INVALID_FRAME" });
});

test("an answer that the socket takes with it is an error of its own", async () => {
  const { clock, server, client } = await live();
  server.on_presence = (socket) => socket.cut();
  const asked = assert.rejects(client.presence(["u1"]), ConnectionLost);
  await clock.advance(10);
  await asked;
});

test("frames that are none, and types of a later release, are passed over", async () => {
  const { server, client, log } = await live();
  const odd = ["", "x", "[]", "{}", "null", '{"type":7}', '{"type":"message"}', '{"type":"welcome","channels":[{}]}'];
  const wrong = { type: "message", id: "m", channel: "broadcast", epoch: "e", offset: 1.5, kind: "note", data: 1 };
  for (const text of [...odd, JSON.stringify(wrong)]) server.socket.deliver(text);
  server.socket.deliver(new ArrayBuffer(3));
  for (const type of ["novelty", "toString", "__proto__"]) server.socket.deliver(JSON.stringify({ type }));
  server.publish("broadcast", "well");
  assert.equal(client.state, "live");
  assert.equal(log.messages.length, 1);
  assert.equal(log.errors.length, odd.length + 2);
  assert.ok(log.errors.every(({ code }) => code === "INVALID_FRAME"));
});

test("a listener that fails is reported, and the next message comes all the same", async () => {
  const { server, client, log } = await live();
  client.on("message", () => {
    throw new Error("mine");
  });
  server.publish("broadcast", 1);
  server.publish("broadcast", 2);
  assert.equal(log.messages.length, 2);
  assert.deepEqual(log.errors.map(({ message }) => message), ["mine", "mine"]);
});

test("a listener that takes its time gets a channel's messages one by one, and other channels do not wait", async () => {
  const { clock, server, client } = await live();
  const began = [];
  let done;
  client.on("message", ({ channel, data }) => {
    began.push(data);
    if (channel === "broadcast") return new Promise((resolve) => (done = resolve));
  });
  server.publish("broadcast", 1);
  server.publish("broadcast", 2);
  server.publish("user:u1", "other");
  await clock.advance(10);
  assert.deepEqual(began, [1, "other"]);
  done();
  await clock.advance(10);
  assert.deepEqual(began, [1, "other", 2]);
});

test("a page that is loaded anew goes on from what was handed over", async () => {
  const marks = memoryMarks();
  const { clock, server, client, log } = await live({ marks });
  client.subscribe("a");
  await clock.advance(10);
  server.publish("topic:a", "seen");
  await clock.advance(10);
  client.on("message", () => new Promise(() => {}));
  server.publish("topic:a", "half done");
  client.stop();
  server.publish("topic:a", "missed");
  const next = clientOf(server, { marks });
  next.on("message", (message) => void log.messages.push(message));
  next.on("reload", (reload) => void log.reloads.push(reload));
  next.start();
  const asked = next.subscribe("a");
  await clock.advance(1_000);
  await asked;
  assert.deepEqual(log.messages.map(({ data }) => data), ["seen", "half done", "half done", "missed"]);
  assert.equal(log.reloads.length, 2, "only those of the first visit");
});

test("a topic that is asked for long after the page was loaded anew still goes on from its mark", async () => {
  const marks = memoryMarks();
  const { clock, server, client } = await live({ marks });
  client.subscribe("a");
  await clock.advance(10);
  client.stop();
  server.publish("topic:a", "missed");
  const next = clientOf(server, { marks });
  const messages = [];
  next.on("message", ({ data }) => void messages.push(data));
  next.start();
  await clock.advance(10 * MINUTE);
  next.subscribe("a");
  await clock.advance(10);
  assert.deepEqual(messages, ["missed"]);
});

test("a mark that nobody asked for within 24 hours is forgotten", async () => {
  const marks = memoryMarks();
  const { clock, server, client } = await live({ marks });
  client.subscribe("a");
  await clock.advance(10);
  client.stop();
  await clock.advance(24 * 60 * MINUTE);
  const next = clientOf(server, { marks });
  next.start();
  await clock.advance(1_000);
  next.subscribe("a");
  await clock.advance(10);
  assert.equal(actions(server).at(-1), "subscribe");
});

test("marks are saved one after another, and the newest last", async () => {
  const clock = new FakeClock();
  let saving = 0;
  let kept;
  const save = async (marks) => {
    saving += 1;
    assert.equal(saving, 1, "two at once");
    await new Promise((done) => clock.setTimeout(done, 100));
    kept = marks;
    saving -= 1;
  };
  const { server, log } = await live({ marks: { load: () => null, save }, clock });
  for (let n = 0; n < 20; n += 1) {
    server.publish("broadcast");
    await clock.advance(30);
  }
  await clock.advance(1_000);
  assert.deepEqual(log.errors, []);
  assert.equal(kept.channels.find(({ channel }) => channel === "broadcast").offset, 20);
});

test("marks of somebody else are dropped", async () => {
  const marks = memoryMarks();
  const first = await live({ marks });
  first.client.stop();
  const clock = new FakeClock();
  const server = new Server(clock);
  server.user = "u2";
  const client = clientOf(server, { marks });
  const reloads = [];
  client.on("reload", ({ channel }) => void reloads.push(channel));
  client.start();
  await clock.advance(1_000);
  assert.equal(client.state, "live");
  assert.deepEqual(reloads.sort(), ["broadcast", "user:u2"]);
  server.socket.cut();
  await clock.advance(5_000);
  assert.ok(!mark(last(server, "hello").frame, "user:u1"));
});

test("marks that are damaged count as none", async () => {
  for (const kept of ["{", "7", '{"v":1,"channels":[{"channel":"broadcast","epoch":1,"offset":-1},null]}', '{"v":99}']) {
    const marks = webStorageMarks("marks", { getItem: () => kept, setItem() {} });
    const { client, log } = await live({ marks });
    assert.equal(client.state, "live");
    assert.ok(log.reloads.every(({ first }) => first));
  }
});

test("a store of marks that fails is reported, and messages come all the same", async () => {
  const marks = { load: () => null, save: () => Promise.reject(new Error("quota")) };
  const { clock, server, log } = await live({ marks });
  server.publish("broadcast", 1);
  await clock.advance(10);
  assert.equal(log.messages.length, 1);
  assert.ok(log.errors.length > 0 && log.errors.every(({ message }) => message === "quota"));
});

test("a session that is over ends the client when the ticket is asked for", async () => {
  let over = false;
  const ticket = () => {
    if (over) throw new SessionOver("signed out");
    return { url: "ws://x/v1" };
  };
  const { clock, server, client, log } = await live({ ticket });
  over = true;
  server.socket.cut();
  await clock.advance(5_000);
  assert.equal(client.state, "ended");
  assert.deepEqual(log.ended, [{ code: "SESSION_ENDED", reason: "signed out", reconnect: false }]);
});

test("a ticket that cannot be had is asked for again, not before the time that was named", async () => {
  let asked = 0;
  const ticket = () => {
    asked += 1;
    throw new HoldfastError("TOO_MANY", "later", { retryAfterSeconds: 30 });
  };
  const { clock, client } = await live({ ticket });
  await clock.advance(28_000);
  assert.equal(asked, 1);
  await clock.advance(3_000);
  assert.equal(asked, 2);
  assert.equal(client.state, "waiting");
});

test("the ticket goes as a sub-protocol where that is wanted", async () => {
  const { server } = await live({ subprotocol: true });
  assert.deepEqual(server.opened[0].protocols, ["holdfast.v1", "ticket.t"]);
  assert.equal(server.opened[0].url, "ws://holdfast.test/v1");
});

test("a network that is back is used at once", async () => {
  const listeners = {};
  const page = { addEventListener: (type, listener) => (listeners[type] = listener), removeEventListener: (type) => delete listeners[type] };
  const { clock, server, client } = await live({ page, random: () => 0.999, reconnect: { baseMs: 50_000, capMs: 50_000 } });
  server.socket.cut();
  await clock.advance(1_000);
  assert.equal(client.state, "waiting");
  listeners.online();
  await clock.advance(10);
  assert.equal(client.state, "live");
  client.stop();
  assert.deepEqual(listeners, {});
});

test("a client that is stopped leaves nothing behind", async () => {
  const { clock, server, client, log } = await live();
  const asked = assert.rejects(client.subscribe("a"), { code: "STOPPED" });
  client.stop();
  await asked;
  server.publish("broadcast", 1);
  await clock.advance(3 * 60 * MINUTE);
  assert.equal(server.opened.length, 1);
  assert.equal(server.sockets.size, 0);
  assert.deepEqual(log.messages, []);
  assert.equal(client.state, "stopped");
});

test("React's StrictMode mounts, unmounts and mounts again: one socket, one subscription, one handler", async () => {
  const clock = new FakeClock();
  const server = new Server(clock);
  const client = clientOf(server);
  const messages = [];
  const errors = [];
  client.on("error", (error) => void errors.push(error));
  const mount = () => {
    const off = client.on("message", ({ data }) => void messages.push(data));
    client.start();
    const asked = client.subscribe("a");
    return { asked, unmount: () => (off(), client.stop()) };
  };
  const first = mount();
  first.unmount();
  const second = mount();
  await assert.rejects(first.asked, { code: "STOPPED" });
  await clock.advance(1_000);
  assert.equal((await second.asked).channel, "topic:a");
  assert.equal(client.state, "live");
  assert.equal(server.opened.length, 1);
  server.publish("topic:a", "once");
  assert.deepEqual([messages, errors], [["once"], []]);
  second.unmount();
  await clock.advance(MINUTE);
  assert.equal(server.sockets.size, 0);
});

for (const [when, ms] of [["while the socket opens", 0], ["once it is live", 1_000]]) {
  test(`a client that is stopped ${when} and started again goes on`, async () => {
    const clock = new FakeClock();
    const server = new Server(clock);
    const client = clientOf(server);
    const messages = [];
    client.on("message", ({ data }) => void messages.push(data));
    client.start();
    await clock.advance(ms);
    client.stop();
    server.publish("user:u1", "missed");
    client.start();
    await clock.advance(1_000);
    server.publish("user:u1", "new");
    assert.equal(client.state, "live");
    assert.equal(server.sockets.size, 1);
    // Without a mark, what was published before the first welcome lies before this client.
    assert.deepEqual(messages, ms ? ["missed", "new"] : ["new"]);
  });
}

test("starting a client that runs changes nothing", async () => {
  const { clock, server, client } = await live();
  assert.equal(client.start(), client);
  server.socket.cut();
  client.start();
  await clock.advance(5_000);
  client.start();
  await clock.advance(1_000);
  assert.equal(server.opened.length, 2);
  assert.equal(server.sockets.size, 1);
});

test("what was received but not handed over when the client was stopped comes after the next start, and nothing twice", async () => {
  const { clock, server, client, log } = await live();
  let done;
  const off = client.on("message", () => new Promise((resolve) => (done = resolve)));
  server.publish("user:u1", "handed");
  server.publish("user:u1", "waits");
  await clock.advance(10);
  client.stop();
  off();
  client.start();
  await clock.advance(1_000);
  done();
  await clock.advance(10);
  server.publish("user:u1", "new");
  assert.deepEqual(log.messages.map(({ data }) => data), ["handed", "waits", "new"]);
});

test("a stopped client keeps no subscription, and a topic that is asked for again goes on from its mark", async () => {
  const { clock, server, client, log } = await live();
  client.subscribe("a");
  await clock.advance(10);
  server.publish("topic:a", 1);
  await clock.advance(10);
  client.stop();
  server.publish("topic:a", 2);
  client.start();
  await clock.advance(1_000);
  assert.deepEqual(log.messages.map(({ data }) => data), [1]);
  client.subscribe("a");
  await clock.advance(10);
  assert.deepEqual(log.messages.map(({ data }) => data), [1, 2]);
});

test("a reload that failed before the client was stopped is not tried again beside the new one", async () => {
  const { clock, server, client } = await live();
  let tries = 0;
  client.on("reload", () => {
    tries += 1;
    if (tries === 1) throw new Error("no state");
  });
  server.renumber("broadcast");
  server.socket.cut();
  await clock.advance(700);
  assert.equal(tries, 1);
  client.stop();
  client.start();
  await clock.advance(10 * MINUTE);
  assert.equal(tries, 2, "that of the new start");
});

test("after the end of the session the same client starts again, for whoever signed in", async () => {
  const { clock, server, client, log } = await live();
  server.dismiss(server.socket, "SESSION_ENDED", false);
  await clock.advance(1_000);
  assert.equal(client.state, "ended");
  server.user = "u2";
  client.start();
  await clock.advance(1_000);
  assert.equal(client.state, "live");
  server.publish("user:u2", "for the other");
  assert.deepEqual(log.messages.map(({ data }) => data), ["for the other"]);
});

test("a listener of error may stop the client, and start it again", async () => {
  for (const [again, expected] of [[false, "stopped"], [true, "live"]]) {
    let fail = true;
    const ticket = () => {
      if (fail) throw new HoldfastError("UNAVAILABLE", "later");
      return { url: "ws://x/v1?ticket=t" };
    };
    const clock = new FakeClock();
    const client = clientOf(new Server(clock), { ticket });
    client.on("error", () => {
      fail = false;
      client.stop();
      if (again) client.start();
    });
    client.start();
    await clock.advance(10);
    assert.equal(client.state, expected);
  }
});

test("without a WebSocket class, start says what to pass", () => {
  const own = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  Object.defineProperty(globalThis, "WebSocket", { value: undefined, configurable: true, writable: true });
  try {
    const client = clientOf(new Server(new FakeClock()), { WebSocket: undefined });
    assert.throws(() => client.start(), (error) => error.code === "NO_WEBSOCKET" && /npm install ws/.test(error.message));
    assert.equal(client.state, "idle");
  } finally {
    if (own) Object.defineProperty(globalThis, "WebSocket", own);
    else delete globalThis.WebSocket;
  }
});

test("a socket that closes before it opens is an error each time, and the client backs off", async () => {
  const clock = new FakeClock();
  const server = new Server(clock);
  server.refuseHandshakes = true;
  const { client, errors } = watched(server);
  client.start();
  await clock.advance(MINUTE);
  assert.ok(errors.length > 2 && errors.length === server.opened.length - (client.state === "connecting" ? 1 : 0));
  assert.ok(errors.every((error) => error instanceof HoldfastError && error.code === "CONNECTION_FAILED"), `${errors}`);
  assert.match(errors[0].message, /code 1006.*before it opened/);
  server.refuseHandshakes = false;
  await clock.advance(MINUTE);
  assert.equal(client.state, "live");
});

test("the reason that a socket gives for its failure is the cause", async () => {
  const clock = new FakeClock();
  const reason = new Error("Unexpected server response: 403");
  class Refused {
    constructor() {
      clock.setTimeout(() => (this.onerror({ error: reason }), this.onclose({ code: 1006 })), 1);
    }
    close() {}
  }
  const { client, errors } = watched(new Server(clock), { WebSocket: Refused });
  client.start();
  await clock.advance(10);
  assert.equal(errors[0].cause, reason);
  client.stop();
});

test("a socket that neither opens nor closes is an error after 20 s, and another is tried", async () => {
  const clock = new FakeClock();
  let sockets = 0;
  class Silent {
    constructor() {
      sockets += 1;
    }
    close() {}
  }
  const { client, errors } = watched(new Server(clock), { WebSocket: Silent });
  client.start();
  await clock.advance(21_000);
  assert.deepEqual(errors.map(({ code }) => code), ["CONNECT_TIMEOUT"]);
  assert.equal(sockets, 2);
  client.stop();
});

test("a socket that opens and says nothing, and one that closes then, are errors", async () => {
  const clock = new FakeClock();
  const server = new Server(clock);
  server.on_hello = () => {};
  const { client, errors } = watched(server);
  client.start();
  await clock.advance(20_100);
  server.on_hello = (socket) => socket.cut();
  await clock.advance(2_000);
  assert.deepEqual(errors.slice(0, 2).map(({ code }) => code), ["ANSWER_TIMEOUT", "CONNECTION_LOST"]);
});

for (const [what, answer, code, state] of [
  ["401", () => new Response('{"code":"UNAUTHENTICATED","detail":"no"}', { status: 401 }), "UNAUTHENTICATED", "ended"],
  ["a proxy's 401", () => new Response("<html>", { status: 401 }), "HTTP_401", "waiting"],
  ["403", () => new Response('{"code":"FORBIDDEN"}', { status: 403 }), "FORBIDDEN", "waiting"],
  ["503", () => new Response('{"code":"UNAVAILABLE","retryAfterSeconds":5}', { status: 503 }), "UNAVAILABLE", "waiting"],
  ["no answer", () => Promise.reject(new TypeError("fetch failed")), "UNREACHABLE", "waiting"],
]) {
  test(`a ticket that is refused with ${what} is an error, and the client is ${state}`, async () => {
    const clock = new FakeClock();
    const later = new Date(clock.now() + 900_000).toISOString();
    const tokens = new TokenStore({ httpUrl: "http://x", storage: memoryStorage(), locks: null, sleep: async () => {}, now: () => clock.now(), fetch: async (url) => {
      if (url.endsWith("/v1/auth/refresh")) return Response.json({ tokens: { accessToken: "b", refreshToken: "s", accessExpiresAt: later } });
      return answer();
    } });
    tokens.set({ accessToken: "a", refreshToken: "r", accessExpiresAt: later });
    const { client, errors } = watched(new Server(clock), { ticket: ticketsFrom(tokens) });
    client.start();
    // Bodies of answers are read outside of the simulated time.
    for (let turn = 0; turn < 50; turn += 1) await clock.advance(1);
    assert.equal(client.state, state);
    assert.deepEqual(errors.map((error) => [error instanceof HoldfastError, error.code]), [[true, code]]);
    assert.ok(tokens.isSignedIn, "only a refusal of the refresh signs out");
    client.stop();
  });
}

test("the time that the server named is kept when the network is back or the page is looked at again", async () => {
  const listeners = {};
  const add = (type, listener) => (listeners[type] = listener);
  const page = { addEventListener: add, removeEventListener() {}, document: { visibilityState: "visible", addEventListener: add, removeEventListener() {} } };
  let asked = 0;
  const ticket = () => {
    asked += 1;
    throw new HoldfastError("UNAVAILABLE", "later", { retryAfterSeconds: 30 });
  };
  const { clock, client } = await live({ ticket, page });
  listeners.online();
  listeners.visibilitychange();
  await clock.advance(28_000);
  assert.equal(asked, 1);
  client.reconnect();
  await clock.advance(10);
  assert.equal(asked, 2, "the user may insist");
});

test("clients that were told to come back at one time do not come at once", async () => {
  const times = [];
  for (const chance of [0.1, 0.5, 0.9]) {
    const clock = new FakeClock();
    const ticket = () => {
      times.push(clock.now());
      throw new HoldfastError("UNAVAILABLE", "later", { retryAfterSeconds: 30 });
    };
    const { client } = watched(new Server(clock), { ticket, random: () => chance });
    client.start();
    await clock.advance(31_500);
    client.stop();
  }
  assert.equal(new Set(times).size, 4, "the first is the same for all");
});

test("a subscription that nobody waits for and that is refused ends no process: denied says so", async () => {
  const { clock, server, client, log } = await live();
  const unhandled = [];
  const listener = (error) => unhandled.push(error);
  process.on("unhandledRejection", listener);
  try {
    server.forbidden.add("secret");
    client.subscribe("open");
    client.subscribe("secret");
    client.subscribe("no spaces");
    client.live();
    await clock.advance(100);
    server.publish("topic:open", "goes on");
    client.subscribe("never");
    client.stop();
    client.live();
    client.subscribe("late");
    await clock.advance(100);
  } finally {
    process.off("unhandledRejection", listener);
  }
  assert.deepEqual(unhandled, []);
  assert.deepEqual(log.denied.map(({ channel, error }) => [channel, error.code]), [["topic:secret", "FORBIDDEN"]]);
  assert.deepEqual(log.errors.map(({ code }) => code), ["INVALID_TOPIC"]);
  assert.deepEqual(log.messages.map(({ data }) => data), ["goes on"]);
});

/** A client that is not started yet, and its errors. */
function watched(server, options) {
  const client = clientOf(server, options);
  const errors = [];
  client.on("error", (error) => void errors.push(error));
  return { client, errors };
}

function place(server, name, offset) {
  return { epoch: server.channel(name).epoch, offset };
}
