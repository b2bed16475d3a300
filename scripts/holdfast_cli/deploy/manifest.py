"""The release manifest: which artifact each function is, as the build or an earlier release has it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from holdfast_cli.core import catalogue
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import Settings

Entries = dict[str, dict[str, str]]
Manifest = dict[str, Any]


def read(settings: Settings) -> Manifest:
    return json.loads(settings.manifest_file.read_text(encoding="utf-8"))


def write(settings: Settings, manifest: Manifest) -> None:
    settings.manifest_file.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def placeholder(settings: Settings) -> None:
    """A manifest to destroy with, if the deployed one is not available. No artifact of it is read."""
    if not settings.manifest_file.exists():
        settings.work.mkdir(parents=True, exist_ok=True)
        entries = {name: {"sha256": "0" * 64, "file": os.devnull, "s3Key": name} for name in catalogue.functions()}
        write(settings, {"version": "none", "arch": settings.arch, "functions": entries})


def verify_artifacts(folder: Path) -> None:
    """Whether every zip of a folder is what its manifest says."""
    entries: Entries = json.loads((folder / "release.json").read_text(encoding="utf-8"))["functions"]
    wrong = [name for name, entry in entries.items()
             if hashlib.sha256((folder / "artifacts" / entry["s3Key"]).read_bytes()).hexdigest() != entry["sha256"]]
    if wrong:
        raise Failed(f"{folder}: not what the manifest says: {', '.join(wrong)}")
    line(f"{len(entries)} artifacts are what {folder / 'release.json'} says.")
