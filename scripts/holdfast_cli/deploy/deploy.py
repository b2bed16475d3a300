"""The verbs that make a deployment, and take it back to an earlier release."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from holdfast_cli.core import commands, http, tools
from holdfast_cli.core.console import Step, answer, line, wants_json
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.parallel import until_one_fails
from holdfast_cli.core.settings import STACKS, Settings, require_stack
from holdfast_cli.deploy import aws, build, canary, outputs, preparation, releases, stacks, terraform
from holdfast_cli.deploy.outputs import Outputs
from holdfast_cli.local import cloud

# Plays the whole path once against what is deployed; raises where that does not work.
Smoke = Callable[[Settings, Outputs], None]
Health = dict[str, Any]


def deploy(settings: Settings, smoke: Smoke | None = None) -> None:
    """Builds and applies what changed, and looks whether it works: health, then `smoke`. What does not is rolled back."""
    require_stack(settings)
    began = time.monotonic()
    with preparation.exclusive(settings):
        preparation.prerequisites(settings, changes=True)
        line(f"Deploying ENV={settings.env} to {settings.where}")
        started: list[str] = []
        try:
            if settings.is_local:
                redis = tools.redis_server(settings)
                choose_cache(settings, redis)
                started = cloud.start(settings, redis)
            else:
                aws.require_buckets(settings)
            first = stacks.is_first(settings, terraform.stacks(settings))
            try:
                chosen = make_ready(settings, first)
            except (Failed, Refused) as trouble:
                begun = [stack.name for stack in terraform.stacks(settings) if first and stack.state.exists()]
                if not begun:
                    raise
                raise Failed(f"{trouble}\n{left(settings, None, begun)}") from None
            history = releases.History(settings)
            before = history.current()
            releases.check_switch(settings, before, settings.cache_mode)
            release = releases.candidate(settings, before)
            if not settings.is_local:
                aws.upload(settings)
            touched: list[str] = []
            try:
                applied = stacks.apply_all(settings, chosen, touched, first)
                known = outputs.write(settings)
            except (Failed, Refused) as trouble:
                if not touched:
                    raise
                raise Failed(f"{trouble}\n{left(settings, before, touched)}") from None
            shifted: canary.Moving = {}
            try:
                shifted = canary.release(settings, known)
                # What was applied by a run that ended before it looked is looked at by the next.
                health = verify(settings, known, smoke if applied or shifted or release is not before else None)
            except (Failed, Refused) as trouble:
                if release is not before:
                    go_back(settings, history, before, trouble)
                if not applied and not shifted:
                    raise
                stay(settings, before, applied, shifted, trouble)
            if release is not before:
                history.add(release)
            canary.prune(settings, known)
        except BaseException:
            # What this run started and could not finish, it stops; what ran before goes on running.
            commands.interrupt_all()
            if started:
                cloud.stop(settings, started)
            raise
    seconds = time.monotonic() - began
    if not applied and not started:
        line(f"Nothing to change: everything is deployed and running ({seconds:.0f} s).")
    elif not applied:
        line(f"Nothing to change; restarted {' and '.join(cloud.NAMES[record] for record in started)} ({seconds:.0f} s).")
    else:
        line(f"Deployed: {', '.join(s for s in STACKS if s in applied)} ({seconds:.0f} s).")
    if wants_json():
        answer(known)
    else:
        greet(settings, known, health)


def choose_cache(settings: Settings, redis: str | None) -> None:
    """Locally redis where a redis-server is available, unless CACHE selects another provider."""
    if not settings.cache_chosen:
        settings.cache = "redis" if redis else "dynamodb"
    elif settings.cache == "redis":
        tools.require_redis(redis)


def make_ready(settings: Settings, first: bool = False) -> list[terraform.Stack]:
    """Builds, while Terraform fetches what it needs, and makes what needs no build if this is the first deploy of all stacks. Returns the stacks
    this run is about."""
    chosen = terraform.stacks(settings, settings.stacks)
    is_built = threading.Event()

    def compile_functions() -> None:
        try:
            build.build(settings)
        finally:
            is_built.set()

    def prepare() -> None:
        terraform.prepare(settings, chosen)
        if first and len(chosen) == len(STACKS):
            stacks.lay_foundations(settings, chosen, is_built.is_set)

    until_one_fails([compile_functions, prepare])
    return chosen


def verify(settings: Settings, known: Outputs, smoke: Smoke | None = None) -> Health:
    """Whether what is deployed works; what health says."""
    with Step("waiting for the health check"):
        health = http.wait_for_health(f"{known['httpUrl']}/v1/health")
    if smoke:
        smoke(settings, known)
    return health


def go_back(settings: Settings, history: releases.History, before: releases.Release | None, trouble: Exception) -> NoReturn:
    """After a deploy that does not work: the release before it, with its variables. Always raises."""
    if before is None:
        raise Failed(f"{trouble}\nThere is no earlier release to go back to.") from None
    line(f"It does not work: {trouble}")
    broken = releases.candidate(settings, before)
    try:
        apply_release(settings, before)
    except (Failed, Refused) as more:
        raise Failed(f"{trouble}\nIt could not be rolled back to release {before['name']}: {more}") from None
    # The next deploy is compared with what runs, and the one after a rollback goes on from here.
    history.make_current(before)
    said = ", ".join(releases.changed(before, broken)) or "its variables"
    raise Failed(f"{trouble}\nRolled back to release {before['name']} (undone: {said}).") from None


def left(settings: Settings, release: releases.Release | None, names: list[str]) -> str:
    """The changes that a failed deploy leaves, and the two solutions."""
    # Of none: an earlier run applied what this one only shifted.
    where = f"in {', '.join(name for name in STACKS if name in names)}" if names else "before"
    again = f"What Terraform changed {where} stays: fix the cause and run `make deploy{settings.named}` again"
    if release is None:
        return f"{again}; there is no earlier release to go back to."
    return (f"{again}, or check out the commit that was deployed before this one and run "
            f"`make rollback{settings.named} TO={release['name']}`.")


def stay(settings: Settings, release: releases.Release | None, applied: list[str], shifted: canary.Moving, trouble: Exception) -> NoReturn:
    """Handles a failed deploy of other Terraform for the same release. There is no release to return to, but the
    callers can return to the versions before. Always raises."""
    said: list[str] = []
    if shifted:
        try:
            canary.back(settings, shifted)
            said = ["All callers are back on the versions before."]
        except (Failed, Refused) as more:
            said = [f"All callers stay on the new versions; they could not be put back: {more}"]
    raise Failed("\n".join([str(trouble), *said, left(settings, release, applied)])) from None


def apply_release(settings: Settings, release: releases.Release) -> tuple[list[str], Outputs]:
    """Applies an earlier release and waits for its health; the stacks that changed, and the outputs."""
    releases.install(settings, release)
    line(f"Applying release {release['name']} (commit {release['commit']})")
    chosen = terraform.stacks(settings, settings.stacks)
    terraform.prepare(settings, chosen)
    applied = stacks.apply_all(settings, chosen)
    known = outputs.write(settings)
    canary.settle(settings, known)
    verify(settings, known)
    return applied, known


def rollback(settings: Settings, smoke: Smoke | None = None, name: str | None = None) -> None:
    """Back to the release before the current one, or to the one named."""
    if settings.service:
        raise Refused("SERVICE is not for rollback: a release is of all functions.")
    cloud.require_running(settings)
    with preparation.exclusive(settings):
        preparation.prerequisites(settings, builds=False)
        history = releases.History(settings)
        current = history.current()
        if current is None:
            raise Refused(f"no release of ENV={settings.env} is known: there is nothing to go back to.")
        release = history.get(name or current["previous"])
        if release is None:
            raise Refused(f"there is no release {name}." if name else f"there is no release before {current['name']}.")
        releases.check_switch(settings, current, release.get("cache_mode"))
        applied, known = apply_release(settings, release)
        history.make_current(release)
        verify(settings, known, smoke)
    said = ", ".join(releases.changed(current, release)) or "no function"
    line(f"ENV={settings.env} is release {release['name']} again (it was {current['name']}; other code: {said}; "
         f"stacks changed: {', '.join(applied) or 'none'}).")
    if wants_json():
        answer(known)


def greet(settings: Settings, known: Outputs, health: Health) -> None:
    url = known["httpUrl"]
    line()
    line(f"  HTTP API    {url}")
    line(f"  WebSocket   {known['wsUrl']}")
    if known["awsEndpointUrl"]:
        line(f"  AWS API     {known['awsEndpointUrl']}   (access key test, secret test)")
    if known["redisUrl"]:
        line(f"  Redis       {known['redisUrl']}")
    line(f"  Health      {health['status']}, cache {known['cacheProvider']}")
    line(f"  All of it   {settings.outputs_file}")
    line()
    line("Try it:")
    if settings.on_local_cloud:
        person = '{"email":"ada@example.com","password":"correct horse battery"}'
        for route in ("users", "auth/login"):
            line(f"  curl -s {url}/v1/{route} -H 'content-type: application/json' -d '{person}'")
    line(f"  make smoke{settings.named}        the whole path: sign in, socket, push, revoke, closed")
