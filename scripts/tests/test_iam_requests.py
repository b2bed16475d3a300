"""What the local cloud compares with the policies of a pipeline's role is what AWS compares."""

import json
import sys
import unittest
from unittest import mock

from fakes import SCRIPTS
from ministack.core import iam_actions
from ministack.services import ec2, iam, tagging

HEADERS = {"CreateEventBus": {"x-amz-target": "AWSEvents.CreateEventBus"}, "PutRule": {"x-amz-target": "AWSEvents.PutRule"},
           "PutTargets": {"x-amz-target": "AWSEvents.PutTargets"}}


class Requests(unittest.TestCase):
    def setUp(self):
        # Installing replaces functions of the emulator for its whole process.
        for name in ("extract_iam_action", "request_tag_context", "extract_resource_arn"):
            before = mock.patch.object(iam_actions, name, getattr(iam_actions, name))
            before.start()
            self.addCleanup(before.stop)
        before = mock.patch.dict(tagging._RESOURCE_TAG_COLLECTORS)
        before.start()
        self.addCleanup(before.stop)
        with mock.patch.object(sys, "path", [str(SCRIPTS / "local"), *sys.path]):
            import iam_requests
        iam_requests.install()

    def arn(self, operation, **body):
        return iam_actions.extract_resource_arn("events", "POST", "/", HEADERS[operation], json.dumps(body).encode(), {}, "us-east-1", "1")

    def boundary(self, action, **parameters):
        return iam_actions.request_tag_context("iam", action, b"", parameters).get("iam:permissionsboundary")

    def test_a_bus_is_a_bus_and_a_rule_of_the_default_bus_does_not_name_it(self):
        self.assertEqual(self.arn("CreateEventBus", Name="shop"), "arn:aws:events:us-east-1:1:event-bus/shop")
        self.assertEqual(self.arn("PutRule", Name="late"), "arn:aws:events:us-east-1:1:rule/late")
        self.assertEqual(self.arn("PutRule", Name="late", EventBusName="shop"), "arn:aws:events:us-east-1:1:rule/shop/late")
        self.assertEqual(self.arn("PutTargets", Rule="late"), "arn:aws:events:us-east-1:1:rule/late")
        self.assertEqual(self.arn("PutTargets", Rule="late", EventBusName="arn:aws:events:us-east-1:1:event-bus/shop"), "arn:aws:events:us-east-1:1:rule/shop/late")

    def test_the_boundary_is_that_of_the_request_or_of_the_role(self):
        self.assertEqual(self.boundary("iam:CreateRole", RoleName="a", PermissionsBoundary="arn:named"), "arn:named")
        self.assertIsNone(self.boundary("iam:CreateRole", RoleName="a"))
        with mock.patch.object(iam, "_roles", {"bound": {"PermissionsBoundary": "arn:own"}, "free": {}}):
            self.assertEqual(self.boundary("iam:PutRolePolicy", RoleName="bound"), "arn:own")
            for role in ("free", "missing"):
                self.assertIsNone(self.boundary("iam:PutRolePolicy", RoleName=role))

    def test_a_mapping_that_is_made_names_its_function(self):
        def function(action, name):
            return iam_actions.request_tag_context("lambda", action, json.dumps({"FunctionName": name}).encode(), {}).get("lambda:functionarn")

        arn = "arn:aws:lambda:us-east-1:1:function:worker:live"
        self.assertEqual(function("lambda:CreateEventSourceMapping", arn), arn)
        self.assertTrue(function("lambda:CreateEventSourceMapping", "worker").endswith(":function:worker"))
        self.assertIsNone(function("lambda:CreateFunction", arn))

    def test_a_network_has_the_tags_that_it_was_given(self):
        tags = [{"Key": "environment", "Value": "staging"}]
        for name, kind in (("vpce-1a", "vpc-endpoint"), ("sg-1a", "security-group")):
            parameter = {"vpce": "VpcEndpointId.1", "sg": "GroupId"}[name.split("-")[0]]
            arn = iam_actions.extract_resource_arn("ec2", "POST", "/", {}, b"", {parameter: [name]}, "us-east-1", "000000000000")
            self.assertEqual(arn, f"arn:aws:ec2:us-east-1:000000000000:{kind}/{name}")
            with mock.patch.object(ec2, "_tags", {name: tags}):
                self.assertEqual(tagging.resource_tags(arn), {"environment": "staging"})
                self.assertIsNone(tagging.resource_tags(f"{arn}b"))

    def test_a_distribution_with_tags_needs_the_right_to_create_one(self):
        asked = iam_actions.extract_iam_action("cloudfront", "POST", "/2020-05-31/distribution", {}, b"", {"WithTags": [""]})
        self.assertEqual(asked, "cloudfront:CreateDistribution")


if __name__ == "__main__":
    unittest.main()
