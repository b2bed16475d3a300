"""The operator tool itself: its options, its environment, the doctor, Terraform's provider, and what a deploy may skip."""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

from fakes import PACKAGE, SCRIPTS, Command, all_verbs, called, read

from holdfast_cli import cli
from holdfast_cli.core import commands, console, interpreter, processes, settings
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.deploy import build, destroy, stacks, terraform, unchanged
from holdfast_cli.local import cloud, doctor, providers

ROOT = settings.ROOT
LOCKED = SCRIPTS / "locked"


def run(*words, **environ):
    kept = {k: v for k, v in os.environ.items() if k not in ("ENV", "VARS", "CACHE", "SERVICE", "ONLY")}
    return subprocess.run([SCRIPTS / "holdfast", *words], env={**kept, **environ}, capture_output=True, text=True, check=False)


class Options(unittest.TestCase):
    """An option and its environment variable say the same to the same verb."""

    def told(self, words, environ=None):
        """The settings and arguments that a verb is called with."""
        found = []
        with mock.patch.object(cli.deploy_module, "deploy", lambda settings, _smoke: found.append(settings)), \
                mock.patch.object(cli.logs_module, "logs", lambda *given: found.extend(given)), \
                mock.patch.dict(os.environ, {"HOLDFAST_WORK_DIR": "/nowhere", **(environ or {})}, clear=True):
            cli.app(words, standalone_mode=False)
        return found

    def test_an_option_says_what_the_variable_says(self):
        words = ["deploy", "--env", "staging", "--cache", "redis", "--var", "a=1", "--var", "b=two", "--service", "push", "--no-build", "--canary", "25",
                 "--allow-destroy", "--arch", "x86_64", "--port", "4999"]
        environ = {"ENV": "staging", "CACHE": "redis", "VARS": "a=1 b=two", "SERVICE": "push", "BUILD": "0", "CANARY": "25", "ALLOW_DESTROY": "1",
                   "ARCH": "x86_64", "HOLDFAST_PORT": "4999"}
        (said,), (named,) = self.told(words), self.told(["deploy"], environ)
        self.assertEqual(said, named)
        self.assertEqual((said.env, said.cache, said.variables, said.service, said.built, said.canary.percent, said.allow_destroy, said.port),
                         ("staging", "redis", {"a": "1", "b": "two"}, "push", True, 25, True, 4999))

    def test_an_option_wins_over_the_variable_and_an_empty_variable_is_none(self):
        (said,) = self.told(["deploy", "--env", "local"], {"ENV": "production", "CACHE": "", "VARS": "", "BUILD": ""})
        self.assertEqual((said.env, said.variables, said.built), ("local", {}, False))

    def test_where_service_is_a_function_it_is_no_stack(self):
        said, service, since, follow = self.told(["logs", "--service", "auth-login", "--follow"], {"SINCE": "1h"})
        self.assertEqual((said.service, service, since, follow), ("", "auth-login", "1h", True))

    def test_every_target_of_make_is_a_verb(self):
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        aliases = dict(re.findall(r"^([a-z0-9]+):.*\n\t\$\(HOLDFAST\) (\S+)$", makefile, re.M))
        self.assertEqual(set(aliases), set(re.findall(r"^([a-z0-9]+):", makefile, re.M)) - {"help"})
        verbs = {command.name for command in cli.app.registered_commands}
        for target, verb in aliases.items():
            self.assertEqual(target, verb)
            self.assertIn(verb, verbs)

    def test_make_passes_on_every_variable_of_an_option(self):
        exported = set(re.search(r"(?m)^export ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(encoding="utf-8")).group(1).replace("\\\n", " ").split())
        named = {name for file in (PACKAGE / "cli.py", *(PACKAGE / "verbs").glob("*.py"))
                 for name in re.findall(r'\b(?:option|flag|envvar=)\(?"([A-Z_]+)"', file.read_text(encoding="utf-8"))}
        self.assertGreater(len(named), 25)
        # BASE and ROLE are the pipelines' own.
        self.assertEqual(sorted(named - exported - {"BASE", "ROLE"}), [])

    def test_a_slip_is_one_line_and_exit_code_2(self):
        for words, says in ((["deploy", "--nope"], "--nope"), (["depoly"], "depoly"), (["status", "--env", "prod"], "ENV=prod: use local, staging or production.")):
            code, out, err = called(words, read())
            self.assertEqual((code, out, err.count("\n")), (2, "", 1), err)
            self.assertIn(says, err)
        result = run("depoly")
        self.assertEqual((result.returncode, result.stdout, result.stderr.count("\n")), (2, "", 1), result.stderr)

    def test_every_verb_has_help(self):
        named = [([], cli.app), *(([one.name], one.typer_instance) for one in cli.app.registered_groups)]
        for words, command in [(words, command) for words, group in named for command in group.registered_commands]:
            with contextlib.redirect_stdout(io.StringIO()) as said:
                all_verbs(cli.app)([*words, command.name, "--help"], standalone_mode=False)
            self.assertIn(command.callback.__doc__.split(".")[0].split(":")[0][:30], re.sub(r"\s+", " ", said.getvalue()), command.name)


class Interpreter(unittest.TestCase):
    def test_what_is_exported_is_what_is_locked(self):
        lock = (SCRIPTS / "uv.lock").read_text(encoding="utf-8")
        hashes = {tuple(re.search(r'^name = "(.+)"\nversion = "(.+)"', part, re.M).groups()): set(re.findall(r"sha256:[0-9a-f]{64}", part))
                  for part in lock.split("[[package]]\n")[1:] if 'source = { registry' in part}
        for group in interpreter.GROUPS:
            text = (LOCKED / f"{group}.txt").read_text(encoding="utf-8")
            for name, version, body in re.findall(r"(?m)^([a-z0-9-]+)==(\S+)(.*(?:\n    .*)*)", text):
                self.assertTrue(re.findall(r"--hash=(\S+)", body), name)
                self.assertLessEqual(set(re.findall(r"--hash=(\S+)", body)), hashes[name, version], f"{name}: export it anew (CONTRIBUTING.md)")
        for name in ("typer", "rich", "boto3", "psutil", "python-hcl2"):
            self.assertRegex((LOCKED / "cli.txt").read_text(encoding="utf-8"), rf"(?m)^{name}==")

    def test_every_package_that_the_project_names_is_exported(self):
        project = (SCRIPTS / "pyproject.toml").read_text(encoding="utf-8")
        for group, block in (("cli", r"(?s)\ndependencies = \[(.*?)\]\n"), ("tools", r"(?s)\ntools = \[(.*?)\n\]"), ("dev", r"(?s)\ndev = \[(.*?)\n\]")):
            text = (LOCKED / f"{group}.txt").read_text(encoding="utf-8")
            for name, version in re.findall(r'(?m)^  "([a-z0-9-]+)(?:\[.*\])?(?:==([^;"]+))?', re.search(block, project).group(1)):
                self.assertRegex(text, rf"(?m)^{name}=={re.escape(version) if version else ''}", f"{name}: export it anew (CONTRIBUTING.md)")

    def test_what_is_installed_is_known_by_its_list_and_its_interpreter(self):
        with tempfile.TemporaryDirectory() as folder:
            tools = Path(folder)
            (tools / "bin").mkdir()
            (tools / "bin" / "python").symlink_to(sys.executable)
            record = tools / "lib" / "holdfast" / "cli"
            self.assertFalse(interpreter.is_installed(tools, "cli"))
            record.parent.mkdir(parents=True)
            record.write_text(interpreter._stamp(tools, "cli"))
            self.assertTrue(interpreter.is_installed(tools, "cli"))
            with mock.patch.object(interpreter, "LOCKED", tools):
                (tools / "cli.txt").write_text("other==1\n")
                self.assertFalse(interpreter.is_installed(tools, "cli"))
            (tools / "bin" / "python").unlink()
            self.assertFalse(interpreter.is_installed(tools, "cli"))

    def test_what_cannot_be_installed_is_told_in_one_line(self):
        with tempfile.TemporaryDirectory() as folder, Command(Path(folder) / "bin", python3="exit 1"):
            for failing, code, says in ((["venv"], 2, "install the package python3-venv"), (["pip"], 1, "pip could not install the operator tool")):
                python = Path(folder) / "python"
                python.write_text(f"#!/bin/sh\n[ \"$2\" = {failing[0]} ] && {{ echo broken; exit 1; }}\n"
                                  f"[ \"$2\" = venv ] && {{ mkdir -p \"$3/bin\" \"$3/lib\"; cp {python} \"$3/bin/python\"; }}\nexit 0\n")
                python.chmod(0o755)
                with mock.patch.object(sys, "executable", str(python)), self.assertRaises(interpreter.CannotInstall) as caught:
                    interpreter.install(Path(folder) / failing[0], "cli", lambda _: None)
                self.assertEqual(caught.exception.code, code)
                self.assertIn(says, str(caught.exception))
                self.assertNotIn("\n", str(caught.exception))


class Doctor(unittest.TestCase):
    def examine(self, **commands_on_path):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said, \
                Command(Path(folder) / "bin", **commands_on_path), \
                mock.patch.dict(os.environ, {"PATH": str(Path(folder) / "bin"), "CHROMIUM": ""}):
            code = doctor.examine(read(HOLDFAST_WORK_DIR=folder, HOLDFAST_PORT=str(processes.free_port()),
                                       HOLDFAST_REDIS_PORT=str(processes.free_port())), False)
        return code, said.getvalue()

    def test_everything_that_is_missing_is_named_at_once_with_what_to_do(self):
        code, said = self.examine(cargo="echo cargo 1.70.0", terraform="echo Terraform v1.9.0", node="echo v18.0.0", git="true", sh="true")
        self.assertEqual(code, 2)
        for what, todo in (("make", "install make"), ("cc", "gcc and libc6-dev"), ("cargo 1.70.0: 1.95 or newer is needed", "rustup"),
                           ("Terraform v1.9.0: 1.10 or newer is needed", "developer.hashicorp.com"), ("v18.0.0: 20 or newer is needed", "Node.js 20"),
                           ("npm", "install npm"), ("chromium", "CHROMIUM=<path>"), ("redis-server", "there is no cache")):
            self.assertRegex(said, rf"{re.escape(what)}[^→]*→[^\n]*{re.escape(todo)}")
        self.assertRegex(said, r"\d+ things are missing or wrong: .*make, cc, cargo, .*terraform.*, node, npm, chromium(, valgrind)?\.")

    def test_a_taken_port_is_named_with_its_variable(self):
        with cloud.processes.socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            port = holder.getsockname()[1]
            with tempfile.TemporaryDirectory() as folder:
                found = {finding.what: finding for finding in doctor._ports(read(HOLDFAST_WORK_DIR=folder, HOLDFAST_PORT=str(port)))}
                self.assertEqual((found[f"port {port}"].verdict, found[f"port {port}"].todo), ("wrong", "choose another with HOLDFAST_PORT=…"))
                # What is deployed there has it.
                (Path(folder) / "ministack.pid").write_text("{}")
                found = {finding.what: finding for finding in doctor._ports(read(HOLDFAST_WORK_DIR=folder, HOLDFAST_PORT=str(port)))}
                self.assertEqual(found[f"port {port}"].verdict, "ok")

    def test_json_says_the_same(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            code = doctor.report([doctor.Finding("a", "ok", "1"), doctor.Finding("b", "wrong", "missing", "install b")], console.answer)
        self.assertEqual((code, json.loads(said.getvalue())["ok"]), (2, False))
        self.assertEqual(json.loads(said.getvalue())["findings"][1]["todo"], "install b")

    def test_it_answers_where_nothing_can_be_installed(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "file").write_text("")
            result = run("doctor", HOLDFAST_TOOLS=str(Path(folder) / "file"), PYTHONPATH="")
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stdout, r"✗ \.tools +.*HOLDFAST_TOOLS")
        self.assertIn("terraform", result.stdout)
        self.assertNotIn("Traceback", result.stderr)


class Providers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name) / "home"
        self.home.mkdir()
        self.settings = read(HOLDFAST_TOOLS=str(Path(folder.name) / "tools"))
        self.opt = Path(folder.name) / "opt"
        for patch in (mock.patch.dict(os.environ, {"HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data")}),
                      mock.patch.object(providers, "implied", lambda: [self.home / ".terraform.d" / "plugins"]),
                      mock.patch.object(providers, "usual", lambda: [Path(os.environ["TF_PLUGIN_CACHE_DIR"])] if "TF_PLUGIN_CACHE_DIR" in os.environ
                                        else sorted(self.opt.glob("*plugins*")))):
            patch.start()
            self.addCleanup(patch.stop)
        for name in ("TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"):
            os.environ.pop(name, None)

    def tree(self, folder, version=None):
        (folder / providers.PROVIDER / (version or providers.version()) / providers._machine()).mkdir(parents=True)
        return folder

    def test_the_version_is_that_of_the_lock(self):
        self.assertRegex(providers.version(), r"^\d+\.\d+\.\d+$")

    def test_without_a_tree_terraform_is_left_alone(self):
        self.assertEqual(set(providers.variables(self.settings)), {"TF_PLUGIN_CACHE_DIR"})
        self.assertIsNone(providers.found())

    def test_an_implied_mirror_needs_no_configuration(self):
        self.tree(self.home / ".terraform.d" / "plugins")
        self.tree(self.opt / "tf-plugins")
        self.assertNotIn("TF_CLI_CONFIG_FILE", providers.variables(self.settings))

    def test_a_tree_elsewhere_is_named_and_what_the_caller_has_is_kept(self):
        tree = self.tree(self.opt / "tf-plugins")
        (self.home / ".terraformrc").write_text('credentials "x" {\n  token = "t"\n}\nplugin_cache_dir = "/cache"\n')
        file = Path(providers.variables(self.settings)["TF_CLI_CONFIG_FILE"])
        text = file.read_text()
        self.assertIn(f'path    = "{tree}"', text)
        self.assertIn('credentials "x"', text)
        self.assertNotIn("plugin_cache_dir", text)
        self.assertEqual(providers.found(), tree)

    def test_a_tree_of_another_version_is_none(self):
        self.tree(self.opt / "tf-plugins", "0.0.1")
        self.assertIsNone(providers.found())
        self.assertNotIn("TF_CLI_CONFIG_FILE", providers.variables(self.settings))

    def test_where_the_caller_says_where_providers_come_from_that_is_done(self):
        self.tree(self.opt / "tf-plugins")
        (self.home / ".terraformrc").write_text('provider_installation {\n  direct {}\n}\n')
        self.assertNotIn("TF_CLI_CONFIG_FILE", providers.variables(self.settings))

    def test_a_plugin_cache_is_a_mirror_and_is_not_linked_to_itself(self):
        cache = self.tree(self.home / "cache")
        os.environ["TF_PLUGIN_CACHE_DIR"] = str(cache)
        found = providers.variables(self.settings)
        self.assertIn(str(cache), Path(found["TF_CLI_CONFIG_FILE"]).read_text())
        self.assertNotEqual(found["TF_PLUGIN_CACHE_DIR"], str(cache))

    def test_a_script_that_is_run_by_hand_finds_the_same_tree(self):
        cache, folder = self.tree(self.home / "the cache"), self.home / "work"
        result = subprocess.run([sys.executable, "-B", "-m", "holdfast_cli.local.providers", str(folder)], capture_output=True, text=True, check=True,
                                env={**os.environ, "TF_PLUGIN_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT / "scripts")})
        self.assertEqual(result.stdout.splitlines(), [f"export TF_PLUGIN_CACHE_DIR={folder}/terraform-plugins", f"export TF_CLI_CONFIG_FILE={folder}/terraform.rc"])
        self.assertIn(f'path    = "{cache}"', (folder / "terraform.rc").read_text())

    def test_a_configuration_that_is_named_and_not_there_is_no_warning(self):
        os.environ["TF_CLI_CONFIG_FILE"] = str(self.home / "none")
        self.assertTrue(Path(providers.variables(self.settings)["TF_CLI_CONFIG_FILE"]).exists())

    def binary(self, body):
        """A provider as `terraform init` leaves it in a folder."""
        place = self.home / "root" / ".terraform" / "providers" / providers.PROVIDER / "5.0.0" / "any"
        place.mkdir(parents=True)
        file = place / "terraform-provider-aws_v5.0.0_x5"
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def serve(self, **more):
        return providers.serve(self.home / "root", self.home / "log", subprocess.Popen, **more)

    def test_one_provider_serves_all_runs_of_a_test(self):
        self.binary("""[ "$1" = -debug ] || exit 1; printf "\tTF_REATTACH_PROVIDERS='%s'\n" '{"a":{"Pid":1}}'; exec sleep 60""")
        child, value = self.serve()
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.assertEqual(value, '{"a":{"Pid":1}}')
        self.assertIsNone(child.poll())

    def test_a_provider_that_is_missing_ends_or_says_nothing_is_not_used(self):
        self.assertIsNone(self.serve())
        self.binary("exit 1")
        self.assertIsNone(self.serve())
        (self.home / "root").rename(self.home / "ended")
        self.binary("exec sleep 60")
        self.assertIsNone(self.serve(patience_seconds=0.2))

    def test_a_shell_gets_the_provider_and_its_process(self):
        self.binary("""echo "TF_REATTACH_PROVIDERS='{}'"; exec sleep 60""")
        result = subprocess.run([sys.executable, "-B", "-m", "holdfast_cli.local.providers", "--serve", str(self.home / "root"), str(self.home / "log")],
                                capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")})
        self.assertRegex(result.stdout, r"\Aexport HOLDFAST_PROVIDER_PID=[0-9]+\nexport TF_REATTACH_PROVIDERS='\{\}'\n\Z")
        os.kill(int(result.stdout.split("=")[1].split()[0]), signal.SIGKILL)


class Progress(unittest.TestCase):
    def test_the_build_says_how_many_crates_of_how_many(self):
        step, log = console.Step("building"), io.StringIO()
        said = ["   Compiling a v1\n", "    Building [====>    ] 7/312: a, b\n", "    Building [=====>   ] 78/312: b\n", "   Compiling b v1\n", "error: no\n"]
        step.started = console.time.monotonic() - 20
        self.assertEqual(build.follow(iter(said), log, step), 2)
        self.assertEqual(log.getvalue(), "   Compiling a v1\n   Compiling b v1\nerror: no\n")
        self.assertEqual(step.so_far(), "78 of 312 crates, 20 s so far, 60 s left")

    def test_without_a_total_it_says_the_time(self):
        step = console.Step("x")
        step.started = console.time.monotonic() - 3
        self.assertEqual(step.so_far(), "3 s so far")
        self.assertEqual((console.time_left(None, 5), console.time_left(9, None), console.time_left(9, 200)), ("", "", "3 min left"))


class Unchanged(unittest.TestCase):
    """Stacks that need no plan: everything they are made from is as it was."""

    READ = {"mode": "data", "type": "aws_ssm_parameter", "instances": [{"attributes": {"name": "/holdfast/local/platform/x", "value": "1"}}]}

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.settings = read(HOLDFAST_WORK_DIR=folder.name)
        self.given = {"functions": {"auth-login": {"sha256": "a"}, "push-ticket": {"sha256": "b"}}, "version": "1", "arch": "x", "commit": "c"}
        self.parameters = {"/holdfast/local/platform/x": "1", "/holdfast/local/auth/own": "1"}
        self.write()
        (self.folder / cloud.EMULATOR).write_text("process 1")
        self.calls = self.folder / "calls"
        for stack in terraform.stacks(self.settings):
            for place in (stack.directory, stack.log.parent, stack.state.parent):
                place.mkdir(parents=True, exist_ok=True)
            stack.state.write_text(json.dumps({"resources": [self.READ]}))
            stack.values.write_text("{}")
            stack.log.write_text("")

    def write(self):
        self.settings.manifest_file.write_text(json.dumps(self.given))

    def planned(self, **codes):
        """The stacks that a deploy plans; `codes`: those that differ."""
        self.calls.write_text("")
        script = (f'echo "$(basename "$PWD") $1" >>{self.calls}\necho "$*" >>{self.calls}.words\ncase "$1 $(basename "$PWD")" in\n'
                  + "".join(f'"plan {name}") echo "Plan: 0 to add, 1 to change, 0 to destroy."; exit {code};;\n' for name, code in codes.items()) + "esac")
        with Command(self.folder / "bin", terraform=script), contextlib.redirect_stdout(io.StringIO()), \
                mock.patch.object(unchanged, "parameters", lambda _: dict(self.parameters)):
            self.applied = stacks.apply_all(self.settings, terraform.stacks(self.settings))
        return sorted(text.split()[0] for text in self.calls.read_text().splitlines() if text.endswith(" plan"))

    ALL = sorted(settings.STACKS)

    def test_the_second_time_nothing_is_planned(self):
        self.assertEqual(self.planned(), self.ALL)
        self.assertEqual(self.planned(), [])

    def test_every_plan_can_be_asked_for(self):
        self.planned()
        self.settings.plan_all = True
        self.assertEqual(self.planned(), self.ALL)

    def test_a_variable_of_one_stack_plans_that_stack_alone(self):
        self.planned()
        terraform.Stack("auth", self.settings).values.write_text('{"max_login_attempts": "9"}')
        self.assertEqual(self.planned(auth=2), ["auth"])
        self.assertEqual(self.applied, ["auth"])
        self.assertEqual(self.planned(), [])

    def test_a_plan_asks_for_each_resource_unless_only_this_tool_can_have_changed_them(self):
        def looked():
            words = Path(f"{self.calls}.words")
            plans = [text for text in words.read_text().splitlines() if text.startswith("plan ")]
            words.unlink()
            return ["-refresh=false" not in text for text in plans]

        self.planned()
        self.assertEqual(looked(), [True] * len(self.ALL))
        auth = terraform.Stack("auth", self.settings)
        auth.values.write_text('{"a": 1}')
        self.assertEqual((self.planned(), looked()), (["auth"], [False]))
        auth.values.write_text('{"a": 2}')
        (self.folder / cloud.EMULATOR).write_text("process 2")
        self.assertEqual((self.planned(), looked()), (self.ALL, [True] * len(self.ALL)))
        self.settings.plan_all = True
        self.assertEqual((self.planned(), looked()), (self.ALL, [True] * len(self.ALL)))

    def test_an_artifact_plans_its_stack_and_a_commit_none(self):
        self.planned()
        self.given["commit"] = "d"
        self.write()
        self.assertEqual(self.planned(), [])
        self.given["functions"]["push-ticket"] = {"sha256": "c"}
        self.write()
        self.assertEqual(self.planned(), ["push"])
        self.given["version"] = "2"
        self.write()
        self.assertEqual(self.planned(), self.ALL)

    def test_code_of_a_module_plans_all_stacks(self):
        self.planned()
        with mock.patch.object(terraform.Stack, "code", lambda _: [self.folder / "release.json"]):
            self.assertEqual(self.planned(), self.ALL)

    def test_a_parameter_that_others_hand_over_plans_those_that_read_it(self):
        self.planned()
        self.parameters["/holdfast/local/auth/own"] = "2"
        self.assertEqual(self.planned(), [])
        self.parameters["/holdfast/local/platform/x"] = "2"
        self.assertEqual(self.planned(), self.ALL)
        del self.parameters["/holdfast/local/platform/x"]
        self.assertEqual(self.planned(), self.ALL)

    def test_a_state_that_somebody_changed_or_another_cloud_is_planned(self):
        self.planned()
        terraform.Stack("push", self.settings).state.write_text(json.dumps({"resources": [self.READ], "serial": 2}))
        self.assertEqual(self.planned(), ["push"])
        (self.folder / cloud.EMULATOR).write_text("process 2")
        self.assertEqual(self.planned(), self.ALL)

    def test_a_stack_that_reads_something_else_is_always_planned(self):
        other = {"mode": "data", "type": "aws_vpc", "instances": [{"attributes": {}}]}
        terraform.Stack("push", self.settings).state.write_text(json.dumps({"resources": [other]}))
        self.planned()
        self.assertEqual(self.planned(), ["push"])

    def test_an_apply_that_failed_is_planned_again(self):
        self.planned()
        terraform.Stack("auth", self.settings).values.write_text('{"a": 1}')
        with mock.patch.object(terraform.Stack, "apply", mock.Mock(side_effect=Failed("no"))), self.assertRaises(Failed):
            self.planned(auth=2)
        self.assertEqual(self.planned(), ["auth"])

    def test_on_aws_every_stack_is_planned(self):
        self.planned()
        stack = terraform.Stack("auth", read(ENV="staging", HOLDFAST_WORK_DIR=str(self.folder)))
        self.assertFalse(unchanged.is_unchanged(stack, "", {}))

    def test_parameters_that_cannot_be_read_are_none(self):
        # A local cloud that is busy does not answer for a moment, and a deploy that waits for a parameter asks again.
        for trouble in (Refused("AWS refuses it"), Failed("the local cloud does not answer", "UNREACHABLE")):
            with mock.patch.object(unchanged.aws, "parameters", side_effect=trouble):
                self.assertEqual(unchanged.parameters(read()), {})

    def test_later_stacks_are_planned_again_only_where_something_they_read_has_changed(self):
        self.assertEqual(self.planned(platform=2, auth=2, push=2), self.ALL)
        self.assertEqual(sorted(self.applied), ["auth", "platform", "push"])
        self.given["version"] = "2"
        self.write()

        def parameters(_):
            # What platform hands over is another value as soon as it is applied.
            applied = "platform apply" in self.calls.read_text()
            return {**self.parameters, "/holdfast/local/platform/x": "2" if applied else "1"}

        self.calls.write_text("")
        script = (f'echo "$(basename "$PWD") $*" >>{self.calls}\ncase "$1 $(basename "$PWD")" in\n'
                  '"plan platform") echo "Plan: 0 to add, 1 to change, 0 to destroy."; exit 2;;\nesac')
        with Command(self.folder / "bin", terraform=script), contextlib.redirect_stdout(io.StringIO()), \
                mock.patch.object(unchanged, "parameters", parameters):
            stacks.apply_all(self.settings, terraform.stacks(self.settings))
        again = [text for text in self.calls.read_text().splitlines() if text.startswith("auth plan")]
        self.assertEqual(len(again), 2)
        # It was compared with what is there a moment ago.
        self.assertIn("-refresh=false", again[1])

    def test_the_terraform_reads_of_a_release_what_its_fingerprint_holds(self):
        infra, used = ROOT / "infra", []
        for file in [*infra.glob("stacks/*/*.tf"), *infra.glob("modules/*/*.tf")]:
            text = file.read_text(encoding="utf-8")
            # Whole, it is a local value of modules/service, which looks at the functions of its stack.
            used += re.findall(r"jsondecode\(file\(var\.release_manifest\)\)(\.\w+)?", text) + re.findall(r"local\.manifest(\.\w+)", text)
        self.assertEqual(set(used), {"", ".version", ".functions", ".arch"})
        self.assertEqual(used.count(""), 1)


class FirstApply(unittest.TestCase):
    """The first apply of the local environment: each stack starts when what it reads is published."""

    READS = {"auth": ("platform/api",), "sessions": ("platform/api",), "push": ("platform/api",), "events": ("platform/api", "push/queue")}

    def applied(self, publishes, chosen=settings.STACKS, failing=""):
        """What happened in which order; `publishes`: the parameters of a stack, before it has ended."""
        published, happened, lock = set(), [], threading.Lock()
        there = {name: threading.Event() for name in settings.STACKS}

        def say(what):
            with lock:
                happened.append(what)

        def apply(run, stack):
            say(f"{stack.name} starts")
            if stack.name == failing:
                raise Failed(f"{stack.name} failed")
            published.update(f"/holdfast/local/{name}" for name in publishes.get(stack.name, ()))
            there[stack.name].set()
            # Whoever reads from it starts while it is being applied.
            for reader, names in self.READS.items():
                if reader in chosen and publishes.get(stack.name) and {name.split("/")[0] for name in names} <= {stack.name}:
                    self.assertTrue(there[reader].wait(20), f"{reader} does not start beside {stack.name}")
            say(f"{stack.name} ends")
            run.applied.append(stack.name)

        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), \
                mock.patch.object(stacks, "LOOK", 0.01), mock.patch.object(stacks, "inputs", lambda name: self.READS.get(name, ())), \
                mock.patch.object(unchanged, "parameters", lambda _: dict.fromkeys(published, "x")), \
                mock.patch.object(unchanged, "fingerprint", lambda _: ""), mock.patch.object(stacks._Run, "apply", apply):
            own = read(HOLDFAST_WORK_DIR=folder)
            stacks.apply_all(own, [terraform.Stack(name, own) for name in chosen])
        return happened

    def test_a_stack_starts_beside_the_one_whose_parameters_it_reads_and_after_them(self):
        happened = self.applied({"platform": ("platform/api",), "push": ("push/queue",)})
        self.assertEqual(happened[0], "platform starts")
        self.assertLess(happened.index("push starts"), happened.index("platform ends"))
        self.assertLess(happened.index("push starts"), happened.index("events starts"))
        self.assertEqual(len(happened), 10)

    def test_a_stack_whose_parameters_never_come_is_not_applied(self):
        with self.assertRaisesRegex(Failed, "^platform failed$"):
            self.applied({}, failing="platform")
        with self.assertRaisesRegex(Failed, "^stack events was not applied: it needs push/queue.$"):
            self.applied({"platform": ("platform/api",)})

    def test_what_stacks_of_another_run_publish_is_not_waited_for(self):
        self.assertEqual(self.applied({}, ("auth",)), ["auth starts", "auth ends"])

    def test_foundations_are_parts_of_their_stacks_and_none_is_a_function(self):
        for name in settings.STACKS:
            text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "infra" / "stacks" / name).glob("*.tf"))
            for target in stacks.foundations(name):
                kind, rest = target.partition("[")[0].split(".")[:2]
                self.assertIn(f'module "{rest}" {{' if kind == "module" else f'resource "{kind}" "{rest}" {{', text, target)
                self.assertNotEqual(rest, "service")
        self.assertIn('module.subscriber["events-audit-trail"].module.dead_letter_queue', stacks.foundations("events"))
        subscriber = (ROOT / "infra" / "modules" / "event-subscriber" / "main.tf").read_text(encoding="utf-8")
        self.assertIn('module "dead_letter_queue" {', subscriber)

    def test_foundations_are_made_in_the_order_of_what_they_read_and_are_not_whole_stacks(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            own, calls = read(HOLDFAST_WORK_DIR=folder), Path(folder) / "calls"
            chosen = terraform.stacks(own)
            for stack in chosen:
                for place in (stack.directory, stack.log.parent):
                    place.mkdir(parents=True, exist_ok=True)
            made = f'echo "$(basename "$PWD") $*" >>{calls}; if [ "$1" = plan ]; then exit 2; fi'

            def parameters(_):
                done = calls.read_text().split("\n") if calls.exists() else []
                names = [name for name in settings.STACKS if any(text.startswith(f"{name} apply") for text in done)]
                return {f"/holdfast/local/{name}": "x" for stack in settings.STACKS for name in terraform.inputs(stack) if name.split("/")[0] in names}

            with Command(Path(folder) / "bin", terraform=made), mock.patch.object(unchanged, "parameters", parameters), \
                    mock.patch.object(stacks, "LOOK", 0.01):
                stacks.lay_foundations(own, chosen, lambda: True)
                self.assertFalse(calls.exists(), "nothing begins after the build")
                stacks.lay_foundations(own, chosen, lambda: False)
            said = calls.read_text().splitlines()
            self.assertEqual([text.split()[:2] for text in said], [[name, verb] for name in ("platform", "push", "events") for verb in ("plan", "apply")])
            self.assertTrue(all("-target=" in text for text in said if " plan " in text))
            self.assertEqual(list(chosen[0].top.glob("*.applied.json")), [], "no stack is remembered as applied")

    def test_the_parameters_of_a_stack_are_those_that_its_code_names(self):
        for name in settings.STACKS:
            text = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "infra" / "stacks" / name).glob("*.tf"))
            named = {found for found in re.findall(r'"([a-z]+/[a-z0-9-]+)"', text) if found.split("/")[0] in settings.STACKS}
            self.assertEqual(set(terraform.inputs(name)), named, name)
        self.assertIn("push/close-queue-url", terraform.inputs("events"))


