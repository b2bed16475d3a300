// A client of the protocol in docs/websocket.md, made with npm `ws` and nothing of Holdfast's. See path.py.
// usage: node client_ws.mjs <folder of ws>

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const WebSocket = createRequire(import.meta.url)(process.argv[2]);
const base = process.env.HOLDFAST_HTTP_URL.replace(/\/+$/, "");
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const channels = new Map(); // name → {epoch, offset}: the highest offset with none missing below it
const early = new Map(); // "name epoch offset" → message that waits for those before it
const handed = new Set();
let token;
let socket;

async function post(path, body) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(base + path, { method: "POST", headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function hand(message) {
  if (handed.has(message.id)) return;
  handed.add(message.id);
  say({ handed: message });
}

function handOver(name) {
  for (let mark = channels.get(name); mark; mark = channels.get(name)) {
    const key = `${name} ${mark.epoch} ${mark.offset + 1}`;
    const next = early.get(key);
    if (!next) break;
    early.delete(key);
    channels.set(name, { epoch: mark.epoch, offset: mark.offset + 1 });
    hand(next);
  }
  say({ marks: marks() });
}

const marks = () => [...channels].map(([channel, place]) => ({ channel, ...place }));

function begin({ channel, epoch, offset }) {
  channels.set(channel, { epoch, offset });
  handOver(channel);
}

const on = {
  message(frame) {
    if (frame.offset === undefined) return hand(frame);
    early.set(`${frame.channel} ${frame.epoch} ${frame.offset}`, frame);
    handOver(frame.channel);
  },
  subscribed: begin,
  welcome(frame) {
    for (const channel of frame.channels.filter(({ recovered }) => !recovered)) {
      say({ reload: channel });
      begin(channel);
    }
  },
};

const send = (frame) => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));

const commands = {
  async join({ person }) {
    await post("/v1/users", person);
    const { session, tokens } = await post("/v1/auth/login", { ...person, deviceName: "npm ws" });
    token = tokens.accessToken;
    say({ did: "join", session, token });
  },
  resume(saved) {
    token = saved.token;
    for (const { channel, epoch, offset } of saved.marks) channels.set(channel, { epoch, offset });
    say({ did: "resume" });
  },
  async connect() {
    const { url } = await post("/v1/push/tickets");
    socket = new WebSocket(url);
    socket.on("message", (data) => {
      const frame = JSON.parse(data.toString());
      say({ frame });
      on[frame.type]?.(frame);
    });
    socket.on("close", (code) => say({ closed: code }));
    await new Promise((open, failed) => socket.once("open", open).once("error", failed));
    send({ action: "hello", channels: marks() });
    say({ did: "connect" });
  },
  malformed: () => send("this is no JSON"),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: action, ...more } = JSON.parse(line);
  try {
    await (commands[action] ? commands[action](more) : send({ action, ...more }));
  } catch (error) {
    say({ failed: String(error) });
  }
}
process.exit(0);
