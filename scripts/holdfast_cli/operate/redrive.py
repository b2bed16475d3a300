"""`holdfast redrive`: moves dead letters back to their queue, at a bounded rate.

A message is sent before it is deleted: a run that is cut off moves one twice at worst, and loses none. Ctrl-C ends after the
message in hand; what was received and not moved is visible again at once. A message that fails again is not moved again: a run
moves as many as there were when it began.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from holdfast_cli.core.console import answer, line, report, wants_json
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, outputs

# Longer than a batch of ten takes at the lowest rate.
VISIBILITY_SECONDS = 120
BATCH = 10
# The number of a copy that a reader sent after a failure. A message that is moved begins to count anew.
COPY = "HoldfastCopy"

Message = dict[str, Any]


def attributes_of(message: Message) -> dict[str, dict[str, Any]]:
    """The attributes of a message in the form of SendMessage, with its origin. A publish that
    another service put into the queue takes its id, its publisher and its time from the origin."""
    given = {name: {field: value for field, value in given.items() if field in ("DataType", "StringValue", "BinaryValue")}
             for name, given in message.get("MessageAttributes", {}).items() if name != COPY}
    was = message.get("Attributes", {})
    first = {"HoldfastMessageId": message.get("MessageId"), "HoldfastSenderId": was.get("SenderId"),
             "HoldfastSentTimestamp": was.get("SentTimestamp")}
    # Of a second redrive, too: what it was at first stays.
    return {**{name: {"DataType": "String", "StringValue": value} for name, value in first.items() if value}, **given}


class Pace:
    """At most `rate` a second, evenly: no burst after a pause."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self.gap, self.now, self.sleep, self.next = 1 / rate, now, sleep, now()

    def wait(self) -> None:
        pause = self.next - self.now()
        if pause > 0:
            self.sleep(pause)
        self.next = max(self.next, self.now() - self.gap) + self.gap


def waiting(client: Any, url: str) -> int:
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def move(client: Any, source: str, target: str, total: int, pace: Pace, say: Callable[[str], None]) -> int:
    """Moves up to `total` messages; how many it did. What is in hand when it ends becomes visible again."""
    moved, held, last, empty = 0, list[Message](), time.monotonic(), 0
    try:
        while moved < total and empty < 3:
            held = client.receive_message(
                QueueUrl=source, MaxNumberOfMessages=min(BATCH, total - moved), VisibilityTimeout=VISIBILITY_SECONDS,
                WaitTimeSeconds=1, MessageAttributeNames=["All"],
                AttributeNames=["SenderId", "SentTimestamp"]).get("Messages", [])
            empty = 0 if held else empty + 1
            while held:
                pace.wait()
                message = held[0]
                client.send_message(QueueUrl=target, MessageBody=message["Body"], MessageAttributes=attributes_of(message))
                client.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
                held.pop(0)
                moved += 1
                if time.monotonic() - last >= 2:
                    last = time.monotonic()
                    say(f"{moved} of {total}")
    finally:
        for message in held:
            client.change_message_visibility(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return moved


def rate_of(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0
    if not 0.1 <= rate <= 1000:
        raise Refused(f"RATE={text}: messages a second, from 0.1 to 1000, are needed.")
    return rate


def redrive(settings: Settings, queue: str, rate: float) -> None:
    """Of one queue, or of all that have dead letters."""
    queues: dict[str, str] = outputs.read(settings)["queues"]
    names = sorted(name for name in queues if f"{name}Dlq" in queues)
    if queue and queue not in names:
        raise Refused(f"QUEUE={queue}: there is {', '.join(names)}.")
    pace, done = Pace(rate), dict[str, dict[str, int]]()
    with aws.asking(settings) as api:
        client = api.sqs
        for name in [queue] if queue else names:
            source, target = queues[f"{name}Dlq"], queues[name]
            total = waiting(client, source)
            if not total:
                report(f"{name}: no dead letters")
                done[name] = {"moved": 0, "left": 0}
                continue
            line(f"{name}: {total} dead letters, back at {rate:g} a second")
            try:
                moved = move(client, source, target, total, pace, lambda text, name=name: line(f"{name}: {text}"))
            except KeyboardInterrupt:
                line(f"{name}: stopped; {waiting(client, source)} dead letters are left")
                raise
            done[name] = {"moved": moved, "left": waiting(client, source)}
            report(f"{name}: {moved} moved, {done[name]['left']} left")
    if wants_json():
        answer({"queues": done})
