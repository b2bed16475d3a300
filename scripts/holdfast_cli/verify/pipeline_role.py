"""The credentials of the role `deploy`, as a pipeline gets them, on a local cloud: `python -m holdfast_cli.verify.pipeline_role <ENV> <ARN>`
prints them as shell exports. Rehearsals use them, so that an action that the role may not do is found before a first deploy to AWS.
"""

from __future__ import annotations

import base64
import json
import shlex
import sys
from collections.abc import Callable
from typing import Any

from holdfast_cli.core.errors import Failed

# The repository whose pipelines may take the role.
REPOSITORY = "example/holdfast"
_REFUSED = ("AccessDenied", "AccessDeniedException")
_BOUNDARY = "iam:PermissionsBoundary"
# As bootstrap allows it.
_SECONDS = 14400


def _token(environment: str) -> str:
    """A token as GitHub gives it to a job of this environment. The local cloud reads its claims and no signature."""
    claims = {"iss": "https://token.actions.githubusercontent.com", "aud": "sts.amazonaws.com", "sub": f"repo:{REPOSITORY}:environment:{environment}"}
    parts: tuple[dict[str, str], ...] = ({"alg": "none"}, claims, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def _is_refused(ask: Callable[[], object]) -> bool:
    from botocore.exceptions import ClientError

    try:
        ask()
    except ClientError as trouble:
        return trouble.response.get("Error", {}).get("Code") in _REFUSED
    return False


def _compare_actions_alone(iam: Any, role: str) -> None:
    """The local cloud does not know the resource of each request: it compares `*` then, which the patterns of the role's policies do not
    match. A policy is added that allows the role's own actions on a resource whose name has one character, which is that one only."""
    names: list[str] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        documents.append(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
    statements: list[dict[str, Any]] = []
    for statement in (statement for document in documents for statement in document["Statement"] if statement["Effect"] == "Allow"):
        # The condition on the boundary stays. The tags of a resource that is not known are not known either.
        kept = {"Condition": statement["Condition"]} if _BOUNDARY in json.dumps(statement.get("Condition")) else {}
        statements.append({"Effect": "Allow", "Action": statement["Action"], "Resource": "?", **kept})
    iam.put_role_policy(RoleName=role, PolicyName="of-the-local-cloud", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))


def assume(client: Callable[..., Any], env: str, arn: str) -> tuple[str, str, str]:
    """Access key, secret and token of the role. `client(service, *credentials)` makes a client of the local cloud.

    An apply with them shows something only if the local cloud compares them with the role's policies. So this fails if a job of another
    environment gets the role, or if the role can make a role without the permissions boundary."""
    role, sts = arn.rsplit("/", 1)[-1], client("sts")
    _compare_actions_alone(client("iam"), role)

    def ask(environment: str) -> dict[str, str]:
        return sts.assume_role_with_web_identity(
            RoleArn=arn, RoleSessionName="pipeline", DurationSeconds=_SECONDS, WebIdentityToken=_token(environment))["Credentials"]

    if not _is_refused(lambda: ask("another")):
        raise Failed(f"a job of another environment gets the role {arn}")
    found = ask(env)
    own = found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]
    iam = client("iam", *own)
    trust = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
    if not _is_refused(lambda: iam.create_role(RoleName=f"{role.removesuffix('-deploy')}-free", AssumeRolePolicyDocument=trust)):
        raise Failed(f"the role {arn} can make a role without the permissions boundary")
    return own


def main() -> None:
    import boto3

    def client(service: str, *own: str) -> Any:
        # Of a service whose name is not fixed here nothing is known.
        session: Any = boto3.Session(*own, region_name="us-east-1")
        return session.client(service)

    try:
        own = assume(client, sys.argv[1], sys.argv[2])
    except Failed as trouble:
        sys.exit(str(trouble))
    for name, value in zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), own, strict=True):
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
