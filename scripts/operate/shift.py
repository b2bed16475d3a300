"""A release reaches its callers by a canary: a share of them first, watched by the alarms, then all of them or none.

For environments with `alias_owner = "deployer"`: Terraform publishes a version and leaves the alias `live` where it is, and this moves
it. With `alias_owner = "terraform"` the alias is where Terraform has just put it, and there is nothing to move. The local cloud has no
aliases.
"""

import os
import time
from collections import namedtuple

import aws
from say import Failed, Refused, Step, line

ALIAS = "live"
# How long after a shift the alarms are asked again. They look at minutes, two of three.
EVERY_SECONDS = 15

Wish = namedtuple("Wish", ("percent", "minutes"))


def wish(environ=os.environ):
    """How much for how long: CANARY percent (0: everybody at once) for CANARY_MINUTES; refused where they are nothing of the kind."""
    found = []
    for name, default, least, most in (("CANARY", "10", 0, 50), ("CANARY_MINUTES", "5", 3, 120)):
        text = environ.get(name) or default
        if not text.isdigit() or not least <= int(text) <= most:
            raise Refused(f"{name}={text}: a whole number from {least} to {most} is needed{' (the alarms need three minutes)' if least else ''}.")
        found.append(int(text))
    return Wish(*found)


def behind(settings, outputs):
    """Functions whose alias is not, or not wholly, on their newest version: by name, (version it is on, newest)."""
    found = aws.aliases(settings, ALIAS, sorted(outputs["functions"].values()))
    return {name: (state["version"], state["newest"]) for name, state in found.items()
            if state["version"] != state["newest"] or state["weights"]}


def settle(settings, outputs):
    """Everybody to the newest versions, at once: after a rollback, what Terraform has just published is known to work."""
    if not settings.on_local_cloud:
        _complete(settings, behind(settings, outputs))


def release(settings, outputs, wanted=None, sleep=time.sleep):
    """Shifts what is behind; returns it, as `back` takes it. A bad alarm puts everybody back to the versions before, and fails."""
    if settings.on_local_cloud:
        return {}
    moving = behind(settings, outputs)
    if not moving:
        return {}
    wanted = wanted or wish()
    if not wanted.percent:
        _complete(settings, moving)
        line(f"Shifted {len(moving)} function(s) at once (CANARY=0).")
        return moving
    prefix = outputs["functions"]["ops-health"].removesuffix("ops-health")
    _look(settings, prefix, "nothing was shifted. Find out why, or shift without looking: CANARY=0")
    try:
        _watch(settings, prefix, moving, wanted, sleep)
    except KeyboardInterrupt:
        # Nothing can be started any more: what this says is what is left.
        line(f"Interrupted in the canary: {wanted.percent} % stay on the new versions until the next deploy or rollback.")
        raise
    except (Failed, Refused) as trouble:
        back(settings, moving)
        raise Failed(f"{trouble}; all callers are back on the versions before.") from None
    _complete(settings, moving)
    return moving


def _watch(settings, prefix, moving, wanted, sleep):
    with Step(f"canary: {wanted.percent} % of the calls of {len(moving)} function(s) for {wanted.minutes} min") as step:
        aws.move_aliases(settings, ALIAS, [{"name": name, "version": old, "weights": {new: wanted.percent / 100} if new != old else {}}
                                           for name, (old, new) in moving.items()])
        for _ in range(wanted.minutes * 60 // EVERY_SECONDS):
            sleep(EVERY_SECONDS)
            _look(settings, prefix, "the canary is over")
        step.note = "no alarm"


def _look(settings, prefix, then):
    """Raises where a rollback alarm is on, or where there is none to look at."""
    states = aws.rollback_alarms(settings, prefix)
    if not states:
        raise Refused(f"there is no alarm {prefix}…-rollback to watch a canary by: {then}")
    on = sorted(name for name, state in states.items() if state == "ALARM")
    if on:
        raise Failed(f"{', '.join(on)} {'is' if len(on) == 1 else 'are'} on: {then}")


def _complete(settings, moving):
    if moving:
        aws.move_aliases(settings, ALIAS, [{"name": name, "version": new, "weights": {}} for name, (_, new) in moving.items()])


def back(settings, moving):
    """Everybody on the versions from before the shift."""
    aws.move_aliases(settings, ALIAS, [{"name": name, "version": old, "weights": {}} for name, (old, _) in moving.items()])
