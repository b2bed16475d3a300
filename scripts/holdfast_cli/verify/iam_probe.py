"""`holdfast permissions`: every role of the local deployment may do what docs/security/permissions.md says, and nothing else; `--write`
writes that, and the diagram of the system in docs/system.md.

The roles trust only Lambda. So a function of this module, with the role in question, returns its credentials. An allowed
action changes nothing: writes have conditions that never hold, and the names belong to no resource.
"""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from holdfast_cli.core import catalogue
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, STACKS, Settings
from holdfast_cli.deploy import aws, outputs
from holdfast_cli.deploy.outputs import Outputs
from holdfast_cli.generate import diagram, permissions
from holdfast_cli.local.cloud import require_running

PERMISSIONS, DIAGRAM = ROOT / "docs" / "security" / "permissions.md", ROOT / "docs" / "system.md"

_DENIED = ("AccessDenied", "AccessDeniedException", "AccessDeniedError", "ForbiddenException", "UnauthorizedOperation", "403")
_PROBE = "import os\n\ndef handler(event, context):\n    return [os.environ['AWS_' + n] for n in ('ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN')]\n"
# Nobody's item, message and socket.
_KEY = {"PK": {"S": "DENIED#none"}, "SK": {"S": "NONE"}}
_NEVER = {"ConditionExpression": "attribute_exists(PK)"}


