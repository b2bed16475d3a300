// A WebSocket with a plug: pulled, it goes dead as a socket in a tunnel does, and the other side is not told.

export class Plug {
  isPulled = false;
  #sockets = new Set();
  #overhear;

  /** @param {(direction: "in" | "out", text: string) => void} overhear */
  constructor(overhear) {
    this.#overhear = overhear;
    const plug = this;
    /** What the client takes for the browser's. */
    this.WebSocket = class {
      constructor(url) {
        plug.#connect(this, url);
      }
      send(text) {
        plug.#overhear("out", text);
        if (!plug.isPulled) this.real.send(text);
      }
      close(code) {
        plug.#sockets.delete(this);
        this.real?.close(code);
      }
    };
  }

  pull() {
    this.isPulled = true;
    for (const socket of this.#sockets) {
      socket.isDead = true;
      socket.onclose?.({ code: 1006 });
    }
  }

  plugIn() {
    this.isPulled = false;
    // What was dead never comes back to life.
    for (const socket of this.#sockets) if (socket.isDead) socket.close();
  }

  #connect(socket, url) {
    if (this.isPulled) {
      setTimeout(() => socket.onclose?.({ code: 1006 }), 300);
      return;
    }
    this.#sockets.add(socket);
    socket.real = new WebSocket(url);
    socket.real.onopen = (event) => socket.isDead || socket.onopen?.(event);
    socket.real.onclose = (event) => {
      this.#sockets.delete(socket);
      if (!socket.isDead) socket.onclose?.(event);
    };
    socket.real.onmessage = (event) => {
      if (socket.isDead) return;
      this.#overhear("in", event.data);
      socket.onmessage?.(event);
    };
  }
}
