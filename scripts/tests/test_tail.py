"""`holdfast tail`: order, repeats and gaps of a channel, and coming back after every way in which a socket can end."""

import contextlib
import io
import json
import threading
import unittest
from unittest import mock

from fakes import Scripted, called, deployed
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.http11 import Response
from websockets.sync.server import serve

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.operate import prompts, tail
from holdfast_cli.operate.channel import Channel, Mark, Missed, Seen

NAME = "user:u1"


def message(offset, epoch="E", channel=NAME, **more):
    return {"type": "message", "id": f"{epoch}{offset}", "channel": channel, "epoch": epoch, "offset": offset, "kind": "note", "data": offset, "sentAt": "t", **more}


def welcome(offset=0, epoch="E", recovered=False, channel=NAME):
    return {"type": "welcome", "connectionId": "c", "channels": [{"channel": channel, "epoch": epoch, "offset": offset, "recovered": recovered},
                                                                 {"channel": "broadcast", "epoch": "B", "offset": 9, "recovered": False}]}


class Channels(unittest.TestCase):
    def setUp(self):
        self.clock = [100.0]

    def heard(self, channel, *frames):
        return [one if isinstance(one, Missed) else one["data"] for frame in frames for one in channel.hear(frame)]

    def channel(self, mark=None, name=NAME):
        return Channel(name, mark, lambda: self.clock[0])

    def test_messages_come_once_and_in_order(self):
        channel = self.channel()
        self.assertEqual(self.heard(channel, welcome(3), message(4), message(6), message(4), message(5), message(6), message(3)), [4, 5, 6])
        self.assertEqual(channel.mark, Mark("E", 6))

    def test_a_message_before_the_welcome_waits_for_it(self):
        self.assertEqual(self.heard(self.channel(), message(4), message(3), welcome(3)), [4])

    def test_a_welcome_that_recovers_moves_no_mark(self):
        channel = self.channel(Mark("E", 3))
        self.assertEqual(self.heard(channel, welcome(6, recovered=True)), [])
        self.assertEqual(channel.mark, Mark("E", 3))
        self.assertEqual(self.heard(channel, message(5), message(4), message(6)), [4, 5, 6])

    def test_what_cannot_be_recovered_is_said(self):
        channel = self.channel(Mark("E", 3))
        self.assertEqual(self.heard(channel, welcome(1, "F"), message(2, "F")), [Missed(Mark("E", 3), Mark("F", 1)), 2])

    def test_another_channel_is_not_followed(self):
        channel = self.channel()
        self.assertEqual(self.heard(channel, welcome(0), message(10, "B", "broadcast"), {"type": "new kind"}, {"type": "error", "code": "X"}), [])

    def test_ephemeral_messages_have_their_id_only(self):
        one = {name: value for name, value in message(7).items() if name not in ("offset", "epoch")}
        self.assertEqual(self.heard(self.channel(), one, one), [7])

    def test_a_gap_that_stays_needs_a_hello_and_one_that_closes_does_not(self):
        channel = self.channel()
        self.heard(channel, welcome(0), message(2))
        self.assertFalse(channel.should_say_hello())
        self.clock[0] += 4
        self.assertTrue(channel.should_say_hello())
        self.assertFalse(channel.should_say_hello(), "once")
        self.heard(channel, message(1), message(4), message(3))
        self.clock[0] += 4
        self.assertFalse(channel.should_say_hello())

    def test_a_head_that_is_ahead_is_a_gap_and_one_behind_is_old(self):
        for offset, gap in ((5, True), (3, False), (2, False)):
            channel = self.channel(Mark("E", 3))
            self.heard(channel, {"type": "pong", "channels": [{"channel": NAME, "epoch": "E", "offset": offset}]})
            self.clock[0] += 4
            self.assertEqual(channel.should_say_hello(), gap, offset)

    def test_ids_are_forgotten_in_their_order(self):
        seen = Seen(2)
        self.assertEqual([seen.is_new(one) for one in ("a", "b", "a", "c", "a")], [True, True, False, True, True])


class Socket:
    """Gives frames one after the other; an exception among them is raised."""

    def __init__(self, *frames):
        self.frames, self.sent, self.closed = list(frames), [], False

    def send(self, text):
        self.sent.append(json.loads(text))

    def recv(self, timeout=None):
        frame = self.frames.pop(0) if self.frames else TimeoutError()
        if isinstance(frame, BaseException):
            raise frame
        return json.dumps(frame) if isinstance(frame, dict) else frame

    def close(self):
        self.closed = True


