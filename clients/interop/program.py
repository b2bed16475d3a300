"""A client program: told what to do by lines of JSON on its input, telling what it sees by lines of JSON on its output."""

import json
import os
import queue
import signal
import subprocess
import threading
import time

from api import Fault

# For one answer: a push takes a queue, a function's start and a post, on a machine that may be busy.
PATIENCE_SECONDS = 30


def end_group(leader):
    """Kills a process and what it has started, at once."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Program:
    def __init__(self, name, command, environment):
        self.name = name
        self._events = queue.Queue()
        self.seen = []
        self.marks = None
        # A session of its own: it can be killed with everything that it has started.
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for text in self._process.stdout:
            self._events.put(json.loads(text))
        self._events.put({"ended": True})

    def tell(self, do, **more):
        try:
            self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise Fault(f"{self.name} has ended before it was told to {do}") from None

    def ask(self, do, **more):
        """Tells it, and waits until it says that it did."""
        self.tell(do, **more)
        return self.expect(f"that it did {do}", lambda event: event.get("did") == do)

    def expect(self, what, wanted):
        """The first event, of those that came and those that come, that was not expected before."""
        for event in self.seen:
            if "expected" not in event and wanted(event):
                event["expected"] = True
                return event
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Fault(f"{self.name}: expected {what} within {PATIENCE_SECONDS} s; of late it said {self._last()}") from None
            self._note(event)
            if "failed" in event or "ended" in event:
                raise Fault(f"{self.name}: expected {what}; it said {event}, and before {self._last()}")
            if wanted(event):
                event["expected"] = True
                return event

    def _note(self, event):
        self.seen.append(event)
        if "marks" in event:
            self.marks = event["marks"]

    def _last(self):
        return json.dumps([event for event in self.seen if "marks" not in event][-5:])[:1_500]

    def frame(self, kind, more=lambda _frame: True):
        """A frame of this type, as it came over the socket."""
        event = self.expect(f"a frame {kind}", lambda event: event.get("frame", {}).get("type") == kind and more(event["frame"]))
        return event["frame"]

    def handed(self, message_id):
        """A message, as the client hands it to its user."""
        return self.expect(f"message {message_id}", lambda event: event.get("handed", {}).get("id") == message_id)["handed"]

    def all_handed(self):
        return [event["handed"] for event in self.seen if "handed" in event]

    def reloads(self):
        return [event["reload"] for event in self.seen if "reload" in event]

    def settle(self):
        """Returns when every message that was sent to the socket before has arrived."""
        self.tell("ping")
        return self.frame("pong")

    def kill(self):
        """No goodbye: neither a close frame nor a last word."""
        end_group(self._process.pid)
        self._process.wait()
        # What it wrote before it died is still read.
        while True:
            try:
                event = self._events.get(timeout=5)
            except queue.Empty:
                return
            if "ended" in event:
                return
            self._note(event)
