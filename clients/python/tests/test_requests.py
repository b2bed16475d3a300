"""How the token of a request is found. `clients/interop/requests.json` has the cases of both kits."""

import json
import sys
import unittest
from email.message import Message
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from server import LIVE, ORIGIN, STALE, problem, token, with_server

from holdfast import CrossSiteRequest, NoSession, Unavailable
from holdfast.requests import Request, from_event

TABLE = json.loads((Path(__file__).resolve().parents[2] / "interop" / "requests.json").read_text(encoding="utf-8"))
COOKIE = f"__Host-holdfast-access={LIVE}"


def outcome(request, origins):
    try:
        return request.access_tokens(origins)
    except CrossSiteRequest:
        return "refused"


class Cases(unittest.TestCase):
    def test_every_case_of_the_table(self):
        for case in TABLE["cases"]:
            origins = case.get("allowedOrigins", TABLE["allowedOrigins"])
            with self.subTest(case["name"]):
                self.assertEqual(outcome(Request(case["method"], [(name, value) for name, value in case["headers"]]), origins), case["expected"])
                if not case.get("needsRepeatedHeaders"):
                    self.assertEqual(outcome(Request(case["method"], dict(case["headers"])), origins), case["expected"])

    def test_headers_come_in_the_forms_of_frameworks(self):
        message = Message()
        message["Authorization"] = "Bearer t1"
        for headers in ({"AUTHORIZATION": "Bearer t1"}, {"authorization": ["Bearer t1"]}, [("Authorization", "Bearer t1")],
                        [(b"authorization", b"Bearer t1")], iter([("authorization", "Bearer t1")]), message):
            self.assertEqual(Request("GET", headers).access_tokens([]), ["t1"])


class Events(unittest.TestCase):
    def setUp(self):
        self.server, self.client = with_server(self)

    def test_the_events_of_api_gateway_and_load_balancers_are_read(self):
        bearer = {"Authorization": f"Bearer {LIVE}"}
        for event in (
            {"version": "2.0", "headers": {"authorization": f"Bearer {LIVE}"}, "requestContext": {"http": {"method": "POST"}}},
            {"version": "2.0", "headers": {"origin": ORIGIN, "x-holdfast-csrf": "1"}, "cookies": ["a=b", COOKIE], "requestContext": {"http": {"method": "POST"}}},
            {"version": "1.0", "httpMethod": "GET", "headers": bearer, "multiValueHeaders": None, "requestContext": {}},
            {"httpMethod": "GET", "headers": {"Cookie": "a=b"}, "multiValueHeaders": {"Cookie": ["a=b", COOKIE]}, "requestContext": {}},
            {"httpMethod": "GET", "multiValueHeaders": {"cookie": [COOKIE]}, "requestContext": {"elb": {}}},
            {"headers": {"Cookie": COOKIE, "Origin": ORIGIN}, "requestContext": {"connectionId": "c1", "eventType": "CONNECT"}},
        ):
            self.assertEqual(self.client.verify_event(event).user_id, "u1", event)

    def test_a_change_or_a_handshake_by_cookie_needs_its_origin(self):
        for event in (
            {"version": "2.0", "headers": {}, "cookies": [COOKIE], "requestContext": {"http": {"method": "POST"}}},
            {"httpMethod": "DELETE", "headers": {"Cookie": COOKIE, "Origin": ORIGIN}, "requestContext": {}},
            {"headers": {"Cookie": COOKIE}, "requestContext": {"connectionId": "c1", "eventType": "CONNECT"}},
            {"headers": {"Cookie": COOKIE, "Origin": "https://evil.example"}, "requestContext": {"connectionId": "c1", "eventType": "CONNECT"}},
        ):
            with self.assertRaises(CrossSiteRequest) as caught:
                self.client.verify_event(event)
            self.assertEqual((caught.exception.http_status, caught.exception.code), (403, "FORBIDDEN"))
        self.assertEqual(self.server.requests, [])

    def test_an_event_of_another_kind_is_a_mistake_of_the_program(self):
        for event in ({}, {"Records": []}, {"requestContext": None}):
            with self.assertRaises(TypeError):
                from_event(event)


class VerifyRequest(unittest.TestCase):
    def setUp(self):
        self.server, self.client = with_server(self)

    def test_the_first_live_cookie_counts(self):
        stale = "; ".join(f"__Host-holdfast-access={value}" for value in ("junk", STALE, token(3)))
        self.assertEqual(self.client.verify_request("GET", {"cookie": f"{stale}; {COOKIE}"}).user_id, "u1")
        self.assertEqual(self.server.bodies(), [{"token": STALE}, {"token": token(3)}, {"token": LIVE}])

    def test_without_a_live_token_there_is_no_session(self):
        for headers in ({}, {"authorization": f"Bearer {STALE}"}, {"authorization": "Basic x", "cookie": COOKIE}, {"cookie": f"__Host-holdfast-access={STALE}"}):
            with self.assertRaises(NoSession):
                self.client.verify_request("GET", headers)

    def test_an_outage_at_one_cookie_decides_nothing(self):
        self.server.answers = [(200, {"active": False}), (500, problem(500, "INTERNAL"))]
        with self.assertRaises(Unavailable):
            self.client.verify_request("GET", {"cookie": f"__Host-holdfast-access={STALE}; {COOKIE}"})

    def test_all_cookies_share_one_time_out(self):
        cookies = "; ".join(f"__Host-holdfast-access={token(number)}" for number in range(4))
        busy = (503, problem(503, "UNAVAILABLE"), [("retry-after", "25")])
        self.server.answers = [busy, (200, {"active": False}), busy]
        with self.assertRaises(Unavailable):
            self.client.verify_request("GET", {"cookie": cookies})
        self.assertEqual(self.timing.waits, [25.05])


if __name__ == "__main__":
    unittest.main()
