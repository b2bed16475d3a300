// What Holdfast says, read with suspicion: a frame that is not of its form is an error, never a guess.

/**
 * @typedef {import("./channel.js").Place} Place
 * @typedef {Place & {channel: string}} Position
 * @typedef {{type: "message", id: string, channel: string, epoch: string, offset: number, kind: string, data: any,
 *   sentAt: string}} PlacedFrame
 * @typedef {{type: "message", id: string, channel: string, epoch?: undefined, offset?: undefined, kind: string, data: any,
 *   sentAt: string}} EphemeralFrame
 * @typedef {PlacedFrame | EphemeralFrame} MessageFrame
 * @typedef {{type: "pong", channels: Position[]}} PongFrame
 * @typedef {{type: "welcome", connectionId: string, channels: (Position & {recovered: boolean})[]}} WelcomeFrame
 * @typedef {{type: "subscribed", channel: string, epoch: string, offset: number}} SubscribedFrame
 * @typedef {{type: "unsubscribed", channel: string}} UnsubscribedFrame
 * @typedef {{type: "presence", online: Record<string, boolean>}} PresenceFrame
 * @typedef {{type: "bye", code: string, reason: string, reconnect: boolean}} ByeFrame
 * @typedef {{type: "error", code: string, detail: string}} ErrorFrame
 * @typedef {MessageFrame | PongFrame | WelcomeFrame | SubscribedFrame | UnsubscribedFrame | PresenceFrame | ByeFrame
 *   | ErrorFrame} ServerFrame
 */

const text = (/** @type {unknown} */ value) => typeof value === "string" && value !== "";
const place = (/** @type {any} */ value) => text(value?.epoch) && Number.isSafeInteger(value.offset) && value.offset >= 0;
const position = (/** @type {any} */ value) => text(value?.channel) && place(value);
const positions = (/** @type {any} */ value) => Array.isArray(value?.channels) && value.channels.every(position);

/** @type {Record<string, (frame: any) => boolean>} */
const FORMS = {
  message: (frame) =>
    text(frame.id) && text(frame.channel) && typeof frame.kind === "string" && "data" in frame &&
    (frame.offset === undefined || (place(frame) && frame.offset > 0)),
  pong: positions,
  welcome: (frame) =>
    positions(frame) && frame.channels.every((/** @type {any} */ channel) => typeof channel.recovered === "boolean"),
  subscribed: position,
  unsubscribed: (frame) => text(frame.channel),
  presence: (frame) => typeof frame.online === "object" && frame.online !== null,
  bye: (frame) => text(frame.code) && typeof frame.reconnect === "boolean",
  error: (frame) => text(frame.code),
};

/**
 * A frame; null for what is none; undefined for a type that this client does not know, which is of a later release.
 * @param {unknown} data what the socket delivered
 * @returns {ServerFrame | null | undefined}
 */
export function readFrame(data) {
  if (typeof data !== "string") return null;
  let frame;
  try {
    frame = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof frame?.type !== "string") return null;
  if (!Object.hasOwn(FORMS, frame.type)) return undefined;
  return FORMS[frame.type](frame) ? frame : null;
}

/** @param {string} topic */
export function isTopic(topic) {
  return typeof topic === "string" && /^[A-Za-z0-9._:-]{1,128}$/.test(topic);
}
