#!/usr/bin/env python3
"""Signs users in at real OpenID providers, through the executable of the example.

    sign_in.py <path of the binary of handlers/rust>

The dependencies of ../provider must be installed (npm ci). The executable gets its events from a Runtime API of this script, and
invokes a Lambda service of this script, which keeps the requests and answers like `sessions-create`.
"""

import base64
import html
import http.client
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

PROVIDER = Path(__file__).resolve().parents[1] / "provider" / "provider.js"
PUBLIC = "http://127.0.0.1:9"
SECRET_ARN = "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop-AbCdEf"
SESSION = {"sessionId": "s1", "userId": "u1", "email": "", "claims": {}, "mfaVerified": False, "trusted": False,
           "authenticatedAt": "2026-01-01T00:00:00Z", "expiresAt": "2026-01-01T01:00:00Z"}


class Lambda(BaseHTTPRequestHandler):
    """The Runtime API of one executable, the Lambda service that it invokes, and its secret in Secrets Manager."""

    protocol_version = "HTTP/1.1"
    server: "Cloud"

    def do_GET(self):
        event = self.server.events.get()
        self.say(200 if event else 500, event or {}, {"Lambda-Runtime-Aws-Request-Id": "one", "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 60_000),
                                   "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:sign-in"})

    def do_POST(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(parts)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/2015-03-31/"):
            self.server.invocations.append((self.path, json.loads(body)))
            made = {"status": "AUTHENTICATED", "session": SESSION}
            return self.say(200, {"statusCode": 201, "headers": {}, "cookies": ["__Host-holdfast-access=a"], "body": json.dumps(made)})
        if self.headers.get("X-Amz-Target") == "secretsmanager.GetSecretValue":
            known = json.loads(body) == {"SecretId": SECRET_ARN} and "/us-east-1/secretsmanager/aws4_request" in self.headers["Authorization"]
            return self.say(200, {"SecretString": self.server.secret}) if known else self.say(400, {"__type": "AccessDeniedException"})
        self.server.answers.put((self.path, json.loads(body)))
        return self.say(202, {})

    def say(self, status, body, headers=None):
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format, *args):
        pass


class Cloud(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, secret):
        super().__init__(("127.0.0.1", 0), Lambda)
        self.secret = secret
        self.events, self.answers, self.invocations = queue.Queue(), queue.Queue(), []

    def handle_error(self, request, client_address):
        # The executable hangs up when it is ended.
        pass


