"""Checks of the queues and their readers: partial batches, records that fail, chains of records."""

from __future__ import annotations

import json
import secrets
import time
from datetime import datetime, timedelta, timezone
from typing import Any

from holdfast_cli.core import catalogue
from holdfast_cli.core.errors import Failed
from holdfast_cli.deploy import canary
from holdfast_cli.verify.acceptance.check import PATIENCE_SECONDS, Deployed, answer_of, frame_of, insist

# How soon a record that failed has to be processed again.
REDELIVERED_SECONDS = 10
# The functions that send records to themselves.
CHAINED = ("push-fanout", "push-close-sockets")
DAYS = 14
# What a reader logs about a record that it could not process.
FAILED_RECORD = "the record will be delivered again"


def batch_settings(deployed: Deployed) -> str:
    wanted = {key: len(entry.get("queues", ())) + ("stream" in entry) for key, entry in catalogue.functions().items()}
    pages = deployed.api.functions.get_paginator("list_event_source_mappings").paginate()
    keys, found = {name: key for key, name in deployed.functions.items()}, dict[str, int]()
    for mapping in (mapping for page in pages for mapping in page["EventSourceMappings"]):
        name = mapping.get("FunctionArn", "").split(":function:")[-1].split(":")[0]
        key = keys.get(name, "")
        if not key:
            continue
        insist("ReportBatchItemFailures" in mapping.get("FunctionResponseTypes", ()), f"{key}: one bad record of a batch makes the whole batch fail")
        insist(mapping.get("State") == "Enabled", f"{key}: the state of its event source is {mapping.get('State')}, so it reads nothing")
        found[key] = found.get(key, 0) + 1
    lacking = [key for key, count in wanted.items() if key in deployed.functions and found.get(key, 0) != count]
    insist(not lacking, f"other event sources than services/functions.json names: {', '.join(lacking)}")
    return f"{sum(found.values())} event sources of {len(found)} functions report single records, and are enabled"


def queue_settings(deployed: Deployed) -> str:
    """AWS asks for a visibility of six times the reader's time-out."""
    readers = {queue: key for key, entry in catalogue.functions().items() for queue in entry.get("queues", ())}
    for queue, key in sorted(readers.items()):
        url = deployed.known["queues"][queue]
        found = deployed.api.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        seconds = deployed.api.functions.get_function_configuration(FunctionName=deployed.functions[key]).get("Timeout", 0)
        visible, dead = int(found["VisibilityTimeout"]), json.loads(found.get("RedrivePolicy") or "{}").get("deadLetterTargetArn", "")
        insist(visible >= 6 * seconds, f"queue {queue}: a record is hidden for {visible} s, and {key} may take {seconds} s: six times that is needed")
        insist(dead, f"queue {queue} has no dead-letter queue, so a record that always fails is lost")
    return f"{', '.join(sorted(readers))}: each has a dead-letter queue, and hides a record for six times the time-out of its reader"


