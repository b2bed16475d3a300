"""The verbs on users, sessions, devices, attempts and second factors, against a Lambda that answers what a test says."""

import json
import unittest
from unittest import mock

from fakes import Scripted, called, deployed, read

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.deploy import aws
from holdfast_cli.operate import admin, deployment, prompts

USER = {"userId": "u1", "email": "ada@example.com", "status": "ACTIVE", "mfaEnabled": True, "claims": {"role": "editor"}}
SESSION = {"sessionId": "s1", "device": {"name": "Firefox\x1b[31m", "browser": None, "os": None, "ip": "192.0.2.1"}, "lastUsedAt": "2026-11-28T10:00:00.000Z",
           "expiresAt": "2026-11-28T11:00:00.000Z", "trusted": True}
DEVICE = {"deviceId": "d1", "name": "Firefox", "createdAt": "a", "lastUsedAt": "b", "expiresAt": "c", "current": False}
LIST = {"ok": True, "user": USER, "sessions": [SESSION], "devices": [DEVICE]}
ENDED = {"ok": True, "revoked": 2, "effective": "immediate"}
BUDGET = {"scope": "account", "count": 3, "limit": 50, "windowEndsAt": None, "failuresInARow": 3, "waitUntil": None, "knownUntil": None}


def says(answer):
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def problem(code, status, detail="Because."):
    return says({"ok": False, "error": {"code": code, "status": status, "title": "Title", "detail": detail}})


