// GET and POST /v1/node. API Gateway calls it only after the authorizer has let the request through.
export async function handler(event) {
  const { authorizer } = event.requestContext;
  // An HTTP API has the session below `lambda`. A REST or WebSocket API has no such level.
  const session = authorizer.lambda ?? authorizer;
  const claims = JSON.parse(session.claims);

  const body = { userId: session.userId, mfaVerified: session.mfaVerified === "true", claims };
  return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