CUT = ConnectionClosedError(None, None)


class Following(unittest.TestCase):
    def follow(self, *sockets, channel=NAME, after=None, count=0, tickets=None, seconds=0):
        self.shown, self.waits, self.clock = [], [], [0.0]
        left = list(sockets)

        def opened(_):
            one = left.pop(0)
            if isinstance(one, BaseException):
                raise one
            return one

        def now():
            self.clock[0] += 0.5
            return self.clock[0]

        wanted = tail.Wanted(channel, after, count, seconds)
        following = tail.Tail(wanted, tickets or (lambda: "ws://x"), self.shown.append, opened, now, self.waits.append)
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                following.run()
            finally:
                self.err = err.getvalue()
        return [one if isinstance(one, Missed) else one["data"] for one in self.shown]

    def test_it_says_hello_and_shows_what_comes(self):
        socket = Socket(welcome(3), message(4), message(5))
        self.assertEqual(self.follow(socket, count=2), [4, 5])
        self.assertEqual((socket.sent, socket.closed), ([{"action": "hello", "channels": []}], True))

    def test_a_cut_is_recovered_from_the_mark(self):
        first, second = Socket(welcome(3), message(4), CUT), Socket(welcome(6, recovered=True), message(5), message(6))
        self.assertEqual(self.follow(first, second, count=3), [4, 5, 6])
        self.assertEqual(second.sent, [{"action": "hello", "channels": [{"channel": NAME, "epoch": "E", "offset": 4}]}])
        self.assertTrue(first.closed)

    def test_what_is_lost_for_good_is_said(self):
        found = self.follow(Socket(welcome(3), CUT), Socket(welcome(1, "F"), message(2, "F")), count=1)
        self.assertEqual(found, [Missed(Mark("E", 3), Mark("F", 1)), 2])

    def test_it_begins_after_a_given_place(self):
        socket = Socket(welcome(8, recovered=True), message(8))
        self.assertEqual(self.follow(socket, after=Mark("E", 7), count=1), [8])
        self.assertEqual(socket.sent[0]["channels"], [{"channel": NAME, "epoch": "E", "offset": 7}])

    def test_a_topic_is_subscribed_once_and_then_kept_by_hello(self):
        topic = "topic:news"
        first = Socket(welcome(), {"type": "subscribed", "channel": topic, "epoch": "T", "offset": 1}, message(2, "T", topic), CUT)
        second = Socket(welcome(3, "T", True, topic), message(3, "T", topic))
        self.assertEqual(self.follow(first, second, channel=topic, count=2), [2, 3])
        self.assertEqual([frame["action"] for frame in first.sent + second.sent], ["hello", "subscribe", "hello"])

    def test_a_topic_that_is_denied_is_refused(self):
        denied = {"type": "error", "code": "FORBIDDEN", "detail": "No."}
        with self.assertRaisesRegex(Refused, "No. .FORBIDDEN."):
            self.follow(Socket(welcome(), denied), channel="topic:news")
        with self.assertRaisesRegex(Refused, "FORBIDDEN"):
            self.follow(Socket(denied, welcome()), channel="topic:news", after=Mark("T", 1))

    def test_a_topic_that_nobody_can_decide_on_now_is_asked_for_again(self):
        unavailable = {"type": "error", "code": "UNAVAILABLE", "detail": "Later."}
        done = Socket(welcome(), {"type": "subscribed", "channel": "topic:n", "epoch": "T", "offset": 0}, message(1, "T", "topic:n"))
        self.assertEqual(self.follow(Socket(welcome(), unavailable), done, channel="topic:n", count=1), [1])

    def test_another_users_channel_is_refused_and_named(self):
        with self.assertRaisesRegex(Refused, "a user may follow user:u1, broadcast and topics"):
            self.follow(Socket(welcome()), channel="user:u2")

    def test_a_bye_for_good_ends_it_and_says_how_to_go_on(self):
        bye = {"type": "bye", "code": "SESSION_ENDED", "reason": "signed out", "reconnect": False}
        with self.assertRaisesRegex(Failed, r"signed out .SESSION_ENDED.*--after E:3 continues") as caught:
            self.follow(Socket(welcome(3), bye))
        self.assertEqual(caught.exception.code, "SESSION_ENDED")

    def test_who_was_too_fast_waits_a_minute_and_others_a_random_while(self):
        def bye(code):
            return Socket(welcome(3), {"type": "bye", "code": code, "reason": "r", "reconnect": True})

        self.follow(bye("RATE_LIMITED"), bye("SHUTDOWN"), Socket(welcome(4, recovered=True), message(4)), count=1)
        self.assertEqual(self.waits[0], 60)
        self.assertLessEqual(self.waits[1], 1)

    def test_a_first_connection_that_does_not_come_ends_it_and_a_later_one_does_not(self):
        gone = tail.Lost("no connection")
        with self.assertRaisesRegex(Failed, "no connection"):
            self.follow(*[gone] * 3)
        self.assertEqual(self.follow(Socket(welcome(3), CUT), *[gone] * 9, Socket(welcome(4, recovered=True), message(4)), count=1), [4])
        self.assertLessEqual(max(self.waits), tail.MAX_WAIT_SECONDS)

    def test_a_ping_without_an_answer_is_a_dead_socket(self):
        dead, alive = Socket(welcome(3)), Socket(welcome(4, recovered=True), message(4))
        self.assertEqual(self.follow(dead, alive, count=1), [4])
        self.assertEqual([frame["action"] for frame in dead.sent], ["hello", "ping"])
        self.assertIn("a ping was not answered", self.err)

    def test_a_socket_is_replaced_before_api_gateway_ends_it(self):
        class Lively(Socket):
            def recv(self, timeout=None):
                if self.frames:
                    return super().recv()
                if self.sent[-1]["action"] == "ping":
                    return json.dumps({"type": "pong", "channels": []})
                raise TimeoutError

        self.assertEqual(self.follow(Lively(welcome(3)), Socket(welcome(4, recovered=True), message(4)), count=1), [4])
        self.assertIn("two hours", self.err)

    def test_text_that_is_no_frame_changes_nothing(self):
        self.assertEqual(self.follow(Socket("no json", "[1]", welcome(3), "no json", message(4)), count=1), [4])

    def test_the_time_ends_it_and_too_few_messages_fail_it(self):
        self.assertEqual(self.follow(Socket(welcome(3), message(4)), seconds=30), [4])
        with self.assertRaisesRegex(Failed, "1 of 2 messages came within 30 s"):
            self.follow(Socket(welcome(3), message(4)), seconds=30, count=2)


