"""Every mistake of a deploy, played: the real tool and the real Terraform, staging's configuration, a local cloud of its own. Each
ends in one line and exit code 2, and leaves every state, release and table as it was.

`.tools/bin/python -m unittest discover -s scripts/cloud_tests`, or `make test ONLY=mistakes`: two minutes, Terraform and `.tools` needed."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from holdfast_cli.core import catalogue, processes
from holdfast_cli.core import settings as settings_module
from holdfast_cli.core.errors import Refused
from holdfast_cli.deploy import aws, build, environments, terraform
from holdfast_cli.local import cloud

ROOT = settings_module.ROOT
LOCK = {"ID": "11111111-2222-3333-4444-555555555555", "Operation": "OperationTypeApply", "Info": "", "Who": "ada@elsewhere",
        "Version": "1.11.4", "Created": "2026-01-01T00:00:00Z", "Path": "platform"}


def outside(**environ):
    """The environment as outside of the make that may run these tests."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("MAKE")}, **environ}


def quiet():
    return contextlib.redirect_stdout(io.StringIO())


class Mistakes(unittest.TestCase):
    """A bootstrapped staging environment with its stack `platform`, whose functions are empty shells: none is ever called."""

    given = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="holdfast-mistakes-")).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.environ = {
            "ENV": "staging", "HOLDFAST_REHEARSAL": "1", "HOLDFAST_WORK_DIR": str(cls.folder), "BUILD": "0",
            "HOLDFAST_TOOLS": os.environ.get("HOLDFAST_TOOLS") or str(ROOT / ".tools"),
            "HOLDFAST_PORT": str(processes.free_port()), "HOLDFAST_REDIS_PORT": str(processes.free_port())}
        cls.settings = settings_module.read(cls.environ)
        cls.addClassCleanup(cloud.stop, cls.settings)
        code, said = cls.tool("bootstrap")
        assert code == 0, said
        with quiet():
            aws.identity(cls.settings, environments.fill_in(cls.settings))
            for name in catalogue.functions():
                file = cls.settings.work / "lambda" / name / "bootstrap"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(b"#!/bin/sh\nexit 1\n")
            build.package(cls.settings, sorted(catalogue.functions()))
            aws.upload(cls.settings)
            cls.platform = terraform.Stack("platform", cls.settings)
            terraform.prepare(cls.settings, [cls.platform])
            cls.platform.plan()
            cls.platform.apply()

    @classmethod
    def tool(cls, target, **environ):
        """Exit code and output of `make <target>`."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MAKE")) and k not in ("VARS", "SERVICE", "CACHE", "ONLY", "ALLOW_DESTROY")}
        result = subprocess.run([ROOT / "scripts" / "holdfast", target], cwd=ROOT, capture_output=True, text=True, check=False,
                                env={**kept, **cls.environ, **environ})
        return result.returncode, result.stdout + result.stderr

    def world(self):
        """What a mistake must not change: state, releases, tables."""
        chosen = self.settings
        tables = {name: aws.object_text(chosen, chosen.state_bucket, name) for name in ("platform/terraform.tfstate", "auth/terraform.tfstate")}
        tables["current"] = aws.read_object(chosen, f"releases/{chosen.env}/current")
        return tables

    def refused(self, says, **environ):
        """`make deploy` ends with code 2, its last line holds all of `says`, and nothing has changed."""
        before = self.world()
        code, output = self.tool("deploy", **environ)
        last = output.strip().splitlines()[-1]
        self.assertEqual(code, 2, output)
        for part in says:
            self.assertIn(part, last)
        self.assertNotIn("Traceback", output)
        self.assertEqual(self.world(), before)

    def trouble(self, work):
        """The one line of a Terraform that refuses."""
        with self.assertRaises(Refused) as caught, quiet():
            work()
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    def for_aws(self, **variables):
        """The stack as for AWS (no local_endpoint), its provider led to the local cloud by the environment alone."""
        chosen = settings_module.read({**self.environ, "HOLDFAST_REHEARSAL": "", "HOLDFAST_WORK_DIR": str(self.folder / "aws"),
                                       "VARS": " ".join(f"{name}={value}" for name, value in variables.items())})
        environments.fill_in(chosen)
        chosen.artifacts_bucket = self.settings.artifacts_bucket
        chosen.work.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.settings.manifest_file, chosen.manifest_file)
        stack = terraform.Stack("platform", chosen)
        terraform.share(chosen)
        stack.prepare()
        stack.keep_state_here(True)
        return stack

    @contextlib.contextmanager
    def credentials(self, **environ):
        """The caller's, for what runs with them; the address is the local cloud's."""
        before = dict(os.environ)
        os.environ.update({"AWS_ENDPOINT_URL": self.settings.endpoint, "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1",
                           "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", **environ})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)

    def expired(self):
        """Credentials that the local cloud gave for one second, which has passed."""
        if not self.given:
            # The service's own client refuses less than 900 s; the local cloud does not.
            found = aws.Api(self.settings, parameter_validation=False).sts.get_session_token(DurationSeconds=1)["Credentials"]
            self.given.update({"AWS_ACCESS_KEY_ID": found["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": found["SecretAccessKey"],
                               "AWS_SESSION_TOKEN": found["SessionToken"]})
            time.sleep(1.5)
        return self.given

    def test_a_second_bootstrap_changes_nothing(self):
        before = aws.object_text(self.settings, self.settings.state_bucket, "bootstrap/terraform.tfstate")
        code, output = self.tool("bootstrap")
        self.assertEqual(code, 0, output)
        self.assertIn("no change", output)
        self.assertEqual(aws.object_text(self.settings, self.settings.state_bucket, "bootstrap/terraform.tfstate"), before)

    def test_a_region_that_does_not_exist(self):
        self.refused(["region us-east-9 does not exist"], VARS="region=us-east-9")
        with self.credentials():
            stack = self.for_aws(region="us-east-9")
            with quiet():
                stack.init()
            self.assertIn("region us-east-9 does not exist", self.trouble(stack.plan))

    def test_credentials_of_another_account(self):
        self.refused(["lives in account 111111111111, but these credentials are of 000000000000"], VARS="allowed_account_ids=111111111111")
        with self.credentials():
            stack = self.for_aws(allowed_account_ids="111111111111")
            with quiet():
                stack.init()
            self.assertIn("account 000000000000, which allowed_account_ids does not name", self.trouble(stack.plan))

    def test_expired_credentials(self):
        before = self.world()
        expired = self.expired()
        code, output = self.tool("deploy", HOLDFAST_REHEARSAL="", AWS_ENDPOINT_URL=self.settings.endpoint, NO_PROXY="127.0.0.1", **expired)
        self.assertEqual((code, output), (2, "ENV=staging: the AWS credentials have expired: sign in again.\n"))
        # They may also end between two steps: then Terraform is told so, by its backend or by a service.
        stack = terraform.Stack("platform", self.settings)
        with quiet():
            stack.prepare()
        stack.environment = lambda: {**terraform.Stack.environment(stack), **expired}
        self.assertIn("have expired: sign in again", self.trouble(stack.init))
        with self.credentials(**expired):
            stack = self.for_aws()
            with quiet():
                stack.init()
            self.assertIn("have expired: sign in again", self.trouble(stack.plan))
        self.assertEqual(self.world(), before)

    def test_a_state_that_somebody_else_has_locked(self):
        key = "platform/terraform.tfstate.tflock"
        aws.write_text(self.settings, self.settings.state_bucket, key, json.dumps(LOCK))
        try:
            self.refused(["the state of stack platform is locked by ada@elsewhere", "2026-01-01", f"force-unlock {LOCK['ID']}"],
                         VARS="log_level=debug", SERVICE="platform")
            self.assertIsNotNone(aws.object_text(self.settings, self.settings.state_bucket, key))
        finally:
            aws.remove(self.settings, self.settings.state_bucket, key)

    def test_a_plan_that_replaces_a_table(self):
        self.refused(["aws_dynamodb_table.this", "ALLOW_DESTROY=1 lets it", "nothing is changed"],
                     VARS="name_prefix=other permissions_boundary=false", SERVICE="platform")

    def test_roles_without_the_boundary_of_the_bootstrap(self):
        self.refused(["permissions boundary other-boundary", "run `make bootstrap`"], VARS="name_prefix=other", SERVICE="platform")

    def test_an_environment_without_its_files(self):
        tree = self.folder / "tree"
        for name in ("scripts", "infra"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns(".terraform", "__pycache__", "tests"))
        shutil.copyfile(ROOT / "Makefile", tree / "Makefile")
        (tree / "services").mkdir()
        shutil.copyfile(ROOT / "services" / "functions.json", tree / "services" / "functions.json")
        for name in ("staging.tfvars", "staging.s3.tfbackend"):
            (tree / "infra" / "environments" / name).rename(tree / name)
            before = self.world()
            for target in ("deploy", "plan", "bootstrap", "rollback", "destroy"):
                result = subprocess.run(["make", "--no-print-directory", target], cwd=tree, env=outside(**self.environ),
                                        capture_output=True, text=True, check=False)
                first = result.stderr.splitlines()[0]
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(f"infra/environments/{name} is missing", first)
            self.assertEqual(self.world(), before)
            (tree / name).rename(tree / "infra" / "environments" / name)


if __name__ == "__main__":
    unittest.main()
