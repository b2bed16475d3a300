"""The runbook for a restored table (docs/operating.md): each command is one that its program has, and names what is there."""

import itertools
import json
import re
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import botocore.session
from botocore import xform_name
from fakes import called, read

from holdfast_cli.core import tfvars
from holdfast_cli.core.settings import ROOT
from holdfast_cli.deploy.terraform import Stack, declared
from holdfast_cli.operate import admin

TEXT = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8").split("## Restore a table\n")[1].split("\n## ")[0]
BLOCKS = re.findall(r"(?ms)^ *```(\w*)\n(.*?)^ *```$", TEXT)
# Lines that end with a backslash go on.
COMMANDS = re.sub(r"\\\n\s*", "", "\n".join(body for kind, body in BLOCKS if not kind))
HCL = [body for kind, body in BLOCKS if kind == "hcl"]
CATALOGUE = json.loads((ROOT / "services" / "functions.json").read_text(encoding="utf-8"))
# Options of the AWS command line itself.
OF_THE_CLI = {"--query", "--output"}


def values():
    return [tfvars.parse(re.sub(r"(?m)^ +", "", text)) for text in HCL]


def commands(program):
    """The words of each command of a program, up to a pipe or the end of its line."""
    for line in COMMANDS.splitlines():
        for part in re.split(r" (?:&&|\|) |; ", line.strip().removesuffix("|")):
            words = shlex.split(part.removeprefix("do ")) if part.removeprefix("do ").startswith(program) else []
            if words and words[0] == program:
                yield words[1:]


class Aws(unittest.TestCase):
    def test_each_command_is_an_operation_with_its_members(self):
        session, found = botocore.session.get_session(), []
        for service, command, *rest in commands("aws"):
            options = {word: value for word, value in itertools.pairwise(rest) if word.startswith("--")}
            model = session.get_service_model(service)
            if command == "wait":
                waiter = session.get_waiter_model(service).get_waiter(xform_name("TableExists").title().replace("_", "") if rest[0] == "table-exists" else rest[0])
                operation = model.operation_model(waiter.operation)
            else:
                names = {xform_name(name, "-"): name for name in model.operation_names}
                self.assertIn(command, names)
                operation = model.operation_model(names[command])
            members = {f"--{xform_name(name, '-')}": name for name in operation.input_shape.members}
            self.assertLessEqual(set(options) - OF_THE_CLI, set(members), command)
            self.assertLessEqual(set(operation.input_shape.required_members), {members.get(option) for option in options}, command)
            found.append(f"{service} {command}")
        self.assertEqual(found, ["lambda put-function-concurrency", "dynamodb restore-table-to-point-in-time", "dynamodb wait", "dynamodb scan"])

    def test_the_scan_finds_the_accounts(self):
        keys = (ROOT / "shared" / "dynamodb" / "src" / "sessions" / "keys.rs").read_text(encoding="utf-8")
        sort = re.search(r'META: &str = "(\w+)"', keys)[1]
        self.assertIn('fn user(user: UserId) -> String {\n    format!("U#{user}")', keys)
        self.assertIn(f'{{":account":{{"S":"{sort}"}}}}', COMMANDS)
        self.assertIn("sed 's/^U#//'", COMMANDS)


class Pause(unittest.TestCase):
    def test_what_is_paused_at_once_is_what_the_file_keeps_paused(self):
        at_once = re.search(r"for f in (.*?); do", COMMANDS)[1].split()
        self.assertEqual(values()[0]["reserved_concurrency"], dict.fromkeys(at_once, 0))
        self.assertLessEqual(set(at_once), set(CATALOGUE))

    def test_for_the_table_sessions_all_functions_are_paused_that_admit_callers_by_it(self):
        page = (ROOT / "docs" / "security" / "permissions.md").read_text(encoding="utf-8").split("## Denied")[0]
        uses = {name for name, may in re.findall(r"(?m)^\| `([a-z-]+)` \| (.*) \|$", page) if "table sessions: `" in may}
        # Behind the stream, without a caller; and what the operator needs.
        goes_on = {name for name in uses if name.startswith(("events-", "ops-"))} | {"sessions-admin"}
        self.assertLess(goes_on, uses)
        self.assertEqual(values()[1]["reserved_concurrency"], dict.fromkeys(uses - goes_on, 0))

    def test_the_functions_of_the_table_activity_are_all_that_use_it_behind_the_bus(self):
        named = re.search(r"Pause (`events-.*?)\.", TEXT, re.S)[1]
        users = {name for name, entry in CATALOGUE.items() if entry.get("subscribes")}
        self.assertEqual(set(re.findall(r"`([a-z-]+)`", named)), users)

    def test_terraform_accepts_zero(self):
        for stack in ("platform", "auth", "sessions", "push", "events"):
            text = (ROOT / "infra" / "stacks" / stack / "declarations.tf").read_text(encoding="utf-8")
            self.assertIn("values(var.reserved_concurrency) : number >= 0 &&", text)


