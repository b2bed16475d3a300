"""Processes that outlive this one, stopped by the id that was recorded and by nothing else; and ports."""

from __future__ import annotations

import functools
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from holdfast_cli.core import commands


def _identity(pid: int) -> str | None:
    """Start time of a process: an id alone may have been given to another since."""
    try:
        # As earlier releases wrote it down: in ticks since the machine was started.
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        pass
    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def start(record: Path, command: list[str], *, env: commands.Environ, cwd: Path, log: Path, port: int | None = None) -> commands.Child:
    """Starts `command` in a separate session and records its process."""
    with open(log, "ab") as out, commands.uninterrupted():
        process = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        known = {"pid": process.pid, "identity": _identity(process.pid), "command": command[0], "port": port}
        record.write_text(json.dumps(known))
    return process


def recorded_port(record: Path) -> int | None:
    """The port that the recorded process was given, if it still runs."""
    return json.loads(record.read_text()).get("port") if recorded(record) else None


def recorded(record: Path) -> int | None:
    """The id of the recorded process if that very process still runs, else None."""
    try:
        known: dict[str, Any] = json.loads(record.read_text())
        pid = int(known["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    identity = _identity(pid)
    if identity is None or identity != known.get("identity") or _is_zombie(pid):
        return None
    return pid


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def stop(record: Path, patience_seconds: float = 15) -> bool:
    """Asks the recorded process to end, insists after a while. True if there was one."""
    pid = recorded(record)
    if pid is None:
        record.unlink(missing_ok=True)
        return False
    for sign, seconds in ((signal.SIGTERM, patience_seconds), (signal.SIGKILL, 5)):
        try:
            if sign == signal.SIGKILL:
                # It leads a session of its own: whatever it had started goes with it.
                os.killpg(pid, sign)
            else:
                os.kill(pid, sign)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and recorded(record) is not None:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)
        if recorded(record) is None:
            break
    record.unlink(missing_ok=True)
    return True


def port_is_busy(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


# Above the ports of common servers, and below those that systems lend to outgoing connections.
_OWN_PORTS = range(15_000, 32_768)


def lent_ports() -> range:
    """The ports that this system lends to outgoing connections. Where it does not say, they are those of macOS, from 49 152."""
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
        return range(int(low), int(high) + 1)
    except (OSError, ValueError):
        return range(49_152, 65_536)


@functools.cache
def _own_ports() -> deque[int]:
    """Those that are left. Each process begins at another one."""
    lent = lent_ports()
    own = deque(port for port in _OWN_PORTS if port not in lent)
    own.rotate(secrets.randbelow(max(1, len(own))))
    return own


def free_port() -> int:
    """A port on 127.0.0.1 that is free, and that no outgoing connection takes before a server has it. This process gets it once, as long as
    such ports are left. Where the system lends them all, it is any free port."""
    with suppress(IndexError):
        while True:
            port = _own_ports().popleft()
            if not port_is_busy(port):
                return port
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def using(folder: Path) -> dict[int, str]:
    """Processes that run from, or in, a folder: ids and commands."""
    prefix, found = str(Path(folder).resolve()), dict[int, str]()
    for process in psutil.process_iter():
        try:
            places = [process.cwd(), process.exe()]
            command = " ".join(process.cmdline())
        except (psutil.Error, OSError):
            continue
        if process.pid != os.getpid() and any(place == prefix or place.startswith(prefix + "/") for place in places):
            found[process.pid] = command
    return found
