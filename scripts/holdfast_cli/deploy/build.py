"""From crates to artifacts: one cargo-lambda call, deterministic zips named by their content, one release manifest."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import subprocess
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from holdfast_cli.core import catalogue, commands, environment, tools
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, TRIPLES, Settings, machine_arch
from holdfast_cli.deploy import crates, manifest, releases

# Makes cargo print its bar, which says how many units of how many are done, also where nobody looks at it.
_COUNTED = {"CARGO_TERM_PROGRESS_WHEN": "always", "CARGO_TERM_PROGRESS_WIDTH": "100"}
# Only tests link this crate, but its dependencies have a feature (hyper's server) that functions do without. A local build includes it, so
# that tests and functions have the same features. Without it, each of the two builds compiles hyper and everything above it.
_SAME_FEATURES = {"holdfast-fault-proxy"}
# Runs rustc for a release (scripts/compiler).
COMPILER = "holdfast-rustc"
_COUNT = re.compile(r"\bBuilding \[[^\]]*\] (\d+)/(\d+)")


def zip_one(name: str, content: bytes, level: int = 9) -> bytes:
    """A zip with a single executable entry whose bytes depend on `name` and `content` alone: time 1980-01-01, mode 0755."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    packed = deflate.compress(content) + deflate.flush()
    crc, raw = zlib.crc32(content), name.encode()
    common = struct.pack("<HHHHIIIHH", 0, 8, 0, 0x21, crc, len(packed), len(content), len(raw), 0)
    local = b"PK\x03\x04" + struct.pack("<H", 20) + common + raw
    attributes = (0o100755 << 16) & 0xFFFFFFFF
    central = (
        b"PK\x01\x02" + struct.pack("<HH", (3 << 8) | 20, 20) + common + struct.pack("<HHHII", 0, 0, 0, attributes, 0) + raw
    )
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(packed), 0)
    return local + packed + central + end


def _installed_targets() -> list[str] | None:
    try:
        return commands.output(["rustup", "target", "list", "--installed"]).stdout.split()
    except OSError:
        return None


def release_flags(root: Path = ROOT) -> dict[str, str]:
    """What makes a release the same wherever it is built, no path of the machine in it, and some of its functions small or fast. Their compiler
    (scripts/compiler) is named without its folder, because cargo hashes its name into what it builds."""
    home = os.environ.get("CARGO_HOME") or Path.home() / ".cargo"
    # Not the encoded form: cargo-lambda adds the processor of the function's machine to this one.
    flags = [f"--remap-path-prefix={path}={name}" for path, name in ((root, "/holdfast"), (home, "/cargo")) if " " not in str(path)]
    # Optimisation at link time reads the libraries' bitcode, which cargo leaves out where the profile has none.
    flags.append("-Cembed-bitcode=yes")
    # Cargo knows the name of that compiler only, so what it says is a part of what everything is named by.
    flags.append(f"-Cmetadata={hashlib.sha256((ROOT / 'scripts/compiler' / COMPILER).read_bytes()).hexdigest()[:16]}")
    return {"RUSTFLAGS": " ".join(filter(None, [os.environ.get("RUSTFLAGS"), *flags])), "RUSTC_WORKSPACE_WRAPPER": COMPILER}


def cargo_lambda(settings: Settings, wanted: list[str], workspace: crates.Workspace, release: bool | None = None) -> list[str]:
    """The command that builds the `wanted` functions, in the profile of their environment. The features of shared
    crates are always those of a build of all functions, so a function's executable does not depend on which others are built."""
    command = ["cargo", "lambda", "build", "--locked", "--arm64" if settings.arch == "arm64" else "--x86-64"]
    shared_with_tests: set[str] = set()
    if not settings.on_local_cloud if release is None else release:
        command += ["--release"]
    elif settings.arch == machine_arch():
        # The same compiler, profile and target as `cargo test`, so that neither rebuilds the other's dependencies.
        command += ["--compiler", "cargo"]
        shared_with_tests = _SAME_FEATURES
    # A directory of its own: builds for other environments may run beside this one.
    command += ["--lambda-dir", str(settings.work / "lambda"), "--workspace"]
    every = catalogue.functions()
    # Tests, models, clients: no function links them.
    command += [argument for name in workspace.needed_by_no(every) if name not in shared_with_tests
                for argument in ("--exclude", name)]
    return command if set(wanted) == set(every) else [*command, *(argument for name in wanted for argument in ("--bin", name))]


def check(settings: Settings) -> None:
    """What would end a build after minutes is said before anything is compiled: a target that is not installed, a function
    of the catalogue without a binary of its name."""
    triple, targets = TRIPLES[settings.arch], _installed_targets()
    if settings.arch != machine_arch() and targets is not None and triple not in targets:
        raise Refused(f"ARCH={settings.arch}: run `rustup target add {triple}`, or use ARCH={machine_arch()}.")
    lacking = sorted(set(catalogue.functions()) - set(crates.workspace().binaries))
    if lacking:
        raise Refused(f"services/functions.json names functions that no crate builds: {', '.join(lacking)}.")