class Verbs(unittest.TestCase):
    def call(self, words, *answers, stdin="", **environ):
        with Scripted(*answers) as cloud, deployed(cloud.port) as settings:
            result = called(words.split(), settings, stdin, **environ)
            self.commands = [json.loads(body) for _, path, _, body in cloud.asked if "sessions-admin" in path]
        return result

    def test_each_verb_is_one_command_with_its_actor(self):
        for words, command in (
                ("users find ada@example.com", {"action": "list", "email": "ada@example.com"}),
                ("users find u1", {"action": "list", "userId": "u1"}),
                ("users disable u1", {"action": "disable", "userId": "u1"}),
                ("users enable u1", {"action": "enable", "userId": "u1"}),
                ("users delete u1 --yes", {"action": "delete", "userId": "u1"}),
                ("sessions list u1", {"action": "list", "userId": "u1"}),
                ("sessions end u1 s1", {"action": "end", "userId": "u1", "sessionId": "s1"}),
                ("sessions end-all u1 --yes", {"action": "end-all", "userId": "u1"}),
                ("devices list u1", {"action": "list", "userId": "u1"}),
                ("devices remove u1 d1", {"action": "remove-device", "userId": "u1", "deviceId": "d1"}),
                ("mfa reset u1 --yes", {"action": "reset-mfa", "userId": "u1"}),
                ("attempts show a@b.c --ip 192.0.2.1", {"action": "attempts", "email": "a@b.c", "ip": "192.0.2.1"}),
                ("attempts clear a@b.c --ip 192.0.2.1", {"action": "clear-attempts", "email": "a@b.c", "ip": "192.0.2.1"})):
            answer = {**LIST, **ENDED, "attempts": [BUDGET]}
            code, out, err = self.call(f"{words} --json", says(answer))
            self.assertEqual((code, err), (0, ""), words)
            self.assertEqual(json.loads(out), answer, words)
            self.assertRegex(self.commands[0].pop("actor"), r"\Alocal/.")
            self.assertEqual(self.commands, [command], words)
        self.call("users disable u1 --actor support/grace", says(ENDED))
        self.assertEqual(self.commands[0]["actor"], "support/grace")

    def test_an_id_can_begin_with_a_hyphen(self):
        for user, session in (("-EwdM_h6yKgL50-1Ro2ArQ", "--wcoaG85taVMD5t-H0Xw2"), ("-hsonM_h6yKgL50-1Ro2Ar", "-")):
            self.assertEqual(self.call(f"sessions end {user} {session} --json", says(ENDED))[0], 0)
            self.assertEqual((self.commands[0]["userId"], self.commands[0]["sessionId"]), (user, session))
        code, _, err = self.call("users find u1 --jsno", says(LIST))
        self.assertEqual((code, self.commands), (2, []))
        self.assertIn("--jsno", err)

    def test_the_text_shows_the_account_its_sessions_and_its_devices(self):
        code, out, _ = self.call("users find u1", says(LIST))
        self.assertEqual(code, 0)
        for part in ("u1", "ada@example.com", "ACTIVE, second factor on", "s1", "192.0.2.1", "d1"):
            self.assertIn(part, out)
        # A device's name comes from its user: a terminal must not obey it.
        self.assertNotIn("\x1b", out)
        self.assertIn("\\x1b[31m", out)
        self.assertNotIn("d1", self.call("sessions list u1", says(LIST))[1])
        self.assertNotIn("s1", self.call("devices list u1", says(LIST))[1])
        self.assertIn("No live sessions.", self.call("sessions list u1", says({**LIST, "sessions": []}))[1])

    def test_a_change_says_how_surely_it_holds(self):
        self.assertIn("Account disabled, 2 sessions ended, refused at once.", self.call("users disable u1", says(ENDED))[1])
        bounded = {"ok": True, "revoked": 1, "effective": "bounded", "withinSeconds": 60}
        self.assertIn("1 session ended, refused within 60 s", self.call("sessions end-all u1 --yes", says(bounded))[1])

    def test_an_unknown_user_is_exit_code_2_and_a_typed_error(self):
        code, out, err = self.call("users find nobody@example.com", problem("NOT_FOUND", 404))
        self.assertEqual((code, out, err.count("\n")), (2, "", 1))
        self.assertIn("ENV=local has no user nobody@example.com", err)
        code, out, err = self.call("users find nobody@example.com --json", problem("NOT_FOUND", 404))
        found = json.loads(out)
        self.assertEqual((code, found["ok"], found["error"]["code"], found["error"]["status"], found["error"]["exitCode"]), (2, False, "NOT_FOUND", 404, 2))

    def test_what_holdfast_refuses_is_2_and_what_it_cannot_serve_now_is_1(self):
        for words, answer, code, error in (
                ("sessions end u1 s1", problem("NOT_FOUND", 404), 2, "NOT_FOUND"),
                ("devices remove u1 d1", problem("NOT_FOUND", 404), 2, "NOT_FOUND"), ("sessions end u1 s1", problem("INVALID_REQUEST", 400), 2, "INVALID_REQUEST"),
                ("users disable u1", problem("UNAVAILABLE", 503), 1, "UNAVAILABLE"), ("users disable u1", problem("INTERNAL", 500), 1, "INTERNAL"),
                ("users disable u1", says({"ok": False}), 1, "INTERNAL")):
            ended, out, err = self.call(f"{words} --json", answer)
            self.assertEqual((ended, json.loads(out)["error"]["code"]), (code, error), (words, err))

    def test_lambda_in_trouble_is_told_in_one_line(self):
        def refused(status, kind, message="no"):
            return status, {"x-amzn-ErrorType": kind, "Content-Type": "application/json"}, json.dumps({"Message": message, "message": message}).encode()

        for answer, code, error, part in (
                (refused(429, "TooManyRequestsException", "Rate Exceeded."), 1, "TooManyRequestsException", "Try again in a moment"),
                (refused(403, "AccessDeniedException", "not authorized to perform: lambda:InvokeFunction"), 2, "ACCESS_DENIED", "lambda:InvokeFunction"),
                (refused(404, "ResourceNotFoundException"), 2, "NOT_DEPLOYED", "has no function holdfast-local-sessions-admin"),
                (refused(503, "ServiceException"), 1, "ServiceException", "does not serve Invoke now"),
                (refused(403, "ExpiredTokenException"), 2, "REFUSED", "expired: sign in again"),
                ((200, {"X-Amz-Function-Error": "Unhandled"}, b'{"errorMessage":"timed out"}'), 1, "FUNCTION_ERROR", "make logs SERVICE=sessions-admin"),
                ((200, {}, b"[]"), 1, "FUNCTION_ERROR", "JSON object")):
            ended, out, err = self.call("users disable u1 --json", answer)
            self.assertEqual((ended, json.loads(out)["error"]["code"], err.count("\n")), (code, error, 1), err)
            self.assertIn(part, err)

    def test_a_cloud_that_does_not_answer_is_exit_code_1(self):
        with Scripted(says(LIST)) as cloud:
            port = cloud.port
        with deployed(port) as settings:
            code, _, err = called(["users", "find", "u1"], settings)
        self.assertEqual(code, 1)
        self.assertIn("`make deploy` starts it", err)

    def test_what_is_not_deployed_is_exit_code_2(self):
        code, _, err = called(["users", "find", "u1"], read())
        self.assertEqual(code, 2)
        self.assertIn("run `make deploy` first", err)

    def test_a_password_comes_from_standard_input_and_never_from_an_argument(self):
        code, out, _ = self.call("users create a@b.c --password-stdin", says({"ok": True, "user": USER}), stdin="velvet anchor 7\nmore\n")
        self.assertEqual((code, self.commands[0]["password"]), (0, "velvet anchor 7"))
        self.assertNotIn("velvet", out)
        self.call("users set-password u1 --password-stdin", says(ENDED), stdin=" spaces count \r\n")
        self.assertEqual(self.commands[0]["password"], " spaces count ")
        for words, part in (("users create a@b.c --password-stdin", "no password on its first line"), ("users create a@b.c", "--password-stdin"),
                            ("users create a@b.c secret", "secret")):
            code, _, err = self.call(words, says(ENDED))
            self.assertEqual((code, self.commands), (2, []), words)
            self.assertIn(part, err)

    def test_what_destroys_asks_first_and_is_refused_without_a_terminal(self):
        for words in ("users delete u1", "sessions end-all u1", "mfa reset u1"):
            code, _, err = self.call(words, says(ENDED))
            self.assertEqual((code, self.commands), (2, []), words)
            self.assertIn("add --yes", err)
            for said, asked, ended in ((True, ["list", words], 0), (False, ["list"], 2)):
                with mock.patch.object(prompts, "is_terminal", lambda: True), mock.patch.object(prompts.typer, "confirm", lambda question, said=said: said):
                    code, out, err = self.call(words, says(LIST), says(ENDED))
                self.assertEqual((code, len(self.commands)), (ended, len(asked)), err)
                self.assertIn("1 live sessions, 1 trusted devices", out)

    def test_claims_are_shown_and_replaced(self):
        self.assertEqual(self.call("users claims u1", says(LIST))[:2], (0, '{"role":"editor"}\n'))
        shown = json.loads(self.call("users claims u1 --json", says(LIST))[1])
        self.assertEqual(shown, {"ok": True, "userId": "u1", "claims": {"role": "editor"}})
        set_to = {"ok": True, "userId": "u1", "claims": {"role": "\x1b"}, "effective": "immediate"}
        for words, stdin in (('users claims u1 --set {"role":"a"}', ""), ("users claims u1 --set -", '{"role": "a"}')):
            code, out, _ = self.call(words, says(set_to), stdin=stdin)
            self.assertEqual((code, self.commands[0]["action"], self.commands[0]["claims"]), (0, "set-claims", {"role": "a"}))
            self.assertIn("Claims set, seen by every validation at once.", out)
            self.assertNotIn("\x1b", out)
        bounded = {**set_to, "effective": "bounded", "withinSeconds": 60}
        self.assertIn("within 60 s", self.call("users claims u1 --set {}", says(bounded))[1])
        self.assertEqual(json.loads(self.call("users claims u1 --set {} --json", says(bounded))[1]), bounded)
        for bad in ("[]", "{", "text", "1", '{"a":[{"b":1,"b":2}]}'):
            code, _, err = self.call(f"users claims u1 --set {bad}", says(set_to))
            self.assertEqual((code, self.commands), (2, []), bad)
            self.assertIn("--set", err)

    def test_there_is_no_verb_without_its_function(self):
        code, _, err = self.call("users rename u1", says(LIST))
        self.assertEqual(code, 2)
        self.assertIn("rename", err)


