"""The operator scripts, without a cloud: `python3 -m unittest discover -s scripts/tests`."""

import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "operate"))

import build  # noqa: E402
import cloud  # noqa: E402
import processes  # noqa: E402
import settings  # noqa: E402
import terraform  # noqa: E402
from say import Refused  # noqa: E402


def read(**environ):
    return settings.read(environ)


class Settings(unittest.TestCase):
    def refusal(self, **environ):
        with self.assertRaises(Refused) as caught:
            read(**environ)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    def test_local_is_the_default(self):
        found = read()
        self.assertEqual((found.env, found.cache, found.port), ("local", "dynamodb", 4566))

    def test_what_is_wrong_is_named_in_one_line(self):
        self.assertIn("ENV=prod", self.refusal(ENV="prod"))
        self.assertIn("ARCH=mips", self.refusal(ARCH="mips"))
        self.assertIn("CACHE=redis", self.refusal(CACHE="redis"))
        self.assertIn("CACHE=memcached", self.refusal(CACHE="memcached"))
        self.assertIn("HOLDFAST_PORT=x", self.refusal(HOLDFAST_PORT="x"))
        self.assertIn("HOLDFAST_REDIS_PORT=80", self.refusal(HOLDFAST_REDIS_PORT="80"))

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
        self.assertNotIn("max_login_attempts", terraform.values_for("sessions", chosen))

    def test_a_list_is_written_with_commas(self):
        chosen = read(VARS="allowed_origins=https://a,https://b")
        self.assertEqual(terraform.values_for("platform", chosen)["allowed_origins"], ["https://a", "https://b"])

    def test_a_variable_of_no_stack_is_refused(self):
        with self.assertRaises(Refused) as caught:
            terraform.check_variables(read(VARS="max_sesions_per_user=3"))
        self.assertIn("max_sesions_per_user", str(caught.exception))

    def test_every_stack_takes_what_it_is_given(self):
        for stack in settings.STACKS:
            self.assertIn("release_manifest", terraform.values_for(stack, read()), stack)
            self.assertIn("local_endpoint", terraform.values_for(stack, read()), stack)


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
            target = Path(folder) / "target"
            (target / "lambda" / "a").mkdir(parents=True)
            (target / "lambda" / "a" / "bootstrap").write_bytes(b"one")
            self.assertEqual(build.package(chosen, ["a"], str(target)), 1)
            first = chosen.manifest_file.read_text()
            self.assertEqual(build.package(chosen, ["a"], str(target)), 0)
            self.assertEqual(chosen.manifest_file.read_text(), first)
            (target / "lambda" / "a" / "bootstrap").write_bytes(b"two")
            self.assertEqual(build.package(chosen, ["a"], str(target)), 1)
            self.assertNotEqual(chosen.manifest_file.read_text(), first)
            entry = json.loads(chosen.manifest_file.read_text())["functions"]["a"]
            self.assertEqual(entry["s3Key"], f"a/{entry['sha256']}.zip")


class Processes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.record = self.folder / "x.pid"

    def test_a_started_process_is_found_and_stopped(self):
        process = processes.start(self.record, ["sleep", "60"], env=os.environ, cwd=self.folder, log=self.folder / "log")
        self.assertEqual(processes.recorded(self.record), process.pid)
        self.assertTrue(processes.stop(self.record))
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
        import socket

        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            port = holder.getsockname()[1]
            chosen = read(HOLDFAST_PORT=str(port), HOLDFAST_WORK_DIR=str(self.folder))
            with self.assertRaises(Refused) as caught:
                cloud.start(chosen, None)
            self.assertIn(str(port), str(caught.exception))
            self.assertIn("HOLDFAST_PORT", str(caught.exception))

    def test_nothing_of_the_callers_account_reaches_the_local_cloud(self):
        os.environ["AWS_PROFILE"] = "mine"
        os.environ["AWS_SESSION_TOKEN"] = "secret"
        try:
            environment = cloud.clean_environment()
        finally:
            del os.environ["AWS_PROFILE"], os.environ["AWS_SESSION_TOKEN"]
        self.assertNotIn("AWS_PROFILE", environment)
        self.assertNotIn("AWS_SESSION_TOKEN", environment)
        self.assertEqual(environment["AWS_ACCESS_KEY_ID"], "test")


if __name__ == "__main__":
    unittest.main()
