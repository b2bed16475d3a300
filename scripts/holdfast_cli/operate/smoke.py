"""The smoke test: the whole path once against a deployment (`smoke`), or many times (`soak`)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from holdfast_cli.core import commands, environment, tools
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, TRIPLES, Settings, machine_arch
from holdfast_cli.deploy import environments, outputs
from holdfast_cli.deploy.outputs import Outputs
from holdfast_cli.local.cloud import test_environment
from holdfast_cli.operate import admin


def target() -> Path:
    """Where cargo puts what it builds for this machine."""
    return ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target") / TRIPLES[machine_arch()]


def command(settings: Settings) -> list[str]:
    """Builds the smoke test; resolved over the whole workspace, so that it shares every artifact with the functions."""
    if commands.shown(["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", "holdfast-smoke"], cwd=ROOT, env=test_environment(settings)):
        raise Failed("the smoke test could not be built.")
    return [str(target() / "debug" / "holdfast-smoke"), "--outputs", str(settings.outputs_file)]


@contextmanager
def account(settings: Settings) -> Generator[dict[str, str]]:
    """The variables that name the account of a smoke test. Where registration is closed and no account is configured, it makes one, and deletes it
    at the end."""
    if settings.is_local or os.environ.get("HOLDFAST_SMOKE_EMAIL") or settings.variables.get("registration_enabled") == "true":
        yield {}
        return
    operator = admin.operator(settings, changes=True)
    # The form that the search for secrets in the logs knows.
    email, password = f"e2e-{secrets.token_hex(12)}@holdfast.test", f"pw-{secrets.token_hex(12)}"
    try:
        with commands.uninterrupted():
            operator.command("create", email=email, password=password)
        yield {"HOLDFAST_SMOKE_EMAIL": email, "HOLDFAST_SMOKE_PASSWORD": password}
    finally:
        with commands.uninterrupted():
            _delete(operator, email)


def _delete(operator: admin.Operator, email: str) -> None:
    try:
        operator.command("delete", email=email)
    except Refused as refused:
        # It was not created.
        if refused.code != "NOT_FOUND":
            raise


def smoke(settings: Settings, known: Outputs | None = None, repeat: int | None = None) -> None:
    known = known or outputs.read(settings)
    tools.require_cargo()
    played = command(settings)
    if repeat:
        played += ["--repeat", str(repeat)]
    line(f"Smoke test of {known['httpUrl']}")
    # Its credentials are those of the environment: on AWS it publishes as a service does.
    with account(settings) as named:
        if commands.shown(played, cwd=ROOT, env={**environment.of(settings), **named}):
            raise Failed("the smoke test failed; read the functions' logs with `make logs`.")


def after_deploy(settings: Settings, known: Outputs) -> None:
    """Runs the smoke test after a deploy. Locally it is optional."""
    if os.environ.get("SMOKE") != "1" and (settings.is_local or os.environ.get("SMOKE") == "0"):
        return
    # Holdfast makes no accounts in a user pool.
    verifier = settings.variables.get("credential_verifier") or environments.values(settings).get("credential_verifier")
    if not settings.is_local and verifier == "cognito" and not os.environ.get("HOLDFAST_SMOKE_EMAIL"):
        line("No smoke test: the user pool has the accounts, and HOLDFAST_SMOKE_EMAIL and HOLDFAST_SMOKE_PASSWORD name none of them.")
        return
    smoke(settings, known)
