"""`holdfast bench`: runs the benchmarks and writes target/bench/report.md. A benchmark is a command that prints lines of JSON, with cells of a
table and curves (shared/bench/src/figures.rs has their form). To add a benchmark, add it to BENCHMARKS.

No figure is compared with a limit. Figures compare with each other on one machine in one run. `--only <name>` runs one of them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from holdfast_cli.core import catalogue, commands, processes, tools
from holdfast_cli.core import settings as settings_module
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, Settings, alternatives
from holdfast_cli.deploy import build, deploy, preparation
from holdfast_cli.local import cloud
from holdfast_cli.local.cloud import test_environment
from holdfast_cli.operate import smoke
from holdfast_cli.verify import plot

FOLDER = ROOT / "target" / "bench"
# Sessions as people keep them in Node and in Rust. Their lock files pin what they depend on, which is installed at the first run.
PEERS = ROOT / "shared" / "bench" / "peers"

# Name to where: the outputs.json of a local cloud, or the address of a server.
Places = Mapping[str, "Path | str"]
# Cells of a table and curves, as the benchmarks print them.
Figures = list[dict[str, Any]]


@dataclass(frozen=True)
class Benchmark:
    name: str
    title: str
    # What is measured and how, for the report.
    what: str
    # From (the benchmarks' executable, its places: name to where) to the command.
    command: Callable[[str, Places], Sequence[Path | str]]
    # What it wants to run against: names of CLOUDS (local clouds of its own: outputs.json), `redis-server` (an address),
    # `functions` (the folder of the release executables), `node-peer` (the folder of what they are compared with in Node) or `rust-peer`
    # (an executable). For a peer that is not available, it is an empty text.
    places: tuple[str, ...] = ()


CLOUDS = {"redis": {"CACHE": "redis"}, "dynamodb": {"CACHE": "dynamodb"}}

BENCHMARKS = (
    Benchmark(
        "tokens", "Tokens and passwords",
        "In one process, no store: reading a token and hashing its secret against the hash alone (median of 41 batches of 20 000, in "
        "turns), and argon2id with the parameters of the release.",
        lambda executable, _: [executable, "tokens"]),
    Benchmark(
        "scripts", "The cache's scripts",
        "A redis-server and its caller on one processor of this machine, 2 000 of each in turns: r1 (a validation's one question), w2 (a change's "
        "one delete), against a bare GET of the same copy. `server time` is the server's own account (INFO commandstats), taken apart: the "
        "median of nine runs.",
        lambda executable, places: [executable, "scripts", places["redis-server"]],
        ("redis-server",)),
    Benchmark(
        "functions", "Functions at their own edge",
        "The release executables, each behind a Runtime API of ours, with a redis-server of this machine and a table that answers after 3 ms. "
        "`wall` is from the event to the answer, `processor` is the time on a processor, in the mean. For requests, the functions and all that "
        "they talk to share one processor of the machine, where the program taskset is installed. While freezes and pauses are measured, it is "
        "kept awake, where the program chrt is installed. The bare functions do one thing with the same libraries and return as many bytes. With "
        "the table, each takes 200 invocations in turns, nine times; without it, 50 invocations, 144 times. A start is the median of 21, a "
        "request after a freeze or a pause that of 25. Instructions are callgrind's, if valgrind is installed: the difference between 300 and "
        "100 invocations. The commit of a sign-in is sent by one process, as is the bare transaction.",
        lambda executable, places: [executable, "functions", *(places[name] for name in ("redis-server", "functions", "node-peer", "rust-peer"))],
        ("redis-server", "functions", "node-peer", "rust-peer")),
    Benchmark(
        "memory", "Memory of functions",
        "The release executables as above, with a table that answers at once: the resident memory after so many requests, which the kernel states.",
        lambda executable, places: [executable, "memory", places["redis-server"], places["functions"]],
        ("redis-server", "functions")),
    Benchmark(
        "profiles", "Profiles of the release",
        "The function sessions-current, built from nothing in the profile of the release (Cargo.toml) and in profiles that differ from it in "
        "one setting. `one more function` is what each of the other functions adds to a build. Instructions are callgrind's: until the first "
        "question for an event, and of one validation, the difference between 300 and 100.",
        lambda executable, places: [sys.executable, "-B", "-m", "holdfast_cli.verify.release_profiles", executable, places["redis-server"]],
        ("redis-server",)),
    Benchmark(
        "http", "Sessions over HTTP",
        "Two local clouds side by side that differ in CACHE alone, called in turns by one caller: 1 000 validations "
        "(GET /v1/sessions/current), 60 sign-ins, 150 refreshes each; then 8 callers at once for 10 s on each. Sign-in contains argon2id "
        "as the local cloud's build has it (optimised, while the rest is not). **Validations with dynamodb are not to be compared with those "
        "with redis:** on the local cloud a request that only reads the table takes some 45 ms more than a refresh, which reads and writes "
        "it, at every percentile; that is a wait in the local cloud or on its wire, whose place is not known yet, and not work.",
        lambda executable, places: [executable, "http", *(f"{name}={outputs}" for name, outputs in places.items())],
        ("redis", "dynamodb")),
    Benchmark(
        "fanout", "The fan-out's worker",
        "What the function push-fanout does with records of 250 recipients, against a bare HTTP client (64 kept connections, nothing signed, "
        "nothing decided) that posts the same to the same gateway of ours, in turns and on one thread: 7 rounds of 5 000 posts each, the median. "
        "A post through API Gateway takes some 20 ms. `by processor` counts only the time that the thread was on a processor. Instructions are "
        "callgrind's, if valgrind is installed: the difference between three rounds and one. `adapter` is the worker's gateway without the worker, "
        "`sdk` AWS's own client. The peer in Node sends one post of the SDK for each socket, as AWS's examples do, on 64 connections. "
        "Its rounds come after.",
        lambda executable, places: [executable, "fanout", places["node-peer"]],
        ("node-peer",)),
    Benchmark(
        "growth", "Growth",
        "A redis-server of this machine with 1 000 to 1 000 000 copies: the time of a caller on the same processor for the one question of a "
        "validation, and the server's own (INFO commandstats; the median of 15 runs in turns, of 1 000 questions each about copies far from each "
        "other). A worker of the fan-out with a message for 1 to 100 000 recipients, as in the benchmark above, at 0 ms, and with messages for 5 "
        "000 single users with 1 to 10 sockets each: the shortest of five. `memory of the worker then` is that of a process that has delivered "
        "one message.",
        lambda executable, places: [executable, "growth", places["redis-server"]],
        ("redis-server",)),
    Benchmark(
        "flood", "An anonymous flood of sign-ins",
        "The sign-in service before a table of the local cloud, through a proxy that records every request. Counts of one attempt with a wrong "
        "password, from one network: the first one, the last one that is verified, and every one after it, which is refused with 429. Write units "
        "as DynamoDB counts them (one for each item of up to 1 KB, twice in a transaction, condition checks included).",
        lambda executable, _: [executable, "flood"]),
    Benchmark(
        "sockets", "Sockets",
        "A local cloud, one user: from the logout's answer to the close at its socket, 300 times; from the sending of a publish "
        "to the frame at the socket, 300 times. Change stream, event bus and queues of the local cloud are polled: most of it is their waiting.",
        lambda executable, places: [executable, "sockets", str(places["redis"])],
        ("redis",)),
)


def bench(settings: Settings, only: str = "") -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    if only and only not in names:
        raise Refused(f"ONLY={only}: use {alternatives(names)}.")
    if not settings.is_local:
        raise Refused("make bench measures on this machine only: leave ENV out.")
    tools.require_cargo()
    chosen = [benchmark for benchmark in BENCHMARKS if only in ("", benchmark.name)]
    if any(set(benchmark.places) & set(CLOUDS) for benchmark in chosen):
        preparation.prerequisites(settings)
    redis = tools.redis_server(settings)
    if not redis:
        raise Refused("make bench needs a redis-server: install your system's package redis.")
    tools.install(settings)
    head, began = machine(only), time.monotonic()
    executable = built(settings)
    results: list[tuple[Benchmark, Figures, str]] = []
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder, ExitStack() as clouds:
        places: dict[str, Path | str] = {}
        for benchmark in chosen:
            for name in benchmark.places:
                if name not in places:
                    work = Path(folder).resolve() / name
                    if name == "functions":
                        places[name] = functions(settings)
                    elif name in PEER:
                        places[name] = peer(settings, name, head)
                    elif name in CLOUDS:
                        places[name] = clouds.enter_context(deployed(settings, work, CLOUDS[name]))
                    else:
                        places[name] = clouds.enter_context(server(redis, work))
            results.append((benchmark, *measured(settings, benchmark, executable, {name: places[name] for name in benchmark.places})))
    write(head, results, time.monotonic() - began)
    line(f"Written: {(FOLDER / 'report.md').relative_to(ROOT)}")


# The functions that `holdfast-bench functions` measures (shared/bench/src/functions.rs), each of the service that its name begins with.
MEASURED = ("ops-not-found", "sessions-current", "auth-login", "auth-refresh", "push-fanout")


def built(settings: Settings) -> str:
    """The executable of the benchmarks, in the profile that AWS gets."""
    _build(settings, "the benchmarks", ["-p", "holdfast-bench"])
    return str(smoke.target() / "release" / "holdfast-bench")


def functions(settings: Settings) -> Path:
    """The folder of the functions that are measured, in the same profile."""
    packages = sorted({f"service-{name.partition('-')[0]}" for name in MEASURED})
    _build(settings, "the functions", [*(f"--package={package}" for package in packages), *(f"--bin={name}" for name in MEASURED)])
    return smoke.target() / "release"


def node_peer(settings: Settings) -> Path:
    """The folder of express-session and its store for Redis."""
    tools.node_modules(settings, PEERS / "node")
    return PEERS / "node"


def rust_peer(settings: Settings) -> Path:
    """The executable of tower-sessions and its store for Redis."""
    folder = smoke.target().parent / "rust-peer"
    _build(settings, "the peer in Rust", [f"--manifest-path={PEERS / 'rust' / 'Cargo.toml'}", f"--target-dir={folder}"])
    return next(folder.glob("**/release/peer-tower-sessions"))


PEER: Mapping[str, Callable[[Settings], Path]] = {"node-peer": node_peer, "rust-peer": rust_peer}


def peer(settings: Settings, name: str, head: list[str]) -> Path | str:
    """Where a peer is. If it is not available, the report says it, and everything else is measured."""
    try:
        return PEER[name](settings)
    except (Failed, Refused) as error:
        head.append(f"* without {name}: {error}")
        line(head[-1])
        return ""


def _build(settings: Settings, what: str, arguments: list[str]) -> None:
    with Step(f"building {what}"):
        log = settings.log("bench-build.log")
        log.write_text("", encoding="utf-8")
        env = test_environment(settings, **build.release_flags())
        if commands.logged(["cargo", "build", "--locked", "--release", *arguments], log, cwd=ROOT, env=env):
            raise Failed(f"{what} could not be built: {log}")


@contextmanager
def deployed(settings: Settings, work: Path, environ: dict[str, str]) -> Generator[Path]:
    """Starts a separate local cloud, which is always removed at the end. Yields its outputs.json."""
    private = settings_module.read({
        "ENV": "local", "HOLDFAST_WORK_DIR": str(work), "HOLDFAST_TOOLS": str(settings.tools), "HOLDFAST_PORT": str(processes.free_port()),
        "HOLDFAST_REDIS_PORT": str(processes.free_port()), **environ,
    })
    try:
        deploy.deploy(private)
        yield private.outputs_file
    finally:
        # All of it is in the local cloud and in `work`.
        commands.interrupt_all()
        cloud.stop(private)


@contextmanager
def server(redis: str, work: Path) -> Generator[str]:
    """A redis-server of its own; its address."""
    work.mkdir()
    port = processes.free_port()
    try:
        cloud.start_redis(redis, work / cloud.REDIS, port, work, work / "log")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        processes.stop(work / cloud.REDIS)


def measured(settings: Settings, benchmark: Benchmark, executable: str, places: Places) -> tuple[Figures, str]:
    """The figures and curves of a benchmark, and the command as the report shows it."""
    command = [str(part) for part in benchmark.command(executable, places)]
    line(f"\n=== {benchmark.title}")
    child = commands.start(command, cwd=ROOT, env=test_environment(settings, PYTHONPATH=str(ROOT / "scripts")), stdout=subprocess.PIPE, text=True)
    found: Figures = []
    with commands.lines_of(child) as stdout:
        for text in stdout:
            try:
                found.append(json.loads(text))
            except ValueError:
                child.kill()
                commands.finish(child)
                raise Failed(f"benchmark {benchmark.name} printed something else than figures: {text.strip()[:100]}") from None
            if "figure" in found[-1]:
                line(f"  {found[-1]['of']:45} {found[-1]['figure']:26} {number(found[-1]['value']):>9} {found[-1]['unit']}")
    if commands.finish(child):
        raise Failed(f"benchmark {benchmark.name} failed.")
    # Without this run's own folders and ports.
    for place in filter(None, places.values()):
        command = [part.replace(str(place), "…") for part in command]
    return found, " ".join([Path(command[0]).name, *command[1:]]).replace(f"{ROOT}/", "")


def number(value: float) -> str:
    """Three digits that say something, without an exponent."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3}f}"


