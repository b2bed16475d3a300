"""The account of a smoke test: its own where registration is closed, deleted at the end, and none where one is named."""

import contextlib
import io
import os
import unittest
from unittest import mock

from fakes import read

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.operate import smoke


class Operator:
    """Notes what is asked of it; `fails` maps an action to its error."""

    def __init__(self, **fails):
        self.given, self.fails = [], fails

    def command(self, action, **fields):
        self.given.append((action, fields["email"]))
        if action in self.fails:
            raise self.fails[action]


class Account(unittest.TestCase):
    def smoke(self, operator, ends=0, environ=None, values=None, **settings):
        """Runs the smoke test of staging, which ends with this code. Returns the e-mail address it was given, and what was printed."""
        given = []

        def shown(_, env, **__):
            given.append((env.get("HOLDFAST_SMOKE_EMAIL"), env.get("HOLDFAST_SMOKE_PASSWORD")))
            if isinstance(ends, BaseException):
                raise ends
            return ends

        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_SMOKE", "SMOKE"))}
        with mock.patch.dict(os.environ, {**clean, **(environ or {})}, clear=True), mock.patch.object(smoke.admin, "operator", lambda *_, **__: operator), \
                mock.patch.object(smoke.tools, "require_cargo", lambda: None), mock.patch.object(smoke, "command", lambda _: ["holdfast-smoke"]), \
                mock.patch.object(smoke.environments, "values", lambda _: values or {}), mock.patch.object(smoke.environment, "of", lambda _: dict(os.environ)), \
                mock.patch.object(smoke.commands, "shown", shown), contextlib.redirect_stdout(io.StringIO()) as said:
            smoke.after_deploy(read(**{"ENV": "staging", **settings}), {"httpUrl": "https://a.example"})
        return given, said.getvalue()

    def test_it_is_created_and_deleted(self):
        operator = Operator()
        ((email, password),), _ = self.smoke(operator)
        self.assertRegex(email, r"^e2e-[0-9a-f]{24}@holdfast\.test$")
        self.assertRegex(password, r"^pw-[0-9a-f]{24}$")
        self.assertEqual(operator.given, [("create", email), ("delete", email)])

    def test_it_is_deleted_after_a_failure_and_after_ctrl_c(self):
        for ends, error in ((1, Failed), (KeyboardInterrupt(), KeyboardInterrupt)):
            operator = Operator()
            with self.assertRaises(error):
                self.smoke(operator, ends)
            self.assertEqual([action for action, _ in operator.given], ["create", "delete"])

    def test_one_that_cannot_be_created_is_looked_for_and_the_deploy_fails(self):
        operator = Operator(create=Failed("busy"), delete=Refused("no such user", "NOT_FOUND"))
        with self.assertRaisesRegex(Failed, "busy"):
            self.smoke(operator)
        self.assertEqual([action for action, _ in operator.given], ["create", "delete"])

    def test_one_that_cannot_be_deleted_fails(self):
        with self.assertRaisesRegex(Failed, "not now"):
            self.smoke(Operator(delete=Failed("not now")))

    def test_none_is_created_where_one_is_named_or_anybody_may_register(self):
        for more in ({"environ": {"HOLDFAST_SMOKE_EMAIL": "a@b.example", "HOLDFAST_SMOKE_PASSWORD": "p"}}, {"VARS": "registration_enabled=true"}):
            operator = Operator()
            given, _ = self.smoke(operator, **more)
            self.assertEqual((operator.given, len(given)), ([], 1))

    def test_a_user_pool_needs_one_that_is_named(self):
        operator = Operator()
        given, said = self.smoke(operator, values={"credential_verifier": "cognito"})
        self.assertEqual((given, operator.given), ([], []))
        self.assertIn("No smoke test: the user pool has the accounts", said)
        named = {"HOLDFAST_SMOKE_EMAIL": "a@b.example", "HOLDFAST_SMOKE_PASSWORD": "p"}
        self.assertEqual(self.smoke(operator, environ=named, values={"credential_verifier": "cognito"})[0], [("a@b.example", "p")])

    def test_it_can_be_left_out_and_is_optional_locally(self):
        self.assertEqual(self.smoke(Operator(), environ={"SMOKE": "0"}), ([], ""))
        self.assertEqual(self.smoke(Operator(), ENV="local"), ([], ""))
        self.assertEqual(len(self.smoke(Operator(), environ={"SMOKE": "1"}, ENV="local")[0]), 1)


if __name__ == "__main__":
    unittest.main()
