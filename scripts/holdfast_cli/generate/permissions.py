"""What each function's role may do, read from Terraform's state, and therefore what it may not: docs/security/permissions.md.

The table is compared without a cloud. What tries it is verify/iam_probe.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

State = dict[str, Any]
Policy = dict[str, Any]
# Action and ARN.
Grant = tuple[str, str]
# By function.
Granted = dict[str, set[Grant]]
# Function, action, ARN, whether it is allowed.
Row = tuple[str, str, str, bool]

# What can be asked of each kind of resource. All of it is tried with every role: what a role was not given has to be denied.
# Several are given to nobody: reading a whole table, writing in bulk, reading queues by hand, changing what one may do.
ACTIONS = {
    "table": ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:ConditionCheckItem", "dynamodb:PutItem",
              "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:DescribeTable"),
    "index": ("dynamodb:Query", "dynamodb:Scan"),
    "queue": ("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "bus": ("events:PutEvents",),
    "sockets": ("execute-api:ManageConnections",),
    "function": ("lambda:InvokeFunction", "lambda:GetFunction"),
    "role": ("iam:GetRole", "iam:PutRolePolicy"),
    "bucket": ("s3:ListBucket",),
    "parameter": ("ssm:GetParameter",),
    "key": ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:GetKeyPolicy"),
}

# Lambda itself does these with a role, or nothing here can ask for them: they are in the table and are not tried.
NOT_TRIED = re.compile(r"^(logs|xray|ec2|elasticache|cognito-idp):|^dynamodb:(DescribeStream|GetRecords|GetShardIterator|ListStreams)$")

_FUNCTION = re.compile(r'module\.function\["([a-z0-9-]+)"\]$')


def policies(state: State) -> dict[str, Policy]:
    """Each function's policy, by key, of one stack's state (JSON)."""
    found: dict[str, Policy] = {}
    for resource in state["resources"]:
        owner = _FUNCTION.search(resource.get("module", ""))
        if owner and resource["type"] == "aws_iam_role_policy":
            for instance in resource["instances"]:
                found[owner.group(1)] = json.loads(instance["attributes"]["policy"])
    return found


def grants(policy: Policy) -> set[Grant]:
    """What a policy allows, as (action, ARN)."""
    return {(action, arn) for statement in policy["Statement"] if statement["Effect"] == "Allow"
            for action in statement["Action"] for arn in statement["Resource"]}


def kind(arn: str) -> str | None:
    """Which row of ACTIONS an ARN belongs to; None for what is not tried."""
    if arn == "*":
        return None
    service, rest = arn.split(":")[2], arn.split(":", 5)[-1]
    if service == "dynamodb":
        return None if "/stream/" in rest else "index" if "/index/" in rest else "table"
    if service == "lambda":
        return "function"
    if service == "execute-api":
        return "sockets" if "/@connections/" in rest else None
    return {"sqs": "queue", "events": "bus", "iam": "role", "s3": "bucket", "ssm": "parameter", "kms": "key"}.get(service)


def short(arn: str, prefix: str) -> str:
    """An ARN as the table has it: the same in every account, Region and environment."""
    service, rest = arn.split(":")[2], arn.split(":", 5)[-1]
    if service == "dynamodb":
        name = rest.removeprefix("table/").replace(f"{prefix}-", "")
        return "table " + re.sub(r"/stream/.*", " (stream)", name).replace("/index/", ", index ")
    if service == "execute-api":
        return f"sockets, {rest.split('/')[2]}"
    if service == "events":
        return "the event bus"
    if service == "kms":
        # Its id is another one in every account. Locally there is no other key.
        return "the key for second factors"
    if service == "elasticache":
        return "the cache" if prefix in rest else rest
    names = {"sqs": "queue", "lambda": "function", "iam": "role", "s3": "bucket", "ssm": "parameter"}
    name = re.sub(rf"^(function:|role/|parameter)?(/holdfast/[^/]+/)?({re.escape(prefix)}-)?", "", rest)
    return f"{names.get(service, service)} {name}"


def universe(granted: Granted, extra: Iterable[str]) -> set[Grant]:
    """Everything that is tried: each action of ACTIONS, and each that some function was given, on each resource of its kind that
    some function was given, and on `extra`."""
    asked = {name: set(actions) for name, actions in ACTIONS.items()}
    for action, arn in (pair for pairs in granted.values() for pair in pairs):
        row = kind(arn)
        if row and not NOT_TRIED.search(action):
            asked[row].add(action)
    arns = {arn for pairs in granted.values() for _, arn in pairs} | set(extra)
    # Whoever may use an index may ask its table, and the other way round: both are tried.
    arns |= {arn.split("/index/")[0] for arn in arns if "/index/" in arn}
    return {(action, arn) for arn in arns for action in asked.get(kind(arn) or "", ())}


def judged(granted: Granted, extra: Iterable[str]) -> Iterator[Row]:
    """What is tried with each role: (function, action, ARN, whether it is allowed)."""
    every = universe(granted, extra)
    for function, pairs in sorted(granted.items()):
        for action, arn in sorted(every):
            yield function, action, arn, (action, arn) in pairs


_HEAD = """# Permissions of the functions

