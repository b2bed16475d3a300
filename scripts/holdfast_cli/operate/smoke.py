"""The smoke test: the whole path once against a deployment (`smoke`), or many times (`soak`)."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast_cli.core import commands, environment, tools
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT, TRIPLES, Settings, machine_arch
from holdfast_cli.deploy import outputs
from holdfast_cli.deploy.outputs import Outputs
from holdfast_cli.local.cloud import test_environment


def target() -> Path:
    """Where cargo puts what it builds for this machine."""
    return ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target") / TRIPLES[machine_arch()]


def command(settings: Settings) -> list[str]:
    """Builds the smoke test; resolved over the whole workspace, so that it shares every artifact with the functions."""
    if commands.shown(["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", "holdfast-smoke"], cwd=ROOT, env=test_environment(settings)):
        raise Failed("the smoke test could not be built.")
    return [str(target() / "debug" / "holdfast-smoke"), "--outputs", str(settings.outputs_file)]


def smoke(settings: Settings, known: Outputs | None = None, repeat: int | None = None) -> None:
    known = known or outputs.read(settings)
    tools.require_cargo()
    played = command(settings)
    if repeat:
        played += ["--repeat", str(repeat)]
    line(f"Smoke test of {known['httpUrl']}")
    # Its credentials are those of the environment: on AWS it publishes as a service does.
    if commands.shown(played, cwd=ROOT, env=environment.of(settings)):
        raise Failed("the smoke test failed; read the functions' logs with `make logs`.")


def after_deploy(settings: Settings, known: Outputs) -> None:
    """Runs the smoke test after a deploy. On AWS registration is closed, so it needs an account. Locally it is optional."""
    if settings.is_local and os.environ.get("SMOKE") != "1":
        return
    if not settings.is_local and not os.environ.get("HOLDFAST_SMOKE_EMAIL") and settings.variables.get("registration_enabled") != "true":
        line("No smoke test: HOLDFAST_SMOKE_EMAIL and HOLDFAST_SMOKE_PASSWORD do not name an account for it.")
        return
    smoke(settings, known)
