"""`holdfast events tail`: follows the event bus through a rule and a queue of its own, and removes both at the end.

The audit trail has no order across users, and an archive cannot be read while it grows. A separate subscriber receives every event from
then on, and takes none away from another subscriber. Rule and queue have one name, which holds the time at which the run ends at the latest.
A killed run leaves them behind, and the next run removes those whose time has passed.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from holdfast_cli.core import commands
from holdfast_cli.core.console import Slow, answer, error, line, printable, wants_json
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws
from holdfast_cli.operate import deployment
from holdfast_cli.operate.channel import Seen

# The longest run, and so the longest life of what a killed run leaves behind.
MAX_SECONDS = 12 * 3600
# How long the queue keeps an event that is not read. A run reads events as they arrive.
RETENTION_SECONDS = 300
POLL_SECONDS = 5

Event = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """Which events to follow (of all types, of every user where they are empty), and when to stop."""

    types: tuple[str, ...] = ()
    user: str = ""
    count: int = 0
    seconds: float = 3600


def pattern(wanted: Wanted) -> dict[str, Any]:
    """What a rule matches."""
    made: dict[str, Any] = {"source": [{"prefix": "holdfast."}]}
    if wanted.types:
        made["detail-type"] = list(wanted.types)
    if wanted.user:
        made["detail"] = {"userId": [wanted.user]}
    return made


def policy(queue_arn: str, rule_arn: str, local: bool) -> dict[str, Any]:
    """Only this rule may send to the queue. All requests need TLS, except on the local cloud, which has none."""
    statements: list[dict[str, Any]] = [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}}}]
    if not local:
        statements.append({"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": queue_arn,
                           "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    return {"Version": "2012-10-17", "Statement": statements}


class Subscription:
    """A rule on the bus, and the queue that it sends to. The rule is created first and removed last, so a rule that is found names its queue."""

    def __init__(self, api: Any, bus: str, prefix: str, local: bool) -> None:
        self._events, self._queues, self._bus, self._prefix, self._local = api.events, api.sqs, bus, f"{prefix}-tail-", local
        self.name = ""
        self.url = ""

    def open(self, wanted: Wanted, caller: str, now: float) -> None:
        over = int(now + wanted.seconds)
        self.name = f"{self._prefix}{over}-{secrets.token_hex(3)}"
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(over))
        rule = self._events.put_rule(Name=self.name, EventBusName=self._bus, EventPattern=json.dumps(pattern(wanted)), State="ENABLED",
                                     Description=f"holdfast events tail of {caller}, until {until} at most"[:512])["RuleArn"]
        attributes = {"MessageRetentionPeriod": str(RETENTION_SECONDS), "SqsManagedSseEnabled": "true"}
        self.url = self._queues.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]
        arn = self._queues.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self._queues.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": json.dumps(policy(arn, rule, self._local))})
        failed = self._events.put_targets(Rule=self.name, EventBusName=self._bus, Targets=[{"Id": "queue", "Arn": arn}])
        if failed.get("FailedEntryCount"):
            raise Failed(f"the rule {self.name} takes no target: {failed['FailedEntries'][0].get('ErrorMessage', '')}")

    def receive(self, seconds: int) -> list[Event]:
        """Events that have come; waits for the first of them for so many seconds."""
        messages = self._queues.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=seconds).get("Messages", [])
        if messages:
            entries = [{"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(messages)]
            self._queues.delete_message_batch(QueueUrl=self.url, Entries=entries)
        return [json.loads(message["Body"])["detail"] for message in messages]

    def remove(self, name: str) -> None:
        """Removes a rule and its queue, whichever of them is there."""
        from botocore.exceptions import ClientError

        def gone(call: Callable[..., Any], **arguments: Any) -> Any:
            try:
                return call(**arguments)
            except ClientError as trouble:
                if trouble.response.get("Error", {}).get("Code") in ("ResourceNotFoundException", "QueueDoesNotExist",
                                                                     "AWS.SimpleQueueService.NonExistentQueue"):
                    return None
                raise

        gone(self._events.remove_targets, Rule=name, EventBusName=self._bus, Ids=["queue"])
        found = gone(self._queues.get_queue_url, QueueName=name)
        if found:
            gone(self._queues.delete_queue, QueueUrl=found["QueueUrl"])
        gone(self._events.delete_rule, Name=name, EventBusName=self._bus)

    def close(self) -> None:
        if self.name:
            self.remove(self.name)
            self.name = ""

    def sweep(self, now: float) -> list[str]:
        """Removes what killed runs left behind, once their time has passed; returns its names."""
        rules = [rule["Name"] for page in self._events.get_paginator("list_rules").paginate(EventBusName=self._bus, NamePrefix=self._prefix)
                 for rule in page["Rules"]]
        over = [name for name in rules if name.removeprefix(self._prefix).split("-")[0].isdigit()
                and int(name.removeprefix(self._prefix).split("-")[0]) + 60 < now]
        for name in over:
            self.remove(name)
        return over


def follow(subscription: Subscription, wanted: Wanted, show: Callable[[Event], None], now: Callable[[], float] = time.monotonic) -> int:
    """Shows each event once, until the time ends or enough have come; returns how many."""
    seen, until, came = Seen(), now() + wanted.seconds, 0
    while now() < until:
        for event in subscription.receive(max(1, min(POLL_SECONDS, int(until - now())))):
            if seen.is_new(str(event.get("id"))):
                show(event)
                came += 1
                if came == wanted.count:
                    return came
    return came


def shown(event: Event) -> None:
    if wants_json():
        answer(event, compact=True)
        return
    names = {"userId": "user", "sessionId": "session", "loginSessionId": "sign-in", "reason": "reason", "device": "device", "network": "network",
             "actor": "actor"}
    parts = [f"{names[name]}={event[name]}" for name in names if event.get(name)]
    line(printable(f"{event.get('at')}  {event.get('type', '?'):24} {'  '.join(parts)}".rstrip()))


def tail(settings: Settings, wanted: Wanted) -> None:
    if not 1 <= wanted.seconds <= MAX_SECONDS:
        raise Refused("--for: from 1s to 12h.", "INVALID_REQUEST")
    place = deployment.find(settings, changes=True)
    bus = place.event_bus
    with aws.asking(settings) as api:
        subscription = Subscription(api, bus, place.prefix, settings.on_local_cloud)
        came = 0
        try:
            with Slow("subscribing to the event bus"):
                left = subscription.sweep(time.time())
                # A Ctrl-C meanwhile waits: what a request has begun to make could not be found yet, and would stay.
                with commands.uninterrupted():
                    subscription.open(wanted, place.caller, time.time())
            if left:
                error(f"  removed what earlier runs had left behind: {', '.join(left)}")
            error(f"  following the bus {bus} by the rule and the queue {subscription.name}, until Ctrl-C or for {wanted.seconds:g} s")
            came = follow(subscription, wanted, shown)
        except KeyboardInterrupt:
            error("  stopped")
            wanted = Wanted()
        finally:
            _clean_up(subscription)
    if wanted.count > came:
        raise Failed(f"{came} of {wanted.count} events came within {wanted.seconds:g} s.", "TIMED_OUT")


def _clean_up(subscription: Subscription) -> None:
    """Removes the subscription. A second Ctrl-C does not stop this; after a failure the operator learns what is left."""
    name = subscription.name
    try:
        with commands.uninterrupted(), Slow("removing the rule and the queue"):
            subscription.close()
    except Exception:
        error(f"  The rule and the queue {name} could not be removed: the next `events tail` removes them after their time.")
        raise