class Places(unittest.TestCase):
    def test_an_operator_is_named_by_role_and_session(self):
        for arn, name in (("arn:aws:sts::1:assumed-role/support/grace", "support/grace"), ("arn:aws:iam::1:user/team/ada", "team/ada"),
                          ("arn:aws:iam::1:root", "root")):
            self.assertEqual(deployment.name_of(arn), name)
        self.assertEqual(len(deployment.name_of("arn:aws:sts::1:assumed-role/" + "x" * 300)), 160)

    def test_on_aws_names_follow_from_the_prefix_and_neither_terraform_nor_its_state_is_read(self):
        values = {"allowed_account_ids": ["111111111111"], "name_prefix": "hf-stage"}
        for account, changes, refused in (("111111111111", True, False), ("222222222222", False, True)):
            settings = read(ENV="staging")
            with mock.patch.object(deployment.environments, "fill_in", lambda _: values), \
                    mock.patch.object(aws, "caller", lambda _, account=account: {"account": account, "arn": f"arn:aws:sts::{account}:assumed-role/r/s"}):
                if refused:
                    with self.assertRaisesRegex(Refused, "lives in account"):
                        deployment.find(settings, changes)
                else:
                    found = deployment.find(settings, changes)
                    self.assertEqual((found.function("sessions-admin"), found.caller), ("hf-stage-sessions-admin", "r/s"))

    def test_a_change_needs_the_account_to_be_named(self):
        settings = read(ENV="production")
        with mock.patch.object(deployment.environments, "fill_in", lambda _: {}), \
                mock.patch.object(aws, "caller", lambda _: {"account": "1", "arn": "arn:aws:iam::1:user/a"}):
            deployment.find(settings)
            with self.assertRaisesRegex(Refused, "names no account"):
                deployment.find(settings, changes=True)

    def test_a_trouble_has_the_kind_that_its_status_means(self):
        self.assertIsInstance(admin.trouble("local", "list", "u", {"code": "X", "status": 409}), Refused)
        self.assertIsInstance(admin.trouble("local", "list", "u", {}), Failed)


if __name__ == "__main__":
    unittest.main()
