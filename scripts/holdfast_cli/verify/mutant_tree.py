"""A copy of the workspace in which every mutant is behind a switch, and its build. Mutants that do not compile are left out.

The copy is `target/mutants/tree`. It is built into the workspace's own target directory, where the libraries from crates.io are
already built. The workspace's crates get other artifacts there, because cargo distinguishes them by their folder and by the compiler's wrapper.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from holdfast_cli.core import commands
from holdfast_cli.core.console import Step
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT
from holdfast_cli.verify import switches
from holdfast_cli.verify.switches import Mutant

FOLDER = ROOT / "target" / "mutants"
TREE = FOLDER / "tree"
CRATE = "shared/switch"
MANIFEST = """[package]
name = "holdfast-switch"
version = "0.0.0"
edition = "2024"
publish = false

[lib]
doctest = false
test = false
"""
ANCHOR = "holdfast-anchor"
ANCHOR_MANIFEST = """[package]
name = "holdfast-anchor"
version = "0.0.0"
edition = "2024"
publish = false

[lib]
doctest = false
test = false

[dependencies]
"""
# The switches read as constants in constants, which is a feature of the compiler's own; nothing else is built with it. A shell
# would drop variables that are no names to it, as `CARGO_BIN_EXE_auth-login`.
WRAPPER = "#!/usr/bin/env -S python3 -IS\nimport os, sys\nos.environ['RUSTC_BOOTSTRAP'] = '1'\nos.execvp(sys.argv[1], sys.argv[1:])\n"
# Numbers are given out by file, with room for more mutants: a change of one file leaves the others as they are built.
BLOCK = 32

# What cargo and the compiler say, one JSON object a line.
Message = dict[str, Any]
Span = dict[str, Any]
# By file.
Mutants = dict[str, list[Mutant]]
What = TypeVar("What")


def described(mutant: Mutant) -> str:
    """What a mutant changes, without the place: as cargo-mutants says it."""
    return re.sub(r"^[^:]+:\d+:\d+: ", "", mutant["name"])


def numbered(mutants: list[Mutant], book: dict[str, list[int]]) -> Mutants:
    """Gives every mutant an `id`; `book` is what was given out before, file to [first, how many], and is kept up."""
    files: Mutants = {}
    for mutant in mutants:
        files.setdefault(mutant["file"], []).append(mutant)
    following = max((first + room for first, room in book.values()), default=1)
    for name, here in sorted(files.items()):
        if name not in book or book[name][1] < len(here):
            room = -(-len(here) * 5 // 4 // BLOCK) * BLOCK
            book[name] = [following, room]
            following += room
        for number, mutant in enumerate(here, book[name][0]):
            mutant["id"] = number
    return files


def _sources() -> list[str]:
    """The files that a fresh clone would have, with what is new and not yet committed."""
    text = commands.output(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT)
    if text.returncode:
        raise Failed("git ls-files does not work here: the mutants are made from what git knows.")
    return sorted(name for name in text.stdout.split("\0") if name and (ROOT / name).is_file())


def _put(path: Path, content: bytes) -> None:
    """Writes only what differs: cargo builds again what is newer."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def with_switch(manifest: str, folder: str) -> str:
    """A crate's Cargo.toml with the switch among what it links."""
    entry = f'holdfast-switch = {{ path = "{os.path.relpath(CRATE, folder)}" }}\n'
    if re.search(r"^\[dependencies\]$", manifest, re.M):
        return re.sub(r"^\[dependencies\]\n", "[dependencies]\n" + entry, manifest, count=1, flags=re.M)
    return manifest + "\n[dependencies]\n" + entry


def anchor(packages: list[dict[str, Any]]) -> str:
    """The manifest of a crate that asks for every library that the workspace asks for, with the same features. It is never compiled: cargo
    chooses features by what is selected, and with this crate selected they are those of the whole workspace, whose builds are there."""
    wanted: dict[str, tuple[str, set[str], list[bool]]] = {}
    for package in packages:
        for dependency in package["dependencies"]:
            if dependency.get("path") or dependency["kind"] == "build":
                continue
            entry = wanted.setdefault(dependency["name"], (dependency["req"], set(), []))
            entry[1].update(dependency["features"])
            entry[2].append(dependency["uses_default_features"])
    lines = [f'{name} = {{ version = "{version}", default-features = {str(any(defaults)).lower()}, features = {json.dumps(sorted(features))} }}'
             for name, (version, features, defaults) in sorted(wanted.items())]
    return ANCHOR_MANIFEST + "\n".join(lines) + "\n"


def without_lints(manifest: str) -> str:
    """The workspace's Cargo.toml with its lints off: the lints do not apply to mutants."""
    head, found, tail = manifest.partition("[workspace.lints.rust]")
    if not found:
        return manifest
    lints, following, rest = tail.partition("\n[profile")
    return head + found + re.sub(r'"(deny|warn|forbid)"', '"allow"', lints) + following + rest


