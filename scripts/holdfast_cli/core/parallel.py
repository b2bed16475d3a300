"""Work side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from holdfast_cli.core import commands

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Runs `work` for each item at once. Raises the first error when all have ended."""
    items = list(items)
    with ThreadPoolExecutor(max_workers=max(1, len(items))) as pool:
        futures = [pool.submit(work, item) for item in items]
        return [future.result() for future in futures]


def until_one_fails(works: Sequence[Callable[[], object]]) -> None:
    """Runs these at once. Raises the first error at once, and ends the processes of the others without waiting."""
    with ThreadPoolExecutor(max_workers=len(works)) as pool:
        futures = [pool.submit(work) for work in works]
        try:
            for future in as_completed(futures):
                future.result()
        except Exception:
            if not all(future.done() for future in futures):
                commands.give_up()
            raise