class Destroy(unittest.TestCase):
    def destroyed(self, **how):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            destroy.destroy(self.settings, **how)
        return said.getvalue()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = Path(folder.name).resolve() / "work"
        self.settings = read(HOLDFAST_WORK_DIR=str(self.work))
        for name in ("state", "terraform", "logs", "cloud"):
            (self.work / name).mkdir(parents=True)
        (self.work / "outputs.json").write_text("{}")
        self.process = processes.start(self.work / cloud.EMULATOR, ["sleep", "60"], env=os.environ, cwd=self.work, log=self.work / "logs" / "x")
        self.addCleanup(self.process.wait)
        self.addCleanup(processes.stop, self.work / cloud.EMULATOR)

    def test_the_local_environment_is_stopped_and_its_folder_removed_without_terraform(self):
        with Command(self.work.parent / "bin", terraform=f"touch {self.work.parent}/called"):
            said = self.destroyed()
        self.assertIn("Destroyed ENV=local: stopped the local cloud", said)
        self.assertIsNotNone(self.process.poll())
        self.assertFalse(self.work.exists())
        self.assertFalse((self.work.parent / "called").exists())

    def test_what_no_deploy_made_stays(self):
        (self.work / "staging").mkdir()
        self.destroyed()
        self.assertEqual(sorted(path.name for path in self.work.iterdir()), ["lock", "staging"])

    def test_the_way_of_terraform_is_taken_where_it_is_asked_for(self):
        with mock.patch.object(destroy, "_destroy_stacks", lambda _: ["platform", "auth"]):
            self.assertIn("removed the stacks platform, auth; stopped the local cloud", self.destroyed(by_terraform=True))


class Commands(unittest.TestCase):
    def test_a_child_without_a_pipe_is_a_defect(self):
        child = commands.start(["true"])
        with self.assertRaises(ValueError):
            commands.lines_of(child)
        commands.finish(child)


if __name__ == "__main__":
    unittest.main()
