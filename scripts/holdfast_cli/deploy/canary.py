"""A release reaches its callers by a canary: a share of them first, watched by the alarms, then all of them or none.

For environments with `alias_owner = "deployer"`: Terraform publishes a version and leaves the alias `live` where it is, and this moves
it. With `alias_owner = "terraform"` the alias is where Terraform has just put it, and there is nothing to move. The local cloud has no
aliases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from holdfast_cli.core import catalogue
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, environments

ALIAS = "live"
# How long after a shift the alarms are asked again. They look at minutes, two of three.
EVERY_SECONDS = 15

# Versions of each function that stay. A rollback publishes the zips of an earlier release again, so it needs none of them; a canary returns to the
# version before, which the alias holds. More are kept for whoever compares two versions by hand.
KEEP_VERSIONS = 5

# By function: the version its alias is on, and its newest.
Moving = dict[str, tuple[str, str]]
Outputs = Mapping[str, Any]


def behind(settings: Settings, outputs: Outputs) -> Moving:
    """Functions whose alias is not, or not wholly, on their newest version."""
    found = aws.aliases(settings, ALIAS, sorted(outputs["functions"].values()))
    return {name: (state["version"], state["newest"]) for name, state in found.items()
            if state["version"] != state["newest"] or state["weights"]}


def split(settings: Settings) -> list[str]:
    """Functions whose calls still go to two versions, with the share of each, as one line each. An interrupted canary leaves them so."""
    if settings.on_local_cloud:
        return []
    prefix = environments.prefix(settings, environments.values(settings))
    found = aws.aliases(settings, ALIAS, [f"{prefix}-{key}" for key in sorted(catalogue.functions())])
    return [f"{name}: " + ", ".join(f"{round(share * 100)} % on version {version}" for version, share in sorted(state["weights"].items()))
            for name, state in sorted(found.items()) if state["weights"]]


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


def prune(settings: Settings, outputs: Outputs) -> None:
    """Deletes old versions after a release that works: Lambda keeps every version, and 75 GB of code in an account and Region are the limit."""
    if settings.on_local_cloud:
        return
    try:
        deleted = aws.prune_versions(settings, sorted(outputs["functions"].values()), KEEP_VERSIONS)
    except (Failed, Refused) as trouble:
        # The release works, and the next deploy tries again.
        line(f"Old versions of functions were not deleted: {trouble}")
        return
    if deleted:
        line(f"Deleted {deleted} old version(s) of functions; {KEEP_VERSIONS} of each stay.")


def _complete(settings: Settings, moving: Moving) -> None:
    if moving:
        aws.move_aliases(settings, ALIAS, [{"name": name, "version": new, "weights": {}} for name, (_, new) in moving.items()])


def back(settings: Settings, moving: Moving) -> None:
    """Returns all callers to the versions from before the shift."""
    aws.move_aliases(settings, ALIAS, [{"name": name, "version": old, "weights": {}} for name, (old, _) in moving.items()])
