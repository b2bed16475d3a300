"""The calls of Holdfast's HTTP API that these tests make without a client. It needs the botocore of `.tools`."""

import json
import urllib.error
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import Session

# Past whatever proxy the caller has: the local cloud is on this machine.
_OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Fault(Exception):
    """What was expected, and what came."""


class Api:
    def __init__(self, outputs):
        self.base = outputs["httpUrl"].rstrip("/")
        self.region = outputs["region"]
        local = outputs.get("awsEndpointUrl")
        # The local cloud never sees the caller's own credentials.
        self.credentials = Credentials("test", "test") if local else Session().get_credentials()

    def call(self, method, path, body=None, token=None, expect=200, headers=None):
        headers = {**(headers or {}), "content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, headers=headers, method=method)
        try:
            with _OPEN.open(request, timeout=30) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except OSError as error:
            raise Fault(f"{method} {path}: no answer ({error})") from None
        if status != expect:
            raise Fault(f"{method} {path}: expected {expect}, got {status} {text[:200]!r}")
        return json.loads(text or b"null")

    def sign_in(self, person, device):
        answer = self.call("POST", "/v1/auth/login", {**person, "deviceName": device})
        return answer["tokens"]["accessToken"]

    def revoke(self, session_id, token):
        return self.call("DELETE", f"/v1/sessions/{session_id}", token=token)

    def publish(self, to, data, **more):
        """As a service does: signed with AWS Signature Version 4."""
        body = {"to": to, "kind": "note", "data": data, **more}
        text = json.dumps(body).encode()
        request = AWSRequest("POST", f"{self.base}/v1/messages", data=text, headers={"content-type": "application/json"})
        SigV4Auth(self.credentials, "execute-api", self.region).add_auth(request)
        return self.call("POST", "/v1/messages", body, expect=202, headers=dict(request.headers))
