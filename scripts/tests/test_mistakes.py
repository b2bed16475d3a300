"""Every mistake ends in one line, and changes nothing."""

import contextlib
import io
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fakes import OPERATE, Command, FakeAws, read

import aws  # noqa: I001
import settings
import terraform
import troubles
from say import Failed, Refused


class Troubles(unittest.TestCase):
    """What Terraform 1.11 prints, and what is made of it."""

    def refused(self, text, what="plan"):
        found = troubles.of(what, "auth", text, "/log")
        self.assertIsInstance(found, Refused)
        self.assertNotIn("\n", str(found))
        return str(found)

    def test_a_locked_state_names_who_holds_it_and_the_way_out(self):
        said = self.refused("""
╷
│ Error: Error acquiring the state lock
│ 
│ Error message: operation error S3: PutObject, https response error StatusCode: 412, PreconditionFailed
│ Lock Info:
│   ID:        0a1b2c3d-1111-2222-3333-444455556666
│   Path:      bucket/auth/terraform.tfstate
│   Operation: OperationTypeApply
│   Who:       ada@laptop
│   Version:   1.11.4
│   Created:   2026-01-02 03:04:05.6 +0000 UTC
│   Info:      
│ 
╵
""")
        for part in ("ada@laptop", "2026-01-02", "force-unlock 0a1b2c3d-1111-2222-3333-444455556666", "stack auth"):
            self.assertIn(part, said)

    def test_expired_credentials(self):
        for text in ("│ Error: reading SSM Parameter: ExpiredTokenException: The security token included in the request is expired",
                     "Error: refreshing state: api error ExpiredToken: The provided token has expired."):
            self.assertIn("expired: sign in again", self.refused(text))

    def test_credentials_of_another_account(self):
        self.assertIn("123456789012", self.refused("│ Error: AWS account ID not allowed: 123456789012\n│ \n│   with provider"))

    def test_a_region_that_does_not_exist(self):
        self.assertIn("us-east-9", self.refused("│ Error: Invalid AWS Region: us-east-9\n│ \n"))

    def test_no_credentials(self):
        self.assertIn("no AWS credentials", self.refused("│ Error: No valid credential sources found\n│ \n│ Please see"))

    def test_anything_else_is_shown_as_terraform_said_it_with_the_log(self):
        found = troubles.of("apply", "push", "│ Error: creating SQS Queue: TooMany\n│ \n│   with module.queue\n╵\n", "/log")
        self.assertIsInstance(found, Failed)
        for part in ("terraform apply of stack push failed", "creating SQS Queue: TooMany", "/log"):
            self.assertIn(part, str(found))


class Mistakes(unittest.TestCase):
    def client(self, body, status=403, region="us-east-1", **environ):
        """What aws_client.py says when STS answers so."""
        tools = settings.ROOT / ".tools" / "bin" / "python"
        if not tools.exists():
            self.skipTest("make tools has not run")
        with FakeAws(status, body) as fake:
            kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
            result = subprocess.run(
                [tools, "-B", OPERATE / "aws_client.py", region, "identity"], capture_output=True, text=True, check=False,
                env={**kept, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": fake.url,
                     "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1", **environ})
        return result

    ERROR = b"<ErrorResponse><Error><Code>%s</Code><Message>no</Message></Error></ErrorResponse>"

    def test_expired_credentials_are_refused_in_one_line(self):
        result = self.client(self.ERROR % b"ExpiredToken")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertEqual(result.stderr, "the AWS credentials have expired: sign in again.\n")

    def test_refused_credentials_are_named_with_the_reason(self):
        result = self.client(self.ERROR % b"InvalidClientTokenId")
        self.assertEqual(result.returncode, 2)
        self.assertIn("InvalidClientTokenId", result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1)

    def test_a_region_that_does_not_exist_is_refused_before_anything_is_asked(self):
        result = self.client(b"", 500, region="us-east-9")
        self.assertEqual((result.returncode, result.stderr), (2, "region us-east-9 does not exist.\n"))

    def test_no_credentials_are_refused_in_one_line(self):
        result = self.client(b"", 500, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_CONFIG_FILE=os.devnull,
                             AWS_SHARED_CREDENTIALS_FILE=os.devnull)
        self.assertEqual(result.returncode, 2)
        self.assertTrue(result.stderr.startswith("no AWS credentials"), result.stderr)

    def test_another_account_is_refused(self):
        chosen = read(ENV="staging")
        with mock.patch.object(aws, "_client", lambda *_: {"account": "222222222222", "arn": "arn"}):
            with self.assertRaises(Refused) as caught:
                aws.identity(chosen, {"allowed_account_ids": '["111111111111"]'})
            self.assertIn("111111111111, but these credentials are of 222222222222", str(caught.exception))
            aws.identity(chosen, {"allowed_account_ids": '["222222222222"]'})
        # What the files do not name is what make bootstrap makes.
        self.assertEqual((chosen.state_bucket, chosen.artifacts_bucket),
                         ("holdfast-staging-state-222222222222", "holdfast-staging-artifacts-222222222222"))

    def test_an_environment_without_its_files_is_refused(self):
        chosen = read(ENV="staging")
        with tempfile.TemporaryDirectory(dir=settings.ROOT) as folder:
            class Elsewhere(type(chosen)):
                tfvars_file = Path(folder) / "staging.tfvars"
                backend_file = Path(folder) / "staging.s3.tfbackend"

            chosen.__class__ = Elsewhere
            for wanted, file in (("staging.tfvars is missing", Elsewhere.tfvars_file), ("staging.s3.tfbackend is missing", Elsewhere.backend_file)):
                with self.assertRaises(Refused) as caught:
                    aws.inputs(chosen)
                self.assertIn(wanted, str(caught.exception))
                self.assertNotIn("\n", str(caught.exception))
                file.write_text('region = "eu-central-1"\n', encoding="utf-8")
            aws.inputs(chosen)
        self.assertEqual(chosen.region, "eu-central-1")

    def test_a_pipeline_takes_its_role_from_the_environments_file(self):
        with mock.patch.object(aws, "inputs", lambda _: {"allowed_account_ids": '["111111111111"]'}):
            self.assertEqual(aws.target(read(ENV="production"), "deploy"),
                             ["region=us-east-1", "role=arn:aws:iam::111111111111:role/holdfast-production-deploy"])
            with self.assertRaises(Refused):
                aws.target(read(ENV="production"), "admin")
        with mock.patch.object(aws, "inputs", lambda _: {}), self.assertRaises(Refused) as caught:
            aws.target(read(ENV="staging"), "plan")
        self.assertIn("infra/environments/staging.tfvars", str(caught.exception))

    def test_an_environment_that_was_never_bootstrapped_says_so(self):
        chosen = read(ENV="staging")
        chosen.state_bucket, chosen.artifacts_bucket = "state", "artifacts"
        with mock.patch.object(aws, "_client", lambda *_: {"present": ["state"]}), self.assertRaises(Refused) as caught:
            aws.require_buckets(chosen)
        self.assertEqual(str(caught.exception), "there is no bucket artifacts: run `make bootstrap ENV=staging` once.")


