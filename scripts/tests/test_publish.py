"""`holdfast publish`, against a route that answers what a test says."""

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fakes import Scripted, called, deployed

from holdfast_cli.core.errors import Refused
from holdfast_cli.operate import publish

ACCEPTED = 202, {}, json.dumps({"messageId": "m1", "duplicate": False, "channel": "user:u1", "offset": 7}).encode()


def refuses(status, code="", after=None, **body):
    said = {**({"code": code, "detail": f"{code} it is.", "requestId": "r1"} if code else {}), **body}
    return status, {"Retry-After": after} if after else {}, json.dumps(said).encode()


class Publish(unittest.TestCase):
    def call(self, words, *answers, stdin=""):
        self.waits = []
        with Scripted(*answers) as cloud, deployed(cloud.port) as settings, mock.patch.object(publish.deliver, "__defaults__", (self.waits.append,)):
            result = called(["publish", *words], settings, stdin)
            self.sent = [(path, {name.lower(): value for name, value in headers.items()}, json.loads(body)) for _, path, headers, body in cloud.asked]
        return result

    def test_a_message_is_signed_and_sent_as_it_was_given(self):
        code, out, _ = self.call(["user:u1", "--kind", "order", "--data", '{"n":[1,null],"t":"ä"}', "--ttl", "60", "--ephemeral", "--idempotency-key", "k1"], ACCEPTED)
        [(path, headers, body)] = self.sent
        self.assertEqual((code, path), (0, "/v1/messages"))
        self.assertIn("AWS4-HMAC-SHA256 Credential=test/", headers["authorization"])
        self.assertIn("/us-east-1/execute-api/aws4_request", headers["authorization"])
        self.assertEqual(body, {"to": {"userIds": ["u1"]}, "kind": "order", "data": {"n": [1, None], "t": "ä"}, "idempotencyKey": "k1", "ttlSeconds": 60,
                                "ephemeral": True})
        self.assertEqual(out, "Published: message m1 in user:u1 at offset 7\n")
        self.assertEqual(json.loads(self.call(["user:u1", "--json"], ACCEPTED)[1])["offset"], 7)

    def test_channels_are_what_frames_call_them(self):
        for channels, to in ((["user:a", "user:b"], {"userIds": ["a", "b"]}), (["topic:x:y"], {"topic": "x:y"}), (["broadcast"], {"broadcast": True})):
            self.assertEqual(publish.target(channels), to)
        for channels in (["user:"], ["topic:"], ["everybody"], ["user:a", "topic:x"], ["broadcast", "broadcast"]):
            with self.assertRaises(Refused):
                publish.target(channels)

    def test_data_comes_from_the_command_a_file_or_standard_input(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "data.json"
            file.write_text('{"a":1}', encoding="utf-8")
            for words, stdin, data in ((["--data", '"x"'], "", "x"), (["--data-file", str(file)], "", {"a": 1}), (["--data-file", "-"], "[2]", [2]), ([], "", None)):
                self.assertEqual(self.call(["broadcast", *words], ACCEPTED, stdin=stdin)[0], 0)
                self.assertEqual(self.sent[0][2]["data"], data)
            for words, part in ((["--data", "hello"], "needs its quotes"), (["--data", '{"a":[{"b":1,"b":2}]}'], "a name is repeated"),
                                (["--data-file", folder + "/none"], "cannot be read"),
                                (["--data", "1", "--data-file", str(file)], "one of the two")):
                code, _, err = self.call(["broadcast", *words], ACCEPTED)
                self.assertEqual((code, self.sent), (2, []))
                self.assertIn(part, err)

    def test_what_may_come_later_is_tried_again_with_the_same_key(self):
        code, out, err = self.call(["user:u1", "--json"], refuses(503, "CHANNEL_BUSY", "3"), refuses(503, message="Service Unavailable"), refuses(429), ACCEPTED)
        self.assertEqual((code, json.loads(out)["messageId"]), (0, "m1"))
        self.assertEqual(len({body["idempotencyKey"] for *_, body in self.sent}), 1)
        self.assertEqual(self.waits, [3, 2, 4])
        self.assertIn("CHANNEL_BUSY", err)

    def test_a_message_that_nobody_takes_is_exit_code_1_and_names_its_key(self):
        code, out, err = self.call(["user:u1", "--idempotency-key", "k1", "--json"], refuses(503, "UNAVAILABLE"))
        self.assertEqual((code, len(self.sent), json.loads(out)["error"]["code"]), (1, publish.TRIES, "UNAVAILABLE"))
        self.assertIn("--idempotency-key k1", err)

    def test_what_is_refused_is_exit_code_2_at_once(self):
        for answer, code, part in ((refuses(400, "INVALID_REQUEST"), "INVALID_REQUEST", "INVALID_REQUEST it is."), (refuses(413, "PAYLOAD_TOO_LARGE"), "PAYLOAD_TOO_LARGE", ""),
                                   (refuses(403, Message="User is not authorized"), "HTTP_403", "execute-api:Invoke")):
            ended, out, err = self.call(["user:u1", "--json"], answer)
            self.assertEqual((ended, len(self.sent), json.loads(out)["error"]["code"]), (2, 1, code))
            self.assertIn(part, err)

    def test_an_api_that_does_not_answer_is_exit_code_1(self):
        with Scripted(ACCEPTED) as cloud:
            port = cloud.port
        with deployed(port) as settings, mock.patch.object(publish.deliver, "__defaults__", (lambda _: None,)):
            code, out, _ = called(["publish", "broadcast", "--json"], settings)
        self.assertEqual((code, json.loads(out)["error"]["code"]), (1, "UNREACHABLE"))


if __name__ == "__main__":
    unittest.main()
