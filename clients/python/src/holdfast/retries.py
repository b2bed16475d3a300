"""When a call is repeated: back-off with full jitter, never past the total time-out of the call."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_ATTEMPTS = 4
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 1.0


@dataclass(frozen=True)
class Timing:
    """The clock, the pause and the chance that retries use. Tests replace them."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random


class Deadline:
    """The total time-out of one call. All attempts and all candidates of a request share it."""

    def __init__(self, timing: Timing, seconds: float) -> None:
        self._timing = timing
        self._until = timing.clock() + seconds

    def left(self) -> float:
        """Returns the remaining seconds."""
        return self._until - self._timing.clock()

    def pause(self, attempt: int, retry_after: float | None, needed: float) -> bool:
        """Waits before the next attempt. Returns false, without a wait, if no further attempt of `needed` seconds fits.

        The jitter comes on top of `Retry-After`, so that clients that were refused together do not return together.
        """
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
        wait = (retry_after or 0) + self._timing.random() * longest
        if attempt >= MAX_ATTEMPTS or wait + needed > self.left():
            return False
        self._timing.sleep(wait)
        return True
