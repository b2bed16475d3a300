"""`holdfast tail <channel>`: follows a channel as a signed-in user does (docs/websocket.md), and comes back without a gap.

The access token only asks for tickets. A socket outlives its token; a reconnect after the token has expired needs another one.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from holdfast_cli.core.console import Slow, answer, error, line, printable, wants_json
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.operate import deployment, prompts, routes
from holdfast_cli.operate.channel import Channel, Frame, Mark, Missed

# API Gateway ends a socket after 2 h and after 10 idle minutes.
PING_SECONDS = 240
LIFE_SECONDS = (6_300, 6_900)
ANSWER_SECONDS = 10
RATE_LIMITED_SECONDS = 60
MAX_WAIT_SECONDS = 30
# How many tries in a row a first connection has.
FIRST_TRIES = 3


class Socket(Protocol):
    """As much of a socket of the library `websockets` as is used."""

    @property
    def subprotocol(self) -> str | None: ...

    def send(self, message: str) -> None: ...
    def recv(self, timeout: float | None = None) -> str | bytes: ...
    def close(self) -> None: ...


class Lost(Exception):
    """The socket closed, or did not open: connect again after `seconds`, or after a random wait. `status` is that of a refused handshake."""

    def __init__(self, why: str, seconds: float = 0, status: int = 0) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.status = status


class Ended(Exception):
    """As many messages, or as much time, as was asked for."""


@dataclass(frozen=True)
class Wanted:
    """What to follow, from where, and when to stop."""

    channel: str
    after: Mark | None = None
    count: int = 0
    seconds: float = 0


def channel_name(name: str) -> str:
    kind, _, rest = name.partition(":")
    if name != "broadcast" and not (kind in ("user", "topic") and rest):
        raise Refused(f"{printable(name)} is no channel: use user:<userId>, topic:<name> or broadcast.", "INVALID_REQUEST")
    return name


def mark_of(text: str) -> Mark | None:
    """`epoch:offset`, as a line of `tail` and a message's frame have it."""
    epoch, _, offset = text.partition(":")
    if not text:
        return None
    if not epoch or not offset.isdigit():
        raise Refused(f"--after {printable(text)}: an epoch and an offset are needed, such as q1w2e3r4t5y:17.", "INVALID_REQUEST")
    return Mark(epoch, int(offset))


