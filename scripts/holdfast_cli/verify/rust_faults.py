"""Faults in Rust code that people have listed (`scripts/faults/rust.json`). Each replaces one expression by a wrong one.

They are behind switches in the build of the mutants, and the same tests run against them. A mutant may survive for a reason; a fault of
this list may not. `old` occurs once in the part of `file` that is not a test, or once in `text`, which does.
"""

from __future__ import annotations

import json
from pathlib import Path

from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT
from holdfast_cli.verify.switches import Mutant, Place

FAULTS = ROOT / "scripts" / "faults" / "rust.json"
GENRE = "Fault"

Fault = dict[str, str]


def known() -> list[Fault]:
    try:
        return json.loads(FAULTS.read_text(encoding="utf-8"))["faults"]
    except (OSError, ValueError, KeyError) as trouble:
        raise Failed(f"{FAULTS.relative_to(ROOT)} cannot be read: {trouble}") from trouble


def found(fault: Fault, source: str) -> tuple[int, int]:
    """The position of the expression in its file."""
    shipped = source.split("#[cfg(test)]")[0]
    text, old = fault.get("text", fault["old"]), fault["old"]
    if shipped.count(text) != 1 or text.count(old) != 1:
        raise Failed(f"{FAULTS.relative_to(ROOT)}: \"{fault['says']}\": its text does not occur exactly once in {fault['file']}")
    start = shipped.index(text) + text.index(old)
    return start, start + len(old)


def _place(source: str, at: int) -> Place:
    """As cargo-mutants counts: lines and columns from 1."""
    before = source[:at]
    return {"line": before.count("\n") + 1, "column": at - (before.rfind("\n") + 1) + 1}


def faults(folders: dict[str, str], packages: list[str], root: Path = ROOT) -> list[Mutant]:
    """The faults of these crates, in the form of mutants. `folders`: crate to folder."""
    chosen: list[Mutant] = []
    for fault in known():
        package = next((name for name in packages if fault["file"].startswith(folders[name] + "/")), None)
        if package is None:
            continue
        source = (root / fault["file"]).read_text(encoding="utf-8")
        start, end = found(fault, source)
        place = _place(source, start)
        chosen.append({"name": f"{fault['file']}:{place['line']}:{place['column']}: {fault['says']}", "genre": GENRE, "package": package,
                       "file": fault["file"], "replacement": fault["new"], "change": fault["says"],
                       "span": {"start": place, "end": _place(source, end)},
                       "function": {"function_name": "", "return_type": ""}})
    return chosen
