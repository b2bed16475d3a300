"""`holdfast logs`: prints what the functions logged."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from holdfast_cli.core.console import answer, error, line, wants_json
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, outputs

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str, option: str = "SINCE") -> int:
    """A time such as 10m, in seconds; `option` is where it was given."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if not match:
        raise Refused(f"{option}={text}: a number with s, m, h or d is needed, such as 10m.")
    return int(match.group(1)) * UNITS[match.group(2)]


def at(stamp: int) -> str:
    """A time in milliseconds, as RFC 3339 has it."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(stamp / 1000))}.{stamp % 1000:03}Z"


def structured(message: str) -> Any:
    """What a function logged: its JSON where it is an object, else its text."""
    try:
        found = json.loads(message)
    except ValueError:
        return message
    return found if isinstance(found, dict) else message  # pyright: ignore[reportUnknownVariableType]


def logs(settings: Settings, service: str, since: str, follow: bool) -> None:
    """Of a function, or of all whose names begin with `service`; with `follow`, until Ctrl-C."""
    known = outputs.read(settings)
    names = {key: name for key, name in known["functions"].items() if not service or key == service or key.startswith(service + "-")}
    if not names:
        raise Refused(f"SERVICE={service}: no such function; there is {', '.join(known['functions'])}.")
    start = int((time.time() - seconds(since)) * 1000)
    seen: set[object] = set()
    with aws.asking(settings) as api:
        client = api.logs
        while True:
            found: list[tuple[int, str, str]] = []
            for key, name in names.items():
                request: dict[str, Any] = {"logGroupName": f"/aws/lambda/{name}", "startTime": start}
                while True:
                    try:
                        page = client.filter_log_events(**request)
                    except client.exceptions.ResourceNotFoundException:
                        break
                    for event in page["events"]:
                        stamp, message = event.get("timestamp", 0), event.get("message", "")
                        identity = event.get("eventId") or (key, stamp, message)
                        if identity not in seen:
                            seen.add(identity)
                            found.append((stamp, key, message.rstrip()))
                    token = page.get("nextToken")
                    if not token:
                        break
                    request["nextToken"] = token
            for stamp, key, message in sorted(found):
                if wants_json():
                    answer({"at": at(stamp), "function": key, "message": structured(message)}, compact=True)
                    continue
                line(f"{time.strftime('%H:%M:%S', time.gmtime(stamp / 1000))}.{stamp % 1000:03} {key:20} {message}")
            if not follow:
                if not seen:
                    error(f"No log lines within {since}.")
                return
            time.sleep(1)