class OutOfTime(Exception):
    """The time limit of a run is reached."""


class Tree:
    """The copy, with the mutants of `files` behind switches: file to mutants, each with its `id`."""

    def __init__(self, files: Mutants, folders: dict[str, str], packages: list[dict[str, Any]] | None = None) -> None:
        self.files, self.packages = files, packages or []
        # Crates whose manifest gets the switch: name to folder.
        self.folders = folders
        self.unviable, self.unswitched = set[int](), dict[int, str]()
        self.places: dict[str, switches.Answer] = {}
        self.by_id = {mutant["id"]: mutant for here in files.values() for mutant in here}

    def write(self) -> None:
        instrumented = set(self.files)
        manifests = {f"{folder}/Cargo.toml": folder for folder in self.folders.values()}
        names = _sources()
        for name in names:
            if name in instrumented:
                continue
            content = (ROOT / name).read_bytes()
            if name in manifests:
                content = with_switch(content.decode(), manifests[name]).encode()
            elif name == "Cargo.toml":
                content = without_lints(content.decode()).encode()
            elif name == "Cargo.lock" and (TREE / name).is_file() and (FOLDER / "lock").is_file() and (FOLDER / "lock").read_bytes() == content:
                # With the switch's own entry, which cargo has added.
                continue
            elif name == "Cargo.lock":
                _put(FOLDER / "lock", content)
            _put(TREE / name, content)
        _put(TREE / CRATE / "Cargo.toml", MANIFEST.encode())
        _put(TREE / CRATE / "src" / "lib.rs", Path(__file__).with_name("switch.rs").read_bytes())
        _put(TREE / "shared" / ANCHOR / "Cargo.toml", anchor(self.packages).encode())
        _put(TREE / "shared" / ANCHOR / "src" / "lib.rs", b"")
        _put(FOLDER / "rustc", WRAPPER.encode())
        (FOLDER / "rustc").chmod(0o755)
        self._remove_others({*names, f"{CRATE}/Cargo.toml", f"{CRATE}/src/lib.rs", "Cargo.lock",
                             f"shared/{ANCHOR}/Cargo.toml", f"shared/{ANCHOR}/src/lib.rs"})
        self._remember()
        self.switch(self.files)

    def _remove_others(self, wanted: set[str]) -> None:
        # From the inside out: a folder whose last file goes, goes too. Cargo takes a folder without a manifest for a broken crate.
        for top, folders, names in os.walk(TREE, topdown=False):
            left = 0
            for name in names:
                path = Path(top) / name
                if str(path.relative_to(TREE)) in wanted:
                    left += 1
                else:
                    path.unlink()
            if not left and not any((Path(top) / name).exists() for name in folders) and Path(top) != TREE:
                Path(top).rmdir()

    def switch(self, names: Iterable[str]) -> None:
        """Writes these files with the switches of their mutants that are not given up."""
        for name in names:
            wanted = [m for m in self.files[name] if m["id"] not in self.unviable and m["id"] not in self.unswitched]
            answer = self.places[name] = switches.put(ROOT / name, TREE / name, wanted)
            for number, why in answer.cannot.items():
                if why:
                    self.unswitched[number] = why
                else:
                    self.unviable.add(number)

    # What did not compile, by the text of its file: the next run need not find out again.
    def _known(self) -> dict[str, Any]:
        try:
            return json.loads((FOLDER / "unviable.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _digest(self, name: str) -> str:
        return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()

    def _remember(self) -> None:
        known = self._known()
        for name, here in self.files.items():
            entry = known.get(name)
            if entry and entry["digest"] == self._digest(name):
                for mutant in here:
                    if mutant["name"] in entry["unviable"]:
                        self.unviable.add(mutant["id"])
                    elif mutant["name"] in entry["unswitched"]:
                        self.unswitched[mutant["id"]] = entry["unswitched"][mutant["name"]]

    def write_down(self) -> None:
        known = self._known()
        for name, here in self.files.items():
            known[name] = {"digest": self._digest(name), "unviable": [m["name"] for m in here if m["id"] in self.unviable],
                           "unswitched": {m["name"]: self.unswitched[m["id"]] for m in here if m["id"] in self.unswitched}}
        (FOLDER / "unviable.json").write_text(json.dumps(known), encoding="utf-8")

    def build(self, packages: list[str], environment: dict[str, str], deadline: float | None = None) -> list[Message]:
        """Builds the tests of these packages until all compiles; returns cargo's notes about executables of tests. Raises `OutOfTime`."""
        for attempt in range(1, 60):
            with Step(f"building with switches, round {attempt}") as step:
                code, messages, log = self._cargo(packages, environment, deadline)
                errors = [m["message"] for m in messages if m["reason"] == "compiler-message" and m["message"]["level"] == "error"]
                before = len(self.unviable) + len(self.unswitched)
                changed = self.leave_out(errors)
                left = len(self.unviable) + len(self.unswitched) - before
                step.note = f"{left} mutants do not compile" if left else "compiles" if not code else ""
            if not code:
                self.write_down()
                return executables(messages)
            if not left:
                told = next((e["rendered"] for e in errors if e["spans"]), None) or log
                raise Failed(f"the copy with switches does not compile ({TREE}):\n{told.strip()}")
            self.switch(sorted(changed))
        raise Failed("the copy with switches does not come to compile.")

    def build_one(self, mutant: Mutant, packages: list[str], environment: dict[str, str]) -> list[Message] | None:
        """Builds the tests with a mutant that cannot be switched in the place of its file; None if that does not compile. The file stays so
        until `switch`."""
        source = (ROOT / mutant["file"]).read_bytes()
        offset = switches.offsets(source)
        start, end = offset(mutant["span"]["start"]), offset(mutant["span"]["end"])
        _put(TREE / mutant["file"], source[:start] + b" " + mutant["replacement"].encode() + b" " + source[end:])
        code, messages, _ = self._cargo(packages, environment, None)
        return None if code else executables(messages)

    def _cargo(self, packages: list[str], environment: dict[str, str], deadline: float | None) -> tuple[int, list[Message], str]:
        command = ["cargo", "build", "--tests", "--keep-going", "--message-format=json", "-p", ANCHOR,
                   *(argument for name in packages for argument in ("-p", name))]
        environment = {**environment, "RUSTC_WORKSPACE_WRAPPER": str(FOLDER / "rustc"), "CARGO_TERM_COLOR": "never",
                       "CARGO_TARGET_DIR": environment.get("CARGO_TARGET_DIR") or str(ROOT / "target")}
        log = FOLDER / "cargo.log"
        messages, late = list[Message](), threading.Event()
        with open(log, "w", encoding="utf-8") as out:
            child = commands.start(command, cwd=TREE, env=environment, stdout=subprocess.PIPE, stderr=out, text=True, encoding="utf-8")

            def end() -> None:
                late.set()
                os.killpg(child.pid, signal.SIGINT)

            timer = threading.Timer(max(0.0, deadline - time.monotonic()), end) if deadline else None
            if timer:
                timer.daemon = True
                timer.start()
            with commands.lines_of(child) as stdout:
                for text in stdout:
                    if text.startswith("{"):
                        messages.append(json.loads(text))
            if timer:
                timer.cancel()
            code = commands.finish(child)
        if late.is_set():
            raise OutOfTime
        return code, messages, "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])

    def leave_out(self, errors: Iterable[Message]) -> set[str]:
        """Gives up the mutants that these errors are about; returns their files."""
        changed: set[str] = set()
        for error in errors:
            for name, numbers, switched in self.blamed(error):
                changed.add(name)
                for number in numbers:
                    if switched:
                        self.unviable.add(number)
                    else:
                        self.unswitched.setdefault(number, f"with its switch the code does not compile: {error['message']}")
        return changed

    def blamed(self, error: Message) -> list[tuple[str, list[int], bool]]:
        """(file, mutants, whether the mutant itself is wrong) of one error."""
        spans = [flat for span in error["spans"] for flat in _flat(span)]
        spans.sort(key=lambda span: not span["is_primary"])
        for primary in (True, False):
            branches = [(s["file_name"], self._branch(s)) for s in spans if bool(s["is_primary"]) == primary]
            found = [(name, [number], True) for name, number in branches if number]
            if found:
                return found
        more = [flat for child in error.get("children", ()) for span in child["spans"] for flat in _flat(span)]
        for places in (spans, more):
            whole = [(s["file_name"], self._switch(s)) for s in places]
            found = [(name, numbers, False) for name, numbers in whole if numbers]
            if found:
                return found[:1]
        return []

    def _branch(self, span: Span) -> int | None:
        place = self.places.get(span["file_name"])
        return _innermost(place.branches, span) if place else None

    def _switch(self, span: Span) -> list[int] | None:
        place = self.places.get(span["file_name"])
        return _innermost(place.switches, span) if place else None


def executables(messages: Iterable[Message]) -> list[Message]:
    return [m for m in messages if m["reason"] == "compiler-artifact" and m.get("executable") and m["profile"]["test"]]


def _innermost(places: Sequence[tuple[int, int, What]], span: Span) -> What | None:
    """Of (start, end, what), what belongs to the smallest that holds the span."""
    around = [(end - start, what) for start, end, what in places if start <= span["byte_start"] and span["byte_end"] <= end]
    return min(around, key=lambda place: place[0])[1] if around else None


def _flat(span: Span) -> Iterator[Span]:
    """A span, and where the macro stands that it comes from."""
    yield span
    expansion: dict[str, Any] = span.get("expansion") or {}
    if expansion.get("span"):
        yield from _flat({**expansion["span"], "is_primary": span["is_primary"]})
