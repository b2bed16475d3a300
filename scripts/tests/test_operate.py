"""The operator tool, without a cloud: `.tools/bin/python -m unittest discover -s scripts/tests`."""

import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import zipfile
from pathlib import Path
from unittest import mock

from fakes import SCRIPTS, called, read

from holdfast_cli.core import catalogue, console, environment, processes, settings, tfvars
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.deploy import build, deploy, environments, outputs, terraform
from holdfast_cli.local import cloud


class Settings(unittest.TestCase):
    def refusal(self, **environ):
        with self.assertRaises(Refused) as caught:
            read(**environ)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    def test_local_is_the_default(self):
        found = read()
        self.assertEqual((found.env, found.port), ("local", 4566))

    def test_locally_there_is_a_cache_where_there_is_a_server_unless_cache_says_otherwise(self):
        self.assertEqual(read().cache, "redis" if shutil.which("redis-server") else "dynamodb")
        chosen, none = read(CACHE="redis", HOLDFAST_REDIS_PORT="6400"), read(CACHE="dynamodb")
        self.assertEqual((chosen.redis_url, none.redis_url), ("redis://127.0.0.1:6400/0", ""))
        deploy.choose_cache(none, "/usr/bin/redis-server")
        self.assertEqual(none.cache, "dynamodb")
        with self.assertRaises(Refused):
            deploy.choose_cache(chosen, None)
        left_open = read()
        for found, cache in ((None, "dynamodb"), ("/usr/bin/redis-server", "redis")):
            deploy.choose_cache(left_open, found)
            self.assertEqual(left_open.cache, cache)

    def test_what_is_wrong_is_named_in_one_line(self):
        self.assertIn("ENV=prod", self.refusal(ENV="prod"))
        self.assertIn("ARCH=mips", self.refusal(ARCH="mips"))
        self.assertIn("CACHE=memcached", self.refusal(CACHE="memcached"))
        self.assertIn("HOLDFAST_PORT=x", self.refusal(HOLDFAST_PORT="x"))
        self.assertIn("HOLDFAST_REDIS_PORT=80", self.refusal(HOLDFAST_REDIS_PORT="80"))

    def test_the_cache_is_chosen_by_cache_by_vars_or_by_the_environments_file(self):
        for environ in ({"CACHE": "redis"}, {"VARS": "cache_provider=redis"}, {"CACHE": "redis", "VARS": "cache_provider=redis"}):
            for env in ("local", "staging"):
                found = read(ENV=env, **environ)
                self.assertEqual((found.cache, found.cache_chosen, found.variables), ("redis", True, {}))
                self.assertEqual(terraform.values_for("auth", found)["cache_provider"], "redis")
        self.assertIn("leave one of them out", self.refusal(CACHE="redis", VARS="cache_provider=dynamodb"))
        self.assertIn("cache_provider=memcached", self.refusal(VARS="cache_provider=memcached"))
        # On AWS there is no local server to name.
        self.assertEqual(terraform.values_for("auth", read(ENV="staging", CACHE="redis")).get("local_redis_url"), "")

        def of_file(text, **environ):
            found = read(ENV="staging", **environ)
            with mock.patch.object(environments, "_read", lambda *_: tfvars.parse(text)):
                environments.fill_in(found)
            return found
        self.assertEqual(of_file("").cache_mode, "dynamodb")
        self.assertEqual(of_file('cache_provider = "redis"').cache_mode, "redis")
        self.assertEqual(of_file('cache_provider = "redis"', CACHE="dynamodb").cache_mode, "dynamodb")
        step = of_file('cache_provider = "redis"\nredis_delete_only = true')
        self.assertEqual(step.cache_mode, "redis, delete only")
        self.assertEqual(terraform.values_for("auth", step)["redis_delete_only"], "true")
        self.assertEqual(of_file("", VARS="cache_provider=redis redis_delete_only=true").cache_mode, "redis, delete only")

    def test_vars_are_name_value_pairs(self):
        self.assertEqual(settings.parse_variables("a=1  b_c=http://x,http://y"), {"a": "1", "b_c": "http://x,http://y"})
        self.assertEqual(settings.parse_variables(""), {})
        for bad in ("a", "A=1", "a='1", "=1", "a=$(x)"):
            with self.assertRaises(Refused):
                settings.parse_variables(bad)


