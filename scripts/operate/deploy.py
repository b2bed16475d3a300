"""The targets that make, show and remove a deployment."""

import fcntl
import json
import sys
import time
from contextlib import contextmanager, redirect_stdout

import aws
import build
import cloud
import releases
import run
import shift
import terraform
import tools
import workflows
from say import Failed, Refused, Step, line
from settings import STACKS, require_stack


@contextmanager
def exclusive(settings):
    """One deploy or destroy of an environment at a time."""
    settings.work.mkdir(parents=True, exist_ok=True)
    with open(settings.work / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(f"another make of ENV={settings.env} is at work in {settings.work}; wait for it.") from None
        yield


def prerequisites(settings, builds=True, changes=False):
    """Everything that can be refused is refused here, before anything is started, built or changed. What `changes` an environment of
    AWS needs its account to be named."""
    values = None if settings.is_local else aws.inputs(settings)
    shift.wish()
    terraform.check_variables(settings)
    tools.require_terraform()
    if builds and not settings.built:
        tools.require_cargo()
        build.check(settings)
    tools.python_tools(settings)
    if settings.rehearsal:
        cloud.start(settings, _needed(tools.redis_server(settings)) if settings.cache == "redis" else None)
    if values is not None:
        who = aws.identity(settings, values)
        if changes:
            aws.require_account(settings, values, who)
        line(f"ENV={settings.env}: {settings.region}, account {who['account']}, as {who['arn']}")


def deploy(settings, smoke=None):
    """Builds and applies what changed, and looks whether it works: health, then `smoke`. What does not is rolled back."""
    require_stack(settings)
    began = time.monotonic()
    with exclusive(settings):
        prerequisites(settings, changes=True)
        line(f"Deploying ENV={settings.env} to {settings.where}")
        started = []
        try:
            redis = tools.redis_server(settings) if settings.is_local else None
            if settings.is_local:
                choose_cache(settings, redis)
                started = cloud.start(settings, redis)
            else:
                aws.require_buckets(settings)
            chosen = make_ready(settings)
            history = releases.History(settings)
            before = history.current()
            releases.check_switch(settings, before, settings.cache_mode)
            release = releases.candidate(settings, before)
            if not settings.is_local:
                aws.upload(settings)
            touched = []
            try:
                applied = terraform.apply_all(settings, chosen, touched)
                outputs = write_outputs(settings)
            except (Failed, Refused) as trouble:
                if not touched:
                    raise
                raise Failed(f"{trouble}\n{left(settings, before, touched)}") from None
            shifted = {}
            try:
                shifted = shift.release(settings, outputs)
                # What was applied by a run that ended before it looked is looked at by the next.
                health = verify(settings, outputs, smoke if applied or shifted or release is not before else None)
            except (Failed, Refused) as trouble:
                if release is not before:
                    go_back(settings, history, before, trouble)
                if not applied and not shifted:
                    raise
                stay(settings, before, applied, shifted, trouble)
            if release is not before:
                history.add(release)
        except BaseException:
            # What this run started and could not finish, it stops; what ran before goes on running.
            run.interrupt_all()
            if started:
                cloud.stop(settings, started)
            raise
    seconds = time.monotonic() - began
    if not applied and not started:
        line(f"Nothing to change: everything is deployed and running ({seconds:.0f} s).")
    elif not applied:
        names = " and ".join({cloud.EMULATOR: "the local cloud", cloud.REDIS: "redis-server"}[s] for s in started)
        line(f"Nothing to change; restarted {names} ({seconds:.0f} s).")
    else:
        line(f"Deployed: {', '.join(s for s in STACKS if s in applied)} ({seconds:.0f} s).")
    greet(settings, outputs, health)


def verify(settings, outputs, smoke=None):
    """Whether what is deployed works; what health says."""
    with Step("waiting for the health check"):
        health = cloud.wait_for_health(f"{outputs['httpUrl']}/v1/health")
    if smoke:
        smoke(settings, outputs)
    return health


def go_back(settings, history, before, trouble):
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


def left(settings, release, stacks):
    """What a deploy that ended badly leaves behind, and the ways out."""
    env = "" if settings.is_local else f" ENV={settings.env}"
    # Of none: an earlier run applied what this one only shifted.
    where = f"in {', '.join(name for name in STACKS if name in stacks)}" if stacks else "before"
    kept = f"What Terraform changed {where} stays"
    if release is None:
        return f"{kept}: mend it and run `make deploy{env}` again; there is no earlier release to go back to."
    return (f"{kept}: mend it and run `make deploy{env}` again, or check out the commit that was deployed before this one and run "
            f"`make rollback{env} TO={release['name']}`.")


def stay(settings, release, applied, shifted, trouble):
    """After a deploy of other Terraform for the same release, which does not work: a release to go back to there is none, but the
    callers can be put back on the versions before. Always raises."""
    said = []
    if shifted:
        try:
            shift.back(settings, shifted)
            said = ["All callers are back on the versions before."]
        except (Failed, Refused) as more:
            said = [f"All callers stay on the new versions; they could not be put back: {more}"]
    raise Failed("\n".join([str(trouble), *said, left(settings, release, applied)])) from None


def apply_release(settings, release):
    """Applies an earlier release and waits for its health; the stacks that changed, and the outputs."""
    releases.install(settings, release)
    line(f"Applying release {release['name']} (commit {release['commit']})")
    chosen = terraform.stacks(settings, settings.stacks)
    terraform.prepare(settings, chosen)
    applied = terraform.apply_all(settings, chosen)
    outputs = write_outputs(settings)
    shift.settle(settings, outputs)
    verify(settings, outputs)
    return applied, outputs


def rollback(settings, smoke=None, name=None):
    """Back to the release before the current one, or to the one named."""
    if settings.service:
        raise Refused("SERVICE is not for rollback: a release is of all functions.")
    if settings.is_local and not cloud.running(settings, cloud.EMULATOR):
        raise Refused("the local cloud is not running: run `make deploy` first.")
    with exclusive(settings):
        prerequisites(settings, builds=False)
        history = releases.History(settings)
        current = history.current()
        if current is None:
            raise Refused(f"no release of ENV={settings.env} is known: there is nothing to go back to.")
        release = history.get(name or current["previous"])
        if release is None:
            raise Refused(f"there is no release {name}." if name else f"there is no release before {current['name']}.")
        releases.check_switch(settings, current, release.get("cache_mode"))
        applied, outputs = apply_release(settings, release)
        history.make_current(release)
        verify(settings, outputs, smoke)
    said = ", ".join(releases.changed(current, release)) or "no function"
    line(f"ENV={settings.env} is release {release['name']} again (it was {current['name']}; other code: {said}; "
         f"stacks changed: {', '.join(applied) or 'none'}).")


def choose_cache(settings, redis):
    """Locally redis wherever a redis-server can be had, unless CACHE says otherwise."""
    if settings.cache_chosen:
        if settings.cache == "redis":
            _needed(redis)
        return
    settings.cache = "redis" if redis else "dynamodb"


def _needed(redis):
    if not redis:
        raise Refused("CACHE=redis needs a redis-server: install your system's package redis, or use CACHE=dynamodb.")
    return redis


def make_ready(settings):
    """Builds, while Terraform fetches what it needs; the stacks this run is about."""
    chosen = terraform.stacks(settings, settings.stacks)
    terraform.until_one_fails([lambda: build.build(settings), lambda: terraform.prepare(settings, chosen)])
    return chosen


def outputs_of(settings, found, has_redis):
    """outputs.json from what the stacks say: `found` maps each stack to its outputs."""
    missing = [name for name in STACKS if not found.get(name)]
    if missing:
        raise Failed(f"not deployed yet: {', '.join(missing)}; run `make deploy` without SERVICE first.")
    functions = {}
    for values in found.values():
        functions.update(values.get("functions", {}))
    return {
        "env": settings.env,
        "region": settings.region,
        "cacheProvider": settings.cache or "dynamodb",
        "httpUrl": found["platform"]["http_url"],
        "wsUrl": found["push"]["ws_url"],
        "consoleUrl": f"{settings.endpoint}/_ministack/health" if settings.on_local_cloud else None,
        "awsEndpointUrl": settings.endpoint or None,
        "redisUrl": f"redis://127.0.0.1:{settings.redis_port}/0" if has_redis else None,
        "tables": {**found["platform"]["tables"], "activity": found["events"]["activity_table"]},
        "queues": found["push"]["queues"],
        "eventBus": found["events"]["event_bus"],
        "functions": dict(sorted(functions.items())),
    }


def write_outputs(settings):
    """Everything an operator or a test has to know, in one file."""
    has_redis = settings.on_local_cloud and cloud.running(settings, cloud.REDIS)
    stacks = terraform.stacks(settings)
    if not settings.is_local:
        terraform.prepare(settings, stacks)
    found = dict(zip(STACKS, terraform.side_by_side(terraform.Stack.outputs, stacks)))
    outputs = outputs_of(settings, found, has_redis)
    # Whole or not at all: others read it at any time.
    new = settings.outputs_file.with_suffix(".new")
    new.write_text(json.dumps(outputs, indent=2) + "\n", encoding="utf-8")
    new.replace(settings.outputs_file)
    return outputs


def read_outputs(settings):
    """What is deployed: of the local cloud from its file, of AWS from the stacks' state."""
    if not settings.is_local:
        with exclusive(settings):
            prerequisites(settings, builds=False)
            aws.require_buckets(settings)
            current = releases.History(settings).current()
            if current:
                settings.cache = current["cache"] or settings.cache
            return write_outputs(settings)
    try:
        return json.loads(settings.outputs_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Refused(f"nothing is deployed in {settings.work}: run `make deploy` first.") from None


def greet(settings, outputs, health):
    http = outputs["httpUrl"]
    line()
    line(f"  HTTP API    {http}")
    line(f"  WebSocket   {outputs['wsUrl']}")
    if outputs["awsEndpointUrl"]:
        line(f"  AWS API     {outputs['awsEndpointUrl']}   (access key test, secret test)")
    if outputs["redisUrl"]:
        line(f"  Redis       {outputs['redisUrl']}")
    line(f"  Health      {health['status']}, cache {outputs['cacheProvider']}")
    line(f"  All of it   {settings.outputs_file}")
    line()
    line("Try it:")
    if settings.on_local_cloud:
        person = '{"email":"ada@example.com","password":"correct horse battery"}'
        for route in ("users", "auth/login"):
            line(f"  curl -s {http}/v1/{route} -H 'content-type: application/json' -d '{person}'")
    line(f"  make smoke{'' if settings.is_local else ' ENV=' + settings.env}        the whole path: sign in, socket, push, revoke, closed")


def drift(settings):
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
        if terraform.plan_all(chosen):
            raise Failed(f"ENV={settings.env} is not what release {current['name']} and this commit say.")
        line(f"No drift: ENV={settings.env} is what release {current['name']} says.")


def plan(settings):
    require_stack(settings)
    with exclusive(settings):
        prerequisites(settings)
        if not settings.is_local:
            aws.require_buckets(settings)
        if settings.is_local and not cloud.running(settings, cloud.EMULATOR):
            raise Refused("the local cloud is not running: run `make deploy` first.")
        current = None
        if not settings.is_local:
            current = releases.History(settings).current()
            releases.check_switch(settings, current, settings.cache_mode)
        # The release that is deployed stands in for a build. Of functions that it has not, their own pipeline builds and plans.
        if settings.built and current and not settings.manifest_file.exists() and releases.lacking_in(current):
            plan_the_rest(settings, current)
        elif not terraform.plan_all(make_ready(settings)):
            line("Nothing to change.")


def plan_the_rest(settings, current):
    """Plans, with the release that is deployed, the stacks of which it has every function; says who plans the others."""
    lacking = releases.lacking_in(current)
    later = {build.functions()[name]["stack"] for name in lacking}
    pipelines = ", ".join(f"service-{service}" for service, stack in workflows.SERVICES.items() if stack in later)
    line(f"Release {current['name']} has no {', '.join(lacking)} yet: {' and '.join(name for name in STACKS if name in later)} is planned by "
         f"{pipelines}, which builds it.")
    chosen = terraform.stacks(settings, [name for name in settings.stacks if name not in later])
    if not chosen:
        return
    try:
        releases.install(settings, current, keep_inputs=True, whole=False)
        terraform.prepare(settings, chosen)
        if not terraform.plan_all(chosen):
            line("Nothing to change in the other stacks.")
    finally:
        # It is no release to deploy: nothing may take it for one.
        settings.manifest_file.unlink(missing_ok=True)


def outputs(settings):
    # Its standard output is JSON and nothing else: what is on the way says so elsewhere.
    with redirect_stdout(sys.stderr):
        known = read_outputs(settings)
    line(json.dumps(known, indent=2))
