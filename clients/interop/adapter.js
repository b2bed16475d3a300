// clients/javascript under command: the same in a browser's page and in Node. See path.py.

/**
 * @param {{HoldfastClient: any, base: string, WebSocket: any, name: string, say: (event: object) => void}} means
 * @returns {(command: {do: string}) => Promise<void>}
 */
export function adapter({ HoldfastClient, base, WebSocket, name, say }) {
  let token;
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

  const commands = {
    async join({ person }) {
      await post("/v1/users", person);
      const { session, tokens } = await post("/v1/auth/login", { ...person, deviceName: name });
      token = tokens.accessToken;
      say({ did: "join", session, token });
    },
    resume(saved) {
      ({ token, marks: kept } = saved);
      say({ did: "resume" });
    },
    async connect({ topics = [] }) {
      client = new HoldfastClient({ ticket: () => post("/v1/push/tickets"), marks, WebSocket: Overheard });
      client.on("message", (message) => say({ handed: message }));
      client.on("reload", (reload) => say({ reload }));
      client.on("bye", (bye) => say({ bye }));
      client.on("ended", (bye) => say({ over: bye }));
      client.on("error", (error) => say({ error: error.code ?? String(error) }));
      client.start();
      await Promise.all([client.live(), ...topics.map((topic) => client.subscribe(topic))]);
      say({ did: "connect" });
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
