"""The targets that make, show and remove a deployment."""

import fcntl
import json
import shutil
import time
from contextlib import contextmanager

import build
import cloud
import processes
import run
import terraform
import tools
from say import Failed, Refused, Step, line
from settings import ROOT, STACKS, require_stack


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


def local_only(settings):
    if not settings.is_local:
        tfvars = ROOT / "infra" / "environments" / f"{settings.env}.tfvars"
        missing = "" if tfvars.exists() else f" ({tfvars.relative_to(ROOT)} is missing, too)"
        raise Refused(f"ENV={settings.env}: this release deploys to ENV=local only{missing}.")


def prerequisites(settings):
    local_only(settings)
    tools.require_terraform()
    tools.require_cargo()
    tools.python_tools(settings)


def deploy(settings):
    require_stack(settings)
    began = time.monotonic()
    terraform.check_variables(settings)
    prerequisites(settings)
    line(f"Deploying ENV={settings.env} to the local cloud on {settings.endpoint}")
    with exclusive(settings):
        started = []
        try:
            redis = tools.redis_server()
            started = cloud.start(settings, redis)
            build.build(settings)
            applied = terraform.apply_all(settings)
            outputs = write_outputs(settings, bool(redis))
            with Step("waiting for the health check"):
                health = cloud.wait_for_health(f"{outputs['httpUrl']}/v1/health")
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


def write_outputs(settings, has_redis):
    """Everything an operator or a test has to know, in one file."""
    found = {stack.name: stack.outputs() for stack in terraform.stacks(settings) if stack.state.exists()}
    missing = [name for name in STACKS if name not in found]
    if missing:
        raise Failed(f"not deployed yet: {', '.join(missing)}; run `make deploy` without SERVICE first.")
    functions = {}
    for values in found.values():
        functions.update(values.get("functions", {}))
    outputs = {
        "env": settings.env,
        "region": "us-east-1",
        "cacheProvider": settings.cache,
        "httpUrl": found["platform"]["http_url"],
        "wsUrl": found["push"]["ws_url"],
        "consoleUrl": f"{settings.endpoint}/_ministack/health",
        "awsEndpointUrl": settings.endpoint,
        "redisUrl": f"redis://127.0.0.1:{settings.redis_port}/0" if has_redis else None,
        "tables": found["platform"]["tables"],
        "queues": found["push"]["queues"],
        "eventBus": found["events"]["event_bus"],
        "functions": dict(sorted(functions.items())),
    }
    settings.outputs_file.write_text(json.dumps(outputs, indent=2) + "\n")
    return outputs


def read_outputs(settings):
    local_only(settings)
    try:
        return json.loads(settings.outputs_file.read_text())
    except (OSError, ValueError):
        raise Refused(f"nothing is deployed in {settings.work}: run `make deploy` first.") from None


def greet(settings, outputs, health):
    http = outputs["httpUrl"]
    line()
    line(f"  HTTP API    {http}")
    line(f"  WebSocket   {outputs['wsUrl']}")
    line(f"  AWS API     {outputs['awsEndpointUrl']}   (access key test, secret test)")
    if outputs["redisUrl"]:
        line(f"  Redis       {outputs['redisUrl']}")
    line(f"  Health      {health['status']}, cache {health['checks']['cache']['provider']}")
    line(f"  All of it   {settings.outputs_file}")
    line()
    line("Try it:")
    line(f"  curl -s {http}/v1/users -d '{{\"email\":\"ada@example.com\",\"password\":\"correct horse battery\"}}'")
    line(f"  curl -s {http}/v1/auth/login -d '{{\"email\":\"ada@example.com\",\"password\":\"correct horse battery\"}}'")
    line("  make smoke        the whole path: sign in, socket, push, revoke, closed")


def plan(settings):
    require_stack(settings)
    terraform.check_variables(settings)
    prerequisites(settings)
    with exclusive(settings):
        if not cloud.running(settings, cloud.EMULATOR):
            raise Refused("the local cloud is not running: run `make deploy` first.")
        build.build(settings)
        if not terraform.plan_all(settings):
            line("Nothing to change.")


def destroy(settings):
    if settings.env == "production":
        raise Refused("ENV=production is never destroyed by make.")
    local_only(settings)
    if not settings.work.exists():
        line("Nothing to destroy.")
        return
    with exclusive(settings):
        if cloud.running(settings, cloud.EMULATOR):
            tools.require_terraform()
            terraform.prepare(settings, [s for s in terraform.stacks(settings) if s.state.exists()])
            for stage in reversed(terraform.STAGES):
                def one(stack):
                    with Step(f"destroying stack {stack.name}"):
                        stack.destroy()
                        stack.state.unlink(missing_ok=True)
                        stack.state.with_suffix(".tfstate.backup").unlink(missing_ok=True)
                terraform.side_by_side(one, [s for s in terraform.stacks(settings, stage) if s.state.exists()])
        stopped = cloud.stop(settings)
        for name in ("cloud", "redis", "state", "terraform", "artifacts", "outputs.json", "release.json", "logs"):
            path = settings.work / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    line(f"Destroyed ENV={settings.env}: no state is left{', the local cloud is stopped' if stopped else ''}.")


def outputs(settings):
    line(json.dumps(read_outputs(settings), indent=2))


def status(settings):
    known = read_outputs(settings)
    for record, name, port in ((cloud.EMULATOR, "local cloud", settings.port), (cloud.REDIS, "redis-server", settings.redis_port)):
        pid = processes.recorded(settings.work / record)
        line(f"{name:13} {'running, pid ' + str(pid) if pid else 'not running (make deploy starts it)'}, port {port}")
    code, body = cloud.answers(f"{known['httpUrl']}/v1/health", 10)
    text = body.decode(errors="replace")
    line(f"health        {code or 'no answer'} {text[:300]}")
    if code != 200:
        raise Failed("not healthy: `make logs SERVICE=ops-health` says more.")
