"""The targets that make, show and remove a deployment."""

import fcntl
import json
import shutil
import time
from contextlib import contextmanager

import aws
import build
import cloud
import processes
import run
import terraform
import tools
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


def prerequisites(settings, builds=True):
    """Everything that can be refused is refused here, before anything is started, built or changed."""
    values = None if settings.is_local else aws.inputs(settings)
    terraform.check_variables(settings)
    tools.require_terraform()
    if builds:
        tools.require_cargo()
        build.check(settings)
    tools.python_tools(settings)
    if values is not None:
        who = aws.identity(settings, values)
        line(f"ENV={settings.env}: {settings.region}, account {who['account']}, as {who['arn']}")


def deploy(settings, smoke=None):
    """Builds and applies what changed. `smoke` is played against AWS, where nobody is watching."""
    require_stack(settings)
    began = time.monotonic()
    prerequisites(settings)
    line(f"Deploying ENV={settings.env} to {'the local cloud on ' + settings.endpoint if settings.is_local else 'AWS'}")
    with exclusive(settings):
        started = []
        try:
            redis = tools.redis_server(settings) if settings.is_local else None
            if settings.is_local:
                choose_cache(settings, redis)
            if settings.is_local:
                started = cloud.start(settings, redis)
            chosen = make_ready(settings)
            if not settings.is_local:
                aws.upload(settings)
            applied = terraform.apply_all(settings, chosen)
            outputs = write_outputs(settings, bool(redis))
            with Step("waiting for the health check"):
                health = cloud.wait_for_health(f"{outputs['httpUrl']}/v1/health")
        except BaseException:
            # What this run started and could not finish, it stops; what ran before goes on running.
            run.interrupt_all()
            if started:
                cloud.stop(settings, started)
            raise
    if smoke and applied and not settings.is_local:
        smoke(settings)
    seconds = time.monotonic() - began
    if not applied and not started:
        line(f"Nothing to change: everything is deployed and running ({seconds:.0f} s).")
    elif not applied:
        names = " and ".join({cloud.EMULATOR: "the local cloud", cloud.REDIS: "redis-server"}[s] for s in started)
        line(f"Nothing to change; restarted {names} ({seconds:.0f} s).")
    else:
        line(f"Deployed: {', '.join(s for s in STACKS if s in applied)} ({seconds:.0f} s).")
    greet(settings, outputs, health)


def choose_cache(settings, redis):
    """Locally redis wherever a redis-server can be had, unless CACHE says otherwise."""
    if settings.cache_chosen:
        if settings.cache == "redis" and not redis:
            raise Refused("CACHE=redis needs a redis-server: install your system's package redis, or use CACHE=dynamodb.")
        return
    settings.cache = "redis" if redis else "dynamodb"


def make_ready(settings):
    """Builds, while Terraform fetches what it needs; the stacks this run is about."""
    chosen = terraform.stacks(settings, settings.stacks)
    terraform.side_by_side(lambda work: work(), [lambda: build.build(settings), lambda: terraform.prepare(settings, chosen)])
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
        "consoleUrl": f"{settings.endpoint}/_ministack/health" if settings.is_local else None,
        "awsEndpointUrl": settings.endpoint or None,
        "redisUrl": f"redis://127.0.0.1:{settings.redis_port}/0" if has_redis else None,
        "tables": {**found["platform"]["tables"], "activity": found["events"]["activity_table"]},
        "queues": found["push"]["queues"],
        "eventBus": found["events"]["event_bus"],
        "functions": dict(sorted(functions.items())),
    }


def write_outputs(settings, has_redis):
    """Everything an operator or a test has to know, in one file."""
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
        prerequisites(settings, builds=False)
        with exclusive(settings):
            return write_outputs(settings, False)
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
    line(f"  Health      {health['status']}, cache {health['checks']['cache']['provider']}")
    line(f"  All of it   {settings.outputs_file}")
    line()
    line("Try it:")
    if settings.is_local:
        person = '{"email":"ada@example.com","password":"correct horse battery"}'
        for route in ("users", "auth/login"):
            line(f"  curl -s {http}/v1/{route} -H 'content-type: application/json' -d '{person}'")
    line(f"  make smoke{'' if settings.is_local else ' ENV=' + settings.env}        the whole path: sign in, socket, push, revoke, closed")


