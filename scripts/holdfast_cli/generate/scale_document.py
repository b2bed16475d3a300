"""docs/scale.md: what `holdfast scale` says of a million sockets, between two marks."""

from __future__ import annotations

from holdfast_cli.capacity import scale
from holdfast_cli.core.console import line
from holdfast_cli.core.settings import ROOT

PLAN = ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- begin: make scale SOCKETS=1000000 WITHIN=60 -->\n", "\n<!-- end -->"


def write() -> None:
    before, after = PLAN.read_text(encoding="utf-8").split(BEGIN)
    PLAN.write_text(before + BEGIN + scale.markdown(1_000_000, 60) + END + after.partition(END)[2], encoding="utf-8")
    line(f"Written: {PLAN.relative_to(ROOT)}")
