"""Where things are and what was asked for: read once, from options or from the environment variables of the same meaning."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from holdfast_cli.core import interpreter
from holdfast_cli.core.errors import Refused

ROOT = interpreter.ROOT
STACKS = ("platform", "auth", "sessions", "push", "events")
ENVIRONMENTS = ("local", "staging", "production")
DELETE_ONLY = "redis, delete only"
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}


class Canary(NamedTuple):
    """How many percent of the calls a new version gets first (0: all at once), and for how many minutes."""

    percent: int = 10
    minutes: int = 5


@dataclass
class Settings:
    env: str
    work: Path
    tools: Path
    port: int
    redis_port: int
    arch: str
    # None: on AWS, what the environment's file says.
    cache: str | None
    # Whether CACHE or VARS said so, rather than what there is.
    cache_chosen: bool = False
    # Whether functions only delete from the cache: the step between two providers. None: what Terraform's files say.
    delete_only: bool | None = None
    variables: dict[str, str] = field(default_factory=dict[str, str])
    service: str = ""
    region: str = "us-east-1"
    state_bucket: str = ""
    artifacts_bucket: str = ""
    # An environment of AWS, played on the local cloud: its inputs, names, state in S3 and release process, no account.
    rehearsal: bool = False
    # Of a rehearsal: access key, secret and token of the role that it plays; none for the administrator of the local cloud.
    credentials: tuple[str, ...] = ()
    # Of a rehearsal: what is written into the environment's file while it is played.
    written: str = ""
    # Whether to deploy what the last build, of this machine or another, left in the work directory.
    built: bool = False
    # Whether a plan that removes or replaces what holds data may be applied.
    allow_destroy: bool = False
    # Whether to plan every stack, also where nothing that it is made from has changed.
    plan_all: bool = False
    canary: Canary = field(default_factory=Canary)
    # Whether the local cloud writes down the requests that it gets.
    records: bool = False

    @property
    def is_local(self) -> bool:
        return self.env == "local"

    @property
    def on_local_cloud(self) -> bool:
        return self.is_local or self.rehearsal

    @property
    def endpoint(self) -> str:
        """Address of the local cloud; none on AWS."""
        return f"http://127.0.0.1:{self.port}" if self.on_local_cloud else ""

    @property
    def where(self) -> str:
        return f"the local cloud on {self.endpoint}" if self.on_local_cloud else "AWS"

    @property
    def named(self) -> str:
        """The environment as an argument of make: nothing for the default."""
        return "" if self.is_local else f" ENV={self.env}"

    @property
    def redis_url(self) -> str:
        """Address of the local redis-server; none where nothing uses it."""
        return f"redis://127.0.0.1:{self.redis_port}/0" if self.on_local_cloud and self.cache == "redis" else ""

    @property
    def cache_mode(self) -> str:
        """How far the cache is switched on: `dynamodb` (off), `redis, delete only` or `redis`."""
        if self.cache != "redis":
            return "dynamodb"
        given = self.variables.get("redis_delete_only")
        return DELETE_ONLY if (given == "true" if given is not None else self.delete_only) else "redis"

    @property
    def tfvars_file(self) -> Path:
        return ROOT / "infra" / "environments" / f"{self.env}.tfvars"

    @property
    def backend_file(self) -> Path:
        return ROOT / "infra" / "environments" / f"{self.env}.s3.tfbackend"

    @property
    def outputs_file(self) -> Path:
        return self.work / "outputs.json"

    @property
    def manifest_file(self) -> Path:
        return self.work / "release.json"

    @property
    def recording_file(self) -> Path:
        """The requests that the local cloud got, where it records them."""
        return self.work / "requests.jsonl"

    @property
    def stacks(self) -> tuple[str, ...]:
        """The stacks this run is about: all, or the one of SERVICE."""
        return (self.service,) if self.service else STACKS

    def log(self, name: str) -> Path:
        """A log file of this environment, in a folder that is there."""
        folder = self.work / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name


def machine_arch() -> str:
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def alternatives(names: tuple[str, ...] | list[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _port(environ: Mapping[str, str], name: str, default: int, work: Path, output: str) -> int:
    """A port as asked for, else the one this directory's deployment has, else the default."""
    text = environ.get(name)
    if not text:
        try:
            known = json.loads((work / "outputs.json").read_text(encoding="utf-8")).get(output) or ""
        except (OSError, ValueError, AttributeError):
            known = ""
        found = re.match(r"[a-z]+://127\.0\.0\.1:(\d+)", known)
        text = found.group(1) if found else str(default)
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise Refused(f"{name}={text}: a port from 1024 to 65535 is needed.")
    return int(text)


