"""Calls of AWS, run by the Python of `.tools`, which has botocore. Answers in JSON; exit code 2: the operator has to act.

usage: aws_client.py REGION identity | buckets NAME… | read BUCKET KEY | write BUCKET KEY TEXT
       | remove BUCKET KEY | aliases ALIAS FUNCTIONS | move ALIAS MOVES | alarms PREFIX
       | depths QUEUES | invoke FUNCTION PAYLOAD | upload MANIFEST FOLDER BUCKET
"""

import base64
import json
import os
import sys

import botocore.exceptions
import botocore.session


def identity(session, region):
    answer = session.create_client("sts", region_name=region).get_caller_identity()
    return {"account": answer["Account"], "arn": answer["Arn"]}


def buckets(session, region, *names):
    client, present = session.create_client("s3", region_name=region), []
    for name in names:
        try:
            client.head_bucket(Bucket=name)
            present.append(name)
        except botocore.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
    return {"present": present}


def read(session, region, bucket, key):
    client = session.create_client("s3", region_name=region)
    try:
        return {"text": client.get_object(Bucket=bucket, Key=key)["Body"].read().decode()}
    except client.exceptions.NoSuchKey:
        return {"text": None}


def write(session, region, bucket, key, text):
    session.create_client("s3", region_name=region).put_object(
        Bucket=bucket, Key=key, Body=text.encode(), ContentType="application/json")
    return {}


def remove(session, region, bucket, key):
    session.create_client("s3", region_name=region).delete_object(Bucket=bucket, Key=key)
    return {}


def upload(session, region, manifest, folder, bucket):
    with open(manifest, encoding="utf-8") as source:
        functions = json.load(source)["functions"]
    client = session.create_client("s3", region_name=region)
    uploaded = 0
    for entry in functions.values():
        try:
            client.head_object(Bucket=bucket, Key=entry["s3Key"])
            continue
        except botocore.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
        # The same path on whatever machine built it: the key is the path below the folder.
        with open(os.path.join(folder, entry["s3Key"]), "rb") as body:
            client.put_object(
                Bucket=bucket, Key=entry["s3Key"], Body=body, ContentType="application/zip",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(entry["sha256"])).decode(),
            )
        uploaded += 1
    return {"uploaded": uploaded, "present": len(functions) - uploaded}


def depths(session, region, urls):
    client, found = session.create_client("sqs", region_name=region), {}
    for name, url in json.loads(urls).items():
        answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        found[name] = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    return found


def invoke(session, region, function, payload):
    answer = session.create_client("lambda", region_name=region).invoke(FunctionName=function, Payload=payload.encode())
    body = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        sys.stderr.write(f"{function} failed: {body}\n")
        sys.exit(1)
    return body


def aliases(session, region, alias, functions):
    client, found = session.create_client("lambda", region_name=region), {}
    for name in json.loads(functions):
        try:
            state = client.get_alias(FunctionName=name, Name=alias)
        except client.exceptions.ResourceNotFoundException:
            continue
        pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        versions = [version["Version"] for page in pages for version in page["Versions"]]
        found[name] = {"version": state["FunctionVersion"], "weights": (state.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {},
                       "newest": str(max(int(version) for version in versions if version.isdigit()))}
    return found


def move(session, region, alias, moves):
    client = session.create_client("lambda", region_name=region)
    for one in json.loads(moves):
        client.update_alias(FunctionName=one["name"], Name=alias, FunctionVersion=one["version"],
                            RoutingConfig={"AdditionalVersionWeights": one["weights"]})
    return {}


def alarms(session, region, prefix):
    pages = session.create_client("cloudwatch", region_name=region).get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["CompositeAlarm"])
    return {alarm["AlarmName"]: alarm["StateValue"] for page in pages for alarm in page["CompositeAlarms"]
            if alarm["AlarmName"].endswith("-rollback")}


def known_region(session, region):
    """Whether AWS has such a Region, in any of its partitions, as far as the pinned client knows."""
    return any(region in session.get_available_regions("sts", partition, allow_non_regional=False)
               for partition in session.get_available_partitions())


COMMANDS = {"identity": identity, "buckets": buckets, "read": read, "write": write, "remove": remove, "depths": depths, "invoke": invoke, "aliases": aliases, "move": move, "alarms": alarms, "upload": upload}


def main(region, command, *arguments):
    # Where there are none, asking the metadata address of a machine that has none takes seconds.
    os.environ.setdefault("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1")
    try:
        session = botocore.session.Session()
        if not known_region(session, region):
            sys.stderr.write(f"region {region} does not exist.\n")
            return 2
        if session.get_credentials() is None:
            raise botocore.exceptions.NoCredentialsError
        print(json.dumps(COMMANDS[command](session, region, *arguments)))
        return 0
    except botocore.exceptions.NoCredentialsError:
        sys.stderr.write("no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.\n")
    except botocore.exceptions.ClientError as error:
        code, where = error.response["Error"].get("Code", "?"), error.operation_name
        if code in ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"):
            sys.stderr.write("the AWS credentials have expired: sign in again.\n")
        else:
            sys.stderr.write(f"AWS refuses {where}: {code} {error.response['Error'].get('Message', '')}\n")
    except botocore.exceptions.BotoCoreError as error:
        sys.stderr.write(f"AWS cannot be used: {str(error).splitlines()[0]}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
