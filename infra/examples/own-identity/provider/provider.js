// An OpenID provider on this machine, for tests. It ends with its standard input.
//
//     node provider.js <client id> <redirect URI> [<port>]
//
// With the variable CLIENT_SECRET the client is a confidential one, which shows the secret in the header `Authorization` (or in the body, with
// CLIENT_AUTHENTICATION=client_secret_post). PKCE is required of it, too.
//
// The first line that it prints is its issuer. Each line that it reads is JSON, such as {"ada": {"email": "ada@example.com"}}: the claims
// of users by their subjects. The users sign in with their subject and any password.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { Provider } from "oidc-provider";

// The notices of the library must not be between the lines that this program prints.
console.info = console.error;

const [clientId, redirectUri, port = "0"] = process.argv.slice(2);
const secret = process.env.CLIENT_SECRET;
const method = secret ? process.env.CLIENT_AUTHENTICATION ?? "client_secret_basic" : "none";
const users = new Map();

const server = createServer();
await new Promise((listening) => server.listen(Number(port), "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{ client_id: clientId, ...(secret && { client_secret: secret }), redirect_uris: [redirectUri], token_endpoint_auth_method: method }],
  clientAuthMethods: [method],
  pkce: { required: () => true },
  claims: { email: ["email"], profile: ["name"] },
  // The claims of the scopes are in the ID token.
  conformIdTokenClaims: false,
  findAccount: (_, subject) =>
    users.has(subject) ? { accountId: subject, claims: () => ({ sub: subject, ...users.get(subject) }) } : undefined,
});
server.on("request", provider.callback());
console.log(issuer);

for await (const line of createInterface({ input: process.stdin })) {
  for (const [subject, claims] of Object.entries(JSON.parse(line))) users.set(subject, claims);
  console.log("noted");
}
process.exit();