class Terraform(unittest.TestCase):
    ADDRESS = 'module.connections_table.aws_dynamodb_table.this["this"]'

    def test_the_paths_are_those_of_the_working_copy(self):
        stack = Stack("platform", read(ENV="staging", HOLDFAST_WORK_DIR=str(ROOT / ".local")))
        for path in (stack.data, stack.directory, stack.values):
            self.assertIn(f'"$PWD/{path.relative_to(ROOT)}"', COMMANDS)

    def test_the_addresses_are_those_of_the_stacks(self):
        named = [words[-2 if "import" in words else -1] for words in commands("terraform")]
        self.assertEqual(named, [self.ADDRESS, self.ADDRESS])
        for module, stack in (("connections_table", "platform"), ("sessions_table", "platform"), ("activity", "events")):
            text = (ROOT / "infra" / "stacks" / stack / "main.tf").read_text(encoding="utf-8")
            self.assertRegex(text, rf'module "{module}" {{\n  source = "../../modules/dynamodb-table"\n')
        table = (ROOT / "infra" / "modules" / "dynamodb-table" / "main.tf").read_text(encoding="utf-8")
        self.assertIn('resource "aws_dynamodb_table" "this" {\n  for_each = var.create && var.provisioned_capacity == null ? { this = true } : {}', table)

    def test_the_old_table_leaves_the_state(self):
        """Run the command of the runbook with a state of two tables."""
        tables = [{"module": f"module.{name}_table", "mode": "managed", "type": "aws_dynamodb_table", "name": "this",
                   "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
                   "instances": [{"index_key": "this", "schema_version": 1, "attributes": {"name": name}}]} for name in ("connections", "sessions")]
        state = {"version": 4, "terraform_version": "1.10.0", "serial": 1, "lineage": "a", "outputs": {}, "resources": tables}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "terraform.tfstate").write_text(json.dumps(state), encoding="utf-8")
            words = next(commands("terraform"))
            subprocess.run(["terraform", f"-chdir={folder}", *words[1:]], check=True, capture_output=True, timeout=120)
            left = json.loads((Path(folder) / "terraform.tfstate").read_text(encoding="utf-8"))
        self.assertEqual([resource["module"] for resource in left["resources"]], ["module.sessions_table"])

    def test_the_file_names_the_table_that_is_restored(self):
        names = values()[0]["table_names"]
        self.assertEqual(list(names.values()), [re.search(r"--target-table-name (\S+)", COMMANDS)[1]])
        self.assertIn(f"TABLE={names['connections']}", COMMANDS)
        text = (ROOT / "infra" / "stacks" / "platform" / "variables.tf").read_text(encoding="utf-8")
        kinds = re.search(r'variable "table_names" \{.*?object\(\{(.*?)\}\)', text, re.S)[1]
        self.assertEqual(sorted(re.findall(r"(\w+) += optional", kinds)), ["activity", "connections", "sessions"])
        self.assertLessEqual(set(values()[0]), set(declared("platform")))


class Tool(unittest.TestCase):
    def test_each_target_and_its_variables_are_in_the_makefile(self):
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        exported = set(re.search(r"(?ms)^export (.*?[^\\])$", makefile)[1].replace("\\", "").split())
        found = [tuple(words) for words in commands("make")]
        self.assertEqual([words[0] for words in found], ["build", "outputs", "deploy", "epochs"])
        for target, *variables in found:
            self.assertRegex(makefile, rf"(?m)^{target}:")
            self.assertLessEqual({one.split("=")[0] for one in variables}, exported)

    def test_end_all_asks_nothing(self):
        words = next(commands("while read -r user; do scripts/holdfast"), None) or re.search(r"scripts/holdfast (.*?) < /dev/null", COMMANDS)[1].split()
        given = []
        with mock.patch.object(admin, "operator", lambda *_, **__: mock.Mock(command=lambda action, **fields: given.append((action, fields)) or {})), \
                mock.patch.object(admin, "change_asked", lambda operator, action, user, question, *_: given.append((action, user))):
            called([word.strip('"').replace("$user", "u1") for word in words], read(ENV="staging"))
        self.assertEqual(given, [("end-all", "u1")])


if __name__ == "__main__":
    unittest.main()
