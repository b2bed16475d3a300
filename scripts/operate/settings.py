"""Where things are and what was asked for: read once from the environment that `make` passes on."""

import json
import os
import platform
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from say import Refused

ROOT = Path(__file__).resolve().parents[2]
STACKS = ("platform", "auth", "sessions", "push", "events")
ENVIRONMENTS = ("local", "staging", "production")
DELETE_ONLY = "redis, delete only"
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}


@dataclass
class Settings:
    env: str
    work: Path
    tools: Path
    port: int
    redis_port: int
    arch: str
    cache: str
    # Whether CACHE or VARS said so, rather than what there is.
    cache_chosen: bool = False
    # Whether functions only delete from the cache: the step between two providers. None: what Terraform's files say.
    delete_only: Optional[bool] = None
    variables: dict = field(default_factory=dict)
    service: str = ""
    region: str = "us-east-1"
    state_bucket: str = ""
    artifacts_bucket: str = ""
    # An environment of AWS, played on the local cloud: its inputs, names, state in S3 and release process, no account.
    rehearsal: bool = False
    # Whether to deploy what the last build, of this machine or another, left in the work directory.
    built: bool = False

    @property
    def is_local(self):
        return self.env == "local"

    @property
    def on_local_cloud(self):
        return self.is_local or self.rehearsal

    @property
    def endpoint(self):
        """Address of the local cloud; none on AWS."""
        return f"http://127.0.0.1:{self.port}" if self.on_local_cloud else ""

    @property
    def where(self):
        return f"the local cloud on {self.endpoint}" if self.on_local_cloud else "AWS"

    @property
    def redis_url(self):
        """Address of the local redis-server; none where nothing uses it."""
        return f"redis://127.0.0.1:{self.redis_port}/0" if self.on_local_cloud and self.cache == "redis" else ""

    @property
    def cache_mode(self):
        """How far the cache is switched on: `dynamodb` (off), `redis, delete only` or `redis`."""
        if self.cache != "redis":
            return "dynamodb"
        given = self.variables.get("redis_delete_only")
        return DELETE_ONLY if (given == "true" if given is not None else self.delete_only) else "redis"

    @property
    def tfvars_file(self):
        return ROOT / "infra" / "environments" / f"{self.env}.tfvars"

    @property
    def backend_file(self):
        return ROOT / "infra" / "environments" / f"{self.env}.s3.tfbackend"

    @property
    def outputs_file(self):
        return self.work / "outputs.json"

    @property
    def manifest_file(self):
        return self.work / "release.json"

    @property
    def stacks(self):
        """The stacks this run is about: all, or the one of SERVICE."""
        return (self.service,) if self.service else STACKS


def machine_arch():
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def _port(environ, name, default, work, output):
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


def parse_variables(text):
    """VARS='a=1 b=two' as a mapping; values may not hold spaces or quotes."""
    found = {}
    for part in text.split():
        match = re.fullmatch(r"([a-z][a-z0-9_]*)=([^\s\"'`$\\]*)", part)
        if not match:
            raise Refused(f"VARS: {part} is not of the form name=value (Terraform variable names, no quotes or $).")
        found[match.group(1)] = match.group(2)
    return found


def _cache(named, variable):
    """The cache provider that CACHE, or the Terraform variable in VARS, asks for; None if neither does."""
    for name, value in (("CACHE", named), ("VARS: cache_provider", variable)):
        if value not in ("dynamodb", "redis", None):
            raise Refused(f"{name}={value}: use dynamodb or redis.")
    if named and variable and named != variable:
        raise Refused(f"CACHE={named}, but VARS says cache_provider={variable}: leave one of them out.")
    return named or variable


def read(environ=os.environ):
    env = environ.get("ENV") or "local"
    if env not in ENVIRONMENTS:
        raise Refused(f"ENV={env}: use {', '.join(ENVIRONMENTS[:-1])} or {ENVIRONMENTS[-1]}.")
    rehearsal = environ.get("HOLDFAST_REHEARSAL") == "1" and env != "local"
    arch = environ.get("ARCH") or (machine_arch() if env == "local" or rehearsal else "arm64")
    if arch not in TRIPLES:
        raise Refused(f"ARCH={arch}: use arm64 or x86_64.")
    variables = parse_variables(environ.get("VARS") or "")
    chosen = _cache(environ.get("CACHE") or None, variables.pop("cache_provider", None))
    # On AWS the environment's tfvars say which; locally redis where there is a server (the deploy installs one if it can).
    cache = chosen or ((shutil.which("redis-server") and "redis" or "dynamodb") if env == "local" else None)
    service = environ.get("SERVICE") or ""
    work = Path(environ.get("HOLDFAST_WORK_DIR") or ROOT / ".local")
    if env != "local":
        work = work / env
    work = work.resolve()
    return Settings(
        env=env,
        work=work,
        tools=Path(environ.get("HOLDFAST_TOOLS") or ROOT / ".tools").resolve(),
        port=_port(environ, "HOLDFAST_PORT", 4566, work, "awsEndpointUrl"),
        redis_port=_port(environ, "HOLDFAST_REDIS_PORT", 6379, work, "redisUrl"),
        arch=arch,
        cache=cache,
        cache_chosen=bool(chosen),
        variables=variables,
        service=service,
        rehearsal=rehearsal,
        built=environ.get("BUILD") == "0",
    )


def require_stack(settings):
    if settings.service and settings.service not in STACKS:
        raise Refused(f"SERVICE={settings.service}: use {', '.join(STACKS[:-1])} or {STACKS[-1]}.")
