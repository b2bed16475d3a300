"""Building, releasing, going back, and every mistake that must end in one line and change nothing."""

import contextlib
import io
import json
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from fakes import OPERATE, Command, FakeAws, read

import aws  # noqa: I001
import build
import crates
import deploy
import releases
import settings
import terraform
import troubles
from say import Failed, Refused


def metadata(**needs):
    """`cargo metadata` of crates and what they need; a name that begins with fn_ has a binary, `dev_x` is needed by tests."""
    def dependency(name):
        return {"name": name.removeprefix("dev_"), "kind": "dev" if name.startswith("dev_") else None}

    packages = [{"id": name, "name": name, "manifest_path": f"/w/shared/{name}/Cargo.toml",
                 "dependencies": [dependency(other) for other in others],
                 "targets": [{"name": name, "kind": ["bin" if name.startswith("fn_") else "lib"]}]}
                for name, others in needs.items()]
    return {"workspace_root": "/w", "workspace_members": list(needs), "packages": packages}


class Crates(unittest.TestCase):
    def setUp(self):
        self.workspace = crates.Workspace(metadata(
            domain=[], store=["domain"], kit=["dev_testkit"], testkit=["store"], model=["domain"],
            fn_login=["store", "kit"], fn_health=["kit"]))

    def test_what_no_function_links_is_left_out(self):
        self.assertEqual(self.workspace.needed_by_no(["fn_login", "fn_health"]), ["model", "testkit"])

    def test_a_change_touches_all_that_link_it(self):
        self.assertEqual(self.workspace.affected(["shared/domain/src/lib.rs"]), {"domain", "store", "testkit", "model", "fn_login"})
        self.assertEqual(self.workspace.affected(["docs/api.md"]), set())
        self.assertEqual(self.workspace.affected(["shared/store-of-others/x"]), set())

    def test_what_all_depend_on_touches_all(self):
        for path in ("Cargo.lock", "Cargo.toml", ".cargo/config.toml"):
            self.assertEqual(self.workspace.affected([path]), set(self.workspace.folders), path)

    def test_a_crate_that_only_tests_link_is_tested_anew_but_not_built_anew(self):
        self.assertNotIn("kit", self.workspace.affected(["shared/testkit/src/lib.rs"]))
        self.assertIn("kit", self.workspace.to_test(["shared/testkit/src/lib.rs"]))

    def test_of_this_workspace_no_function_needs_models_or_tests(self):
        needless = crates.workspace().needed_by_no(build.functions())
        for name in ("holdfast-model", "holdfast-e2e", "holdfast-testkit"):
            self.assertIn(name, needless)
        self.assertNotIn("holdfast-domain", needless)

    def test_a_build_excludes_them_in_every_environment(self):
        for env in settings.ENVIRONMENTS:
            command = build.cargo_lambda(read(ENV=env, ARCH=settings.machine_arch()), ["holdfast-model"])
            self.assertEqual(command[-2:], ["--exclude", "holdfast-model"])
            self.assertEqual("--release" in command, env != "local")

    def test_a_function_that_no_crate_builds_is_named_before_anything_is_built(self):
        with mock.patch.object(build, "functions", lambda: {"ops-health": {}, "ops-nothing": {}}), self.assertRaises(Refused) as caught:
            build.check(read())
        self.assertIn("ops-nothing", str(caught.exception))
        self.assertNotIn("ops-health", str(caught.exception))


class FirstTrouble(unittest.TestCase):
    def test_a_failed_init_ends_the_build_at_once(self):
        with tempfile.TemporaryDirectory() as folder:
            chosen = read(HOLDFAST_WORK_DIR=folder)
            # A build that takes minutes, and a terraform that finds no provider.
            slow = 'echo "Compiling a"; trap "exit 1" INT; i=0; while [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done'
            broken = 'echo "│ Error: Failed to query available provider packages"; echo "│ could not connect to registry"; exit 1'
            began = time.monotonic()
            workspace = crates.Workspace(metadata(fn_a=[]))
            with Command(Path(folder) / "bin", cargo=slow, terraform=broken), contextlib.redirect_stdout(io.StringIO()), \
                    mock.patch.object(crates, "workspace", lambda: workspace), self.assertRaises(Refused) as caught:
                deploy.make_ready(chosen)
            self.assertLess(time.monotonic() - began, 20)
            self.assertIn("cannot get the AWS provider", str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))

    def test_after_it_others_can_be_started_again(self):
        import run
        with self.assertRaises(Failed):
            terraform.until_one_fails([lambda: run.shown(["sleep", "30"]), lambda: (_ for _ in ()).throw(Failed("x"))])
        self.assertEqual(run.shown(["true"]), 0)


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


