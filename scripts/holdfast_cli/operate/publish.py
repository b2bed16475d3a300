"""`holdfast publish`: publishes a message as a service does (POST /v1/messages, signed by IAM)."""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast_cli.core.console import Slow, answer, error, line, printable, wants_json
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.operate import deployment, json_input, routes
from holdfast_cli.operate.routes import Response

# How often a request is sent at most: a channel that is written too fast, a throttled account and a lost answer pass.
TRIES = 4
LONGEST_WAIT_SECONDS = 10

Send = Callable[[dict[str, Any]], Response]


def target(channels: list[str]) -> dict[str, Any]:
    """`to` of a publish, from channels as frames name them."""
    users = [channel.removeprefix("user:") for channel in channels if channel.startswith("user:")]
    if len(users) == len(channels) and all(users):
        return {"userIds": users}
    if len(channels) != 1:
        raise Refused("Publish to several user:<userId>, or to one topic:<name>, or to broadcast: kinds of channels do not mix.", "INVALID_REQUEST")
    if channels[0] == "broadcast":
        return {"broadcast": True}
    kind, _, name = channels[0].partition(":")
    if kind == "topic" and name:
        return {"topic": name}
    raise Refused(f"{printable(channels[0])} is no channel: use user:<userId>, topic:<name> or broadcast.", "INVALID_REQUEST")


def data_of(text: str, file: str) -> Any:
    """The data of a message: JSON on the command line, in a file, or on standard input (`-`)."""
    if text and file:
        raise Refused("--data and --data-file: give one of the two.")
    if file:
        try:
            text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as trouble:
            raise Refused(f"--data-file {file} cannot be read: {getattr(trouble, 'strerror', None) or trouble}.") from None
    try:
        return json_input.loads(text or "null")
    except ValueError as trouble:
        given = f"--data-file {file}" if file else "--data"
        raise Refused(f"{given} cannot be read as JSON ({trouble}). A text needs its quotes: --data '\"hello\"'.") from None


def body(to: dict[str, Any], kind: str, data: Any, key: str, ttl: int | None, ephemeral: bool) -> dict[str, Any]:
    """Without a key of the caller's it gets one of its own: a request that is repeated publishes once."""
    made: dict[str, Any] = {"to": to, "kind": kind, "data": data, "idempotencyKey": key or f"cli-{uuid.uuid4()}"}
    if ttl is not None:
        made["ttlSeconds"] = ttl
    if ephemeral:
        made["ephemeral"] = True
    return made


def deliver(send: Send, message: dict[str, Any], sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Sends it until it is accepted or refused, a few times at most; the answer of the route."""
    for attempt in range(1, TRIES + 1):
        came = send(message)
        if came.status == 202:
            return came.body
        if not came.may_come_later:
            hint = "The credentials need execute-api:Invoke on POST /v1/messages." if came.status == 403 else ""
            raise came.trouble("Not published", hint)
        if attempt < TRIES:
            wait = min(LONGEST_WAIT_SECONDS, came.retry_after or 0.5 * 2 ** attempt)
            error(f"  {came.detail} ({came.code}): again in {wait:g} s")
            sleep(wait)
    raise came.trouble(f"Not known to be published after {TRIES} tries",  # pyright: ignore[reportPossiblyUnboundVariable]
                       f"Repeat it with --idempotency-key {message['idempotencyKey']}: it is published once.")


def publish(settings: Settings, message: dict[str, Any]) -> None:
    place = deployment.find(settings)
    url = f"{place.http_url}/v1/messages"
    with Slow("publishing"):
        found = deliver(lambda sent: routes.as_service(settings, url, sent), message)
    if wants_json():
        answer(found)
        return
    where = f"to {found['recipients']} users" if "recipients" in found else ""
    if "offset" in found:
        where = f"in {found['channel']} at offset {found['offset']}"
    line(f"{'Published before' if found['duplicate'] else 'Published'}: message {found['messageId']} {where}".rstrip())
