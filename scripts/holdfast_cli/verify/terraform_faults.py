"""Faults put into copies of the Terraform: each removes or changes one setting, and a test has to notice.

`scripts/faults/terraform.json` lists them: the file below infra/, the text that is replaced, and the folder whose own `terraform test`
must fail. A fault whose text is not found exactly once, or that does not even plan, says nothing about the tests and is a failure.
"""

from __future__ import annotations

import json
import os
import queue
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from holdfast_cli.core import commands
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.deploy import terraform
from holdfast_cli.local import providers
from holdfast_cli.local.cloud import test_environment

LIST = ROOT / "scripts" / "faults" / "terraform.json"
# The stack whose provider is served: each has the same.
SERVED = "stacks/platform"
# The stacks' tables: where they are, they notice most, and they are few runs.
FIRST = "tests/settings.tftest.hcl"
# By these a test, or a rule of a variable, has refused the value. Any other error is of a fault that is no Terraform.
NOTICED = ("Test assertion failed", "Missing expected failure", "Invalid value for variable", "Resource precondition failed",
           "Resource postcondition failed", "Check block assertion failed")

Item = TypeVar("Item")
# Caught or invalid, and by what.
Found = tuple[str, str]


class Fault(NamedTuple):
    what: str
    # Below infra/.
    file: str
    find: str
    replace: str
    # The folder whose tests must fail.
    caught_by: str


class Result(NamedTuple):
    fault: Fault
    verdict: str
    by: str
    seconds: float


