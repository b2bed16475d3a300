// Sign in, see messages live, kill the network, see them recovered, end the session, hear bye.

import { Account, HoldfastClient, TokenStore, errorFrom, memoryStorage, ticketsFrom, webStorageMarks } from "../javascript/src/index.js";
import { Plug } from "./network.js";

const $ = (id) => document.getElementById(id);
const { httpUrl } = await (await fetch("/config.json")).json();
// Each tab is a session of its own here, to have several to look at; an application's tabs share theirs.
const tokens = new TokenStore({ httpUrl, storage: sessionStorage });
const account = new Account(tokens, { reauthenticate: askForPassword });
const plug = new Plug(showFrame);
let client = null;
let session = null;
let liveSince = 0;
let shown = 0;
/** For "Sign in once more"; gone with the page, as passwords should be. */
let again = null;

function notice(text, kind = "", title = "", small = "") {
  $("notice").replaceChildren(...(title ? [element("strong", "", title), " "] : []), text, ...(small ? [element("small", "", small)] : []));
  $("notice").dataset.kind = kind;
  $("notice").hidden = !text && !title;
}

/** What was refused, what to do about it, and what finds it in the logs. */
function showError({ code, title, detail, message, retryAfterSeconds, requestId }) {
  const wait = retryAfterSeconds ? ` Try again in ${retryAfterSeconds} s.` : "";
  const text = title === undefined || title === detail ? message : detail;
  notice(text + wait, "bad", text === title ? "" : title, [code, requestId && `request ${requestId}`].filter(Boolean).join(" · "));
  $("notice").scrollIntoView({ block: "nearest" });
}

/** Whatever a button does, its trouble is shown. */
const shows = (work) => async (event) => {
  event?.preventDefault?.();
  notice("");
  try {
    await work(event);
  } catch (error) {
    showError(error);
  }
};

/** Asks for some of the dialog's fields; null when the person gives up. */
function ask(why, ...fields) {
  const dialog = $("proof");
  const form = dialog.querySelector("form");
  form.reset();
  $("proof-why").textContent = why;
  for (const input of form.querySelectorAll("input")) input.closest("label").hidden = input.disabled = !fields.includes(input.name);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    const answer = () => done(dialog.returnValue === "ok" ? Object.fromEntries(new FormData(form)) : null);
    dialog.addEventListener("close", answer, { once: true });
  });
}

/** A route wants the password once more. */
function askForPassword({ message }) {
  return ask(message, "password", "code");
}

/** The token of a trusted device, for the next sign-in on it. An application may prefer cookies, which no script can read. */
const deviceKey = (email) => `device.${email.toLowerCase()}`;
const keepDevice = (email, { deviceToken }) => deviceToken && localStorage.setItem(deviceKey(email), deviceToken);

$("sign-in").addEventListener("submit", shows(async (event) => {
  const { email, password } = Object.fromEntries(new FormData(event.target));
  if (event.submitter?.name === "register") await account.register({ email, password });
  let answer = await account.signIn({ email, password, deviceToken: localStorage.getItem(deviceKey(email)) ?? undefined });
  if (answer.status === "MFA_REQUIRED") {
    const proof = await ask("This account has a second factor.", "code");
    if (!proof) return;
    answer = await account.verify({ mfaSessionId: answer.mfaSessionId, ...proof });
  }
  keepDevice(email, answer);
  again = { email, password };
  await begin();
}));

/** Signed in: everything that the page shows. */
async function begin() {
  session = await account.session();
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
  client.on("error", (error) => plug.isPulled || showError(error));
  client.start();
  await Promise.all([showSessions(), showDevices()]);
}

function ended({ code, reason }) {
  tokens.clear();
  $("signed-in").querySelectorAll("button, input, select").forEach((one) => (one.disabled = true));
  notice(`${reason} `, "bad", `bye ${code}:`);
  const back = element("button", "quiet", "Sign in again");
  back.addEventListener("click", () => location.reload());
  $("notice").append(back);
}

let countdown;
function showState({ state, retryAt }) {
  clearInterval(countdown);
  if (state === "live") {
    liveSince = Date.now();
    notice("");
  }
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

/** Rows with a name, a line about it, and a button that removes it. */
function rows(list, all, empty) {
  const items = all.map(({ name, about, verb, remove }) => {
    const item = element("li", "", "");
    const what = element("div", "", name);
    what.append(element("small", "", about));
    const button = element("button", "danger", verb);
    button.addEventListener("click", shows(remove));
    item.append(what, button);
    return item;
  });
  list.replaceChildren(...(items.length ? items : [element("li", "empty", empty)]));
}

const time = (text) => new Date(text).toLocaleTimeString();
const day = (text) => new Date(text).toLocaleDateString();

async function showSessions() {
  const sessions = await account.sessions();
  rows($("sessions"), sessions.map(({ sessionId, device, createdAt, current, trusted }) => ({
    name: device.name || "unnamed",
    about: [current && "this tab", trusted && "trusted", `since ${time(createdAt)}`].filter(Boolean).join(" · "),
    verb: "End",
    async remove() {
      await account.endSession(sessionId);
      if (!current) await Promise.all([showSessions(), showDevices()]);
    },
  })), "None.");
}

async function showDevices() {
  const devices = await account.devices();
  rows($("devices"), devices.map(({ deviceId, name, lastUsedAt, expiresAt, current }) => ({
    name: name || "unnamed",
    about: [current && "this device", `used ${time(lastUsedAt)}`, `until ${day(expiresAt)}`].filter(Boolean).join(" · "),
    verb: "Remove",
    async remove() {
      await account.removeDevice(deviceId);
      if (current) localStorage.removeItem(deviceKey(session.email));
      await Promise.all([showSessions(), showDevices()]);
    },
  })), "No device is trusted.");
  $("forget").disabled = devices.length === 0;
}

$("trust").addEventListener("click", shows(async () => {
  keepDevice(session.email, await account.trust(session.sessionId, true));
  await Promise.all([showSessions(), showDevices()]);
}));

$("forget").addEventListener("click", shows(async () => {
  await account.removeAllDevices();
  localStorage.removeItem(deviceKey(session.email));
  await Promise.all([showSessions(), showDevices()]);
}));

$("another").addEventListener("click", shows(async () => {
  if (!again) throw new Error("This page was loaded anew and does not know your password: sign out and in.");
  // A device of its own: this tab's tokens stay.
  const another = new Account(new TokenStore({ httpUrl, storage: memoryStorage() }));
  await another.signIn({ ...again, deviceName: `device ${Math.ceil(Math.random() * 99)}` });
  await showSessions();
}));

$("sign-out").addEventListener("click", shows(async () => {
  await account.signOut();
  client.stop();
  location.reload();
}));

/** Publishing is for services: this page's own little server signs it. */
async function publish(to, text) {
  const body = JSON.stringify({ to: to === "me" ? session.userId : null, text });
  const answer = await fetch("/publish", { method: "POST", headers: { "content-type": "application/json" }, body });
  if (!answer.ok) throw await errorFrom(answer);
  return answer.json();
}

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
  await begin().catch(showError);
}
