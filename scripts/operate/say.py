"""What the operator reads: short lines, progress for anything slow, one clear line for anything wrong."""

import sys
import threading
import time


class Refused(Exception):
    """Something the operator has to change; one line, exit code 2."""


class Failed(Exception):
    """Something that went wrong on the way; one line (and perhaps a log), exit code 1."""


_lock = threading.Lock()


def line(text=""):
    with _lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def error(text):
    with _lock:
        sys.stdout.flush()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


class Step:
    """A named piece of work: says that it began, that it is still going on, and how long it took."""

    EVERY_SECONDS = 15

    def __init__(self, name):
        self.name = name
        self.note = ""
        self._done = threading.Event()

    def __enter__(self):
        self.started = time.monotonic()
        line(f"  … {self.name}")
        threading.Thread(target=self._remind, daemon=True).start()
        return self

    def _remind(self):
        while not self._done.wait(self.EVERY_SECONDS):
            line(f"    {self.name}: {self.seconds():.0f} s so far")

    def seconds(self):
        return time.monotonic() - self.started

    def __exit__(self, kind, _value, _traceback):
        self._done.set()
        if kind is None:
            note = f" ({self.note})" if self.note else ""
            line(f"  ✓ {self.name}{note} — {self.seconds():.1f} s")
        return False
