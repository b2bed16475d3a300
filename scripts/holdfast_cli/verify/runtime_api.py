"""Lambda's Runtime API for one event: what an executable finds at AWS_LAMBDA_RUNTIME_API when AWS starts it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from holdfast_cli.core.errors import Failed

Event = dict[str, Any]

_INVOCATION = "/2018-06-01/runtime/invocation"
_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


def http_event(method: str, path: str) -> Event:
    """What API Gateway's HTTP API hands a function, format 2.0."""
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": {"host": "localhost"},
        "requestContext": {
            "accountId": "000000000000", "apiId": "local", "domainName": "localhost", "domainPrefix": "local", "requestId": "one",
            "routeKey": "$default", "stage": "$default", "time": "01/Jan/2026:00:00:00 +0000", "timeEpoch": 1767225600000,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "holdfast"},
        },
        "isBase64Encoded": False,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Whoever is ended while it waits for the next event hangs up: no reason for a traceback.
        pass


class RuntimeApi:
    """Returns `event` once and keeps the answer. A second request for an event waits until the end."""

    def __init__(self, event: Event) -> None:
        self.given, self.over, self.done = threading.Event(), threading.Event(), threading.Event()
        self.answer: bytes = b"null"
        self.trouble: str | None = None
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path != f"{_INVOCATION}/next":
                    return self._say(404, b"{}")
                if api.given.is_set():
                    api.over.wait()
                    return self._say(500, b"{}")
                api.given.set()
                return self._say(200, json.dumps(event).encode(), {
                    "Lambda-Runtime-Aws-Request-Id": _ID, "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30_000),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:tried",
                    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"})

            def do_POST(self) -> None:
                body = self._body()
                if self.path == f"{_INVOCATION}/{_ID}/response":
                    api.answer = body
                else:
                    api.trouble = f"{self.path.rpartition('/runtime')[2]}: {body[:300].decode(errors='replace')}"
                self._say(202, b"{}")
                api.done.set()

            def _body(self) -> bytes:
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts: list[bytes] = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(BrokenPipeError):
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = _Server(("127.0.0.1", 0), Handler)

    def __enter__(self) -> RuntimeApi:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def environment(self, name: str) -> dict[str, str]:
        """What Lambda sets for a function, and nothing of the caller's but the path."""
        return {
            "PATH": os.environ.get("PATH", ""), "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}", "AWS_LAMBDA_LOG_STREAM_NAME": "one", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
        }

    def wait(self, ended: Callable[[], bool], seconds: float = 30) -> Any:
        """The function's answer. Raises if it fails, ends (`ended`) or takes too long."""
        deadline = time.monotonic() + seconds
        while not self.done.wait(0.05):
            if ended():
                raise Failed("the function ended without an answer")
            if time.monotonic() > deadline:
                raise Failed(f"the function did not answer within {seconds} s")
        if self.trouble:
            raise Failed(f"the function failed {self.trouble}")
        return json.loads(self.answer)
