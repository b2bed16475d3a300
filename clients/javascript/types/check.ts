// Compiled, never run: the declarations are what the sources are, and read as their users expect.

import type * as declared from "./index.d.ts";
import * as real from "../src/index.js";

// Every export is declared and is what the declaration says; every declaration exists.
export const exports: Omit<typeof declared, never> = real;
export const none: { [Name in Exclude<keyof typeof real, keyof typeof declared>]: never } = {};

export async function use(Client: typeof declared.HoldfastClient, socket: typeof WebSocket) {
  const client = new Client<{ text: string }>({ ticket: real.ticketsFrom(new real.TokenStore({ httpUrl: "" })), marks: real.webStorageMarks("marks"), WebSocket: socket });
  const off: () => void = client.on("message", ({ data, offset }) => [data.text.length, offset?.toFixed()]);
  client.on("reload", async ({ channel, first }) => first || channel);
  // @ts-expect-error there is no such event
  client.on("massage", () => {});
  // @ts-expect-error data has the type that was asked for
  client.on("message", ({ data }) => data.number);
  await client.start().live();
  const { epoch, offset } = await client.subscribe("news");
  const online: boolean = (await client.presence([epoch]))[offset];
  off();
  return online;
}
