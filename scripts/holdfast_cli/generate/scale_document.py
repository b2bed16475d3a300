"""docs/scale.md and docs/costs.md: what `holdfast scale` says of a million sockets, and prices of `holdfast cost`, each between two marks."""

from __future__ import annotations

from pathlib import Path

from holdfast_cli.capacity import cost, scale
from holdfast_cli.core.console import line
from holdfast_cli.core.settings import ROOT

PLAN, COSTS = ROOT / "docs" / "scale.md", ROOT / "docs" / "costs.md"
BEGIN, END = "<!-- begin: make scale SOCKETS=1000000 WITHIN=60 -->\n", "\n<!-- end -->"
PRICES = "<!-- begin: prices -->\n"


def write() -> None:
    _write(PLAN, BEGIN, scale.markdown(1_000_000, 60))
    _write(COSTS, PRICES, cost.markdown())


def _write(page: Path, begin: str, text: str) -> None:
    before, after = page.read_text(encoding="utf-8").split(begin)
    page.write_text(before + begin + text + END + after.partition(END)[2], encoding="utf-8")
    line(f"Written: {page.relative_to(ROOT)}")
