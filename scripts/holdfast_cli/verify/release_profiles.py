"""Builds one function in the profile of the release and in others that were tried, each from nothing. Prints what the builds cost and what
they give, as lines of JSON. `holdfast bench` runs it (ONLY=profiles).

    python -m holdfast_cli.verify.release_profiles <holdfast-bench> <address of a redis-server>"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from holdfast_cli.core.settings import ROOT
from holdfast_cli.deploy.build import zip_one

# What a request goes through beside the libraries of AWS, hyper and tokio.
PATH = ("holdfast-push", "holdfast-redis", "holdfast-runtime", "holdfast-sessions", "holdfast-websocket-api", "lambda_runtime",
        "lambda_runtime_api_client", "redis")
# Name to what cargo is told beside Cargo.toml.
PROFILES: dict[str, tuple[str, ...]] = {
    "of the release": (),
    "thin link-time optimisation": ('profile.release.lto="thin"',),
    "16 units of code generation": ("profile.release.codegen-units=16",),
    "everything for speed": ("profile.release.opt-level=3",),
    "domain, runtime, Lambda's and the cache's client for size": tuple(f'profile.release.package.{name}.opt-level="s"' for name in PATH),
}
MEASURED, NEXT = "sessions-current", "sessions-list"


def cargo(target: Path, options: tuple[str, ...], name: str) -> tuple[float, float]:
    """Seconds on the clock and of all processors."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--target-dir", str(target), "--package", "service-sessions", "--bin", name]
    subprocess.run([*command, *(part for option in options for part in ("--config", option))], check=True, cwd=ROOT, stdout=sys.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def say(of: str, figure: str, value: float, unit: str) -> None:
    print(json.dumps({"figure": figure, "of": of, "unit": unit, "value": value}), flush=True)


def main(executable: str, redis: str) -> None:
    for name, options in PROFILES.items():
        print(f"building with the profile: {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="holdfast-profile-") as folder:
            target = Path(folder)
            clock, processors = cargo(target, options, MEASURED)
            _, another = cargo(target, options, NEXT)
            # Cargo is told the target, so its name is in the path.
            built = next(target.glob(f"*/release/{MEASURED}"))
            content = built.read_bytes()
            say(name, "first function", clock, "s")
            say(name, "first function, processors", processors, "s")
            say(name, "one more function, processors", another, "s")
            say(name, "executable", len(content) / 1e6, "MB")
            say(name, "zip", len(zip_one("bootstrap", content)) / 1e6, "MB")
            subprocess.run([executable, "build", redis, str(built.parent), name], check=True, cwd=ROOT, env=os.environ)


if __name__ == "__main__":
    main(*sys.argv[1:])
