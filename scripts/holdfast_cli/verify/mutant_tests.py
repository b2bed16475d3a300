"""Runs the tests of the copy with switches: once without a mutant to learn which test reaches which, then with each mutant on."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from holdfast_cli.core import commands
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed
from holdfast_cli.verify.switches import Mutant

# Two at a time, as a machine of two cores has it.
AT_ONCE = 2
# A test below this runs with others in one process; a slower one alone, after them.
QUICK_SECONDS = 0.4
# A mutant that runs so many times as long as its tests take without one never ends.
PATIENCE_TIMES, PATIENCE_SECONDS = 6, 15
# A mutant that allocates without end is ended before it takes the machine's memory (KiB); nothing leaves a core dump.
LIMITS = 'ulimit -c 0; ulimit -v 8000000 2>/dev/null; exec "$0" "$@"'


# Mutant's id to its verdict and what gave it.
Results = dict[int, tuple[str, str]]
Item = TypeVar("Item")


class Binary:
    """One executable of tests. `tests` maps a name to seconds, and `reach` maps a name to the mutants that it reaches."""

    def __init__(self, path: str, package: str, name: str, folder: Path) -> None:
        self.path, self.package, self.name, self.folder = path, package, name, folder
        self.tests, self.reach = dict[str, float](), dict[str, set[int]]()
        self.identity = ""


class Interrupted(Exception):
    """The run ends: nothing more is started."""


class Runner:
    def __init__(self, environment: Mapping[str, str], temporary: Path | str, deadline: float | None = None) -> None:
        self.deadline = deadline
        self.environment = {**environment, "RUST_BACKTRACE": "0", "TMPDIR": str(temporary)}
        self.temporary = temporary
        self.stop = threading.Event()

    def play(self, binary: Binary, tests: Sequence[str], patience: float, mutant: int | None = None,
             seen: Path | None = None) -> tuple[str, str]:
        """Runs these tests of a binary in one process: (`passed`, `failed` or `timeout`, the first that failed). Ends it as soon as one
        fails."""
        variables = {"CARGO_MANIFEST_DIR": str(binary.folder), "HOLDFAST_MUTANT": str(mutant or "")}
        if seen:
            variables["HOLDFAST_MUTANT_SEEN"] = str(seen)
        folder = tempfile.mkdtemp(dir=self.temporary)
        command = ["sh", "-c", LIMITS, binary.path, "--exact", "--test-threads", "2", *tests]
        child = commands.start(command, cwd=binary.folder, env={**self.environment, **variables, "TMPDIR": folder},
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", errors="replace")
        late = threading.Event()

        def end() -> None:
            late.set()
            _kill(child)

        timer = threading.Timer(patience, end)
        timer.daemon = True
        timer.start()
        failed, ran = "", 0
        try:
            with commands.lines_of(child) as stdout:
                for text in stdout:
                    found = re.match(r"test (\S+)(?: - should panic)? \.\.\. (\w+)", text)
                    if found and found.group(2) == "FAILED":
                        failed = found.group(1)
                        break
                    ran += bool(found)
                    if self.stop.is_set():
                        break
        finally:
            timer.cancel()
            # What a test has started is in its group; nothing of it stays.
            if failed or self.stop.is_set():
                _kill(child)
            else:
                _wait(child)
                _kill(child)
            code = commands.finish(child)
            shutil.rmtree(folder, ignore_errors=True)
        if self.stop.is_set():
            raise Interrupted
        if failed:
            return "failed", failed
        if late.is_set():
            return "timeout", tests[0]
        return ("failed", tests[min(ran, len(tests) - 1)]) if code else ("passed", "")

    def each(self, work: Callable[[Item], None], items: Sequence[Item], say: Callable[[int, int], None]) -> None:
        """`work(item)` for every item, some at a time, until the deadline; `say(done, of)` every few seconds. The first exception ends
        all."""
        todo: queue.Queue[Item] = queue.Queue()
        troubles, done = list[BaseException](), list[Item]()
        for item in items:
            todo.put(item)

        def go() -> None:
            while not self.stop.is_set() and not (self.deadline and time.monotonic() > self.deadline):
                try:
                    item = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    work(item)
                    done.append(item)
                except BaseException as trouble:
                    troubles.append(trouble)
                    self.stop.set()

        threads = [threading.Thread(target=go, daemon=True) for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        said = time.monotonic()
        try:
            while any(thread.is_alive() for thread in threads):
                for thread in threads:
                    thread.join(0.1)
                if time.monotonic() - said > 15:
                    said = time.monotonic()
                    say(len(done), len(items))
        except BaseException:
            self.stop.set()
            for thread in threads:
                thread.join(10)
            raise
        for trouble in troubles:
            if not isinstance(trouble, Interrupted):
                raise trouble


def _wait(child: commands.Child) -> None:
    """Until a child has ended, without collecting it: its group keeps its number meanwhile."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)


def _kill(child: commands.Child) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def binaries(artifacts: Iterable[dict[str, Any]], packages: Mapping[str, str]) -> list[Binary]:
    """The executables that cargo speaks of; `packages`: manifest to crate."""
    found: list[Binary] = []
    for artifact in artifacts:
        manifest = Path(artifact["manifest_path"])
        target = artifact["target"]
        kind = "unit tests" if target["kind"][0] not in ("test",) else f"tests/{target['name']}"
        if target["kind"][0] == "bin":
            kind = f"unit tests of {target['name']}"
        found.append(Binary(artifact["executable"], packages[str(manifest)], kind, manifest.parent))
    return found


