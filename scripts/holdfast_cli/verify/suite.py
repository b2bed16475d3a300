"""`holdfast check` and `holdfast test`: every step by name, with its time; the last line is the verdict."""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, Any, TypeVar

from holdfast_cli.core import catalogue, commands, processes, tools
from holdfast_cli.core import settings as settings_module
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.parallel import side_by_side
from holdfast_cli.core.settings import ROOT, Settings, alternatives
from holdfast_cli.deploy import crates, deploy, destroy, preparation, terraform
from holdfast_cli.generate import workflows
from holdfast_cli.local import cloud
from holdfast_cli.local.cloud import test_environment
from holdfast_cli.operate import smoke
from holdfast_cli.verify import accepted, conform, mutants, scan, secret_scan, terraform_faults
from holdfast_cli.verify.acceptance import run as acceptance

# So often the lanes say what they are at.
EVERY_SECONDS = 30

# Of the Rust kit and of the example that uses it.
BUILD_OF_KIT = {"CARGO_TARGET_DIR": str(ROOT / "target" / "rust-kit")}

# The tests of the tool wait more than they compute: `holdfast check` runs these halves side by side. First letters of their files.
HALVES = ("a-l", "m-z")

Work = Callable[[], object]
Step = tuple[str, Work]
Result = TypeVar("Result")


def _test_targets() -> list[str]:
    """Integration tests of the workspace, by name, but the one that needs a deployment."""
    return sorted(crates.workspace().tests - {"e2e"})


def _units() -> list[str]:
    """What `cargo test` gets for the unit tests: libraries, and the executables that are no functions. Those of functions hold no tests, and
    36 test programs without a test take a minute to link."""
    workspace = crates.workspace()
    services = workspace.packages_of(catalogue.functions())
    return ["--lib", *(argument for name, package in sorted(workspace.binaries.items()) if package not in services for argument in ("--bin", name))]


