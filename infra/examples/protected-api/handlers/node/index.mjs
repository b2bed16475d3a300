// GET /v1/node. API Gateway calls it only after the authorizer has let the request through.
export async function handler(event) {
  const session = event.requestContext.authorizer.lambda;
  const claims = JSON.parse(session.claims);

  const body = { userId: session.userId, mfaVerified: session.mfaVerified === "true", claims };
  return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
