"""What the local cloud compares with the policies of a pipeline's role is what AWS compares."""

import json
import sys
import unittest
from unittest import mock

from fakes import SCRIPTS
from ministack.core import iam_actions
from ministack.services import iam

HEADERS = {"CreateEventBus": {"x-amz-target": "AWSEvents.CreateEventBus"}, "PutRule": {"x-amz-target": "AWSEvents.PutRule"},
           "PutTargets": {"x-amz-target": "AWSEvents.PutTargets"}}


class Requests(unittest.TestCase):
    def setUp(self):
        # Installing replaces two functions of the emulator for its whole process.
        for name in ("request_tag_context", "extract_resource_arn"):
            before = mock.patch.object(iam_actions, name, getattr(iam_actions, name))
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


if __name__ == "__main__":
    unittest.main()