def parse_variables(text: str) -> dict[str, str]:
    """VARS='a=1 b=two' as a mapping; values may not hold spaces or quotes."""
    found: dict[str, str] = {}
    for part in text.split():
        match = re.fullmatch(r"([a-z][a-z0-9_]*)=([^\s\"'`$\\]*)", part)
        if not match:
            raise Refused(f"VARS: {part} is not of the form name=value (Terraform variable names, no quotes or $).")
        found[match.group(1)] = match.group(2)
    return found


def _cache(named: str | None, variable: str | None) -> str | None:
    """The cache provider that CACHE, or the Terraform variable in VARS, asks for; None if neither does."""
    for name, value in (("CACHE", named), ("VARS: cache_provider", variable)):
        if value not in ("dynamodb", "redis", None):
            raise Refused(f"{name}={value}: use dynamodb or redis.")
    if named and variable and named != variable:
        raise Refused(f"CACHE={named}, but VARS says cache_provider={variable}: leave one of them out.")
    return named or variable


def whole_number(environ: Mapping[str, str], name: str, default: int, least: int, most: int, why: str = "") -> int:
    text = environ.get(name) or str(default)
    if not text.isdigit() or not least <= int(text) <= most:
        raise Refused(f"{name}={text}: a whole number from {least} to {most} is needed{why}.")
    return int(text)


def canary_of(environ: Mapping[str, str]) -> Canary:
    """CANARY percent for CANARY_MINUTES; refused where they are nothing of the kind."""
    return Canary(whole_number(environ, "CANARY", 10, 0, 50),
                  whole_number(environ, "CANARY_MINUTES", 5, 3, 120, " (the alarms need three minutes)"))


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    env = environ.get("ENV") or "local"
    if env not in ENVIRONMENTS:
        raise Refused(f"ENV={env}: use {alternatives(ENVIRONMENTS)}.")
    rehearsal = environ.get("HOLDFAST_REHEARSAL") == "1" and env != "local"
    arch = environ.get("ARCH") or (machine_arch() if env == "local" or rehearsal else "arm64")
    if arch not in TRIPLES:
        raise Refused(f"ARCH={arch}: use arm64 or x86_64.")
    variables = parse_variables(environ.get("VARS") or "")
    chosen = _cache(environ.get("CACHE") or None, variables.pop("cache_provider", None))
    # On AWS the environment's tfvars say which; locally redis where there is a server (the deploy installs one if it can).
    present = "redis" if shutil.which("redis-server") else "dynamodb"
    cache = chosen or (present if env == "local" else None)
    work = Path(environ.get("HOLDFAST_WORK_DIR") or ROOT / ".local")
    if env != "local":
        work = work / env
    work = work.resolve()
    return Settings(
        env=env,
        work=work,
        tools=interpreter.folder(environ),
        port=_port(environ, "HOLDFAST_PORT", 4566, work, "awsEndpointUrl"),
        redis_port=_port(environ, "HOLDFAST_REDIS_PORT", 6379, work, "redisUrl"),
        arch=arch,
        cache=cache,
        cache_chosen=bool(chosen),
        variables=variables,
        service=environ.get("SERVICE") or "",
        rehearsal=rehearsal,
        written=environ.get("HOLDFAST_REHEARSAL_VALUES", "") if rehearsal else "",
        credentials=tuple((environ.get("HOLDFAST_REHEARSAL_CREDENTIALS") or "").split()) if rehearsal else (),
        built=environ.get("BUILD") == "0",
        allow_destroy=environ.get("ALLOW_DESTROY") == "1",
        plan_all=environ.get("PLAN_ALL") == "1",
        canary=canary_of(environ),
        records=environ.get("HOLDFAST_RECORD") == "1",
    )


def require_stack(settings: Settings) -> None:
    if settings.service and settings.service not in STACKS:
        raise Refused(f"SERVICE={settings.service}: use {alternatives(STACKS)}.")
