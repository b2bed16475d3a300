"""`make reproduce`: builds the release twice, from nothing, in two folders of different names, and compares what comes out,
function by function. SERVICE= does it for one stack's functions, ONLY= for one. `make arm64` does it for AWS's processor and runs one."""

import hashlib
import json
import os
import shutil
import subprocess

import build
import cloud
import crates
import deploy
import run
import tools
from say import Failed, Refused, Step, line
from settings import ROOT, TRIPLES


FOLDERS = ("one", "another-folder")


def copy(folder):
    """The tree as it is, without what is not part of it."""
    tracked = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
                             text=True, check=False)
    if tracked.returncode:
        raise Refused("make reproduce needs a git clone: it copies what git knows.")
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def built(settings, folder, wanted):
    """Builds in `folder`; the executable of every function."""
    command = build.cargo_lambda(settings, wanted, crates.workspace(), release=True)
    command[command.index("--lambda-dir") + 1] = str(folder / "out")
    env = {**cloud.clean_environment(), **build.release_flags(folder), "PATH": tools.path_with_tools(settings),
           "CARGO_TARGET_DIR": str(folder / "target")}
    log = settings.work / "logs" / f"reproduce-{folder.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    if run.logged(command, log, cwd=folder, env=env):
        raise Failed(f"the build failed: {log}")
    return {name: (folder / "out" / name / "bootstrap").read_bytes() for name in wanted}


def wanted_of(settings):
    """The functions this is about: the one of ONLY, those of SERVICE's stack, or all."""
    only = os.environ.get("ONLY")
    if only and only not in build.functions():
        raise Refused(f"ONLY={only}: there is no such function; use one of {', '.join(sorted(build.functions()))}.")
    return [only] if only else build.wanted_of(settings)


def reproduce(settings, more=()):
    """Builds the wanted functions and those of `more` twice; the executables, if they are the same twice."""
    deploy.require_stack(settings)
    tools.require_cargo()
    build.check(settings)
    tools.python_tools(settings)
    wanted, top, results = sorted({*wanted_of(settings), *more}), settings.work / "reproduce", []
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
        run.interrupt_all()
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