class Variables(unittest.TestCase):
    def test_a_variable_goes_only_to_the_stacks_that_declare_it(self):
        chosen = read(VARS="max_login_attempts=1000")
        self.assertEqual(terraform.values_for("auth", chosen)["max_login_attempts"], "1000")
        self.assertNotIn("max_login_attempts", terraform.values_for("push", chosen))

    def test_a_list_is_written_with_commas(self):
        chosen = read(VARS="allowed_origins=https://a,https://b")
        self.assertEqual(terraform.values_for("platform", chosen)["allowed_origins"], ["https://a", "https://b"])

    def test_a_variable_of_no_stack_is_refused(self):
        with self.assertRaises(Refused) as caught:
            terraform.check_variables(read(VARS="max_sesions_per_user=3"))
        self.assertIn("max_sesions_per_user", str(caught.exception))

    def test_what_the_tool_sets_itself_is_refused_with_the_way_to_set_it(self):
        for name, way in (("env", "ENV="), ("local_endpoint", "HOLDFAST_PORT=")):
            with self.assertRaises(Refused) as caught:
                terraform.check_variables(read(VARS=f"{name}=x"))
            self.assertIn(way, str(caught.exception))

    def test_every_stack_takes_what_it_is_given(self):
        for stack in settings.STACKS:
            self.assertIn("release_manifest", terraform.values_for(stack, read()), stack)
            self.assertIn("local_endpoint", terraform.values_for(stack, read()), stack)


class Compiler(unittest.TestCase):
    """scripts/compiler/holdfast-rustc, with `echo` in place of rustc."""

    def asked(self, *arguments):
        found = subprocess.run([SCRIPTS / "compiler" / build.COMPILER, "echo", *arguments], capture_output=True, text=True, check=True)
        return found.stdout.split()

    def test_some_functions_are_optimised_when_they_are_linked(self):
        checks = ("sessions-authorizer", "sessions-current", "sessions-introspect")
        for name in ("auth-password", "sessions-admin", *checks):
            self.assertIn(name, catalogue.functions())
            crate = ["--crate-name", name.replace("-", "_"), "--edition=2024", "--crate-type", "bin"]
            level = "opt-level=3" if name in checks else "opt-level=2"
            self.assertEqual(self.asked(*crate, "-C", "lto=off")[:11], [*crate, "-C", "lto=off", "-C", "lto=fat", "-C", level])

    def test_everything_else_is_compiled_as_cargo_says(self):
        for name, kind in (("auth_login", "bin"), ("auth_password", "lib"), ("sessions_current", "lib"), ("service_auth", "lib"), ("build_script_build", "bin")):
            crate = ["--crate-name", name, "--crate-type", kind, "-C", "lto=off"]
            self.assertEqual(self.asked(*crate), crate)

    def test_a_build_fails_where_the_compiler_does(self):
        self.assertEqual(subprocess.run([SCRIPTS / "compiler" / build.COMPILER, "sh", "-c", "exit 3"], check=False).returncode, 3)

    def test_a_release_is_built_with_it_and_named_without_a_folder(self):
        flags = build.release_flags()
        self.assertEqual(flags["RUSTC_WORKSPACE_WRAPPER"], build.COMPILER)
        self.assertIn("-Cembed-bitcode=yes", flags["RUSTFLAGS"])
        self.assertEqual(shutil.which(build.COMPILER, path=environment.path_with_tools(read())), str(SCRIPTS / "compiler" / build.COMPILER))


