"""Every mistake ends in one line, and changes nothing."""

import contextlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

from fakes import Command, FakeAws, called, read

from holdfast_cli.core import interpreter, settings, tfvars
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.deploy import aws, bootstrap, deploy, environments, preparation, stacks, terraform, terraform_errors, unchanged


class Troubles(unittest.TestCase):
    """What Terraform 1.11 prints, and the message for it."""

    def refused(self, text, what="plan"):
        found = terraform_errors.explain(what, "auth", text, "/log")
        self.assertIsInstance(found, Refused)
        self.assertNotIn("\n", str(found))
        return str(found)

    def test_a_locked_state_names_who_holds_it_and_the_way_out(self):
        said = self.refused("""
╷
│ Error: Error acquiring the state lock
│ 
│ Error message: operation error S3: PutObject, https response error StatusCode: 412, RequestID: 0f1299ef-7860-424c-8ad2-5a27b4cefce9,
│ HostID: nB/m2fumi, api error PreconditionFailed: At least one of the pre-conditions did not hold
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

    def test_a_boundary_that_is_missing_or_must_not_be_looked_at(self):
        for reason in ("couldn't find resource", "operation error IAM: GetPolicy, https response error StatusCode: 403"):
            said = self.refused(f"│ Error: reading IAM Policy (arn:aws:iam::000000000000:policy/holdfast-staging-boundary): {reason}\n╵\n")
            self.assertIn("no permissions boundary holdfast-staging-boundary: run `make bootstrap`", said)

    def test_what_a_validation_says_is_told(self):
        text = ('│ Error: Invalid value for variable\n│ \n│   on declarations.tf line 150, in module "context":\n│  150:   refresh_grace_seconds = var.refresh_grace_seconds\n'
                '│     ├────────────────\n│     │ var.refresh_grace_seconds is 61\n│ \n│ refresh_grace_seconds must be a whole number from 0 to 60.\n│ \n'
                '│ This was checked by the validation rule at\n╵\n')
        found = str(terraform_errors.explain("plan", "auth", text, "/log"))
        self.assertIn("refresh_grace_seconds must be a whole number from 0 to 60.", found)
        self.assertNotIn("╵", found)

    def test_anything_else_is_shown_as_terraform_said_it_with_the_log(self):
        found = terraform_errors.explain("apply", "push", "│ Error: creating SQS Queue: TooMany\n│ \n│   with module.queue\n╵\n", "/log")
        self.assertIsInstance(found, Failed)
        for part in ("terraform apply of stack push failed", "creating SQS Queue: TooMany", "/log"):
            self.assertIn(part, str(found))


class Mistakes(unittest.TestCase):
    ERROR = b"<ErrorResponse><Error><Code>%s</Code><Message>no</Message></Error></ErrorResponse>"

    def refusal(self, body, status=403, **environ):
        """The one line about an AWS whose STS answers so."""
        with FakeAws(status, body) as fake:
            kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
            given = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": fake.url, "AWS_EC2_METADATA_DISABLED": "true",
                     "NO_PROXY": "127.0.0.1", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
            chosen = read(ENV="staging")
            chosen.region = environ.pop("region", chosen.region)
            with mock.patch.dict(os.environ, {**kept, **given, **environ}, clear=True), self.assertRaises(Refused) as caught:
                aws.caller(chosen)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    def test_expired_credentials_are_refused_in_one_line(self):
        self.assertEqual(self.refusal(self.ERROR % b"ExpiredToken"), "ENV=staging: the AWS credentials have expired: sign in again.")

    def test_refused_credentials_are_named_with_the_reason(self):
        self.assertIn("InvalidClientTokenId", self.refusal(self.ERROR % b"InvalidClientTokenId"))

    def test_a_region_that_does_not_exist_is_refused_before_anything_is_asked(self):
        self.assertEqual(self.refusal(b"", 500, region="us-east-9"), "ENV=staging: region us-east-9 does not exist.")

    def test_no_credentials_are_refused_in_one_line(self):
        said = self.refusal(b"", 500, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
        self.assertTrue(said.startswith("ENV=staging: no AWS credentials"), said)

    def test_the_local_cloud_is_asked_with_its_own_credentials_whatever_the_callers_are(self):
        with mock.patch.dict(os.environ, {"AWS_PROFILE": "nobodys", "AWS_SESSION_TOKEN": "secret", "AWS_CONFIG_FILE": "/nowhere"}):
            found = aws.Api(read()).session.get_credentials().get_frozen_credentials()
        self.assertEqual((found.access_key, found.secret_key, found.token), ("test", "test", None))

    def test_another_account_is_refused(self):
        chosen = read(ENV="staging")
        with mock.patch.object(aws, "caller", lambda *_: {"account": "222222222222", "arn": "arn"}):
            with self.assertRaises(Refused) as caught:
                aws.identity(chosen, {"allowed_account_ids": ["111111111111"]})
            self.assertIn("111111111111, but these credentials are of 222222222222", str(caught.exception))
            aws.identity(chosen, {"allowed_account_ids": ["222222222222"]})
        # What the files do not name is what make bootstrap makes.
        self.assertEqual((chosen.state_bucket, chosen.artifacts_bucket),
                         ("holdfast-staging-state-222222222222", "holdfast-staging-artifacts-222222222222"))

    def test_an_account_that_nobody_has_named_is_refused_before_anything_is_made(self):
        def refusal(work, values, **environ):
            chosen = read(ENV="staging", BUILD="0", HOLDFAST_WORK_DIR=folder, **environ)
            with mock.patch.object(environments, "fill_in", lambda _: values), \
                    mock.patch.multiple(aws, caller=lambda *_: {"account": "222222222222", "arn": "arn"}, require_buckets=past, buckets=past), \
                    mock.patch.multiple(preparation.tools, require_terraform=lambda: None, install=lambda *_: None), \
                    mock.patch.object(deploy.cloud, "start", lambda *_: []), \
                    contextlib.redirect_stdout(io.StringIO()), self.assertRaises(Refused) as caught:
                work(chosen)
            return str(caught.exception)

        def past(_settings):
            raise Refused("the next question")

        says = 'ENV=staging names no account: if it is that of these credentials, write allowed_account_ids = ["222222222222"] into infra/environments/staging.tfvars.'
        with tempfile.TemporaryDirectory() as folder:
            for work in (deploy.deploy, bootstrap.bootstrap):
                self.assertEqual(refusal(work, {}), says)
                self.assertEqual(refusal(work, {"allowed_account_ids": ["222222222222"]}), "the next question")
                self.assertEqual(refusal(work, {}, VARS="allowed_account_ids=222222222222"), "the next question")
                # The local cloud has one account, which is nobody's.
                self.assertEqual(refusal(work, {}, HOLDFAST_REHEARSAL="1"), "the next question")

    def test_an_environment_without_its_files_is_refused(self):
        chosen = read(ENV="staging")
        with tempfile.TemporaryDirectory(dir=settings.ROOT) as folder:
            class Elsewhere(type(chosen)):
                tfvars_file = Path(folder) / "staging.tfvars"
                backend_file = Path(folder) / "staging.s3.tfbackend"

            chosen.__class__ = Elsewhere
            for wanted, file in (("staging.tfvars is missing", Elsewhere.tfvars_file), ("staging.s3.tfbackend is missing", Elsewhere.backend_file)):
                with self.assertRaises(Refused) as caught:
                    environments.fill_in(chosen)
                self.assertIn(wanted, str(caught.exception))
                self.assertNotIn("\n", str(caught.exception))
                file.write_text('region = "eu-central-1"\n', encoding="utf-8")
            environments.fill_in(chosen)
        self.assertEqual(chosen.region, "eu-central-1")

    def test_a_pipeline_takes_its_role_from_the_environments_file(self):
        with mock.patch.object(environments, "fill_in", lambda _: {"allowed_account_ids": ["111111111111"]}):
            self.assertEqual(environments.target(read(ENV="production"), "deploy"),
                             ["region=us-east-1", "role=arn:aws:iam::111111111111:role/holdfast-production-deploy"])
            with self.assertRaises(Refused):
                environments.target(read(ENV="production"), "admin")
        with mock.patch.object(environments, "fill_in", lambda _: {}), self.assertRaises(Refused) as caught:
            environments.target(read(ENV="staging"), "plan")
        self.assertIn("infra/environments/staging.tfvars", str(caught.exception))

    def test_an_environment_that_was_never_bootstrapped_says_so(self):
        chosen = read(ENV="staging")
        chosen.state_bucket, chosen.artifacts_bucket = "state", "artifacts"
        with mock.patch.object(aws, "buckets", lambda *_: ["state"]), self.assertRaises(Refused) as caught:
            aws.require_buckets(chosen)
        self.assertEqual(str(caught.exception), "there is no bucket artifacts: run `make bootstrap ENV=staging` once.")


# What an operator's own shell may say.
NAMED = ("ENV", "ARCH", "CACHE", "VARS", "SERVICE", "ONLY", "BUILD")



class Told(unittest.TestCase):
    def test_an_environment_whose_alarms_reach_nobody_is_named(self):
        topic = "arn:aws:sns:us-east-1:111111111111:alarms"
        self.assertTrue(environments.alarms_reach_nobody(read(ENV="staging"), {}))
        self.assertFalse(environments.alarms_reach_nobody(read(ENV="staging"), {"alarm_topic_arns": [topic]}))
        self.assertFalse(environments.alarms_reach_nobody(read(ENV="staging", VARS=f"alarm_topic_arns={topic}"), {}))


class Scope(unittest.TestCase):
    """Two environments of one account: the names of one are within the permissions of the other."""

    def refusal(self, given, **others):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in {"staging": "", "local": "", **others}.items():
                (Path(folder) / f"{name}.tfvars").write_text(text)
            chosen = types.SimpleNamespace(env="staging", variables={}, tfvars_file=Path(folder) / "staging.tfvars")
            try:
                environments.require_own_scope(chosen, given)
            except Refused as refused:
                return str(refused)

    def test_a_prefix_of_another_prefix_is_refused_in_the_same_or_an_unknown_account(self):
        own = {"name_prefix": "shop", "allowed_account_ids": ["111111111111"]}
        for text in ('name_prefix = "shop-eu"\nallowed_account_ids = ["111111111111"]\n', 'name_prefix = "shop-eu"\n', 'name_prefix = "shop"\n'):
            self.assertIn("permissions on shop-* reach both", self.refusal(own, eu=text) or "", text)
        self.assertIn("permissions on holdfast-staging-* reach both", self.refusal({}, **{"staging-eu": ""}) or "")

    def test_other_names_and_other_accounts_are_not(self):
        own = {"name_prefix": "shop", "allowed_account_ids": ["111111111111"]}
        self.assertIsNone(self.refusal(own, eu='name_prefix = "shop-eu"\nallowed_account_ids = ["222222222222"]\n', other='name_prefix = "shopping"\n', odd="= ="))
        self.assertIsNone(self.refusal({}, production=""))

    def test_the_environments_of_this_repository_do_not_reach_each_other(self):
        for env in ("staging", "production"):
            environments.require_own_scope(read(ENV=env), tfvars.parse(read(ENV=env).tfvars_file.read_text()))


class Make(unittest.TestCase):
    """The real make: what an operator types, and reads."""

    def make(self, *arguments, path=None, **environ):
        # Not as a part of the make that may run these tests.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HOLDFAST_", "AWS_", "MAKE", "MFLAGS")) and k not in NAMED}
        with tempfile.TemporaryDirectory() as work:
            result = subprocess.run(["make", "--no-print-directory", *arguments], cwd=settings.ROOT, capture_output=True, text=True, check=False,
                                    env={**kept, "HOLDFAST_WORK_DIR": work, "HOLDFAST_TOOLS": str(settings.ROOT / ".tools"),
                                         **({"PATH": path} if path else {}), **environ})
        # make adds a line of its own to a failure.
        return result.returncode, result.stdout, [text for text in result.stderr.splitlines() if not text.startswith("make: ***")]

    def with_commands(self, *names):
        """A PATH that has only these."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name in names:
            # Not a wrapper that looks for others on the PATH.
            (Path(folder.name) / name).symlink_to(os.path.realpath(sys.executable) if name == "python3" else shutil.which(name))
        return folder.name

    def test_without_a_target_it_lists_all_targets(self):
        code, listed, _ = self.make()
        makefile = (settings.ROOT / "Makefile").read_text(encoding="utf-8")
        targets = re.findall(r"^([a-z0-9]+):", makefile, re.M)
        self.assertEqual(code, 0)
        for name in targets:
            self.assertRegex(listed, rf"(?m)^  make {name} +\S")
        # Of the contract.
        for name in ("deploy", "plan", "destroy", "rollback", "bootstrap", "smoke", "status", "outputs", "logs", "redrive", "epochs", "cost", "test", "check", "prove", "bench", "help"):
            self.assertIn(name, targets)

    def test_a_missing_prerequisite_is_named_with_the_way_to_install_it(self):
        here = ("sh", "make", "env", "python3", "git")
        for lacking, have, how in (("python3", ("sh", "make"), "install Python 3"), ("terraform", here, "install Terraform 1.10"),
                                   ("cargo", (*here, "terraform"), "install Rust 1.95 with rustup")):
            code, said, errors = self.make("deploy", path=self.with_commands(*have))
            self.assertEqual((code, said, len(errors)), (2, "", 1), errors)
            self.assertTrue(errors[0].startswith(f"{lacking} is missing: "), errors)
            self.assertIn(how, errors[0])

    def test_a_target_of_rust_that_is_not_installed_is_named_with_its_command_and_the_alternative(self):
        other = next(arch for arch in settings.TRIPLES if arch != settings.machine_arch())
        with tempfile.TemporaryDirectory() as folder, Command(folder, rustup="true"):
            code, said, errors = self.make("deploy", f"ARCH={other}")
        self.assertEqual((code, said), (2, ""), errors)
        self.assertEqual(errors, [f"ARCH={other}: run `rustup target add {settings.TRIPLES[other]}`, or use ARCH={settings.machine_arch()}."])

    def test_a_busy_port_is_named_with_the_variable_that_changes_it(self):
        if not interpreter.is_installed(settings.ROOT / ".tools", "tools"):
            self.skipTest("make tools has not run")
        with socket.socket() as holder, socket.socket() as free:
            for one in (holder, free):
                one.bind(("127.0.0.1", 0))
            holder.listen()
            taken, other = (one.getsockname()[1] for one in (holder, free))
            free.close()
            for ports in ((taken, other), (other, taken)):
                name = "HOLDFAST_PORT" if ports[0] == taken else "HOLDFAST_REDIS_PORT"
                if name == "HOLDFAST_REDIS_PORT" and not shutil.which("redis-server"):
                    continue
                code, _, errors = self.make("deploy", HOLDFAST_PORT=str(ports[0]), HOLDFAST_REDIS_PORT=str(ports[1]))
                self.assertEqual((code, len(errors)), (2, 1), errors)
                self.assertIn(f"Port {taken} is taken: choose another with {name}=", errors[0])

    def test_production_is_never_destroyed_and_an_unknown_value_is_refused(self):
        for arguments, says in ((("destroy", "ENV=production"), "ENV=production is never destroyed by make."),
                                (("deploy", "VARS=max_logins=3"), "VARS: no stack has a variable max_logins"),
                                (("bootstrap",), "ENV=local needs no bootstrap")):
            code, said, errors = self.make(*arguments)
            self.assertEqual((code, said, len(errors)), (2, "", 1), errors)
            self.assertTrue(errors[0].startswith(says), errors)
        # As make passes them on, which a test of the Makefile shows for every variable; without the start of a process.
        for name, value, says in (("ENV", "prod", "use local, staging or production."), ("ARCH", "mips", "use arm64 or x86_64."),
                                  ("CACHE", "memcached", "use dynamodb or redis."),
                                  ("SERVICE", "pusch", "use platform, auth, sessions, push or events.")):
            code, said, error = called(["deploy"], read(), **{name: value})
            self.assertEqual((code, said, error), (2, "", f"{name}={value}: {says}\n"))


class Plans(unittest.TestCase):
    """Terraform is a script here: what it is asked, in which order, and what is never asked."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.settings = read(HOLDFAST_WORK_DIR=folder.name)
        self.settings.manifest_file.write_text('{"functions": {}}')
        self.calls = self.folder / "calls"

    def stacks(self, plans, shown):
        """Stacks whose plan ends with `plans[name]` and whose plan, as JSON, is `shown[name]`."""
        found = terraform.stacks(self.settings)
        for stack in found:
            for folder in (stack.directory, stack.log.parent, stack.state.parent):
                folder.mkdir(parents=True, exist_ok=True)
            stack.state.write_text("{}")
            stack.values.write_text("{}")
            stack.log.write_text("")
            (stack.directory / "plan.json").write_text(json.dumps(shown.get(stack.name, {})))
            (stack.directory / "code").write_text(str(plans.get(stack.name, 0)))
        return found

    def apply(self, plans, shown=None):
        script = (f'echo "$(basename "$PWD") $1" >>{self.calls}\ncase "$1" in\n'
                  'plan) echo "Plan: 0 to add, 1 to change, 1 to destroy."; exit "$(cat code)";;\n'
                  "show) cat plan.json;;\nesac")
        with Command(self.folder / "bin", terraform=script), contextlib.redirect_stdout(io.StringIO()), \
                mock.patch.object(unchanged, "parameters", lambda _: {}):
            return stacks.apply_all(self.settings, self.stacks(plans, shown or {}))

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

    def test_on_aws_the_stack_of_the_stage_is_planned_again_when_the_routes_are_there(self):
        self.settings = read(ENV="staging", HOLDFAST_WORK_DIR=str(self.folder))
        self.assertEqual(self.apply({"auth": 2}), ["auth"])
        # The plans of all stacks at once, those after the first change, and the one that finds the new routes.
        self.assertEqual(self.called("plan")[-1], "platform")
        self.assertEqual(self.called("plan").count("platform"), 2)

    def test_the_local_cloud_throttles_no_route_so_nothing_is_planned_again(self):
        self.apply({"auth": 2})
        self.assertEqual(self.called("plan").count("platform"), 1)

    def test_a_replaced_table_in_a_late_stack_stops_all_stacks_before_the_first_is_changed(self):
        with self.assertRaises(Refused) as caught:
            self.apply({"platform": 2, "events": 2}, {"events": self.TABLE})
        self.assertIn("module.t.aws_dynamodb_table.this", str(caught.exception))
        self.assertIn("ALLOW_DESTROY=1", str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(self.called("apply"), [])

    def test_every_table_of_a_stack_is_unprotected_before_it_is_destroyed(self):
        self.settings = read(ENV="staging", HOLDFAST_WORK_DIR=str(self.folder))
        script = (f'echo "$@" >>{self.calls}\ncase "$1 $2" in\n'
                  "'state list') printf '%s\\n' data.aws_ssm_parameter.x 'module.activity.aws_dynamodb_table.this[\"this\"]';;\nesac")
        with Command(self.folder / "bin", terraform=script):
            events = next(stack for stack in self.stacks({}, {}) if stack.name == "events")
            events.destroy()
        said = [text for text in self.calls.read_text().splitlines() if not text.startswith("state")]
        self.assertEqual([text.split()[0] for text in said], ["apply", "destroy"])
        self.assertIn('-target=module.activity.aws_dynamodb_table.this["this"]', said[0])
        self.assertEqual(said[0].count("-target"), 1)
        self.assertIn("-var=deletion_protection_enabled=false", said[0])

    def test_allow_destroy_lets_it(self):
        self.settings.allow_destroy = read(ALLOW_DESTROY="1").allow_destroy
        self.assertEqual(sorted(self.apply({"events": 2}, {"events": self.TABLE})), ["events"])

    def test_a_plan_that_fails_changes_nothing(self):
        with self.assertRaises(Failed):
            self.apply({"platform": 1, "auth": 2})
        self.assertEqual(self.called("apply"), [])


if __name__ == "__main__":
    unittest.main()
