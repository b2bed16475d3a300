"""The virtual environment in `.tools/` that runs this tool, and the groups of packages that are installed into it.

Versions and hashes come from uv.lock, exported into scripts/locked/<group>.txt. Python's pip installs them. It uses the
machine's settings for mirrors, proxies and certificates, and needs no other download first. This module uses only the standard library.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCKED = ROOT / "scripts" / "locked"
PYTHON_AT_LEAST = (3, 10)
# What an environment is made of, and the list of an earlier release.
_OLD = ("bin", "lib", "lib64", "include", "pyvenv.cfg", "installed.txt")
GROUPS = {"cli": "the operator tool", "tools": "pinned tools", "dev": "linters of the operator tool"}


class CannotInstall(Exception):
    """Why there is no such environment, in one line; `code`: 2 where the operator has to change something, else 1."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


def folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOLDFAST_TOOLS") or ROOT / ".tools").resolve()


def short(path: Path) -> str:
    """A path as the operator reads it: below the repository if it is there."""
    return str(path.relative_to(ROOT) if ROOT in path.parents else path)


def is_installed(tools: Path, group: str) -> bool:
    """Whether exactly this group's packages are installed, for the interpreter that the environment still has."""
    try:
        return _record(tools, group).read_text(encoding="utf-8") == _stamp(tools, group)
    except OSError:
        return False


def _record(tools: Path, name: str) -> Path:
    """The record of what is installed. It is inside the environment, so that it is removed with it."""
    return tools / "lib" / "holdfast" / name


def _stamp(tools: Path, group: str) -> str:
    python = tools / "bin" / "python"
    digest = hashlib.sha256((LOCKED / f"{group}.txt").read_bytes()).hexdigest()
    return f"{digest} {os.path.realpath(python) if python.exists() else 'none'}\n"


def install(tools: Path, group: str, say: Callable[[str], None]) -> None:
    """Installs a group's packages, unless they are there. Two runs at once on a fresh clone: the second finds them installed."""
    if is_installed(tools, group):
        return
    if sys.version_info < PYTHON_AT_LEAST:
        raise CannotInstall(f"python3 is {'.'.join(map(str, sys.version_info[:2]))}: 3.10 or newer is needed (the local cloud asks for it).", 2)
    try:
        tools.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotInstall(f"{tools} cannot be made ({error.strerror}): choose another folder with HOLDFAST_TOOLS=….", 2) from None
    with open(tools / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_installed(tools, group):
            return
        _environment(tools)
        _packages(tools, group, say)


def _environment(tools: Path) -> None:
    """Makes the environment if it is missing, or if its interpreter is missing or has changed."""
    known = _record(tools, "python")
    python = tools / "bin" / "python"
    if python.exists() and known.exists() and known.read_text(encoding="utf-8") == os.path.realpath(python):
        return
    for name in _OLD:
        old = tools / name
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        elif old.is_symlink() or old.exists():
            old.unlink()
    result = subprocess.run([sys.executable, "-m", "venv", str(tools)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        raise CannotInstall(f"python3 cannot make a virtual environment: install the package python3-venv ({_last(result.stdout)})", 2)
    known.parent.mkdir()
    known.write_text(os.path.realpath(python), encoding="utf-8")


def _packages(tools: Path, group: str, say: Callable[[str], None]) -> None:
    listed = LOCKED / f"{group}.txt"
    log = tools / "install.log"
    say(f"  … installing {GROUPS[group]} into {short(tools)}/ ({listed.read_text(encoding='utf-8').count('==')} packages)")
    command = [str(tools / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes",
               "-r", str(listed)]
    with open(log, "w+", encoding="utf-8", errors="replace") as out:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False).returncode
        out.seek(0)
        said = out.read()
    if code:
        raise CannotInstall(f"pip could not install {GROUPS[group]}: {_last(said)} ({log})")
    _record(tools, group).write_text(_stamp(tools, group), encoding="utf-8")


def _last(said: str) -> str:
    """The line of a log that says most: the last error, else the last line."""
    lines = [text for text in said.splitlines() if text.strip()]
    return next((text for text in reversed(lines) if text.startswith("ERROR")), lines[-1] if lines else "no message").strip()
