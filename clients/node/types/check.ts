// Compiled, never run: the declarations are what the sources are, and read as their users expect.

import type * as declared from "./index.d.ts";
import * as real from "../src/index.js";

// Every export is declared and is what the declaration says; every declaration exists.
export const exports: Omit<typeof declared, never> = real;
export const none: { [Name in Exclude<keyof typeof real, keyof typeof declared>]: never } = {};

export async function use(holdfast: declared.Holdfast, incoming: { method?: string; headers: NodeJS.Dict<string | string[]> }, request: Request) {
  const session = await holdfast.verifyRequest(incoming);
  await holdfast.verifyRequest(request);
  await holdfast.verify(request.headers.get("x-token"));
  // @ts-expect-error claims are what a service has set
  session.claims.role.toUpperCase();
  const { messageId, offset } = await holdfast.publish({ userIds: [session.userId], kind: "note", data: { text: "hello" } });
  // @ts-expect-error one target only
  await holdfast.publish({ topic: "a", broadcast: true, kind: "note" });
  // @ts-expect-error a target is needed
  await holdfast.publish({ kind: "note" });
  const { tokens, setCookies } = await holdfast.createSession({ identity: { provider: "p", subject: "s" }, transport: "cookie" });
  // @ts-expect-error there are none with cookies
  tokens.accessToken.length;
  return [messageId, offset?.toFixed(), setCookies.length];
}

export function kinds(error: unknown): number {
  if (error instanceof real.NoSession) return error.httpStatus;
  if (error instanceof real.HoldfastError) return error.retryAfterSeconds ?? error.status ?? 0;
  // @ts-expect-error it is not known what it is
  return error.status;
}

declare namespace NodeJS {
  type Dict<T> = Record<string, T | undefined>;
}
