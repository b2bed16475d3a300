"""A Holdfast of one process for the tests: real HTTP, with the answers that a test has prepared."""

import http.server
import json
import threading
import zlib
from base64 import urlsafe_b64encode

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from holdfast import Holdfast, Timing

ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN = "AKIDEXAMPLE", "the/secret+key", "the+security/token=="
ORIGIN = "https://app.example.com"
# Longer than by default, so that no attempt is late on a machine that is busy. No test waits for it.
TIMEOUT_SECONDS = 60
SESSION = {
    "sessionId": "s1", "userId": "u1", "email": "ada@example.com", "claims": {"role": "editor"}, "authenticatedAt": "2026-11-28T10:00:00.000Z",
    "current": True, "createdAt": "2026-11-28T10:00:00.000Z", "lastUsedAt": "2026-11-28T10:00:00.000Z", "expiresAt": "2026-11-28T11:00:00.000Z",
    "absoluteExpiresAt": "2026-11-29T10:00:00.000Z", "staySignedIn": False, "mfaVerified": True,
    "device": {"name": "Firefox on Linux", "browser": "Firefox", "os": "Linux", "ip": "192.0.2.1"}, "trusted": False, "trustedAt": None, "version": 1,
}
TOKENS = {"accessToken": "hf1.access", "accessExpiresAt": "2026-11-28T10:15:00.000Z", "refreshToken": "hf1.refresh",
          "refreshExpiresAt": "2026-11-28T11:00:00.000Z", "tokenType": "Bearer"}
ACTIVE = {"active": True, "session": SESSION, "claims": SESSION["claims"]}
ACCEPTED = {"messageId": "m1", "duplicate": False, "channel": "user:u1", "offset": 7}
CREATED = {"status": "AUTHENTICATED", "session": SESSION, "tokens": TOKENS, "effective": "immediate"}


def token(number):
    """A well-formed access token."""
    body = f"hf1.{'A' * 22}.{number}.{'B' * 43}"
    return f"{body}.{urlsafe_b64encode(zlib.crc32(body.encode()).to_bytes(4, 'big')).decode().rstrip('=')}"


LIVE, STALE = token(1), token(2)


def problem(status, code, **more):
    """A problem document of Holdfast."""
    return {"type": f"urn:holdfast:problem:{code}", "title": "A title", "status": status, "code": code, "detail": "A detail.", **more}


class FakeTiming:
    """A clock that only moves when a call waits."""

    def __init__(self, chance=0.5):
        self.now, self.waits, self.chance = 1000.0, [], chance
        self.timing = Timing(clock=lambda: self.now, sleep=self.sleep, random=lambda: self.chance)

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


class Server:
    """`answers` are used in order: (status, body), (status, body, headers), "hang" or "close". Afterwards each route answers as if all is good."""

    def __init__(self):
        self.requests, self.answers, self.connections, self.released = [], [], 0, threading.Event()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                owner.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                owner.requests.append((self.path, self.headers, body))
                self.answer(owner.answers.pop(0) if owner.answers else owner.good(self.path, json.loads(body)))

            def answer(self, said):
                if said == "hang":
                    owner.released.wait(30)
                if said in ("hang", "close"):
                    self.close_connection = True
                    return
                status, body, *headers = said
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in [("content-length", str(len(data))), ("x-request-id", "q1"), *(headers[0] if headers else [])]:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def good(self, path, body):
        if path.endswith("/v1/sessions/introspect"):
            return 200, ACTIVE if body["token"] == LIVE else {"active": False}
        return (202, ACCEPTED) if path.endswith("/v1/messages") else (201, CREATED)

    def close(self):
        self.released.set()
        self.http.shutdown()
        self.http.server_close()

    def bodies(self):
        return [json.loads(body) for _, _, body in self.requests]


def aws_session(region="eu-central-1", security_token=SECURITY_TOKEN):
    """A session whose credentials and Region are of the test alone."""
    session = botocore.session.Session(session_vars={"profile": (None, None, None, None), "config_file": (None, None, "/dev/null", None),
                                                     "credentials_file": (None, None, "/dev/null", None), "region": (None, None, region, None)})
    session.set_credentials(ACCESS_KEY, SECRET_KEY, security_token)
    return session


def with_server(case, **options):
    """A server and its client, for the time of a test. The client's clock is `case.timing`."""
    server, case.timing = Server(), FakeTiming()
    case.addCleanup(server.close)
    options = {"aws_session": aws_session(), "allowed_origins": [ORIGIN], "timing": case.timing.timing,
               "timeout_seconds": TIMEOUT_SECONDS, **options}
    client = Holdfast(options.pop("url", server.url), **options)
    case.addCleanup(client.close)
    return server, client


def signature_of(url, request, region="eu-central-1"):
    """The signature that a request must have, computed again from what arrived."""
    path, headers, body = request
    given = headers["authorization"]
    assert given.startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{headers['x-amz-date'][:8]}/{region}/execute-api/aws4_request, "), given
    names = given.split("SignedHeaders=")[1].split(",")[0].split(";")
    again = AWSRequest("POST", url + path, data=body, headers={name: headers[name] for name in names})
    again.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "execute-api", region)
    return names, given.split("Signature=")[1], auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