class Releases(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.settings = read(HOLDFAST_WORK_DIR=folder.name, CACHE="dynamodb")
        self.settings.work.mkdir(parents=True, exist_ok=True)
        self.history = releases.History(self.settings)

    def built(self, **digests):
        entries = {}
        for name in build.functions():
            digest = digests.get(name.replace("-", "_"), "a" * 64)
            file = self.settings.work / "artifacts" / name / f"{digest}.zip"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"zip")
            entries[name] = {"sha256": digest, "file": str(file), "s3Key": f"{name}/{digest}.zip"}
        build.write_manifest(self.settings, {"version": "1", "commit": "c", "arch": "x86_64", "functions": entries})

    def deploy(self, now, **digests):
        self.built(**digests)
        release = releases.candidate(self.settings, self.history.current(), now)
        if release is not self.history.current():
            self.history.add(release)
        return release

    def manifest(self):
        return json.loads(self.settings.manifest_file.read_text())["functions"]

    def test_the_same_code_again_is_no_release(self):
        first = self.deploy(1)
        self.assertEqual(self.deploy(2)["name"], first["name"])
        self.assertEqual(len(list((self.settings.work / "releases").glob("*.json"))), 1)

    def test_a_release_names_the_one_before_and_what_differs(self):
        first, second = self.deploy(1), self.deploy(2, auth_login="b" * 64)
        self.assertEqual((first["previous"], second["previous"]), (None, first["name"]))
        self.assertEqual(releases.changed(first, second), ["auth-login"])

    def test_other_variables_are_another_release(self):
        first = self.deploy(1)
        self.settings.variables = {"log_level": "debug"}
        self.assertNotEqual(self.deploy(2)["name"], first["name"])

    def test_a_rollback_takes_code_and_variables_back_and_the_next_one_goes_further(self):
        names = [self.deploy(number, auth_login=str(number) * 64)["name"] for number in (1, 2, 3)]
        self.settings.variables = {"log_level": "debug"}
        for wanted in (names[1], names[0]):
            release = self.history.get(self.history.current()["previous"])
            releases.install(self.settings, release)
            self.history.make_current(release)
            self.assertEqual(release["name"], wanted)
        self.assertEqual(self.manifest()["auth-login"]["sha256"], "1" * 64)
        self.assertEqual(self.settings.variables, {})
        # A release made after a rollback follows the one that was gone back to, not the one that was left.
        self.assertEqual(self.deploy(4, auth_login="4" * 64)["previous"], names[0])

    def test_of_one_service_the_others_stay_what_they_were(self):
        self.deploy(1)
        self.settings.service = "push"
        release = self.deploy(2, push_ticket="b" * 64, auth_login="b" * 64)
        self.assertEqual(release["functions"]["auth-login"]["sha256"], "a" * 64)
        self.assertEqual(release["functions"]["push-ticket"]["sha256"], "b" * 64)

    def test_a_release_without_a_function_of_today_is_refused_with_its_commit(self):
        release = self.deploy(1)
        del release["functions"]["auth-login"]
        with self.assertRaises(Refused) as caught:
            releases.install(self.settings, release)
        self.assertIn("auth-login", str(caught.exception))
        self.assertIn("commit c", str(caught.exception))

    def played(self, broken, **digests):
        """A deploy whose cloud is not there: what it applied, and how it ended."""
        applied = []

        def apply_all(chosen, _stacks):
            applied.append({name: entry["sha256"] for name, entry in json.loads(chosen.manifest_file.read_text())["functions"].items()})
            return ["auth"]

        def smoke(_settings, _outputs):
            if broken:
                raise Failed("the smoke test failed")

        quiet = contextlib.redirect_stdout(io.StringIO())
        with quiet, mock.patch.multiple(deploy, prerequisites=lambda *_, **__: None, make_ready=lambda _: self.built(**digests),
                                        write_outputs=lambda *_: {"httpUrl": "http://h"}, greet=lambda *_: None), \
                mock.patch.multiple(deploy.cloud, start=lambda *_: [], wait_for_health=lambda *_: {}, running=lambda *_: True), \
                mock.patch.multiple(terraform, apply_all=apply_all, prepare=lambda *_: None):
            try:
                deploy.deploy(self.settings, smoke)
                trouble = None
            except Failed as failed:
                trouble = str(failed)
        return applied, trouble

    def test_a_smoke_test_that_fails_takes_the_deploy_back_and_fails_it(self):
        _, trouble = self.played(False)
        self.assertIsNone(trouble)
        good = self.history.current()["name"]
        applied, trouble = self.played(True, auth_login="b" * 64)
        self.assertEqual([found["auth-login"] for found in applied], ["b" * 64, "a" * 64])
        self.assertIn(f"Rolled back to release {good} (undone: auth-login)", trouble)
        self.assertEqual(self.history.current()["name"], good)

    def test_a_first_deploy_that_fails_has_nothing_to_go_back_to(self):
        applied, trouble = self.played(True)
        self.assertEqual(len(applied), 1)
        self.assertIn("no earlier release", trouble)
        self.assertIsNone(self.history.current())

    def test_without_a_release_there_is_nothing_to_roll_back(self):
        with mock.patch.object(deploy, "prerequisites", lambda *_, **__: None), \
                mock.patch.object(deploy.cloud, "running", lambda *_: True), self.assertRaises(Refused) as caught:
            deploy.rollback(self.settings)
        self.assertIn("nothing to go back to", str(caught.exception))

    def test_a_deploy_without_a_build_needs_one_that_was(self):
        self.settings.built = True
        with self.assertRaises(Refused) as caught:
            build.build(self.settings)
        self.assertIn("BUILD=0", str(caught.exception))
        self.built()
        self.assertEqual(build.build(self.settings), 0)


if __name__ == "__main__":
    unittest.main()
