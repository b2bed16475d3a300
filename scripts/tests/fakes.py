"""A terraform and an AWS that answer what a test says, for the operator tool; importing it puts the tool on the path."""

import contextlib
import functools
import io
import json
import os
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

SCRIPTS = Path(__file__).resolve().parents[1]
PACKAGE = SCRIPTS / "holdfast_cli"
sys.path.insert(0, str(SCRIPTS))

import typer.main

from holdfast_cli.core import settings


def read(**environ):
    """Settings of no deployment that exists."""
    return settings.read({"HOLDFAST_WORK_DIR": os.path.join(tempfile.gettempdir(), "holdfast-nothing-here"), **environ})


class Command:
    """Executables put first on the PATH: `with Command(folder, terraform='echo hello'):`"""

    def __init__(self, folder, **scripts):
        self.folder, self.scripts = Path(folder), scripts

    def __enter__(self):
        self.before = os.environ["PATH"]
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, body in self.scripts.items():
            file = self.folder / name
            file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
            file.chmod(0o755)
        os.environ["PATH"] = f"{self.folder}{os.pathsep}{self.before}"
        return self

    def __exit__(self, *_):
        os.environ["PATH"] = self.before


class Scripted:
    """Answers requests with the given (status, headers, body), one after the other and the last one repeatedly; keeps what was asked."""

    def __init__(self, *answers):
        asked, left = self.asked, self.left = [], list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked.append((self.command, self.path, dict(self.headers.items()), body))
                status, headers, said = left.pop(0) if len(left) > 1 else left[0]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def deployed(port):
    """Settings of a local environment whose cloud and API answer on a port."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"AWS_MAX_ATTEMPTS": "1"}):
        url = f"http://127.0.0.1:{port}"
        known = {"env": "local", "region": "us-east-1", "httpUrl": url, "wsUrl": url.replace("http", "ws"), "awsEndpointUrl": url, "eventBus": "holdfast-local",
                 "functions": {"sessions-admin": "holdfast-local-sessions-admin"}}
        (Path(folder) / "outputs.json").write_text(json.dumps(known), encoding="utf-8")
        yield read(HOLDFAST_WORK_DIR=folder, HOLDFAST_PORT=str(port))


# Typer makes all verbs anew for each call, and they are the same each time.
all_verbs = functools.cache(typer.main.get_command)


def called(words, settings, stdin="", **environ):
    """`holdfast <words>` in this process, without a terminal: exit code, standard output, standard error."""
    from holdfast_cli import cli
    from holdfast_cli.core import console

    out, err, answers = io.StringIO(), io.StringIO(), console._Answers()
    # Without what `make test ONLY=…` was asked for, which the verb would take for its own.
    environ = {"HOLDFAST_WORK_DIR": str(settings.work), "HOLDFAST_PORT": str(settings.port), "ONLY": "", **environ}
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), mock.patch.dict(os.environ, environ), \
            mock.patch.object(sys, "argv", ["holdfast", *words]), mock.patch.object(sys, "stdin", io.StringIO(stdin)), \
            mock.patch.object(console, "_answers", answers), mock.patch.object(typer.main, "get_command", all_verbs), \
            mock.patch.object(console, "answer_in_json", lambda: setattr(answers, "wanted", True)), \
            mock.patch.object(cli.commands, "catch_signals", lambda: None), mock.patch.object(console, "_AT_ONCE_SECONDS", 600):
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
    return code, out.getvalue(), err.getvalue()


class FakeAws:
    """Answers every request with one status and body; `url` is where."""

    def __init__(self, status, body):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_HEAD = do_POST

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
