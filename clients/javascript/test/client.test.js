import assert from "node:assert/strict";
import { test } from "node:test";

import { ConnectionLost, HoldfastError, SessionOver, memoryMarks, webStorageMarks } from "../src/index.js";
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

test("a ping every 4 to 9 minutes, whatever chance says", async () => {
  for (const [random, wait] of [[0, 4], [0.5, 6.5], [0.999999, 9]]) {
    const { clock, server } = await live({ random: () => random });
    await clock.advance(30 * MINUTE);
    const pings = server.heard.filter(({ frame }) => frame.action === "ping").map(({ at }) => at);
    const waits = pings.slice(1).map((at, index) => (at - pings[index]) / MINUTE);
    assert.ok(waits.length > 1 && waits.every((found) => Math.abs(found - wait) < 0.01), `${waits}`);
  }
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
  assert.throws(() => client.start(), { code: "STARTED" });
});

function place(server, name, offset) {
  return { epoch: server.channel(name).epoch, offset };
}
