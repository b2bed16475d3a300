"""Runs the commands of a guide, a page of docs/, as a reader types them: block by block, in one shell, in an empty folder.

A fenced block with the info string `sh` is run. One with `sh aws` is for AWS alone and is not run; the page shows its info string to no reader, so a
sentence before it says the same. A block `text` or `json` is the standard output of the commands before it. In both, `…` stands for what varies.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

_FENCE = re.compile(r"^(`{3,})(.*)$")
# Excerpts of files. No command can hide in them, because a reader does not type them.
EXCERPTS = ("hcl", "js", "rust")
VARIES = "…"
# The pages of docs/ whose commands scripts/live_tests/test_guides.py runs.
PAGES = ("protect-your-api.md", "publish.md", "own-sign-in.md")


@dataclass
class Block:
    """Commands of a page, with the line on which they begin, and what they must print."""

    line: int
    commands: str
    is_run: bool
    expected: str | None = None
    form: str = ""


class Malformed(ValueError):
    """A block that is neither run nor compared."""


def blocks(page: str) -> list[Block]:
    """The commands of a page, in their order."""
    found: list[Block] = []
    may_expect = False
    for line, info, content in _fenced(page):
        if info in ("sh", "sh aws"):
            may_expect = info == "sh"
            found.append(Block(line, content, may_expect))
        elif info in ("text", "json"):
            if not may_expect:
                raise Malformed(f"line {line}: a block `{info}` is the output of the block `sh` before it, and each has at most one.")
            found[-1].expected, found[-1].form = content, info
            may_expect = False
        elif info not in EXCERPTS:
            raise Malformed(f"line {line}: a block `{info}` is not run: use sh, `sh aws`, text, json, {' or '.join(EXCERPTS)}.")
    return found


def _fenced(page: str) -> list[tuple[int, str, str]]:
    """Line, info string and content of each fenced block."""
    found: list[tuple[int, str, str]] = []
    fence, info, began, content = "", "", 0, list[str]()
    for number, text in enumerate(page.splitlines(), 1):
        mark = _FENCE.match(text)
        if not fence and mark:
            fence, info, began, content = mark[1], mark[2].strip(), number, []
        elif fence and text == fence:
            found.append((began, info, "".join(f"{each}\n" for each in content)))
            fence = ""
        elif fence:
            content.append(text)
        elif re.match(r"\s+`{3}|~~~", text):
            raise Malformed(f"line {number}: a fence begins at the left margin, with backquotes.")
    if fence:
        raise Malformed(f"line {began}: the block has no end.")
    return found


def environment(root: Path, given: Mapping[str, str]) -> dict[str, str]:
    """What a reader has in the shell: the path of the checkout, and nothing that leads to an account of AWS or into a build."""
    unwanted = ("ENV", "VARS", "SERVICE", "CACHE", "ARCH", "PYTHONPATH")
    kept = {name: value for name, value in given.items()
            if not name.startswith(("AWS_", "TF_VAR_", "MAKE", "HOLDFAST_ACCESS")) and name not in unwanted}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    return {**kept, **nowhere, "HOLDFAST": str(root)}


def run(page: str, folder: Path, environ: Mapping[str, str], patience_seconds: float = 900) -> list[str]:
    """Runs a page in `folder`, which is empty. Returns what is wrong, by line; nothing if the page is right.

    A block ends within `patience_seconds`, also on a slow machine that does other work: the longest ones compile, install and apply.
    """
    todo = [block for block in blocks(page) if block.is_run]
    log, work = folder / "log", folder / "work"
    log.mkdir()
    work.mkdir()
    script = folder / "commands.sh"
    script.write_text("set -euo pipefail\n" + "".join(
        f"exec >{log}/{block.line}.out 2>{log}/{block.line}.err\n{block.commands}" for block in todo), encoding="utf-8")
    with subprocess.Popen(["bash", script], cwd=work, env=dict(environ), stdin=subprocess.DEVNULL, start_new_session=True) as shell:
        try:
            code, late = _end(shell, log, patience_seconds)
        finally:
            # What a page has started and not ended.
            _kill(shell.pid)
    begun = [block for block in todo if (log / f"{block.line}.out").exists()]
    wrong: list[str] = []
    for block in begun:
        printed, complained = ((log / f"{block.line}.{kind}").read_text(encoding="utf-8", errors="replace") for kind in ("out", "err"))
        if code and block is begun[-1]:
            why = f"did not end within {patience_seconds:.0f} s" if late else f"ended with {code}"
            wrong.append(f"line {block.line}: {why}\n{printed[-4000:]}{complained[-4000:]}")
        elif block.expected is not None and not matches(block.expected, printed, block.form):
            wrong.append(f"line {block.line}: printed\n{printed[-4000:]}{complained[-4000:]}and not\n{block.expected}")
    if not code and len(begun) < len(todo):
        # `exit 0` in the middle of a page.
        wrong.append(f"line {todo[len(begun)].line}: was not reached")
    return wrong


def _end(shell: subprocess.Popen[bytes], log: Path, patience_seconds: float) -> tuple[int, bool]:
    """The exit code of a page, and whether one of its blocks hangs."""
    begun = len(list(log.iterdir()))
    while True:
        try:
            return shell.wait(patience_seconds), False
        except subprocess.TimeoutExpired:
            before, begun = begun, len(list(log.iterdir()))
            if begun == before:
                return 1, True


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def matches(expected: str, printed: str, form: str) -> bool:
    """Whether an output is what a page shows. In `text`, `…` stands for a part of a line, and alone for any number of lines. In `json` it stands
    for a value, and as a name for further members."""
    if form == "json":
        try:
            return _alike(json.loads(expected), json.loads(printed))
        except ValueError:
            return False
    lines = [r"(?:.*\n)*" if line == VARIES else ".+".join(map(re.escape, line.split(VARIES))) + r"\n" for line in expected.splitlines()]
    return re.fullmatch("".join(lines), printed if printed.endswith("\n") or not printed else printed + "\n") is not None


def _alike(expected: Any, found: Any) -> bool:
    if expected == VARIES:
        return True
    if isinstance(expected, dict) and isinstance(found, dict):
        shown, there = cast(dict[str, Any], expected), cast(dict[str, Any], found)
        names = shown.keys() - {VARIES}
        return (names <= there.keys() if VARIES in shown else names == there.keys()) and all(_alike(shown[name], there[name]) for name in names)
    if isinstance(expected, list) and isinstance(found, list):
        items, others = cast(list[Any], expected), cast(list[Any], found)
        return len(items) == len(others) and all(map(_alike, items, others))
    if isinstance(expected, str) and isinstance(found, str) and VARIES in expected:
        return re.fullmatch(".+".join(map(re.escape, expected.split(VARIES))), found, re.S) is not None
    return (type(expected), expected) == (type(found), found)  # pyright: ignore[reportUnknownArgumentType]
