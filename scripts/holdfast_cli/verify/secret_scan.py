"""Searches for secrets in all logs of the functions and in all records of the subscribers, which must hold none.

The users of the tests have e-mails and passwords of a unique form (shared/e2e/src/person.rs).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, outputs
from holdfast_cli.deploy.outputs import Outputs

WHAT = {
    "a token": re.compile(r"hf1\.[A-Za-z0-9_-]{22}\.[0-9]\."),
    "an e-mail": re.compile(r"e2e-[0-9a-f]{24}@"),
    "a password": re.compile(r"pw-[0-9a-f]{24}"),
    "a password hash": re.compile(r"\$argon2"),
    "a recovery code": re.compile(r"\b[A-Z2-7]{4}(-[A-Z2-7]{4}){5}\b"),
    "an authenticator's secret": re.compile(r"otpauth:|\b[A-Z2-7]{32}\b"),
    "a code": re.compile(r'"(code|recoveryCode)"\s*:\s*"[0-9]{6}"'),
}


def secrets(text: str) -> list[str]:
    """The kinds of secrets that a text contains."""
    return [name for name, pattern in WHAT.items() if pattern.search(text)]


def lines(api: aws.Api, known: Outputs) -> Iterator[tuple[str, str]]:
    client = api.logs
    for key, name in known["functions"].items():
        try:
            for page in client.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}"):
                for event in page["events"]:
                    yield f"the log of {key}", event.get("message", "")
        except client.exceptions.ResourceNotFoundException:
            continue


def items(api: aws.Api, known: Outputs) -> Iterator[tuple[str, str]]:
    for page in api.dynamodb.get_paginator("scan").paginate(TableName=known["tables"]["activity"]):
        for item in page["Items"]:
            yield "the table activity", repr(item)


def scan(settings: Settings, least: int = 1) -> None:
    """`least`: how many log lines there must be; with fewer, nothing would be shown by finding nothing."""
    known, found, counts = outputs.read(settings), 0, list[int]()
    with aws.asking(settings) as api:
        for source in (lines, items):
            counts.append(0)
            for place, text in source(api, known):
                counts[-1] += 1
                for name in secrets(text):
                    found += 1
                    if found <= 10:
                        line(f"{name} in {place}: {text[:60]!r} …")
    line(f"{counts[0]} log lines and {counts[1]} written events hold {found} secrets")
    if counts[0] < least or not counts[1]:
        raise Failed("that is too little to show anything")
    if found:
        raise Failed(f"{found} secrets are in places that must hold none")
