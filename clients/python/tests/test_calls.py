"""Calls over real HTTP: signature, kinds of errors, retries, time-outs, and connections."""

import io
import logging
import os
import socket
import sys
import threading
import traceback
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

import botocore.exceptions
from server import (
    ACCEPTED,
    ACTIVE,
    CREATED,
    LIVE,
    SECRET_KEY,
    SECURITY_TOKEN,
    SESSION,
    STALE,
    TOKENS,
    FakeTiming,
    aws_session,
    problem,
    signature_of,
    with_server,
)

from holdfast import ConfigurationError, Holdfast, Identity, NoSession, Refused, Unavailable

BUSY = problem(503, "UNAVAILABLE", retryAfterSeconds=1)


class Verify(unittest.TestCase):
    def setUp(self):
        self.server, self.client = with_server(self)

    def test_a_live_token_is_answered_with_its_session(self):
        session = self.client.verify(LIVE)
        self.assertEqual((session.session_id, session.user_id, session.email, session.claims), ("s1", "u1", "ada@example.com", {"role": "editor"}))
        self.assertEqual((session.mfa_verified, session.trusted, session.identity), (True, False, None))
        self.assertEqual(session.authenticated_at, datetime(2026, 11, 28, 10, tzinfo=timezone.utc))
        self.assertEqual(session.raw, SESSION)
        self.assertEqual(self.server.bodies(), [{"token": LIVE}])

    def test_an_identity_is_read(self):
        self.server.answers = [(200, {**ACTIVE, "session": {**SESSION, "identity": {"provider": "https://id.example.com", "subject": "7"}}})]
        self.assertEqual(self.client.verify(LIVE).identity, Identity("https://id.example.com", "7"))

    def test_a_token_of_no_live_session_is_no_session(self):
        with self.assertRaises(NoSession) as caught:
            self.client.verify(STALE)
        self.assertEqual((caught.exception.http_status, caught.exception.code), (401, "UNAUTHENTICATED"))
        self.assertEqual(len(self.server.requests), 1)

    def test_what_cannot_be_a_token_is_no_session_without_a_call(self):
        for text in (None, "", "x" * 513, "a\nb", "a\x00", "a\x7f", "a b", "ä", "\ud800"):
            with self.assertRaises(NoSession):
                self.client.verify(text)
        self.assertEqual(self.server.requests, [])
        with self.assertRaises(NoSession):
            self.client.verify("x" * 512)
        self.assertEqual(len(self.server.requests), 1)

    def test_a_token_that_is_no_text_is_a_mistake_of_the_program(self):
        with self.assertRaises(TypeError):
            self.client.verify(LIVE.encode())

    def test_only_active_false_is_no_session(self):
        for body in ({}, {"active": "false"}, {"active": None}, {"active": 0}, {"active": True}, {"active": True, "session": {}},
                     {"active": True, "session": {**SESSION, "userId": None}}, {"active": True, "session": {**SESSION, "expiresAt": "soon"}}, [], b"<html>"):
            self.server.answers = [(200, body)]
            with self.assertRaises(Unavailable) as caught:
                self.client.verify(LIVE)
            self.assertEqual(caught.exception.code, "UNEXPECTED_ANSWER", body)