class Artifacts(unittest.TestCase):
    def test_a_zip_depends_on_its_content_alone(self):
        content = os.urandom(100_000)
        first, second = build.zip_one("bootstrap", content), build.zip_one("bootstrap", content)
        self.assertEqual(first, second)
        self.assertNotEqual(first, build.zip_one("bootstrap", content + b"x"))

    def test_a_zip_is_one_that_others_can_read(self):
        content = b"#!/bin/sh\n" * 1000
        with zipfile.ZipFile(io.BytesIO(build.zip_one("bootstrap", content))) as archive:
            self.assertIsNone(archive.testzip())
            (entry,) = archive.infolist()
            self.assertEqual((entry.filename, entry.date_time), ("bootstrap", (1980, 1, 1, 0, 0, 0)))
            self.assertEqual(entry.external_attr >> 16, 0o100755)
            self.assertEqual(archive.read("bootstrap"), content)

    def test_the_manifest_changes_only_with_an_artifact(self):
        with tempfile.TemporaryDirectory() as folder:
            chosen = read(HOLDFAST_WORK_DIR=folder)
            binary = Path(folder) / "lambda" / "a" / "bootstrap"
            binary.parent.mkdir(parents=True)
            binary.write_bytes(b"one")
            self.assertEqual(build.package(chosen, ["a"]), 1)
            first = chosen.manifest_file.read_text()
            self.assertEqual(build.package(chosen, ["a"]), 0)
            self.assertEqual(chosen.manifest_file.read_text(), first)
            binary.write_bytes(b"two")
            self.assertEqual(build.package(chosen, ["a"]), 1)
            self.assertNotEqual(chosen.manifest_file.read_text(), first)
            entry = json.loads(chosen.manifest_file.read_text())["functions"]["a"]
            self.assertEqual(entry["s3Key"], f"a/{entry['sha256']}.zip")


class Files(unittest.TestCase):
    TEXT = """
# a comment = ignored
env = "staging" # so is this
a-list = [
  "x", # and this
  "y # not this",
]
object = { one = 1
  two = "}" } /* nor
this */
heredoc = <<-EOT
  b = 2
  EOT
last = true"""

    def test_assignments_are_found_whatever_their_values(self):
        found = tfvars.parse(self.TEXT)
        self.assertEqual(found, {"env": "staging", "a-list": ["x", "y # not this"], "object": {"one": 1, "two": "}"}, "heredoc": "b = 2\n", "last": True})
        self.assertEqual(tfvars.string(found["env"]), "staging")
        self.assertEqual(tfvars.strings(found["a-list"]), ["x", "y # not this"])
        self.assertIsNone(tfvars.string(found["last"]))

    def test_a_string_is_what_terraform_makes_of_it(self):
        for text, value in (('"a\\"b\\\\c"', 'a"b\\c'), ('"$${x} %%{y}"', "${x} %{y}"), ("<<EOT\n  a\nEOT", "  a\n"), ("<<-EOT\n  a\n    b\n  EOT", "a\n  b\n")):
            self.assertEqual(tfvars.parse(f"v = {text}\n"), {"v": value}, text)

    def test_only_what_a_stack_declares_is_passed_on_and_vars_come_last(self):
        with tempfile.TemporaryDirectory() as folder:
            chosen = read(HOLDFAST_WORK_DIR=folder, VARS="max_login_attempts=3")
            given = {"max_login_attempts": 9, "registration_enabled": True, "a-list": ["x"]}
            with mock.patch.object(environments, "values", lambda _: given):
                for stack in terraform.stacks(chosen, ["auth", "push"]):
                    stack.prepare()
            auth, push = (json.loads((Path(folder) / "terraform" / f"{name}.tfvars.json").read_text()) for name in ("auth", "push"))
        self.assertEqual((auth["max_login_attempts"], auth["registration_enabled"]), ("3", True))
        for name in ("a-list", "max_login_attempts", "registration_enabled"):
            self.assertNotIn(name, push)

    def test_another_kind_of_file_is_refused_with_its_line(self):
        for text in ("just words", "a = [1, 2", "a = 1\n}"):
            with self.assertRaisesRegex(ValueError, "not of the form name = value"):
                tfvars.parse(text)

    def test_every_environment_sets_what_some_stack_has(self):
        for env in settings.ENVIRONMENTS:
            terraform.check_variables(read(ENV=env))


