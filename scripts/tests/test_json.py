"""With `--json` standard output is JSON and nothing else, also where a child prints and where a verb fails."""

import contextlib
import inspect
import io
import json
import os
import subprocess
import sys
import time
import unittest
from unittest import mock

import typer
from fakes import SCRIPTS, Scripted, called, deployed, read

from holdfast_cli import cli
from holdfast_cli.core import console
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.deploy import stacks
from holdfast_cli.operate import redrive, status

KNOWN = {"env": "local", "cacheProvider": "dynamodb", "httpUrl": "http://h", "wsUrl": "ws://w", "queues": {}, "functions": {}}
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


class Facts(unittest.TestCase):
    """What the verbs that answer questions say in JSON."""

    def test_every_verb_that_people_call_takes_it(self):
        for group in (cli.app, *(one.typer_instance for one in cli.app.registered_groups)):
            for command in group.registered_commands:
                takes = "json" in inspect.signature(command.callback).parameters
                self.assertEqual(takes, not command.hidden, command.name)

    def test_the_page_on_the_command_names_every_verb_of_operators_and_every_option_of_theirs(self):
        page = (SCRIPTS.parent / "docs" / "command.md").read_text(encoding="utf-8")
        root = typer.main.get_command(cli.app)
        alone = [command.name for command in cli.app.registered_commands if command.callback.__module__ == "holdfast_cli.verbs.operators"]
        named = {f"{one.name} {name}": command for one in cli.app.registered_groups for name, command in root.commands[one.name].commands.items()}
        named |= {name: root.commands[name] for name in alone}
        self.assertEqual(len(named), 19)
        for name, command in named.items():
            self.assertIn(f"`{name}", page)
            options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
            self.assertEqual(sorted(option for option in options - {"--port", "--redis-port", "--work-dir", "--help"} if option not in page), [], name)

    def test_a_verb_without_facts_says_that_it_is_done_and_one_of_lines_says_nothing(self):
        with mock.patch.object(cli.smoke_module, "smoke", lambda *_, **__: console.line("played")):
            code, out, _ = called(["smoke", "--json"], read())
        self.assertEqual((code, out), (0, 'played\n{\n  "ok": true\n}\n'))
        with mock.patch.object(cli.logs_module, "logs", lambda *_: None):
            self.assertEqual(called(["logs", "--json"], read()), (0, "", ""))

    def test_logs_are_a_line_each_and_what_is_json_stays_json(self):
        lines = [{"timestamp": 1_700_000_000_123, "message": '{"level":"INFO"}\n', "eventId": "1"}, {"timestamp": 1_700_000_000_124, "message": "[1] text", "eventId": "2"}]
        said = 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps({"events": lines}).encode()
        with Scripted(said) as cloud, deployed(cloud.port) as settings:
            code, out, _ = called(["logs", "--json"], settings)
        self.assertEqual((code, [json.loads(text) for text in out.splitlines()]), (0, [
            {"at": "2023-11-14T22:13:20.123Z", "function": "sessions-admin", "message": {"level": "INFO"}},
            {"at": "2023-11-14T22:13:20.124Z", "function": "sessions-admin", "message": "[1] text"}]))

    def test_status_tells_what_is_not_well_and_fails(self):
        def called_with(health):
            history = mock.Mock(current=lambda: {"name": "r1", "commit": "c1"})
            with mock.patch.object(status.outputs, "read", lambda _: KNOWN), \
                    mock.patch.object(status.tools, "install", lambda _: None), mock.patch.object(status.releases, "History", lambda _: history), \
                    mock.patch.object(status.http, "answer", lambda *_: health), mock.patch.object(status.cloud, "running", lambda _: True), \
                    mock.patch.object(status.aws, "queue_depths", lambda *_: {"push": 2, "pushDlq": 1}):
                return called(["status", "--json"], read())

        code, out, _ = called_with((200, b'{"status":"ok"}'))
        found = json.loads(out)
        self.assertEqual((code, found["ok"], found["release"], found["queues"]), (0, True, {"name": "r1", "commit": "c1"}, {"push": {"waiting": 2, "deadLetters": 1}}))
        self.assertEqual(found["health"], {"httpStatus": 200, "answer": {"status": "ok"}})
        code, out, err = called_with((None, b""))
        self.assertEqual((code, json.loads(out)["ok"], json.loads(out)["health"]), (1, False, {"httpStatus": None, "answer": None}))
        self.assertIn("not healthy", err)

    def test_cost_scale_redrive_and_changes_are_one_document(self):
        code, out, _ = called(["cost", "--json", "--users", "5"], read())
        found = json.loads(out)
        self.assertEqual((code, found["activeUsers"]), (0, 5))
        self.assertAlmostEqual(found["usdPerMonth"], sum(one["usd"] for one in found["components"]), 1)
        code, out, _ = called(["scale", "--json"], read())
        self.assertEqual((code, json.loads(out)["sockets"], json.loads(out)["figures"]["byDefault"]), (0, 1_000_000, 400))
        with mock.patch.object(redrive.outputs, "read", lambda _: {"queues": {"push": "q", "pushDlq": "d"}}), mock.patch.object(redrive, "waiting", lambda *_: 3), \
                mock.patch.object(redrive, "move", lambda *_: 3):
            code, out, _ = called(["redrive", "--json"], read())
        self.assertEqual((code, json.loads(out.partition("\n")[2])), (0, {"queues": {"push": {"moved": 3, "left": 3}}}))
        chosen = [mock.Mock(changes=lambda: ["+ a table"]), mock.Mock(changes=list), mock.Mock(changes=list)]
        for stack, name in zip(chosen, ("platform", "auth", "push")):
            stack.name = name
        answers = console._Answers()
        answers.wanted = True
        with mock.patch.object(stacks, "compare", lambda *_, **__: {"platform": True, "auth": False, "push": None}), \
                mock.patch.object(console, "_answers", answers), contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertTrue(stacks.plan_all(chosen))
        self.assertEqual(json.loads(out.getvalue()[out.getvalue().index("{"):]), {"changes": True, "stacks": {"platform": ["+ a table"], "auth": [], "push": None}})


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
