"""`make reproduce`: builds the release twice, from nothing, in two folders of different names, and compares what comes out,
function by function. SERVICE= does it for one stack's functions."""

import hashlib
import json
import shutil
import subprocess

import build
import cloud
import crates
import run
import tools
from say import Failed, Refused, Step, line
from settings import ROOT, TRIPLES


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


def digests(settings, folder, wanted):
    """Builds in `folder`; the hash of every zip and of every executable."""
    needless = sorted(set(crates.workspace().needed_by_no(wanted)))
    command = build.cargo_lambda(settings, needless, release=True)
    command[command.index("--lambda-dir") + 1] = str(folder / "out")
    env = {**cloud.clean_environment(), **build.release_flags(folder), "PATH": tools.path_with_tools(settings),
           "CARGO_TARGET_DIR": str(folder / "target")}
    log = settings.work / "logs" / f"reproduce-{folder.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    if run.logged(command, log, cwd=folder, env=env):
        raise Failed(f"the build failed: {log}")
    found = {}
    for name in wanted:
        content = (folder / "out" / name / "bootstrap").read_bytes()
        found[name] = (hashlib.sha256(build.zip_one("bootstrap", content)).hexdigest(), len(content))
    return found


def reproduce(settings):
    tools.require_cargo()
    tools.python_tools(settings)
    wanted, top, results = build.wanted_of(settings), settings.work / "reproduce", []
    shutil.rmtree(top, ignore_errors=True)
    try:
        for name in ("one", "another-folder"):
            with Step(f"building {len(wanted)} functions for {TRIPLES[settings.arch]} in {name}/"):
                copy(top / name)
                results.append(digests(settings, top / name, wanted))
    finally:
        run.interrupt_all()
        shutil.rmtree(top, ignore_errors=True)
    one, other = results
    for name in wanted:
        verdict = "same" if one[name] == other[name] else "DIFFERS"
        line(f"  {verdict:7} {one[name][0][:16]} {other[name][0][:16]} {one[name][1] / 1e6:6.2f} MB  {name}")
    differ = [name for name in wanted if one[name] != other[name]]
    if differ:
        raise Failed(f"{len(differ)} of {len(wanted)} artifacts differ: {json.dumps(differ)}")
    line(f"{len(wanted)} artifacts, each the same twice.")