class Tickets(unittest.TestCase):
    MADE = 201, {}, b'{"ticket":"t","url":"ws://x?ticket=t"}'

    def test_a_ticket_is_asked_for_with_the_token(self):
        with Scripted(self.MADE) as api:
            self.assertEqual(tail.Tickets(f"http://127.0.0.1:{api.port}/v1/push/tickets", "a-token").next(), "ws://x?ticket=t")
        self.assertEqual(api.asked[0][2]["Authorization"], "Bearer a-token")

    def test_another_token_is_asked_for_at_a_terminal_and_refused_elsewhere(self):
        with Scripted((401, {}, b"{}"), self.MADE) as api, mock.patch.object(prompts, "is_terminal", lambda: True), \
                mock.patch.object(prompts.typer, "prompt", lambda *_, **__: " another "):
            tail.Tickets(f"http://127.0.0.1:{api.port}/", "old").next()
        self.assertEqual([headers["Authorization"] for _, _, headers, _ in api.asked], ["Bearer old", "Bearer another"])
        with Scripted((401, {}, b"{}")) as api, deployed(api.port) as settings:
            code, out, _ = called(["tail", "broadcast", "--json"], settings, HOLDFAST_ACCESS_TOKEN="old")
        self.assertEqual((code, json.loads(out)["error"]["code"]), (2, "UNAUTHENTICATED"))

    def test_a_route_that_cannot_serve_is_tried_later_and_one_that_refuses_is_not(self):
        with Scripted((429, {"Retry-After": "7"}, b'{"code":"TOO_MANY_ATTEMPTS"}')) as api, self.assertRaises(tail.Lost) as caught:
            tail.Tickets(f"http://127.0.0.1:{api.port}/", "t").next()
        self.assertEqual(caught.exception.seconds, 7)
        with Scripted((403, {}, b'{"code":"FORBIDDEN","detail":"no"}')) as api, self.assertRaises(Refused):
            tail.Tickets(f"http://127.0.0.1:{api.port}/", "t").next()

    def test_without_a_token_it_says_where_it_is_taken_from(self):
        with Scripted(self.MADE) as api, deployed(api.port) as settings:
            code, _, err = called(["tail", "broadcast"], settings, HOLDFAST_ACCESS_TOKEN="")
        self.assertEqual((code, api.asked), (2, []))
        self.assertIn("HOLDFAST_ACCESS_TOKEN", err)


