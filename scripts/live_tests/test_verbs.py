"""The verbs of operators against a deployment: HOLDFAST_WORK_DIR says where its outputs.json is.

`make test ONLY=e2e` runs them on its own local cloud. By hand, on the local environment of this repository:
`.tools/bin/python -m unittest discover -s scripts/live_tests`.
"""

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
import unittest
import urllib.request
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(SCRIPTS / "tests"), str(SCRIPTS.parent / "clients" / "python" / "src")]

import botocore.session
from fakes import called
from holdfast import Holdfast, NoSession

from holdfast_cli.core import settings as settings_module
from holdfast_cli.deploy import aws
from holdfast_cli.operate import tail

SETTINGS = settings_module.read({"ENV": "local", **{name: os.environ[name] for name in ("HOLDFAST_WORK_DIR",) if name in os.environ}})
KNOWN = json.loads(SETTINGS.outputs_file.read_text(encoding="utf-8"))
URL = KNOWN["httpUrl"].rstrip("/")
# Without the variables of the make that may run this, and without a proxy.
ENVIRON = {**{k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "AWS_")) and k not in ("ENV", "VARS", "SERVICE", "HOLDFAST_PORT")},
           "HOLDFAST_WORK_DIR": str(SETTINGS.work)}


def holdfast(*words, stdin="", code=0):
    """`holdfast <words> --json`, in this process: what it answers."""
    ended, out, err = called([*words, "--json"], SETTINGS, stdin)
    assert ended == code, (words, ended, out, err)
    return json.loads(out)


def typed(*words, stdin="", code=0, **environ):
    """The same in a process of its own, as an operator types it."""
    ran = subprocess.run([SCRIPTS / "holdfast", *words, "--json"], input=stdin, env={**ENVIRON, **environ}, capture_output=True, text=True, check=False)
    assert ran.returncode == code, (words, ran.returncode, ran.stdout, ran.stderr)
    return json.loads(ran.stdout)


