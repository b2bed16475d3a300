"""Children of one run: output into a log, and none of them left behind by a Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from holdfast_cli.core.console import error
from holdfast_cli.core.errors import Failed

Child = subprocess.Popen[Any]
Word = str | Path
Environ = Mapping[str, str]

_children: set[Child] = set()
# Those that were told to end: once each.
_told: set[int] = set()
# Re-entrant: a signal handler may want it while its own thread holds it.
_lock = threading.RLock()
_interrupted = threading.Event()
_held = 0


def start(command: Sequence[Word], **options: Any) -> Child:
    """Starts a child in a session of its own: the terminal's Ctrl-C reaches it through `on_signal` only, once."""
    with uninterrupted(), _lock:
        if _interrupted.is_set():
            raise Failed("interrupted")
        child: Child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        _children.add(child)
        if _interrupted.is_set():
            _tell(child)
        return child


def finish(child: Child) -> int:
    """Waits for a child. One that a Ctrl-C takes us away from stays on the list: `interrupt_all` waits for it."""
    if hasattr(os, "waitid") and child.returncode is None:
        # `Popen.wait` would collect it on its way out of a Ctrl-C, and what it had started would have no name left.
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    code = child.wait()
    with _lock:
        _children.discard(child)
        _told.discard(child.pid)
    return code


def logged(command: Sequence[Word], log: Path, **options: Any) -> int:
    """Runs a command with its output in `log` (appended); returns its exit code."""
    with open(log, "a", encoding="utf-8") as out:
        out.write(f"$ {' '.join(map(str, command))}\n")
        out.flush()
        return finish(start(command, stdout=out, stderr=subprocess.STDOUT, **options))


def shown(command: Sequence[Word], **options: Any) -> int:
    """Runs a command with its output on the terminal; returns its exit code."""
    return finish(start(command, **options))


def spoken(command: Sequence[Word], out: IO[str], **options: Any) -> tuple[int, str]:
    """Runs a command with its output in `out` as it comes; returns exit code and output."""
    child = start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace", **options)
    said: list[str] = []
    with lines_of(child) as stdout:
        for text in stdout:
            out.write(text)
            out.flush()
            said.append(text)
    return finish(child), "".join(said)


def lines_of(child: Child) -> IO[str]:
    """The output of a child that was started with a pipe for it."""
    if child.stdout is None:
        raise ValueError("a child without a pipe")
    return child.stdout


def output(command: Sequence[Word], **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a short command, which ends without help. Returns its output and exit code."""
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@contextmanager
def uninterrupted() -> Generator[None]:
    """A Ctrl-C in here takes effect at the end, because a process that is started must also be recorded."""
    global _held
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _interrupted.is_set()
    _held += 1
    try:
        yield
    finally:
        _held -= 1
        if not _held and _interrupted.is_set() and not before:
            raise KeyboardInterrupt


def on_signal(_signal: int = 0, _frame: object = None) -> None:
    """Ctrl-C: tells every child to end, once. A second one would make Terraform leave its state behind."""
    if _interrupted.is_set():
        error("Still stopping: what has begun is ended in order, so that no state is torn.")
        return
    _interrupted.set()
    with _lock:
        for child in _children:
            _tell(child)
        names = sorted({_name(child) for child in _children})
    if names:
        note = threading.Timer(2, error, [f"Stopping: waiting for {' and '.join(names)} to end in order."])
        note.daemon = True
        note.start()
    if not _held:
        raise KeyboardInterrupt


def interrupted() -> bool:
    """Whether a Ctrl-C has come. Nothing new is started then."""
    return _interrupted.is_set()


def catch_signals() -> None:
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, on_signal)


def give_up() -> None:
    """Ends what runs, because something else has failed: nothing new starts meanwhile, and all of it has ended on return."""
    _interrupted.set()
    with _lock:
        for child in _children:
            _tell(child)
    interrupt_all()
    _interrupted.clear()


def interrupt_all(patience_seconds: float = 60) -> None:
    """Waits for children that `on_signal` told to end, then insists; nothing they started stays behind, either."""
    with _lock:
        children = list(_children)
        _children.clear()
        _told.clear()
    for sign, seconds in ((None, patience_seconds), (signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        left = [child for child in children if not _ended(child)]
        if sign:
            for child in left:
                _signal_group(child, sign)
        deadline = time.monotonic() + seconds
        while any(not _ended(child) for child in left) and time.monotonic() < deadline:
            time.sleep(0.05)
    # A group keeps its number while its leader is not collected, so this reaches its own members only.
    for sign, pause in ((signal.SIGTERM, 1), (signal.SIGKILL, 0)):
        groups = [child for child in children if child.returncode is None]
        for child in groups:
            _signal_group(child, sign)
        time.sleep(pause if groups else 0)
    for child in children:
        child.poll()


def _name(child: Child) -> str:
    words: Any = child.args
    return Path(str(words if isinstance(words, (str, Path)) else words[0])).name


def _tell(child: Child) -> None:
    if child.pid not in _told:
        _told.add(child.pid)
        _signal_group(child, signal.SIGINT)


def _signal_group(child: Child, sign: signal.Signals) -> None:
    if child.returncode is not None:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, sign)


def _ended(child: Child) -> bool:
    """Whether a child has ended, without collecting it."""
    if child.returncode is not None:
        return True
    if not hasattr(os, "waitid"):
        return child.poll() is not None
    try:
        return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
