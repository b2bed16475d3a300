"""From crates to artifacts: one cargo-lambda call, deterministic zips named by their content, one release manifest."""

import hashlib
import json
import os
import re
import struct
import subprocess
import zlib

import cloud
import crates
import run
import tools
from say import Failed, Refused, Step, line
from settings import ROOT, TRIPLES, machine_arch
from tools import path_with_tools


def functions():
    return json.loads((ROOT / "services" / "functions.json").read_text())


def wanted_of(settings):
    """The functions that this run is about: all, or those of SERVICE's stack."""
    return sorted(name for name, entry in functions().items() if settings.service in ("", entry["stack"]))


def zip_one(name, content, level=6):
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


def version():
    """The workspace's version: what health answers. It does not change with every commit, or health would be deployed anew
    with each of them."""
    found = re.search(r'^\[workspace\.package\]\nversion = "([^"]+)"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.M)
    return found.group(1) if found else "unversioned"


def commit():
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return result.stdout.strip() or "unversioned"


def _installed_targets():
    try:
        result = subprocess.run(["rustup", "target", "list", "--installed"], capture_output=True, text=True, check=False)
        return result.stdout.split()
    except OSError:
        return None


def release_flags(root=ROOT):
    """What makes a release the same wherever it is built: no path of the machine in it."""
    home = os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo")
    # Not the encoded form: cargo-lambda adds the processor of the function's machine to this one.
    flags = [f"--remap-path-prefix={path}={name}" for path, name in ((root, "/holdfast"), (home, "/cargo")) if " " not in str(path)]
    return {"RUSTFLAGS": " ".join(filter(None, [os.environ.get("RUSTFLAGS"), *flags]))}


def cargo_lambda(settings, wanted, workspace, release=None):
    """The command that builds the `wanted` functions, in the one profile of their environment. Whatever is wanted, the features of what
    they share are those of a build of all functions: a function's executable does not depend on which others are built."""
    command = ["cargo", "lambda", "build", "--locked", "--arm64" if settings.arch == "arm64" else "--x86-64"]
    if not settings.on_local_cloud if release is None else release:
        command += ["--release"]
    elif settings.arch == machine_arch():
        # The same compiler, profile and target as `cargo test`, so that neither rebuilds the other's dependencies.
        command += ["--compiler", "cargo"]
    # A directory of its own: builds for other environments may run beside this one.
    command += ["--lambda-dir", str(settings.work / "lambda"), "--workspace"]
    # Tests, models, clients: no function links them.
    command += [argument for name in workspace.needed_by_no(functions()) for argument in ("--exclude", name)]
    return command if set(wanted) == set(functions()) else [*command, *(argument for name in wanted for argument in ("--bin", name))]


def check(settings):
    """What would end a build after minutes is said before anything is compiled: a target that is not installed, a function
    of the catalogue without a binary of its name."""
    triple, targets = TRIPLES[settings.arch], _installed_targets()
    if settings.arch != machine_arch() and targets is not None and triple not in targets:
        raise Refused(f"ARCH={settings.arch}: run `rustup target add {triple}`, or use ARCH={machine_arch()}.")
    lacking = sorted(set(functions()) - set(crates.workspace().binaries))
    if lacking:
        raise Refused(f"services/functions.json names functions that no crate builds: {', '.join(lacking)}.")


def placeholder(settings):
    """A manifest to destroy with, where the one that was deployed is not at hand: no artifact of it is looked at."""
    if not settings.manifest_file.exists():
        settings.work.mkdir(parents=True, exist_ok=True)
        entries = {name: {"sha256": "0" * 64, "file": os.devnull, "s3Key": name} for name in functions()}
        write_manifest(settings, {"version": "none", "arch": settings.arch, "functions": entries})


def write_manifest(settings, manifest):
    settings.manifest_file.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def build(settings):
    """Builds every function and writes the release manifest. Returns whether anything in it changed."""
    wanted = wanted_of(settings)
    if settings.built:
        return built(settings, wanted)
    env = {**cloud.environment(settings), "PATH": path_with_tools(settings)}
    if not settings.on_local_cloud:
        env |= release_flags()
    log = settings.work / "logs" / "build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with Step(f"building {len(wanted)} functions") as step:
        process = run.start(
            cargo_lambda(settings, wanted, crates.workspace()), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        )
        compiled = 0
        with open(log, "w", buffering=1) as out:
            for text in process.stdout:
                out.write(text)
                if text.lstrip().startswith("Compiling"):
                    compiled += 1
                    step.name = f"building {len(wanted)} functions: {compiled} crates compiled"
        run.finish(process)
        step.name = f"building {len(wanted)} functions"
        if process.returncode:
            tail = [t for t in log.read_text(errors="replace").splitlines() if t.startswith("error") or "×" in t][:5]
            raise Failed("\n".join(["the build failed:", *tail, f"all of it: {log}"]))
        changed = package(settings, wanted)
        step.note = f"{compiled} crates compiled, {changed} artifacts new" if compiled or changed else "nothing to do"
    return changed


def built(settings, wanted):
    """What an earlier build left: its manifest must name every function. Without one, on AWS, the release that is deployed."""
    if not settings.manifest_file.exists() and not settings.is_local:
        import releases
        current = releases.History(settings).current()
        if current:
            releases.install(settings, current, keep_inputs=True)
            line(f"  The functions stay those of release {current['name']}.")
    try:
        entries = json.loads(settings.manifest_file.read_text(encoding="utf-8"))["functions"]
    except (OSError, ValueError, KeyError):
        raise Refused(f"BUILD=0, but there is no release manifest {settings.manifest_file}: build first.") from None
    lacking = sorted(set(wanted) - set(entries))
    if lacking:
        raise Refused(f"BUILD=0, but the release manifest {settings.manifest_file} lacks {', '.join(lacking)}: build anew.")
    return 0


def only(settings):
    """`make build`: nothing is deployed."""
    tools.require_cargo()
    check(settings)
    tools.python_tools(settings)
    build(settings)
    line(f"  {len(wanted_of(settings))} functions in {settings.manifest_file}")


def verify_artifacts(folder):
    """Whether every zip of a folder is what its manifest says."""
    entries = json.loads((folder / "release.json").read_text(encoding="utf-8"))["functions"]
    wrong = [name for name, entry in entries.items()
             if hashlib.sha256((folder / "artifacts" / entry["s3Key"]).read_bytes()).hexdigest() != entry["sha256"]]
    if wrong:
        raise Failed(f"{folder}: not what the manifest says: {', '.join(wrong)}")
    line(f"{len(entries)} artifacts are what {folder / 'release.json'} says.")


def package(settings, wanted):
    """Zips what changed. The manifest changes only if an artifact does: a second build of the same code is no release.
    What is not `wanted` stays in it as it is."""
    known = set(functions()) | set(wanted)
    try:
        old = json.loads(settings.manifest_file.read_text())
    except (OSError, ValueError):
        old = {}
    kept = old.get("functions", {}) if old.get("arch") == settings.arch else {}
    entries, changed = {name: entry for name, entry in kept.items() if name in known}, 0
    cache_file = settings.work / "artifacts" / "cache.json"
    try:
        cache = json.loads(cache_file.read_text())
    except (OSError, ValueError):
        cache = {}
    for name in wanted:
        content = (settings.work / "lambda" / name / "bootstrap").read_bytes()
        key = hashlib.sha256(content).hexdigest()
        digest = cache.get(key)
        file = settings.work / "artifacts" / name / f"{digest}.zip"
        if not digest or not file.exists():
            data = zip_one("bootstrap", content)
            digest = hashlib.sha256(data).hexdigest()
            file = settings.work / "artifacts" / name / f"{digest}.zip"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            cache[key] = digest
            changed += 1
        entries[name] = {"sha256": digest, "file": str(file), "s3Key": f"{name}/{digest}.zip"}
    cache_file.write_text(json.dumps(cache))
    entries = dict(sorted(entries.items()))
    if old.get("functions") != entries or old.get("arch") != settings.arch:
        manifest = {"version": version(), "commit": commit(), "arch": settings.arch, "functions": entries}
        write_manifest(settings, manifest)
    return changed
