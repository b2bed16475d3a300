"""Checks of the account and of what Terraform made in it. Most of them read the configuration, and need AWS."""

from __future__ import annotations

import base64
import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import STACKS
from holdfast_cli.deploy import aws, canary, environments, releases
from holdfast_cli.generate import permissions
from holdfast_cli.operate import routes
from holdfast_cli.verify import iam_probe
from holdfast_cli.verify.acceptance.check import Deployed, Skipped, expect, healthy, insist

# The default quota of the account, and what Lambda keeps back from reservations.
REQUESTS_PER_SECOND, LEAST_CONCURRENCY = 10_000, 100


def quotas(deployed: Deployed) -> str:
    concurrency = deployed.api.functions.get_account_settings()["AccountLimit"].get("ConcurrentExecutions", 0)
    rate = float(deployed.api.client("apigateway").get_account()["throttleSettings"]["rateLimit"])
    wanted = float(deployed.variable("account_requests_per_second") or REQUESTS_PER_SECOND)
    insist(rate >= wanted, f"the account may have {rate:.0f} requests a second, and account_requests_per_second is {wanted:.0f}: lower it, or "
                           "ask AWS for a higher quota")
    insist(concurrency > LEAST_CONCURRENCY, f"only {concurrency} functions may run at once: ask AWS for a higher quota of concurrent executions")
    return f"{concurrency} functions at once, {rate:.0f} requests a second"


def _networks(deployed: Deployed) -> dict[str, dict[str, Any]]:
    """The network of each function that has one."""
    if deployed.known["cacheProvider"] != "redis":
        raise Skipped("no function is in a network, because there is no cache.")
    found, outside = dict[str, dict[str, Any]](), list[str]()
    for key, name in deployed.functions.items():
        settings: Any = deployed.api.functions.get_function_configuration(FunctionName=name)
        network: dict[str, Any] = settings.get("VpcConfig") or {}
        if network.get("SubnetIds"):
            found[key] = network
        elif settings.get("Environment", {}).get("Variables", {}).get("CACHE_PROVIDER") == "redis":
            outside.append(key)
    insist(not outside, f"outside the network, so the cache cannot be reached: {', '.join(outside)}. {_again(deployed)}")
    return found


def _again(deployed: Deployed) -> str:
    """What to do about a resource that is not as Terraform makes it."""
    return f"make drift ENV={deployed.settings.env} shows what was changed by hand, and make deploy ENV={deployed.settings.env} changes it back"


def zones(deployed: Deployed) -> str:
    ec2, subnets = deployed.api.client("ec2"), sorted({one for network in _networks(deployed).values() for one in network["SubnetIds"]})
    used = {one["AvailabilityZone"] for one in ec2.describe_subnets(SubnetIds=subnets)["Subnets"]}
    state = {one["ZoneName"]: one["State"] for one in ec2.describe_availability_zones()["AvailabilityZones"]}
    bad = sorted(zone for zone in used if state.get(zone) != "available")
    insist(not bad, f"AWS says that these zones are not available: {', '.join(bad)}. If it lasts, set availability_zones to two others, which moves "
                    "the network and the cache")
    insist(len(used) >= 2, f"the network is only in {', '.join(used)}, and ends with it: set availability_zones to two zones")
    return f"the network is in {', '.join(sorted(used))}"


