"""Ctrl-C while a deploy is at work, as a terminal sends it: to make and all it started. Nothing is left half-running."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from holdfast_cli.core import processes
from holdfast_cli.core.settings import ROOT

# Knows the workspace, and compiles for ever.
CARGO = """#!/bin/sh
case "$1" in
metadata) exec {cargo} "$@";;
esac
echo '   Compiling something'
exec sleep 600
"""


class CtrlC(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="holdfast-interrupts-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.work = Path(folder).resolve() / "work"
        self.bin = Path(folder).resolve() / "bin"
        self.bin.mkdir()
        cargo = self.bin / "cargo"
        cargo.write_text(CARGO.format(cargo=shutil.which("cargo")))
        cargo.chmod(0o755)
        self.ports = [processes.free_port(), processes.free_port()]

    def interrupted(self, when):
        """`make deploy`, interrupted when its output says `when`; its exit code and what it said."""
        # Not as a part of the make that may run these tests.
        outside = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        environ = {**outside, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "HOLDFAST_WORK_DIR": str(self.work),
                   "HOLDFAST_TOOLS": os.environ.get("HOLDFAST_TOOLS") or str(ROOT / ".tools"),
                   "HOLDFAST_PORT": str(self.ports[0]), "HOLDFAST_REDIS_PORT": str(self.ports[1])}
        said = ""
        with subprocess.Popen(["make", "--no-print-directory", "deploy"], cwd=ROOT, env=environ, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, start_new_session=True) as child:
            for text in child.stdout:
                said += text
                if when in text:
                    # What is started meanwhile has time to be half of something.
                    time.sleep(0.5)
                    os.killpg(child.pid, signal.SIGINT)
                    break
            said += child.stdout.read()
        return child.returncode, said

    def test_nothing_is_left_running_and_the_operator_is_told(self):
        for when in ("starting the local cloud", "building"):
            code, said = self.interrupted(when)
            self.assertNotEqual(code, 0)
            self.assertIn("Interrupted: the processes of this run are stopped", said)
            self.assertNotIn("Traceback", said)
            self.assertEqual(processes.using(self.work), {})
            self.assertEqual([port for port in self.ports if processes.port_is_busy(port)], [])
            self.assertFalse((self.work / "outputs.json").exists())

    def test_what_ran_before_goes_on_running(self):
        if not shutil.which("redis-server"):
            self.skipTest("no redis-server")
        # As an earlier deploy leaves it: a redis-server that is written down.
        (self.work / "redis").mkdir(parents=True)
        server = processes.start(self.work / "redis.pid", [shutil.which("redis-server"), "--port", str(self.ports[1]), "--bind", "127.0.0.1", "--save", ""],
                                 env={"PATH": os.environ["PATH"]}, cwd=self.work / "redis", log=self.work / "log", port=self.ports[1])
        try:
            code, _ = self.interrupted("building")
            self.assertNotEqual(code, 0)
            self.assertIsNone(server.poll())
            self.assertEqual(list(processes.using(self.work)), [server.pid])
            self.assertEqual(json.loads((self.work / "redis.pid").read_text())["pid"], server.pid)
        finally:
            processes.stop(self.work / "redis.pid")
            server.wait()


if __name__ == "__main__":
    unittest.main()
