// A Chromium without a window, over its DevTools protocol on two pipes: no port, no library.

import { spawn } from "node:child_process";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--no-proxy-server", "--remote-debugging-pipe",
];

export class Browser {
  #process;
  #pending = new Map();
  #listeners = [];
  #next = 1;
  #rest = "";

  /**
   * @param {string} executable
   * @param {string} profile an empty folder, of at most 50 characters: a socket lies in it, whose path may have 107
   * @param {string[]} [flags]
   */
  static async open(executable, profile, flags = []) {
    const browser = new Browser(executable, [...FLAGS, ...flags, `--user-data-dir=${profile}`, "about:blank"], profile);
    await browser.call("Browser.getVersion");
    return browser;
  }

  constructor(executable, flags, home) {
    // Its own home: nothing of the caller's is read or written.
    const env = { PATH: process.env.PATH, HOME: home, TMPDIR: home, LANG: "C.UTF-8" };
    this.#process = spawn(executable, flags, { env, stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"] });
    let said = "";
    this.#process.stderr.setEncoding("utf8").on("data", (text) => (said = (said + text).slice(-1_500)));
    this.#process.once("error", (error) => this.#fail(error));
    this.#process.once("exit", (code, signal) => this.#fail(new Error(`the browser has ended (${code ?? signal}): ${said}`)));
    this.#process.stdio[3].on("error", () => {});
    this.#process.stdio[4].setEncoding("utf8").on("data", (text) => this.#read(text));
  }

  #read(text) {
    const parts = (this.#rest + text).split("\0");
    this.#rest = parts.pop();
    for (const part of parts) {
      const message = JSON.parse(part);
      const waiting = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.error) waiting?.failed(new Error(`${waiting.method}: ${message.error.message}`));
      else waiting?.done(message.result);
      if (message.method) for (const listener of this.#listeners) listener(message);
    }
  }

  #fail(error) {
    for (const { failed } of this.#pending.values()) failed(error);
    this.#pending.clear();
    this.failure = error;
  }

  call(method, params = {}, sessionId = undefined) {
    return new Promise((done, failed) => {
      if (this.failure) return void failed(this.failure);
      const id = this.#next++;
      this.#pending.set(id, { done, failed, method });
      this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  }

  on(listener) {
    this.#listeners.push(listener);
  }

  async page() {
    const { targetId } = await this.call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.call("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId);
    for (const domain of ["Page", "Runtime"]) await page.call(`${domain}.enable`);
    return page;
  }

  async close() {
    const ended = new Promise((done) => this.#process.once("exit", done));
    if (this.#process.exitCode === null && this.#process.kill()) await ended;
  }
}

class Page {
  constructor(browser, sessionId) {
    this.browser = browser;
    this.sessionId = sessionId;
  }

  call(method, params) {
    return this.browser.call(method, params, this.sessionId);
  }

  on(method, listener) {
    this.browser.on((message) => message.sessionId === this.sessionId && message.method === method && listener(message.params));
  }

  /** A function of the page that calls one here, with one string. */
  async expose(name, work) {
    this.on("Runtime.bindingCalled", (called) => called.name === name && work(called.payload));
    await this.call("Runtime.addBinding", { name });
  }

  /** What the page threw and nobody caught. */
  onTrouble(tell) {
    this.on("Runtime.exceptionThrown", ({ exceptionDetails: { exception, text } }) => tell(exception?.description ?? text));
  }

  async visit(url) {
    const loaded = new Promise((done) => this.on("Page.loadEventFired", done));
    const { errorText } = await this.call("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await loaded;
  }

  /** The value of an expression; a promise is waited for. */
  async run(expression) {
    const { result, exceptionDetails } = await this.call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Lays the page out anew in a window of this width. */
  async resize(width, height = 900) {
    await this.call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  }

  /** A picture of the page as PNG. A page behind another one is not drawn. */
  async picture() {
    await this.call("Page.bringToFront");
    return Buffer.from((await this.call("Page.captureScreenshot", { format: "png" })).data, "base64");
  }
}