def tables(found: Figures) -> list[str]:
    """Markdown tables: one row for each thing, one column for each figure; things without a figure in common are apart."""
    rows: dict[str, dict[str, str]] = {}
    for entry in found:
        if "figure" in entry:
            head = f"{entry['figure']}, {entry['unit']}" if entry["unit"] else entry["figure"]
            rows.setdefault(entry["of"], {})[head] = number(entry["value"])
    # Columns, and the things that have them.
    groups: list[tuple[list[str], list[tuple[str, dict[str, str]]]]] = []
    for of, cells in rows.items():
        group = next((group for group in groups if set(group[0]) & set(cells)), None)
        if group is None:
            groups.append(group := ([], []))
        group[0].extend(head for head in cells if head not in group[0])
        group[1].append((of, cells))
    lines: list[str] = []
    for columns, things in groups:
        lines += [*([""] if lines else []), "| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
        lines += [f"| {of} | " + " | ".join(cells.get(head, "") for head in columns) + " |" for of, cells in things]
    return lines


def curves(found: Figures) -> dict[str, Figures]:
    """Plot to its series: name to points."""
    plots: dict[str, Figures] = {}
    for entry in found:
        if "plot" in entry:
            plots.setdefault(entry["plot"], []).append(entry)
    return plots


def write(head: list[str], results: list[tuple[Benchmark, Figures, str]], seconds: float) -> None:
    """report.md with its plots, and every figure as it came in figures.jsonl."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.svg"):
        old.unlink()
    lines = ["# Benchmarks", "", *head, "",
             "The local cloud is one process, answers over loopback, and runs the functions unoptimised: **its speed says nothing about "
             "AWS**, in neither direction. What can be read from this report are ratios within one run."]
    for benchmark, found, command in results:
        lines += ["", f"## {benchmark.title}", "", benchmark.what, "", f"`{command}`", "", *tables(found)]
        for title, series in curves(found).items():
            file = f"{benchmark.name}-{''.join(c if c.isalnum() else '-' for c in title.lower())}.svg"
            drawn = plot.svg(title, series[0]["x"], series[0]["y"], [(s["series"], s["points"]) for s in series])
            (FOLDER / file).write_text(drawn, encoding="utf-8")
            lines += ["", f"![{title}]({file})"]
    lines += ["", f"Measured in {seconds:.0f} s; every figure as it came is in `figures.jsonl`.", ""]
    every = [{"benchmark": benchmark.name, **entry} for benchmark, found, _ in results for entry in found]
    (FOLDER / "figures.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in every), encoding="utf-8")
    (FOLDER / "report.md").write_text("\n".join(lines), encoding="utf-8")


def machine(only: str) -> list[str]:
    """Where, when and with what: no figure means anything without."""
    def said(*command: str) -> str:
        result = commands.output(command, cwd=ROOT)
        return (result.stdout.strip().splitlines() or ["?"])[0]

    def first(file: str, field: str) -> str:
        try:
            found = [text for text in Path(file).read_text(encoding="utf-8").splitlines() if text.startswith(field)]
        except OSError:
            found = []
        return found[0].partition(":")[2].strip() if found else "?"

    memory = first("/proc/meminfo", "MemTotal").split()[0]
    size = f"{int(memory) / 2**20:.0f} GiB, " if memory.isdigit() else ""
    model = first("/proc/cpuinfo", "model name")
    return [
        f"* `make bench{' ONLY=' + only if only else ''}`, commit {catalogue.commit()}, {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC",
        f"* {model if model != '?' else platform.machine()}, {os.cpu_count()} cores, {size}{platform.system()} {platform.release()}; "
        f"load when it began: {os.getloadavg()[0]:.1f}",
        f"* {said('rustc', '--version')}; {said('redis-server', '--version').split(' sha=')[0]}; ministack {metadata.version('ministack')}; "
        f"{said('terraform', 'version')}; Python {platform.python_version()}",
    ]
