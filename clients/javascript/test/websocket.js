// WebSockets over Node's own modules, for tests that run where no package is installed (RFC 6455; text of at most 64 KiB).

import { createHash, randomBytes } from "node:crypto";
import { request } from "node:http";

const TEXT = 1;
const CLOSE = 8;

/** One side of an open socket: `onText` and `onClose` are called, `send` and `close` are to call. */
class Side {
  #stream;
  #isClient;
  #rest = Buffer.alloc(0);
  onText = () => {};
  onClose = () => {};

  constructor(stream, isClient) {
    this.#stream = stream;
    this.#isClient = isClient;
    stream.on("data", (bytes) => this.#read(bytes));
    stream.on("error", () => {});
    stream.on("close", () => this.onClose());
  }

  send(text) {
    this.#write(TEXT, Buffer.from(text));
  }

  close() {
    this.#write(CLOSE, Buffer.from([3, 232]));
    this.#stream.end();
  }

  #write(opcode, payload) {
    const size = payload.length < 126 ? Buffer.from([payload.length]) : Buffer.from([126, payload.length >> 8, payload.length & 255]);
    if (this.#isClient) size[0] |= 128;
    const mask = this.#isClient ? randomBytes(4) : Buffer.alloc(0);
    const masked = this.#isClient ? payload.map((byte, index) => byte ^ mask[index % 4]) : payload;
    this.#stream.write(Buffer.concat([Buffer.from([128 | opcode]), size, mask, masked]));
  }

  #read(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const head = this.#rest;
      if (head.length < 2) return;
      const isLong = (head[1] & 127) === 126;
      const start = (isLong ? 4 : 2) + (head[1] & 128 ? 4 : 0);
      if (head.length < start) return;
      const length = isLong ? head.readUInt16BE(2) : head[1] & 127;
      if (head.length < start + length) return;
      const mask = head.subarray(start - 4, start);
      const payload = Buffer.from(head.subarray(start, start + length));
      const text = head[1] & 128 ? payload.map((byte, index) => byte ^ mask[index % 4]) : payload;
      this.#rest = head.subarray(start + length);
      if ((head[0] & 15) === TEXT) this.onText(text.toString());
      else if ((head[0] & 15) === CLOSE) this.#stream.end();
    }
  }
}

/** Answers a request to upgrade. */
export function accept({ headers }, stream) {
  const key = createHash("sha1").update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  stream.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`);
  return new Side(stream, false);
}

/** As much of the WebSocket class of browsers, and of npm `ws`, as the client uses. */
export class WebSocket {
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  #side = null;

  constructor(url) {
    const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": 13, "sec-websocket-key": randomBytes(16).toString("base64") };
    const asking = request(url.replace(/^ws/, "http"), { headers });
    const fail = (error) => {
      this.onerror?.({ error });
      this.onclose?.({ code: 1006 });
    };
    asking.on("error", fail);
    asking.on("response", ({ statusCode }) => fail(new Error(`Unexpected server response: ${statusCode}`)));
    asking.on("upgrade", (_answer, stream) => {
      this.#side = new Side(stream, true);
      this.#side.onText = (data) => this.onmessage?.({ data });
      this.#side.onClose = () => this.onclose?.({ code: 1005 });
      this.onopen?.({});
    });
    asking.end();
  }

  send(text) {
    this.#side.send(text);
  }

  close() {
    this.#side?.close();
  }
}
