"""The table of permissions and the diagram, from a state of one function."""

import json
import unittest
from pathlib import Path

import fakes  # noqa: F401  puts the scripts on the path

from holdfast_cli.generate import diagram, permissions

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = json.loads((ROOT / "services" / "functions.json").read_text(encoding="utf-8"))
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/p-connections"
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/p-sessions/stream/2026-01-01T00:00:00.000"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:p-push"


def statement(actions, *resources, effect="Allow"):
    return {"Effect": effect, "Action": actions, "Resource": list(resources)}


def state(key, *statements, **resources):
    """A stack's state with one function's policy, and other resources by type."""
    policy = {"mode": "managed", "type": "aws_iam_role_policy", "module": f'module.service.module.function["{key}"]',
              "instances": [{"attributes": {"policy": json.dumps({"Statement": list(statements)})}}]}
    others = [{"mode": "managed", "type": kind, "instances": [{"attributes": found} for found in attributes]} for kind, attributes in resources.items()]
    return {"resources": [policy, *others]}


def granted(**policies):
    return {key.replace("_", "-"): permissions.grants({"Statement": statements}) for key, statements in policies.items()}


class Denied(unittest.TestCase):
    def test_what_one_function_may_is_denied_to_the_other(self):
        rows = set(permissions.judged(granted(push_ticket=[statement(["dynamodb:PutItem"], TABLE)], ops_health=[]), []))
        self.assertIn(("push-ticket", "dynamodb:PutItem", TABLE, True), rows)
        self.assertIn(("ops-health", "dynamodb:PutItem", TABLE, False), rows)
        self.assertIn(("push-ticket", "dynamodb:Scan", TABLE, False), rows)

    def test_an_index_is_not_its_table(self):
        rows = set(permissions.judged(granted(push_fanout=[statement(["dynamodb:Query"], f"{TABLE}/index/GSI1")]), []))
        self.assertIn(("push-fanout", "dynamodb:Query", f"{TABLE}/index/GSI1", True), rows)
        self.assertIn(("push-fanout", "dynamodb:Query", TABLE, False), rows)

    def test_an_action_that_nobody_thought_of_is_tried(self):
        rows = set(permissions.judged(granted(push_ticket=[statement(["dynamodb:PartiQLDelete"], TABLE)], ops_health=[]), []))
        self.assertIn(("ops-health", "dynamodb:PartiQLDelete", TABLE, False), rows)

    def test_the_key_for_second_factors_is_tried_with_every_role(self):
        key = "arn:aws:kms:us-east-1:123456789012:key/k"
        rows = set(permissions.judged(granted(auth_mfa_verify=[statement(["kms:Decrypt", "kms:Encrypt"], key)], auth_login=[]), []))
        for action in ("kms:Decrypt", "kms:Encrypt"):
            self.assertIn(("auth-mfa-verify", action, key, True), rows)
            self.assertIn(("auth-login", action, key, False), rows)
        self.assertIn(("auth-mfa-verify", "kms:GenerateDataKey", key, False), rows)
        self.assertEqual(permissions.short(key, "p"), "the key for second factors")

    def test_a_deny_grants_nothing_and_streams_and_logs_are_not_tried(self):
        pairs = permissions.grants({"Statement": [statement(["dynamodb:PutItem"], TABLE, effect="Deny"), statement(["logs:PutLogEvents"], "arn:aws:logs:us-east-1:1:log-group:g"),
                                                  statement(["dynamodb:GetRecords"], STREAM), statement(["xray:PutTraceSegments"], "*")]})
        self.assertNotIn(("dynamodb:PutItem", TABLE), pairs)
        self.assertEqual(list(permissions.judged({"events-relay": pairs}, [])), [])

    def test_names_are_the_same_in_every_account_and_environment(self):
        self.assertEqual(permissions.short(TABLE, "p"), "table connections")
        self.assertEqual(permissions.short(STREAM, "p"), "table sessions (stream)")
        self.assertEqual(permissions.short("arn:aws:ssm:us-east-1:1:parameter/holdfast/test/platform/http-url", "p"), "parameter platform/http-url")
        self.assertEqual(permissions.short("arn:aws:execute-api:us-east-1:1:abc/v1/POST/@connections/*", "p"), "sockets, POST")


class Document(unittest.TestCase):
    text = (ROOT / "docs" / "security" / "permissions.md").read_text(encoding="utf-8")

    def test_every_function_of_the_catalogue_is_in_it(self):
        self.assertEqual([key for key in CATALOGUE if f"\n| `{key}` | " not in self.text], [])

    def test_what_is_denied_is_shown(self):
        text = permissions.render(granted(push_ticket=[statement(["dynamodb:PutItem"], TABLE)], ops_health=[]), ["arn:aws:s3:::p-artifacts"], "p")
        self.assertIn("| `push-ticket` | table connections: `dynamodb:PutItem` |", text)
        self.assertIn("| `ops-health` | nothing else |", text)
        self.assertIn("### Bucket artifacts\n\nDenied to every function: `s3:ListBucket`.", text)
        self.assertIn("2 roles, 1 actions allowed and 21 denied.", text)


class Diagram(unittest.TestCase):
    drawn = (ROOT / "docs" / "system.md").read_text(encoding="utf-8")

    def test_every_function_of_the_catalogue_is_in_it(self):
        self.assertEqual([key for key in CATALOGUE if f'["{key}"]' not in self.drawn], [])

    def test_every_route_and_trigger_of_the_catalogue_is_in_it(self):
        routes = [route for entry in CATALOGUE.values() for route in entry.get("routes", ()) if route != "$default"]
        self.assertEqual([route for route in routes if f'|"{route}"|' not in self.drawn], [])
        for key, entry in CATALOGUE.items():
            for queue in entry.get("queues", ()):
                self.assertIn(f"queue_{queue} --> {key.replace('-', '_')}", self.drawn)

    def test_what_nobody_touches_is_drawn_too(self):
        text = diagram.render([state("ops-health", aws_dynamodb_table=[{"name": "p-forgotten"}], aws_sqs_queue=[{"name": "p-lost-dlq"}])], CATALOGUE, "p")
        self.assertIn('table_forgotten[("table forgotten")]', text)
        self.assertIn('queue_lost_dlq>"queue lost-dlq"]', text)

    def test_an_arrow_is_what_the_role_allows(self):
        statements = [statement(["dynamodb:PutItem", "dynamodb:Query"], TABLE), statement(["sqs:SendMessage"], f"{QUEUE}-dlq"),
                      statement(["sqs:ReceiveMessage"], QUEUE)]
        edges = diagram.System([state("push-fanout", *statements)], CATALOGUE, "p").edges
        self.assertIn(("push-fanout", "table connections", "reads and writes", False), edges)
        self.assertIn(("push-fanout", "queue push-dlq", "", True), edges)
        self.assertIn(("queue push", "push-fanout", "", False), edges)
        self.assertNotIn(("push-fanout", "queue push"), {edge[:2] for edge in edges})


if __name__ == "__main__":
    unittest.main()
