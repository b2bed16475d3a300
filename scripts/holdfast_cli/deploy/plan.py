"""The verbs that compare a deployment with the code and change nothing."""

from __future__ import annotations

from holdfast_cli.core import catalogue
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import STACKS, Settings, require_stack
from holdfast_cli.deploy import aws, canary, releases, stacks, terraform
from holdfast_cli.deploy.deploy import make_ready
from holdfast_cli.deploy.preparation import exclusive, prerequisites
from holdfast_cli.local import cloud


def plan(settings: Settings) -> None:
    """Shows what a deploy would change."""
    require_stack(settings)
    with exclusive(settings):
        prerequisites(settings)
        current = None
        if not settings.is_local:
            aws.require_buckets(settings)
            current = releases.History(settings).current()
            releases.check_switch(settings, current, settings.cache_mode)
        cloud.require_running(settings)
        # The release that is deployed stands in for a build. Of functions that it has not, their own pipeline builds and plans.
        if settings.built and current and not settings.manifest_file.exists() and releases.lacking_in(current):
            _plan_the_rest(settings, current)
        elif not stacks.plan_all(make_ready(settings)):
            line("Nothing to change.")


def _plan_the_rest(settings: Settings, current: releases.Release) -> None:
    """Plans the stacks whose functions are all in the deployed release, and names the pipelines that plan the others."""
    lacking = releases.lacking_in(current)
    later = {catalogue.functions()[name]["stack"] for name in lacking}
    pipelines = ", ".join(f"service-{service}" for service, stack in catalogue.SERVICES.items() if stack in later)
    line(f"Release {current['name']} has no {', '.join(lacking)} yet: {' and '.join(name for name in STACKS if name in later)} is planned by "
         f"{pipelines}, which builds it.")
    chosen = terraform.stacks(settings, [name for name in settings.stacks if name not in later])
    if not chosen:
        return
    try:
        releases.install(settings, current, keep_inputs=True, whole=False)
        terraform.prepare(settings, chosen)
        if not stacks.plan_all(chosen):
            line("Nothing to change in the other stacks.")
    finally:
        # It is no release to deploy: nothing may take it for one.
        settings.manifest_file.unlink(missing_ok=True)


def drift(settings: Settings) -> None:
    """Whether what is deployed is still what its release and this code say."""
    if settings.is_local:
        raise Refused("drift is for ENV=staging and ENV=production: it compares with the release that is deployed there.")
    with exclusive(settings):
        prerequisites(settings, builds=False)
        aws.require_buckets(settings)
        current = releases.History(settings).current()
        if current is None:
            raise Refused(f"nothing is deployed to ENV={settings.env}.")
        releases.install(settings, current)
        chosen = terraform.stacks(settings)
        terraform.prepare(settings, chosen)
        if (halves := canary.split(settings)):
            raise Failed("a canary was interrupted, and its share of the calls stays on the new versions. `make deploy" + settings.named +
                         "` completes it, and `make rollback" + settings.named + "` returns every call: " + "; ".join(halves))
        if stacks.plan_all(chosen):
            raise Failed(f"ENV={settings.env} is not what release {current['name']} and this commit say.")
        line(f"No drift: ENV={settings.env} is what release {current['name']} says.")
