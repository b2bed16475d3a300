"""`holdfast events tail`: its rule and queue are removed in every case, and each event is shown once."""

import contextlib
import io
import json
import unittest
from unittest import mock

from botocore.exceptions import ClientError
from fakes import read

from holdfast_cli.core import console
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.deploy import aws
from holdfast_cli.operate import events
from holdfast_cli.operate.deployment import Deployment

STEPS = ("put_rule", "create_queue", "get_queue_attributes", "set_queue_attributes", "put_targets", "receive_message", "delete_message_batch")


def error(code, operation="X"):
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


class Cloud:
    """EventBridge and SQS: rules, targets, queues; `fails` maps an operation to what it raises."""

    def __init__(self, *batches, fails=None, rules=()):
        self.events = self.sqs = self
        self.rules, self.targets, self.queues = {name: {} for name in rules}, {}, {f"url/{name}": {} for name in rules}
        self.batches, self.fails, self.calls, self.deleted = list(batches), fails or {}, [], 0

    def __getattribute__(self, name):
        found = object.__getattribute__(self, name)
        if name.startswith("_") or not callable(found):
            return found

        def call(**arguments):
            self.calls.append(name)
            if name in self.fails:
                raise self.fails[name]
            return found(**arguments)
        return call

    def put_rule(self, Name, **settings):
        self.rules[Name] = settings
        return {"RuleArn": f"arn:{Name}"}

    def put_targets(self, Rule, Targets, **_):
        self.targets[Rule] = Targets
        return {"FailedEntryCount": 0}

    def remove_targets(self, Rule, **_):
        if Rule not in self.rules:
            raise error("ResourceNotFoundException")
        self.targets.pop(Rule, None)

    def delete_rule(self, Name, **_):
        assert Name not in self.targets, "AWS refuses to delete a rule that has targets"
        self.rules.pop(Name, None)

    def get_paginator(self, **_):
        raise AssertionError

    def create_queue(self, QueueName, Attributes):
        self.queues[f"url/{QueueName}"] = dict(Attributes)
        return {"QueueUrl": f"url/{QueueName}"}

    def get_queue_url(self, QueueName):
        if f"url/{QueueName}" not in self.queues:
            raise error("AWS.SimpleQueueService.NonExistentQueue")
        return {"QueueUrl": f"url/{QueueName}"}

    def get_queue_attributes(self, QueueUrl, **_):
        return {"Attributes": {"QueueArn": f"arn:{QueueUrl}"}}

    def set_queue_attributes(self, QueueUrl, Attributes):
        self.queues[QueueUrl] |= Attributes

    def delete_queue(self, QueueUrl):
        del self.queues[QueueUrl]

    def receive_message(self, **_):
        batch = self.batches.pop(0) if self.batches else []
        return {"Messages": [{"Body": json.dumps({"detail": one}), "ReceiptHandle": "r"} for one in batch]} if batch else {}

    def delete_message_batch(self, Entries, **_):
        self.deleted += len(Entries)


class Paginated(Cloud):
    def __getattribute__(self, name):
        if name == "get_paginator":
            return lambda _: mock.Mock(paginate=lambda NamePrefix, **_: [{"Rules": [{"Name": rule} for rule in self.rules if rule.startswith(NamePrefix)]}])
        return Cloud.__getattribute__(self, name)


def event(number, **more):
    return {"id": f"e{number}", "type": "SESSION_CREATED", "at": "2026-11-28T10:00:00.000Z", "userId": "u1", **more}