class Signature(unittest.TestCase):
    def check(self, client, server, path, region="eu-central-1"):
        client.verify(LIVE)
        names, given, computed = signature_of(server.url, server.requests[-1], region)
        self.assertEqual(server.requests[-1][0], path)
        self.assertEqual(given, computed)
        return names

    def test_it_covers_host_date_and_body(self):
        server, client = with_server(self)
        self.assertEqual(self.check(client, server, "/v1/sessions/introspect"), ["accept", "content-type", "host", "x-amz-date", "x-amz-security-token"])
        server.requests[-1] = (*server.requests[-1][:2], b"{}")
        _, given, computed = signature_of(server.url, server.requests[-1])
        self.assertNotEqual(given, computed)

    def test_a_stage_in_the_address_is_part_of_it(self):
        server, _ = with_server(self)
        client = Holdfast(f"{server.url}/_aws/execute-api/a1/$default/", aws_session=aws_session())
        self.addCleanup(client.close)
        self.check(client, server, "/_aws/execute-api/a1/$default/v1/sessions/introspect")

    def test_credentials_without_a_security_token_work(self):
        server, client = with_server(self, aws_session=aws_session(security_token=None))
        self.assertNotIn("x-amz-security-token", self.check(client, server, "/v1/sessions/introspect"))

    def test_the_region_comes_from_the_option_or_the_address_or_the_configuration(self):
        server, client = with_server(self, region="us-west-2")
        self.check(client, server, "/v1/sessions/introspect", "us-west-2")
        with mock.patch("holdfast.transport.URLLib3Session") as pool:
            for url, region in (("https://a1b2c3.execute-api.ap-south-1.amazonaws.com/x", "ap-south-1"), ("https://api.example.com", "eu-central-1")):
                pool.return_value.send.side_effect = botocore.exceptions.EndpointConnectionError(endpoint_url=url)
                with self.assertRaises(Unavailable):
                    Holdfast(url, aws_session=aws_session(), timing=self.timing.timing).verify(LIVE)
                self.assertIn(f"/{region}/execute-api/", pool.return_value.send.call_args[0][0].headers["Authorization"])

    def test_a_session_of_boto3_is_taken_as_well(self):
        class OfBoto3:
            region_name = "sa-east-1"
            get_credentials = staticmethod(aws_session().get_credentials)

        server, client = with_server(self, aws_session=OfBoto3())
        self.check(client, server, "/v1/sessions/introspect", "sa-east-1")


