"""From crates to artifacts: one cargo-lambda call, deterministic zips named by their content, one release manifest."""

import hashlib
import json
import os
import struct
import subprocess
import zlib

import run
from say import Failed, Refused, Step
from settings import ROOT, TRIPLES, machine_arch
from tools import path_with_tools


def functions():
    return json.loads((ROOT / "services" / "functions.json").read_text())


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


def cargo_lambda(settings):
    """The command that builds every function, in the one profile of its environment."""
    triple = TRIPLES[settings.arch]
    command = ["cargo", "lambda", "build", "--locked", "--arm64" if settings.arch == "arm64" else "--x86-64"]
    if settings.is_local:
        # The same compiler, profile, target and package set as `cargo test --workspace`, so that neither rebuilds the
        # other's dependencies.
        command += ["--compiler", "cargo"]
    else:
        command += ["--release"]
    if settings.arch != machine_arch():
        targets = _installed_targets()
        if targets is not None and triple not in targets:
            raise Refused(f"ARCH={settings.arch}: run `rustup target add {triple}`, or use ARCH={machine_arch()}.")
    # The whole workspace: naming packages would resolve their features apart from the tests'.
    return [*command, "--workspace"]


def build(settings):
    """Builds every function and writes the release manifest. Returns whether anything in it changed."""
    wanted = sorted(functions())
    env = {**os.environ, "PATH": path_with_tools(settings)}
    log = settings.work / "logs" / "build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with Step(f"building {len(wanted)} functions") as step:
        process = run.start(
            cargo_lambda(settings), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        )
        compiled = 0
        with open(log, "w") as out:
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
        target = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target")
        missing = [n for n in wanted if not os.path.exists(os.path.join(target, "lambda", n, "bootstrap"))]
        if missing:
            raise Failed(f"services/functions.json names functions without a binary: {', '.join(missing)}")
        changed = package(settings, wanted, target)
        step.note = f"{compiled} crates compiled, {changed} artifacts new" if compiled or changed else "nothing to do"
    return changed


def package(settings, wanted, target):
    """Zips what changed. The manifest changes only if an artifact does: a second build of the same code is no release."""
    entries, changed = {}, 0
    cache_file = settings.work / "artifacts" / "cache.json"
    try:
        cache = json.loads(cache_file.read_text())
    except (OSError, ValueError):
        cache = {}
    for name in wanted:
        binary = os.path.join(target, "lambda", name, "bootstrap")
        with open(binary, "rb") as source:
            content = source.read()
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
    try:
        old = json.loads(settings.manifest_file.read_text())
    except (OSError, ValueError):
        old = {}
    if old.get("functions") != entries or old.get("arch") != settings.arch:
        manifest = {"version": version(), "arch": settings.arch, "functions": entries}
        settings.manifest_file.write_text(json.dumps(manifest, indent=2) + "\n")
    return changed

