"""Clients that were written apart from each other go the whole way through the WebSocket protocol.

usage: path.py OUTPUTS --ws FOLDER [--browser PATH] [--page-port PORT] [--topic NAME] [--only NAME]…

Run by the Python of `.tools`, which has botocore and websockets. Each client is a program that receives commands
(program.py). It uses its own library: the Python library `websockets`, npm `ws`, clients/javascript in Node, and
clients/javascript in a Chromium. The steps are the same for all. Last comes the page of `make demo`.
"""

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import browsers
from api import Api, Fault
from program import Program, end_group

HERE = Path(__file__).resolve().parent
# Of the form of epochs, and no channel's.
WRONG_EPOCH = "AAAAAAAAAAA"


def check(holds, expected, came):
    if not holds:
        raise Fault(f"expected {expected}, got {json.dumps(came)[:600]}")


def of(frame, name):
    found = [channel for channel in frame["channels"] if channel["channel"] == name]
    check(len(found) == 1, f"{name} once in {frame['type']}", frame)
    return found[0]


class Way:
    """One client's way, from registering to the last `bye`."""

    def __init__(self, name, start, api, topic, renew):
        self.name, self.start, self.api, self.renew = name, start, api, renew
        self.topic, self.topic_channel = topic, f"topic:{topic}"
        # The shape that the search for secrets in the logs knows.
        self.person = {"email": f"e2e-{secrets.token_hex(12)}@holdfast.test", "password": f"pw-{secrets.token_hex(12)}"}
        self.program = None
        self.is_ours = name in ("node", "browser")

    def walk(self):
        refreshes = (self.refreshes,) if self.is_ours else ()
        if self.name == "browser":
            refreshes += (self.uses_cookies,)
        cuts = (self.comes_back_by_itself,) if self.is_ours else ()
        steps = (self.joins, self.gets_messages, self.pings, self.sees_presence, *refreshes, self.is_recovered_after_a_kill, *cuts,
                 self.is_told_of_a_wrong_epoch, *((self.is_told_of_a_restored_table,) if self.renew else ()), self.survives_a_malformed_frame,
                 self.hears_bye)
        try:
            for step in steps:
                began = time.monotonic()
                try:
                    step()
                except Fault as fault:
                    raise Fault(f"{self.name}, step \"{step.__doc__}\": {fault}") from None
                print(f"    {self.name:8} {step.__doc__} ({time.monotonic() - began:.1f} s)", flush=True)
        finally:
            if self.program:
                self.program.kill()

    def joins(self):
        """registers, signs in, gets a ticket, connects, says hello and is welcome"""
        self.program = self.start()
        joined = self.program.ask("join", person=self.person)
        self.token, self.session, self.user = joined["token"], joined["session"]["sessionId"], joined["session"]["userId"]
        self.own = f"user:{self.user}"
        self.program.ask("connect")
        welcome = self.program.frame("welcome")
        check(welcome["connectionId"], "a connectionId", welcome)
        for name in (self.own, "broadcast"):
            check(of(welcome, name)["recovered"] is False, "recovered false without a mark", welcome)

    def gets_messages(self):
        """gets a personal message, one of a topic, a broadcast and an ephemeral one"""
        self.subscribe()
        for to in ({"userIds": [self.user]}, {"topic": self.topic}, {"broadcast": True}):
            sent = self.api.publish(to, {"text": "ä ✓", "n": [1, None]})
            handed = self.program.handed(sent["messageId"])
            check(handed["data"] == {"text": "ä ✓", "n": [1, None]}, "the data as published", handed)
            check((handed["channel"], handed["offset"]) == (sent["channel"], sent["offset"]), "the place as published", handed)
        sent = self.api.publish({"userIds": [self.user]}, "now or never", ephemeral=True)
        check("offset" not in sent, "no offset", sent)
        self.program.handed(sent["messageId"])

    def subscribe(self):
        self.program.tell("subscribe", topic=self.topic)
        answer = self.program.expect("subscribed", lambda event: event.get("frame", {}).get("type") in ("subscribed", "error"))["frame"]
        check(answer["type"] == "subscribed", f"{self.topic} to be open (deploy with VARS='topic_policy=public.')", answer)
        check(answer["channel"] == self.topic_channel, self.topic_channel, answer)

    def pings(self):
        """pings, and no head of the pong is ahead of its marks"""
        pong = self.program.settle()
        marks = {mark["channel"]: mark for mark in self.program.marks}
        head = of(pong, self.own)
        check((head["epoch"], head["offset"]) == (marks[self.own]["epoch"], marks[self.own]["offset"]), f"{marks[self.own]}", pong)
        # The head of a shared channel may be 5 s old.
        head = of(pong, self.topic_channel)
        mark = marks[self.topic_channel]
        check(head["epoch"] == mark["epoch"] and head["offset"] <= mark["offset"], f"at most {mark}", pong)
        # Others broadcast, too.
        of(pong, "broadcast")

    def sees_presence(self):
        """sees who is present"""
        self.program.tell("presence", userIds=[self.user])
        online = self.program.frame("presence")["online"]
        check(online == {self.user: True}, "itself", online)

    def refreshes(self):
        """needs a new token in ten places at once, and asks for one"""
        answer = self.program.ask("refresh")
        check((answer["requests"], answer["different"]) == (1, 1), "one request and one new token", answer)
        self.token = answer["token"]
        check(self.api.call("GET", "/v1/sessions/current", token=self.token)["sessionId"] == self.session, "the same session", answer)

    def uses_cookies(self):
        """the same with cookies, which no script can read; gets a ticket, signs out"""
        answer = self.program.ask("cookies", person=self.person)
        check(answer["sessions"] == [answer["signedIn"]["session"]["sessionId"]], "the session that was signed in", answer)
        check((answer["requests"], answer["out"], answer["after"]) == (1, 200, "SessionOver"), "one refresh, 200, SessionOver", answer)
        check("ticket=" in answer["url"] and "tokens" not in answer["signedIn"], "a ticket, and no token in any answer", answer)
        check("hf1." not in answer["kept"], "nothing of a token where scripts can read", answer["kept"])

    def is_recovered_after_a_kill(self):
        """is killed (kill -9), misses messages, comes back, and every one of them follows, once and in order"""
        self.program.settle()
        self.program.kill()
        marks = self.program.marks
        own = [self.api.publish({"userIds": [self.user]}, number) for number in range(5)]
        expired = self.api.publish({"userIds": [self.user]}, "too late", ttlSeconds=1)
        others = [self.api.publish({"topic": self.topic}, "missed"), self.api.publish({"broadcast": True}, "missed")]
        time.sleep(1.5)
        self.come_back(marks)
        welcome = self.program.frame("welcome")
        for name in (self.own, self.topic_channel, "broadcast"):
            check(of(welcome, name)["recovered"] is True, f"{name} recovered", welcome)
        check(of(welcome, self.own)["offset"] == expired["offset"], "the head of its channel", welcome)
        for sent in (*own, expired, *others):
            self.program.handed(sent["messageId"])
        last = self.api.publish({"userIds": [self.user]}, "live again")
        self.program.handed(last["messageId"])
        self.program.settle()
        handed = [(one["id"], one["kind"], one["data"]) for one in self.handed_of(self.own)]
        wanted = [(sent["messageId"], "note", number) for number, sent in enumerate(own)]
        wanted += [(expired["messageId"], "expired", None), (last["messageId"], "note", "live again")]
        check(handed == wanted, f"{wanted}", handed)
        check(self.program.reloads() == [], "no reload", self.program.reloads())

    def handed_of(self, name):
        """What has a place in a channel. Holdfast's own alerts have none, and come when they come."""
        return [one for one in self.program.all_handed() if one["channel"] == name and "offset" in one]

    def come_back(self, marks):
        self.program = self.start()
        self.program.ask("resume", token=self.token, marks=marks)
        self.program.ask("connect", **({"topics": [self.topic]} if self.is_ours else {}))

    def comes_back_by_itself(self):
        """loses its socket five times amid a hundred messages and reconnects: each once, each channel in order"""
        targets = ({"userIds": [self.user]}, {"topic": self.topic})
        sent = []
        with ThreadPoolExecutor(len(targets)) as pool:
            publishing = [pool.submit(lambda to=to: [self.api.publish(to, number) for number in range(50)]) for to in targets]
            for _ in range(5):
                time.sleep(0.4)
                self.program.tell("cut")
                self.program.expect("the close", lambda event: "closed" in event)
                self.program.frame("welcome")
            for one in publishing:
                sent.extend(one.result())
        for one in sent:
            self.program.handed(one["messageId"])
        self.program.settle()
        for name in (self.own, self.topic_channel):
            offsets = [one["offset"] for one in self.handed_of(name)]
            check(offsets == list(range(offsets[0], offsets[0] + len(offsets))), "offsets in order, each once", offsets)
        ids = [one["id"] for one in self.program.all_handed()]
        check(len(ids) == len(set(ids)), "every id once", len(ids) - len(set(ids)))
        check(self.program.reloads() == [], "no reload", self.program.reloads())

    def is_told_of_a_wrong_epoch(self):
        """comes with a mark of another epoch: recovered false, nothing follows, and new messages come"""
        self.program.settle()
        self.program.kill()
        wrong = [{**mark, "epoch": WRONG_EPOCH} if mark["channel"] == self.own else mark for mark in self.program.marks]
        missed = self.api.publish({"userIds": [self.user]}, "before")
        self.come_back(wrong)
        welcome = self.program.frame("welcome")
        check(of(welcome, self.own)["recovered"] is False, "recovered false", welcome)
        check(of(welcome, self.topic_channel)["recovered"] is True, "the others recovered", welcome)
        reload = self.program.expect("a reload", lambda event: "reload" in event)["reload"]
        check((reload["channel"], reload["offset"]) == (self.own, missed["offset"]), "a reload of its channel", reload)
        after = self.api.publish({"userIds": [self.user]}, "after")
        self.program.handed(after["messageId"])
        self.program.settle()
        handed = [one["id"] for one in self.handed_of(self.own)]
        check(handed == [after["messageId"]], "nothing partial", handed)

    def is_told_of_a_restored_table(self):
        """comes back after all channels got new epochs, as after a restore: recovered false, and new messages come"""
        self.program.settle()
        self.program.kill()
        marks = self.program.marks
        self.renew()
        self.come_back(marks)
        welcome = of(self.program.frame("welcome"), self.own)
        mark = next(mark for mark in marks if mark["channel"] == self.own)
        check(welcome["recovered"] is False and welcome["epoch"] != mark["epoch"], "recovered false, another epoch", welcome)
        after = self.api.publish({"userIds": [self.user]}, "after the restore")
        handed = self.program.handed(after["messageId"])
        check((handed["epoch"], handed["offset"]) == (welcome["epoch"], welcome["offset"] + 1), f"the place after {welcome}", handed)

    def survives_a_malformed_frame(self):
        """sends what is no frame, gets an error, and the socket stays open"""
        self.program.tell("malformed")
        error = self.program.frame("error")
        check(error["code"] == "INVALID_FRAME" and error["detail"], "INVALID_FRAME with a detail", error)
        self.program.settle()

    def hears_bye(self):
        """is revoked, hears bye, and is closed; no ticket opens another socket"""
        other = self.api.sign_in(self.person, "elsewhere")
        self.api.revoke(self.session, other)
        bye = self.program.frame("bye")
        check((bye["code"], bye["reconnect"]) == ("SESSION_ENDED", False), "SESSION_ENDED, reconnect false", bye)
        self.program.expect("the close", lambda event: "closed" in event)
        self.api.call("POST", "/v1/push/tickets", token=self.token, expect=401)
        if self.is_ours:
            self.program.expect("the client's end", lambda event: "over" in event)


