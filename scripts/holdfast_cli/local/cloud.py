"""The local cloud: the pinned emulator and a real redis-server, on loopback, with nothing of the caller's credentials."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from holdfast_cli.core import commands, environment, http, processes, tools
from holdfast_cli.core.console import Step
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.local import providers

EMULATOR = "ministack.pid"
REDIS = "redis.pid"
NAMES = {EMULATOR: "the local cloud", REDIS: "redis-server"}


def test_environment(settings: Settings, **more: str) -> dict[str, str]:
    """For cargo and what it runs: the tools on the path, nothing of the caller's AWS account."""
    return {**environment.clean(), "PATH": environment.path_with_tools(settings), "HOLDFAST_TOOLS": str(settings.tools),
            **providers.variables(settings), **more}


def _emulator_environment(settings: Settings) -> dict[str, str]:
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
        # It writes every request that it gets to this file (scripts/local/recorder.py).
        **({"HOLDFAST_RECORDING": str(settings.recording_file)} if settings.records else {}),
        # A rehearsal deploys with the role of a pipeline (scripts/local/iam_requests.py).
        **({"HOLDFAST_IAM_REQUESTS": "1"} if settings.rehearsal else {}),
    }


def _wait(what: str, check: Callable[[], bool], process: commands.Child, log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return
        if process.poll() is not None:
            tail = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise Failed(f"{what} ended at once: {' '.join(tail)} ({log})")
        time.sleep(0.05)
    raise Failed(f"{what} did not come up within {seconds} s; see {log}")


def running(settings: Settings, record: str = EMULATOR) -> bool:
    return processes.recorded(settings.work / record) is not None


def require_running(settings: Settings) -> None:
    if settings.is_local and not running(settings):
        raise Refused("the local cloud is not running: run `make deploy` first.")


def rewind_streams(state_file: Path) -> None:
    """A stopped emulator keeps the position of each reader of a table's stream, but not the stream. After a restart it would
    skip as many new records as it had read before. Here readers begin at the start of the new, empty stream."""
    try:
        state = json.loads(state_file.read_text(encoding="utf-8"))
        positions = state["payload"]["dynamodb_stream_positions"]["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    for reader in positions:
        positions[reader] = 0
    state_file.write_text(json.dumps(state), encoding="utf-8")


def start_redis(server: str, record: Path, port: int, folder: Path, log: Path, *more: str) -> None:
    """Starts a redis-server and waits until it listens."""
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *more]
    process = processes.start(record, command, env={"PATH": os.environ.get("PATH", "")}, cwd=folder, log=log, port=port)
    _wait("redis-server", lambda: processes.port_is_busy(port), process, log, 10)


def start(settings: Settings, redis_server: str | None) -> list[str]:
    """Starts what is not running. Returns the records of what this call started."""
    started: list[str] = []
    for folder in ("cloud/tmp", "cloud/state", "cloud/s3", "redis", "logs"):
        (settings.work / folder).mkdir(parents=True, exist_ok=True)
    wants_redis = redis_server is not None and not running(settings, REDIS)
    wants_emulator = not running(settings)
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
        if redis_server is not None and wants_redis:
            with Step(f"starting redis-server on 127.0.0.1:{settings.redis_port}"):
                started.append(REDIS)
                folder = settings.work / "redis"
                start_redis(redis_server, settings.work / REDIS, settings.redis_port, folder, settings.log("redis.log"),
                            "--dir", str(folder), "--daemonize", "no")
        if wants_emulator:
            with Step(f"starting the local cloud on 127.0.0.1:{settings.port}"):
                log = settings.log("ministack.log")
                rewind_streams(settings.work / "cloud" / "state" / "lambda.json")
                started.append(EMULATOR)
                if settings.records:
                    settings.recording_file.touch()
                process = processes.start(settings.work / EMULATOR, [tools.binary(settings, "ministack")], env=_emulator_environment(settings),
                                          cwd=settings.work / "cloud", log=log, port=settings.port)
                _wait("the local cloud", lambda: http.answer(f"{settings.endpoint}/_ministack/health")[0] == 200, process, log, 30)
    except BaseException:
        stop(settings, started)
        raise
    return started


def stop(settings: Settings, records: list[str] | None = None) -> list[str]:
    """Stops the recorded processes; says which there were."""
    return [record for record in (records if records is not None else [EMULATOR, REDIS]) if processes.stop(settings.work / record)]