class Aws(unittest.TestCase):
    def test_a_plan_that_removes_data_is_caught(self):
        def change(kind, *actions):
            return {"address": f"module.x.{kind}.this", "type": kind, "change": {"actions": list(actions)}}

        plan = {"resource_changes": [
            change("aws_dynamodb_table", "update"), change("aws_dynamodb_table", "delete", "create"),
            change("aws_lambda_function", "delete"), change("aws_elasticache_serverless_cache", "delete"),
        ]}
        self.assertEqual(terraform.forbidden(plan),
                         ["module.x.aws_dynamodb_table.this", "module.x.aws_elasticache_serverless_cache.this"])
        self.assertEqual(terraform.forbidden({}), [])

    def test_the_callers_credentials_are_for_aws_only(self):
        os.environ.update(AWS_PROFILE="mine", TF_VAR_env="other")
        try:
            here, there = environment.of(read()), environment.of(read(ENV="staging"))
        finally:
            del os.environ["AWS_PROFILE"], os.environ["TF_VAR_env"]
        self.assertNotIn("AWS_PROFILE", here)
        self.assertEqual(there["AWS_PROFILE"], "mine")
        self.assertNotIn("TF_VAR_env", {**here, **there})


class Outputs(unittest.TestCase):
    FOUND = {
        "platform": {"http_url": "http://h", "tables": {"sessions": "s", "connections": "c"}, "functions": {"ops-health": "p-ops-health"}},
        "auth": {"functions": {"auth-login": "p-auth-login"}},
        "sessions": {"functions": {"sessions-list": "p-sessions-list"}, "authorizer": {"name": "a"}, "authorizer_instance": {"environment": {}},
                     "policy_documents": {"create_session": "{1}", "introspect": "{2}"}},
        "push": {"ws_url": "ws://w", "queues": {"push": "q"}, "functions": {}, "policy_documents": {"publish": "{3}"}}, "events": {"event_bus": "bus", "activity_table": "activity", "functions": {}},
    }

    def test_outputs_have_the_contracts_names(self):
        found = outputs.of(read(HOLDFAST_PORT="4999", HOLDFAST_REDIS_PORT="6999"), self.FOUND, True)
        self.assertEqual(list(found), ["env", "region", "cacheProvider", "httpUrl", "wsUrl", "consoleUrl", "awsEndpointUrl",
                                       "redisUrl", "tables", "queues", "eventBus", "functions", "authorizer", "authorizerInstance", "policyDocuments"])
        self.assertEqual(found["awsEndpointUrl"], "http://127.0.0.1:4999")
        self.assertEqual(found["redisUrl"], "redis://127.0.0.1:6999/0")
        self.assertEqual(found["functions"]["auth-login"], "p-auth-login")
        self.assertEqual((found["authorizer"], found["authorizerInstance"]), ({"name": "a"}, {"environment": {}}))
        self.assertEqual(found["policyDocuments"], {"createSession": "{1}", "introspect": "{2}", "publish": "{3}"})

    def test_a_release_without_the_outputs_for_services_is_shown(self):
        older = {**self.FOUND, "sessions": {"functions": {"a": "b"}}, "push": {"ws_url": "ws://w", "queues": {}}}
        found = outputs.of(read(), older, False)
        self.assertEqual((found["authorizer"], found["authorizerInstance"], found["policyDocuments"]), (None, None, {}))

    def test_one_value_is_printed_as_a_shell_wants_it(self):
        known = {"httpUrl": "http://h", "redisUrl": None, "authorizer": {"name": "a", "qualifier": None}, "functions": {"auth-login": "f"}}
        for words, printed in ((["httpUrl"], "http://h\n"), (["functions.auth-login"], "f\n"), (["redisUrl"], "null\n"),
                               (["authorizer"], '{"name":"a","qualifier":null}\n'), (["httpUrl", "--json"], '"http://h"\n')):
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "outputs.json").write_text(json.dumps(known), encoding="utf-8")
                self.assertEqual(called(["outputs", *words], read(HOLDFAST_WORK_DIR=folder)), (0, printed, ""), words)

    def test_a_name_that_is_no_output_is_refused_with_the_names_that_are(self):
        for name, said in (("url", "no output url: there is functions, httpUrl."), ("functions.x", "no output functions.x: in functions there is auth-login."),
                           ("httpUrl.x", "no output httpUrl.x: in httpUrl there is nothing.")):
            with self.assertRaises(Refused) as caught:
                outputs.one({"httpUrl": "http://h", "functions": {"auth-login": "f"}}, name)
            self.assertEqual(str(caught.exception), said)

    def test_what_the_machine_or_aws_lacks_is_null(self):
        self.assertIsNone(outputs.of(read(), self.FOUND, False)["redisUrl"])
        self.assertIsNone(outputs.of(read(ENV="staging"), self.FOUND, False)["awsEndpointUrl"])

    def test_what_is_printed_is_json_and_nothing_else(self):
        def slow(_):
            console.line("preparing")
            return {"env": "staging"}
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()) as aside, \
                mock.patch.object(outputs, "read", slow):
            outputs.show(read(ENV="staging"))
        self.assertEqual((json.loads(said.getvalue()), aside.getvalue()), ({"env": "staging"}, "preparing\n"))

    def test_a_stack_that_is_not_deployed_is_named(self):
        with self.assertRaises(Failed) as caught:
            outputs.of(read(), {**self.FOUND, "push": {}}, True)
        self.assertIn("push", str(caught.exception))

    def test_a_deployment_keeps_its_ports(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "outputs.json").write_text(
                json.dumps({"awsEndpointUrl": "http://127.0.0.1:4601", "redisUrl": None}), encoding="utf-8")
            found = read(HOLDFAST_WORK_DIR=folder)
            self.assertEqual((found.port, found.redis_port), (4601, 6379))
            self.assertEqual(read(HOLDFAST_WORK_DIR=folder, HOLDFAST_PORT="4602").port, 4602)


