"""Asking an address whether it answers."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

from holdfast_cli.core.errors import Failed


def answer(url: str, seconds: float = 2) -> tuple[int | None, bytes]:
    """Status and body of a GET; None without an answer."""
    try:
        # Bypass the user's proxy for loopback addresses.
        proxies = [urllib.request.ProxyHandler({})] if url.startswith("http://127.0.0.1:") else []
        with urllib.request.build_opener(*proxies).open(url, timeout=seconds) as found:
            return found.status, found.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, ValueError):
        return None, b""


def wait_for_health(url: str, seconds: float = 60) -> dict[str, Any]:
    """What health says as soon as it says 200."""
    deadline = time.monotonic() + seconds
    status, body = None, b""
    while time.monotonic() < deadline:
        status, body = answer(url, 5)
        if status == 200:
            try:
                return json.loads(body)
            except ValueError:
                break
        time.sleep(0.2)
    raise Failed(f"{url} did not answer 200 within {seconds} s (last: {status or 'no answer'} {body[:200].decode(errors='replace')})")
