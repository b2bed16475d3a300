"""What a verb asks the person at the terminal: whether they mean it, and secrets, which are never arguments of a command."""

from __future__ import annotations

import os
import sys

import typer

from holdfast_cli.core.console import printable
from holdfast_cli.core.errors import Refused


def is_terminal() -> bool:
    return sys.stdin.isatty()


def confirm(question: str, yes: bool) -> None:
    """Asks the operator, and refuses on a no. Without a terminal it refuses, unless `yes` was given beforehand."""
    if yes:
        return
    if not is_terminal():
        raise Refused(f"{question} There is no terminal to ask: add --yes.", "NOT_CONFIRMED")
    if not typer.confirm(printable(question)):
        raise Refused("Nothing was changed.", "NOT_CONFIRMED")


def password(from_stdin: bool) -> str:
    """A new password: typed twice without being shown, or the first line of standard input."""
    if from_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
        if not given:
            raise Refused("--password-stdin: standard input has no password on its first line.")
        return given
    if not is_terminal():
        raise Refused("There is no terminal to ask for the password: give it on standard input, with --password-stdin.")
    return typer.prompt("New password", hide_input=True, confirmation_prompt=True)


def access_token(again: str = "") -> str:
    """The token of HOLDFAST_ACCESS_TOKEN, or one typed without being shown. `again`: why another one is needed."""
    given = "" if again else os.environ.get("HOLDFAST_ACCESS_TOKEN", "").strip()
    if given:
        return given
    if not is_terminal():
        raise Refused(f"{again or 'No user is signed in.'} Set HOLDFAST_ACCESS_TOKEN to an access token of the user.", "UNAUTHENTICATED")
    return str(typer.prompt(f"{again} Access token".strip(), hide_input=True)).strip()
