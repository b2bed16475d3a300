// clients/javascript under command: the same in a browser's page and in Node. See path.py.

const EXPIRED = new Date(0).toISOString();

/**
 * @param {{holdfast: typeof import("../javascript/src/index.js"), base: string, WebSocket: any, name: string, say: (event: object) => void}} means
 * @returns {(command: {do: string}) => Promise<void>}
 */
export function adapter({ holdfast, base, WebSocket, name, say }) {
  let token;
  let pair;
  let kept = null;
  let client;
  let socket;

  // What comes over the socket, besides what the client makes of it.
  class Overheard extends WebSocket {
    constructor(...args) {
      super(...args);
      socket = this;
      this.addEventListener("message", ({ data }) => say({ frame: JSON.parse(data) }));
      this.addEventListener("close", ({ code }) => say({ closed: code }));
    }
  }

  async function post(path, body) {
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(base + path, { method: "POST", headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  const marks = {
    load: () => kept && { v: 1, channels: kept.map((mark) => ({ ...mark, at: Date.now() })) },
    save: ({ channels }) => say({ marks: channels.map(({ channel, epoch, offset }) => ({ channel, epoch, offset })) }),
  };

  function tenTabs(more) {
    const items = new Map();
    const storage = { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value), removeItem: (key) => items.delete(key) };
    const counted = { refreshes: 0 };
    const counting = (url, init) => {
      if (url.endsWith("/v1/auth/refresh")) counted.refreshes += 1;
      return fetch(url, init);
    };
    const tabs = Array.from({ length: 10 }, () => new holdfast.TokenStore({ httpUrl: base, storage, fetch: counting, ...more }));
    return { tabs, counted, items };
  }

  const commands = {
    async join({ person }) {
      await post("/v1/users", person);
      const { session, tokens } = await post("/v1/auth/login", { ...person, deviceName: name });
      pair = tokens;
      token = tokens.accessToken;
      say({ did: "join", session, token });
    },
    resume(saved) {
      ({ token, marks: kept } = saved);
      say({ did: "resume" });
    },
    async connect({ topics = [] }) {
      // A test that waits for a minute shows no more than one that waits for a moment.
      const reconnect = { baseMs: 100, capMs: 500 };
      client = new holdfast.HoldfastClient({ ticket: () => post("/v1/push/tickets"), marks, WebSocket: Overheard, reconnect });
      client.on("message", (message) => say({ handed: message }));
      client.on("reload", (reload) => say({ reload }));
      client.on("bye", (bye) => say({ bye }));
      client.on("ended", (bye) => say({ over: bye }));
      client.on("error", (error) => say({ error: error.code ?? String(error) }));
      client.start();
      await Promise.all([client.live(), ...topics.map((topic) => client.subscribe(topic))]);
      say({ did: "connect" });
    },
    /** Ten tabs that share a storage, and all find the token expired. */
    async refresh() {
      const { tabs, counted } = tenTabs();
      tabs[0].set({ ...pair, accessExpiresAt: EXPIRED });
      const found = new Set(await Promise.all(tabs.map((tab) => tab.access())));
      [token] = found;
      say({ did: "refresh", requests: counted.refreshes, different: found.size, token });
    },
    /** The same where tokens are cookies; then a ticket, and out again. */
    async cookies({ person }) {
      const { tabs, counted, items } = tenTabs({ transport: "cookie" });
      const body = JSON.stringify({ ...person, deviceName: "cookies", transport: "cookie" });
      const headers = { "content-type": "application/json" };
      const signedIn = await (await fetch(`${base}/v1/auth/login`, { method: "POST", headers, body, credentials: "include" })).json();
      tabs[0].set({ ...signedIn, accessExpiresAt: EXPIRED });
      const answers = await Promise.all(tabs.map((tab) => tab.fetch("/v1/sessions/current")));
      const sessions = new Set(await Promise.all(answers.map(async (answer) => (await answer.json()).sessionId)));
      const requests = counted.refreshes;
      const { url } = await holdfast.ticketsFrom(tabs[0])();
      const out = await tabs[0].fetch("/v1/auth/logout", { method: "POST" });
      const after = await tabs[0].fetch("/v1/sessions/current").then(({ status }) => `${status}`, ({ name: error }) => error);
      const kept = [...items.values()].join() + document.cookie;
      say({ did: "cookies", requests, sessions: [...sessions], signedIn, kept, url, out: out.status, after });
    },
    subscribe: ({ topic }) => client.subscribe(topic),
    unsubscribe: ({ topic }) => client.unsubscribe(topic),
    presence: ({ userIds }) => client.presence(userIds),
    ping: () => client.check(),
    malformed: () => socket.send("this is no JSON"),
    /** Behind the client's back. */
    cut: () => socket.close(),
  };

  return async ({ do: action, ...more }) => {
    try {
      await commands[action](more);
    } catch (error) {
      say({ failed: `${action}: ${error}` });
    }
  };
}