@contextlib.contextmanager
def started(*words, ready, **environ):
    """Starts a verb that runs until Ctrl-C, and waits until it has printed `ready`. Yields the list of its lines of JSON, and
    the line with `ready`."""
    child = subprocess.Popen([SCRIPTS / "holdfast", *words, "--json"], env={**ENVIRON, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = []
    reader = threading.Thread(target=lambda: found.extend(map(json.loads, child.stdout)))
    with child:
        try:
            said = next((text for text in child.stderr if ready in text), "")
            reader.start()
            yield found, said
        finally:
            # Also after a failure: a killed `events tail` would leave its rule and its queue behind.
            child.send_signal(signal.SIGINT)
            rest = child.stderr.read()
            reader.join(20)
        assert child.wait(20) == 0, (words, said, rest)


def eventually(what, holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def post(path, body, token=None):
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(URL + path, json.dumps(body).encode() if body else b"", headers, method="POST"), timeout=30) as answer:
        return json.load(answer)


class Verbs(unittest.TestCase):
    def setUp(self):
        # The shapes that the search for secrets in the logs knows.
        self.email, self.password = f"e2e-{secrets.token_hex(12)}@holdfast.test", f"pw-{secrets.token_hex(12)}"
        self.user = typed("users", "create", self.email, "--password-stdin", stdin=self.password + "\n")["user"]["userId"]
        self.addCleanup(lambda: called(["users", "delete", self.user, "--yes"], SETTINGS))

    def sign_in(self, password=None):
        found = post("/v1/auth/login", {"email": self.email, "password": password or self.password, "deviceName": "verbs"})
        return found["session"]["sessionId"], found["tokens"]["accessToken"]

    def test_an_operator_finds_ends_disables_resets_and_deletes(self):
        with started("events", "tail", "--user", self.user, ready="following the bus") as (events, said):
            session, _ = self.sign_in()
            self.assertEqual([one["sessionId"] for one in holdfast("sessions", "list", self.email)["sessions"]], [session])
            self.assertEqual(holdfast("sessions", "end", self.user, session, "--actor", "support/grace")["revoked"], 1)
            self.assertEqual(holdfast("sessions", "end", self.user, session, code=2)["error"]["code"], "NOT_FOUND")
            self.assertEqual(holdfast("users", "disable", self.user)["ok"], True)
            self.assertEqual(holdfast("users", "find", self.email)["user"]["status"], "DISABLED")
            self.assertEqual(holdfast("users", "enable", self.user)["ok"], True)
            another = f"pw-{secrets.token_hex(12)}"
            self.assertEqual(holdfast("users", "set-password", self.email, "--password-stdin", stdin=another + "\n")["revoked"], 0)
            self.sign_in(another)
            self.assertEqual(holdfast("mfa", "reset", self.user, "--yes")["revoked"], 1)
            self.assertEqual(holdfast("devices", "list", self.user)["devices"], [])
            self.assertIn("account-network", [one["scope"] for one in holdfast("attempts", "show", self.email, "--ip", "127.0.0.1")["attempts"]])
            self.assertEqual(holdfast("attempts", "clear", self.email, "--ip", "127.0.0.1")["attempts"][0]["count"], 0)
            self.assertEqual(holdfast("users", "delete", self.email, code=2)["error"]["code"], "NOT_CONFIRMED")
            self.assertEqual(holdfast("users", "delete", self.email, "--yes")["ok"], True)
            self.assertEqual(holdfast("users", "find", self.email, code=2)["error"]["code"], "NOT_FOUND")
            eventually("the event of the deletion", lambda: "ACCOUNT_DELETED" in [one["type"] for one in events])
        ended = next(one for one in events if one["type"] == "SESSION_REVOKED" and one["sessionId"] == session)
        self.assertEqual((ended["actor"], ended["reason"]), ("support/grace", "ADMIN"))
        self.assertEqual(len({one["id"] for one in events}), len(events))
        api = aws.Api(SETTINGS)
        name = re.search(r"holdfast-local-tail-\S+?(?=,)", said)[0]
        rules = [rule["Name"] for rule in api.events.list_rules(EventBusName=KNOWN["eventBus"])["Rules"]]
        self.assertFalse([one for one in [*rules, *api.sqs.list_queues().get("QueueUrls", [])] if name in one])

    def test_a_channel_is_followed_over_a_cut_and_until_the_session_ends(self):
        _, token = self.sign_in()
        name = f"user:{self.user}"
        shown, sockets = [], []
        tickets = tail.Tickets(f"{URL}/v1/push/tickets", token)

        def opened(url):
            sockets.append(tail.connect(url))
            return sockets[-1]

        def pause(_):
            # While nobody listens, so that only recovery can bring it.
            typed("publish", name, "--data", '"missed"')

        follower = tail.Tail(tail.Wanted(name, count=3, seconds=40), tickets.next, shown.append, opened, sleep=pause)
        with contextlib.redirect_stderr(open(os.devnull, "w", encoding="utf-8")) as quiet:
            runs = threading.Thread(target=follower.run)
            runs.start()
            eventually("the welcome", lambda: follower.channel.mark is not None)
            first = holdfast("publish", name, "--kind", "order", "--data", '{"n":1}', "--idempotency-key", self.user)
            self.assertEqual(holdfast("publish", name, "--idempotency-key", self.user), {**first, "duplicate": True})
            eventually("the first message", lambda: len(shown) == 1)
            sockets[0].close()
            eventually("the second socket", lambda: len(shown) == 2)
            holdfast("publish", name, "--data", '"live"')
            runs.join(40)
            quiet.close()
        self.assertEqual([one["data"] for one in shown], [{"n": 1}, "missed", "live"])
        self.assertEqual([one["offset"] for one in shown], list(range(first["offset"], first["offset"] + 3)))
        child = subprocess.Popen([SCRIPTS / "holdfast", "tail", name, "--json"], env={**ENVIRON, "HOLDFAST_ACCESS_TOKEN": token}, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        with child:
            self.assertIn("following", child.stderr.readline())
            holdfast("sessions", "end-all", self.user, "--yes")
            out, err = child.communicate(timeout=30)
        self.assertEqual((child.returncode, json.loads(out)["error"]["code"]), (1, "SESSION_ENDED"), err)

    def test_a_service_makes_checks_and_ends_a_session_for_its_user(self):
        service = botocore.session.Session()
        service.set_credentials("test", "test")
        kit = Holdfast(URL, region=KNOWN["region"], aws_session=service, timeout_seconds=30)
        self.addCleanup(kit.close)
        subject = secrets.token_hex(8)
        # The address of another account is a label, and leads to nobody.
        made = kit.create_session("urn:live", subject, email=self.email, claims={"plan": "free"}, mfa_verified=True, client_ip="192.0.2.7")
        self.addCleanup(lambda: called(["users", "delete", made.session.user_id, "--yes"], SETTINGS))
        self.assertNotEqual(made.session.user_id, self.user)
        token = made.tokens.access_token
        seen = kit.verify(token)
        self.assertEqual((seen.user_id, seen.claims, seen.identity), (made.session.user_id, {"plan": "free"}, ("urn:live", subject)))
        holdfast("users", "claims", made.session.user_id, "--set", '{"plan":"pro"}')
        self.assertEqual(kit.verify(token).claims, {"plan": "pro"})
        self.assertEqual(typed("introspect", HOLDFAST_ACCESS_TOKEN=token)["claims"], {"plan": "pro"})
        again = kit.create_session("urn:live", subject, session_id=made.session.session_id)
        self.assertEqual((again.session.session_id, again.tokens), (made.session.session_id, None))
        self.assertEqual(kit.publish("order", {"n": 1}, user_ids=[made.session.user_id]).offset, 1)
        holdfast("sessions", "end", made.session.user_id, made.session.session_id)
        with self.assertRaises(NoSession):
            kit.verify(token)
        self.assertEqual(typed("introspect", code=1, HOLDFAST_ACCESS_TOKEN=token), {"active": False})


if __name__ == "__main__":
    unittest.main()
