"""Tries with every function's role what it may and what it may not do. Run by the Python of `.tools`, which has botocore.

usage: denied.py OUTPUTS STATE… [--permissions FILE] [--diagram FILE] [--catalogue FILE] [--write]

The roles trust nobody but Lambda. So Lambda is asked: a function of this script's own, with the role in question, says who it
is. Nothing that is tried changes anything where it is let through: writes have conditions that never hold, names are nobody's.
"""

import argparse
import io
import json
import sys
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import diagram
import permissions

_DENIED = ("AccessDenied", "AccessDeniedException", "AccessDeniedError", "ForbiddenException", "UnauthorizedOperation", "403")
_PROBE = "import os\n\ndef handler(event, context):\n    return [os.environ['AWS_' + n] for n in ('ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN')]\n"
# Nobody's item, message and socket.
_KEY = {"PK": {"S": "DENIED#none"}, "SK": {"S": "NONE"}}
_NEVER = {"ConditionExpression": "attribute_exists(PK)"}


class Cloud:
    def __init__(self, outputs, key="test", secret="test", token=None):
        import botocore.session
        from botocore.config import Config

        self.outputs, self.session = outputs, botocore.session.get_session()
        # A proxy of the caller's has no business between this machine and itself; a refusal is an answer, not to be asked for again.
        self.options = {"region_name": outputs["region"], "endpoint_url": outputs["awsEndpointUrl"], "aws_access_key_id": key,
                        "aws_secret_access_key": secret, "aws_session_token": token,
                        "config": Config(proxies={}, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)}
        self.clients = {}

    def client(self, service, **more):
        if service not in self.clients:
            self.clients[service] = self.session.create_client(service, **{**self.options, **more})
        return self.clients[service]


def credentials(admin, role):
    """Those that a function with this role gets."""
    client, name, code = admin.client("lambda"), f"denied-{uuid.uuid4().hex[:12]}", io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("probe.py", _PROBE)
    client.create_function(FunctionName=name, Runtime="python3.12", Handler="probe.handler", Role=role, Code={"ZipFile": code.getvalue()}, Timeout=10)
    try:
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        answer = json.loads(client.invoke(FunctionName=name)["Payload"].read())
    finally:
        client.delete_function(FunctionName=name)
        logs = admin.client("logs")
        try:
            logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")
        except logs.exceptions.ResourceNotFoundException:
            pass
    if not isinstance(answer, list) or answer[0] == "test":
        raise SystemExit(f"{role}: the local cloud does not say who a function is: {answer}")
    return answer


def _table(arn):
    return arn.split(":table/")[1].split("/")[0]


def _queue(cloud, arn):
    account, name = arn.split(":")[4:6]
    return f"{cloud.outputs['awsEndpointUrl']}/{account}/{name}"


def _transact(cloud, arn):
    cloud.client("dynamodb").transact_write_items(TransactItems=[{"ConditionCheck": {"TableName": _table(arn), "Key": _KEY, **_NEVER}}])


def _query(cloud, arn):
    index = arn.split("/index/")[1] if "/index/" in arn else None
    name = f"{index}PK" if index else "PK"
    cloud.client("dynamodb").query(TableName=_table(arn), Limit=1, KeyConditionExpression="#k = :k", ExpressionAttributeNames={"#k": name},
                                   ExpressionAttributeValues={":k": {"S": "DENIED#none"}}, **({"IndexName": index} if index else {}))


def _scan(cloud, arn):
    cloud.client("dynamodb").scan(TableName=_table(arn), Limit=1, **({"IndexName": arn.split("/index/")[1]} if "/index/" in arn else {}))


def _sockets(cloud, arn):
    api, stage, method = arn.split(":")[5].split("/")[:3]
    endpoint = f"{cloud.outputs['awsEndpointUrl']}/_aws/execute-api/{api}/{stage}"
    client = cloud.client("apigatewaymanagementapi", endpoint_url=endpoint)
    if method == "POST":
        client.post_to_connection(ConnectionId="nobody", Data=b"{}")
    elif method == "GET":
        client.get_connection(ConnectionId="nobody")
    else:
        client.delete_connection(ConnectionId="nobody")


