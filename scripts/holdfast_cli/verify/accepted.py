"""Stores which files a check has accepted, so that it does not read the same files again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

from holdfast_cli.core import commands
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT, Settings


def files_of(*paths: str) -> list[Path]:
    """The files of the repository below these paths, and new ones that git does not ignore."""
    listed = commands.output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths], cwd=ROOT)
    if listed.returncode:
        raise Failed(f"git cannot list the files below {', '.join(paths)}: {listed.stderr.strip()}")
    files = [ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name]
    return [file for file in files if file.is_file()]


def _digest(files: Iterable[Path], versions: Iterable[str]) -> str:
    digest = hashlib.sha256("\n".join(versions).encode())
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"\n{file} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def unless_accepted(settings: Settings, name: str, files: Iterable[Path], versions: Iterable[str], check: Callable[[], object]) -> bool:
    """Calls `check` and stores that it succeeded. Does not call it if it has accepted these contents of these files before, with these versions
    of what it uses: the result is False then. A check that raises an error accepts nothing."""
    stamp, files, versions = settings.tools / "accepted" / name, list(files), list(versions)
    # Taken before the check: what changes meanwhile is found by the next run.
    digest = _digest(files, versions)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return False
    check()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest, encoding="utf-8")
    return True
