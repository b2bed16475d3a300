"""What a client keeps of one channel (docs/websocket.md): its mark, what came ahead of it, and which messages it has seen. No sockets."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Frame = dict[str, Any]

# How long a gap may stay before the client says `hello`, and how much is held and remembered meanwhile.
GAP_SECONDS = 3
MAX_HELD = 1_000
MAX_IDS = 10_000


class Mark(NamedTuple):
    """The highest offset with none missing below it, in its epoch."""

    epoch: str
    offset: int


class Missed(NamedTuple):
    """Messages after `since` may be missing: they are older than a day, too many, or of another epoch. The client continues from `now`."""

    since: Mark
    now: Mark


class Seen:
    """The latest ids; the oldest are forgotten."""

    def __init__(self, most: int = MAX_IDS) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def is_new(self, one: str) -> bool:
        if one in self._ids:
            return False
        self._ids[one] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)
        return True


class Channel:
    """Yields each message once, those with an offset in order."""

    def __init__(self, name: str, mark: Mark | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self.name, self.mark, self._now = name, mark, now
        self._held: dict[tuple[str, int], Frame] = {}
        self._seen = Seen()
        self._gap_since: float | None = None

    def hear(self, frame: Frame) -> Iterator[Frame | Missed]:
        """The messages that a frame lets through, and what it says to be missing. Frames of other channels let nothing through."""
        if frame.get("type") == "message" and frame.get("channel") == self.name:
            yield from self._message(frame)
        elif frame.get("type") == "subscribed" and frame.get("channel") == self.name:
            # A subscription begins now, whatever there was before.
            yield from self._begin(Mark(frame["epoch"], frame["offset"]))
        elif frame.get("type") == "welcome":
            for place in frame["channels"]:
                if place["channel"] == self.name and not place["recovered"]:
                    yield from self._begin(Mark(place["epoch"], place["offset"]))
        elif frame.get("type") == "pong":
            self._compare(frame["channels"])

    def _message(self, frame: Frame) -> Iterator[Frame]:
        if "offset" not in frame:
            if self._seen.is_new(frame["id"]):
                yield frame
            return
        if len(self._held) < MAX_HELD:
            self._held[frame["epoch"], frame["offset"]] = frame
        yield from self._next()

    def _begin(self, mark: Mark) -> Iterator[Frame | Missed]:
        if self.mark not in (None, mark):
            yield Missed(self.mark, mark)
        self.mark = mark
        yield from self._next()

    def _next(self) -> Iterator[Frame]:
        """What is next in the channel, as long as it is there."""
        while self.mark is not None:
            frame = self._held.pop((self.mark.epoch, self.mark.offset + 1), None)
            if frame is None:
                break
            self.mark = Mark(self.mark.epoch, self.mark.offset + 1)
            if self._seen.is_new(frame["id"]):
                yield frame
        if self.mark is not None:
            mark = self.mark
            # What is not above the mark has been yielded.
            self._held = {place: frame for place, frame in self._held.items() if place[0] != mark.epoch or place[1] > mark.offset}
        self._note_gap(bool(self._held) and self.mark is not None)

    def _compare(self, heads: list[Frame]) -> None:
        """A head that is ahead of the mark is a gap, too. A shared channel's may be a few seconds old: behind the mark means nothing."""
        for head in heads:
            if self.mark is not None and head["channel"] == self.name and (head["epoch"] != self.mark.epoch or head["offset"] > self.mark.offset):
                self._note_gap(True)

    def _note_gap(self, there: bool) -> None:
        self._gap_since = (self._gap_since or self._now()) if there else None

    def should_say_hello(self) -> bool:
        """Whether something has been missing for longer than it takes to overtake; a new gap is counted anew."""
        if self._gap_since is None or self._now() - self._gap_since < GAP_SECONDS:
            return False
        self._gap_since = None
        return True