def network(deployed: Deployed) -> str:
    networks, ec2 = _networks(deployed), deployed.api.client("ec2")
    outside = sorted(key for key in networks if key.startswith("push-"))
    insist(not outside, f"sockets and queues cannot be reached from the network, and these functions are in it: {', '.join(outside)}. "
                        f"{_again(deployed)}")
    subnets = sorted({one for found in networks.values() for one in found["SubnetIds"]})
    tables: list[Any] = ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": subnets}])["RouteTables"]
    lacking = sorted(set(subnets) - {one.get("SubnetId") for table in tables for one in table["Associations"]})
    insist(not lacking, f"without a route table of their own, so the network's main one counts: {', '.join(lacking)}. {_again(deployed)}")
    # A destination can be any part of the internet, so the target decides: nothing but the network itself and the gateway endpoint.
    leading = [f"{table['RouteTableId']} to {route.get('DestinationCidrBlock') or route.get('DestinationIpv6CidrBlock')}" for table in tables
               for route in table["Routes"] if route.get("GatewayId") != "local" and not route.get("GatewayId", "").startswith("vpce-")]
    insist(not leading, f"a route leads out of the network: {', '.join(leading)}. Remove it. {_again(deployed)}")
    groups = sorted({one for found in networks.values() for one in found["SecurityGroupIds"]})
    # Terraform allows other groups and the addresses of DynamoDB, and no addresses of its own.
    opened = [f"{one['GroupId']} to {block}" for one in ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"]
              for rule in one["IpPermissionsEgress"] for block in [
                  *(cidr["CidrIp"] for cidr in rule.get("IpRanges", [])), *(cidr["CidrIpv6"] for cidr in rule.get("Ipv6Ranges", []))]]
    insist(not opened, f"a security group allows addresses: {', '.join(opened)}. Remove the rule. {_again(deployed)}")
    if "ops-health" in networks:
        # It answers from inside: it has to reach the table and the cache.
        healthy(deployed)
    return f"{len(networks)} functions in {len(subnets)} subnets, without a route or a rule to the internet"


def oidc_subject(deployed: Deployed) -> str:
    url, token = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"), os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url or not token:
        raise Skipped("only a job of GitHub Actions with the permission id-token gets a token: run this command in a pipeline.")
    found = expect(routes.send(f"{url}&audience=sts.amazonaws.com", None, {"authorization": f"Bearer {token}"}, "GET"), 200, "the request of a token")
    part = str(found["value"]).split(".")[1]
    subject = str(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["sub"])
    given, iam = environments.values(deployed.settings), deployed.api.client("iam")
    accepted: dict[str, list[str]] = {}
    for role in ("plan", "deploy"):
        name = f"{environments.prefix(deployed.settings, given)}-{role}"
        policy: Any = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        policy = json.loads(unquote(policy)) if isinstance(policy, str) else policy
        for statement in policy["Statement"]:
            wanted: Any = statement.get("Condition", {}).get("StringEquals", {}).get("token.actions.githubusercontent.com:sub", [])
            accepted.setdefault(name, []).extend([wanted] if isinstance(wanted, str) else wanted)
    roles = [name for name, subjects in accepted.items() if subject in subjects]
    insist(roles, f"no role accepts the subject {subject}; they accept {json.dumps(accepted)}")
    return f"{' and '.join(roles)} accept {subject}"


def _states(deployed: Deployed) -> list[permissions.State]:
    """Terraform's states of all stacks."""
    settings, states = deployed.settings, list[permissions.State]()
    for stack in STACKS:
        text = aws.object_text(settings, settings.state_bucket, f"{stack}/terraform.tfstate")
        if text is None:
            raise Failed(f"there is no state of the stack {stack} in {settings.state_bucket}: run make deploy ENV={settings.env}")
        states.append(json.loads(text))
    return states


def _key_of_group(api: aws.Api, name: str) -> str | None:
    """The key of a log group. The groups whose names begin with this name are listed too."""
    groups = api.logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return next((one.get("kmsKeyId") for one in groups if one.get("logGroupName") == name), None)


def _key_of_table(api: aws.Api, name: str) -> str | None:
    return api.dynamodb.describe_table(TableName=name)["Table"].get("SSEDescription", {}).get("KMSMasterKeyArn")


def _key_of_function(api: aws.Api, name: str) -> str | None:
    return api.functions.get_function_configuration(FunctionName=name).get("KMSKeyArn")


def _key_of_bus(api: aws.Api, name: str) -> str | None:
    return api.events.describe_event_bus(Name=name).get("KmsKeyIdentifier")


def _key_of_queue(api: aws.Api, url: str) -> str | None:
    return api.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["KmsMasterKeyId"]).get("Attributes", {}).get("KmsMasterKeyId")


