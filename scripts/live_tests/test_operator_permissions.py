"""The permissions that docs/command.md names are enough for its verbs: tried with a role that has those and no others."""

import json
import os
import re
import secrets
import sys
import time
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

from botocore.exceptions import ClientError

from holdfast_cli.core import settings as settings_module
from holdfast_cli.deploy import aws
from holdfast_cli.operate import events

PAGE = (SCRIPTS.parent / "docs" / "command.md").read_text(encoding="utf-8").split("## Permissions")[1]
SETTINGS = settings_module.read({"ENV": "local", **{name: os.environ[name] for name in ("HOLDFAST_WORK_DIR",) if name in os.environ}})
KNOWN = json.loads(SETTINGS.outputs_file.read_text(encoding="utf-8"))
ACCOUNT = "000000000000"
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}


def here(text):
    """A text of the page, for this environment."""
    return text.replace("REGION", KNOWN["region"]).replace("ACCOUNT", ACCOUNT).replace("staging", "local")


def for_support():
    return json.loads(here(re.search(r"```json\n(.*?)```", PAGE, re.S).group(1)))["Statement"]


def for_events_tail():
    """The row of the table as statements."""
    [row] = re.findall(r"(?m)^\| `events tail` \| (.*) \|$", PAGE)
    made = []
    for part in row.split("; "):
        names, resource = part.rsplit(" on ", 1)
        first, *others = re.findall(r"`([^`]+)`", names)
        service = first.split(":")[0]
        resource = here(resource.strip("`")).replace("…:parameter", f"arn:aws:ssm:{KNOWN['region']}:{ACCOUNT}:parameter")
        made.append({"Effect": "Allow", "Action": [first, *(f"{service}:{name}" for name in others)], "Resource": [resource]})
    return made


class Permissions(unittest.TestCase):
    def setUp(self):
        self.root = aws.Api(SETTINGS)
        iam, self.name = self.root.client("iam"), f"operator-{secrets.token_hex(4)}"
        iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=json.dumps(TRUST))
        self.addCleanup(iam.delete_role, RoleName=self.name)

    def allowed(self, statements):
        """Clients of a role that may do what the statements say."""
        iam = self.root.client("iam")
        iam.put_role_policy(RoleName=self.name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        self.addCleanup(iam.delete_role_policy, RoleName=self.name, PolicyName="p")
        found = self.root.sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{self.name}", RoleSessionName="operator")["Credentials"]
        return aws.Api(SETTINGS, found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def test_support_may_give_commands_and_nothing_else(self):
        api = self.allowed(for_support())
        payload = json.dumps({"action": "find", "email": "nobody@example.com"}).encode()
        answer = json.loads(api.functions.invoke(FunctionName=KNOWN["functions"]["sessions-admin"], Payload=payload)["Payload"].read())
        self.assertEqual(answer["error"]["code"], "NOT_FOUND")
        with self.assertRaisesRegex(ClientError, "AccessDenied"):
            api.functions.invoke(FunctionName=KNOWN["functions"]["ops-health"], Payload=b"{}")

    def test_events_can_be_followed_with_what_the_page_names_and_are_cleaned_up(self):
        statements = for_events_tail()
        # AWS checks the targets of a rule against the rule, the local cloud against the bus.
        next(one for one in statements if "events:PutTargets" in one["Action"])["Resource"].append(
            f"arn:aws:events:{KNOWN['region']}:{ACCOUNT}:event-bus/{KNOWN['eventBus']}")
        # On AWS the right to delete a message is the right to delete a batch of them; the local cloud has two.
        next(one for one in statements if "sqs:DeleteMessage" in one["Action"])["Action"].append("sqs:DeleteMessageBatch")
        api = self.allowed(statements)
        subscription = events.Subscription(api, KNOWN["eventBus"], "holdfast-local", True)
        name = ""
        try:
            subscription.sweep(time.time())
            subscription.open(events.Wanted(seconds=60), "operator", time.time())
            name = subscription.name
            event = {"Source": "holdfast.test", "DetailType": "TEST", "EventBusName": KNOWN["eventBus"], "Detail": json.dumps({"id": "1", "type": "TEST"})}
            self.root.events.put_events(Entries=[event])
            found = []
            deadline = time.monotonic() + 20
            while {"id": "1", "type": "TEST"} not in found and time.monotonic() < deadline:
                found += subscription.receive(1)
            self.assertIn({"id": "1", "type": "TEST"}, found)
        finally:
            subscription.close()
        self.assertNotIn(name, [rule["Name"] for rule in self.root.events.list_rules(EventBusName=KNOWN["eventBus"])["Rules"]])
        self.assertFalse([url for url in self.root.sqs.list_queues().get("QueueUrls", []) if name in url])


if __name__ == "__main__":
    unittest.main()