def programs(outputs, arguments, scratch):
    """How each client is started, by name."""
    environment = {"PATH": os.environ.get("PATH", ""), "HOLDFAST_HTTP_URL": outputs["httpUrl"], "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1"}
    node = shutil.which("node")
    if not node:
        raise Fault("node is missing: install Node.js 20 or newer.")
    browser = browsers.find(arguments.browser) if "browser" in arguments.only else None

    def in_browser():
        profile = tempfile.mkdtemp(prefix="p-", dir=scratch)
        return [node, str(HERE / "client_browser.mjs"), browser, profile, str(arguments.page_port)]

    commands = {
        "python": lambda: [sys.executable, "-B", str(HERE / "client_python.py")],
        "ws": lambda: [node, str(HERE / "client_ws.mjs"), str(arguments.ws.resolve())],
        "node": lambda: [node, str(HERE / "client_node.mjs"), str(arguments.ws.resolve())],
        "browser": in_browser,
    }
    return {name: lambda name=name: Program(name, commands[name](), environment) for name in commands if name in arguments.only}


HOLDFAST = HERE.parents[1] / "scripts" / "holdfast"


def local_deployment(outputs_file, outputs):
    """The environment in which the operator tool means the local deployment of this file."""
    port = urlsplit(outputs["awsEndpointUrl"]).port
    return {**os.environ, "ENV": "local", "HOLDFAST_WORK_DIR": str(outputs_file.resolve().parent), "HOLDFAST_PORT": str(port)}


