"""The functions (services/functions.json), the services, and which version of the code this is."""

from __future__ import annotations

import json
import re
from typing import Any

from holdfast_cli.core import commands
from holdfast_cli.core.settings import ROOT, Settings

FILE = ROOT / "services" / "functions.json"
# Service to the stack that deploys it.
SERVICES = {"auth": "auth", "sessions": "sessions", "push": "push", "events": "events", "ops": "platform"}

Catalogue = dict[str, dict[str, Any]]


def functions() -> Catalogue:
    return json.loads(FILE.read_text())


def wanted(settings: Settings) -> list[str]:
    """The functions that this run is about: all, or those of SERVICE's stack."""
    return sorted(name for name, entry in functions().items() if settings.service in ("", entry["stack"]))


def version() -> str:
    """The workspace's version: what health answers. It does not change with every commit, or health would be deployed anew
    with each of them."""
    found = re.search(r'^\[workspace\.package\]\nversion = "([^"]+)"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.M)
    return found.group(1) if found else "unversioned"


def commit() -> str:
    try:
        return commands.output(["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT).stdout.strip() or "unversioned"
    except OSError:
        return "unversioned"