def _step_back() -> None:
    """Lowers the priority of this thread, and of what it starts, where a thread has its own (Linux). Time-outs of the first lane's tests
    then hold as if it ran alone."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + 5))


class Suite:
    def __init__(self, settings: Settings, temporary: Path | None = None) -> None:
        self.settings = settings
        self.environment = {"TMPDIR": str(temporary)} if temporary else {}
        # Name, verdict, seconds.
        self.results: list[tuple[str, str, float]] = []
        # Name and reason of each step that failed.
        self.reasons: list[tuple[str, str]] = []
        self.began = time.monotonic()
        # Of a lane: where its commands print.
        self._lane = threading.local()

    def step(self, name: str, work: Work) -> bool:
        line(f"\n=== {name}")
        return self._do(name, work, "")

    def _do(self, name: str, work: Work, before: str) -> bool:
        began = time.monotonic()
        # Of an error that nobody expects, the traceback says why.
        verdict, why = "FAILED", ""
        try:
            work()
            verdict = "passed"
        except (Refused, Failed) as trouble:
            why = f"    {trouble}\n"
            self.reasons.append((name, str(trouble)))
        finally:
            self.results.append((name, verdict, time.monotonic() - began))
            line(f"{before}{self._printed()}{why}=== {name}: {verdict} ({time.monotonic() - began:.0f} s)")
        return verdict == "passed"

    def lanes(self, *lanes: Sequence[Step]) -> None:
        """Lists of steps (name, work), the lists side by side. What a step's commands print comes out in one piece when it has ended; what
        runs meanwhile is named every 30 seconds. The lanes after the first get less of the processor."""
        lanes = tuple(lane for lane in lanes if lane)
        if len(lanes) == 1:
            for name, work in lanes[0]:
                self.step(name, work)
        if len(lanes) < 2:
            return
        # Lane to the name of its step and the time it began.
        at_work: dict[int, tuple[str, float]] = {}

        def go(number: int) -> None:
            if number:
                _step_back()
            for name, work in lanes[number]:
                if commands.interrupted():
                    return
                with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
                    self._lane.out = out
                    at_work[number] = name, time.monotonic()
                    try:
                        self._do(name, work, f"\n=== {name}\n")
                    finally:
                        del at_work[number], self._lane.out

        def remind() -> None:
            while not over.wait(EVERY_SECONDS):
                said = [f"{name}, {time.monotonic() - began:.0f} s so far" for name, began in list(at_work.values())]
                if said:
                    line(f"still running: {'; '.join(said)}")

        over = threading.Event()
        threading.Thread(target=remind, daemon=True).start()
        with ThreadPoolExecutor(max_workers=len(lanes)) as pool:
            futures = [pool.submit(go, number) for number in range(len(lanes))]
            try:
                for future in futures:
                    future.result()
            except KeyboardInterrupt:
                # The children were told; a lane ends when its child has.
                commands.interrupt_all()
                raise
            finally:
                wait(futures)
                over.set()

    def _printed(self) -> str:
        out: IO[str] | None = getattr(self._lane, "out", None)
        if not out:
            return ""
        out.seek(0)
        return out.read()

    def say(self, text: str) -> None:
        """A line where this lane prints."""
        print(text, file=getattr(self._lane, "out", None) or sys.stdout, flush=True)

    def shown(self, command: Sequence[commands.Word], **options: Any) -> int:
        """As `commands.shown`, where this lane prints."""
        out: IO[str] | None = getattr(self._lane, "out", None)
        return commands.shown(command, **options, **({"stdout": out, "stderr": out} if out else {}))

    def command(self, *command: str, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> None:
        if self.shown(list(command), cwd=cwd, env=test_environment(self.settings, **{**self.environment, **(environment or {})})):
            raise Failed(f"{' '.join(command[:6])} … failed")

    def finish(self) -> None:
        line()
        width = max(len(name) for name, _, _ in self.results)
        for name, verdict, seconds in self.results:
            line(f"  {name:{width}}  {verdict:7} {seconds:6.0f} s")
        failed = sum(verdict != "passed" for _, verdict, _ in self.results)
        line(f"  {'all':{width}}          {time.monotonic() - self.began:6.0f} s")
        # Again, because it was printed far above: the end of a log is what a pipeline shows.
        for name, why in self.reasons:
            line(f"{name}: {why}")
        line(f"{len(self.results) - failed} passed, {failed} failed")
        if failed:
            sys.exit(1)

    def static(self) -> tuple[list[Step], list[Step], list[Step]]:
        """Steps that need no build of the whole: those of cargo, the tests of the tool in two halves, and the others."""
        return [
            ("format", lambda: self.command("cargo", "fmt", "--all", "--check")),
            ("lint", lambda: self.command("cargo", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings")),
            ("Rust kit for back ends", self.rust_kit),
            ("example of an own sign-in", self.own_identity),
        ], [
            self.tests_of_the_tool(letters) for letters in HALVES
        ], [
            ("terraform format", lambda: self.command("terraform", "fmt", "-check", "-recursive", "infra")),
            ("shell scripts", self.shellcheck),
            ("workflows", lambda: workflows.lint(self.settings, self.shown)),
            ("text and commit subjects", lambda: self.command(sys.executable, "-m", "holdfast_cli.verify.prose", cwd=ROOT / "scripts")),
            ("operator tool", self.operator_tool),
            ("JavaScript client", self.javascript),
            ("Node kit for back ends", self.node_kit),
            ("Python kit for back ends", self.python_kit),
        ]

    def tests_of_the_tool(self, letters: str) -> Step:
        return f"operator tool's tests, {letters}", lambda: self.command(
            sys.executable, "-m", "unittest", "discover", "-q", "-s", "scripts/tests", "-p", f"test_[{letters}]*.py")

    def cloud_test(self, name: str, file: str) -> Step:
        return name, lambda: self.command(sys.executable, "-m", "unittest", "discover", "-s", "scripts/cloud_tests", "-p", file)

    def operator_tool(self) -> None:
        """Lint and types of scripts/holdfast_cli, and whether what is installed is what its project file asks for."""
        scripts = ROOT / "scripts"
        self.command(tools.binary(self.settings, "ruff"), "check", "--quiet", ".", cwd=scripts)
        self.python_types("operator tool", scripts, "scripts/holdfast_cli")

    def once(self, name: str, files: Sequence[Path], version: str, *command: str) -> None:
        """A command that has no cache of its own and reads only these files. It is left out if it has accepted them before."""
        if not accepted.unless_accepted(self.settings, name, files, [version, *command], lambda: self.command(*command)):
            self.say(f"{name}: {len(files)} files unchanged since they were accepted")

    def python_types(self, name: str, project: Path, code: str) -> None:
        pyright = tools.node_package(self.settings, "pyright")
        # The lock file has the versions of the packages whose types it reads.
        files = accepted.files_of(code, f"{project.relative_to(ROOT)}/pyproject.toml", "scripts/uv.lock")
        self.once(f"types of the {name}", files, sys.version,
                  "node", str(pyright / "index.js"), "--project", str(project), "--pythonpath", sys.executable)

    def javascript_types(self, name: str, project: Path) -> None:
        typescript = tools.node_package(self.settings, "typescript")
        files = accepted.files_of(str(project.relative_to(ROOT)))
        self.once(f"types of the {name}", files, "", "node", str(typescript / "bin" / "tsc"), "--project", str(project))

    def validate(self) -> None:
        """Terraform's validation of everything. The version is that of the machine's terraform."""
        version = commands.output(["terraform", "version", "-json"], cwd=ROOT).stdout
        files = accepted.files_of("infra", "services/functions.json", "scripts/holdfast_cli")
        self.once("terraform validate", files, version, "bash", "infra/test.sh", "--validate")

    def javascript(self) -> None:
        tools.require("npm", "install Node.js 20 or newer with npm.")
        client = ROOT / "clients" / "javascript"
        self.command("npm", "--silent", "test", cwd=client)
        self.javascript_types("JavaScript client", client)

    def node_kit(self) -> None:
        tools.require("npm", "install Node.js 20 or newer with npm.")
        kit = ROOT / "clients" / "node"
        tools.node_modules(self.settings, kit)
        self.command("npm", "--silent", "test", cwd=kit)
        self.javascript_types("Node kit", kit)

    def python_kit(self) -> None:
        kit = ROOT / "clients" / "python"
        self.command(tools.binary(self.settings, "ruff"), "check", "--quiet", ".", cwd=kit)
        self.python_types("Python kit", kit, "clients/python/src")
        self.command(sys.executable, "-B", "-m", "unittest", "discover", "-q", "-s", "tests", cwd=kit, environment={"PYTHONPATH": str(kit / "src")})

    def rust_kit(self) -> None:
        # A workspace of its own, with its build beside that of Holdfast.
        kit, environment = ROOT / "clients" / "rust", BUILD_OF_KIT
        clippy = ("cargo", "clippy", "--locked", "--quiet", "--all-targets")
        self.command("cargo", "fmt", "--check", cwd=kit)
        for features in ("--no-default-features", "--all-features"):
            self.command(*clippy, features, "--", "-D", "warnings", cwd=kit, environment=environment)
        self.command("cargo", "test", "--locked", "--quiet", "--all-features", cwd=kit, environment=environment)

    def own_identity(self) -> None:
        """The example own-identity, which is a workspace of its own, too. What it has in common with the kit is built once."""
        example = ROOT / "infra" / "examples" / "own-identity" / "handlers" / "rust"
        # The provider of its tests.
        tools.node_modules(self.settings, ROOT / "infra" / "examples" / "own-identity" / "provider")
        self.command("cargo", "fmt", "--check", cwd=example)
        for command in (("clippy", "--all-targets", "--", "-D", "warnings"), ("test",)):
            self.command("cargo", command[0], "--locked", "--quiet", *command[1:], cwd=example, environment=BUILD_OF_KIT)

    def shellcheck(self) -> None:
        tracked = commands.output(["git", "ls-files", "*.sh", ".ci/run", "scripts/holdfast"], cwd=ROOT)
        files = [name for name in tracked.stdout.split() if (ROOT / name).exists()]
        if files:
            self.command(tools.binary(self.settings, "shellcheck"), *files)


def _prerequisites(settings: Settings) -> None:
    tools.require_cargo()
    tools.require_terraform()
    for group in ("tools", "dev"):
        tools.install(settings, group)


def check(settings: Settings) -> None:
    _prerequisites(settings)
    suite = Suite(settings)
    cargo, of_the_tool, others = suite.static()
    suite.lanes(
        [*cargo, ("unit tests", lambda: suite.command("cargo", "test", "--locked", "--quiet", "--workspace", *_units()))],
        *([half] for half in of_the_tool),
        [*others, ("terraform validate", suite.validate)],
    )
    suite.finish()


PARTS = ("static", "unit", "terraform", "mistakes", "e2e")
# Lanes of steps, each with its file in scripts/cloud_tests. The first lane's deploy is the first to fetch what Terraform needs.
CLOUD_TESTS = (
    (("each mistake of a deploy, played", "test_mistakes.py"),),
    (("requests of a canary", "test_canary.py"), ("Ctrl-C during a deploy", "test_interrupts.py")),
)


def test(settings: Settings, only: str = "") -> None:
    if only and only not in PARTS:
        raise Refused(f"ONLY={only}: use {alternatives(PARTS)}.")
    _prerequisites(settings)
    tools.redis_server(settings)
    # One folder for all that tests write: nothing of it outlives them, even after a Ctrl-C.
    temporary = Path(tempfile.mkdtemp(prefix="holdfast-test-")).resolve()
    suite = Suite(settings, temporary)
    try:
        # One cargo at a time: two would wait for each other, and need twice the memory.
        with_cargo, of_the_tool, others = suite.static() if only in ("", "static") else ([], [], [])
        others = of_the_tool + others
        if only in ("", "unit"):
            names = [argument for name in _test_targets() for argument in ("--test", name)]
            with_cargo.append(("unit and contract tests", lambda: suite.command(
                "cargo", "test", "--locked", "--workspace", "--no-fail-fast", *_units(), *names)))
        if only in ("", "terraform"):
            others += [
                ("terraform tests", lambda: suite.command("bash", "infra/test.sh")),
                ("terraform faults (a sample)", lambda: terraform_faults.sample(settings)),
                ("terraform scan", lambda: scan.scan(settings)),
            ]
        suite.lanes(with_cargo, others)
        # Alone from here on: these measure time-outs, or use the whole machine.
        if only in ("", "unit"):
            suite.step("mutants of the change", lambda: mutants.of_change(settings, test_environment(settings)))
        # Each has a cloud of its own.
        cloud_tests = [[suite.cloud_test(*each) for each in lane] for lane in CLOUD_TESTS] if only in ("", "mistakes") else []
        if only in ("", "e2e"):
            end_to_end(suite, settings, temporary / "cloud", cloud_tests)
        else:
            suite.lanes(*cloud_tests)
        suite.step("nothing is left running", lambda: nothing_runs(temporary))
    finally:
        commands.interrupt_all()
        shutil.rmtree(temporary, ignore_errors=True)
    suite.finish()


def end_to_end(suite: Suite, settings: Settings, work: Path, beside: Sequence[Sequence[Step]] = ()) -> None:
    """Tests the whole system on a separate cloud, with other ports and another directory, which is always removed at the end. The lanes
    `beside` run while it is destroyed; nothing else measures time then."""
    page_port = processes.free_port()
    private = settings_module.read({
        "ENV": "local", "HOLDFAST_WORK_DIR": str(work), "HOLDFAST_TOOLS": str(settings.tools),
        "HOLDFAST_PORT": str(processes.free_port()), "HOLDFAST_REDIS_PORT": str(processes.free_port()),
        # The tests' page by both names of this machine, which are two sites, besides the origin of the end-to-end tests; topics for everybody.
        "VARS": f"allowed_origins=http://localhost:5173,http://localhost:{page_port},http://127.0.0.1:{page_port} topic_policy=public.",
        "HOLDFAST_RECORD": "1",
    })
    known = {"HOLDFAST_OUTPUTS": str(private.outputs_file), "HOLDFAST_WORK_DIR": str(work), "HOLDFAST_PAGE_PORT": str(page_port)}
    try:
        if not suite.step("deploy to a private local cloud", lambda: deploy.deploy(private)):
            suite.lanes(*beside)
            return
        suite.step("second plan is empty", lambda: unchanged(private))
        suite.step("smoke test, five times", lambda: suite.command(*smoke.command(private), "--repeat", "5"))
        # Before the acceptance suite, which sends wrong requests on purpose.
        suite.step("requests conform to AWS's models", lambda: conform.check_requests(private.recording_file, "an apply and five smoke tests"))
        suite.step("DynamoDB answers as AWS, or as registered", lambda: conform.probe_local(private))
        suite.step("end-to-end tests", lambda: suite.command("cargo", "test", "--locked", "--workspace", "--test", "e2e", environment=known))
        suite.step("clients that are not ours, and a browser", lambda: clients(suite, private, page_port))
        suite.step("verbs of operators", lambda: suite.command(
            sys.executable, "-m", "unittest", "discover", "-s", "scripts/live_tests", environment=known))
        # With the permissions of every role among its checks.
        suite.step("acceptance suite", lambda: acceptance.check(private))
        suite.step("no secret in any log or event", lambda: secret_scan.scan(private, 1000))
        suite.lanes([("destroy leaves nothing", lambda: nothing_left(private))], *beside)
    finally:
        commands.interrupt_all()
        cloud.stop(private)


def clients(suite: Suite, private: Settings, page_port: int) -> None:
    """Python's websockets, npm ws, and clients/javascript in Node and in a Chromium go the whole way."""
    suite.command(sys.executable, "-B", "clients/interop/path.py", str(private.outputs_file),
                  "--ws", str(tools.node_package(private, "ws")), "--page-port", str(page_port))


