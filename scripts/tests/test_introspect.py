"""`holdfast introspect`, against a route that answers what a test says."""

import json
import os
import unittest
from unittest import mock

from fakes import Scripted, called, deployed

SESSION = {"sessionId": "s1", "userId": "u1", "email": "ada@example.com", "createdAt": "2026-11-28T12:00:00.000Z", "mfaVerified": True, "trusted": False}
LIVE = 200, {}, json.dumps({"active": True, "session": SESSION, "claims": {"plan": "pro\u001b[2J"}}).encode()
ENDED = 200, {}, b'{"active":false}'
DOWN = 503, {}, json.dumps({"code": "UNAVAILABLE", "detail": "DynamoDB does not answer.", "requestId": "r1"}).encode()
DENIED = 403, {}, b'{"message":"Forbidden"}'


class Introspect(unittest.TestCase):
    def call(self, answer, *words, token="t1"):
        with Scripted(answer) as cloud, deployed(cloud.port) as settings, mock.patch.dict(os.environ, {"HOLDFAST_ACCESS_TOKEN": token}):
            result = called(["introspect", *words], settings, "")
            self.sent = [(path, {name.lower(): value for name, value in headers.items()}, body) for _, path, headers, body in cloud.asked]
        return result

    def test_the_request_is_signed_and_has_the_token_in_its_body_only(self):
        code, out, _ = self.call(LIVE)
        [(path, headers, body)] = self.sent
        self.assertEqual((code, path, json.loads(body)), (0, "/v1/sessions/introspect", {"token": "t1"}))
        self.assertIn("/us-east-1/execute-api/aws4_request", headers["authorization"])
        self.assertNotIn("t1", out)

    def test_a_live_session_is_shown_and_no_byte_of_it_moves_the_cursor(self):
        _, out, _ = self.call(LIVE)
        for part in ("session      s1\n", "e-mail       ada@example.com\n", "with         second factor\n", "claim        plan = pro"):
            self.assertIn(part, out)
        self.assertNotIn("\u001b", out)
        self.assertEqual(json.loads(self.call(LIVE, "--json")[1])["session"], SESSION)

    def test_an_ended_session_is_a_failure(self):
        code, out, err = self.call(ENDED)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("No live session", err)
        code, out, _ = self.call(ENDED, "--json")
        self.assertEqual((code, json.loads(out)), (1, {"active": False}))

    def test_trouble_never_says_that_a_session_has_ended(self):
        for answer, expected, part in ((DOWN, 1, "DynamoDB does not answer. (UNAVAILABLE)"), (DENIED, 2, "execute-api:Invoke on POST /v1/sessions/introspect")):
            code, out, err = self.call(answer)
            self.assertEqual((code, out), (expected, ""))
            self.assertIn(part, err)
            self.assertNotIn("No live session", err)

    def test_without_a_token_nothing_is_asked(self):
        code, _, err = self.call(LIVE, token="")
        self.assertEqual((code, self.sent), (2, []))
        self.assertIn("HOLDFAST_ACCESS_TOKEN", err)
