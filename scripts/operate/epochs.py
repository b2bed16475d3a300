"""Gives every channel of a connections table a new epoch: what a restored table needs before it serves. Run by the Python of
`.tools`, which has botocore.

usage: epochs.py OUTPUTS [TABLE]

A restored table has forgotten the messages since its point in time, and gives their offsets out again. A client that holds one of
them would be told that nothing is missing; with another epoch it is told `recovered:false`, and reloads. Each head is changed by
itself, on the condition that it is as it was read, so appends may go on; a run that was cut off is simply run again.
"""

import base64
import json
import os
import sys
import time

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError


def epoch():
    """As Holdfast writes them: 8 random bytes."""
    return base64.urlsafe_b64encode(os.urandom(8)).decode().rstrip("=")


def heads(client, table):
    """Key and epoch of every channel's head."""
    start = {}
    while True:
        page = client.scan(TableName=table, ConsistentRead=True, FilterExpression="SK = :head", ProjectionExpression="PK, SK, epoch",
                           ExpressionAttributeValues={":head": {"S": "HEAD"}}, **start)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def renew(client, table, say):
    """How many channels have another epoch than before."""
    done, last = 0, time.monotonic()
    for head in heads(client, table):
        try:
            client.update_item(
                TableName=table, Key={"PK": head["PK"], "SK": head["SK"]}, UpdateExpression="SET epoch = :new",
                ConditionExpression="epoch = :old", ExpressionAttributeValues={":new": {"S": epoch()}, ":old": head["epoch"]})
        except ClientError as error:
            # Another run was quicker: the epoch is new.
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
        done += 1
        if time.monotonic() - last >= 2:
            last = time.monotonic()
            say(f"{done} channels so far")
    return done


def main(outputs_file, table=None):
    with open(outputs_file, encoding="utf-8") as source:
        outputs = json.load(source)
    table = table or outputs["tables"]["connections"]
    # A proxy of the caller's has no business between this machine and itself.
    local = {"endpoint_url": outputs["awsEndpointUrl"], "config": Config(proxies={})} if outputs["awsEndpointUrl"] else {}
    client = botocore.session.Session().create_client("dynamodb", region_name=outputs["region"], **local)
    try:
        done = renew(client, table, lambda text: print(text, flush=True))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "ResourceNotFoundException":
            sys.stderr.write(f"there is no table {table} in {outputs['region']}.\n")
            return 2
        sys.stderr.write(f"{table}: {code} {error.response['Error'].get('Message', '')}. Run it again.\n")
        return 1
    print(f"{table}: {done} channels have new epochs; their clients reload when they come back", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted: run it again.\n")
        sys.exit(130)