class Plans(unittest.TestCase):
    """Terraform is a script here: what it is asked, in which order, and what is never asked."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.settings = read(HOLDFAST_WORK_DIR=folder.name)
        self.calls = self.folder / "calls"

    def stacks(self, plans, shown):
        """Stacks whose plan ends with `plans[name]` and whose plan, as JSON, is `shown[name]`."""
        found = terraform.stacks(self.settings)
        for stack in found:
            for folder in (stack.directory, stack.log.parent, stack.state.parent):
                folder.mkdir(parents=True, exist_ok=True)
            stack.state.write_text("{}")
            stack.log.write_text("")
            (stack.directory / "plan.json").write_text(json.dumps(shown.get(stack.name, {})))
            (stack.directory / "code").write_text(str(plans.get(stack.name, 0)))
        return found

    def apply(self, plans, shown=None, **environ):
        script = (f'echo "$(basename "$PWD") $1" >>{self.calls}\ncase "$1" in\n'
                  'plan) echo "Plan: 0 to add, 1 to change, 1 to destroy."; exit "$(cat code)";;\n'
                  "show) cat plan.json;;\nesac")
        with Command(self.folder / "bin", terraform=script), contextlib.redirect_stdout(io.StringIO()), \
                mock.patch.dict(os.environ, environ):
            return terraform.apply_all(self.settings, self.stacks(plans, shown or {}))

    def called(self, what):
        return [name for name, verb in (text.split() for text in self.calls.read_text().splitlines()) if verb == what]

    TABLE = {"resource_changes": [{"address": "module.t.aws_dynamodb_table.this", "type": "aws_dynamodb_table",
                                   "change": {"actions": ["delete", "create"]}}]}

    def test_nothing_is_applied_when_nothing_differs(self):
        self.assertEqual(self.apply({}), [])
        self.assertEqual(self.called("apply"), [])

    def test_only_what_differs_is_applied(self):
        self.assertEqual(self.apply({"auth": 2}), ["auth"])
        self.assertEqual(self.called("apply"), ["auth"])

    def test_a_replaced_table_in_a_late_stack_stops_all_stacks_before_the_first_is_changed(self):
        with self.assertRaises(Refused) as caught:
            self.apply({"platform": 2, "events": 2}, {"events": self.TABLE})
        self.assertIn("module.t.aws_dynamodb_table.this", str(caught.exception))
        self.assertIn("ALLOW_DESTROY=1", str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(self.called("apply"), [])

    def test_allow_destroy_lets_it(self):
        self.assertEqual(sorted(self.apply({"events": 2}, {"events": self.TABLE}, ALLOW_DESTROY="1")), ["events"])

    def test_a_plan_that_fails_changes_nothing(self):
        with self.assertRaises(Failed):
            self.apply({"platform": 1, "auth": 2})
        self.assertEqual(self.called("apply"), [])


if __name__ == "__main__":
    unittest.main()
