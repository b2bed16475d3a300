"""`holdfast reproduce`: builds the release twice, from nothing, in two folders of different names, and compares what comes out,
function by function. `--service` does it for one stack's functions, `--only` for one. `holdfast arm64` does it for AWS's processor and
runs one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

from holdfast_cli.core import catalogue, commands, environment, tools
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, TRIPLES, Settings, require_stack
from holdfast_cli.deploy import build, crates

FOLDERS = ("one", "another-folder")


def copy(folder: Path) -> None:
    """The tree as it is, without what is not part of it."""
    tracked = commands.output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    if tracked.returncode:
        raise Refused("make reproduce needs a git clone: it copies what git knows.")
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def built(settings: Settings, folder: Path, wanted: list[str]) -> dict[str, bytes]:
    """Builds in `folder`; the executable of every function."""
    command = build.cargo_lambda(settings, wanted, crates.workspace(), release=True)
    command[command.index("--lambda-dir") + 1] = str(folder / "out")
    path = os.pathsep.join([str(folder / "scripts" / "compiler"), environment.path_with_tools(settings)])
    env = {**environment.clean(), **build.release_flags(folder), "PATH": path, "CARGO_TARGET_DIR": str(folder / "target")}
    log = settings.log(f"reproduce-{folder.name}.log")
    log.write_text("")
    if commands.logged(command, log, cwd=folder, env=env):
        raise Failed(f"the build failed: {log}")
    return {name: (folder / "out" / name / "bootstrap").read_bytes() for name in wanted}


def wanted_of(settings: Settings, only: str) -> list[str]:
    """The functions this is about: the one of `only`, those of SERVICE's stack, or all."""
    if only and only not in catalogue.functions():
        raise Refused(f"ONLY={only}: there is no such function; use one of {', '.join(sorted(catalogue.functions()))}.")
    return [only] if only else catalogue.wanted(settings)


def reproduce(settings: Settings, only: str = "", more: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Builds the wanted functions and those of `more` twice; the executables, if they are the same twice."""
    require_stack(settings)
    tools.require_cargo()
    build.check(settings)
    tools.install(settings)
    wanted, top = sorted({*wanted_of(settings, only), *more}), settings.work / "reproduce"
    results: list[dict[str, bytes]] = []
    shutil.rmtree(top, ignore_errors=True)
    try:
        # Both copies first: who goes on working on the tree meanwhile compares like with like.
        for name in FOLDERS:
            copy(top / name)
        for name in FOLDERS:
            with Step(f"building {len(wanted)} functions for {TRIPLES[settings.arch]} in {name}/"):
                results.append(built(settings, top / name, wanted))
                # Of the second build only the executables are needed; two of them take gigabytes.
                shutil.rmtree(top / name)
    finally:
        commands.interrupt_all()
        shutil.rmtree(top, ignore_errors=True)
    one, other = results
    digests = [{name: hashlib.sha256(build.zip_one("bootstrap", content)).hexdigest() for name, content in found.items()}
               for found in results]
    for name in wanted:
        verdict = "same" if digests[0][name] == digests[1][name] else "DIFFERS"
        line(f"  {verdict:7} {digests[0][name][:16]} {digests[1][name][:16]} {len(one[name]) / 1e6:6.2f} MB  {name}")
    differ = [name for name in wanted if digests[0][name] != digests[1][name] or one[name] != other[name]]
    if differ:
        raise Failed(f"{len(differ)} of {len(wanted)} artifacts differ: {json.dumps(differ)}")
    line(f"{len(wanted)} artifact{'s' if len(wanted) > 1 else ''}, each the same twice.")
    return one
