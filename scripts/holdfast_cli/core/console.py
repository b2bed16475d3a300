"""What the operator reads: short lines, progress for anything slow, one clear line for anything wrong.

On a terminal the work in hand is shown below the lines, with a bar and the time left where the total is known. Elsewhere it says every
15 seconds how far it is.

With `--json` standard output is one JSON document, or one a line where a verb follows something, and all of the above goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from types import TracebackType
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

_lock = threading.RLock()
_EVERY_SECONDS = 15
# What takes no longer than this says nothing of its progress.
_AT_ONCE_SECONDS = 2


class _TimeLeft(ProgressColumn):
    """The time left as it is known: of a step without a total, nothing."""

    def render(self, task: Task) -> Text:
        return Text(time_left(task.total, task.time_remaining), style="cyan")


def time_left(total: float | None, seconds: float | None) -> str:
    if total is None or seconds is None:
        return ""
    return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"


class _Live:
    """The steps in hand, at the bottom of a terminal; there only while there are any."""

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.steps = 0

    def begin(self, name: str) -> TaskID:
        with _lock:
            if self.progress is None:
                self.progress = Progress(SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(bar_width=20),
                                         TextColumn("{task.fields[count]}", markup=False), TimeElapsedColumn(), _TimeLeft(),
                                         console=Console(highlight=False), transient=True)
                self.progress.start()
            self.steps += 1
            return self.progress.add_task(name, total=None, count="")

    def update(self, task: TaskID, name: str, done: int, total: int) -> None:
        with _lock:
            if self.progress is not None:
                self.progress.update(task, description=name, completed=done, total=total or None, count=f"{done} of {total}" if total else "")

    def end(self, task: TaskID) -> None:
        with _lock:
            self.steps -= 1
            if self.progress is not None:
                self.progress.remove_task(task)
                if not self.steps:
                    self.progress.stop()
                    self.progress = None


_live = _Live()


def _on_terminal() -> bool:
    return sys.stdout is sys.__stdout__ and Console().is_terminal and not Console().is_dumb_terminal


def line(text: str = "") -> None:
    with _lock:
        if _live.progress is not None:
            _live.progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def error(text: str) -> None:
    with _lock:
        sys.stdout.flush()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


class _Answers:
    """Whether JSON is wanted, where it goes, and whether a whole document was written: nothing follows one."""

    def __init__(self) -> None:
        self.wanted = False
        self.out: IO[str] | None = None
        self.is_complete = False
        self.is_begun = False


_answers = _Answers()


def answer_in_json() -> None:
    """From here on standard output is for `answer` alone. Everything else, also of children, goes to standard error."""
    _answers.wanted = True
    sys.stdout.flush()
    _answers.out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)


def answer(value: Any, compact: bool = False) -> None:
    """Prints a value as JSON: indented, or on one line (`compact`) where more may follow."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")) if compact else json.dumps(value, ensure_ascii=False, indent=2)
    with _lock:
        _answers.is_begun, _answers.is_complete = True, not compact
        out = _answers.out or sys.stdout
        out.write(text + "\n")
        out.flush()


def wants_json() -> bool:
    return _answers.wanted


def report(text: str = "") -> None:
    """Prints a line of the answer; with `--json` the JSON document replaces it."""
    if not wants_json():
        line(text)


def finish() -> None:
    """Ends a verb that has nothing to tell but that it is done."""
    if wants_json() and not _answers.is_begun:
        answer({"ok": True})


def has_answered() -> bool:
    """Whether standard output holds a whole document."""
    return _answers.is_complete


def give_up_output() -> None:
    """Discards all further output, because its reader has closed it. The interpreter's own last flush must not complain, either."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for out in filter(None, (sys.stdout, _answers.out)):
        os.dup2(nowhere, out.fileno())


def printable(text: str) -> str:
    """A text from outside, without anything that a terminal would obey."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as their longest entry; nothing is cut off."""
    shown = [tuple(map(printable, row)) for row in (head, *rows)]
    widths = [max(len(row[column]) for row in shown) for column in range(len(head))]
    for row in shown:
        line("  " + "  ".join(f"{entry:{width}}" for entry, width in zip(row, widths)).rstrip())


class Step:
    """A named piece of work: says that it began, how far it is, and how long it took."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.note = ""
        self._done, self._total, self._unit = 0, 0, ""
        self._over = threading.Event()
        self._task: TaskID | None = None

    def __enter__(self) -> Step:
        self.started = time.monotonic()
        if _on_terminal():
            self._task = _live.begin(self.name)
        else:
            line(f"  … {self.name}")
            threading.Thread(target=self._remind, daemon=True).start()
        return self

    def progress(self, done: int, total: int, unit: str) -> None:
        """How much of how much is done: `unit` says of what."""
        self._done, self._total, self._unit = done, total, unit
        if self._task is not None:
            _live.update(self._task, self.name, done, total)

    def so_far(self) -> str:
        """How far it is, in words."""
        said = f"{self.seconds():.0f} s so far"
        if not self._total:
            return said
        left = self.seconds() / self._done * (self._total - self._done) if self._done else None
        return ", ".join(filter(None, [f"{self._done} of {self._total} {self._unit}", said, time_left(self._total, left)]))

    def _remind(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            line(f"    {self.name}: {self.so_far()}")

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def __exit__(self, kind: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None) -> None:
        self._over.set()
        if self._task is not None:
            _live.end(self._task)
        if kind is None:
            note = f" ({self.note})" if self.note else ""
            line(f"  ✓ {self.name}{note} — {self.seconds():.1f} s")


class Slow(Step):
    """A step that is not mentioned unless it takes longer than two seconds."""

    _timer: threading.Timer | None = None
    _shown = False

    def __enter__(self) -> Slow:
        self.started = time.monotonic()
        self._timer = threading.Timer(_AT_ONCE_SECONDS, self._show)
        self._timer.daemon = True
        self._timer.start()
        return self

    def _show(self) -> None:
        with _lock:
            if not self._over.is_set():
                self._shown, began = True, self.started
                super().__enter__()
                self.started = began

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        with _lock:
            self._over.set()
            if self._timer is not None:
                self._timer.cancel()
            if self._shown:
                super().__exit__(kind, value, traceback)
