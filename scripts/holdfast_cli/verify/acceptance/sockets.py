"""Checks of sockets: handshakes, their end, and `@connections`."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress

from holdfast_cli.core.errors import Failed
from holdfast_cli.operate import tail
from holdfast_cli.operate.tail import Lost, Socket
from holdfast_cli.verify.acceptance.check import (
    FOREIGN_ORIGIN,
    PATIENCE_SECONDS,
    Deployed,
    Session,
    answer_of,
    expect,
    figures,
    frame_of,
    insist,
    message_of,
)

# What API Gateway allows: seconds without a frame, seconds in all, bytes of a post.
IDLE_SECONDS, AGE_SECONDS, POST_BYTES = 600, 7_200, 128 * 1024
_LIMIT = f"more than {POST_BYTES} bytes should get 413, and nothing else. If API Gateway has another limit, compare MAX_DATA_BYTES with it"
# How much later than its limit API Gateway may close a socket.
SLACK_SECONDS = 120
PING_SECONDS = 240
# What clients wait at most before they send a keep-alive, and how long none may be answered.
KEEP_ALIVE_SECONDS, QUIET_SECONDS = 580, 3
# The time-out of a call of `@connections` in the functions.
POST_SECONDS = 3
# How many sessions end at a time; one more ends them.
AT_A_TIME = 4


@contextmanager
def _two(deployed: Deployed) -> Generator[tuple[Session, Socket, str]]:
    """A session, its socket, and the id of the connection."""
    session = deployed.sign_in()
    with deployed.socket(session) as socket:
        yield session, socket, str(answer_of(socket, "welcome", action="hello")["connectionId"])


def _refused(deployed: Deployed, url: str, what: str, origin: str | None = None) -> None:
    try:
        tail.connect(url, True, origin).close()
    except Lost as lost:
        insist(lost.status in (401, 403), f"{what} was not refused with 401 or 403: {lost}")
        return
    raise Failed(f"{what} was accepted")


def in_query(deployed: Deployed) -> str:
    session = deployed.sign_in()
    url = deployed.ticket(session)
    with closing(tail.connect(url, True)) as socket:
        answer_of(socket, "pong", action="ping")
        number = deployed.publish({"n": 1})
        insist(message_of(socket, number)["data"] == {"n": 1}, "the message arrived with other data")
        _refused(deployed, url, "a used ticket")
    _refused(deployed, url.split("?")[0], "a handshake without a ticket")
    return "a ticket opens one socket, a message arrives; a used ticket and none are refused"


def in_subprotocol(deployed: Deployed) -> str:
    with deployed.socket(deployed.sign_in(), in_query=False) as socket:
        answer_of(socket, "pong", action="ping")
        chosen = socket.subprotocol
    if deployed.settings.on_local_cloud:
        return "the ticket is accepted; the local cloud does not answer with the chosen protocol, which browsers insist on"
    insist(chosen == "holdfast.v1", f"the sub-protocol {chosen} was chosen, not holdfast.v1")
    return "the ticket is accepted, and holdfast.v1 is chosen"


def origin(deployed: Deployed) -> str:
    session, allowed = deployed.sign_in(), deployed.origins()[0]
    with closing(tail.connect(deployed.ticket(session), True, allowed)) as socket:
        answer_of(socket, "pong", action="ping")
    _refused(deployed, deployed.ticket(session), f"a handshake from {FOREIGN_ORIGIN}", FOREIGN_ORIGIN)
    return f"{allowed} is accepted, {FOREIGN_ORIGIN} is refused"


def until_closed(socket: Socket, seconds: float) -> float | None:
    """The seconds until the other side closes the socket; None if it is open after so many."""
    from websockets.exceptions import ConnectionClosed

    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        try:
            socket.recv(timeout=left)
        except TimeoutError:
            break
        except ConnectionClosed:
            return time.monotonic() - began
    return None


def closed_after(socket: Socket, seconds: float) -> float:
    """The same of a socket that has to be closed by then."""
    took = until_closed(socket, seconds)
    if took is None:
        raise Failed(f"the socket was not closed within {seconds:g} s")
    return took


def revoked(deployed: Deployed) -> str:
    # A p99 needs a hundred. The speed of the local cloud says nothing about AWS, so a few are enough there.
    rounds, took = 3 if deployed.settings.on_local_cloud else 25, list[float]()
    stays = deployed.sign_in()
    for _ in range(rounds):
        sessions = [deployed.sign_in() for _ in range(AT_A_TIME)]
        for session in sessions:
            with deployed.socket(session) as socket:
                answer_of(socket, "pong", action="ping")
                expect(deployed.as_user("DELETE", f"/v1/sessions/{session.id}", stays), 200, "the revocation")
                ended = time.monotonic()
                bye = frame_of(socket, lambda frame: frame.get("type") == "bye", "bye")
                insist((bye["code"], bye["reconnect"]) == ("SESSION_ENDED", False), f"the bye was {bye['code']}, reconnect {bye['reconnect']}")
                closed_after(socket, PATIENCE_SECONDS)
                took.append((time.monotonic() - ended) * 1000)
    return f"from the answer of the revocation until the close: {figures(took)}"


def idle(deployed: Deployed) -> str:
    with deployed.socket(deployed.sign_in()) as socket:
        answer_of(socket, "pong", action="ping")
        took = closed_after(socket, IDLE_SECONDS + SLACK_SECONDS)
    insist(took >= IDLE_SECONDS - 1, f"an idle socket was closed after {took:.0f} s, before its {IDLE_SECONDS} s: look for a proxy on the way, or "
                                     "have clients send keep-alives sooner (KEEP_ALIVE_MS, clients/javascript/src/client.js)")
    return f"closed after {took:.0f} idle seconds"


def keep_alive(deployed: Deployed) -> str:
    with deployed.socket(deployed.sign_in()) as socket:
        socket.send(json.dumps({"action": "keepalive"}))
        answer_of(socket, "pong", action="ping")
        socket.send(json.dumps({"action": "keepalive"}))
        try:
            answer = frame_of(socket, lambda _: True, "frame", QUIET_SECONDS)
        except Failed:
            answer = None
        insist(answer is None, f"a keep-alive was answered with {answer}: compare the route of API Gateway with infra/modules/websocket-api")
        answer_of(socket, "pong", action="ping")
    return f"no frame came within {QUIET_SECONDS} s, and the socket still answers"


def kept_open(deployed: Deployed) -> str:
    """Each of two sockets has one kind of traffic for twice as long as API Gateway keeps an idle one."""
    api = deployed.sockets_api
    with _two(deployed) as (_, posted, connection), deployed.socket(deployed.sign_in()) as quiet:
        answer_of(quiet, "pong", action="ping")
        for _ in range(2):
            time.sleep(KEEP_ALIVE_SECONDS)
            api.post_to_connection(ConnectionId=connection, Data=json.dumps({"type": "verify"}).encode())
            quiet.send(json.dumps({"action": "keepalive"}))
        for socket, what in ((posted, "posts"), (quiet, "keep-alives")):
            insist(until_closed(socket, SLACK_SECONDS / 2) is None,
                   f"{what} alone do not keep a socket open: have clients count only what they send, or ping (KEEP_ALIVE_MS, "
                   "clients/javascript/src/client.js)")
    return f"after {2 * KEEP_ALIVE_SECONDS} s with posts only, and with keep-alives only, both are open"


def age(deployed: Deployed) -> str:
    from websockets.exceptions import ConnectionClosed

    with deployed.socket(deployed.sign_in()) as socket:
        began = time.monotonic()
        while time.monotonic() - began < AGE_SECONDS + SLACK_SECONDS:
            # It may have been closed since the last wait, so the ping counts as part of this one.
            with suppress(ConnectionClosed):
                socket.send(json.dumps({"action": "ping"}))
            if until_closed(socket, PING_SECONDS) is not None:
                lived = time.monotonic() - began
                insist(lived >= AGE_SECONDS - SLACK_SECONDS, f"the socket was closed after {lived:.0f} s, before its {AGE_SECONDS} s: look for "
                                                             "a proxy on the way, or have clients renew it earlier (RENEW_MS)")
                return f"closed after {lived:.0f} s"
    raise Failed(f"the socket was still open after {AGE_SECONDS + SLACK_SECONDS} s: the limit of API Gateway is another one. Change RENEW_MS "
                 "(clients/javascript/src/client.js) and AGE_SECONDS")


def closed_is_410(deployed: Deployed) -> str:
    api = deployed.sockets_api
    with _two(deployed) as (_, socket, connection):
        api.post_to_connection(ConnectionId=connection, Data=json.dumps({"type": "verify"}).encode())
        frame_of(socket, lambda frame: frame.get("type") == "verify", "frame of @connections")
    began = time.monotonic()
    while time.monotonic() < began + PATIENCE_SECONDS:
        try:
            api.post_to_connection(ConnectionId=connection, Data=b"{}")
        except api.exceptions.GoneException:
            return f"a post reaches an open socket, and gets 410 {time.monotonic() - began:.1f} s after its close"
        time.sleep(0.2)
    raise Failed(f"posts to a closed socket were still accepted after {PATIENCE_SECONDS} s")


def post_sizes(deployed: Deployed) -> str:
    from botocore.exceptions import ClientError

    with _two(deployed) as (_, socket, connection):
        for size in (POST_BYTES, POST_BYTES + 1):
            start = '{"type":"verify","fill":"'
            data = f'{start}{"x" * (size - len(start) - 2)}"}}'.encode()
            try:
                deployed.sockets_api.post_to_connection(ConnectionId=connection, Data=data)
            except ClientError as refused:
                status = refused.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
                insist((size, status) == (POST_BYTES + 1, 413), f"a post of {size} bytes was refused with {status}: {_LIMIT}")
                continue
            insist(size == POST_BYTES, f"a post of {size} bytes was accepted: {_LIMIT}")
            frame_of(socket, lambda frame: frame.get("type") == "verify", f"frame of {size} bytes")
    return f"{POST_BYTES} bytes arrive, one byte more gets 413"


def post_times(deployed: Deployed) -> str:
    took: list[float] = []
    with _two(deployed) as (_, socket, connection):
        for number in range(100):
            began = time.monotonic()
            deployed.sockets_api.post_to_connection(ConnectionId=connection, Data=json.dumps({"type": "verify", "n": number}).encode())
            took.append((time.monotonic() - began) * 1000)
            frame_of(socket, lambda frame, number=number: frame.get("n") == number, "frame of @connections")
    # The speed of the local cloud says nothing about AWS.
    insist(deployed.settings.on_local_cloud or max(took) < POST_SECONDS * 1000,
           f"a post took {max(took):.0f} ms, and the functions wait {POST_SECONDS} s for one")
    return f"posts from here: {figures(took)}; the functions wait {POST_SECONDS} s for one"
