"""What has to hold of all Terraform at once, read from its files."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import fakes

from holdfast_cli.core import tfvars
from holdfast_cli.deploy import stacks, terraform

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
sys.path.insert(0, str(INFRA))

import docs

STACKS = sorted(path.name for path in (INFRA / "stacks").iterdir() if path.is_dir())
MODULES = sorted(path for path in (INFRA / "modules").iterdir() if path.is_dir())
# Platforms that the provider is released for.
PLATFORMS = 15


def resources(text, kind):
    """(name, body) of every resource of a kind."""
    for match in re.finditer(rf'^resource "{kind}" "([^"]+)" \{{\n', text, re.M):
        yield match.group(1), text[match.end() : docs.closing(text, match.end())]


def everywhere():
    """Name and source of every module and stack; without their examples."""
    for folder in [*MODULES, *(INFRA / "stacks" / stack for stack in STACKS)]:
        yield str(folder.relative_to(INFRA)), docs.source(folder)


class Provider(unittest.TestCase):
    def test_every_stack_locks_one_version_for_all_platforms(self):
        locks = {(INFRA / "stacks" / stack / ".terraform.lock.hcl").read_text() for stack in STACKS}
        self.assertEqual(len(locks), 1, "one lock file, the same everywhere")
        lock = locks.pop()
        self.assertRegex(lock, r'version +    ?= "5\.100\.0"')
        self.assertEqual(len(re.findall(r'"zh:[0-9a-f]{64}"', lock)), PLATFORMS)
        self.assertGreaterEqual(len(re.findall(r'"h1:[A-Za-z0-9+/=]{44}"', lock)), 2, "unpacked providers of a mirror, too")

    def test_modules_take_the_same_range_and_bring_no_provider_and_no_module_of_others(self):
        for folder in MODULES:
            text = docs.source(folder)
            self.assertIn('version = ">= 5.96, < 7"', text, folder.name)
            self.assertIn('required_version = ">= 1.10"', text, folder.name)
            self.assertNotRegex(text, r'(?m)^provider "|^  backend "', folder.name)
            self.assertEqual([source for source in re.findall(r'source += +"([^"]+)"', text) if not source.startswith(("../", "hashicorp/"))], [], folder.name)

    def test_every_stack_refuses_other_accounts(self):
        for stack in STACKS:
            text = docs.source(INFRA / "stacks" / stack)
            self.assertIn('allowed_account_ids = var.local_endpoint != "" || length(var.allowed_account_ids) == 0 ? null : var.allowed_account_ids', text, stack)


class Tests(unittest.TestCase):
    def test_their_time_is_limited_where_that_is_asked_for(self):
        with tempfile.TemporaryDirectory() as folder, \
                fakes.Command(Path(folder), terraform='[ "$1" != test ] || { [ "$MAX_SECONDS" != 0 ] || sleep 1; echo "Success! 1 passed, 0 failed."; }'):
            for limit, code, last in (("", 0, "1 passed, 0 failed"), ("60", 0, "1 passed, 0 failed"), ("0", 1, "1 passed, 1 failed")):
                result = subprocess.run(["bash", str(INFRA / "test.sh"), "--modules", "modules/kms"], capture_output=True, text=True, check=False,
                                        env={**os.environ, "MAX_SECONDS": limit})
                self.assertEqual((result.returncode, result.stdout.splitlines()[-1]), (code, last), result.stdout + result.stderr)


class State(unittest.TestCase):
    def test_every_environment_on_aws_keeps_it_encrypted_and_locked_by_a_file_beside_it(self):
        files = sorted((INFRA / "environments").glob("*.s3.tfbackend"))
        self.assertEqual([file.name for file in files], ["production.s3.tfbackend", "staging.s3.tfbackend"])
        for file in files:
            text = file.read_text()
            self.assertRegex(text, r"(?m)^use_lockfile += true$")
            self.assertRegex(text, r"(?m)^encrypt +    ?= true$")
            self.assertNotIn("dynamodb_table", text)
            self.assertNotRegex(text, r"(?m)^key\b", "each stack has its own")

    def test_every_stack_has_that_backend(self):
        for stack in STACKS:
            self.assertIn('backend "s3" {}', docs.source(INFRA / "stacks" / stack), stack)

    def test_nobody_reads_anothers_state(self):
        for name, text in everywhere():
            self.assertNotIn("terraform_remote_state", text, name)


class HandOver(unittest.TestCase):
    """Values cross stacks as parameters."""

    @staticmethod
    def published(stack):
        text = docs.source(INFRA / "stacks" / stack)
        blocks = [text[match.end() : docs.closing(text, match.end())] for match in re.finditer(r"^  (?:outputs|cache) += (?:merge\()?(?:local\.cache, )?\{\n", text, re.M)]
        blocks += [text[match.end() : docs.closing(text, match.end())] for match in re.finditer(r"^  cache += .*\{\n", text, re.M)]
        return {f"{stack}/{name}" for block in blocks for name in re.findall(r"^ +([a-z0-9-]+) += ", block, re.M)}

    @staticmethod
    def read(stack):
        text = docs.source(INFRA / "stacks" / stack)
        return {name for block in re.findall(r"inputs += toset\(\[(.*?)\]\)", text, re.S) for name in re.findall(r'"([a-z0-9/-]+)"', block)}

    def test_what_is_read_has_been_published_by_a_stack_that_is_applied_before(self):
        before, seen = set(), 0
        for stage in stacks.STAGES:
            for stack in stage:
                self.assertEqual(sorted(self.read(stack) - before), [], f"{stack} reads what nobody has published yet")
                seen += len(self.read(stack))
            for stack in stage:
                before |= self.published(stack)
        self.assertGreater(seen, 20)

    def test_a_parameter_is_below_its_environment_and_stack(self):
        for stack in STACKS:
            for _, body in resources(docs.source(INFRA / "stacks" / stack), "aws_ssm_parameter"):
                self.assertRegex(body, r'"\$\{module\.context\.ssm_prefix\}/(\$\{local\.stack\}/\$\{each\.key\}|routes/\$\{local\.stack\})"', stack)


class Settings(unittest.TestCase):
    """tests/settings.json of each stack that has functions, and the runs that compare the stack with it."""

    COLUMNS = {"local": "each_setting_on_the_local_cloud", "staging": "each_setting_of_staging", "production": "each_setting_of_production",
               "changed": "each_setting_follows_its_variable"}
    # Said by the local cloud, or for every run.
    GIVEN = {"local_endpoint", "local_redis_url", "artifacts_bucket", "release_manifest"}
    # Other runs change these: a user pool goes with neither a cache nor registration, and an edge is in us-east-1 only.
    ELSEWHERE = {"credential_verifier", "cognito_client_id", "edge", "edge_origin_secret"}

    def tables(self):
        for stack in sorted(set(STACKS) - {"bootstrap"}):
            yield stack, json.loads((INFRA / "stacks" / stack / "tests" / "settings.json").read_text())

    @staticmethod
    def variables(stack, run):
        """What a run gives the stack."""
        text = (INFRA / "stacks" / stack / "tests" / "settings.tftest.hcl").read_text()
        start = text.index(f'run "{run}"')
        start = text.index("  variables {\n", start) + len("  variables {\n")
        return tfvars.parse(text[start : docs.closing(text, start)])

    def test_the_runs_give_the_stack_what_the_environments_files_do(self):
        for stack, _ in self.tables():
            declared = terraform.declared(stack)
            for env in ("local", "staging", "production"):
                file = tfvars.parse((INFRA / "environments" / f"{env}.tfvars").read_text())
                wanted = {name: value for name, value in file.items() if name in declared}
                got = self.variables(stack, self.COLUMNS[env])
                self.assertEqual({name: value for name, value in got.items() if name not in self.GIVEN}, wanted, f"{stack}, {env}")

    def test_one_run_changes_every_variable(self):
        for stack, _ in self.tables():
            declared = set(terraform.declared(stack)) - self.GIVEN - self.ELSEWHERE
            self.assertEqual(set(self.variables(stack, self.COLUMNS["changed"])), declared, stack)

    def test_a_row_says_where_its_value_comes_from(self):
        for stack, rows in self.tables():
            self.assertGreater(len(rows), 40, stack)
            known = set(terraform.declared(stack)) | HandOver.read(stack) | {"fixed"}
            for name, row in rows.items():
                self.assertEqual([source for source in row["from"].split(", ") if source not in known], [], f"{stack}: {name}")
                self.assertLessEqual(set(row) - {"from"}, {"all"} if "all" in row else set(self.COLUMNS), f"{stack}: {name}")
                if row["from"] == "fixed":
                    self.assertIn("all", row, f"{stack}: {name} is not fixed")

    def test_a_value_of_a_variable_is_another_when_the_variable_is(self):
        for stack, rows in self.tables():
            for name, row in rows.items():
                # What is named after the environment shows it by [env] and [prefix].
                if row["from"] in ("fixed", "env", "name_prefix", "release_manifest") or "/" in row["from"] or set(row["from"].split(", ")) & self.ELSEWHERE:
                    continue
                if name == "variable: CACHE_PROVIDER":
                    # Delete only reads nothing, as without a cache: tests/redis.tftest.hcl has it with one.
                    continue
                values = [json.dumps(row[column]) if column in row else None for column in self.COLUMNS]
                self.assertGreater(len(set(values)), 1, f"{stack}: {name}")


class Traps(unittest.TestCase):
    def each(self, kind):
        found = [(f"{name}: {kind}.{resource}", body) for name, text in everywhere() for resource, body in resources(text, kind)]
        self.assertTrue(found, kind)
        return found

    def test_every_lambda_permission_has_a_source(self):
        for where, body in self.each("aws_lambda_permission"):
            self.assertIsNotNone(docs.attribute(body, "source_arn"), where)

    def test_every_log_group_forgets(self):
        for where, body in self.each("aws_cloudwatch_log_group"):
            self.assertEqual(docs.attribute(body, "retention_in_days"), "var.log_retention_days", where)

    def test_every_function_has_a_log_group_before_it_and_is_traced(self):
        for where, body in self.each("aws_lambda_function"):
            self.assertIn("log_group  = aws_cloudwatch_log_group.", body, where)
            self.assertIn("tracing_config", body, where)

    def test_every_stage_is_throttled_and_traces_no_data(self):
        for where, body in self.each("aws_apigatewayv2_stage"):
            self.assertIn("throttling_burst_limit   = var.throttling.burst_limit", body, where)
            self.assertIn("throttling_rate_limit    = var.throttling.rate_limit", body, where)
            self.assertNotRegex(body, r"data_trace_enabled += (?!false)", where)

    def test_every_function_of_the_system_is_watched(self):
        for stack in set(STACKS) - {"bootstrap"}:
            text = docs.source(INFRA / "stacks" / stack)
            self.assertRegex(text, r"functions   = module\.service\.watch", stack)

    def test_nothing_is_counted(self):
        for name, text in everywhere():
            self.assertNotRegex(text, r"(?m)^  count +=", f"{name}: for_each keeps addresses when something in the middle goes")


class Boundary(unittest.TestCase):
    """What a role is given and the boundary does not have is silently denied."""

    MAKERS = {"modules/lambda-function", "modules/network", "modules/oidc", "stacks/bootstrap"}
    ACTION = re.compile(r'"([a-z0-9-]+:(?:\*|[A-Z][A-Za-z*]*))"(?! *=)')

    def actions(self, text):
        """Actions that are named in Terraform; without the keys of conditions and those of a trust policy."""
        return set(self.ACTION.findall(re.sub(r"#.*", "", text))) - {"sts:AssumeRole"}

    def test_nobody_else_makes_roles_and_fills_them(self):
        kinds = ("aws_iam_role", "aws_iam_role_policy", "aws_iam_role_policy_attachment", "aws_iam_policy")
        self.assertEqual({name for name, text in everywhere() if any(True for kind in kinds for _ in resources(text, kind))}, self.MAKERS)

    def test_it_has_every_action_that_a_deploy_gives_a_role(self):
        allowed = self.actions((INFRA / "stacks/bootstrap/boundary.tf").read_text())
        given = {stack: self.actions(docs.source(INFRA / "stacks" / stack)) for stack in set(STACKS) - {"bootstrap"}}
        given["functions"] = self.actions((INFRA / "modules/lambda-function/iam.tf").read_text())
        given["service"] = self.actions((INFRA / "modules/service/main.tf").read_text())
        given["flow logs"] = self.actions("".join(body for _, body in resources(docs.source(INFRA / "modules/network"), "aws_iam_role_policy")))
        for where in ("functions", "service", "flow logs", "push", "events"):
            self.assertTrue(given[where], where)
        for where, actions in given.items():
            self.assertEqual(sorted(actions - allowed), [], f"{where}: add them to boundary.tf, or to the resource's own policy in a module")
        self.assertEqual(sorted(allowed - set().union(*given.values())), [], "nobody is given these")

    def test_every_role_of_a_deploy_gets_it(self):
        for module in ("lambda-function", "network"):
            for name, body in resources(docs.source(INFRA / "modules" / module), "aws_iam_role"):
                self.assertEqual(docs.attribute(body, "permissions_boundary"), "var.permissions_boundary_arn", f"{module}: {name}")
        for stack in set(STACKS) - {"bootstrap"}:
            for name, body in docs.blocks(docs.source(INFRA / "stacks" / stack), "module"):
                if docs.attribute(body, "source") in ('"../../modules/service"', '"../../modules/network"', '"../../modules/lambda-function"'):
                    self.assertEqual(docs.attribute(body, "permissions_boundary_arn"), "module.context.permissions_boundary_arn", f"{stack}: {name}")


class Modules(unittest.TestCase):
    def test_each_has_what_a_platform_team_expects(self):
        for folder in MODULES:
            for file in ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md", "examples/minimal/main.tf", "examples/complete/main.tf"):
                self.assertTrue((folder / file).exists(), f"{folder.name}/{file}")
            self.assertTrue(list((folder / "tests").glob("*.tftest.hcl")), folder.name)
            self.assertIn("mock_provider", "".join(file.read_text() for file in (folder / "tests").glob("*.tftest.hcl")), folder.name)

    def test_each_can_be_left_out_named_and_tagged(self):
        for folder in MODULES:
            inputs = dict(docs.blocks(docs.source(folder), "variable"))
            # This one makes nothing.
            if folder.name != "stack-context":
                self.assertIn("create", inputs, folder.name)
            # Routes have no names, domains only whole ones, dashboards and routes no tags.
            if folder.name not in ("http-route", "domain"):
                self.assertIn("name_prefix", inputs, folder.name)
            if folder.name not in ("http-route", "dashboard", "session-authorizer"):
                self.assertIn("tags", inputs, folder.name)

    def test_what_can_be_used_says_what_using_it_takes(self):
        without = {folder.name for folder in MODULES if 'output "policy_documents"' not in docs.source(folder)}
        # Nothing of these is used by a role: they watch, show and let in.
        self.assertEqual(without, {"alarms", "budget", "dashboard", "domain", "edge", "network", "oidc", "session-authorizer", "stack-context"})


if __name__ == "__main__":
    unittest.main()