# What holds data, by the type of its resource: its name in a message, the attribute that names it, and how to get the ARN of its key.
ENCRYPTED: dict[str, tuple[str, str, Callable[[aws.Api, str], str | None]]] = {
    "aws_dynamodb_table": ("table", "name", _key_of_table),
    "aws_sqs_queue": ("queue", "url", _key_of_queue),
    "aws_lambda_function": ("function", "function_name", _key_of_function),
    "aws_cloudwatch_log_group": ("log group", "name", _key_of_group),
    "aws_cloudwatch_event_bus": ("event bus", "name", _key_of_bus),
}


def own_key(deployed: Deployed) -> str:
    if deployed.variable("kms_mode") != "cmk":
        raise Skipped("kms_mode is not cmk: AWS owns the key.")
    key = deployed.api.ssm.get_parameter(Name=f"/holdfast/{deployed.settings.env}/platform/kms-key-arn")["Parameter"].get("Value", "none")
    insist(key != "none", f"kms_mode is cmk, and no key is deployed: run make deploy ENV={deployed.settings.env}")
    counts, lacking = Counter[str](), list[str]()
    for resource in (resource for state in _states(deployed) for resource in state["resources"] if resource["type"] in ENCRYPTED):
        kind, attribute, key_of = ENCRYPTED[resource["type"]]
        for name in (str(instance["attributes"][attribute]) for instance in resource["instances"]):
            counts[kind] += 1
            if key_of(deployed.api, name) != key:
                lacking.append(f"{kind} {name}")
    insist(not lacking, f"not encrypted with the environment's key {key}: {', '.join(lacking)}. {_again(deployed)}")
    absent = sorted({kind for kind, *_ in ENCRYPTED.values()} - set(counts))
    insist(not absent, f"the states of the stacks name no {', no '.join(absent)}, so the check has nothing to compare")
    return f"the environment's key encrypts all: {', '.join(f'{count} × {kind}' for kind, count in counts.items())}"


def weights(deployed: Deployed) -> str:
    found = aws.aliases(deployed.settings, canary.ALIAS, sorted(deployed.functions.values()))
    lacking = sorted(set(deployed.functions.values()) - set(found))
    insist(not lacking, f"without the alias {canary.ALIAS}: {', '.join(lacking)}")
    split = [name for name, state in found.items() if state["weights"]]
    insist(not split, f"some calls go to a second version of {', '.join(split)}: a canary runs or was interrupted; a deploy or a rollback ends it")
    return f"the alias {canary.ALIAS} of {len(found)} functions has one version and no weights"


def rollback_ready(deployed: Deployed) -> str:
    settings = deployed.settings
    history = releases.History(settings)
    current = history.current()
    if current is None:
        raise Skipped("no release was recorded for this environment.")
    # A deploy that fails goes back to the current release. It is all that there is before the second one.
    before = history.get(current["previous"]) if current["previous"] else current
    if before is None:
        raise Failed(f"the record of release {current['previous']} is missing, so nothing can go back to it")
    lacking: list[str] = releases.lacking_in(before)
    for name, entry in before["functions"].items():
        file = settings.work / "artifacts" / entry["s3Key"]
        if not (file.exists() if settings.is_local else _is_object(deployed, entry["s3Key"])):
            lacking.append(name)
    insist(not lacking, f"release {before['name']} cannot be deployed again: it has no artifact of {', '.join(lacking)}")
    which = "the first one, to which the next deploy can go back" if before is current else "the one before this one"
    return f"release {before['name']}, {which}, has its {len(before['functions'])} artifacts"


