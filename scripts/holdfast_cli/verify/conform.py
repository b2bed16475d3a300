"""`holdfast conform`: a second opinion on what the local cloud accepts, because it accepts more than AWS does.

* `requests`: every request of an apply and of a smoke test is recorded and checked against botocore's service models.
* `probes`: questions about DynamoDB's semantics, with the answer that AWS documents, to the local cloud and to dynoxide.
* `suites`: the tests of the DynamoDB crates against dynoxide.

`make test` runs the first two on its own local cloud. The whole, which also records the apply of a staging environment, runs weekly.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdfast_cli.core import commands, console, processes, tools
from holdfast_cli.core import settings as settings_module
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, Settings, alternatives
from holdfast_cli.deploy import deploy
from holdfast_cli.local import cloud
from holdfast_cli.local.cloud import test_environment
from holdfast_cli.operate import smoke
from holdfast_cli.verify import dynoxide, planted, probes, rehearse, requests, service_models
from holdfast_cli.verify.probe_list import PROBES
from holdfast_cli.verify.probes import Result

PARTS = ("requests", "probes", "suites")
IMPLEMENTATIONS = ("local", "dynoxide")
# The tests of the tables through the adapters, directly and through a wire with faults.
SUITES = ("contract", "dynamodb")
# Fewer requests than a small apply sends: the recorder does not work.
_LEAST_REQUESTS = 300


@contextmanager
def private(settings: Settings, **more: str) -> Generator[Settings]:
    """Settings of a local environment of its own that records its requests. Its processes are stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="holdfast-conform-") as folder:
        own = settings_module.read({
            "ENV": "local", "HOLDFAST_WORK_DIR": str(Path(folder).resolve() / "cloud"), "HOLDFAST_TOOLS": str(settings.tools),
            "HOLDFAST_PORT": str(processes.free_port()), "HOLDFAST_REDIS_PORT": str(processes.free_port()), "HOLDFAST_RECORD": "1", **more,
        })
        try:
            yield own
        finally:
            commands.interrupt_all()
            cloud.stop(own)


# Requests


def check_requests(recording: Path, what: str) -> None:
    """Checks a recording, prints what it holds, and plants errors into it. Removes the file, which ends the recording."""
    if not recording.exists():
        raise Failed(f"{recording} is not there: the local cloud recorded nothing of {what}. It records what it gets if it was started with "
                     "HOLDFAST_RECORD=1.")
    try:
        with Step(f"checking the requests of {what} against AWS's models") as step:
            report = service_models.check(requests.recorded(recording))
            step.note = f"{report.checked} requests"
        with Step("planting errors into them, as a control") as step:
            found, missed = planted.control(requests.recorded(recording))
            step.note = f"{found.total()} of {found.total() + len(missed)} found"
    finally:
        recording.unlink(missing_ok=True)
    show(report, what)
    line(f"  planted: {', '.join(f'{found[kind]} {kind}' for kind in planted.KINDS)}; found {found.total()} of {found.total() + len(missed)}")
    if report.checked < _LEAST_REQUESTS or set(planted.KINDS) - set(found):
        raise Failed(f"the recording has {report.checked} requests and takes {len(found)} kinds of planted errors: it is not that of an apply. "
                     "Check scripts/local/recorder.py.")
    if missed:
        raise Failed(f"the check misses planted errors: {'; '.join(missed[:5])}")
    if report.violations:
        raise Failed(f"{len(report.violations)} violations: AWS's models do not accept these requests. Correct what sends them.")


def show(report: service_models.Report, what: str) -> None:
    """The table: by service, operations, requests and violations."""
    operations, calls, wrong = Counter[str](), Counter[str](), Counter[str]()
    for name, count in report.operations.items():
        operations[name.partition(":")[0]] += 1
        calls[name.partition(":")[0]] += count
    for violation in report.violations:
        wrong[violation.operation.partition(":")[0]] += violation.times
    rows = [(name, str(operations[name]), str(calls[name]), str(wrong[name])) for name in sorted(calls)]
    console.table(("service", "operations", "requests", "violations"),
                  [*rows, ("all", str(operations.total()), str(calls.total()), str(wrong.total()))])
    line(f"  {what}: {report.checked} requests of {operations.total()} operations, {len(report.violations)} violations; "
         f"{report.others} requests call no API of AWS")
    for violation in report.violations[:40]:
        line(f"  {violation.times} × {violation.operation}: {violation.what}")
    for pattern, count in report.unread.most_common():
        line(f"  {count} values were not compared with a pattern that Python cannot read: {pattern}")


def requests_of_deployments(settings: Settings) -> None:
    """The requests of the local environment with its smoke test, and of staging as far as the local cloud can run it."""
    tools.require_terraform()
    tools.require_cargo()
    with private(settings) as own:
        deploy.deploy(own)
        smoke.smoke(own)
        check_requests(own.recording_file, "a local apply and smoke test")
    with tempfile.TemporaryDirectory(prefix="holdfast-conform-") as folder:
        rehearsal = rehearse.Rehearsal(dataclasses.replace(settings, work=Path(folder).resolve()))
        rehearsal.environ["HOLDFAST_RECORD"] = "1"
        try:
            for each in (rehearsal.bootstrap, rehearsal.deploy):
                line(f"  {each()}")
            check_requests(rehearsal.settings.recording_file, "bootstrap, apply and smoke test of staging")
        finally:
            commands.interrupt_all()
            cloud.stop(rehearsal.settings)


