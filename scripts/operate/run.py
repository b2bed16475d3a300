"""Children of one run: output into a log, and none of them left behind by a Ctrl-C."""

import os
import signal
import subprocess
import threading

from say import Failed

_children = set()
# Re-entrant: a signal handler may want it while its own thread holds it.
_lock = threading.RLock()
_interrupted = threading.Event()


def start(command, **options):
    """Starts a child in a session of its own: the terminal's Ctrl-C reaches it through `interrupt_all` only, once."""
    with _lock:
        if _interrupted.is_set():
            raise Failed("interrupted")
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        _children.add(child)
        return child


def finish(child):
    try:
        return child.wait()
    finally:
        with _lock:
            _children.discard(child)


def logged(command, log, **options):
    """Runs a command with its output in `log` (appended); returns its exit code."""
    with open(log, "a") as out:
        out.write(f"$ {' '.join(map(str, command))}\n")
        out.flush()
        return finish(start(command, stdout=out, stderr=subprocess.STDOUT, **options))


def shown(command, **options):
    """Runs a command with its output on the terminal; returns its exit code."""
    return finish(start(command, **options))


def signal_all():
    """Tells every child to end, without waiting; safe in a signal handler."""
    _interrupted.set()
    with _lock:
        for child in _children:
            try:
                os.killpg(child.pid, signal.SIGINT)
            except ProcessLookupError:
                pass


def interrupt_all(patience_seconds=60):
    """Time to finish what must not be torn (Terraform's state) after `signal_all`, then force."""
    with _lock:
        children = list(_children)
    for sign, seconds in ((None, patience_seconds), (signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        left = [child for child in children if child.poll() is None]
        for child in left if sign else ():
            try:
                os.killpg(child.pid, sign)
            except ProcessLookupError:
                pass
        for child in left:
            try:
                child.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                pass
