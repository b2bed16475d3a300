"""`holdfast arm64` builds the release for arm64 on this machine, twice from nothing, and compares the two. It also starts one of the
functions and sends it an event. If this machine has another processor, qemu's user emulation runs the function."""

from __future__ import annotations

import json
import re
import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any

from holdfast_cli.core import commands
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings, machine_arch
from holdfast_cli.verify import reproduce, runtime_api

# Needs no store and no variable: what it answers is the executable's own doing.
TRIED = "ops-not-found"
# Where Debian's libc6-arm64-cross puts the loader and libraries of arm64.
LIBRARIES = "/usr/aarch64-linux-gnu"
# The newest symbols that Amazon Linux 2023 has, which is what provided.al2023 runs: its glibc is 2.34.
GLIBC_AT_MOST = (2, 34)
_AARCH64 = 183


def emulator() -> list[str]:
    """The command that runs an arm64 executable here."""
    if machine_arch() == "arm64":
        return []
    found = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
    how = "install your system's packages qemu-user and libc6-arm64-cross (apt-get install …), or run this on an arm64 machine."
    if not found:
        raise Refused(f"qemu-aarch64 is missing: {how}")
    if not Path(LIBRARIES, "lib").is_dir():
        raise Refused(f"the C library of arm64 is missing in {LIBRARIES}: {how}")
    return [found, "-L", LIBRARIES]


def newest_glibc(content: bytes) -> tuple[int, int]:
    """The newest version of glibc whose symbols an executable names."""
    found = re.findall(rb"GLIBC_(\d+)\.(\d+)", content)
    return max(((int(major), int(minor)) for major, minor in found), default=(0, 0))


def check_executable(name: str, content: bytes) -> tuple[int, int]:
    """Whether Lambda could start this: for arm64, and with what provided.al2023 has."""
    if content[:4] != b"\x7fELF" or struct.unpack_from("<H", content, 18)[0] != _AARCH64:
        raise Failed(f"{name} is no executable for arm64.")
    wanted = newest_glibc(content)
    if wanted > GLIBC_AT_MOST:
        raise Failed(f"{name} needs glibc {wanted[0]}.{wanted[1]}; provided.al2023 has {GLIBC_AT_MOST[0]}.{GLIBC_AT_MOST[1]}.")
    return wanted


def answer(command: list[str], content: bytes, event: runtime_api.Event) -> Any:
    """What a function that is started by `command` answers to an event."""
    with tempfile.TemporaryDirectory(prefix="holdfast-arm64-") as folder:
        executable = Path(folder) / "bootstrap"
        executable.write_bytes(content)
        executable.chmod(0o755)
        log = Path(folder) / "log"
        with runtime_api.RuntimeApi(event) as api, open(log, "wb") as out:
            child = commands.start([*command, str(executable)], cwd=folder, env=api.environment(TRIED), stdout=out, stderr=out)
            try:
                return api.wait(lambda: child.poll() is not None)
            except Failed as trouble:
                tail = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise Failed(f"{trouble}: {' '.join(tail)}") from None
            finally:
                child.kill()
                commands.finish(child)


def arm64(settings: Settings, only: str = "") -> None:
    settings.arch = "arm64"
    command = emulator()
    executables = reproduce.reproduce(settings, only, more=(TRIED,))
    newest = max(check_executable(name, content) for name, content in executables.items())
    line(f"All {len(executables)} are for arm64; the newest glibc that one needs is {newest[0]}.{newest[1]} (provided.al2023 has 2.34)."
         if len(executables) > 1 else f"It is for arm64 and needs glibc {newest[0]}.{newest[1]} (provided.al2023 has 2.34).")
    event = runtime_api.http_event("GET", "/v1/nowhere")
    with Step(f"{TRIED} answers an event{' under ' + Path(command[0]).name if command else ''}") as step:
        found = answer(command, executables[TRIED], event)
        body = json.loads(found.get("body") or "null")
        if found.get("statusCode") != 404 or not body or body.get("code") != "NOT_FOUND":
            raise Failed(f"{TRIED} answers {json.dumps(found)[:300]}, not 404 NOT_FOUND.")
        step.note = f"404 {body['code']}"