# Probes


def ask(settings: Settings, name: str, port: int) -> list[Result]:
    with Step(f"asking {name} {len(PROBES)} questions about DynamoDB") as step, probes.bench(settings, port) as made:
        results = probes.run(PROBES, made, step)
        step.note = f"{sum(result.is_as_aws for result in results)} answered as AWS"
    return results


def probe_local(settings: Settings) -> None:
    """The probes against the local cloud that runs already."""
    conclude({"local": ask(settings, "the local cloud", settings.port)}, whole=False)


def probe(settings: Settings, implementations: Sequence[str]) -> None:
    found: dict[str, list[Result]] = {}
    if "local" in implementations:
        with private(settings, HOLDFAST_RECORD="0") as own:
            cloud.start(own, None)
            found["local"] = ask(own, "the local cloud", own.port)
    if "dynoxide" in implementations:
        with tempfile.TemporaryDirectory(prefix="holdfast-conform-") as folder, dynoxide.running(settings, Path(folder)) as port:
            found["dynoxide"] = ask(settings, "dynoxide", port)
    conclude(found, whole=True)


def rows(found: dict[str, list[Result]], whole: bool = True) -> list[tuple[str, ...]]:
    """Probe by implementation; without `whole` only where an answer differs."""
    made: list[tuple[str, ...]] = []
    for number, each in enumerate(PROBES):
        answers = [results[number] for results in found.values()]
        if whole or not all(result.is_as_aws for result in answers):
            made.append((each.name, probes.shown(each.expected),
                         *("as AWS" if result.is_as_aws else f"differs: {probes.shown(result.answer)}" for result in answers)))
    return made


def conclude(found: dict[str, list[Result]], whole: bool) -> None:
    """Prints the table, then what the register says of the differences. Fails where it does not know one, or knows one that is no longer."""
    entries = probes.register()
    console.table(("probe", "AWS", *found), rows(found, whole))
    wrong = list[str]()
    for name, results in found.items():
        verdict = probes.judge(results, entries.get(name, {}))
        line(f"  {name}: {sum(result.is_as_aws for result in results)} of {len(results)} probes as AWS, {len(verdict.known)} known differences")
        for result in verdict.unknown:
            wrong.append(f"{name}: {result.probe.name}: AWS answers {probes.shown(result.probe.expected)} "
                         f"({result.probe.source.url}), and it answers {probes.shown(result.answer)}")
        wrong += [f"{name}: {text}" for text in verdict.stale]
    if wrong:
        for text in wrong:
            line(f"  {text}")
        raise Failed(f"{len(wrong)} answers are not those of AWS or of the register scripts/conform.json. If such a difference does not matter to "
                     "Holdfast, add it there with its reason.")


# Suites


def run_suites(settings: Settings) -> None:
    """The tests of the tables against dynoxide: each test starts one of its own."""
    tools.require_cargo()
    environment = test_environment(settings, HOLDFAST_DYNAMODB=str(dynoxide.program(settings)))
    names = [argument for name in SUITES for argument in ("--test", name)]
    code, said = commands.spoken(["cargo", "test", "--locked", "--workspace", "--no-fail-fast", *names], sys.stdout, cwd=ROOT, env=environment)
    passed = [int(count) for count in re.findall(r"^test result: ok\. (\d+) passed", said, re.M)]
    if code or len(passed) != len(SUITES):
        raise Failed("the DynamoDB tests do not all pass against dynoxide.")
    line(f"  against dynoxide: {', '.join(f'{count} of {count} tests of {name}' for name, count in zip(SUITES, passed))}")


def conform(settings: Settings, only: str = "", implementation: str = "") -> None:
    if not settings.is_local:
        raise Refused("conform is for ENV=local: it records and probes the local cloud, and never AWS.")
    chosen = tuple(filter(None, only.split(","))) or PARTS
    for name in chosen:
        if name not in PARTS:
            raise Refused(f"ONLY={name}: use {alternatives(PARTS)}, or several of them with commas.")
    if implementation and implementation not in IMPLEMENTATIONS:
        raise Refused(f"IMPLEMENTATION={implementation}: use {alternatives(IMPLEMENTATIONS)}.")
    if implementation == "local" and chosen == ("suites",):
        raise Refused("IMPLEMENTATION=local with ONLY=suites: `make test` runs the suites against the local cloud.")
    tools.install(settings)
    if "probes" in chosen:
        probe(settings, (implementation,) if implementation else IMPLEMENTATIONS)
    if "requests" in chosen and implementation != "dynoxide":
        requests_of_deployments(settings)
    if "suites" in chosen and implementation != "local":
        run_suites(settings)
