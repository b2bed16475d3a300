// The files of a folder, over HTTP, to this machine only.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8" };

/**
 * @param {URL} folder
 * @param {number} port
 */
export function serve(folder, port) {
  const root = fileURLToPath(folder);
  const server = createServer(async (request, answer) => {
    // The URL has resolved every `..` before it is joined.
    const file = fileURLToPath(new URL(`.${new URL(request.url, "http://x").pathname}`, folder));
    const type = TYPES[extname(file)];
    const body = type && file.startsWith(root) && (await readFile(file).catch(() => undefined));
    answer.writeHead(body ? 200 : 404, { "content-type": type ?? "text/plain", "cache-control": "no-store" });
    answer.end(body || "not found");
  });
  return new Promise((done, failed) => server.once("error", failed).listen(port, "127.0.0.1", () => done(server)));
}
