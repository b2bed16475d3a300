"""The example own-identity beside the deployment of HOLDFAST_WORK_DIR: a user signs in at a real OpenID provider and gets a session of Holdfast.

Everything is real but AWS: provider, confidential client with a secret in Secrets Manager, API Gateway, function, and `sessions-create`.
"""

import base64
import json
import os
import secrets
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SCRIPTS = Path(__file__).resolve().parents[1]
EXAMPLE = SCRIPTS.parent / "infra" / "examples" / "own-identity"
sys.path[:0] = [str(SCRIPTS), str(EXAMPLE / "tests")]

import examples
import sign_in

from holdfast_cli.core import processes, tools
from holdfast_cli.core import settings as settings_module
from holdfast_cli.deploy import aws
from holdfast_cli.verify import suite

SETTINGS = settings_module.read({"ENV": "local", **{name: os.environ[name] for name in ("HOLDFAST_WORK_DIR", "HOLDFAST_TOOLS") if name in os.environ}})
KNOWN = json.loads(SETTINGS.outputs_file.read_text(encoding="utf-8"))
CURRENT = KNOWN["httpUrl"].rstrip("/") + "/v1/sessions/current"
LOGOUT = KNOWN["httpUrl"].rstrip("/") + "/v1/auth/logout"
NAME = "own-identity-live"
ACCESS = "__Host-holdfast-access"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


def call(url, method="GET", **headers):
    """Status, headers and text of an answer."""
    try:
        answer = OPEN.open(urllib.request.Request(url, headers=headers, method=method), timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read().decode()


def cookies(headers):
    return dict(line.split(";")[0].split("=", 1) for line in headers.get_all("set-cookie") or [])


def built():
    """The binary of the function, from the build of the static checks if there is one."""
    command = ["cargo", "build", "--locked", "--quiet", "--message-format", "json"]
    environ = {**suite.BUILD_OF_KIT, **os.environ}
    ran = subprocess.run(command, cwd=EXAMPLE / "handlers" / "rust", env=environ, capture_output=True, text=True, check=True)
    return next(found["executable"] for line in ran.stdout.splitlines() if (found := json.loads(line)).get("executable"))


class OwnIdentity(unittest.TestCase):
    def provider(self, redirect_uri, port, secret):
        environ = {**os.environ, "CLIENT_SECRET": secret}
        provider = subprocess.Popen(["node", sign_in.PROVIDER, "shop", redirect_uri, str(port)], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(provider.wait)
        self.addCleanup(provider.stdout.close)
        # It ends with its input.
        self.addCleanup(provider.stdin.close)
        issuer = provider.stdout.readline().strip()
        provider.stdin.write(json.dumps({"ada": {"email": "ada@example.com", "name": "Ada"}}) + "\n")
        provider.stdin.flush()
        self.assertEqual(provider.stdout.readline(), "noted\n")
        return issuer

    def log(self, api):
        events = api.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{NAME}-sign-in")["events"]
        return "\n".join(event["message"] for event in events)

    def test_a_user_of_a_provider_gets_a_session_that_counts_until_the_sign_out(self):
        tools.node_modules(SETTINGS, EXAMPLE / "provider")
        api, port = aws.Api(SETTINGS), processes.free_port()
        secret = f"client-{secrets.token_hex(16)}"
        manager = api.client("secretsmanager")
        arn = manager.create_secret(Name=f"{NAME}-{secrets.token_hex(4)}", SecretString=secret)["ARN"]
        self.addCleanup(manager.delete_secret, SecretId=arn, ForceDeleteWithoutRecovery=True)
        given = {"issuer_url": f"http://127.0.0.1:{port}", "client_id": "shop", "client_secret_arn": arn, "app_url": "http://127.0.0.1:9/orders",
                 "create_session_policy": KNOWN["policyDocuments"]["createSession"]}
        with examples.applied("own-identity", KNOWN, built(), name=NAME, **given) as (outputs, state):
            issuer = self.provider(outputs["redirect_uri"], port, secret)
            status, began, text = call(outputs["login_url"])
            self.assertEqual(status, 303, text)
            own = cookies(began)
            query = sign_in.at_provider(issuer, began["location"], "ada", outputs["redirect_uri"].removesuffix("/callback"))
            callback = f"{outputs['redirect_uri']}?{query}"
            # Another browser cannot end this sign-in.
            self.assertEqual(call(callback)[0], 400)
            status, ended, text = call(callback, cookie="; ".join(f"{name}={value}" for name, value in own.items()))
            self.assertEqual((status, ended["location"]), (303, "http://127.0.0.1:9/orders"), text)

            made = cookies(ended)
            status, _, text = call(CURRENT, cookie=f"{ACCESS}={made[ACCESS]}")
            self.assertEqual(status, 200, text)
            session = json.loads(text)
            self.assertEqual(session["identity"], {"provider": issuer, "subject": "ada"})
            self.assertEqual((session["email"], session["claims"]), ("ada@example.com", {"name": "Ada"}))
            status, _, text = call(LOGOUT, "POST", authorization=f"Bearer {made[ACCESS]}")
            self.assertEqual((status, json.loads(text)["effective"]), (200, "immediate"), text)
            self.assertEqual(call(CURRENT, cookie=f"{ACCESS}={made[ACCESS]}")[0], 401)

            # The secret is where it is used, and nowhere else.
            function = api.client("lambda").get_function_configuration(FunctionName=f"{NAME}-sign-in")
            self.assertEqual(function["Environment"]["Variables"]["CLIENT_SECRET_ARN"], arn)
            deadline = time.monotonic() + 10
            while self.log(api).count("REPORT ") < 3 and time.monotonic() < deadline:
                time.sleep(0.1)
            said = self.log(api)
            self.assertGreaterEqual(said.count("REPORT "), 3, said)
            parameters = parse_qs(urlsplit(callback).query)
            for place in (json.dumps(function, default=str), state, began["location"], callback):
                self.assertNotIn(secret, place)
            # A cookie that ends has no value.
            shown = base64.b64encode(f"shop:{secret}".encode()).decode()
            for each in filter(None, (secret, shown, *parameters["code"], *parameters["state"], *own.values(), *made.values())):
                self.assertNotIn(each, said)


if __name__ == "__main__":
    unittest.main()
