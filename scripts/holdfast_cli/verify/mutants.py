"""`holdfast prove --only mutants`: every mutant that cargo-mutants knows of the code that ships, each against the tests that reach it.

All of them are in one build, each behind a switch (`switches.py`, `mutant_tree.py`). The tests run once without a mutant, which shows
the mutants that each test reaches, and then with each mutant on (`mutant_tests.py`). `--service <crate>[,<crate>]` limits it.
"""

from __future__ import annotations

import fnmatch
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from holdfast_cli.core import catalogue, commands, tools
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.deploy import crates
from holdfast_cli.verify import mutant_tests, mutant_tree, rust_faults, switches
from holdfast_cli.verify.mutant_tests import Binary, Results
from holdfast_cli.verify.mutant_tree import FOLDER, TREE, OutOfTime, described
from holdfast_cli.verify.switches import Mutant

SURVIVORS = ROOT / "scripts" / "faults" / "survivors.json"
REPORT = FOLDER / "report.json"
# Of the mutants of a group that compile, so many must be caught.
CORE = {"holdfast-sessions": "core", "holdfast-push": "push", "holdfast-runtime": "runtime"}
CAUGHT_AT_LEAST = {"core": 0.95, "push": 0.95, "runtime": 0.95, "adapters": 0.92, "handlers": 0.92}
# In `make test`: so many mutants of a change, in so many seconds (builds included); so many may survive before the share is asked.
CHANGE_AT_MOST, CHANGE_SECONDS, CHANGE_MAY_SURVIVE = 80, 240, 2
# Tests that read the sources or need a deployed system judge no mutant.
NOT_RUN = {"e2e", "boundaries"}
# Crates that do not ship, but whose tests play the ones that do.
TESTERS = ("holdfast-testkit", "holdfast-fault-proxy")

# Crate to group.
Groups = dict[str, str]
Counts = dict[str, int]
Entry = dict[str, str]
Picked = TypeVar("Picked")


def shipped(workspace: crates.Workspace) -> Groups:
    """Crates that a function links, the functions' own included: name to group."""
    functions = catalogue.functions()
    owners = {workspace.binaries[name] for name in functions if name in workspace.binaries}
    return {name: "handlers" if name in owners else CORE.get(name, "adapters") for name in sorted(workspace.closure(owners))}


