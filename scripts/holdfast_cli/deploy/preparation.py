"""What every verb that changes or reads a deployment does first."""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager

from holdfast_cli.core import tools
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.deploy import aws, build, environments, terraform
from holdfast_cli.local import cloud


@contextmanager
def exclusive(settings: Settings) -> Generator[None]:
    """One deploy or destroy of an environment at a time."""
    settings.work.mkdir(parents=True, exist_ok=True)
    with open(settings.work / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(f"another make of ENV={settings.env} is at work in {settings.work}; wait for it.") from None
        yield


def prerequisites(settings: Settings, builds: bool = True, changes: bool = False, more: tuple[str, ...] = ()) -> None:
    """Everything that can be refused is refused here, before anything is started, built or changed. What `changes` an environment of
    AWS needs its account to be named."""
    values = None if settings.is_local else environments.fill_in(settings)
    terraform.check_variables(settings, more)
    tools.require_terraform()
    if builds and not settings.built:
        tools.require_cargo()
        build.check(settings)
    tools.install(settings)
    if settings.rehearsal:
        cloud.start(settings, tools.require_redis(tools.redis_server(settings)) if settings.cache == "redis" else None)
    if values is not None:
        who = aws.identity(settings, values)
        if changes:
            environments.require_account(settings, values, who["account"])
            environments.require_own_scope(settings, values)
            if environments.alarms_reach_nobody(settings, values):
                line(f"ENV={settings.env} sends its alarms to no topic: name an SNS topic in alarm_topic_arns of "
                     f"{settings.tfvars_file.relative_to(ROOT)}.")
        line(f"ENV={settings.env}: {settings.region}, account {who['account']}, as {who['arn']}")