def over_http(settings: Settings, runner: Callable[[list[str], dict[str, str]], Result], *tests: tuple[str, dict[str, str]]) -> list[Result]:
    """Each `(name, environment)` of the end-to-end tests that only run when asked for, on one cloud of its own; what `runner` makes
    of them."""
    with tempfile.TemporaryDirectory(prefix="holdfast-prove-") as folder:
        work = Path(folder).resolve() / "cloud"
        # A socket is a file here, and three in the local cloud; what is started from here inherits the limit.
        files = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files[1], files[1]))
        private = settings_module.read({
            "ENV": "local", "HOLDFAST_WORK_DIR": str(work), "HOLDFAST_TOOLS": str(settings.tools),
            "HOLDFAST_PORT": str(processes.free_port()), "HOLDFAST_REDIS_PORT": str(processes.free_port()),
            "VARS": "max_login_attempts=1000000",
        })
        try:
            deploy.deploy(private)
            return [runner(
                ["cargo", "test", "--locked", "--workspace", "--test", "e2e", "--", "--ignored", "--nocapture", name],
                test_environment(settings, HOLDFAST_OUTPUTS=str(private.outputs_file), **environment)) for name, environment in tests]
        finally:
            commands.interrupt_all()
            cloud.stop(private)
            resource.setrlimit(resource.RLIMIT_NOFILE, files)


def unchanged(private: Settings) -> None:
    with preparation.exclusive(private):
        stacks = terraform.stacks(private)
        for stack, differs in zip(stacks, side_by_side(terraform.Stack.plan, stacks)):
            if differs:
                raise Failed(f"the second plan of stack {stack.name} is not empty: {'; '.join(stack.changes())}")
            line(f"    {stack.name}: no change")


def nothing_left(private: Settings) -> None:
    """By Terraform, as it is done on AWS."""
    destroy.destroy(private, by_terraform=True)
    left = [name for name in (*destroy.MADE, cloud.EMULATOR, cloud.REDIS) if (private.work / name).exists()]
    if left:
        raise Failed(f"destroy left behind: {', '.join(left)}")
    for port in (private.port, private.redis_port):
        if processes.port_is_busy(port):
            raise Failed(f"something still listens on port {port}")
    nothing_runs(private.work)


def nothing_runs(folder: Path) -> None:
    left = processes.using(folder)
    if left:
        raise Failed("still running: " + "; ".join(f"{pid} {command[:80]}" for pid, command in sorted(left.items())))
