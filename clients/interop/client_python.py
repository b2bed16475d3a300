"""A client of the protocol in docs/websocket.md, made with the library `websockets` and nothing of Holdfast's. See path.py."""

import asyncio
import json
import os
import sys
import urllib.request

import websockets

BASE = os.environ["HOLDFAST_HTTP_URL"].rstrip("/")
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def say(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def post(path, body=None, token=None):
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    with OPEN.open(urllib.request.Request(BASE + path, data=data, headers=headers, method="POST"), timeout=30) as answer:
        return json.load(answer)


class Client:
    def __init__(self):
        self.token = None
        self.socket = None
        self.marks = {}
        self.held = {}
        self.ids = set()

    def join(self, person):
        post("/v1/users", person)
        signed_in = post("/v1/auth/login", {**person, "deviceName": "python websockets"})
        self.token = signed_in["tokens"]["accessToken"]
        say(did="join", session=signed_in["session"], token=self.token)

    def resume(self, token, marks):
        self.token = token
        self.marks = {mark["channel"]: (mark["epoch"], mark["offset"]) for mark in marks}
        say(did="resume")

    async def connect(self):
        ticket = await asyncio.to_thread(post, "/v1/push/tickets", None, self.token)
        self.socket = await websockets.connect(ticket["url"], proxy=None)
        asyncio.create_task(self.read(self.socket))
        marks = [{"channel": name, "epoch": epoch, "offset": offset} for name, (epoch, offset) in self.marks.items()]
        await self.send({"action": "hello", "channels": marks})
        say(did="connect")

    async def send(self, frame):
        await self.socket.send(json.dumps(frame))

    async def read(self, socket):
        try:
            async for text in socket:
                frame = json.loads(text)
                say(frame=frame)
                self.hear(frame)
        except websockets.ConnectionClosed:
            pass
        say(closed=socket.close_code)

    def hear(self, frame):
        if frame["type"] == "message":
            self.message(frame)
        elif frame["type"] == "subscribed":
            self.begin(frame)
        elif frame["type"] == "welcome":
            for channel in frame["channels"]:
                # Everything follows: the messages move the mark, the welcome does not.
                if not channel["recovered"]:
                    say(reload=channel)
                    self.begin(channel)

    def begin(self, place):
        self.marks[place["channel"]] = (place["epoch"], place["offset"])
        self.hand_over(place["channel"])

    def message(self, frame):
        if "offset" not in frame:
            self.hand(frame)
            return
        self.held.setdefault(frame["channel"], {})[(frame["epoch"], frame["offset"])] = frame
        self.hand_over(frame["channel"])

    def hand_over(self, name):
        """What is next in the channel, as long as it is there."""
        held = self.held.get(name, {})
        while name in self.marks:
            epoch, offset = self.marks[name]
            frame = held.pop((epoch, offset + 1), None)
            if frame is None:
                break
            self.marks[name] = (epoch, offset + 1)
            self.hand(frame)
        say(marks=[{"channel": name, "epoch": epoch, "offset": offset} for name, (epoch, offset) in self.marks.items()])

    def hand(self, frame):
        if frame["id"] not in self.ids:
            self.ids.add(frame["id"])
            say(handed=frame)

    async def do(self, do, **more):
        if do == "join":
            await asyncio.to_thread(self.join, **more)
        elif do == "resume":
            self.resume(**more)
        elif do == "connect":
            await self.connect()
        elif do == "malformed":
            await self.socket.send("this is no JSON")
        else:
            await self.send({"action": do, **more})


async def main():
    client = Client()
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            await client.do(**json.loads(line))
        except Exception as error:  # Whatever it is, whoever gave the command wants to know.
            say(failed=repr(error))


asyncio.run(main())
