"""GET /v1/python. API Gateway calls it only after the authorizer has let the request through."""

import json


def handle(event, context):
    session = event["requestContext"]["authorizer"]["lambda"]
    claims = json.loads(session["claims"])

    body = {"userId": session["userId"], "mfaVerified": session["mfaVerified"] == "true", "claims": claims}
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
