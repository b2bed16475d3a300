// A message to many sockets, as AWS's examples in JavaScript send it: one post of the SDK's client for each socket. It has as many
// connections as a worker of Holdfast has posts in flight; the SDK's default is 50.
// Usage: node fanout.js ENDPOINT TEXT SOCKETS ROUNDS. Prints the seconds of each round, on the clock and on processors.
import { Agent } from "node:http";
import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";

const [endpoint, text, sockets, rounds] = process.argv.slice(2);
const client = new ApiGatewayManagementApiClient({
  endpoint,
  region: "us-east-1",
  // As long as those of a function's role.
  credentials: { accessKeyId: "test", secretAccessKey: "test", sessionToken: "t".repeat(900) },
  maxAttempts: 1,
  requestHandler: { httpAgent: new Agent({ keepAlive: true, maxSockets: 64 }) },
});
const Data = Buffer.from(text);
const ids = Array.from({ length: Number(sockets) }, (_, n) => `L0SM9cOFv${String(n).padStart(6, "0")}=`);

const took = [];
for (let round = 0; round < Number(rounds); round += 1) {
  const began = process.hrtime.bigint();
  const busy = process.cpuUsage();
  await Promise.all(ids.map((ConnectionId) => client.send(new PostToConnectionCommand({ ConnectionId, Data }))));
  const { user, system } = process.cpuUsage(busy);
  took.push([Number(process.hrtime.bigint() - began) / 1e9, (user + system) / 1e6]);
}
console.log(JSON.stringify(took));