def read(path: Path = LIST) -> list[Fault]:
    return [Fault(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def faulty(text: str, fault: Fault) -> str:
    """The file with the fault in it. `Failed` where the list no longer fits the file."""
    found = text.count(fault.find)
    if found != 1:
        raise Failed(f"{fault.what}: {fault.file} has its text {found} times, not once; {LIST.relative_to(ROOT)} has to follow the file")
    if fault.find == fault.replace:
        raise Failed(f"{fault.what}: it changes nothing")
    return text.replace(fault.find, fault.replace)


def some(faults: list[Fault], number: int, seed: str) -> list[Fault]:
    """So many of them, the same for the same seed."""
    return random.Random(seed).sample(faults, min(number, len(faults)))


def verdict(events: Iterable[dict[str, Any]]) -> Found | None:
    """(caught | invalid, where) of the first failure in the output of `terraform test -json`, None without one."""
    for event in events:
        trouble = event.get("diagnostic")
        if trouble and trouble.get("severity") == "error":
            # An assertion that cannot even be evaluated (a block it looks into is not there) has noticed, too.
            place: dict[str, str] = trouble.get("range") or {}
            in_a_test = place.get("filename", "").endswith(".tftest.hcl")
            if (trouble["summary"] in NOTICED or in_a_test) and event.get("@testrun"):
                return "caught", f"{event['@testfile']} {event['@testrun']}"
            return "invalid", f"{trouble['summary']}: {trouble.get('detail', '')[:200]}"
    return None


class Copy:
    """A copy of infra/ that one worker puts faults into, one after the other."""

    def __init__(self, top: Path, environment: dict[str, str]) -> None:
        self.top, self.environment = top, environment
        self.infra = top / "infra"
        shutil.copytree(ROOT / "infra", self.infra, ignore=shutil.ignore_patterns(".terraform"))
        (top / "services").mkdir()
        shutil.copy(ROOT / "services" / "functions.json", top / "services")
        for folder in (*self.infra.glob("modules/*/"), *self.infra.glob("examples/*/")):
            shutil.copy(self.infra / "stacks" / "platform" / terraform.LOCK, folder)

    def prepare(self, folder: str) -> None:
        if (self.infra / folder / ".terraform").exists():
            return
        log = self.top / "init.log"
        if commands.logged(["terraform", "init", "-backend=false", "-input=false", "-no-color"], log, cwd=self.infra / folder, env=self.environment):
            raise Failed(f"terraform init of {folder}: {log.read_text(encoding='utf-8')[-500:]}")

    def test(self, folder: str, *only: str) -> Found | None:
        """The first failure of the folder's tests only."""
        child = commands.start(["terraform", "test", "-json", *(f"-filter={name}" for name in only)], cwd=self.infra / folder, env=self.environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace")
        said, passed = list[str](), False

        def events() -> Iterator[dict[str, Any]]:
            nonlocal passed
            for text in commands.lines_of(child):
                said.append(text)
                if not text.startswith("{"):
                    continue
                event = json.loads(text)
                passed = passed or event.get("test_summary", {}).get("status") == "pass"
                yield event

        with commands.lines_of(child):
            found = verdict(events())
            if found:
                # The copy is thrown away: nothing it would still tear down exists.
                os.killpg(child.pid, signal.SIGKILL)
        commands.finish(child)
        if not found and not passed:
            raise Failed(f"terraform test of {folder} neither passed nor failed: {''.join(said)[-500:]}")
        return found

    def play(self, fault: Fault) -> Result:
        began = time.monotonic()
        file = self.infra / fault.file
        right = file.read_text(encoding="utf-8")
        try:
            file.write_text(faulty(right, fault), encoding="utf-8")
            self.prepare(fault.caught_by)
            table = (self.infra / fault.caught_by / FIRST).exists()
            found = (self.test(fault.caught_by, FIRST) if table else None) or self.test(fault.caught_by)
        except Failed as trouble:
            found = ("invalid", str(trouble))
        finally:
            file.write_text(right, encoding="utf-8")
        return Result(fault, *(found or ("NOT CAUGHT", "")), time.monotonic() - began)


def play(settings: Settings, faults: list[Fault], control: bool = True, jobs: int = 2) -> list[Result]:
    """Tests the faults, `jobs` at once, and returns a result for each. With `control`, the tests that failed must then pass without a fault."""
    environment = {**test_environment(settings), "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "GOGC": os.environ.get("GOGC", "400")}
    waiting: queue.Queue[Fault] = queue.Queue()
    results, troubles = list[Result](), list[Exception]()
    # Faults of one folder follow each other, so that each copy is initialised for few.
    for fault in sorted(faults, key=lambda fault: fault.caught_by):
        waiting.put(fault)
    top = Path(tempfile.mkdtemp(prefix="holdfast-faults-")).resolve()
    # One by one: an empty plugin cache is filled by the first, and Terraform does not lock it.
    lock = threading.Lock()
    served: tuple[commands.Child, str] | None = None

    def one(copy: Copy, fault: Fault) -> None:
        result = copy.play(fault)
        results.append(result)
        line(f"  {result.verdict:10} {result.seconds:4.0f} s  {fault.what} ({fault.file}){': ' + result.by if result.by else ''}")

    def unharmed(copy: Copy, noticed: tuple[str, str]) -> None:
        folder, file = noticed
        found = copy.test(folder, file)
        if found:
            raise Failed(f"{folder} fails without any fault: {found[1]}")

    def worker(copy: Copy, items: queue.Queue[Item], folder_of: Callable[[Item], str], work: Callable[[Copy, Item], None]) -> None:
        try:
            while not troubles and not commands.interrupted():
                item = items.get_nowait()
                with lock:
                    copy.prepare(folder_of(item))
                work(copy, item)
        except queue.Empty:
            pass
        except Exception as trouble:  # told below, by the caller's thread
            troubles.append(trouble)

    def side_by_side(items: queue.Queue[Item], folder_of: Callable[[Item], str], work: Callable[[Copy, Item], None]) -> None:
        threads = [threading.Thread(target=worker, args=(copy, items, folder_of, work)) for copy in copies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    try:
        copies = [Copy(top / str(number), environment) for number in range(jobs)]
        if faults:
            # One process of the provider for all of them.
            copies[0].prepare(SERVED)
            served = providers.serve(copies[0].infra / SERVED, top / "provider.log", commands.start)
            environment.update({"TF_REATTACH_PROVIDERS": served[1]} if served else {})
        side_by_side(waiting, lambda fault: fault.caught_by, one)
        if control:
            again: queue.Queue[tuple[str, str]] = queue.Queue()
            for noticed in sorted({(result.fault.caught_by, result.by.split()[0]) for result in results if result.verdict == "caught"}):
                again.put(noticed)
            side_by_side(again, lambda noticed: noticed[0], unharmed)
    except KeyboardInterrupt:
        # Only then: another lane of `make test` may have children, too.
        commands.interrupt_all()
        raise
    finally:
        if served:
            served[0].kill()
            commands.finish(served[0])
        shutil.rmtree(top, ignore_errors=True)
    if troubles:
        raise troubles[0]
    return results


def table(results: list[Result]) -> str:
    rows = ["| fault | in | noticed by | test | time |", "|---|---|---|---|---|"]
    for result in sorted(results, key=lambda result: (result.fault.file, result.fault.what)):
        by = result.by if result.verdict == "caught" else result.verdict
        rows.append(f"| {result.fault.what} | {result.fault.file} | {result.fault.caught_by} | {by} | {result.seconds:.0f} s |")
    return "\n".join(rows)


def figure(results: list[Result]) -> str:
    """Prints the results. Raises `Failed` unless every fault was detected."""
    missed = [f"{result.fault.what} ({result.verdict})" for result in results if result.verdict != "caught"]
    said = f"{len(results) - len(missed)} of {len(results)} faults caught"
    if missed or not results:
        raise Failed("; ".join([said, *missed]))
    return said


def seed() -> str:
    """This commit: the sample of a change is the same wherever it is tested."""
    return commands.output(["git", "rev-parse", "HEAD"], cwd=ROOT).stdout.strip() or "0"


def prove(settings: Settings, size: str) -> str:
    faults = read()
    results = play(settings, faults if size == "full" else some(faults, 12, seed()), control=size == "full")
    line("\n" + table(results))
    return figure(results)


def sample(settings: Settings) -> None:
    """A few of them for `make test`, where the tests without a fault have just passed."""
    figure(play(settings, some(read(), 4, seed()), control=False))
