// Sign in, see messages live, kill the network, see them recovered, end the session, hear bye.

import { HoldfastClient, TokenStore, ticketsFrom, webStorageMarks } from "../javascript/src/index.js";
import { Plug } from "./network.js";

const $ = (id) => document.getElementById(id);
const { httpUrl } = await (await fetch("/config.json")).json();
// Each tab is a session of its own here, to have several to look at; an application's tabs share theirs.
const tokens = new TokenStore({ httpUrl, storage: sessionStorage });
const plug = new Plug(showFrame);
let client = null;
let session = null;
let liveSince = 0;
let shown = 0;
/** For "Sign in once more"; gone with the page, as passwords should be. */
let again = null;

/** A request that says in one line what went wrong. */
async function call(method, path, body, send = (init) => fetch(httpUrl + path, init)) {
  const init = { method, headers: { "content-type": "application/json" }, ...(body && { body: JSON.stringify(body) }) };
  const answer = await send(init);
  const said = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(said?.detail ?? said?.title ?? `${method} ${path}: HTTP ${answer.status}`);
  return said;
}

const mine = (method, path, body) => call(method, path, body, (init) => tokens.fetch(path, init));

function notice(text, kind = "") {
  $("notice").textContent = text;
  $("notice").dataset.kind = kind;
  $("notice").hidden = !text;
}

/** Whatever a button does, its trouble is shown. */
const shows = (work) => async (event) => {
  event?.preventDefault?.();
  try {
    await work(event);
  } catch (error) {
    notice(error.message, "bad");
  }
};

$("sign-in").addEventListener("submit", shows(async (event) => {
  const { email, password } = Object.fromEntries(new FormData(event.target));
  if (event.submitter?.name === "register") await call("POST", "/v1/users", { email, password });
  const answer = await call("POST", "/v1/auth/login", { email, password });
  if (answer.status !== "AUTHENTICATED") throw new Error("This account has a second factor, which this page does not ask for.");
  tokens.set(answer.tokens);
  again = { email, password };
  await begin();
}));

/** Signed in: everything that the page shows. */
async function begin() {
  session = await mine("GET", "/v1/sessions/current");
  notice("");
  $("who").textContent = session.email;
  $("signed-out").hidden = true;
  $("signed-in").hidden = false;
  client = new HoldfastClient({
    ticket: ticketsFrom(tokens),
    marks: withSight(webStorageMarks(`marks.${session.userId}`)),
    WebSocket: plug.WebSocket,
    // Somebody is watching.
    reconnect: { baseMs: 500, capMs: 5_000 },
  });
  client.on("message", showMessage);
  client.on("reload", ({ channel, offset, first }) => first || showLine(`${channel} was reloaded: it goes on after ${offset}`));
  client.on("state", showState);
  client.on("ended", ended);
  client.on("error", (error) => console.info("holdfast:", error));
  client.start();
  await showSessions();
}

function ended({ code, reason }) {
  tokens.clear();
  $("signed-in").querySelectorAll("button, input, select").forEach((one) => (one.disabled = true));
  notice(`bye ${code}: ${reason} `, "bad");
  const back = element("button", "quiet", "Sign in again");
  back.addEventListener("click", () => location.reload());
  $("notice").append(back);
}

let countdown;
function showState({ state, retryAt }) {
  clearInterval(countdown);
  if (state === "live") liveSince = Date.now();
  const tell = () => {
    const seconds = retryAt && Math.max(0, Math.ceil((retryAt - Date.now()) / 1_000));
    $("state").textContent = plug.isPulled ? "unplugged" : retryAt ? `reconnecting in ${seconds} s` : state;
    $("state").dataset.state = state;
  };
  tell();
  if (retryAt) countdown = setInterval(tell, 250);
}

function add(list, item, limit, first) {
  list.querySelector(".empty")?.remove();
  if (first) list.prepend(item);
  else list.append(item);
  while (list.children.length > limit) (first ? list.lastChild : list.firstChild).remove();
}

const element = (name, className, text) => Object.assign(document.createElement(name), { className, textContent: text });

