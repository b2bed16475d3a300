"""`holdfast doctor`: everything that is missing or wrong on this machine, at once, each with what to do.

Only the standard library: it also answers where the environment of `.tools/` cannot be made (launch.py calls it then).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from holdfast_cli.core import interpreter
from holdfast_cli.core import settings as settings_module
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.local import providers

# An empty target directory takes some 8 GB for `make deploy`, 20 GB for `make test`.
GIGABYTES = 10
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OK, _WRONG, _NOTE = "ok", "wrong", "note"


@dataclass(frozen=True)
class Finding:
    what: str
    # ok; wrong: `needed_for` does not work without it; note: something is worse without it.
    verdict: str
    said: str
    todo: str = ""
    needed_for: str = "make deploy"


def _said(*command: str) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20, cwd=ROOT)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (result.stdout or result.stderr).strip()


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def command(name: str, todo: str, *question: str, least: tuple[int, ...] = (), needed_for: str = "make deploy", verdict: str = _WRONG) -> Finding:
    """A command that must exist, and whose version must be new enough."""
    if not shutil.which(name):
        return Finding(name, verdict, "missing", todo, needed_for)
    said = (_said(name, *question).splitlines() or ["present"])[0] if question else "present"
    if least and _version(said)[: len(least)] < least:
        return Finding(name, verdict, f"{said}: {'.'.join(map(str, least))} or newer is needed", todo, needed_for)
    return Finding(name, _OK, said)


def _python() -> Iterator[Finding]:
    own = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python3", _OK if sys.version_info >= interpreter.PYTHON_AT_LEAST else _WRONG, own, "install Python 3.10 or newer")
    if _said(sys.executable, "-c", "import ensurepip, venv") == "":
        yield Finding("venv", _OK, "present")
    else:
        yield Finding("venv", _WRONG, "missing", "install the package python3-venv")


def _tools(settings: Settings) -> Iterator[Finding]:
    for group, what in interpreter.GROUPS.items():
        there = interpreter.is_installed(settings.tools, group)
        yield Finding(what, _OK if there else _NOTE, f"in {interpreter.short(settings.tools)}/" if there else "not installed yet",
                      "the first verb that needs it installs it, from PyPI")


def _basics() -> Iterator[Finding]:
    for name in ("git", "make"):
        yield command(name, f"install {name}", "--version")


def _rust() -> Iterator[Finding]:
    yield command("cc", "install gcc and libc6-dev (a C compiler and linker)", "--version")
    yield command("cargo", "install Rust 1.95 with rustup (https://rustup.rs)", "--version", least=(1, 95))
    for part in ("clippy", "fmt"):
        yield command(f"cargo-{part}", f"run `rustup component add {'rustfmt' if part == 'fmt' else part}`", needed_for="make test")


def _terraform() -> Iterator[Finding]:
    yield command("terraform", "install Terraform 1.10 or newer (https://developer.hashicorp.com/terraform/install)", "version", least=(1, 10))
    tree, name = providers.found(), f"hashicorp/aws {providers.version()}"
    if providers.chosen_by_caller():
        yield Finding("provider", _OK, f"{name}: from where Terraform's own configuration says")
    elif tree is not None:
        yield Finding("provider", _OK, f"{name}: in {tree}")
    else:
        try:
            socket.create_connection(("registry.terraform.io", 443), 5).close()
            yield Finding("provider", _OK, f"{name}: from registry.terraform.io")
        except OSError:
            proxy = os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy")
            said = f"{name}: no local tree, and registry.terraform.io does not answer"
            yield Finding("provider", _NOTE if proxy else _WRONG, said, providers.WAYS)


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


def _ports(settings: Settings) -> Iterator[Finding]:
    for port, record, variable in ((settings.port, "ministack.pid", "HOLDFAST_PORT"), (settings.redis_port, "redis.pid", "HOLDFAST_REDIS_PORT")):
        if not _listens(port):
            yield Finding(f"port {port}", _OK, "free")
        elif (settings.work / record).exists():
            yield Finding(f"port {port}", _OK, f"taken by the deployment in {interpreter.short(settings.work)}/")
        else:
            yield Finding(f"port {port}", _WRONG, "taken by another program", f"choose another with {variable}=…")


def _disk(settings: Settings) -> Iterator[Finding]:
    target = ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target")
    for folder, what in ((target, "build"), (settings.work, "work directory")):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(there).free / 1e9
        if not os.access(there, os.W_OK):
            yield Finding(what, _WRONG, f"{there} cannot be written", "choose another with HOLDFAST_WORK_DIR=… or CARGO_TARGET_DIR=…")
        elif free < GIGABYTES and not target.exists():
            yield Finding(what, _WRONG, f"{free:.0f} GB are free in {there}", f"make room: an empty target directory takes {GIGABYTES} GB")
        else:
            yield Finding(what, _OK, f"{free:.0f} GB are free in {there}")


def _for_tests() -> Iterator[Finding]:
    yield command("node", "install Node.js 20 or newer", "--version", least=(20,), needed_for="make test")
    yield command("npm", "install npm (it comes with Node.js)", "--version", needed_for="make test")
    asked = os.environ.get("CHROMIUM")
    browser = shutil.which(asked) if asked else next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser:
        yield Finding("chromium", _OK, browser)
    else:
        said = f"CHROMIUM={asked} is no program" if asked else "missing"
        yield Finding("chromium", _WRONG, said, "install the package chromium, or name one with CHROMIUM=<path>", "make test")
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        yield command("valgrind", "install the package valgrind", "--version", needed_for="make test")


def _optional() -> Iterator[Finding]:
    todo = "install the package redis-server; without it there is no cache, as with CACHE=dynamodb"
    yield command("redis-server", todo, "--version", verdict=_NOTE)


def findings(settings: Settings) -> list[Finding]:
    parts: list[Callable[[], Iterator[Finding]]] = [
        _python, lambda: _tools(settings), _basics, _rust, _terraform, _optional, lambda: _ports(settings), lambda: _disk(settings), _for_tests]
    return [found for part in parts for found in part()]


def report(found: list[Finding], answer: Callable[[dict[str, Any]], None] | None) -> int:
    """Prints what was found, or gives it to `answer`; exit code 2 if anything is wrong."""
    wrong = [finding for finding in found if finding.verdict == _WRONG]
    if answer:
        answer({"ok": not wrong, "findings": [asdict(finding) for finding in found]})
        return 2 if wrong else 0
    width = max(len(finding.what) for finding in found)
    for finding in found:
        mark = {_OK: "✓", _WRONG: "✗", _NOTE: "–"}[finding.verdict]
        print(f"  {mark} {finding.what:{width}}  {finding.said}")
        if finding.verdict != _OK:
            print(f"    {'':{width}}  → {finding.todo}{f' (needed for {finding.needed_for})' if finding.verdict == _WRONG else ''}")
    print("Nothing is missing." if not wrong else f"{len(wrong)} thing{'s are' if len(wrong) > 1 else ' is'} missing or wrong: "
          f"{', '.join(finding.what for finding in wrong)}.")
    return 2 if wrong else 0


def examine(settings: Settings, answer: Callable[[dict[str, Any]], None] | None = None) -> int:
    return report(findings(settings), answer)


def main(arguments: list[str], trouble: str) -> int:
    """The verb as it is called where this tool's own environment cannot be made, for the reason in `trouble`."""
    try:
        settings = settings_module.read()
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 2
    own = Finding(".tools", _WRONG, trouble, "do what it says and run this again")
    as_json: Callable[[dict[str, Any]], None] = lambda value: print(json.dumps(value, indent=2))  # noqa: E731
    return report([own, *findings(settings)], as_json if "--json" in arguments else None)


