"""The two ways in which a verb ends badly."""

from __future__ import annotations

from typing import Any


class Trouble(Exception):
    """Why a verb did not do what it was asked: one line for people; with `--json` also a code for programs, and what else is known."""

    exit_code = 1
    code = "FAILED"

    def __init__(self, text: str, code: str = "", **more: Any) -> None:
        super().__init__(text)
        self.code = code or self.code
        self.more = more

    def as_json(self) -> dict[str, Any]:
        return {"ok": False, "error": {"code": self.code, "detail": str(self), "exitCode": self.exit_code, **self.more}}


class Refused(Trouble):
    """Something the operator has to change; one line, exit code 2."""

    exit_code = 2
    code = "REFUSED"


class Failed(Trouble):
    """A failure of the command: one line (and perhaps a log), exit code 1."""