class Sockets(unittest.TestCase):
    """The library's own server in Holdfast's place."""

    @contextlib.contextmanager
    def server(self, serves, **options):
        with serve(serves, "127.0.0.1", 0, **options) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield server.socket.getsockname()[1]
            server.shutdown()

    def test_the_whole_verb_shows_a_message_as_one_line_of_json(self):
        def serves(socket):
            self.assertEqual(json.loads(socket.recv()), {"action": "hello", "channels": []})
            socket.send(json.dumps(welcome(3)))
            socket.send(json.dumps(message(4, data={"ä": "\x1b"})))
            with contextlib.suppress(ConnectionClosed):
                socket.recv()

        with self.server(serves) as port:
            ticket = 201, {}, json.dumps({"ticket": "t", "url": f"ws://127.0.0.1:{port}/v1?ticket=t"}).encode()
            for words in (["--json"], []):
                with Scripted(ticket) as api, deployed(api.port) as settings:
                    code, out, err = called(["tail", NAME, "--count", "1", *words], settings, HOLDFAST_ACCESS_TOKEN="a-token")
                self.assertEqual((code, out.count("\n")), (0, 1), err)
                self.assertNotIn("\x1b", out)
        self.assertIn('E:4  note  {"ä":"\\u001b"}', out)

    def test_a_token_that_expires_meanwhile_ends_it_with_the_place(self):
        def serves(socket):
            socket.recv()
            socket.send(json.dumps(welcome(3)))

        with self.server(serves) as port:
            ticket = 201, {}, json.dumps({"ticket": "t", "url": f"ws://127.0.0.1:{port}/v1?ticket=t"}).encode()
            with Scripted(ticket, (401, {}, b"{}")) as api, deployed(api.port) as settings:
                code, out, _ = called(["tail", NAME, "--json"], settings, HOLDFAST_ACCESS_TOKEN="a-token")
        found = json.loads(out)["error"]
        self.assertEqual((code, found["code"]), (2, "UNAUTHENTICATED"))
        self.assertIn("--after E:3 continues from here", found["detail"])

    def test_a_socket_that_is_refused_is_told_with_its_status(self):
        def refuses(*_):
            return Response(403, "Forbidden", Headers(), b"")

        with self.server(lambda _: None, process_request=refuses) as port, self.assertRaisesRegex(tail.Lost, "status 403"):
            tail.connect(f"ws://127.0.0.1:{port}/v1?ticket=t")

    def test_nobody_who_listens_is_lost_in_one_line(self):
        with self.server(lambda _: None) as port:
            pass
        with self.assertRaisesRegex(tail.Lost, "no connection"):
            tail.connect(f"ws://127.0.0.1:{port}/")

    def test_on_aws_the_ticket_is_a_subprotocol_and_in_no_address(self):
        with mock.patch("websockets.sync.client.connect") as opened:
            tail.connect("wss://x.execute-api.us-east-1.amazonaws.com/v1?ticket=secret")
        (address,), options = opened.call_args
        self.assertEqual((address, options["subprotocols"]), ("wss://x.execute-api.us-east-1.amazonaws.com/v1", ["holdfast.v1", "ticket.secret"]))


class Words(unittest.TestCase):
    def test_what_is_no_channel_and_no_place_is_refused(self):
        for name in ("everything", "user:", "topic:", "queue:x"):
            with self.assertRaises(Refused):
                tail.channel_name(name)
        for text in ("E", "E:", ":3", "E:x"):
            with self.assertRaises(Refused):
                tail.mark_of(text)
        self.assertEqual((tail.mark_of("E:3"), tail.mark_of("")), (Mark("E", 3), None))


if __name__ == "__main__":
    unittest.main()