class Interrupts(unittest.TestCase):
    """In a process of their own, as a terminal would: Ctrl-C reaches the tool and not its children."""

    def interrupted(self, body, pause=0.5):
        script = "import sys\nsys.path.insert(0, sys.argv[1])\nfrom holdfast_cli.core import commands\n" \
                 "commands.catch_signals()\n" + textwrap.dedent(body)
        with subprocess.Popen([sys.executable, "-c", script, str(SCRIPTS)], stdout=subprocess.PIPE, text=True) as process:
            self.assertEqual(process.stdout.readline(), "ready\n")
            time.sleep(pause)
            process.send_signal(signal.SIGINT)
            output = process.stdout.read()
        return output

    def test_a_child_is_told_once_and_waited_for(self):
        output = self.interrupted("""
            try:
                commands.shown(["sh", "-c", "trap 'sleep 0.3; echo told' INT; echo ready; sleep 60 & wait"])
            except KeyboardInterrupt:
                commands.interrupt_all()
                print("ended", flush=True)
        """)
        self.assertEqual(output, "told\nended\n")

    def test_what_a_child_left_behind_is_ended_too(self):
        began = time.monotonic()
        output = self.interrupted("""
            try:
                commands.shown(["sh", "-c", "sh -c 'trap \"\" INT; exec sleep 60' & echo ready; sleep 60"])
            except KeyboardInterrupt:
                commands.interrupt_all()
                print("ended", flush=True)
        """)
        self.assertEqual(output, "ended\n")
        # It holds the other end of the pipe that has just been read to its end.
        self.assertLess(time.monotonic() - began, 30)

    def test_what_is_being_started_is_written_down_first(self):
        output = self.interrupted("""
            import time
            try:
                with commands.uninterrupted():
                    print("ready", flush=True)
                    time.sleep(1)
                    print("written", flush=True)
            except KeyboardInterrupt:
                print("then interrupted", flush=True)
        """)
        self.assertEqual(output, "written\nthen interrupted\n")