class Tail(unittest.TestCase):
    def tail(self, cloud, wanted=None, as_json=True, **options):
        @contextlib.contextmanager
        def asking(settings):
            try:
                yield cloud
            except ClientError as trouble:
                raise Refused(str(trouble)) from None

        place = Deployment(read(), "holdfast-local", "local/ada", {"eventBus": "bus"})
        ticks = iter(range(10_000))
        answers = console._Answers()
        answers.wanted = as_json
        with mock.patch.object(console, "_answers", answers), mock.patch.object(events.deployment, "find", lambda *_, **__: place), \
                mock.patch.object(aws, "asking", asking), \
                mock.patch.object(events.follow, "__defaults__", (lambda: next(ticks),)), \
                contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                events.tail(read(), wanted or events.Wanted(seconds=10))
            finally:
                self.out, self.err = out.getvalue(), err.getvalue()

    def test_each_event_is_shown_once_and_taken_from_the_queue(self):
        cloud = Paginated([event(1), event(2)], [event(2), event(3)])
        self.tail(cloud)
        self.assertEqual([json.loads(text)["id"] for text in self.out.splitlines()], ["e1", "e2", "e3"])
        self.assertEqual((cloud.deleted, cloud.rules, cloud.targets, cloud.queues), (4, {}, {}, {}))

    def test_it_stops_after_as_many_as_were_wanted_and_fails_when_fewer_came(self):
        self.tail(Paginated([event(1), event(2)], [event(3)]), events.Wanted(count=2, seconds=10))
        self.assertEqual(len(self.out.splitlines()), 2)
        with self.assertRaisesRegex(Failed, "1 of 2 events came"):
            self.tail(Paginated([event(1)]), events.Wanted(count=2, seconds=10))

    def test_rule_and_queue_are_removed_whichever_step_fails(self):
        for step in STEPS:
            cloud = Paginated([event(1)], fails={step: error("AccessDeniedException", step)})
            with self.assertRaisesRegex(Refused, f"AccessDenied.*{step}"):
                self.tail(cloud)
            self.assertEqual((cloud.rules, cloud.targets, cloud.queues), ({}, {}, {}), step)

    def test_ctrl_c_removes_them_and_is_the_normal_end(self):
        cloud = Paginated(fails={"receive_message": KeyboardInterrupt()})
        self.tail(cloud, events.Wanted(count=5, seconds=10))
        self.assertEqual((cloud.rules, cloud.targets, cloud.queues), ({}, {}, {}))
        self.assertIn("stopped", self.err)

    def test_what_cannot_be_removed_is_named(self):
        cloud = Paginated([event(1)], fails={"delete_queue": error("AccessDeniedException")})
        with self.assertRaises(Refused):
            self.tail(cloud)
        self.assertRegex(self.err, r"holdfast-local-tail-\d+-\w+ could not be removed")

    def test_what_a_killed_run_left_behind_is_removed_when_its_time_is_over_and_not_before(self):
        over, running, other = "holdfast-local-tail-1000-abc", "holdfast-local-tail-99999999999-def", "holdfast-local-events-audit-trail"
        cloud = Paginated(rules=[over, running, other])
        self.tail(cloud)
        self.assertEqual(sorted(cloud.rules), sorted([other, running]))
        self.assertIn(over, self.err)

    def test_only_the_rule_may_send_to_the_queue_and_only_over_tls(self):
        found = events.policy("arn:q", "arn:r", local=False)
        allow, deny = found["Statement"]
        self.assertEqual((allow["Principal"], allow["Action"], allow["Condition"]),
                         ({"Service": "events.amazonaws.com"}, "sqs:SendMessage", {"ArnEquals": {"aws:SourceArn": "arn:r"}}))
        self.assertEqual((deny["Effect"], deny["Condition"]), ("Deny", {"Bool": {"aws:SecureTransport": "false"}}))

    def test_the_rule_matches_what_was_wanted(self):
        self.assertEqual(events.pattern(events.Wanted()), {"source": [{"prefix": "holdfast."}]})
        found = events.pattern(events.Wanted(("SESSION_REVOKED",), "u1"))
        self.assertEqual((found["detail-type"], found["detail"]), (["SESSION_REVOKED"], {"userId": ["u1"]}))

    def test_a_name_of_an_environment_leaves_room_for_the_rest(self):
        subscription = events.Subscription(Paginated(), "bus", "holdfast-production-of-somebody", True)
        subscription.open(events.Wanted(), "x", 1_795_870_521)
        self.assertLessEqual(len(subscription.name), 64)

    def test_text_is_for_people_and_no_terminal_obeys_it(self):
        self.tail(Paginated([event(1, device="x\x1b[2J")]), as_json=False)
        self.assertIn("SESSION_CREATED", self.out)
        self.assertIn("user=u1", self.out)
        self.assertNotIn("\x1b", self.out)

    def test_a_time_that_is_too_long_is_refused(self):
        for seconds in (0, events.MAX_SECONDS + 1):
            with self.assertRaises(Refused):
                self.tail(Paginated(), events.Wanted(seconds=seconds))


if __name__ == "__main__":
    unittest.main()
