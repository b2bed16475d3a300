"""dynoxide, a second implementation of DynamoDB (dynoxide-rs on crates.io), as a process of this machine with its data in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from holdfast_cli.core import http, processes, tools
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import Settings

CRATE = "dynoxide-rs"
_SECONDS = 20


def program(settings: Settings) -> Path:
    """The installed program. Cargo builds it at the first call, which takes minutes."""
    return tools.cargo_tool(settings, CRATE)


@contextmanager
def running(settings: Settings, folder: Path) -> Generator[int]:
    """Runs it on a free port; yields the port."""
    port, record, log = processes.free_port(), folder / "dynoxide.pid", folder / "dynoxide.log"
    command = [str(program(settings)), "--host", "127.0.0.1", "--port", str(port)]
    started = processes.start(record, command, env={"PATH": os.environ.get("PATH", "")}, cwd=folder, log=log, port=port)
    try:
        deadline = time.monotonic() + _SECONDS
        while http.answer(f"http://127.0.0.1:{port}/")[0] is None:
            if started.poll() is not None or time.monotonic() > deadline:
                tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                raise Failed(f"dynoxide does not answer on port {port}: {' '.join(tail) or 'it printed nothing'} ({log})")
            time.sleep(0.05)
        yield port
    finally:
        processes.stop(record)
