"""Serves clients/demo to this machine, and publishes for it: `make demo`.

Run by the Python of `.tools`, which has botocore. usage: demo.py OUTPUTS PORT
"""

import http.server
import json
import mimetypes
import sys
import urllib.error
import urllib.request
from pathlib import Path

CLIENTS = Path(__file__).resolve().parents[2] / "clients"
# What the page is made of; nothing else of the folder is anybody's business.
SERVED = {".html", ".css", ".js"}
MAX_BODY = 4_096


def publisher(outputs):
    """A function that publishes as a service does, signed with the local cloud's fixed credentials."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = outputs["httpUrl"].rstrip("/") + "/v1/messages"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def publish(body):
        data = json.dumps(body).encode()
        request = AWSRequest("POST", url, data=data, headers={"content-type": "application/json"})
        SigV4Auth(Credentials("test", "test"), "execute-api", outputs["region"]).add_auth(request)
        try:
            with opener.open(urllib.request.Request(url, data, dict(request.headers)), timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError as error:
            return 503, json.dumps({"title": f"the local cloud does not answer: {error}"}).encode()

    return publish


def handler(outputs, port, publish):
    own = (f"http://127.0.0.1:{port}", f"http://localhost:{port}")

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path = self.path.split("?")[0]
            if path == "/":
                self.answer(302, b"", location="/demo/index.html")
            elif path == "/config.json":
                self.answer(200, json.dumps({"httpUrl": outputs["httpUrl"].rstrip("/")}).encode())
            else:
                file = (CLIENTS / path.lstrip("/")).resolve()
                if CLIENTS in file.parents and file.suffix in SERVED and file.is_file():
                    self.answer(200, file.read_bytes(), mimetypes.guess_type(file.name)[0])
                else:
                    self.answer(404, b"{}")

        def do_POST(self):
            length = int(self.headers.get("content-length") or 0)
            # Of this page only: another site's must not publish through its visitor's browser.
            if self.path != "/publish" or self.headers.get("origin") not in own or not 0 < length <= MAX_BODY:
                self.close_connection = True
                self.answer(403, b'{"title":"only this page may publish here"}')
                return
            try:
                asked = json.loads(self.rfile.read(length))
                to = {"userIds": [asked["to"]]} if asked["to"] else {"broadcast": True}
                status, text = publish({"to": to, "kind": "note", "data": asked["text"]})
            except (ValueError, KeyError, TypeError):
                status, text = 400, b'{"title":"to and text are needed"}'
            self.answer(status, text)

        def answer(self, status, body, kind="application/json", location=None):
            self.send_response(status)
            self.send_header("content-type", f"{kind}; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.send_header("cache-control", "no-store")
            if location:
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        # A browser that leaves the page or reloads it breaks off what it had asked for.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main(outputs_file, port):
    outputs = json.loads(Path(outputs_file).read_text(encoding="utf-8"))
    port = int(port)
    try:
        server = Server(("127.0.0.1", port), handler(outputs, port, publisher(outputs)))
    except OSError:
        print(f"Port {port} is taken: end what listens there. The page has to come from an origin that the deployment allows.", file=sys.stderr)
        return 2
    print(f"  http://127.0.0.1:{port}/  until Ctrl-C", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("The demo page is closed; the deployment runs on.")
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