def discover(binary: Binary, environment: Mapping[str, str]) -> None:
    """Fills `tests` with the names of all that are not ignored."""
    def names(*more: str) -> list[str]:
        text = commands.output([binary.path, "--list", "--format", "terse", *more], cwd=binary.folder, env=environment)
        if text.returncode:
            raise Failed(f"{binary.package}, {binary.name}: its tests could not be listed: {text.stderr.strip()[-300:]}")
        return [found[0] for found in re.findall(r"^(\S+): (test)$", text.stdout, re.M)]

    ignored = set(names("--ignored"))
    binary.tests = {name: 0.0 for name in names() if name not in ignored}


def learn(runner: Runner, found: list[Binary], known: dict[str, Any]) -> list[tuple[Binary, str, str]]:
    """What each test reaches, and how long it takes, without a mutant. `known`: of an earlier run, by the executable's identity."""
    work: list[tuple[Binary, str]] = []
    for binary in found:
        stat = Path(binary.path).stat()
        identity = f"{binary.path} {stat.st_size} {stat.st_mtime_ns}"
        old = known.get(identity)
        binary.identity = identity
        if old and set(old) == set(binary.tests):
            for name, (seconds, reach) in old.items():
                binary.tests[name], binary.reach[name] = seconds, set(reach)
        else:
            work += [(binary, name) for name in binary.tests]
    broken: list[tuple[Binary, str, str]] = []

    def one(item: tuple[Binary, str]) -> None:
        binary, name = item
        verdict = ""
        for _ in range(2):
            notes = Path(runner.temporary) / f"seen-{threading.get_ident()}"
            notes.unlink(missing_ok=True)
            began = time.monotonic()
            verdict, _ = runner.play(binary, [name], 300, seen=notes)
            binary.tests[name] = round(time.monotonic() - began, 3)
            binary.reach[name] = set(map(int, notes.read_text().split())) if notes.exists() else set()
            if verdict == "passed":
                return
        broken.append((binary, name, verdict))

    runner.each(one, work, lambda done, of: line(f"    {done} of {of} tests run without a mutant"))
    return broken


def remembered(found: list[Binary]) -> dict[str, Any]:
    return {b.identity: {name: [b.tests[name], sorted(b.reach[name])] for name in b.tests} for b in found}


def batches(mutant: Mutant, reaching: Iterable[tuple[Binary, str]]) -> list[tuple[Binary, list[str]]]:
    """Which tests to run for a mutant, in which order: quick ones of its own crate, quick ones of others, then slow ones by time."""
    quick: dict[int, tuple[Binary, list[str]]] = {}
    slow: list[tuple[float, Binary, list[str]]] = []
    for binary, name in reaching:
        seconds = binary.tests[name]
        if seconds < QUICK_SECONDS:
            quick.setdefault(id(binary), (binary, []))[1].append(name)
        else:
            slow.append((seconds, binary, [name]))

    def own(binary: Binary) -> bool:
        return binary.package != mutant["package"]

    first = sorted(quick.values(), key=lambda b: (own(b[0]), sum(b[0].tests[n] for n in b[1])))
    slow.sort(key=lambda b: (b[0] > 3, own(b[1]), b[0]))
    return [*first, *((binary, names) for _, binary, names in slow)]


def judge(runner: Runner, mutants: list[Mutant], found: list[Binary], say: Callable[[int, int, Results], None]) -> Results:
    """With each mutant on: id to (`caught`, `timeout`, `survived` or `unreached`, by which test)."""
    reaching: dict[int, list[tuple[Binary, str]]] = {}
    for binary in found:
        for name, reach in binary.reach.items():
            for number in reach:
                reaching.setdefault(number, []).append((binary, name))
    results: Results = {}

    def one(mutant: Mutant) -> None:
        tests = reaching.get(mutant["id"], [])
        results[mutant["id"]] = ("unreached", "")
        for binary, names in batches(mutant, tests):
            patience = PATIENCE_SECONDS + PATIENCE_TIMES * sum(binary.tests[name] for name in names)
            verdict, by = runner.play(binary, names, patience, mutant=mutant["id"])
            if verdict != "passed":
                results[mutant["id"]] = ("caught" if verdict == "failed" else "timeout", f"{binary.package}, {binary.name}: {by}")
                return
        if tests:
            results[mutant["id"]] = ("survived", "")

    runner.each(one, mutants, lambda done, of: say(done, of, results))
    return results


def judge_built(runner: Runner, found: list[Binary]) -> tuple[str, str]:
    """The verdict of a build that has a mutant in it: every test may notice."""
    for binary in sorted(found, key=lambda b: b.name):
        if not binary.tests:
            continue
        verdict, by = runner.play(binary, sorted(binary.tests), PATIENCE_SECONDS + PATIENCE_TIMES * 60)
        if verdict != "passed":
            return "caught" if verdict == "failed" else "timeout", f"{binary.package}, {binary.name}: {by}"
    return "survived", ""
