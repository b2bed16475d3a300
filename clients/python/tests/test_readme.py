"""The programs of README.md, run as they are written."""

import contextlib
import io
import os
import re
import sys
import types
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent))

from server import ACCESS_KEY, LIVE, ORIGIN, SECRET_KEY, STALE, Server

PROGRAMS = re.findall(r"^```python\n(.*?)^```$", (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8"), re.M | re.S)


class FakeFlask:
    """As much of Flask as the program uses."""

    def __init__(self, _):
        self.routes, self.handlers = {}, {}

    def errorhandler(self, kind):
        return lambda function: self.handlers.setdefault(kind, function)

    def post(self, path):
        return lambda function: self.routes.setdefault(path, function)

    def serve(self, path):
        try:
            return self.routes[path]()
        except tuple(self.handlers) as error:
            return next(function for kind, function in self.handlers.items() if isinstance(error, kind))(error)


class Readme(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)
        environment = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_DEFAULT_REGION": "eu-central-1"}
        patched = mock.patch.dict(os.environ, environment)
        patched.start()
        self.addCleanup(patched.stop)

    def run_program(self, number, **modules):
        found = {"__name__": "program"}
        with mock.patch.dict(sys.modules, modules):
            exec(PROGRAMS[number].replace("https://api.example.com", self.server.url), found)
        self.addCleanup(found["holdfast"].close)
        return found

    def test_every_program_is_run_here(self):
        self.assertEqual(len(PROGRAMS), 3)

    def test_the_session_takes_five_lines_at_most(self):
        lines = [line for line in PROGRAMS[0].splitlines() if re.search(r"Holdfast\(|try:|verify|except|error\.", line)]
        self.assertLessEqual(len(lines), 5, "besides the import")

    def test_the_function_answers_with_the_user_or_the_status(self):
        handler = self.run_program(0)["handler"]
        event = {"headers": {"authorization": f"Bearer {LIVE}"}, "requestContext": {"http": {"method": "GET"}}}
        self.assertEqual(handler(event, None), {"statusCode": 200, "body": "u1 editor"})
        event["headers"]["authorization"] = f"Bearer {STALE}"
        self.assertEqual(handler(event, None), {"statusCode": 401, "body": "UNAUTHENTICATED"})
        self.server.answers = [(500, {"message": "Internal Server Error"})]
        self.assertEqual(handler(event, None), {"statusCode": 503, "body": "HTTP_500"})

    def test_the_flask_program_answers_by_cookie(self):
        flask = types.ModuleType("flask")
        flask.Flask, flask.request = FakeFlask, mock.Mock(method="POST", headers={"Cookie": f"__Host-holdfast-access={LIVE}"})
        app = self.run_program(1, flask=flask)["app"]
        self.assertEqual(app.serve("/orders"), ({"code": "FORBIDDEN"}, 403))
        flask.request.headers |= {"Origin": ORIGIN, "X-Holdfast-Csrf": "1"}
        self.assertEqual(app.serve("/orders"), {"user": "u1"})

    def test_the_program_publishes(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.run_program(2)
        self.assertEqual(printed.getvalue(), "m1 7\n")
        self.assertEqual(self.server.bodies()[0]["to"], {"userIds": ["4f0c"]})


if __name__ == "__main__":
    unittest.main()