def plan(settings):
    require_stack(settings)
    prerequisites(settings)
    with exclusive(settings):
        if settings.is_local and not cloud.running(settings, cloud.EMULATOR):
            raise Refused("the local cloud is not running: run `make deploy` first.")
        if not terraform.plan_all(make_ready(settings)):
            line("Nothing to change.")


def destroy(settings):
    if settings.env == "production":
        raise Refused("ENV=production is never destroyed by make.")
    if settings.service:
        raise Refused("SERVICE is not for destroy: it removes the whole environment.")
    if settings.is_local and not settings.work.exists():
        line("Nothing to destroy.")
        return
    if not settings.is_local:
        prerequisites(settings, builds=False)
    with exclusive(settings):
        here = not settings.is_local or cloud.running(settings, cloud.EMULATOR)
        trouble, removed = None, []
        try:
            removed = destroy_stacks(settings) if here else []
        except Failed as failed:
            if not settings.is_local:
                raise
            # All of it lives in the local cloud, which goes anyway.
            trouble = failed
        stopped = cloud.stop(settings) if settings.is_local else []
        forgotten = [name for name in MADE if _remove(settings.work / name)]
    said = []
    if removed:
        said.append(f"removed the stacks {', '.join(removed)}")
    if stopped:
        names = {cloud.EMULATOR: "the local cloud", cloud.REDIS: "redis-server"}
        said.append(f"stopped {' and '.join(names[record] for record in stopped)}")
    if not here and "state" in forgotten:
        said.append("the local cloud was not running, so its state is just forgotten")
    if trouble:
        raise Failed(f"{trouble}\nThe local cloud and its state are removed all the same.")
    line(f"Destroyed ENV={settings.env}: {'; '.join(said)}." if said else "Nothing to destroy.")


# What a deploy leaves in its work directory.
MADE = ("cloud", "lambda", "redis", "state", "terraform", "artifacts", "outputs.json", "release.json", "logs")


def destroy_stacks(settings):
    """Destroys the stacks in reverse order; the names of those there were."""
    tools.require_terraform()
    build.placeholder(settings)
    chosen = [s for s in terraform.stacks(settings) if not settings.is_local or s.state.exists()]
    terraform.prepare(settings, chosen)

    def one(stack):
        with Step(f"destroying stack {stack.name}"):
            stack.destroy()

    for stage in reversed(terraform.STAGES):
        terraform.side_by_side(one, [stack for stack in chosen if stack.name in stage])
    return [stack.name for stack in chosen]


def _remove(path):
    """Removes a file or a folder; whether there was one."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return True
    existed = path.exists()
    path.unlink(missing_ok=True)
    return existed


def outputs(settings):
    line(json.dumps(read_outputs(settings), indent=2))


def status(settings):
    if settings.is_local:
        for record, name, port in ((cloud.EMULATOR, "local cloud", settings.port), (cloud.REDIS, "redis-server", settings.redis_port)):
            pid = processes.recorded(settings.work / record)
            line(f"{name:13} {f'running, pid {pid}, port {port}' if pid else 'not running (make deploy starts it)'}")
    known = read_outputs(settings)
    code, body = cloud.answers(f"{known['httpUrl']}/v1/health", 10)
    line(f"http          {known['httpUrl']}")
    line(f"websocket     {known['wsUrl']}")
    line(f"health        {code or 'no answer'} {body.decode(errors='replace')[:300]}")
    if settings.is_local and not cloud.running(settings, cloud.EMULATOR):
        raise Failed("the local cloud is not running: `make deploy` starts it, with what was in it.")
    if code != 200:
        raise Failed("not healthy: `make logs SERVICE=ops-health` says more.")