def chosen(groups: Groups, text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in groups:
            raise Refused(f"SERVICE={name}: no crate of that name ships. There is {', '.join(groups)}.")
    return names or list(groups)


def listed(settings: Settings, environment: dict[str, str], packages: list[str], difference: Path | None = None) -> list[Mutant]:
    """The mutants that cargo-mutants finds in these crates; with a file of a diff, those of its lines."""
    command = [str(tools.cargo_tool(settings, "cargo-mutants")), "mutants", "--list", "--json", "--no-config", "--colors", "never",
               *(argument for name in packages for argument in ("-p", name)), *(("--in-diff", str(difference)) if difference else ())]
    done = commands.output(command, cwd=ROOT, env=environment)
    if done.returncode:
        raise Failed(f"cargo-mutants could not list the mutants: {done.stderr.strip().splitlines()[-1:]}")
    found: list[Mutant] = json.loads(done.stdout or "[]")
    for mutant in found:
        mutant.pop("diff", None)
        mutant["function"] = mutant["function"] or {"function_name": "", "return_type": ""}
        mutant["change"] = described(mutant)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def measure(settings: Settings, environment: dict[str, str], groups: Groups, packages: list[str], mutants: list[Mutant], own: bool = False,
            deadline: float | None = None) -> dict[str, int]:
    """Builds and runs; gives every mutant its `verdict` and `by`, or none after the time limit. `own`: only a crate's own tests. Returns
    the seconds that each part took. Raises `OutOfTime` if no mutant could be tested."""
    took: dict[str, int] = {}
    began = time.monotonic()

    def part(name: str) -> None:
        nonlocal began
        took[name], began = round(time.monotonic() - began), time.monotonic()

    FOLDER.mkdir(parents=True, exist_ok=True)
    book = _read(FOLDER / "numbers.json")
    files = mutant_tree.numbered(mutants, book)
    (FOLDER / "numbers.json").write_text(json.dumps(book), encoding="utf-8")
    workspace = crates.workspace()
    tree = mutant_tree.Tree(files, {name: workspace.folders[name] for name in groups}, workspace.packages)
    with Step(f"copying the workspace, {len(mutants)} mutants behind switches"):
        tree.write()
    part("copy")
    testers = sorted(packages if own else workspace.dependents(packages, workspace.test_needs) & {*groups, *TESTERS})
    artifacts = tree.build(testers, environment, deadline)
    part("build")
    manifests = {str(TREE / folder / "Cargo.toml"): name for name, folder in workspace.folders.items()}
    found = _binaries(artifacts, manifests)
    temporary = Path(tempfile.mkdtemp(prefix="run-", dir=FOLDER))
    try:
        runner = mutant_tests.Runner(environment, temporary, deadline)
        for binary in found:
            mutant_tests.discover(binary, environment)
        count = sum(len(b.tests) for b in found)
        with Step(f"running {count} tests without a mutant"):
            known = _read(FOLDER / "reach.json")
            broken = mutant_tests.learn(runner, found, known)
            (FOLDER / "reach.json").write_text(json.dumps(mutant_tests.remembered(found)), encoding="utf-8")
        if broken:
            raise Failed("tests fail without a mutant: " + "; ".join(f"{b.package}, {b.name}: {name} ({verdict})" for b, name, verdict in broken))
        if any(set(b.reach) != set(b.tests) for b in found):
            raise OutOfTime
        part("tests without a mutant")
        viable = [m for m in mutants if m["id"] not in tree.unviable and m["id"] not in tree.unswitched]
        with Step(f"running the tests with each of {len(viable)} mutants"):
            results = mutant_tests.judge(runner, viable, found, _progress)
        part("tests with mutants")
        constant = [m for m in mutants if tree.unswitched.get(m["id"]) == switches.IN_A_CONSTANT]
        if constant and not deadline:
            with Step(f"building {len(constant)} mutants of constants one by one, against their crates' tests"):
                results.update(_one_by_one(tree, runner, environment, manifests, constant))
            part("mutants of constants")
    finally:
        commands.interrupt_all()
        shutil.rmtree(temporary, ignore_errors=True)
    for mutant in mutants:
        number = mutant["id"]
        mutant["verdict"], mutant["by"] = (("unviable", "") if number in tree.unviable else results[number] if number in results else
                                           ("unswitched", tree.unswitched[number]) if number in tree.unswitched else (None, ""))
    return took


def _one_by_one(tree: mutant_tree.Tree, runner: mutant_tests.Runner, environment: dict[str, str], manifests: dict[str, str],
                constant: list[Mutant]) -> Results:
    results: Results = {}
    for done, mutant in enumerate(constant):
        line(f"    {done} of {len(constant)}: {mutant['file']}: {mutant['change']}")
        try:
            artifacts = tree.build_one(mutant, [mutant["package"]], environment)
            if artifacts is None:
                results[mutant["id"]] = ("unviable", "")
                continue
            found = _binaries(artifacts, manifests)
            for binary in found:
                mutant_tests.discover(binary, environment)
            results[mutant["id"]] = mutant_tests.judge_built(runner, found)
        finally:
            tree.switch([mutant["file"]])
    return results


def _binaries(artifacts: list[mutant_tree.Message], manifests: dict[str, str]) -> list[Binary]:
    return [b for b in mutant_tests.binaries(artifacts, manifests) if b.name.removeprefix("tests/") not in NOT_RUN]


def _progress(done: int, of: int, results: Results) -> None:
    verdicts = [verdict for verdict, _ in dict(results).values()]
    survived = sum(verdict in ("survived", "unreached") for verdict in verdicts)
    line(f"    {done} of {of} mutants tested, {survived} survived")


COLUMNS = ("caught", "timeout", "survived", "unreached", "unviable", "unswitched")


def counted(mutants: list[Mutant], key: Callable[[Mutant], str]) -> dict[str, Counts]:
    rows: dict[str, Counts] = {}
    for mutant in mutants:
        if mutant["verdict"] is None:
            continue
        row = rows.setdefault(key(mutant), dict.fromkeys(COLUMNS, 0))
        row[mutant["verdict"]] += 1
    return rows


def share(row: Counts) -> tuple[int, int]:
    """Caught, viable. A mutant that never ends is caught, and one that no test reaches has survived."""
    caught = row["caught"] + row["timeout"]
    return caught, caught + row["survived"] + row["unreached"]


def table(mutants: list[Mutant], groups: Groups) -> str:
    lines = ["| crate | group | viable | caught | of these by time-out | survived | of these unreached | share | unviable | not switched |",
             "|---|---|---|---|---|---|---|---|---|---|"]

    def row_of(name: str, group: str, row: Counts) -> str:
        caught, viable = share(row)
        return (f"| {name} | {group} | {viable} | {caught} | {row['timeout']} | {viable - caught} | {row['unreached']} "
                f"| {_percent(caught, viable)} | {row['unviable']} | {row['unswitched']} |")

    by_crate = counted(mutants, lambda m: m["package"])
    order = list(CAUGHT_AT_LEAST)
    lines += [row_of(name, groups[name], by_crate[name]) for name in sorted(by_crate, key=lambda n: (order.index(groups[n]), n))]
    by_group = counted(mutants, lambda m: groups[m["package"]])
    lines += [row_of("**all**", group, by_group[group]) for group in CAUGHT_AT_LEAST if group in by_group]
    return "\n".join(lines)


def _percent(caught: int, viable: int) -> str:
    return f"{100 * caught / viable:.1f} %" if viable else "–"


def accepted() -> list[Entry]:
    """The survivors that are known, each with its reason."""
    try:
        return json.loads(SURVIVORS.read_text(encoding="utf-8"))["survivors"]
    except (OSError, ValueError, KeyError) as trouble:
        raise Failed(f"{SURVIVORS.relative_to(ROOT)} cannot be read: {trouble}") from trouble


def source_line(mutant: Mutant) -> str:
    """The line of source that a mutant begins in: what the register of survivors names instead of a number."""
    lines = (ROOT / mutant["file"]).read_text(encoding="utf-8").splitlines()
    return lines[mutant["span"]["start"]["line"] - 1].strip()


def matches(entry: Entry, mutant: Mutant) -> bool:
    """`file` of an entry may be a pattern, `change` may be `*` for all of a function; `text`, where there is one, is the line of source."""
    return (fnmatch.fnmatchcase(mutant["file"], entry["file"]) and mutant["function"]["function_name"] == entry["function"]
            and entry["change"] in ("*", mutant["change"])
            and entry.get("text") in (None, source_line(mutant)))


def survivors(mutants: list[Mutant]) -> list[Mutant]:
    return [m for m in mutants if m["verdict"] in ("survived", "unreached")]


def unlisted(mutants: list[Mutant], entries: list[Entry]) -> list[Mutant]:
    return [m for m in survivors(mutants) if not any(matches(entry, m) for entry in entries)]


def short_of(mutants: list[Mutant], groups: Groups) -> list[str]:
    """Groups with too few caught, as sentences."""
    rows = counted(mutants, lambda m: groups[m["package"]])
    said: list[str] = []
    for group, least in CAUGHT_AT_LEAST.items():
        caught, viable = share(rows.get(group, dict.fromkeys(COLUMNS, 0)))
        if viable and caught < least * viable:
            said.append(f"{group}: {_percent(caught, viable)} caught, {100 * least:.0f} % are needed")
    return said


def not_caught(faults: list[Mutant]) -> list[Mutant]:
    """A fault has to compile, too: one that does not says nothing about the tests."""
    return [fault for fault in faults if fault["verdict"] not in ("caught", "timeout")]


def table_of_faults(faults: list[Mutant]) -> str:
    """Each fault with the test that failed first."""
    lines = ["| fault | file | verdict | test that failed |", "|---|---|---|---|"]
    lines += [f"| {fault['change']} | {fault['file']} | {fault['verdict']} | {fault['by'] or '–'} |" for fault in faults]
    return "\n".join(lines)


def tell(missing: list[Mutant]) -> None:
    for mutant in missing:
        line(f"survived{' (no test reaches it)' if mutant['verdict'] == 'unreached' else ''}: "
             f"{mutant['file']}:{mutant['span']['start']['line']}: {mutant['change']}")


def report(mutants: list[Mutant], groups: Groups, took: Mapping[str, int], faults: Sequence[Mutant] = ()) -> None:
    content = {"seconds": took, "crates": counted(mutants, lambda m: m["package"]),
               "groups": counted(mutants, lambda m: groups[m["package"]]),
               "mutants": [{"package": m["package"], "file": m["file"], "line": m["span"]["start"]["line"],
                            "function": m["function"]["function_name"], "change": m["change"], "verdict": m["verdict"], "by": m["by"]}
                           for m in mutants],
               "faults": [{"says": f["change"], "file": f["file"], "verdict": f["verdict"], "by": f["by"]} for f in faults]}
    REPORT.write_text(json.dumps(content, indent=1), encoding="utf-8")


def whole(settings: Settings, size: str, environment: dict[str, str], named: str = "", own: bool = False) -> str:
    """The proof. `size` small: one crate. `named` limits it to these crates. With `own`, only a crate's own tests run against its mutants."""
    groups = shipped(crates.workspace())
    packages = chosen(groups, named or ("holdfast-websocket-api" if size == "small" else ""))
    mutants = listed(settings, environment, packages)
    if not mutants:
        raise Failed("no mutant was tested")
    faults = rust_faults.faults(crates.workspace().folders, packages)
    took = measure(settings, environment, groups, packages, mutants + faults, own=own or size == "small")
    report(mutants, groups, took, faults)
    line("\n" + table(mutants, groups))
    if faults:
        line("\n" + table_of_faults(faults))
    line("\nseconds: " + ", ".join(f"{name} {seconds}" for name, seconds in took.items()))
    missing = unlisted(mutants, accepted())
    tell(missing)
    caught, viable = share({column: sum(m["verdict"] == column for m in mutants) for column in COLUMNS})
    figure = f"{caught} of {viable} mutants caught ({_percent(caught, viable)}), {sum(m['verdict'] == 'unviable' for m in mutants)} do not compile"
    if size == "small":
        return figure
    if faults:
        figure += f"; {len(faults) - len(not_caught(faults))} of {len(faults)} faults of {rust_faults.FAULTS.relative_to(ROOT)} caught"
    said = short_of(mutants, groups)
    said += [f"not caught ({fault['verdict']}{', ' + fault['by'] if fault['by'] else ''}): {fault['change']}" for fault in not_caught(faults)]
    if missing:
        said.append(f"{len(missing)} survivors are not in {SURVIVORS.relative_to(ROOT)}")
    if said:
        raise Failed("; ".join([figure, *said]))
    return figure


def base() -> tuple[str, str] | None:
    """What a change is measured against, with its name: where this branch left origin/main; on main itself the commit before, or the
    last tag. None in a clone that has none of them."""
    def git(*arguments: str) -> str:
        done = commands.output(["git", *arguments], cwd=ROOT)
        return done.stdout.strip() if done.returncode == 0 else ""

    head = git("rev-parse", "HEAD")
    fork = git("merge-base", "HEAD", "origin/main")
    if fork and fork != head:
        return fork, "where the branch left origin/main"
    before = git("rev-parse", "--verify", "--quiet", "HEAD~1")
    if before:
        return before, "the commit before"
    tag = git("describe", "--tags", "--abbrev=0")
    return (git("rev-parse", f"{tag}^{{commit}}"), f"tag {tag}") if tag else None


def some_of(mutants: Sequence[Picked], most: int) -> Sequence[Picked]:
    """At most so many, spread evenly over them."""
    return mutants if len(mutants) <= most else [mutants[number * len(mutants) // most] for number in range(most)]


def changes_code(diff: str) -> bool:
    """Whether a diff adds a line of Rust that is more than a comment."""
    added = (line[1:].strip() for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++"))
    return any(text and not text.startswith("//") for text in added)


def of_change(settings: Settings, environment: dict[str, str]) -> None:
    """A step of `make test`: mutants of the lines that differ from the base, in bounded number and time, against their crates' tests."""
    known = base()
    if not known:
        line("    this clone has no commit to compare with (no origin/main, no parent, no tag): nothing to do")
        return
    commit, name = known
    groups = shipped(crates.workspace())
    # Bytes that are no text come out of it as they went in.
    done = commands.output(["git", "diff", "--no-color", "--no-ext-diff", commit, "--", "*.rs"], cwd=ROOT, encoding="utf-8", errors="surrogateescape")
    if done.returncode:
        raise Failed(f"git diff {commit}: {done.stderr.strip()}")
    mutants: list[Mutant] = []
    # cargo-mutants takes minutes to build, and no mutant is in a comment.
    if changes_code(done.stdout):
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / "change.diff").write_text(done.stdout, encoding="utf-8", errors="surrogateescape", newline="")
        mutants = listed(settings, environment, list(groups), FOLDER / "change.diff")
    picked = list(some_of(mutants, CHANGE_AT_MOST))
    line(f"    against {commit[:12]} ({name}): {len(mutants)} mutants in the lines that differ" +
         (f", {len(picked)} of them are tried" if len(picked) < len(mutants) else ""))
    if not picked:
        return
    try:
        measure(settings, environment, groups, sorted({m["package"] for m in picked}), picked, own=True,
                deadline=time.monotonic() + CHANGE_SECONDS)
    except OutOfTime:
        line(f"    no mutant was tested within {CHANGE_SECONDS} s: `make prove ONLY=mutants` tests all")
        return
    try:
        judge_change(picked, groups)
    except Failed as failed:
        if len(picked) == len(mutants):
            raise
        line(f"    {failed}. This is a sample of a large change, so it does not fail: `make prove ONLY=mutants` tests all")


def judge_change(picked: list[Mutant], groups: Groups) -> None:
    """Fails when more mutants of a change survive than its group may have, and than two. One that no test of its own crate reaches is only
    named: the tests of other crates may catch it, which are too many for here."""
    late = sum(m["verdict"] is None for m in picked)
    if late:
        line(f"    {late} were not tested within {CHANGE_SECONDS} s")
    line(table(picked, groups))
    missing = unlisted(picked, accepted())
    tell(missing)
    missing = [m for m in missing if m["verdict"] == "survived"]
    _, viable = share({column: sum(m["verdict"] == column for m in picked) for column in COLUMNS})
    allowed = max(CHANGE_MAY_SURVIVE, (1 - min(CAUGHT_AT_LEAST[groups[m["package"]]] for m in picked)) * viable)
    if len(missing) > allowed:
        raise Failed(f"{len(missing)} of {viable} mutants of this change survive: write a test that fails with them, or put them into "
                     f"{SURVIVORS.relative_to(ROOT)} with the reason")
