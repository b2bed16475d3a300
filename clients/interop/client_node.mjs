// clients/javascript in Node, over npm `ws`. See path.py.
// usage: node client_node.mjs <folder of ws>

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import * as holdfast from "../javascript/src/index.js";
import { adapter } from "./adapter.js";

const WebSocket = createRequire(import.meta.url)(process.argv[2]);
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const obey = adapter({ holdfast, base: process.env.HOLDFAST_HTTP_URL.replace(/\/+$/, ""), WebSocket, name: "node", say });
for await (const line of createInterface({ input: process.stdin })) await obey(JSON.parse(line));
process.exit(0);
