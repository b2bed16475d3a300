"""Processes that outlive this one, stopped by the id that was recorded and by nothing else."""

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import run


def _identity(pid):
    """Start time of a process: an id alone may have been given to another since."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        pass
    try:
        result = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return result.stdout.strip() or None
    except OSError:
        return None


def start(record, command, *, env, cwd, log, port=None):
    """Starts `command` in a session of its own and writes down who it is."""
    with open(log, "ab") as out, run.uninterrupted():
        process = subprocess.Popen(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
        known = {"pid": process.pid, "identity": _identity(process.pid), "command": command[0], "port": port}
        record.write_text(json.dumps(known))
    return process


def recorded_port(record):
    """The port that the recorded process was given, if it still runs."""
    return json.loads(record.read_text()).get("port") if recorded(record) else None


def recorded(record):
    """The id of the recorded process if that very process still runs, else None."""
    try:
        known = json.loads(record.read_text())
        pid = int(known["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    identity = _identity(pid)
    if identity is None or identity != known.get("identity") or _is_zombie(pid):
        return None
    return pid


def _is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def stop(record, patience_seconds=15):
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
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
            time.sleep(0.05)
        if recorded(record) is None:
            break
    record.unlink(missing_ok=True)
    return True


def port_is_busy(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def using(folder):
    """Processes that run from, or in, a folder: ids and commands (Linux; empty elsewhere)."""
    prefix, found = str(Path(folder).resolve()), {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            places = [os.readlink(entry / "cwd"), os.readlink(entry / "exe")]
        except OSError:
            continue
        if int(entry.name) != os.getpid() and any(place == prefix or place.startswith(prefix + "/") for place in places):
            found[int(entry.name)] = command
    return found