class Cloud(aws.Api):
    """The local cloud as it is seen with some credentials. A refusal is an answer, not to be asked for again."""

    def __init__(self, settings: Settings, *credentials: str) -> None:
        super().__init__(settings, *credentials, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
        self.settings = settings


def credentials(admin: Cloud, role: str) -> list[str]:
    """Those that a function with this role gets."""
    client, name, code = admin.client("lambda"), f"denied-{uuid.uuid4().hex[:12]}", io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("probe.py", _PROBE)
    client.create_function(FunctionName=name, Runtime="python3.12", Handler="probe.handler", Role=role, Code={"ZipFile": code.getvalue()}, Timeout=10)
    try:
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        answer: Any = json.loads(client.invoke(FunctionName=name)["Payload"].read())
    finally:
        client.delete_function(FunctionName=name)
        logs = admin.client("logs")
        with suppress(logs.exceptions.ResourceNotFoundException):
            logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")
    found: list[str] = answer if isinstance(answer, list) else []  # pyright: ignore[reportUnknownVariableType]
    if found[:1] in ([], ["test"]):
        raise Failed(f"{role}: the local cloud does not say who a function is: {answer}")
    return found


def _table(arn: str) -> str:
    return arn.split(":table/")[1].split("/")[0]


def _queue(cloud: Cloud, arn: str) -> str:
    account, name = arn.split(":")[4:6]
    return f"{cloud.settings.endpoint}/{account}/{name}"


def _transact(cloud: Cloud, arn: str) -> None:
    cloud.client("dynamodb").transact_write_items(TransactItems=[{"ConditionCheck": {"TableName": _table(arn), "Key": _KEY, **_NEVER}}])


def _query(cloud: Cloud, arn: str) -> None:
    index = arn.split("/index/")[1] if "/index/" in arn else None
    name = f"{index}PK" if index else "PK"
    cloud.client("dynamodb").query(TableName=_table(arn), Limit=1, KeyConditionExpression="#k = :k", ExpressionAttributeNames={"#k": name},
                                   ExpressionAttributeValues={":k": {"S": "DENIED#none"}}, **({"IndexName": index} if index else {}))


def _scan(cloud: Cloud, arn: str) -> None:
    cloud.client("dynamodb").scan(TableName=_table(arn), Limit=1, **({"IndexName": arn.split("/index/")[1]} if "/index/" in arn else {}))


def _sockets(cloud: Cloud, arn: str) -> None:
    api, stage, method = arn.split(":")[5].split("/")[:3]
    endpoint = f"{cloud.settings.endpoint}/_aws/execute-api/{api}/{stage}"
    client = cloud.client("apigatewaymanagementapi", endpoint_url=endpoint)
    if method == "POST":
        client.post_to_connection(ConnectionId="nobody", Data=b"{}")
    elif method == "GET":
        client.get_connection(ConnectionId="nobody")
    else:
        client.delete_connection(ConnectionId="nobody")


ATTEMPTS: dict[str, Callable[[Cloud, str], object]] = {
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


def let_through(cloud: Cloud, action: str, arn: str) -> tuple[bool, str]:
    """Whether the cloud lets it through, and what it said. That there is no such item, message or socket is letting through."""
    try:
        ATTEMPTS[action](cloud, arn)
        return True, "done"
    except ClientError as error:
        response: dict[str, Any] = dict(error.response)
        code = response["Error"].get("Code", "?")
        denied = code in _DENIED or response["ResponseMetadata"]["HTTPStatusCode"] == 403
        return not denied, code


def try_role(settings: Settings, role: str, rows: list[permissions.Row]) -> list[str]:
    """The rows that the cloud answers otherwise than the table."""
    cloud, wrong = Cloud(settings, *credentials(Cloud(settings), role)), list[str]()
    for function, action, arn, allowed in rows:
        passed, said = let_through(cloud, action, arn)
        if passed != allowed:
            wrong.append(f"{function} {'may not' if allowed else 'may'} {action} on {arn} ({said})")
    return wrong


def _prefix(known: Outputs) -> str:
    return known["functions"]["auth-login"].removesuffix("-auth-login")


def extra_of(known: Outputs, account: str) -> list[str]:
    """Resources that belong to no function: other functions, roles, artifacts, parameters."""
    region, names, prefix = known["region"], known["functions"], _prefix(known)
    return [
        f"arn:aws:lambda:{region}:{account}:function:{names['sessions-admin']}",
        f"arn:aws:iam::{account}:role/{names['auth-login']}",
        f"arn:aws:s3:::{prefix}-artifacts",
        f"arn:aws:ssm:{region}:{account}:parameter/holdfast/{known['env']}/platform/http-url",
    ]


def documents(states: list[permissions.State], prefix: str, granted: permissions.Granted, extra: list[str], write: bool) -> int:
    """Writes the documents, or says which are not what the Terraform says; their number."""
    stale = 0
    for file, text in ((PERMISSIONS, permissions.render(granted, extra, prefix)), (DIAGRAM, diagram.render(states, catalogue.functions(), prefix))):
        if write:
            file.write_text(text, encoding="utf-8")
            line(f"wrote {file.name}")
        elif not file.exists() or file.read_text(encoding="utf-8") != text:
            stale += 1
            line(f"{file.name} is not what the Terraform says: run make permissions WRITE=1 on a deployment with CACHE=redis")
    return stale


def check(settings: Settings, write: bool = False) -> None:
    """Compares the documents with what is deployed, and tries every row with the credentials of every role."""
    if not settings.is_local:
        raise Refused("permissions is for ENV=local: it tries with every role what that must not do.")
    known = outputs.read(settings)
    require_running(settings)
    whole = known["cacheProvider"] == "redis"
    if write and not whole:
        raise Refused("what is written is that of CACHE=redis: it has every function.")
    states = diagram.load(settings.work / "state" / f"{stack}.tfstate" for stack in STACKS)
    found = {key: policy for state in states for key, policy in permissions.policies(state).items()}
    lacking = sorted(set(known["functions"]) - set(found))
    if lacking:
        raise Failed(f"no policy in the state of {', '.join(lacking)}")
    account = aws.caller(settings)["account"]
    granted, extra = {key: permissions.grants(policy) for key, policy in found.items()}, extra_of(known, account)
    if whole:
        stale = documents(states, _prefix(known), granted, extra, write)
    else:
        stale = 0
        line("Without CACHE=redis some functions are missing: the documents are not compared.")

    by_role: dict[str, list[permissions.Row]] = {}
    for row in permissions.judged(granted, extra):
        by_role.setdefault(row[0], []).append(row)
    rows = [row for some in by_role.values() for row in some]
    unknown = sorted({action for _, action, *_ in rows} - set(ATTEMPTS))
    if unknown:
        raise Failed(f"nothing says how to try {', '.join(unknown)}: add it to ATTEMPTS in verify/iam_probe.py")
    wrong: list[str] = []
    with Step(f"trying what {len(by_role)} roles may do") as step, ThreadPoolExecutor(4) as pool:
        tried = [pool.submit(try_role, settings, f"arn:aws:iam::{account}:role/{known['functions'][key]}", some) for key, some in by_role.items()]
        try:
            for done, future in enumerate(tried):
                step.progress(done, len(by_role), "roles")
                wrong += future.result()
        except BaseException:
            # A Ctrl-C waits for the roles in progress, and for no others.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for text in wrong[:20]:
        line(text)
    denied = sum(not allowed for *_, allowed in rows)
    line(f"{len(by_role)} roles: {denied} actions to be denied, {len(rows) - denied} to be let through; {len(wrong)} answered otherwise")
    if wrong or stale:
        raise Failed("the roles or their documents are not as they should be.")
