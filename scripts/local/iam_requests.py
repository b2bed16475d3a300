"""Corrects what the local cloud compares with the policies of IAM. Without it, roles whose policies are right for AWS are refused.
`scripts/local/sitecustomize.py` installs it when the variable HOLDFAST_IAM_REQUESTS is set.

* It does not know the condition key `iam:PermissionsBoundary`. Its value is the boundary that the request names, or else that of the role that
  the request changes (IAM User Guide, "Delegating responsibility to others using permissions boundaries").
* It does not know the condition key `lambda:FunctionArn` of a mapping that is made (Service Authorization Reference, "AWS Lambda"). It authorizes
  neither a change of a mapping nor its end.
* It takes the name of an event bus for that of a rule, and names the default bus in the ARN of a rule. It does not know the rule whose targets
  change (Service Authorization Reference, "Amazon EventBridge").
* It does not look for the tags of a network. Those of a flow log it does not keep.
* It takes CreateDistributionWithTags for an action. It is an operation that needs CreateDistribution and TagResource (CloudFront API
  Reference). Only the first is compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

_NAMED = ("iam:CreateRole", "iam:PutRolePermissionsBoundary")
_OF_THE_ROLE = ("iam:AttachRolePolicy", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePolicy")
_OF_A_BUS = ("CreateEventBus", "DeleteEventBus", "DescribeEventBus", "UpdateEventBus")
# What the ids of a network begin with, and what IAM calls it.
_KINDS = {"rtb": "route-table", "sg": "security-group", "sgr": "security-group-rule", "subnet": "subnet", "vpc": "vpc",
          "vpce": "vpc-endpoint"}


def install() -> None:
    from ministack.core import iam_actions
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import ec2, iam, tagging

    known_action, known_keys, known_arn = iam_actions.extract_iam_action, iam_actions.request_tag_context, iam_actions.extract_resource_arn

    def boundary(action: str, parameters: dict) -> str | None:
        if action in _NAMED:
            return iam_actions._query_param(parameters, "PermissionsBoundary") or None
        if action in _OF_THE_ROLE:
            return (iam._roles.get(iam_actions._query_param(parameters, "RoleName")) or {}).get("PermissionsBoundary")
        return None

    def mapped_function(body: bytes) -> str:
        name = json.loads(body).get("FunctionName", "")
        return name if name.startswith("arn:") else f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"

    def keys(service: str, action: str, body: bytes, parameters: dict) -> dict:
        found = known_keys(service, action, body, parameters)
        if value := boundary(action, parameters):
            found["iam:permissionsboundary"] = value
        if action == "lambda:CreateEventSourceMapping":
            found["lambda:functionarn"] = mapped_function(body)
        return found

    def network_tags() -> Iterator[tuple[str, list]]:
        for name, tags in ec2._tags.items():
            yield f"arn:aws:ec2:{get_region()}:{get_account_id()}:{_KINDS.get(name.split('-')[0], 'other')}/{name}", tags

    def action(service: str, method: str, path: str, headers: dict, body: bytes, parameters: dict) -> str | None:
        found = known_action(service, method, path, headers, body, parameters)
        return found.removesuffix("WithTags") if found and service == "cloudfront" else found

    def arn(service: str, method: str, path: str, headers: dict, body: bytes, parameters: dict, region: str, account: str) -> str:
        if service == "events":
            asked = json.loads(body or b"{}")
            if headers.get("x-amz-target", "").split(".")[-1] in _OF_A_BUS:
                return f"arn:aws:events:{region}:{account}:event-bus/{asked.get('Name', '').split('/')[-1]}"
            if rule := asked.get("Rule"):
                bus = asked.get("EventBusName", "default").split("/")[-1]
                return f"arn:aws:events:{region}:{account}:rule/{'' if bus == 'default' else f'{bus}/'}{rule}"
        found = known_arn(service, method, path, headers, body, parameters, region, account)
        return found.replace(":rule/default/", ":rule/") if service == "events" else found

    iam_actions.extract_iam_action, iam_actions.request_tag_context, iam_actions.extract_resource_arn = action, keys, arn
    tagging._RESOURCE_TAG_COLLECTORS["ec2"] = network_tags
