"""A release reaches its callers by a canary: a share of them first, watched by the alarms, then all of them or none.

For environments with `alias_owner = "deployer"`: Terraform publishes a version and leaves the alias `live` where it is, and this moves
it. With `alias_owner = "terraform"` the alias is where Terraform has just put it, and there is nothing to move. The local cloud has no
aliases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws

ALIAS = "live"
# How long after a shift the alarms are asked again. They look at minutes, two of three.
EVERY_SECONDS = 15

# By function: the version its alias is on, and its newest.
Moving = dict[str, tuple[str, str]]
Outputs = Mapping[str, Any]


def behind(settings: Settings, outputs: Outputs) -> Moving:
    """Functions whose alias is not, or not wholly, on their newest version."""
    found = aws.aliases(settings, ALIAS, sorted(outputs["functions"].values()))
    return {name: (state["version"], state["newest"]) for name, state in found.items()
            if state["version"] != state["newest"] or state["weights"]}


def settle(settings: Settings, outputs: Outputs) -> None:
    """Moves all callers to the newest versions at once. After a rollback, Terraform has just published versions that worked before."""
    if not settings.on_local_cloud:
        _complete(settings, behind(settings, outputs))


def release(settings: Settings, outputs: Outputs, sleep: Callable[[float], None] = time.sleep) -> Moving:
    """Shifts the aliases that are behind, and returns them for `back`. An alarm returns all callers to the versions before, and fails."""
    if settings.on_local_cloud:
        return {}
    moving = behind(settings, outputs)
    if not moving:
        return {}
    percent = settings.canary.percent
    if not percent:
        _complete(settings, moving)
        line(f"Shifted {len(moving)} function(s) at once (CANARY=0).")
        return moving
    prefix = outputs["functions"]["ops-health"].removesuffix("ops-health")
    _look(settings, prefix, "nothing was shifted. Find out why, or shift without looking: CANARY=0")
    try:
        _watch(settings, prefix, moving, sleep)
    except KeyboardInterrupt:
        # Nothing can be started any more: what this says is what is left.
        line(f"Interrupted in the canary: {percent} % stay on the new versions until the next deploy or rollback.")
        raise
    except (Failed, Refused) as trouble:
        back(settings, moving)
        raise Failed(f"{trouble}; all callers are back on the versions before.") from None
    _complete(settings, moving)
    return moving


def _watch(settings: Settings, prefix: str, moving: Moving, sleep: Callable[[float], None]) -> None:
    percent, minutes = settings.canary
    with Step(f"canary: {percent} % of the calls of {len(moving)} function(s) for {minutes} min") as step:
        aws.move_aliases(settings, ALIAS, [{"name": name, "version": old, "weights": {new: percent / 100} if new != old else {}}
                                           for name, (old, new) in moving.items()])
        looks = minutes * 60 // EVERY_SECONDS
        for look in range(looks):
            step.progress(look, looks, "checks of the alarms")
            sleep(EVERY_SECONDS)
            _look(settings, prefix, "the canary has ended")
        step.note = "no alarm"


def _look(settings: Settings, prefix: str, then: str) -> None:
    """Raises if a rollback alarm is on, or if there is none."""
    states = aws.rollback_alarms(settings, prefix)
    if not states:
        raise Refused(f"there is no alarm {prefix}…-rollback to watch a canary by: {then}")
    on = sorted(name for name, state in states.items() if state == "ALARM")
    if on:
        raise Failed(f"{', '.join(on)} {'is' if len(on) == 1 else 'are'} on: {then}")


def _complete(settings: Settings, moving: Moving) -> None:
    if moving:
        aws.move_aliases(settings, ALIAS, [{"name": name, "version": new, "weights": {}} for name, (_, new) in moving.items()])


def back(settings: Settings, moving: Moving) -> None:
    """Returns all callers to the versions from before the shift."""
    aws.move_aliases(settings, ALIAS, [{"name": name, "version": old, "weights": {}} for name, (old, _) in moving.items()])
