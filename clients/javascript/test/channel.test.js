import assert from "node:assert/strict";
import { test } from "node:test";

import { Channel, Seen } from "../src/channel.js";

const at = (offset, epoch = "e") => ({ epoch, offset });
const message = (offset, { epoch = "e", id = `${epoch}${offset}` } = {}) => ({ type: "message", id, channel: "c", epoch, offset });
const offsets = (ready) => ready.map(({ place, frame }) => (frame ? place.offset : `-${place.offset}`));

test("messages that come out of order are handed over in order", () => {
  const channel = new Channel("c", undefined, at(3));
  assert.deepEqual(offsets(channel.receive(message(6))), []);
  assert.deepEqual(offsets(channel.receive(message(5))), []);
  assert.ok(channel.isBehind);
  assert.deepEqual(channel.mark, at(3));
  assert.deepEqual(offsets(channel.receive(message(4))), [4, 5, 6]);
  assert.ok(!channel.isBehind);
});

test("a message comes once, however often it is sent", () => {
  const channel = new Channel("c", undefined, at(0));
  assert.deepEqual(offsets(channel.receive(message(1))), [1]);
  assert.deepEqual(offsets(channel.receive(message(1))), []);
  assert.deepEqual(offsets(channel.receive(message(3))), []);
  assert.deepEqual(offsets(channel.receive(message(3))), []);
  assert.deepEqual(offsets(channel.receive(message(2))), [2, 3]);
});

test("an id that was handed over moves the mark and is not handed over again", () => {
  const channel = new Channel("c", undefined, at(0));
  channel.receive(message(1, { id: "x" }));
  assert.deepEqual(offsets(channel.receive(message(2, { id: "x" }))), ["-2"]);
  assert.deepEqual(channel.mark, at(2));
});

test("ephemeral messages come at once and once, and move nothing", () => {
  const channel = new Channel("c", undefined, at(0));
  channel.receive(message(2));
  const ephemeral = { type: "message", id: "x", channel: "c" };
  assert.equal(channel.receive(ephemeral).length, 1);
  assert.equal(channel.receive(ephemeral).length, 0);
  assert.deepEqual(channel.mark, at(0));
});

test("welcome moves no mark when everything follows", () => {
  const channel = new Channel("c", undefined, at(3));
  channel.reach(at(9), { recovered: true });
  assert.deepEqual(channel.mark, at(3));
  assert.ok(channel.isBehind);
});

test("pong moves no mark", () => {
  const channel = new Channel("c", undefined, at(3));
  channel.reach(at(4));
  assert.deepEqual(channel.mark, at(3));
  assert.ok(channel.isBehind);
  channel.reach(at(2));
  channel.receive(message(4));
  assert.ok(!channel.isBehind, "an old pong is no news");
});

test("after a loss messages go on behind the place that was named, with those that came before the answer", () => {
  const channel = new Channel("c", undefined, at(3));
  channel.receive(message(9));
  channel.receive(message(11));
  channel.receive(message(12));
  const { from, ready } = channel.restart(at(10), at(3));
  assert.deepEqual(from, at(10));
  assert.deepEqual(offsets(ready), [11, 12]);
  assert.deepEqual(offsets(channel.receive(message(9))), [], "what the reload has covered");
});

test("a mark that went past the place that was named, while the answer was on its way, stays", () => {
  const channel = new Channel("c", undefined, at(3));
  channel.receive(message(4));
  channel.receive(message(5));
  assert.deepEqual(channel.restart(at(4), at(3)).from, at(5));
  assert.deepEqual(offsets(channel.receive(message(6))), [6]);
});

test("messages of another numbering wait until it is known which one holds", () => {
  const channel = new Channel("c", undefined, at(30));
  assert.deepEqual(channel.receive(message(31, { epoch: "f" })), []);
  assert.ok(channel.isBehind, "to be asked about");
  assert.deepEqual(offsets(channel.receive(message(31))), [31], "the old numbering goes on meanwhile");
  const { ready } = channel.restart(at(30, "f"), at(30));
  assert.deepEqual(offsets(ready), [31]);
  assert.deepEqual(channel.mark, at(31, "f"));
  assert.ok(!channel.isBehind);
});

test("a late message of a numbering that is over asks once and harms nothing", () => {
  const channel = new Channel("c", undefined, at(5, "f"));
  channel.receive(message(8));
  assert.ok(channel.isBehind);
  channel.reach(at(5, "f"), { recovered: true });
  assert.ok(!channel.isBehind);
  assert.deepEqual(offsets(channel.receive(message(6, { epoch: "f" }))), [6]);
});

test("without a mark messages wait for one", () => {
  const channel = new Channel("c");
  assert.deepEqual(channel.receive(message(7)), []);
  assert.ok(!channel.isBehind);
  assert.deepEqual(offsets(channel.restart(at(6)).ready), [7]);
});

test("an endless gap holds a bounded number of messages, and loses none for good", () => {
  const channel = new Channel("c", undefined, at(0));
  for (let offset = 2; offset < 5_000; offset += 1) channel.receive(message(offset));
  const ready = channel.receive(message(1));
  assert.equal(ready.length, 2_001);
  assert.ok(channel.isBehind, "the rest is asked for");
});

test("repeats of what was handed over take no room from what waits", () => {
  const channel = new Channel("c", undefined, at(3_000));
  for (let offset = 1; offset <= 3_000; offset += 1) channel.receive(message(offset));
  channel.receive(message(3_002));
  assert.deepEqual(offsets(channel.receive(message(3_001))), [3_001, 3_002]);
});

test("remembered ids are bounded", () => {
  const seen = new Seen();
  for (let id = 0; id < 6_000; id += 1) assert.ok(seen.isNew(`${id}`));
  assert.ok(!seen.isNew("5999"));
  assert.ok(seen.isNew("0"));
});
