"""`holdfast prove`: every proof in its full size, then one table; the exit code is the verdict.

`--size small` runs each in a size that takes minutes all together, and checks no latency. It shows that the steps work.
`--only model,storms` runs some of them.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from holdfast_cli.core import commands, tools
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.local.cloud import test_environment
from holdfast_cli.verify import mutants, suite, terraform_faults

# What finds a figure in an output: a pattern, or a function.
Figure = str | Callable[[str], str]
# What was proved, what it is, its figure, how long it took, whether it holds.
Row = tuple[str, str, str, float, str]


class Chosen(NamedTuple):
    """Of the mutants: the crates they are of (comma-separated, all if empty), and whether only their own tests run against them."""

    crates: str = ""
    own_tests: bool = False


ALL = Chosen()

class Proof:
    """A command with what makes it large or small, and where in its output the figure stands."""

    def __init__(self, key: str, what: str, command: list[str], figure: Sequence[Figure], full: dict[str, str] | None = None,
                 small: dict[str, str] | None = None, smaller: Sequence[str] = ()) -> None:
        self.key, self.what, self.figure = key, what, figure
        self.command = {"full": command, "small": [*command, *smaller]}
        self.environment = {"full": full or {}, "small": small or full or {}}

    def run(self, settings: Settings, size: str) -> str:
        """The figure; raises `Failed` when it does not hold."""
        code, output = spoken(self.command[size], test_environment(settings, **self.environment[size]))
        if code:
            raise Failed(f"exit code {code}")
        return figure_of(output, self.figure)


def tests_passed(output: str) -> str:
    """How many tests passed, of all that ran."""
    passed = sum(map(int, re.findall(r"^test result: ok\. (\d+) passed", output, re.M)))
    if not passed:
        raise Failed("no test ran")
    return f"{passed} tests passed"


def figure_of(output: str, patterns: Sequence[Figure]) -> str:
    """The result that the proof printed: the last match of each pattern. A proof without a match has not run."""
    found: list[str] = []
    for pattern in patterns:
        if not isinstance(pattern, str):
            found.append(pattern(output))
            continue
        matches: list[str] = re.findall(pattern, output, re.M)
        if not matches:
            raise Failed("it did not print its figure")
        found.append(matches[-1])
    return "; ".join(found)


def spoken(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """Runs a command with its output on the terminal; returns exit code and output."""
    return commands.spoken(command, sys.stdout, cwd=ROOT, env=environment)


def _test(*names: str) -> list[str]:
    """Integration tests, resolved over the whole workspace: they share their artifacts with `make test`."""
    targets = [argument for name in names for argument in ("--test", name)]
    return ["cargo", "test", "--locked", "--quiet", "--workspace", *targets, "--", "--nocapture"]


def _unit_test(name: str) -> list[str]:
    """A test of a library, resolved like the integration tests."""
    return ["cargo", "test", "--locked", "--quiet", "--workspace", "--lib", "--", "--nocapture", name]


PROOFS = (
    Proof("model", "every interleaving of the protocols' models, and every mutant of them (5 GB of memory)",
          ["cargo", "run", "--locked", "--quiet", "-p", "holdfast-model"], [r"^\d+ scopes of models hold .*$"], smaller=("--", "--bounded")),
    Proof("schedules", "every schedule of 2 readers and 2 writers, with the real scripts on a real server", _test("schedules"),
          [r"\d+ schedules, 0 stale hits"]),
    Proof("promotions", "kill the primary, promote a replica that missed a delete", _test("promotions"),
          [r"\d+ promotions, .*0 stale hits"], {"HOLDFAST_PROMOTIONS": "1000"}, {"HOLDFAST_PROMOTIONS": "10"}),
    Proof("storms", "32 sign-ins of one user at once, 30 % conflicts, 5 % lost replies", _test("storms"),
          [r"\d+ rounds of 32 sign-ins, \d+ faults injected"], {"HOLDFAST_STORMS": "10000"}, {"HOLDFAST_STORMS": "100"}),
    Proof("refreshes", "20 refreshes of one token at once, 20 % conflicts, 10 % lost replies", _test("refreshes"),
          [r"\d+ rounds of 20 refreshes of one token", r"\d+ faults injected"],
          {"HOLDFAST_REFRESHES": "5000"}, {"HOLDFAST_REFRESHES": "50"}),
    Proof("trouble", "the cache killed, frozen, full, read-only, flushed, restarted, under load", _test("trouble"),
          [r"0 refused, 0 stale; .*"], {"HOLDFAST_PROVE": "1"}, {"HOLDFAST_PROVE": ""}),
    Proof("differential", "random stories: a model and three providers answer alike", _test("differential"),
          [r"\d+ stories of \d+ commands"], {"HOLDFAST_STORIES": "5000"}, {"HOLDFAST_STORIES": "50"}),
    Proof("agreement", "random stories and requests: all ways to check a session say the same, over three providers",
          _unit_test("tests::agreement::"), [r"\d+ stories, \d+ verdicts over three providers.*", r"\d+ requests: .*"],
          {"HOLDFAST_AGREEMENTS": "10000", "HOLDFAST_REQUESTS": "100000"}, {"HOLDFAST_AGREEMENTS": "60", "HOLDFAST_REQUESTS": "1000"}),
    Proof("revocations", "sessions end under load, with every failure of cache and table: no later request is accepted",
          _unit_test("tests::revocations::"), [r"\d+ sessions ended under load.*", r"\d+ sessions in an old snapshot.*"],
          {"HOLDFAST_REVOCATIONS": "10000"}, {"HOLDFAST_REVOCATIONS": "100"}),
    Proof("faults", "faults in every operation, each seed replayable", _test("simulation"), [r"\d+ faults over \d+ seeds"],
          {"HOLDFAST_FAULTS": "1000000"}, {"HOLDFAST_FAULTS": "10000"}),
    Proof("wire", "table and cache through wires that conflict, fail and lose replies", _test("dynamodb", "redis"),
          [r"\d+ faults on the wire to DynamoDB", r"\d+ faults on the wire to Redis"],
          {"HOLDFAST_WIRE_ROUNDS": "10"}, {"HOLDFAST_WIRE_ROUNDS": "1"}),
    Proof("races", "a password change against four sign-ins with the old password", _test("races"),
          [r"\d+ password changes, .*\d+ faults injected"], {"HOLDFAST_RACES": "1000"}, {"HOLDFAST_RACES": "10"}),
    Proof("client", "the JavaScript client on a network that loses, repeats, delays and reorders: each message once, in order",
          ["npm", "--silent", "--prefix", "clients/javascript", "test"], [r"\d+ runs: \d+ messages delivered, \d+ reloads"],
          {"HOLDFAST_RUNS": "10000"}, {"HOLDFAST_RUNS": "100"}),
    Proof("delivery", "messages through 5 % faults and 5 % repeats: once and in order, every post accounted for", _test("delivery"),
          [r"\d+ messages, seed \d+: 0 lost, 0 doubled, in order for \d+ clients", r"posts \d+ = .*"],
          {"HOLDFAST_MESSAGES": "100000"}, {"HOLDFAST_MESSAGES": "2000"}),
    Proof("orders", "handshake against revocation and hang-up: every order of their calls",
          [*_test("use_cases"), "interleavings"],
          [r"handshake × revocation: .*", r"handshake × revocation × hang-up: .*"]),
    Proof("broadcast", "a broadcast within its budget beside 7 000 other requests a second", _test("gateway"),
          [r"broadcast to \d+ sockets in .*"], {"HOLDFAST_SOCKETS": "100000"}, {"HOLDFAST_SOCKETS": "2000"}),
    Proof("servers", "TLS, users, IAM tokens and a cluster, against real servers", _test("server", "secured", "cluster"),
          [tests_passed]),
)




def of_the_code(settings: Settings, size: str, chosen: Chosen = ALL) -> str:
    """The mutants, each against the tests in the sizes that take minutes all together."""
    sizes = {name: value for proof in PROOFS for name, value in proof.environment["small"].items()}
    return mutants.whole(settings, size, test_environment(settings, **sizes), chosen.crates, chosen.own_tests)


# Played on one local cloud: the test's name, its size, what it says of itself.
OVER_HTTP = (
    ("storm", "HOLDFAST_HTTP_STORMS", {"full": "200", "small": "2"}, r"\d+ rounds of 32 sign-ins through HTTP: .*"),
    ("no_socket_outlives", "HOLDFAST_SOCKET_RACES", {"full": "1000", "small": "16"}, r"\d+ handshakes raced the end .*"),
    ("a_thousand_real_sockets", "HOLDFAST_CROWD", {"full": "1000", "small": "50"}, r"\d+ real sockets received .*"),
)
# It stops the cache server, so it has a cloud of its own.
PROTECTED = (
    ("with_failures_of_cache_and_table", "HOLDFAST_HTTP_REVOCATIONS", {"full": "1000", "small": "16"}, r"\d+ ends behind a protected API .*"),
)


def over_http(settings: Settings, size: str, chosen: Sequence[tuple[str, str, dict[str, str], str]] = OVER_HTTP) -> str:
    """What needs the whole system, on a cloud of its own."""
    tests = [(name, {variable: sizes[size]}) for name, variable, sizes, _ in chosen]
    figures: list[str] = []
    for (name, _, _, pattern), (code, output) in zip(chosen, suite.over_http(settings, spoken, *tests)):
        if code:
            raise Failed(f"{name}: exit code {code}")
        figures.append(figure_of(output, [pattern]))
    return "; ".join(figures)


def behind_an_api(settings: Settings, size: str) -> str:
    return over_http(settings, size, PROTECTED)


STEPS: tuple[tuple[str, str, Callable[[Settings, str], str]], ...] = (
    *((proof.key, proof.what, proof.run) for proof in PROOFS),
    ("mutants", "every mutant of the code that ships, against the tests that reach it", of_the_code),
    ("terraform", "faults in copies of the stacks and modules, each a setting removed or changed: a test notices every one", terraform_faults.prove),
    ("cloud", "on a local cloud: 32 sign-ins of one user at once, handshakes against logouts, a crowd of sockets", over_http),
    ("protected", "behind a protected API on a local cloud: sessions end while they are used, with every failure of cache and table", behind_an_api),
)


def chosen(only: str) -> list[tuple[str, str, Callable[[Settings, str], str]]]:
    names = [name for name in only.split(",") if name]
    known = [key for key, _, _ in STEPS]
    for name in names:
        if name not in known:
            raise Refused(f"ONLY={name}: there is {', '.join(known)}.")
    return [step for step in STEPS if not names or step[0] in names]


def prove(settings: Settings, only: str = "", size: str = "full", of_mutants: Chosen = ALL) -> None:
    if size not in ("full", "small"):
        raise Refused(f"SIZE={size}: there is full and small.")
    steps = chosen(only)
    tools.require_cargo()
    tools.install(settings)
    if not tools.redis_server(settings):
        raise Refused("make prove needs a redis-server: install your system's package redis.")
    rows: list[Row] = []
    for key, what, work in steps:
        line(f"\n=== {key}: {what}")
        began = time.monotonic()
        try:
            verdict, figure = "holds", of_the_code(settings, size, of_mutants) if work is of_the_code else work(settings, size)
        except (Refused, Failed) as trouble:
            verdict, figure = "FAILED", str(trouble)
        rows.append((key, what, figure, time.monotonic() - began, verdict))
        line(f"=== {key}: {verdict} ({rows[-1][3]:.0f} s): {figure}")
    line("\n" + table(rows))
    failed = [key for key, *_, verdict in rows if verdict != "holds"]
    if failed:
        raise Failed(f"not proved: {', '.join(failed)}. `make prove ONLY={','.join(failed)}` runs them again.")
    line(f"{len(rows)} proofs hold" + (" (in small size: this shows that they run, and no more)" if size == "small" else ""))


def table(rows: Sequence[Row]) -> str:
    """Markdown, so that it can be put where it is read."""
    total = sum(seconds for *_, seconds, _ in rows)
    lines = ["| proof | what | figure | time | verdict |", "|---|---|---|---|---|"]
    lines += [f"| {key} | {what} | {figure} | {seconds:.0f} s | {verdict} |" for key, what, figure, seconds, verdict in rows]
    return "\n".join([*lines, f"| all | | | {total:.0f} s | |"])