ATTEMPTS = {
    "dynamodb:GetItem": lambda cloud, arn: cloud.client("dynamodb").get_item(TableName=_table(arn), Key=_KEY),
    "dynamodb:BatchGetItem": lambda cloud, arn: cloud.client("dynamodb").batch_get_item(RequestItems={_table(arn): {"Keys": [_KEY]}}),
    "dynamodb:Query": _query,
    "dynamodb:Scan": _scan,
    "dynamodb:ConditionCheckItem": _transact,
    "dynamodb:PutItem": lambda cloud, arn: cloud.client("dynamodb").put_item(TableName=_table(arn), Item=_KEY, **_NEVER),
    "dynamodb:UpdateItem": lambda cloud, arn: cloud.client("dynamodb").update_item(TableName=_table(arn), Key=_KEY, **_NEVER),
    "dynamodb:DeleteItem": lambda cloud, arn: cloud.client("dynamodb").delete_item(TableName=_table(arn), Key=_KEY, **_NEVER),
    "dynamodb:BatchWriteItem": lambda cloud, arn: cloud.client("dynamodb").batch_write_item(RequestItems={_table(arn): [{"DeleteRequest": {"Key": _KEY}}]}),
    "dynamodb:DescribeTable": lambda cloud, arn: cloud.client("dynamodb").describe_table(TableName=_table(arn)),
    # Refused for its delay where it is let through: 15 minutes are the most.
    "sqs:SendMessage": lambda cloud, arn: cloud.client("sqs").send_message(QueueUrl=_queue(cloud, arn), MessageBody="denied", DelaySeconds=901),
    "sqs:ReceiveMessage": lambda cloud, arn: cloud.client("sqs").receive_message(QueueUrl=_queue(cloud, arn), VisibilityTimeout=0, WaitTimeSeconds=0),
    "sqs:DeleteMessage": lambda cloud, arn: cloud.client("sqs").delete_message(QueueUrl=_queue(cloud, arn), ReceiptHandle="nobody"),
    "sqs:GetQueueAttributes": lambda cloud, arn: cloud.client("sqs").get_queue_attributes(QueueUrl=_queue(cloud, arn), AttributeNames=["QueueArn"]),
    # Of no type that anybody subscribes to.
    "events:PutEvents": lambda cloud, arn: cloud.client("events").put_events(
        Entries=[{"Source": "denied", "DetailType": "DENIED", "Detail": "{}", "EventBusName": arn.split("/")[-1]}]),
    "execute-api:ManageConnections": _sockets,
    "lambda:InvokeFunction": lambda cloud, arn: cloud.client("lambda").invoke(FunctionName=arn.split(":")[6], InvocationType="DryRun"),
    "lambda:GetFunction": lambda cloud, arn: cloud.client("lambda").get_function(FunctionName=arn.split(":")[6]),
    "iam:GetRole": lambda cloud, arn: cloud.client("iam").get_role(RoleName=arn.split("/")[-1]),
    # No policy at all: refused where it is let through.
    "iam:PutRolePolicy": lambda cloud, arn: cloud.client("iam").put_role_policy(RoleName=arn.split("/")[-1], PolicyName="more", PolicyDocument="none"),
    "s3:ListBucket": lambda cloud, arn: cloud.client("s3").list_objects_v2(Bucket=arn.split(":")[-1], MaxKeys=1),
    # With the only context that a role may give. What it decrypts is no ciphertext: refused after the permission was checked.
    "kms:Encrypt": lambda cloud, arn: cloud.client("kms").encrypt(KeyId=arn, Plaintext=b"denied", EncryptionContext={"userId": "nobody"}),
    "kms:Decrypt": lambda cloud, arn: cloud.client("kms").decrypt(KeyId=arn, CiphertextBlob=b"denied", EncryptionContext={"userId": "nobody"}),
    "kms:GenerateDataKey": lambda cloud, arn: cloud.client("kms").generate_data_key(KeyId=arn, KeySpec="AES_256", EncryptionContext={"userId": "nobody"}),
    "kms:GetKeyPolicy": lambda cloud, arn: cloud.client("kms").get_key_policy(KeyId=arn, PolicyName="default"),
    "ssm:GetParameter": lambda cloud, arn: cloud.client("ssm").get_parameter(Name=arn.split(":parameter")[1]),
}


