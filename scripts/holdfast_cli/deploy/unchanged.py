"""Finds the stacks of the local environment that need no plan, because no input of them has changed since they were applied.

A stack is skipped only if none of these has changed since it was last applied, or planned without a difference:

* its code and that of every module, the catalogue of functions, and the values that it is given;
* the artifacts of its functions, and every parameter that it read from other stacks;
* its own state, and the process of the local cloud.

If only its state and the process are unchanged, it is planned without reading each of its resources. Neither detects manual changes in the local
cloud; `--plan-all` does. On AWS every stack is always planned, because other operators also deploy there.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from holdfast_cli.core import catalogue
from holdfast_cli.core.errors import Trouble
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.deploy import aws, manifest
from holdfast_cli.deploy.terraform import Stack
from holdfast_cli.local import cloud

# Data sources whose answer depends on the provider's configuration alone, which is code and values.
_FIXED = {"aws_caller_identity", "aws_partition", "aws_region", "aws_iam_policy_document"}


def parameters(settings: Settings) -> dict[str, str]:
    """The parameters that the stacks of the local environment exchange; none if they cannot be read."""
    try:
        return aws.parameters(settings, f"/holdfast/{settings.env}/") if settings.is_local else {}
    except Trouble:
        return {}


def fingerprint(stack: Stack) -> str:
    """The digest of what a stack is made from. Taken before a plan: what changes meanwhile is found by the next run."""
    settings, digest = stack.settings, hashlib.sha256()

    def add(name: str, content: bytes) -> None:
        digest.update(f"{name} {len(content)}\n".encode() + content)

    modules = ROOT / "infra" / "modules"
    others = sorted(path for path in modules.rglob("*") if path.is_file() and path.suffix != ".tf")
    for file in (*stack.code(), *others, catalogue.FILE, stack.values):
        add(str(file), file.read_bytes())
    release = manifest.read(settings)
    mine = {name for name, entry in catalogue.functions().items() if entry["stack"] == stack.name}
    artifacts = {name: entry for name, entry in sorted(release["functions"].items()) if name in mine}
    add("release", json.dumps([release.get("version"), release.get("arch"), artifacts]).encode())
    return digest.hexdigest()


def reads(state: dict[str, Any]) -> dict[str, str] | None:
    """The parameters that a stack read when it was applied, with their values; None where it also read what cannot be compared."""
    found: dict[str, str] = {}
    for resource in state.get("resources", ()):
        if resource["mode"] != "data" or resource["type"] in _FIXED:
            continue
        if resource["type"] != "aws_ssm_parameter":
            if resource["instances"]:
                return None
            continue
        for instance in resource["instances"]:
            found[instance["attributes"]["name"]] = instance["attributes"]["value"]
    return found


def _record(stack: Stack) -> Path:
    return stack.top / f"{stack.name}.applied.json"


def _world(stack: Stack) -> dict[str, str]:
    """What has to be there as it was: the state, and the local cloud that it describes."""
    process = stack.settings.work / cloud.EMULATOR
    return {"state": hashlib.sha256(stack.state.read_bytes()).hexdigest(), "cloud": process.read_text(encoding="utf-8")}


def remember(stack: Stack, made_from: str) -> None:
    """Records the fingerprint of a stack. Call it after an apply, or after a plan without a difference."""
    if stack.settings.is_local and made_from:
        try:
            _record(stack).write_text(json.dumps({"made_from": made_from, **_world(stack)}), encoding="utf-8")
        except FileNotFoundError:
            # Without a state or a local cloud there is nothing to compare with.
            forget(stack)


def forget(stack: Stack) -> None:
    """Before an apply: what ends in its midst is planned by the next run."""
    _record(stack).unlink(missing_ok=True)


def _known(stack: Stack) -> dict[str, str] | None:
    """The recorded fingerprint of a stack, if its state and the local cloud are unchanged."""
    if not stack.settings.is_local or stack.settings.plan_all:
        return None
    try:
        known: dict[str, str] = json.loads(_record(stack).read_text(encoding="utf-8"))
        return known if known == {**known, **_world(stack)} else None
    except (OSError, ValueError, TypeError):
        return None


def state_is_current(stack: Stack) -> bool:
    """Whether the state says what is there, as far as only this tool changes it."""
    return _known(stack) is not None


def is_unchanged(stack: Stack, made_from: str, handed_over: dict[str, str]) -> bool:
    """Whether a plan of this stack is known to be empty."""
    known = _known(stack)
    if known is None or known.get("made_from") != made_from:
        return False
    try:
        read = reads(stack.local_state())
    except (ValueError, KeyError, TypeError):
        return False
    return read is not None and all(handed_over.get(name) == value for name, value in read.items())