def at_provider(issuer, url, subject, public=PUBLIC):
    """Goes through the provider's pages as a browser does, until it sends the user back to `public`: the query of that address."""
    jar, form = {}, None
    for _ in range(12):
        parts = urlsplit(url)
        if url.startswith(f"{public}/"):
            return parts.query
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()), "Accept": "text/html"}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request("POST" if form else "GET", f"{parts.path}?{parts.query}".rstrip("?"), urlencode(form) if form else None, headers)
        answer = connection.getresponse()
        page = answer.read().decode()
        connection.close()
        for line in answer.headers.get_all("set-cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            jar[name] = value
        if answer.status in (302, 303):
            place = answer.headers["location"]
            url, form = place if "://" in place else f"{issuer}{place}", None
            continue
        assert answer.status == 200, (answer.status, page[:300])
        url = html.unescape(re.search(r'<form[^>]* action="([^"]+)"', page)[1])
        url = url if "://" in url else f"{issuer}{url}"
        prompt = re.search(r'name="prompt" value="(\w+)"', page)[1]
        form = {"prompt": prompt, **({"login": subject, "password": "any"} if prompt == "login" else {})}
    raise AssertionError(f"the provider does not send the user back: {url}")


class SignIn:
    """A provider, and an executable that is configured for it."""

    def __init__(self, test, binary, secret="", **of_provider):
        # The variables that make the client a confidential one.
        of_provider = {"CLIENT_SECRET": secret, **of_provider} if secret else {}
        self.provider = subprocess.Popen(["node", PROVIDER, "shop", f"{PUBLIC}/callback"], env={**os.environ, **of_provider}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True)
        test.addCleanup(self.provider.wait)
        test.addCleanup(self.provider.stdout.close)
        # It ends with its input.
        test.addCleanup(self.provider.stdin.close)
        self.issuer = self.provider.stdout.readline().strip()
        self.cloud = Cloud(secret)
        threading.Thread(target=self.cloud.serve_forever, args=(0.02,), daemon=True).start()
        test.addCleanup(self.cloud.server_close)
        test.addCleanup(self.cloud.shutdown)
        address = f"127.0.0.1:{self.cloud.server_port}"
        self.function = subprocess.Popen([binary], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={
            "PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": address, "AWS_ENDPOINT_URL": f"http://{address}", "AWS_REGION": "us-east-1",
            "AWS_LAMBDA_FUNCTION_NAME": "sign-in", "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": "g", "AWS_LAMBDA_LOG_STREAM_NAME": "s", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "ISSUER_URL": self.issuer, "CLIENT_ID": "shop", "PUBLIC_URL": PUBLIC, "APP_URL": "https://app.example.com/", "TRANSPORT": "cookie",
            "MAX_AGE_SECONDS": "3600", "CREATE_SESSION_FUNCTION": "create", "CREATE_SESSION_QUALIFIER": "live",
            "CLIENT_SECRET_ARN": SECRET_ARN if secret else ""})
        test.addCleanup(self.function.stdout.close)
        test.addCleanup(self.function.wait)
        test.addCleanup(self.function.terminate)

    def user(self, subject, **claims):
        self.provider.stdin.write(json.dumps({subject: claims}) + "\n")
        self.provider.stdin.flush()
        line = self.provider.stdout.readline()
        assert line == "noted\n", line

    def get(self, path, query="", cookies=()):
        self.cloud.events.put({
            "version": "2.0", "routeKey": f"GET {path}", "rawPath": path, "rawQueryString": query, "cookies": list(cookies), "headers": {},
            "requestContext": {"requestId": "one", "stage": "$default", "http": {"method": "GET", "path": path, "sourceIp": "192.0.2.1", "userAgent": "Firefox"}}})
        path, answer = self.cloud.answers.get(timeout=30)
        assert path.endswith("/response"), (path, answer)
        return answer

    def sign_in(self, subject):
        """The answer of the callback, and its parameters: query and cookies."""
        began = self.get("/login")
        assert began["statusCode"] == 303, began
        cookies = [began["cookies"][0].split(";")[0]]
        query = at_provider(self.issuer, began["headers"]["location"], subject)
        return self.get("/callback", query, cookies), (query, cookies)

    def identities(self):
        return [tuple(body["identity"].values()) for _, body in self.cloud.invocations]


class RealProvider(unittest.TestCase):
    binary = ""

    def test_a_user_signs_in_and_gets_a_session_once(self):
        here = SignIn(self, self.binary)
        here.user("ada", email="ada@example.com", name="Ada")
        answer, (query, cookies) = here.sign_in("ada")
        self.assertEqual((answer["statusCode"], answer["headers"]["location"]), (303, "https://app.example.com/"))
        self.assertEqual(answer["cookies"][0], "__Host-holdfast-access=a")
        [(path, body)] = here.cloud.invocations
        self.assertEqual(path, "/2015-03-31/functions/create/invocations?Qualifier=live")
        self.assertEqual(body["identity"], {"provider": here.issuer, "subject": "ada"})
        self.assertEqual((body["email"], body["claims"]), ("ada@example.com", {"name": "Ada"}))
        # `auth_time`: when the user signed in at the provider.
        self.assertRegex(body["authenticatedAt"], r"^20\d\d-")
        # A browser has no such cookie any more. Even with it, the provider takes a code once.
        self.assertEqual(here.get("/callback", query)["statusCode"], 400)
        self.assertEqual(here.get("/callback", query, cookies)["statusCode"], 400)
        self.assertEqual(len(here.cloud.invocations), 1)
        here.function.terminate()
        said = here.function.stdout.read()
        for secret in [*parse_qs(query)["code"], *parse_qs(query)["state"], cookies[0].partition("=")[2]]:
            self.assertNotIn(secret, said)

    def test_an_identity_is_the_issuer_and_the_subject_and_never_the_email(self):
        one, other = SignIn(self, self.binary), SignIn(self, self.binary)
        for provider in (one, other):
            provider.user("ada", email="ada@example.com")
            self.assertEqual(provider.sign_in("ada")[0]["statusCode"], 303)
        self.assertNotEqual(one.identities(), other.identities())
        one.user("ada", email="changed@example.com")
        self.assertEqual(one.sign_in("ada")[0]["statusCode"], 303)
        self.assertEqual(one.identities(), [(one.issuer, "ada")] * 2)
        self.assertEqual([body["email"] for _, body in one.cloud.invocations], ["ada@example.com", "changed@example.com"])

    def test_a_confidential_client_signs_users_in_and_its_secret_is_in_no_log(self):
        for method in ("client_secret_basic", "client_secret_post"):
            secret = "a client's secret: 50% & more"
            here = SignIn(self, self.binary, secret, CLIENT_AUTHENTICATION=method)
            here.user("ada", email="ada@example.com")
            answer, (query, _) = here.sign_in("ada")
            self.assertEqual(answer["statusCode"], 303, answer)
            self.assertEqual(here.identities(), [(here.issuer, "ada")])
            other = SignIn(self, self.binary, secret, CLIENT_AUTHENTICATION=method)
            other.cloud.secret = "not-the-secret"
            other.user("ada")
            # The provider refuses the client: nobody is signed in.
            self.assertEqual(other.sign_in("ada")[0]["statusCode"], 500)
            self.assertEqual(other.cloud.invocations, [])
            for each in (here, other):
                each.function.terminate()
                said = each.function.stdout.read()
                forms = (secret, quote_plus(secret), base64.b64encode(f"shop:{quote_plus(secret)}".encode()).decode())
                self.assertFalse([part for part in (*forms, "not-the-secret", *parse_qs(query)["code"]) if part in said])

    def test_a_provider_that_has_ended_is_503(self):
        here = SignIn(self, self.binary)
        here.provider.stdin.close()
        here.provider.wait()
        answer = here.get("/login")
        self.assertEqual((answer["statusCode"], answer["cookies"]), (503, []))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    RealProvider.binary = sys.argv.pop()
    unittest.main()
