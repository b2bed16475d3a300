"""`holdfast epochs` gives every channel of a connections table a new epoch. A restored table needs that before it serves.

A restored table lacks the messages since its point in time, and assigns their offsets again. A client that holds one of
these messages would learn that it misses none. With another epoch it gets `recovered:false`, and reloads. Each head is changed
alone, on the condition that it has not changed since it was read, so appends may continue. An interrupted run can be repeated.
"""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from holdfast_cli.core.console import answer, line, report, wants_json
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, outputs


def epoch() -> str:
    """As Holdfast writes them: 8 random bytes."""
    return base64.urlsafe_b64encode(os.urandom(8)).decode().rstrip("=")


def heads(client: Any, table: str) -> Iterator[dict[str, Any]]:
    """Key and epoch of every channel's head."""
    start: dict[str, Any] = {}
    while True:
        page = client.scan(TableName=table, ConsistentRead=True, FilterExpression="SK = :head", ProjectionExpression="PK, SK, epoch",
                           ExpressionAttributeValues={":head": {"S": "HEAD"}}, **start)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def renew(client: Any, table: str, say: Callable[[str], None]) -> int:
    """How many channels have another epoch than before."""
    done, last = 0, time.monotonic()
    for head in heads(client, table):
        try:
            client.update_item(
                TableName=table, Key={"PK": head["PK"], "SK": head["SK"]}, UpdateExpression="SET epoch = :new",
                ConditionExpression="epoch = :old", ExpressionAttributeValues={":new": {"S": epoch()}, ":old": head["epoch"]})
        except ClientError as error:
            # Another run was quicker: the epoch is new.
            if code_of(error) != "ConditionalCheckFailedException":
                raise
        done += 1
        if time.monotonic() - last >= 2:
            last = time.monotonic()
            say(f"{done} channels so far")
    return done


def code_of(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "?")


def epochs(settings: Settings, table: str) -> None:
    """Of the table that is named, else of the deployment's."""
    known = outputs.read(settings)
    table = table or known["tables"]["connections"]
    with aws.asking(settings) as api:
        try:
            done = renew(api.dynamodb, table, line)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                raise Refused(f"there is no table {table} in {known['region']}.") from None
            raise Failed(f"{table}: {code_of(error)} {error.response.get('Error', {}).get('Message', '')}. Run it again.") from None
    if wants_json():
        answer({"table": table, "channels": done})
    report(f"{table}: {done} channels have new epochs; their clients reload when they come back")