class Tickets:
    """Asks for tickets with an access token, and at a terminal for another token when that one is not accepted any more."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    def next(self) -> str:
        """The address of a socket, good for one connection."""
        while True:
            came = routes.as_user(self.url, self.token)
            if came.status == 201:
                return str(came.body["url"])
            if came.status == 401:
                self.token = prompts.access_token(again="The access token is not accepted (any more).")
                continue
            if came.may_come_later:
                raise Lost(f"no ticket: {came.detail} ({came.code})", came.retry_after)
            raise came.trouble("No ticket")


def connect(url: str, in_query: bool | None = None, origin: str | None = None) -> Socket:
    """A socket; refused in words where Holdfast refuses it. The ticket goes into the query (`in_query`) or is a sub-protocol."""
    from websockets.exceptions import InvalidStatus, WebSocketException
    from websockets.sync.client import connect as open_socket
    from websockets.typing import Origin, Subprotocol

    local = url.startswith("ws://127.0.0.1:")
    address, _, ticket = url.partition("?ticket=")
    # On AWS the ticket goes where no log has it.
    in_query = local if in_query is None else in_query
    protocols = None if in_query or not ticket else [Subprotocol("holdfast.v1"), Subprotocol(f"ticket.{ticket}")]
    try:
        # Bypass the user's proxy for loopback addresses. Pings are Holdfast's own: API Gateway counts frames only.
        return open_socket(url if protocols is None else address, subprotocols=protocols, origin=Origin(origin) if origin else None,
                           proxy=None if local else True, open_timeout=ANSWER_SECONDS, close_timeout=2, ping_interval=None, max_size=1 << 20)
    except InvalidStatus as refused:
        status = refused.response.status_code
        raise Lost(f"the socket is refused with status {status}", status=status) from None
    except (OSError, WebSocketException) as trouble:
        raise Lost(f"no connection: {trouble}") from None


class Tail:
    def __init__(self, wanted: Wanted, tickets: Callable[[], str], show: Callable[[Frame | Missed], None], opener: Callable[[str], Socket] = connect,
                 now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self.channel = Channel(wanted.channel, wanted.after, now)
        self._wanted, self._tickets, self._show, self._open, self._now, self._sleep = wanted, tickets, show, opener, now, sleep
        self._left = wanted.count
        self._until = now() + wanted.seconds if wanted.seconds else None
        self._connected_once = False

    def run(self) -> None:
        """Follows the channel until what was wanted has come, or without end; reconnects after each failure that may pass."""
        failures = 0
        while True:
            try:
                self._follow()
            except Ended:
                if self._left:
                    came = self._wanted.count - self._left
                    raise Failed(f"{came} of {self._wanted.count} messages came within {self._wanted.seconds:g} s.", "TIMED_OUT") from None
                return
            except Lost as lost:
                failures = 0 if self._is_welcome else failures + 1
                if not self._connected_once and failures >= FIRST_TRIES:
                    raise Failed(f"tail {self._wanted.channel}: {lost}.", "UNREACHABLE") from None
                # Full jitter: clients that lost their sockets together do not come back together.
                wait = lost.seconds or random.uniform(0, min(MAX_WAIT_SECONDS, 2 ** failures))
                error(f"  {printable(str(lost))}: connecting again in {wait:.1f} s")
                self._sleep(self._within(wait))

    def place(self) -> str:
        """How to continue from here, if messages have been followed."""
        mark = self.channel.mark
        return f"--after {mark.epoch}:{mark.offset} continues from here." if mark and self._connected_once else ""

    def _within(self, seconds: float) -> float:
        return seconds if self._until is None else max(0.0, min(seconds, self._until - self._now()))

    def _end_if_over(self) -> None:
        if self._until is not None and self._now() >= self._until:
            raise Ended

    def _follow(self) -> None:
        """One socket, from its ticket to its end."""
        self._is_welcome = False
        self._end_if_over()
        socket = self._open(self._tickets())
        try:
            self._hello(socket)
            self._is_welcome = self._connected_once = True
            mark = self.channel.mark
            error(f"  following {self._wanted.channel}{f' after {mark.epoch}:{mark.offset}' if mark else ''}")
            self._listen(socket)
        finally:
            socket.close()

    def _hello(self, socket: Socket) -> None:
        mark = self.channel.mark
        marks = [{"channel": self._wanted.channel, "epoch": mark.epoch, "offset": mark.offset}] if mark else []
        refusals: list[Frame] = []
        self._say(socket, action="hello", channels=marks)
        welcome = self._await(socket, ("welcome",), refusals)
        if self._wanted.channel in [place["channel"] for place in welcome["channels"]]:
            return
        if refusals:
            raise self._refusal(refusals[-1])
        if not self._wanted.channel.startswith("topic:"):
            own = ", ".join(str(place["channel"]) for place in welcome["channels"])
            raise Refused(f"{self._wanted.channel} is not this user's: a user may follow {own} and topics.", "FORBIDDEN")
        self._say(socket, action="subscribe", topic=self._wanted.channel.removeprefix("topic:"))
        self._await(socket, ("subscribed", "error"), refusals)
        if refusals:
            raise self._refusal(refusals[-1])

    def _refusal(self, frame: Frame) -> Refused | Lost:
        if frame["code"] == "UNAVAILABLE":
            return Lost(f"{self._wanted.channel} cannot be followed now: {frame['detail']}")
        return Refused(f"{self._wanted.channel}: {printable(frame['detail'])} ({frame['code']})", str(frame["code"]))

    def _listen(self, socket: Socket) -> None:
        ends, ping = self._now() + random.uniform(*LIFE_SECONDS), self._now() + PING_SECONDS
        pong_until: float | None = None
        while self._now() < ends:
            frame = self._receive(socket, 1)
            if frame is not None and frame.get("type") == "pong":
                pong_until = None
            self._end_if_over()
            if self.channel.should_say_hello() and self.channel.mark:
                self._say(socket, action="hello", channels=[{"channel": self._wanted.channel, **self.channel.mark._asdict()}])
            if pong_until is not None and self._now() > pong_until:
                raise Lost("the connection is dead: a ping was not answered")
            if self._now() >= ping:
                self._say(socket, action="ping")
                ping, pong_until = self._now() + PING_SECONDS, self._now() + ANSWER_SECONDS
        raise Lost("a socket lives for two hours at most: a new one takes its place", 0.01)

    def _say(self, socket: Socket, **frame: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            socket.send(json.dumps(frame))
        except ConnectionClosed as closed:
            raise Lost(f"the connection was closed ({closed})") from None

    def _await(self, socket: Socket, kinds: tuple[str, ...], refusals: list[Frame]) -> Frame:
        """The next frame of one of the kinds; `refusals` gets the errors that come before it."""
        until = self._now() + ANSWER_SECONDS
        while self._now() < until:
            frame = self._receive(socket, max(0.01, until - self._now()))
            if frame is not None and frame.get("type") == "error":
                refusals.append(frame)
            if frame is not None and frame.get("type") in kinds:
                return frame
        raise Lost(f"no {' or '.join(kinds)} within {ANSWER_SECONDS} s")

    def _receive(self, socket: Socket, seconds: float) -> Frame | None:
        """A frame, after what it lets through has been shown; None when none came in time."""
        from websockets.exceptions import ConnectionClosed

        try:
            frame: Any = json.loads(socket.recv(timeout=self._within(seconds)))
        except TimeoutError:
            return None
        except ConnectionClosed as closed:
            raise Lost(f"the connection was closed ({closed})") from None
        except ValueError:
            return None
        if not isinstance(frame, dict):
            return None
        found: Frame = frame  # pyright: ignore[reportUnknownVariableType]
        if found.get("type") == "bye":
            self._bye(found)
        for one in self.channel.hear(found):
            self._show(one)
            if not isinstance(one, Missed) and self._left:
                self._left -= 1
                if not self._left:
                    raise Ended
        return found

    def _bye(self, frame: Frame) -> None:
        code, why = str(frame.get("code")), printable(str(frame.get("reason") or ""))
        if not frame.get("reconnect"):
            raise Failed(f"Holdfast closed the socket for good: {why} ({code}). Sign in again. {self.place()}".rstrip(), code)
        raise Lost(f"Holdfast closes the socket: {why} ({code})", RATE_LIMITED_SECONDS if code == "RATE_LIMITED" else 0)


def shown(one: Frame | Missed) -> None:
    if isinstance(one, Missed):
        if wants_json():
            answer({"type": "missed", "since": one.since._asdict(), "now": one.now._asdict()}, compact=True)
        error(f"  Messages after {one.since.epoch}:{one.since.offset} may be missing: continuing from {one.now.epoch}:{one.now.offset}.")
    elif wants_json():
        answer(one, compact=True)
    else:
        place = f"{one['epoch']}:{one['offset']}" if "offset" in one else "ephemeral"
        line(printable(f"{one.get('sentAt')}  {place}  {one.get('kind')}  {json.dumps(one.get('data'), ensure_ascii=False, separators=(',', ':'))}"))


def tail(settings: Settings, wanted: Wanted) -> None:
    place = deployment.find(settings)
    tickets = Tickets(f"{place.http_url}/v1/push/tickets", prompts.access_token())
    with Slow("connecting"):
        # Before anything is followed: a token that is not accepted, or an API that does not answer, ends it at once.
        first: list[str] = [_first(tickets)]
    following = Tail(wanted, lambda: first.pop() if first else tickets.next(), shown)
    try:
        following.run()
    except KeyboardInterrupt:
        error(f"  stopped. {following.place()}".rstrip())
    except Refused as refused:
        raise Refused(f"{refused} {following.place()}".rstrip(), refused.code, **refused.more) from None


def _first(tickets: Tickets) -> str:
    try:
        return tickets.next()
    except Lost as lost:
        raise Failed(f"{lost}.", "UNREACHABLE") from None
