"""A page in a real browser calls a protected API by cookie, and foreign pages cannot, on the deployment of HOLDFAST_WORK_DIR.

`http://localhost:<HOLDFAST_PAGE_PORT>` (5173 without it) must be in its `allowed_origins`. CHROMIUM names a browser, and HOLDFAST_PICTURE a path for
pictures of the page.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
INTEROP = SCRIPTS.parent / "clients" / "interop"
sys.path[:0] = [str(SCRIPTS), str(INTEROP)]

import browsers
import examples

from holdfast_cli.core import processes
from holdfast_cli.core import settings as settings_module
from holdfast_cli.deploy import aws

SETTINGS = settings_module.read({"ENV": "local", **{name: os.environ[name] for name in ("HOLDFAST_WORK_DIR",) if name in os.environ}})
KNOWN = json.loads(SETTINGS.outputs_file.read_text(encoding="utf-8"))
PAGE_PORT = os.environ.get("HOLDFAST_PAGE_PORT", "5173")
NAME = "protected-page"
PATIENCE_SECONDS = 120


def at_localhost(url):
    """The same address with the host name of the page: 127.0.0.1 is another site."""
    return url.rstrip("/").replace("//127.0.0.1:", "//localhost:")


def invocations(api, function):
    """The requests that reached a function, by its log."""
    events = api.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    return sum(event["message"].startswith("START ") for event in events)


class ProtectedPage(unittest.TestCase):
    def test_cookies_reach_a_protected_api_from_its_own_page_and_from_no_other(self):
        # Nothing calls the handler in Rust, so any file stands in for its binary.
        with examples.applied("protected-api", KNOWN, sys.executable, name=NAME, allowed_origins=[f"http://localhost:{PAGE_PORT}"],
                              authorizer=KNOWN["authorizer"]) as (outputs, _):
            # A short path: the browser's socket lies below, whose path may have 107 characters.
            with tempfile.TemporaryDirectory(prefix="hf-", dir="/tmp", ignore_cleanup_errors=True) as profile:
                command = ["node", INTEROP / "protected_page.mjs", browsers.find(os.environ.get("CHROMIUM")), profile, PAGE_PORT, str(processes.free_port()),
                           at_localhost(KNOWN["httpUrl"]), at_localhost(outputs["urls"]["orders-node"])]
                picture = [os.environ["HOLDFAST_PICTURE"]] if "HOLDFAST_PICTURE" in os.environ else []
                ran = subprocess.run([*command, *picture], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
            print(ran.stdout, end="")
            self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
            # What was refused never reached the handler.
            reached = int(ran.stdout.splitlines()[-1].removeprefix("reached "))
            self.assertGreaterEqual(reached, 3)
            api, function = aws.Api(SETTINGS), f"{NAME}-orders-node"
            deadline = time.monotonic() + 10
            while invocations(api, function) < reached and time.monotonic() < deadline:
                time.sleep(0.1)
            self.assertEqual(invocations(api, function), reached)


if __name__ == "__main__":
    unittest.main()