function showMessage({ channel, kind, data, sentAt, offset, ephemeral, expired }) {
  const item = element("li", "", "");
  const text = expired ? "(ran out before it could be delivered)" : readable(data);
  const tags = element("span", "tags", "");
  const isRecovered = offset !== undefined && Date.parse(sentAt) < liveSince;
  for (const [name, is] of [["recovered", isRecovered], ["ephemeral", ephemeral], [kind, kind !== "note" && !expired]]) {
    if (is) tags.append(element("span", `tag ${name}`, name), " ");
  }
  tags.append(`${channel.replace(/^(user):.*/, "me")} · ${new Date(sentAt).toLocaleTimeString()}`);
  item.append(element("span", "offset", offset ?? "–"), element("span", "text", text), tags);
  add($("messages"), item, 200, true);
  if (kind === "security.alert") showSessions().catch(() => {});
  shown += 1;
  $("count").textContent = `${shown}, the newest first`;
}

function readable(data) {
  if (data?.alert) return [data.alert.toLowerCase().replaceAll("_", " "), data.device].filter(Boolean).join(": ");
  return typeof data === "string" ? data : JSON.stringify(data);
}

function showLine(text) {
  add($("messages"), element("li", "reload", text), 200, true);
}

function showFrame(direction, text) {
  const item = element("li", direction, `${direction === "out" ? "→" : "←"} ${text}`);
  item.title = text;
  add($("wire"), item, 60, true);
}

/** The page's marks, and what they are on show. */
function withSight(store) {
  return {
    load: () => store.load(),
    save(marks) {
      store.save(marks);
      const rows = marks.channels.flatMap(({ channel, offset }) => [
        element("dt", "", channel.startsWith("user:") ? "mark of my channel" : `mark of ${channel}`),
        element("dd", "", offset),
      ]);
      $("marks").replaceChildren(...rows);
    },
  };
}

async function showSessions() {
  const { sessions } = await mine("GET", "/v1/sessions");
  $("sessions").replaceChildren(...sessions.map(({ sessionId, device, createdAt, current }) => {
    const item = element("li", "", "");
    const what = element("div", "", device.name || "unnamed");
    what.append(element("small", "", `${current ? "this tab · " : ""}since ${new Date(createdAt).toLocaleTimeString()}`));
    const end = element("button", "danger", "End");
    end.addEventListener("click", shows(async () => {
      await mine("DELETE", `/v1/sessions/${sessionId}`);
      if (!current) await showSessions();
    }));
    item.append(what, end);
    return item;
  }));
}

$("another").addEventListener("click", shows(async () => {
  if (!again) throw new Error("This page was loaded anew and does not know your password: sign out and in.");
  await call("POST", "/v1/auth/login", { ...again, deviceName: `device ${Math.ceil(Math.random() * 99)}` });
  await showSessions();
}));

$("sign-out").addEventListener("click", shows(() => mine("POST", "/v1/auth/logout")));

/** Publishing is for services: this page's own little server signs it. */
const publish = (to, text) => call("POST", "/publish", { to: to === "me" ? session.userId : null, text }, (init) => fetch("/publish", init));

$("publish").addEventListener("submit", shows(async ({ target }) => {
  await publish(target.to.value, target.text.value);
  target.text.value = "";
}));

$("burst").addEventListener("click", shows(async () => {
  for (let number = 1; number <= 10; number += 1) await publish("me", `number ${number} of 10`);
}));

$("plug").addEventListener("click", ({ target }) => {
  if (plug.isPulled) {
    plug.plugIn();
    client.reconnect();
  } else {
    plug.pull();
  }
  target.setAttribute("aria-pressed", plug.isPulled);
  target.textContent = plug.isPulled ? "Plug in again" : "Pull the plug";
});

// Until here the form would have gone to the browser's own devices.
$("sign-in").querySelector("fieldset").disabled = false;
if (tokens.isSignedIn) {
  await begin().catch((error) => {
    tokens.clear();
    notice(error.message, "bad");
  });
}
