"""The commands of README.md that are typed by hand, run as they are written."""

import http.server
import json
import os
import re
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PERSON = {"email": "ada@example.com", "password": "velvet anchor quietly 7"}


class Api(http.server.BaseHTTPRequestHandler):
    """As much of the API as the commands call. The answers are as compact as the real ones."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        tokens = {"accessToken": "a-token_1.x", "accessExpiresAt": "…", "refreshToken": "another", "tokenType": "Bearer"}
        answers = {"/v1/users": (201, {"userId": "u"}), "/v1/auth/login": (200, {"status": "AUTHENTICATED", "session": {}, "tokens": tokens})}
        self.answer(*(answers.get(self.path, (404, {})) if body == PERSON else (400, {"got": body})))

    def do_GET(self):
        is_right = self.path == "/v1/sessions/current" and self.headers["authorization"] == "Bearer a-token_1.x"
        self.answer(*((200, {"sessionId": "the session"}) if is_right else (401, {"got": str(self.headers["authorization"])})))

    def answer(self, status, said):
        data = json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Readme(unittest.TestCase):
    def test_the_commands_by_hand_register_sign_in_and_show_the_session(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        [commands] = [block for block in re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S) if "curl" in block]
        with tempfile.TemporaryDirectory() as folder:
            outputs = Path(folder) / ".local" / "outputs.json"
            outputs.parent.mkdir()
            outputs.write_text(json.dumps({"env": "local", "httpUrl": f"http://127.0.0.1:{server.server_address[1]}/"}), encoding="utf-8")
            environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and name not in ("URL", "ACCESS_TOKEN")}
            ran = subprocess.run(["sh", "-eu", "-c", commands], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertEqual(ran.stdout, '{"userId":"u"}{"sessionId":"the session"}')


if __name__ == "__main__":
    unittest.main()