def renew_epochs(environment):
    """Runs what `make epochs` runs."""
    said = subprocess.run([str(HOLDFAST), "epochs"], capture_output=True, text=True, check=False, env=environment)
    if said.returncode:
        raise Fault(f"holdfast epochs: {said.stderr.strip() or said.stdout.strip()}")


NAMES = ("python", "ws", "node", "browser", "demo")


def play_demo(arguments, scratch, environment):
    """The page of `make demo`, as a person uses it."""
    profile = tempfile.mkdtemp(prefix="p-", dir=scratch)
    server = [str(HOLDFAST), "demo", "--page-port", str(arguments.page_port)]
    command = ["node", str(HERE / "demo_page.mjs"), browsers.find(arguments.browser), profile, str(arguments.page_port), *server]
    with subprocess.Popen(command, start_new_session=True, env=environment) as played:
        try:
            if played.wait():
                raise Fault("the demo page does not do what it says")
        finally:
            # After a Ctrl-C nothing of it may still write into its profile.
            end_group(played.pid)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("outputs", type=Path)
    parser.add_argument("--ws", type=Path, required=True, help="the folder of npm ws")
    parser.add_argument("--browser", default=os.environ.get("CHROMIUM"))
    parser.add_argument("--page-port", type=int, default=5173, help="http://127.0.0.1:<this> must be an allowed origin")
    parser.add_argument("--topic", default=f"public.{secrets.token_hex(4)}", help="one that the deployment's topic_policy opens")
    parser.add_argument("--only", choices=NAMES, nargs="+", default=NAMES)
    arguments = parser.parse_args()
    try:
        outputs = json.loads(arguments.outputs.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        print(f"{arguments.outputs}: {error}; run `make deploy` first.")
        return 2
    # Profiles of browsers that were killed are removed with it. Short names: a browser's socket lies below, whose path may have 107
    # characters.
    where = None if len(tempfile.gettempdir()) <= 40 else "/tmp"
    with tempfile.TemporaryDirectory(prefix="hf-", dir=where, ignore_cleanup_errors=True) as scratch:
        try:
            # Not on AWS: all of the deployment's clients would reload.
            local = local_deployment(arguments.outputs, outputs) if outputs.get("awsEndpointUrl") else None
            renew = (lambda: renew_epochs(local)) if local else None
            for name, start in programs(outputs, arguments, scratch).items():
                # A topic of its own: the head in a pong may be 5 s old, of before the epochs that the last client's way renewed.
                Way(name, start, Api(outputs), f"{arguments.topic}.{name}", renew).walk()
            if "demo" in arguments.only and not local:
                raise Fault("the demo page is for a local deployment: name the others with --only")
            if "demo" in arguments.only:
                play_demo(arguments, scratch, local)
        except (Fault, browsers.Missing) as fault:
            print(f"FAILED: {fault}", flush=True)
            return 1
        except KeyboardInterrupt:
            return 130
    print(f"gone the whole way: {', '.join(arguments.only)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
