"""The steps of `make check` and `make test`: lanes side by side, what they print, and what each part consists of."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from fnmatch import fnmatch
from pathlib import Path
from unittest import mock

from fakes import SCRIPTS, read

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.verify import suite


def fails():
    raise Failed("the reason")


class Lanes(unittest.TestCase):
    def setUp(self):
        self.suite = suite.Suite(read())

    def run_lanes(self, *lanes):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.suite.lanes(*lanes)
        return said.getvalue()

    def says(self, *words):
        """Work: a command that prints these, with a pause between them."""
        script = "; sleep 0.05; ".join(f"echo {word}" for word in words)
        return lambda: self.suite.command("sh", "-c", script)

    def verdicts(self):
        return {name: verdict for name, verdict, _ in self.suite.results}

    def test_two_lanes_run_at_once_and_each_in_its_order(self):
        # Neither passes without the other.
        meet, order = threading.Barrier(2), []
        lanes = [[(f"{lane} 1", lambda: meet.wait(20)), (f"{lane} 2", lambda lane=lane: order.append(lane))] for lane in "ab"]
        self.run_lanes(*lanes)
        self.assertEqual(sorted(order), ["a", "b"])
        for lane in "ab":
            self.assertEqual([name for name, *_ in self.suite.results if name.startswith(lane)], [f"{lane} 1", f"{lane} 2"])

    def test_what_a_step_prints_comes_out_in_one_piece(self):
        said = self.run_lanes([("first", self.says("a1", "a2", "a3"))], [("second", self.says("b1", "b2", "b3"))])
        for name, words in (("first", "a1\na2\na3"), ("second", "b1\nb2\nb3")):
            self.assertRegex(said, rf"\n=== {name}\n{words}\n=== {name}: passed \(\d+ s\)\n")

    def test_a_step_that_fails_shows_what_it_printed_and_both_lanes_go_on(self):
        said = self.run_lanes([("bad", lambda: self.suite.command("sh", "-c", "echo out; echo err >&2; exit 3")), ("next", self.says("n"))],
                              [("other", self.says("o"))])
        self.assertRegex(said, r"\n=== bad\nout\nerr\n    sh -c .* failed\n=== bad: FAILED")
        self.assertEqual(self.verdicts(), {"bad": "FAILED", "next": "passed", "other": "passed"})

    def test_an_error_that_nobody_expects_shows_what_was_printed_and_is_raised_when_the_other_lane_has_ended(self):
        def work():
            self.suite.command("echo", "before")
            raise ValueError("a defect")

        with contextlib.redirect_stdout(io.StringIO()) as said, self.assertRaises(ValueError):
            self.suite.lanes([("bad", work)], [("other", self.says("x", "y"))])
        self.assertRegex(said.getvalue(), r"=== bad\nbefore\n=== bad: FAILED")
        self.assertEqual(self.verdicts(), {"bad": "FAILED", "other": "passed"})

    def test_what_runs_long_is_named_at_an_interval(self):
        printed, both = io.StringIO(), re.compile(r"^still running: (?:one, \d+ s so far; two|two, \d+ s so far; one), \d+ s so far$", re.M)

        def until_named():
            deadline = time.monotonic() + 20
            while not both.search(printed.getvalue()) and time.monotonic() < deadline:
                time.sleep(0.01)

        with mock.patch.object(suite, "EVERY_SECONDS", 0.05), contextlib.redirect_stdout(printed):
            self.suite.lanes([("one", until_named)], [("two", until_named)])
        self.assertRegex(printed.getvalue(), both)

    def test_one_lane_alone_prints_as_it_goes(self):
        said = self.run_lanes([], [("only", lambda: suite.line("at once"))])
        self.assertRegex(said, r"\n=== only\nat once\n=== only: passed")

    def test_nothing_to_do_is_nothing_said(self):
        self.assertEqual(self.run_lanes([], []), "")

    def test_the_total_is_the_time_of_the_whole_suite(self):
        with mock.patch.object(suite.time, "monotonic", lambda: self.now):
            self.now = 100.0
            chosen = suite.Suite(read())
            chosen.results = [("a", "passed", 60.0), ("b", "passed", 50.0)]
            self.now = 170.0
            with contextlib.redirect_stdout(io.StringIO()) as said:
                chosen.finish()
        self.assertRegex(said.getvalue(), r"(?m)^  all +70 s$")
        self.assertTrue(said.getvalue().endswith("\n2 passed, 0 failed\n"))

    def test_a_failure_is_counted_and_is_the_exit_code(self):
        self.run_lanes([("bad", fails)], [("good", lambda: None)])
        with contextlib.redirect_stdout(io.StringIO()) as said, self.assertRaises(SystemExit) as ended:
            self.suite.finish()
        self.assertEqual(ended.exception.code, 1)
        self.assertTrue(said.getvalue().endswith("\n1 passed, 1 failed\n"))

    def test_the_reasons_of_failures_are_said_again_at_the_end(self):
        self.run_lanes([("bad", fails)], [("good", lambda: None)])
        with contextlib.redirect_stdout(io.StringIO()) as said, self.assertRaises(SystemExit):
            self.suite.finish()
        with self.assertRaises(Failed) as reason:
            fails()
        self.assertRegex(said.getvalue(), rf"  all .*\nbad: {re.escape(str(reason.exception))}\n1 passed, 1 failed\n$")

    @unittest.skipUnless(sys.platform == "linux", "a thread has no priority of its own")
    def test_only_the_lanes_after_the_first_get_less_of_the_processor(self):
        here = os.getpriority(os.PRIO_PROCESS, 0)
        said = self.run_lanes([("first", lambda: self.suite.command("nice"))], [("second", lambda: self.suite.command("nice"))])
        self.assertEqual(dict(re.findall(r"=== (\w+)\n(\d+)\n", said)), {"first": str(here), "second": str(here + 5)})
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, 0), here)


class Interrupted(unittest.TestCase):
    def test_ctrl_c_ends_the_children_of_both_lanes_and_begins_no_other_step(self):
        script = textwrap.dedent("""
            import sys
            sys.path.insert(0, sys.argv[1])
            from holdfast_cli.core import commands, settings
            from holdfast_cli.verify import suite
            commands.catch_signals()
            made = suite.Suite(settings.read({"HOLDFAST_WORK_DIR": sys.argv[2]}))
            def lane(name):
                wait = f"echo {name} began; echo $$ >{sys.argv[2]}/{name}; sleep 60 & wait"
                return [(name, lambda: made.command("sh", "-c", wait)), (f"after {name}", lambda: made.command("echo", "too late"))]
            try:
                made.lanes(lane("a"), lane("b"))
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        """)
        with tempfile.TemporaryDirectory() as folder:
            with subprocess.Popen([sys.executable, "-c", script, str(SCRIPTS), folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
                files = [Path(folder) / name for name in "ab"]
                deadline = time.monotonic() + 30
                while not all(file.exists() and file.read_text() for file in files) and time.monotonic() < deadline:
                    time.sleep(0.02)
                child.send_signal(signal.SIGINT)
                # Whatever holds the pipe, also a `sleep`, would keep this from ending.
                out, err = child.communicate(timeout=30)
            self.assertEqual((child.returncode, err), (0, ""))
            for name in "ab":
                self.assertRegex(out, rf"=== {name}\n{name} began\n")
            self.assertNotIn("after", out)
            self.assertTrue(out.endswith("interrupted\n"), out)
            for file in files:
                with self.assertRaises(ProcessLookupError):
                    os.kill(int(file.read_text()), 0)


class Parts(unittest.TestCase):
    """What `make test` does, and in which order; nothing of it is really done."""

    CLOUD_TESTS = [name for lane in suite.CLOUD_TESTS for name, _ in lane]
    # The step that fails.
    fails = ""

    def steps(self, only):
        """The names of the first lanes' steps, the first words of their commands, and the names of the steps after them."""
        lanes, commands, alone = [], [], []

        def side_by_side(chosen, *given):
            if lanes:
                alone.extend(name for lane in given for name, _ in lane)
                return
            for lane in given:
                words = []
                with mock.patch.object(suite.Suite, "command", lambda _, *command, into=words, **__: into.append(Path(command[0]).name)):
                    for name, work in lane:
                        if name in ("lint", "format", "unit and contract tests", "terraform tests", "text and commit subjects"):
                            work()
                lanes.append([name for name, _ in lane])
                commands.append(set(words))

        def one(_, name, work):
            alone.append(name)
            return name != self.fails

        with mock.patch.object(suite, "_prerequisites"), mock.patch.object(suite.tools, "redis_server"), \
                mock.patch.object(suite, "_test_targets", lambda: ["storms"]), mock.patch.object(suite.cloud, "stop"), \
                mock.patch.object(suite.Suite, "lanes", side_by_side), mock.patch.object(suite.Suite, "step", one), \
                mock.patch.object(suite.Suite, "finish"):
            suite.test(read(), only)
        return lanes, commands, alone

    def test_everything_is_done_and_only_the_first_lane_uses_cargo(self):
        lanes, commands, alone = self.steps("")
        self.assertEqual(lanes[0], ["format", "lint", "Rust kit for back ends", "example of an own sign-in", "unit and contract tests"])
        self.assertEqual(lanes[1][-3:], ["terraform tests", "terraform faults (a sample)", "terraform scan"])
        self.assertEqual(commands[0], {"cargo"})
        self.assertNotIn("cargo", commands[1])
        self.assertEqual(alone[:2], ["mutants of the change", "deploy to a private local cloud"])
        # Beside the wait for Terraform.
        self.assertEqual(alone[-5:], ["destroy leaves nothing", *self.CLOUD_TESTS, "nothing is left running"])

    def test_the_fast_check_does_the_same_in_four_lanes(self):
        given = []
        with mock.patch.object(suite, "_prerequisites"), mock.patch.object(suite.Suite, "finish"), \
                mock.patch.object(suite.Suite, "lanes", lambda _, *lanes: given.extend([name for name, _ in lane] for lane in lanes)):
            suite.check(read())
        self.assertEqual([lane[-1] for lane in given], ["unit tests", "operator tool's tests, a-l", "operator tool's tests, m-z", "terraform validate"])
        both = {name for lane in self.steps("static")[0] for name in lane}
        self.assertEqual({name for lane in given for name in lane} - both, {"unit tests", "terraform validate"})

    def test_each_file_of_tests_of_the_tool_is_in_one_half(self):
        files = [file.name for file in (suite.ROOT / "scripts" / "tests").glob("*.py") if file.name != "fakes.py"]
        self.assertEqual([], [name for name in files if sum(fnmatch(name, f"test_[{letters}]*.py") for letters in suite.HALVES) != 1])

    def test_the_parts_are_the_whole(self):
        whole, _, after = self.steps("")
        found, alone = [[], []], []
        for part in suite.PARTS:
            lanes, _, own = self.steps(part)
            for number in (0, 1):
                found[number] += lanes[number]
            self.assertEqual(own.pop(), "nothing is left running")
            alone += own
        self.assertEqual(found, whole)
        self.assertEqual(sorted(alone), sorted(after[:-1]))

    def test_a_deploy_that_fails_does_not_keep_the_cloud_tests_from_running(self):
        with mock.patch.object(self, "fails", "deploy to a private local cloud"):
            _, _, alone = self.steps("")
        self.assertEqual(alone, ["mutants of the change", "deploy to a private local cloud", *self.CLOUD_TESTS, "nothing is left running"])

    def test_every_file_of_the_cloud_tests_is_one_step(self):
        files = sorted(file.name for file in (SCRIPTS / "cloud_tests").glob("test_*.py"))
        self.assertEqual(sorted(file for lane in suite.CLOUD_TESTS for _, file in lane), files)

    def test_another_part_is_refused(self):
        with self.assertRaises(Refused):
            suite.test(read(), "fast")


if __name__ == "__main__":
    unittest.main()