def build(settings: Settings) -> int:
    """Builds every function and writes the release manifest. Returns how many artifacts in it are new."""
    wanted = catalogue.wanted(settings)
    if settings.built:
        return built(settings, wanted)
    env = {**environment.of(settings), "PATH": environment.path_with_tools(settings), **_COUNTED}
    if not settings.on_local_cloud:
        env |= release_flags()
    log = settings.log("build.log")
    with Step(f"building {len(wanted)} functions") as step:
        process = commands.start(cargo_lambda(settings, wanted, crates.workspace()), cwd=ROOT, env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, errors="replace")
        with commands.lines_of(process) as said, open(log, "w", buffering=1) as out:
            compiled = follow(said, out, step)
        if commands.finish(process):
            tail = [t for t in log.read_text(errors="replace").splitlines() if t.startswith("error") or "×" in t][:5]
            raise Failed("\n".join(["the build failed:", *tail, f"all of it: {log}"]))
        changed = package(settings, wanted)
        step.note = f"{compiled} crates compiled, {changed} artifacts new" if compiled or changed else "nothing to do"
    return changed


def follow(said: Iterable[str], log: IO[str], step: Step) -> int:
    """Writes what cargo says into the log and shows how far it is; how many crates it compiled."""
    compiled = 0
    for text in said:
        count = _COUNT.search(text)
        if count:
            # Each redraws the bar, which is no line of a log.
            step.progress(int(count.group(1)), int(count.group(2)), "crates")
            continue
        log.write(text)
        compiled += text.lstrip().startswith("Compiling")
    return compiled


def built(settings: Settings, wanted: list[str]) -> int:
    """What an earlier build left: its manifest must name every function. Without one, on AWS, the release that is deployed."""
    if not settings.manifest_file.exists() and not settings.is_local:
        current = releases.History(settings).current()
        if current:
            releases.install(settings, current, keep_inputs=True)
            line(f"  The functions stay those of release {current['name']}.")
    try:
        entries = manifest.read(settings)["functions"]
    except (OSError, ValueError, KeyError):
        raise Refused(f"BUILD=0, but there is no release manifest {settings.manifest_file}: build first.") from None
    lacking = sorted(set(wanted) - set(entries))
    if lacking:
        raise Refused(f"BUILD=0, but the release manifest {settings.manifest_file} lacks {', '.join(lacking)}: build anew.")
    return 0


def only(settings: Settings) -> None:
    """`holdfast build`: nothing is deployed."""
    tools.require_cargo()
    check(settings)
    tools.install(settings)
    build(settings)
    line(f"  {len(catalogue.wanted(settings))} functions in {settings.manifest_file}")


def package(settings: Settings, wanted: list[str]) -> int:
    """Zips what changed; how many artifacts are new. The manifest changes only if an artifact does: a second build of the same code is no
    release. What is not `wanted` stays in it as it is."""
    known = set(catalogue.functions()) | set(wanted)
    try:
        old = manifest.read(settings)
    except (OSError, ValueError):
        old = {}
    kept: manifest.Entries = old.get("functions", {}) if old.get("arch") == settings.arch else {}
    entries, changed = {name: entry for name, entry in kept.items() if name in known}, 0
    folder = settings.work / "artifacts"
    cache_file = folder / "cache.json"
    try:
        cache: dict[str, str] = json.loads(cache_file.read_text())
    except (OSError, ValueError):
        cache = {}

    def one(name: str) -> tuple[str, str, Path, bool]:
        content = (settings.work / "lambda" / name / "bootstrap").read_bytes()
        key = hashlib.sha256(content).hexdigest()
        digest = cache.get(key)
        file = folder / name / f"{digest}.zip"
        if digest and file.exists():
            return key, digest, file, False
        # The local cloud unpacks each at once: a smaller file is not worth the time.
        data = zip_one("bootstrap", content, 1) if settings.on_local_cloud else zip_one("bootstrap", content)
        digest = hashlib.sha256(data).hexdigest()
        file = folder / name / f"{digest}.zip"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return key, digest, file, True

    # zlib leaves the interpreter's lock to others while it works.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for name, (key, digest, file, new) in zip(wanted, pool.map(one, wanted), strict=True):
            cache[key] = digest
            changed += new
            entries[name] = {"sha256": digest, "file": str(file), "s3Key": f"{name}/{digest}.zip"}
    cache_file.write_text(json.dumps(cache))
    entries = dict(sorted(entries.items()))
    if old.get("functions") != entries or old.get("arch") != settings.arch:
        manifest.write(settings, {"version": catalogue.version(), "commit": catalogue.commit(), "arch": settings.arch, "functions": entries})
    return changed