def _is_object(deployed: Deployed, key: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        deployed.api.s3.head_object(Bucket=deployed.settings.artifacts_bucket, Key=key)
        return True
    except ClientError as error:
        if aws.is_missing(error):
            return False
        raise


def alarms(deployed: Deployed) -> str:
    """CloudWatch lists a metric for two weeks after its last datapoint."""
    watch = deployed.api.cloudwatch
    wanted: dict[str, tuple[str, Any]] = {}
    for page in watch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{deployed.prefix}-", AlarmTypes=["MetricAlarm"]):
        for alarm in page["MetricAlarms"]:
            for query in alarm.get("Metrics", []):
                metric: Any = query.get("MetricStat", {}).get("Metric")
                if metric:
                    wanted[json.dumps(metric, sort_keys=True)] = alarm.get("AlarmName", ""), metric
    insist(wanted, f"there is no alarm of the prefix {deployed.prefix}-")
    empty: dict[str, list[str]] = {"AWS": [], "Holdfast": []}
    for alarm, metric in wanted.values():
        given: Any = [{"Name": one["Name"], "Value": one["Value"]} for one in metric.get("Dimensions", [])]
        if not watch.list_metrics(Namespace=metric["Namespace"], MetricName=metric["MetricName"], Dimensions=given)["Metrics"]:
            empty["AWS" if metric["Namespace"].startswith("AWS/") else "Holdfast"].append(f"{metric['MetricName']} of {alarm}")
    text = f"{len(wanted) - sum(map(len, empty.values()))} of {len(wanted)} metrics of alarms have a datapoint"
    # A count of faults has none before the first fault. Lambda, SQS and API Gateway count every call.
    insist(not empty["AWS"], f"{text}; without one: {', '.join(empty['AWS'])}. Call each function once, and see docs/runbooks")
    insist(not empty["Holdfast"] or len(empty["Holdfast"]) < sum(not metric["Namespace"].startswith("AWS/") for _, metric in wanted.values()),
           f"{text}; none of Holdfast's own has: the functions' metrics do not arrive")
    return text + (f"; not counted yet: {', '.join(empty['Holdfast'])}" if empty["Holdfast"] else "")


def roles_tried(deployed: Deployed) -> str:
    iam_probe.check(deployed.settings)
    return "the role of every function may do what docs/security/permissions.md lists, and nothing else; each action was tried"


def roles_simulated(deployed: Deployed) -> str:
    """Asks IAM. Its answer includes the permissions boundary, and not the policies of keys, queues and endpoints."""
    iam, account = deployed.api.client("iam"), aws.caller(deployed.settings)["account"]
    granted = {key: permissions.grants(policy) for state in _states(deployed) for key, policy in permissions.policies(state).items()}
    lacking = sorted(set(deployed.functions) ^ set(granted))
    insist(not lacking, f"the states of the stacks and the outputs do not agree about {', '.join(lacking)}: run make deploy "
                        f"ENV={deployed.settings.env}")
    asked: dict[tuple[str, str], dict[str, bool]] = {}
    for function, action, arn, allowed in permissions.judged(granted, iam_probe.extra_of(deployed.known, account)):
        asked.setdefault((function, arn), {})[action] = allowed
    wrong: list[str] = []
    for (function, arn), actions in asked.items():
        context = [{"ContextKeyName": "kms:EncryptionContext:userId", "ContextKeyValues": ["none"], "ContextKeyType": "string"},
                   {"ContextKeyName": "kms:EncryptionContextKeys", "ContextKeyValues": ["userId"], "ContextKeyType": "stringList"}]
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=f"arn:aws:iam::{account}:role/{deployed.functions[function]}", ActionNames=sorted(actions), ResourceArns=[arn],
            ContextEntries=context)
        said = {result["EvalActionName"]: result["EvalDecision"] for page in pages for result in page["EvaluationResults"]}
        wrong += [f"{function}: {action} on {arn} is {said.get(action, 'not answered')}" for action, allowed in actions.items()
                  if said.get(action) not in (("allowed",) if allowed else ("implicitDeny", "explicitDeny"))]
    insist(not wrong, f"{len(wrong)} answers differ from docs/security/permissions.md: {'; '.join(wrong[:5])}. {_again(deployed)}. If they stay, "
                      "check the permissions boundary and the policies of the organization")
    return f"IAM answers {sum(map(len, asked.values()))} questions about {len(granted)} roles as docs/security/permissions.md"
