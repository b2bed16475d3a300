"""Runs the acceptance suite (`holdfast verify`): chooses the checks, removes what they created, and prints one table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from holdfast_cli.core import commands
from holdfast_cli.core.console import Slow, answer, line, table, wants_json
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import outputs
from holdfast_cli.local import cloud
from holdfast_cli.verify.acceptance.check import Check, Deployed, Skipped
from holdfast_cli.verify.acceptance.table import CHECKS

PASSED, FAILED, SKIPPED = "passed", "FAILED", "skipped"


class Result(NamedTuple):
    """What a check showed, or why it failed or was skipped."""

    name: str
    verdict: str
    seconds: float
    note: str


def chosen(only: str) -> list[Check]:
    """The checks that `--only` names, or all."""
    names = [name for name in only.split(",") if name]
    known = [check.name for check in CHECKS]
    for name in names:
        if name not in known:
            raise Refused(f"ONLY={name}: there is no such check. Use {', '.join(known)}.")
    return [check for check in CHECKS if not names or check.name in names]


def one(check: Check, deployed: Deployed) -> Result:
    """Runs a check. It can end in no other way than a result, except by Ctrl-C."""
    began = time.monotonic()

    def result(verdict: str, note: str) -> Result:
        return Result(check.name, verdict, time.monotonic() - began, " ".join(note.split()))

    if check.run is None:
        raise ValueError(f"{check.name} has nothing to run")
    try:
        with Slow(check.name):
            return result(PASSED, check.run(deployed))
    except Skipped as reason:
        return result(SKIPPED, str(reason))
    except (Failed, Refused) as trouble:
        return result(FAILED, str(trouble))
    except Exception as trouble:
        # An answer that no check expects is a failure of the check, and the others still say something.
        return result(FAILED, f"{type(trouble).__name__}: {trouble}")


def play(deployed: Deployed, checks: Sequence[Check], is_named: bool) -> list[Result]:
    """Runs the checks one after the other, and removes what they created, in every case."""
    results: list[Result] = []
    try:
        for check in checks:
            reason = check.left_out(deployed.settings.on_local_cloud, deployed.safe, is_named)
            results.append(Result(check.name, SKIPPED, 0, reason) if reason else one(check, deployed))
            if results[-1].verdict == FAILED:
                line(f"  {check.name}: FAILED: {results[-1].note}")
    finally:
        with commands.uninterrupted(), Slow("removing what the checks created"):
            left = deployed.clean_up()
    if left:
        results.append(Result("clean-up", FAILED, 0, f"still there: {', '.join(left)}. Remove it by hand."))
    return results


def run(settings: Settings, only: str = "", safe: bool = False) -> list[Result]:
    checks = chosen(only)
    if settings.env == "production" and not settings.rehearsal and not safe:
        raise Refused("ENV=production: only the checks that read may run there. Add --safe (make: SAFE=1).")
    cloud.require_running(settings)
    deployed = Deployed(settings, outputs.read(settings), safe)
    line(f"Verifying ENV={settings.env} at {deployed.known['httpUrl']}")
    return play(deployed, checks, bool(only))


def show(results: Sequence[Result]) -> None:
    """One table: what ran, then what did not, each with its reason."""
    ran = [result for result in results if result.verdict != SKIPPED]
    skipped = [result for result in results if result.verdict == SKIPPED]
    line()
    table(("CHECK", "RESULT", "TIME", "FOUND, OR REASON"),
          [(name, verdict, f"{seconds:.1f} s" if verdict != SKIPPED else "-", note) for name, verdict, seconds, note in [*ran, *skipped]])
    line(f"{_count(results, PASSED)} passed, {_count(results, FAILED)} failed, {len(skipped)} skipped")
    if skipped:
        line("What was skipped is not proved for this deployment (docs/verifying.md).")


def _count(results: Sequence[Result], verdict: str) -> int:
    return sum(result.verdict == verdict for result in results)


def as_json(settings: Settings, results: Sequence[Result]) -> dict[str, Any]:
    return {"ok": not _count(results, FAILED), "env": settings.env, "passed": _count(results, PASSED), "failed": _count(results, FAILED),
            "skipped": _count(results, SKIPPED),
            "checks": [{"name": name, "result": verdict.lower(), "seconds": round(seconds, 1), "note": note}
                       for name, verdict, seconds, note in results]}


def require(results: Sequence[Result]) -> None:
    """Fails if a check failed."""
    failed = [result for result in results if result.verdict == FAILED]
    if failed:
        names = ",".join(result.name for result in failed)
        found = "; ".join(f"{result.name} ({result.note})" for result in failed)
        raise Failed(f"not as it should be: {found}. `holdfast verify --only {names}` runs them again.")


def check(settings: Settings) -> None:
    """Runs the whole suite, as a step of `make test`."""
    results = run(settings)
    show(results)
    require(results)


def verify(settings: Settings, only: str = "", safe: bool = False) -> None:
    """Runs the suite for an operator, and answers in JSON where that is wanted."""
    results = run(settings, only, safe)
    show(results)
    if wants_json():
        answer(as_json(settings, results))
    require(results)