def _record(queue_arn: str, number: str, body: dict[str, Any]) -> dict[str, Any]:
    sent = str(int(time.time() * 1000))
    return {"messageId": number, "receiptHandle": "none", "body": json.dumps(body), "messageAttributes": {}, "awsRegion": queue_arn.split(":")[3],
            "attributes": {"SenderId": "holdfast-verify", "SentTimestamp": sent, "ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs", "eventSourceARN": queue_arn}


def _publish(user: str, data: str) -> dict[str, Any]:
    return {"v": 1, "kind": "publish", "publish": {"to": {"userIds": [user]}, "kind": "verify", "data": data}}


def _data(wanted: str, seconds: float, socket: Any) -> None:
    frame_of(socket, lambda frame: frame.get("type") == "message" and frame.get("data") == wanted, "message", seconds)


def partial_batch(deployed: Deployed) -> str:
    """The reader is invoked with two records, as Lambda does it. An unreadable record in the queue would stay there for half an hour."""
    url, text = deployed.known["queues"]["push"], secrets.token_hex(8)
    arn = deployed.api.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    good, bad = f"good-{text}", f"bad-{text}"
    event = {"Records": [_record(arn, bad, {"v": 0, "kind": "verify"}), _record(arn, good, _publish(deployed.person.id, text))]}
    with deployed.socket(deployed.sign_in()) as socket:
        answer_of(socket, "pong", action="ping")
        name = deployed.functions["push-fanout"] + ("" if deployed.settings.on_local_cloud else f":{canary.ALIAS}")
        came = deployed.api.functions.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        answer: dict[str, Any] = json.loads(came["Payload"].read() or b"null") or {}
        failed = [one["itemIdentifier"] for one in answer.get("batchItemFailures", [])]
        insist(failed == [bad], f"the records {failed} of two were reported, not the unreadable one alone: {json.dumps(answer)[:200]}")
        _data(text, PATIENCE_SECONDS, socket)
    return "of a batch of two, the unreadable record is reported and the other one is delivered"


def redelivery(deployed: Deployed) -> str:
    """Denies the table to the reader's role for a moment. The failed record has to be delivered soon after its first failure."""
    name, text = deployed.functions["push-fanout"], secrets.token_hex(8)
    iam, table, policy = deployed.api.client("iam"), deployed.known["tables"]["connections"], "holdfast-verify"
    deny = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": [f"arn:aws:dynamodb:*:*:table/{table}", f"arn:aws:dynamodb:*:*:table/{table}/*"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    with deployed.socket(deployed.sign_in()) as socket:
        answer_of(socket, "pong", action="ping")
        began = int(time.time() * 1000) - 1000
        with deployed.removed(f"the policy {policy} of the role {name}", lambda: iam.delete_role_policy(RoleName=name, PolicyName=policy)):
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document)
            deployed.api.sqs.send_message(QueueUrl=deployed.known["queues"]["push"], MessageBody=json.dumps(_publish(deployed.person.id, text)))
            failed = _first_failure(deployed, name, began)
        _data(text, PATIENCE_SECONDS, socket)
        took = time.time() - failed / 1000
    insist(took < REDELIVERED_SECONDS, f"the record was delivered {took:.1f} s after its first failure, not within {REDELIVERED_SECONDS} s")
    return f"delivered {took:.1f} s after its first failure"


def _first_failure(deployed: Deployed, function: str, since: int) -> int:
    """When a record of this function failed, in milliseconds."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        pages = deployed.api.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}", startTime=since)
        found = [event.get("timestamp", 0) for page in pages for event in page["events"] if FAILED_RECORD in event.get("message", "")]
        if found:
            return min(found)
        time.sleep(0.2)
    raise Failed(f"no record of {function} failed within {PATIENCE_SECONDS} s, although its role may not use the table")


def chains(deployed: Deployed) -> str:
    functions = deployed.api.functions
    stopped = [key for key in CHAINED if functions.get_function_recursion_config(FunctionName=deployed.functions[key])["RecursiveLoop"] != "Allow"]
    insist(not stopped, f"{', '.join(stopped)}: Lambda drops a record after about 16 hops; set recursive_loop = \"Allow\"")
    now, dropped = datetime.now(timezone.utc), 0.0
    for key in CHAINED:
        found = deployed.api.cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda", MetricName="RecursiveInvocationsDropped", Dimensions=[{"Name": "FunctionName", "Value": deployed.functions[key]}],
            StartTime=now - timedelta(days=DAYS), EndTime=now, Period=86_400, Statistics=["Sum"])
        dropped += sum(point.get("Sum", 0.0) for point in found["Datapoints"])
    insist(not dropped, f"Lambda dropped {dropped:.0f} records in {DAYS} days")
    return f"{' and '.join(CHAINED)} may send records to themselves; 0 were dropped in {DAYS} days"