class Processes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.record = self.folder / "x.pid"

    def test_a_started_process_is_found_and_stopped(self):
        process = processes.start(
            self.record, ["sleep", "60"], env=os.environ, cwd=self.folder, log=self.folder / "log", port=4999)
        self.assertEqual(processes.recorded(self.record), process.pid)
        self.assertEqual(processes.recorded_port(self.record), 4999)
        self.assertIn(process.pid, processes.using(self.folder))
        self.assertTrue(processes.stop(self.record))
        process.wait()
        self.assertEqual(processes.using(self.folder), {})
        self.assertFalse(self.record.exists())
        self.assertFalse(processes.stop(self.record))

    def test_another_process_with_a_recycled_id_is_never_stopped(self):
        with subprocess.Popen(["sleep", "60"]) as stranger:
            try:
                self.record.write_text(json.dumps({"pid": stranger.pid, "identity": "another start", "command": "ministack"}))
                self.assertIsNone(processes.recorded(self.record))
                self.assertFalse(processes.stop(self.record))
                self.assertIsNone(stranger.poll())
            finally:
                stranger.kill()

    def test_a_busy_port_names_the_variable_that_changes_it(self):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            chosen = read(HOLDFAST_PORT=str(port), HOLDFAST_WORK_DIR=str(self.folder))
            with self.assertRaises(Refused) as caught:
                cloud.start(chosen, None)
            self.assertIn(str(port), str(caught.exception))
            self.assertIn("HOLDFAST_PORT", str(caught.exception))

    def test_a_deployment_is_not_moved_to_another_port(self):
        process = processes.start(
            self.folder / cloud.EMULATOR, ["sleep", "60"], env=os.environ, cwd=self.folder, log=self.folder / "log", port=4999)
        try:
            with self.assertRaises(Refused) as caught:
                cloud.start(read(HOLDFAST_PORT="4998", HOLDFAST_WORK_DIR=str(self.folder)), None)
            self.assertIn("4999", str(caught.exception))
        finally:
            processes.stop(self.folder / cloud.EMULATOR)
            process.wait()

    def test_a_restarted_cloud_skips_no_record_of_a_stream(self):
        file = self.folder / "lambda.json"
        cloud.rewind_streams(file)
        file.write_text(json.dumps({"payload": {"esms": {"x": 7}, "dynamodb_stream_positions": {"data": {"a": 41, "b": 2}}}}))
        cloud.rewind_streams(file)
        self.assertEqual(json.loads(file.read_text())["payload"],
                         {"esms": {"x": 7}, "dynamodb_stream_positions": {"data": {"a": 0, "b": 0}}})

    def test_nothing_of_the_callers_account_reaches_the_local_cloud(self):
        os.environ["AWS_PROFILE"] = "mine"
        os.environ["AWS_SESSION_TOKEN"] = "secret"
        try:
            found = environment.clean()
        finally:
            del os.environ["AWS_PROFILE"], os.environ["AWS_SESSION_TOKEN"]
        self.assertNotIn("AWS_PROFILE", found)
        self.assertNotIn("AWS_SESSION_TOKEN", found)
        self.assertEqual(found["AWS_ACCESS_KEY_ID"], "test")


if __name__ == "__main__":
    unittest.main()
