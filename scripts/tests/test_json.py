"""With `--json` standard output is JSON and nothing else, also where a child prints and where a verb fails."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
import unittest
from unittest import mock

from fakes import SCRIPTS, called, read

from holdfast_cli import cli
from holdfast_cli.core import console
from holdfast_cli.core.errors import Failed, Refused

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from holdfast_cli.core import commands, console
console.answer_in_json()
console.line("progress")
print("printed")
commands.shown(["echo", "a child"])
console.answer({"a": "ä"})
"""


class Json(unittest.TestCase):
    def test_all_but_the_answer_goes_to_standard_error(self):
        ran = subprocess.run([sys.executable, "-X", "utf8", "-c", SCRIPT, str(SCRIPTS)], capture_output=True, text=True, check=True)
        self.assertEqual(json.loads(ran.stdout), {"a": "ä"})
        self.assertEqual(sorted(ran.stderr.split()), ["a", "child", "printed", "progress"])

    def test_a_reader_that_goes_away_is_no_traceback(self):
        script = SCRIPT.replace('console.answer({"a": "ä"})', """
from holdfast_cli import cli
def endless(*_, **__):
    while True:
        console.answer({"a": 1}, compact=True)
cli.app = endless
cli.main()
""")
        with subprocess.Popen([sys.executable, "-X", "utf8", "-c", script, str(SCRIPTS)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            child.stdout.readline()
            child.stdout.close()
            said = child.stderr.read()
        self.assertEqual((child.returncode, "Traceback" in said, "Exception" in said), (1, False, False), said)

    def test_a_slip_of_the_keyboard_is_an_error_in_json(self):
        code, out, _ = called(["users", "fnd", "x", "--json"], read())
        self.assertEqual((code, json.loads(out)["error"]["code"]), (2, "USAGE"))

    def end(self, trouble, *before):
        with mock.patch.object(console, "_answers", console._Answers()), contextlib.redirect_stdout(io.StringIO()) as out, \
                contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit) as ended:
            for value, compact in before:
                console.answer(value, compact)
            cli.end(trouble, True)
        return ended.exception.code, out.getvalue()

    def test_an_error_is_one_line_after_lines_and_not_after_a_document(self):
        error = '{"ok":false,"error":{"code":"FAILED","detail":"no","exitCode":1}}\n'
        self.assertEqual(self.end(Failed("no")), (1, error))
        self.assertEqual(self.end(Failed("no"), ({}, True)), (1, "{}\n" + error))
        self.assertEqual(self.end(Failed("no"), ({}, False)), (1, "{}\n"))
        self.assertEqual(json.loads(self.end(Refused("no", "NOT_FOUND", status=404))[1])["error"], {"code": "NOT_FOUND", "detail": "no", "exitCode": 2, "status": 404})


class Slow(unittest.TestCase):
    def test_what_is_quick_says_nothing_and_what_is_slow_does(self):
        with mock.patch.object(console, "_AT_ONCE_SECONDS", 0.05):
            for seconds, says in ((0, False), (0.3, True)):
                with contextlib.redirect_stdout(io.StringIO()) as out, console.Slow("asking"):
                    time.sleep(seconds)
                self.assertEqual("… asking" in out.getvalue() and "✓ asking" in out.getvalue(), says, out.getvalue())
        with self.assertRaises(OSError), contextlib.redirect_stdout(io.StringIO()), console.Slow("asking"):
            os.stat("/nowhere")


class Text(unittest.TestCase):
    def test_a_table_is_as_wide_as_its_entries(self):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            console.table(("A", "LONG"), [("xyz", "\x1b[0m"), ("", "b")])
        self.assertEqual(out.getvalue(), "  A    LONG\n  xyz  \\x1b[0m\n       b\n")


if __name__ == "__main__":
    unittest.main()
