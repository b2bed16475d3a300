"""The local cloud: the pinned emulator and a real redis-server, on loopback, with nothing of the caller's credentials."""

import json
import os
import time
import urllib.error
import urllib.request

import processes
from say import Failed, Refused, Step
from settings import ROOT

EMULATOR = "ministack.pid"
REDIS = "redis.pid"


# What would change a Terraform run behind this tool's back; where providers come from (TF_CLI_CONFIG_FILE) is left alone.
_TERRAFORM = ("TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR")


def clean_environment():
    """The caller's environment without anything that could reach their AWS account."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", *_TERRAFORM))}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def environment(settings):
    """What commands for this environment run with: the caller's credentials are for AWS only."""
    if settings.is_local:
        return clean_environment()
    if settings.rehearsal:
        # Whatever asks for AWS gets the local cloud: the state of Terraform, too.
        return {**clean_environment(), "AWS_ENDPOINT_URL": settings.endpoint, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_TERRAFORM)}
    return {**kept, "AWS_REGION": settings.region, "AWS_DEFAULT_REGION": settings.region}


def _emulator_environment(settings):
    kept = {k: os.environ[k] for k in ("PATH", "LANG", "LC_ALL", "TZ") if k in os.environ}
    data = settings.work / "cloud"
    return {
        **kept,
        "HOME": str(data),
        "TMPDIR": str(data / "tmp"),
        "PYTHONPATH": str(ROOT / "scripts" / "local"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AUTH": "true",
        "GATEWAY_PORT": str(settings.port),
        "BIND_HOST": "127.0.0.1",
        # On the server process: its functions inherit it.
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "MINISTACK_HOST": "127.0.0.1",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(data / "state"),
        "S3_DATA_DIR": str(data / "s3"),
        "S3_PERSIST": "1",
        # Idle function processes go after a while; a warm one answers in a fifth of the time.
        "LAMBDA_WARM_TTL_SECONDS": "300",
    }


def answers(url, seconds=2):
    try:
        # A proxy of the caller's has no business between this machine and itself.
        proxies = [urllib.request.ProxyHandler({})] if url.startswith("http://127.0.0.1:") else []
        with urllib.request.build_opener(*proxies).open(url, timeout=seconds) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (OSError, ValueError):
        return None, b""


def _wait(what, check, process, log, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return
        if process.poll() is not None:
            tail = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise Failed(f"{what} ended at once: {' '.join(tail)} ({log})")
        time.sleep(0.05)
    raise Failed(f"{what} did not come up within {seconds} s; see {log}")


def running(settings, record):
    return processes.recorded(settings.work / record) is not None


def rewind_streams(state_file):
    """A stopped emulator keeps how far each reader of a table's stream had come, but not the stream: started again, it would
    skip as many new records as it had read before. Here readers begin at the beginning of the new, empty stream."""
    try:
        state = json.loads(state_file.read_text(encoding="utf-8"))
        positions = state["payload"]["dynamodb_stream_positions"]["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for reader in positions:
        positions[reader] = 0
    state_file.write_text(json.dumps(state), encoding="utf-8")


def start(settings, redis_server):
    """Starts what is not running. Returns the records of what this call started."""
    started = []
    logs = settings.work / "logs"
    for folder in ("cloud/tmp", "cloud/state", "cloud/s3", "redis", "logs"):
        (settings.work / folder).mkdir(parents=True, exist_ok=True)
    wants_redis = redis_server and not running(settings, REDIS)
    wants_emulator = not running(settings, EMULATOR)
    for record, port, name in ((EMULATOR, settings.port, "HOLDFAST_PORT"), (REDIS, settings.redis_port, "HOLDFAST_REDIS_PORT")):
        known = processes.recorded_port(settings.work / record)
        if known not in (None, port):
            raise Refused(f"{name}={port}, but what is deployed in {settings.work} runs on port {known}: `make destroy` it first.")
    # Both are looked at before either is started: nothing half-running.
    if wants_emulator and processes.port_is_busy(settings.port):
        raise Refused(f"Port {settings.port} is taken: choose another with HOLDFAST_PORT=… (used for the local cloud).")
    if wants_redis and processes.port_is_busy(settings.redis_port):
        raise Refused(f"Port {settings.redis_port} is taken: choose another with HOLDFAST_REDIS_PORT=… (used for redis-server).")
    try:
        if wants_redis:
            with Step(f"starting redis-server on 127.0.0.1:{settings.redis_port}"):
                log = logs / "redis.log"
                started.append(REDIS)
                process = processes.start(
                    settings.work / REDIS,
                    [redis_server, "--port", str(settings.redis_port), "--bind", "127.0.0.1", "--save", "",
                     "--appendonly", "no", "--dir", str(settings.work / "redis"), "--daemonize", "no"],
                    env={"PATH": os.environ.get("PATH", "")}, cwd=settings.work / "redis", log=log,
                    port=settings.redis_port,
                )
                _wait("redis-server", lambda: processes.port_is_busy(settings.redis_port), process, log, 10)
        if wants_emulator:
            with Step(f"starting the local cloud on 127.0.0.1:{settings.port}"):
                log = logs / "ministack.log"
                rewind_streams(settings.work / "cloud" / "state" / "lambda.json")
                started.append(EMULATOR)
                process = processes.start(
                    settings.work / EMULATOR, [str(settings.tools / "bin" / "ministack")],
                    env=_emulator_environment(settings), cwd=settings.work / "cloud", log=log,
                    port=settings.port,
                )
                health = f"{settings.endpoint}/_ministack/health"
                _wait("the local cloud", lambda: answers(health)[0] == 200, process, log, 30)
    except BaseException:
        stop(settings, started)
        raise
    return started


def stop(settings, records=(EMULATOR, REDIS)):
    """Stops the recorded processes; says which there were."""
    return [record for record in records if processes.stop(settings.work / record)]


def wait_for_health(url, seconds=60):
    deadline = time.monotonic() + seconds
    status, body = None, b""
    while time.monotonic() < deadline:
        status, body = answers(url, 5)
        if status == 200:
            try:
                return json.loads(body)
            except ValueError:
                break
        time.sleep(0.2)
    raise Failed(f"{url} did not answer 200 within {seconds} s (last: {status or 'no answer'} {body[:200].decode(errors='replace')})")