Terraform creates one role for each function. `make permissions WRITE=1` writes this page from the state of a deployment on the local
cloud with `CACHE=redis`. `make test` compares the page with its own deployment. With the credentials of every role, it tries each
action below on each resource below. Actions in a function's row must be allowed, and all others must be denied.

Some actions are in the first table but are not tried, because Lambda does them with the role, or because the local cloud does not
check them. They are: writing logs and traces, reading streams and queues for the code, network interfaces, and the cache's connection.
The key for second factors is tried with a user's id as encryption context, which is the only one that a role may use.

## Allowed

Every function also writes its own log group and, where tracing is on, X-Ray segments (the only `*`).

| function | may |
|---|---|
"""

_DENIED = """
## Denied

`✓` means allowed, and `–` means denied. A function without a row in a table may do none of its actions.
"""


def render(granted: Granted, extra: Iterable[str], prefix: str) -> str:
    """Writes the text of docs/security/permissions.md."""
    lines: list[str] = []
    for function, pairs in sorted(granted.items()):
        by_resource: dict[str, set[str]] = {}
        for action, arn in pairs:
            if not action.startswith(("logs:", "xray:")):
                by_resource.setdefault(short(arn, prefix) if arn != "*" else "everything", set()).add(action)
        said = "; ".join(f"{resource}: {', '.join(f'`{action}`' for action in sorted(actions))}" for resource, actions in sorted(by_resource.items()))
        lines.append(f"| `{function}` | {said or 'nothing else'} |")
    text = _HEAD + "\n".join(lines) + "\n" + _DENIED
    rows = list(judged(granted, extra))
    denied = sum(not allowed for *_, allowed in rows)
    for arn in sorted({arn for _, _, arn, _ in rows}, key=lambda arn: short(arn, prefix)):
        columns = sorted({action for _, action, other, _ in rows if other == arn})
        marks: dict[str, dict[str, bool]] = {}
        for function, action, other, allowed in rows:
            if other == arn:
                marks.setdefault(function, {})[action] = allowed
        some = {function: mark for function, mark in marks.items() if any(mark.values())}
        name = short(arn, prefix)
        text += f"\n### {name[0].upper()}{name[1:]}\n\n"
        if not some:
            text += f"Denied to every function: {', '.join(f'`{action}`' for action in columns)}.\n"
            continue
        text += f"| function | {' | '.join(column.split(':')[1] for column in columns)} |\n|---|{'---|' * len(columns)}\n"
        text += "".join(f"| `{function}` | {' | '.join('✓' if mark[column] else '–' for column in columns)} |\n" for function, mark in some.items())
    return text + f"\n{len(granted)} roles, {len(rows) - denied} actions allowed and {denied} denied.\n"
