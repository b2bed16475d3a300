"""The role of a pipeline in rehearsals: it is the bootstrap's, with nothing added that AWS compares."""

import base64
import json
import unittest

from botocore.exceptions import ClientError
from fakes import read

from holdfast_cli.core import environment
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.deploy import terraform
from holdfast_cli.verify import pipeline_role

ARN = "arn:aws:iam::000000000000:role/holdfast-staging-deploy"
TAGGED = {"StringEquals": {"aws:ResourceTag/project": ["holdfast"]}}
BOUND = {"StringEquals": {"iam:PermissionsBoundary": ["arn:boundary"]}}


class Cloud:
    """STS and IAM of a local cloud; `lax` names what it does not compare."""

    def __init__(self, lax=""):
        self.lax, self.added, self.callers = lax, {}, []

    def client(self, service, *own):
        self.callers.append((service, own))
        return self

    def refuse(self, operation):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, operation)

    def list_role_policies(self, RoleName):
        return {"PolicyNames": ["pipeline"]}

    def get_role_policy(self, RoleName, PolicyName):
        return {"PolicyDocument": {"Statement": [
            {"Sid": "Roles", "Effect": "Allow", "Action": ["iam:CreateRole"], "Resource": ["arn:roles"], "Condition": BOUND},
            {"Sid": "Others", "Effect": "Deny", "Action": ["kms:*"], "Resource": ["arn:keys"], "Condition": TAGGED}]}}

    def list_attached_role_policies(self, RoleName):
        return {"AttachedPolicies": [{"PolicyArn": "arn:names"}]}

    def get_policy(self, PolicyArn):
        return {"Policy": {"DefaultVersionId": "v3"}}

    def get_policy_version(self, PolicyArn, VersionId):
        return {"PolicyVersion": {"Document": {"Statement": [
            {"Sid": "Networks", "Effect": "Allow", "Action": ["ec2:DeleteVpc"], "Resource": [VersionId], "Condition": TAGGED}]}}}

    def put_role_policy(self, RoleName, PolicyName, PolicyDocument):
        self.added[RoleName] = json.loads(PolicyDocument)["Statement"]

    def assume_role_with_web_identity(self, RoleArn, RoleSessionName, DurationSeconds, WebIdentityToken):
        part = WebIdentityToken.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        if claims["sub"] != "repo:example/holdfast:environment:staging" and self.lax != "trust":
            self.refuse("AssumeRoleWithWebIdentity")
        return {"Credentials": {"AccessKeyId": "key", "SecretAccessKey": "secret", "SessionToken": "token"}}

    def create_role(self, RoleName, AssumeRolePolicyDocument):
        if self.lax != "boundary":
            self.refuse("CreateRole")


class Role(unittest.TestCase):
    def test_its_own_actions_are_compared_where_the_cloud_knows_no_resource(self):
        cloud = Cloud()
        self.assertEqual(pipeline_role.assume(cloud.client, "staging", ARN), ("key", "secret", "token"))
        self.assertEqual(cloud.added, {"holdfast-staging-deploy": [
            {"Effect": "Allow", "Action": ["iam:CreateRole"], "Resource": "?", "Condition": BOUND},
            {"Effect": "Allow", "Action": ["ec2:DeleteVpc"], "Resource": "?"},
        ]})
        self.assertEqual(cloud.callers[-1], ("iam", ("key", "secret", "token")), "the role itself tries to make a role")

    def test_a_cloud_that_compares_nothing_is_refused(self):
        for lax, says in (("trust", "another environment"), ("boundary", "without the permissions boundary")):
            with self.subTest(lax), self.assertRaisesRegex(Failed, says):
                pipeline_role.assume(Cloud(lax).client, "staging", ARN)

    def test_only_a_rehearsal_takes_its_credentials(self):
        given = {"ENV": "staging", "HOLDFAST_REHEARSAL_CREDENTIALS": "key secret token"}
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        played = environment.of(read(**given, HOLDFAST_REHEARSAL="1"))
        self.assertEqual([played[name] for name in names], ["key", "secret", "token"])
        self.assertEqual(environment.of(read(ENV="staging", HOLDFAST_REHEARSAL="1"))["AWS_ACCESS_KEY_ID"], "test")
        self.assertEqual(read(**given).credentials, ())

    def test_a_bootstrap_takes_its_own_variables_and_a_deploy_does_not(self):
        given = read(VARS="github_repository=example/holdfast")
        terraform.check_variables(given, ("bootstrap",))
        with self.assertRaisesRegex(Refused, "no stack has a variable github_repository"):
            terraform.check_variables(given)


if __name__ == "__main__":
    unittest.main()
