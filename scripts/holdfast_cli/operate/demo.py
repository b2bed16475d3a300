"""`holdfast demo`: serves clients/demo to this machine, and publishes for it."""

from __future__ import annotations

import http.server
import json
import mimetypes
import sys
from collections.abc import Callable
from typing import Any

from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.deploy import outputs
from holdfast_cli.deploy.outputs import Outputs
from holdfast_cli.operate import routes

CLIENTS = ROOT / "clients"
# Only these files of the folder are served.
SERVED = {".html", ".css", ".js"}
MAX_BODY = 4_096
# Its origin is in allowed_origins of environments/local.tfvars (a test says if not).
# Not 5173, which Vite wants: its next port is no allowed origin.
PORT = 5199

Publish = Callable[[dict[str, Any]], "tuple[int, bytes]"]


def publisher(settings: Settings, known: Outputs) -> Publish:
    """A function that publishes as a service does."""
    url = known["httpUrl"].rstrip("/") + "/v1/messages"

    def publish(body: dict[str, Any]) -> tuple[int, bytes]:
        came = routes.as_service(settings, url, body)
        return came.status or 503, json.dumps(came.body if came.status else {"title": came.detail}).encode()

    return publish


def handler(known: Outputs, port: int, publish: Publish) -> type[http.server.BaseHTTPRequestHandler]:
    own = (f"http://127.0.0.1:{port}", f"http://localhost:{port}")

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path == "/":
                self.answer(302, b"", location="/demo/index.html")
            elif path == "/config.json":
                self.answer(200, json.dumps({"httpUrl": known["httpUrl"].rstrip("/")}).encode())
            else:
                file = (CLIENTS / path.lstrip("/")).resolve()
                if CLIENTS in file.parents and file.suffix in SERVED and file.is_file():
                    self.answer(200, file.read_bytes(), mimetypes.guess_type(file.name)[0])
                else:
                    self.answer(404, b"{}")

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            # Of this page only: another site's must not publish through its visitor's browser.
            if self.path != "/publish" or self.headers.get("origin") not in own or not 0 < length <= MAX_BODY:
                self.close_connection = True
                self.answer(403, b'{"title":"only this page may publish here"}')
                return
            try:
                asked = json.loads(self.rfile.read(length))
                to: dict[str, Any] = {"userIds": [asked["to"]]} if asked["to"] else {"broadcast": True}
                status, text = publish({"to": to, "kind": "note", "data": asked["text"]})
            except (ValueError, KeyError, TypeError):
                status, text = 400, b'{"title":"to and text are needed"}'
            self.answer(status, text)

        def answer(self, status: int, body: bytes, kind: str | None = "application/json", location: str | None = None) -> None:
            self.send_response(status)
            self.send_header("content-type", f"{kind}; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.send_header("cache-control", "no-store")
            if location:
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that leaves the page or reloads it breaks off what it had asked for.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def demo(settings: Settings, port: int = PORT) -> None:
    if not settings.is_local:
        raise Refused("make demo is for ENV=local: its page publishes for every visitor.")
    known = outputs.read(settings)
    try:
        server = Server(("127.0.0.1", port), handler(known, port, publisher(settings, known)))
    except OSError:
        raise Refused(f"Port {port} is taken: stop the process that uses it. The page must have an origin that the deployment allows.") from None
    line(f"  http://127.0.0.1:{port}/  until Ctrl-C")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        # The way it is meant to end.
        line("The demo page is closed; the deployment runs on.")
    finally:
        server.server_close()
