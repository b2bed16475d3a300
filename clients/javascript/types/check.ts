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

export async function account(signedIn: declared.Account, show: (text: string | undefined) => void) {
  const answer = await signedIn.signIn({ email: "", password: "" });
  // @ts-expect-error a second factor may be asked for first
  show(answer.session.email);
  const { session, deviceToken } = answer.status === "MFA_REQUIRED" ? await signedIn.verify({ mfaSessionId: answer.mfaSessionId, code: "" }) : answer;
  show(deviceToken);
  show(session.identity?.provider ?? session.authenticatedAt);
  // @ts-expect-error claims are what somebody else has set
  session.claims.role.toUpperCase();
  for (const device of await signedIn.devices()) if (!device.current) await signedIn.removeDevice(device.deviceId);
  const codes: string[] = await signedIn.renewRecoveryCodes();
  // @ts-expect-error a code alone is no re-authentication
  await signedIn.reauthenticate({ code: codes[0] });
  await signedIn.endSessions({ keepCurrent: true }).catch((error: declared.HoldfastError) => {
    if (error.code === "REAUTHENTICATION_REQUIRED") show(error.detail);
    return error.retryAfterSeconds?.toFixed();
  });
}