def let_through(cloud, action, arn):
    """Whether the cloud lets it through, and what it said. That there is no such item, message or socket is letting through."""
    import botocore.exceptions

    try:
        ATTEMPTS[action](cloud, arn)
        return True, "done"
    except botocore.exceptions.ClientError as error:
        code = error.response["Error"].get("Code", "?")
        denied = code in _DENIED or error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        return not denied, code


def try_role(outputs, role, rows):
    """The rows that the cloud answers otherwise than the table."""
    admin = Cloud(outputs)
    cloud, wrong = Cloud(outputs, *credentials(admin, role)), []
    for function, action, arn, allowed in rows:
        passed, said = let_through(cloud, action, arn)
        if passed != allowed:
            wrong.append(f"{function} {'may not' if allowed else 'may'} {action} on {arn} ({said})")
    return wrong


def _prefix(outputs):
    return outputs["functions"]["auth-login"].removesuffix("-auth-login")


def extra_of(outputs, account):
    """What belongs to nobody: other functions, roles, artifacts, parameters."""
    region, names, prefix = outputs["region"], outputs["functions"], _prefix(outputs)
    return [
        f"arn:aws:lambda:{region}:{account}:function:{names['sessions-admin']}",
        f"arn:aws:iam::{account}:role/{names['auth-login']}",
        f"arn:aws:s3:::{prefix}-artifacts",
        f"arn:aws:ssm:{region}:{account}:parameter/holdfast/{outputs['env']}/platform/http-url",
    ]


def documents(arguments, outputs, states, granted, extra):
    """Writes the documents, or says which are not what the Terraform says; their number."""
    prefix, stale = _prefix(outputs), 0
    drawn = diagram.render(states, json.loads(arguments.catalogue.read_text(encoding="utf-8")), prefix) if arguments.diagram else None
    for file, text in ((arguments.permissions, permissions.render(granted, extra, prefix)), (arguments.diagram, drawn)):
        if not file:
            continue
        if arguments.write:
            file.write_text(text, encoding="utf-8")
            print(f"wrote {file.name}")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            stale += 1
            print(f"{file.name} is not what the Terraform says: run make permissions WRITE=1 on a deployment with CACHE=redis")
    return stale


def main(words):
    parser = argparse.ArgumentParser()
    parser.add_argument("outputs", type=Path)
    parser.add_argument("states", type=Path, nargs="+")
    for name in ("permissions", "diagram", "catalogue"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args(words)

    outputs, states = json.loads(arguments.outputs.read_text(encoding="utf-8")), diagram.load(arguments.states)
    found = {key: policy for state in states for key, policy in permissions.policies(state).items()}
    lacking = sorted(set(outputs["functions"]) - set(found))
    if lacking:
        raise SystemExit(f"no policy in the state of {', '.join(lacking)}")
    account = Cloud(outputs).client("sts").get_caller_identity()["Account"]
    granted, extra = {key: permissions.grants(policy) for key, policy in found.items()}, extra_of(outputs, account)
    stale = documents(arguments, outputs, states, granted, extra)

    by_role = {}
    for row in permissions.judged(granted, extra):
        by_role.setdefault(row[0], []).append(row)
    rows = [row for some in by_role.values() for row in some]
    unknown = sorted({action for _, action, *_ in rows} - set(ATTEMPTS))
    if unknown:
        raise SystemExit(f"denied.py does not know how to try {', '.join(unknown)}: add it to ATTEMPTS")
    roles = [f"arn:aws:iam::{account}:role/{outputs['functions'][key]}" for key in by_role]
    with ThreadPoolExecutor(4) as pool:
        wrong = [text for texts in pool.map(lambda pair: try_role(outputs, *pair), zip(roles, by_role.values())) for text in texts]
    for text in wrong[:20]:
        print(text)
    denied = sum(not allowed for *_, allowed in rows)
    print(f"{len(by_role)} roles: {denied} actions to be denied, {len(rows) - denied} to be let through; {len(wrong)} answered otherwise")
    return 1 if wrong or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
