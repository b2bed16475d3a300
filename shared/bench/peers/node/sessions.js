// A route that shows the session of its caller: express, express-session and its store for Redis, on Lambda by serverless-http.
// `POST /login` makes the session from the JSON that it gets.
import { RedisStore } from "connect-redis";
import express from "express";
import session from "express-session";
import { createClient } from "redis";
import serverless from "serverless-http";
import { serve } from "./runtime.js";

const client = createClient({ url: process.env.REDIS_URL });
await client.connect();

const app = express();
app.use(
  session({
    // One read for each request: without `disableTouch`, the store also renews the expiry each time.
    store: new RedisStore({ client, disableTouch: true }),
    secret: "a secret of the benchmark",
    resave: false,
    saveUninitialized: false,
  }),
);
app.post("/login", express.json(), (request, response) => {
  request.session.shown = request.body;
  response.json({});
});
app.get("/v1/sessions/current", (request, response) => {
  if (!request.session.shown) {
    response.status(401).json({ code: "UNAUTHENTICATED" });
    return;
  }
  response.json(request.session.shown);
});

await serve(serverless(app));
