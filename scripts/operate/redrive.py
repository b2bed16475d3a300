"""Moves dead letters back to their queue, at a bounded rate. Run by the Python of `.tools`, which has botocore.

usage: redrive.py OUTPUTS QUEUE RATE

A message is sent before it is deleted: a run that is cut off moves one twice at worst, and loses none. Ctrl-C ends after the
message in hand; what was received and not moved is visible again at once. A message that fails again is not moved again: a run
moves as many as there were when it began.
"""

import json
import sys
import time

import botocore.session
from botocore.config import Config

# Longer than a batch of ten takes at the lowest rate.
VISIBILITY_SECONDS = 120
BATCH = 10


def attributes_of(message):
    """What a message carries besides its body, as SendMessage takes it, and what it was when it was first sent: a publish that
    another service put into the queue takes its name, its publisher and its time from that."""
    given = {name: {field: value for field, value in given.items() if field in ("DataType", "StringValue", "BinaryValue")}
             for name, given in message.get("MessageAttributes", {}).items()}
    was = message.get("Attributes", {})
    first = {"HoldfastMessageId": message.get("MessageId"), "HoldfastSenderId": was.get("SenderId"), "HoldfastSentTimestamp": was.get("SentTimestamp")}
    # Of a second redrive, too: what it was at first stays.
    return {**{name: {"DataType": "String", "StringValue": value} for name, value in first.items() if value}, **given}


class Pace:
    """At most `rate` a second, evenly: no burst after a pause."""

    def __init__(self, rate, now=time.monotonic, sleep=time.sleep):
        self.gap, self.now, self.sleep, self.next = 1 / rate, now, sleep, now()

    def wait(self):
        pause = self.next - self.now()
        if pause > 0:
            self.sleep(pause)
        self.next = max(self.next, self.now() - self.gap) + self.gap


def waiting(client, url):
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def move(client, source, target, total, pace, say):
    """Moves up to `total` messages; how many it did. What is in hand when it ends becomes visible again."""
    moved, held, last, empty = 0, [], time.monotonic(), 0
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


def main(outputs_file, chosen, rate):
    with open(outputs_file, encoding="utf-8") as source:
        outputs = json.load(source)
    queues = outputs["queues"]
    names = sorted(name for name in queues if f"{name}Dlq" in queues)
    if chosen and chosen not in names:
        sys.stderr.write(f"QUEUE={chosen}: there is {', '.join(names)}.\n")
        return 2
    # A proxy of the caller's has no business between this machine and itself.
    local = {"endpoint_url": outputs["awsEndpointUrl"], "config": Config(proxies={})} if outputs["awsEndpointUrl"] else {}
    client = botocore.session.Session().create_client("sqs", region_name=outputs["region"], **local)
    pace = Pace(rate)
    for name in [chosen] if chosen else names:
        source, target = queues[f"{name}Dlq"], queues[name]
        total = waiting(client, source)
        if not total:
            print(f"{name}: no dead letters", flush=True)
            continue
        print(f"{name}: {total} dead letters, back at {rate:g} a second", flush=True)
        moved = 0
        try:
            moved = move(client, source, target, total, pace, lambda text, name=name: print(f"{name}: {text}", flush=True))
        except KeyboardInterrupt:
            print(f"{name}: stopped; {waiting(client, source)} dead letters are left", flush=True)
            raise
        print(f"{name}: {moved} moved, {waiting(client, source)} left", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    except KeyboardInterrupt:
        sys.exit(130)