class Errors(unittest.TestCase):
    def setUp(self):
        self.server, self.client = with_server(self)

    def fails(self, kind, *answers, call=None):
        self.server.answers = list(answers)
        self.server.requests.clear()
        with self.assertRaises(kind) as caught:
            (call or (lambda: self.client.verify(LIVE)))()
        self.assertIs(type(caught.exception), kind)
        return caught.exception

    def test_missing_rights_are_a_configuration_error(self):
        for status, body, code in (
            (403, {"message": "Forbidden"}, "HTTP_403"), (403, {"Message": "User: arn:aws:iam::1:role/app is not authorized"}, "HTTP_403"),
            (403, problem(403, "FORBIDDEN"), "FORBIDDEN"), (401, {"message": "Unauthorized"}, "HTTP_401"), (401, problem(401, "UNAUTHENTICATED"), "UNAUTHENTICATED"),
        ):
            error = self.fails(ConfigurationError, (status, body))
            self.assertEqual((error.code, error.status, error.http_status, error.request_id), (code, status, 500, "q1"))
            self.assertIn("execute-api:Invoke on POST /v1/sessions/introspect", error.detail)
            self.assertEqual(len(self.server.requests), 1)

    def test_another_address_is_a_configuration_error(self):
        for answer in ((404, {"message": "Not Found"}), (405, b"no"), (302, b"", [("location", "https://evil.example")])):
            error = self.fails(ConfigurationError, answer)
            self.assertIn("`httpUrl`", error.detail)
            self.assertEqual(len(self.server.requests), 1, "a redirect is not followed")

    def test_a_refused_call_has_the_code_and_detail_of_holdfast(self):
        for status, code in ((400, "INVALID_REQUEST"), (413, "PAYLOAD_TOO_LARGE"), (404, "NOT_FOUND"), (403, "ACCOUNT_DISABLED")):
            error = self.fails(Refused, (status, problem(status, code)), call=lambda: self.client.create_session("p", "s"))
            self.assertEqual((error.code, error.detail, error.status, error.request_id), (code, "A detail.", status, "q1"))
            self.assertEqual(len(self.server.requests), 1)
        self.assertEqual(self.fails(Refused, (413, {"message": "Request Too Long"})).code, "HTTP_413")

    def test_an_outage_is_never_no_session(self):
        for answer, code, attempts in (((503, BUSY), "UNAVAILABLE", 4), ((502, b"<html>"), "HTTP_502", 4), ((504, {"message": "Timeout"}), "HTTP_504", 4),
                                       ((429, {"message": "Too Many Requests"}), "HTTP_429", 4), ("close", "UNREACHABLE", 4),
                                       ((500, {"message": "Internal Server Error"}), "HTTP_500", 1), ((500, problem(500, "INTERNAL")), "INTERNAL", 1)):
            error = self.fails(Unavailable, *[answer] * 4)
            self.assertEqual((error.code, error.http_status, len(self.server.requests)), (code, 503, attempts), answer)
            self.assertEqual(error.status, None if answer == "close" else answer[0])

    def test_a_closed_port_is_an_outage(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        client = Holdfast(f"http://127.0.0.1:{port}", aws_session=aws_session(), timing=self.timing.timing)
        for call in (lambda: client.verify(LIVE), lambda: client.create_session("p", "s")):
            self.timing.waits.clear()
            self.timing.now += 100
            self.assertIn("EndpointConnectionError", self.fails(Unavailable, call=call).detail)
            self.assertEqual(len(self.timing.waits), 3)

    def test_an_address_that_is_not_safe_is_refused(self):
        for url in ("http://api.example.com", "ftp://api.example.com", "api.example.com", "", "https://", "https://a.example/?x=1", "https://u:p@a.example"):
            with self.assertRaises(ConfigurationError) as caught:
                Holdfast(url)
            self.assertEqual(caught.exception.code, "INVALID_URL")

    def test_missing_credentials_and_region_are_configuration_errors(self):
        empty = aws_session()
        empty.get_credentials = lambda: None
        broken = aws_session()
        broken.get_credentials = mock.Mock(side_effect=botocore.exceptions.PartialCredentialsError(provider="env", cred_var="aws_secret_access_key"))
        for session, code in ((empty, "NO_CREDENTIALS"), (broken, "NO_CREDENTIALS"), (aws_session(region=None), "NO_REGION")):
            with mock.patch.dict(os.environ), self.assertRaises(ConfigurationError) as caught:
                for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
                    os.environ.pop(name, None)
                Holdfast(self.server.url, aws_session=session).verify(LIVE)
            self.assertEqual(caught.exception.code, code)
        self.assertEqual(self.server.requests, [])

    def test_a_source_of_credentials_that_does_not_answer_is_an_outage(self):
        session = aws_session()
        session.get_credentials = mock.Mock(side_effect=botocore.exceptions.CredentialRetrievalError(provider="container-role", error_msg="x"))
        with self.assertRaises(Unavailable) as caught:
            Holdfast(self.server.url, aws_session=session).verify(LIVE)
        self.assertEqual(caught.exception.code, "CREDENTIALS_UNAVAILABLE")


class Retries(unittest.TestCase):
    def setUp(self):
        self.server, self.client = with_server(self)

    def test_back_off_doubles_with_full_jitter(self):
        self.server.answers = [(502, b"")] * 3
        self.client.verify(LIVE)
        self.assertEqual(self.timing.waits, [0.05, 0.1, 0.2])
        self.assertEqual(self.server.bodies(), [{"token": LIVE}] * 4)

    def test_retry_after_is_the_least_wait(self):
        self.server.answers = [(503, BUSY, [("retry-after", "1")]), (429, b"", [("retry-after", "1")])]
        self.client.verify(LIVE)
        self.assertEqual(self.timing.waits, [1.05, 1.1])

    def test_retry_after_may_be_a_date_of_the_servers_clock(self):
        dates = [("date", "Sat, 28 Nov 2026 10:00:00 GMT"), ("retry-after", "Sat, 28 Nov 2026 10:00:02 GMT")]
        self.server.answers = [(503, BUSY, dates), (503, BUSY, [("retry-after", "soon")])]
        with mock.patch("http.server.BaseHTTPRequestHandler.date_time_string", lambda *_: dates[0][1]):
            self.client.verify(LIVE)
        self.assertEqual(self.timing.waits, [2.05, 0.1])

    def test_a_wait_beyond_the_time_out_ends_the_call_at_once(self):
        self.server.answers = [(503, BUSY, [("retry-after", "90")])]
        with self.assertRaises(Unavailable) as caught:
            self.client.verify(LIVE)
        self.assertEqual((caught.exception.retry_after_seconds, self.timing.waits), (90.0, []))

    def test_all_waits_fit_into_the_time_out(self):
        self.timing.chance = 1.0
        self.server.answers = [(503, BUSY, [("retry-after", "15")])] * 4
        with self.assertRaises(Unavailable):
            self.client.verify(LIVE)
        # A third wait would leave too little of the 60 s for an attempt.
        self.assertEqual([round(wait, 3) for wait in self.timing.waits], [15.1, 15.2])

    def test_every_attempt_is_signed_anew(self):
        self.server.answers = [(503, BUSY)]
        dates = iter(["20261128T100000Z", "20261128T100001Z"])
        with mock.patch("botocore.auth.get_current_datetime", lambda: datetime.strptime(next(dates), "%Y%m%dT%H%M%SZ")):
            self.client.verify(LIVE)
        self.assertEqual([headers["x-amz-date"] for _, headers, _ in self.server.requests], ["20261128T100000Z", "20261128T100001Z"])
        for request in self.server.requests:
            _, given, computed = signature_of(self.server.url, request)
            self.assertEqual(given, computed)

    def test_a_publish_keeps_its_key_over_all_attempts(self):
        self.server.answers = ["close", (503, problem(503, "CHANNEL_BUSY"))]
        published = self.client.publish("note", {"a": 1}, user_ids=["u1"])
        keys = {body["idempotencyKey"] for body in self.server.bodies()}
        self.assertEqual((len(self.server.requests), keys), (3, {published.idempotency_key}))
        self.assertNotEqual(self.client.publish("note", topic="t").idempotency_key, published.idempotency_key)

    def test_a_publish_that_failed_names_its_key(self):
        self.server.answers = ["close"] * 4
        with self.assertRaises(Unavailable) as caught:
            self.client.publish("note", broadcast=True)
        self.assertEqual({body["idempotencyKey"] for body in self.server.bodies()}, {caught.exception.idempotency_key})

    def test_a_session_is_created_at_most_once(self):
        for answer, attempts in (("close", 1), ((502, b""), 1), ((503, BUSY), 1), ((504, b""), 1), ((429, b""), 2)):
            self.server.requests.clear()
            self.server.answers = [answer]
            if attempts == 1:
                with self.assertRaises(Unavailable):
                    self.client.create_session("p", "s")
            else:
                self.client.create_session("p", "s")
            self.assertEqual(len(self.server.requests), attempts, answer)


class Connections(unittest.TestCase):
    def test_a_connection_is_used_again(self):
        server, client = with_server(self)
        server.answers = [(503, BUSY)]
        for _ in range(3):
            client.verify(LIVE)
        client.publish("note", topic="t")
        self.assertEqual((len(server.requests), server.connections), (5, 1))

    def test_a_connection_that_was_closed_meanwhile_does_no_harm(self):
        server, client = with_server(self)
        server.answers = [(200, ACTIVE), "close"]
        client.verify(LIVE)
        client.verify(LIVE)
        self.assertEqual((len(server.requests), server.connections), (3, 2))

    def test_creating_a_session_uses_a_connection_of_its_own(self):
        server, client = with_server(self)
        client.verify(LIVE)
        client.create_session("p", "s")
        client.create_session("p", "s")
        self.assertEqual(server.connections, 3)

    def test_a_server_that_never_answers_is_an_outage(self):
        server, _ = with_server(self)
        client = Holdfast(server.url, aws_session=aws_session(), timeout_seconds=0.4)
        self.addCleanup(client.close)
        server.answers = ["hang"] * 4
        for call in (lambda: client.verify(LIVE), lambda: client.publish("n", topic="t"), lambda: client.create_session("p", "s")):
            server.answers = ["hang"] * 4
            with self.assertRaises(Unavailable) as caught:
                call()
            self.assertEqual((caught.exception.code, caught.exception.status), ("UNREACHABLE", None))

    def test_an_attempt_gets_no_more_than_the_remaining_time(self):
        timing = FakeTiming()
        client = Holdfast("http://127.0.0.1:1", aws_session=aws_session(), timing=timing.timing)
        seen = []

        def send(request):
            seen.append(request.context["read_timeout"])
            timing.now += 2.5
            raise botocore.exceptions.ReadTimeoutError(endpoint_url="x")

        with mock.patch("holdfast.transport.URLLib3Session") as pool, self.assertRaises(Unavailable):
            pool.return_value.send.side_effect = send
            client.verify(LIVE)
        # 5 s: half for the first attempt; then 0.05 s of back-off, and 1 s is kept for connecting.
        self.assertEqual([round(seconds, 3) for seconds in seen], [2.5, 1.45])

    def test_many_threads_share_a_client(self):
        _, client = with_server(self)
        found = []
        threads = [threading.Thread(target=lambda: found.append(client.verify(LIVE).user_id)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, ["u1"] * 8)

    def test_a_proxy_of_the_process_is_not_used_for_loopback_addresses(self):
        with mock.patch.dict(os.environ, {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}):
            _, client = with_server(self)
            self.assertEqual(client.verify(LIVE).user_id, "u1")


class Secrets(unittest.TestCase):
    def test_no_message_repr_or_traceback_has_a_secret(self):
        server, client = with_server(self)
        wrong = f"The request signature does not match. {SECURITY_TOKEN}\n\nThe Canonical String was\n{SECURITY_TOKEN} and more"
        texts = [repr(client), str(vars(client.verify(LIVE))).replace(str(SESSION), ""), repr(client.verify(LIVE))]
        created = client.create_session("p", "s")
        texts += [repr(created), repr(created.tokens)]
        for answer in ((403, {"message": wrong}), (400, problem(400, "INVALID_REQUEST")), "close"):
            server.answers = [answer] * 4
            try:
                client.verify(LIVE)
            except Exception as error:
                texts += [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
                self.assertIsNone(error.__cause__)
                self.assertIsNone(error.__context__, "the exception of another library may hold the request")
        for secret in (LIVE, SECRET_KEY, SECURITY_TOKEN, TOKENS["accessToken"], TOKENS["refreshToken"], "and more"):
            for text in texts:
                self.assertNotIn(secret, text)
        self.assertNotIn("ada@example.com", repr(created))

    def test_no_log_has_a_token_of_a_user_or_a_secret_key(self):
        server, client = with_server(self)
        log = io.StringIO()
        handler = logging.StreamHandler(log)
        root = logging.getLogger()
        root.addHandler(handler)
        level = root.level
        root.setLevel(logging.DEBUG)
        self.addCleanup(root.removeHandler, handler)
        self.addCleanup(root.setLevel, level)
        client.verify(LIVE)
        client.create_session("p", "s")
        server.answers = ["close"] * 4
        with self.assertRaises(Unavailable):
            client.verify(LIVE)
        self.assertIn("/v1/sessions/introspect", log.getvalue())
        for secret in (LIVE, SECRET_KEY, TOKENS["accessToken"], TOKENS["refreshToken"]):
            self.assertNotIn(secret, log.getvalue())


class Bodies(unittest.TestCase):
    def setUp(self):
        self.server, self.client = with_server(self)

    def test_a_message_has_the_form_of_the_route(self):
        self.client.publish("note", {"text": "grüße"}, user_ids=["u1", "u2"], idempotency_key="k1", ttl_seconds=60, ephemeral=True)
        self.client.publish("note", topic="news.eu", idempotency_key="k2")
        self.client.publish("note", [1], broadcast=True, idempotency_key="k3", ttl_seconds=0)
        self.assertEqual(self.server.bodies(), [
            {"to": {"userIds": ["u1", "u2"]}, "kind": "note", "data": {"text": "grüße"}, "idempotencyKey": "k1", "ttlSeconds": 60, "ephemeral": True},
            {"to": {"topic": "news.eu"}, "kind": "note", "data": None, "idempotencyKey": "k2"},
            {"to": {"broadcast": True}, "kind": "note", "data": [1], "idempotencyKey": "k3", "ttlSeconds": 0},
        ])
        self.assertEqual({path for path, _, _ in self.server.requests}, {"/v1/messages"})

    def test_the_answer_of_a_publish_is_typed(self):
        published = self.client.publish("note", topic="t", idempotency_key="k")
        self.assertEqual((published.message_id, published.duplicate, published.channel, published.offset, published.recipients), ("m1", False, "user:u1", 7, None))
        self.server.answers = [(202, {"messageId": "m2", "duplicate": True, "recipients": 3})]
        published = self.client.publish("note", user_ids=["a"])
        self.assertEqual((published.duplicate, published.recipients, published.channel), (True, 3, None))
        self.server.answers = [(202, {**ACCEPTED, "messageId": None})]
        with self.assertRaises(Unavailable):
            self.client.publish("note", topic="t")

    def test_a_message_without_one_target_or_without_json_is_a_mistake_of_the_program(self):
        for options in ({}, {"topic": "t", "broadcast": True}, {"user_ids": ["u"], "topic": "t"}):
            with self.assertRaises(ValueError):
                self.client.publish("note", **options)
        for data in (float("nan"), {"a": {1}}, {"a": "\ud800"}):
            with self.assertRaises((TypeError, ValueError)):
                self.client.publish("note", data, topic="t")
        with self.assertRaises(TypeError):
            self.client.publish("note", user_ids="u1")
        self.assertEqual(self.server.requests, [])

    def test_a_session_is_created_with_what_is_given_and_nothing_else(self):
        self.client.create_session("https://id.example.com", "7")
        zone = timezone(timedelta(hours=2))
        self.client.create_session("p", "s", email="a@example.com", claims={}, session_id="s1", stay_signed_in=True, device_name="laptop", mfa_verified=True,
                                   authenticated_at=datetime(2026, 11, 28, 12, tzinfo=zone), client_ip="192.0.2.1", user_agent="Firefox", transport="cookie")
        self.assertEqual(self.server.bodies(), [{"identity": {"provider": "https://id.example.com", "subject": "7"}}, {
            "identity": {"provider": "p", "subject": "s"}, "email": "a@example.com", "claims": {}, "sessionId": "s1", "staySignedIn": True,
            "deviceName": "laptop", "mfaVerified": True, "authenticatedAt": "2026-11-28T10:00:00.000Z",
            "client": {"ip": "192.0.2.1", "userAgent": "Firefox"}, "transport": "cookie"}])
        with self.assertRaises(ValueError):
            self.client.create_session("p", "s", authenticated_at=datetime(2026, 11, 28))

    def test_a_created_session_has_tokens_or_cookies(self):
        created = self.client.create_session("p", "s")
        self.assertEqual((created.session.user_id, created.set_cookies, created.raw), ("u1", (), CREATED))
        self.assertEqual((created.tokens.access_token, created.tokens.refresh_token), ("hf1.access", "hf1.refresh"))
        self.assertLess(created.tokens.access_expires_at, created.tokens.refresh_expires_at)
        without = {name: value for name, value in CREATED.items() if name != "tokens"}
        self.server.answers = [(201, without, [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; Path=/")])]
        created = self.client.create_session("p", "s", transport="cookie")
        self.assertEqual((created.tokens, created.set_cookies), (None, ("a=1; Path=/", "b=2; Path=/")))

    def test_options_are_checked(self):
        for options in ({"allowed_origins": "https://a.example"}, {"timeout_seconds": 0}):
            with self.assertRaises((TypeError, ValueError)):
                Holdfast(self.server.url, **options)


if __name__ == "__main__":
    unittest.main()
