"""A terraform and an AWS that answer what a test says, for the operator tool; importing it puts the tool on the path."""

import os
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
PACKAGE = SCRIPTS / "holdfast_cli"
sys.path.insert(0, str(SCRIPTS))

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
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
