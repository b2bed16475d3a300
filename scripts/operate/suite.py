"""`make check` and `make test`: every step by name, with its time; the last line is the verdict."""

import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import cloud
import deploy
import infrafaults
import mutants
import processes
import remove
import roles
import run
import scan
import settings as settings_module
import terraform
import tools
import workflows
from say import Failed, Refused, line
from settings import ROOT


def test_environment(settings, **more):
    """For cargo and what it runs: the tools on the path, nothing of the caller's AWS account."""
    return {**cloud.clean_environment(), "PATH": tools.path_with_tools(settings), "HOLDFAST_TOOLS": str(settings.tools),
            "TF_PLUGIN_CACHE_DIR": terraform.plugin_cache(settings), **more}


def smoke_binary(settings):
    """Builds the smoke test; resolved over the whole workspace, so that it shares every artifact with the functions."""
    if run.shown(["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", "holdfast-smoke"], cwd=ROOT,
                 env=test_environment(settings)):
        raise Failed("the smoke test could not be built.")
    target = ROOT / (os.environ.get("CARGO_TARGET_DIR") or "target")
    return str(target / settings_module.TRIPLES[settings_module.machine_arch()] / "debug" / "holdfast-smoke")


def smoke_command(settings):
    return [smoke_binary(settings), "--outputs", str(settings.outputs_file)]


def _test_targets():
    """Integration tests of the workspace, by name, but the one that needs a deployment."""
    text = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1", "--locked"], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    if text.returncode:
        raise Failed(f"cargo metadata: {text.stderr.strip().splitlines()[-1:]}")
    names = {t["name"] for p in json.loads(text.stdout)["packages"] for t in p["targets"] if "test" in t["kind"]}
    return sorted(names - {"e2e"})


class Suite:
    def __init__(self, settings, temporary=None):
        self.settings = settings
        self.environment = {"TMPDIR": str(temporary)} if temporary else {}
        self.results, self.took = [], 0
        # Of a lane: where its commands print.
        self._lane = threading.local()

    def step(self, name, work):
        line(f"\n=== {name}")
        return self._do(name, work, "")

    def _do(self, name, work, before):
        began = time.monotonic()
        try:
            work()
            verdict, why = "passed", ""
        except (Refused, Failed) as trouble:
            verdict, why = "FAILED", f"    {trouble}\n"
        self.results.append((name, verdict, time.monotonic() - began))
        line(f"{before}{self._printed()}{why}=== {name}: {verdict} ({time.monotonic() - began:.0f} s)")
        return verdict == "passed"

    def lanes(self, *lanes):
        """Lists of steps (name, work), the lists side by side. What a step prints comes out in one piece when it has ended."""
        def go(lane):
            for name, work in lane:
                with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
                    self._lane.out = out
                    self._do(name, work, f"\n=== {name}\n")
        began = time.monotonic()
        terraform.side_by_side(go, lanes)
        self.took = time.monotonic() - began

    def _printed(self):
        out = getattr(self._lane, "out", None)
        if not out:
            return ""
        out.seek(0)
        return out.read()

    def shown(self, command, **options):
        """As `run.shown`, where this lane prints."""
        out = getattr(self._lane, "out", None)
        return run.shown(command, **options, **({"stdout": out, "stderr": out} if out else {}))

    def command(self, *command, cwd=ROOT, **environment):
        if self.shown(list(command), cwd=cwd, env=test_environment(self.settings, **{**self.environment, **environment})):
            raise Failed(f"{' '.join(command[:6])} … failed")

    def finish(self):
        line()
        width = max(len(name) for name, _, _ in self.results)
        for name, verdict, seconds in self.results:
            line(f"  {name:{width}}  {verdict:7} {seconds:6.0f} s")
        failed = sum(verdict != "passed" for _, verdict, _ in self.results)
        total = self.took or sum(seconds for _, _, seconds in self.results)
        line(f"  {'all':{width}}          {total:6.0f} s")
        line(f"{len(self.results) - failed} passed, {failed} failed")
        if failed:
            sys.exit(1)

    def static(self):
        """Steps that need no build of the whole: those of cargo, and the others."""
        return [
            ("format", lambda: self.command("cargo", "fmt", "--all", "--check")),
            ("lint", lambda: self.command("cargo", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings")),
        ], [
            ("terraform format", lambda: self.command("terraform", "fmt", "-check", "-recursive", "infra")),
            ("shell scripts", self.shellcheck),
            ("workflows", lambda: workflows.lint(self.settings, self.shown)),
            ("operator scripts", lambda: self.command(sys.executable, "-m", "unittest", "discover", "-q", "-s", "scripts/tests")),
            ("JavaScript client", self.javascript),
        ]

    def javascript(self):
        tools.require("npm", "install Node.js 20 or newer with npm.")
        client = ROOT / "clients" / "javascript"
        self.command("npm", "--silent", "test", cwd=client)
        self.command("node", str(tools.node_package(self.settings, "typescript") / "bin" / "tsc"), "--project", str(client))

    def shellcheck(self):
        tracked = subprocess.run(["git", "ls-files", "*.sh", ".ci/run"], cwd=ROOT, capture_output=True, text=True, check=False)
        files = [name for name in tracked.stdout.split() if (ROOT / name).exists()]
        if files:
            self.command(str(self.settings.tools / "bin" / "shellcheck"), *files)


def _prerequisites(settings):
    tools.require_cargo()
    tools.require_terraform()
    tools.python_tools(settings)


def check(settings):
    _prerequisites(settings)
    suite = Suite(settings)
    cargo, others = suite.static()
    suite.lanes(
        [*cargo, ("unit tests", lambda: suite.command("cargo", "test", "--locked", "--quiet", "--workspace", "--lib", "--bins"))],
        [*others, ("terraform validate", lambda: suite.command("bash", "infra/test.sh", "--validate"))],
    )
    suite.finish()


PARTS = ("static", "unit", "terraform", "mistakes", "e2e")


def test(settings):
    only = os.environ.get("ONLY") or ""
    if only and only not in PARTS:
        raise Refused(f"ONLY={only}: use {', '.join(PARTS[:-1])} or {PARTS[-1]}.")
    _prerequisites(settings)
    tools.redis_server(settings)
    # One folder for all that tests write: nothing of it outlives them, even after a Ctrl-C.
    temporary = Path(tempfile.mkdtemp(prefix="holdfast-test-")).resolve()
    suite = Suite(settings, temporary)
    try:
        if only in ("", "static"):
            for name, work in itertools.chain(*suite.static()):
                suite.step(name, work)
        if only in ("", "unit"):
            names = [argument for name in _test_targets() for argument in ("--test", name)]
            suite.step("unit and contract tests", lambda: suite.command(
                "cargo", "test", "--locked", "--workspace", "--lib", "--bins", *names))
            suite.step("mutants of the change", lambda: mutants.of_change(settings, test_environment(settings)))
        if only in ("", "terraform"):
            suite.step("terraform tests", lambda: suite.command("bash", "infra/test.sh"))
            suite.step("terraform faults (a sample)", lambda: infrafaults.sample(settings))
            suite.step("terraform scan", lambda: scan.scan(settings, write=False))
        if only in ("", "mistakes"):
            suite.step("each mistake of a deploy, played", lambda: suite.command(
                sys.executable, "-m", "unittest", "discover", "-s", "scripts/cloud_tests"))
        if only in ("", "e2e"):
            end_to_end(suite, settings, temporary / "cloud")
        suite.step("nothing is left running", lambda: nothing_runs(temporary))
    finally:
        run.interrupt_all()
        shutil.rmtree(temporary, ignore_errors=True)
    suite.finish()


def end_to_end(suite, settings, work):
    """The whole system on a cloud of its own: other ports, another directory, removed at the end whatever happened."""
    page_port = processes.free_port()
    private = settings_module.read({
        "ENV": "local", "HOLDFAST_WORK_DIR": str(work), "HOLDFAST_TOOLS": str(settings.tools),
        "HOLDFAST_PORT": str(processes.free_port()), "HOLDFAST_REDIS_PORT": str(processes.free_port()),
        # The tests' page, besides the origins of environments/local.tfvars; topics for everybody.
        "VARS": f"allowed_origins=http://localhost:5173,http://127.0.0.1:{page_port} topic_policy=public.",
    })
    known = {"HOLDFAST_OUTPUTS": str(private.outputs_file), "HOLDFAST_WORK_DIR": str(work)}
    try:
        if not suite.step("deploy to a private local cloud", lambda: deploy.deploy(private)):
            return
        suite.step("second plan is empty", lambda: unchanged(private))
        suite.step("end-to-end tests", lambda: suite.command("cargo", "test", "--locked", "--workspace", "--test", "e2e", **known))
        suite.step("clients that are not ours, and a browser", lambda: clients(suite, private, page_port))
        suite.step("smoke test, five times", lambda: suite.command(*smoke_command(private), "--repeat", "5"))
        suite.step("every role may do what it has to, and nothing else", lambda: roles.check(private, write=False))
        suite.step("no secret in any log or event", lambda: suite.command(
            str(private.tools / "bin" / "python"), "scripts/operate/canary.py", str(private.outputs_file), "1000"))
        suite.step("destroy leaves nothing", lambda: nothing_left(private))
    finally:
        run.interrupt_all()
        cloud.stop(private)


def clients(suite, private, page_port):
    """Python's websockets, npm ws, and clients/javascript in Node and in a Chromium go the whole way."""
    suite.command(str(private.tools / "bin" / "python"), "-B", "clients/interop/path.py", str(private.outputs_file),
                  "--ws", str(tools.node_package(private, "ws")), "--page-port", str(page_port))


def over_http(settings, runner, *tests):
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
            run.interrupt_all()
            cloud.stop(private)
            resource.setrlimit(resource.RLIMIT_NOFILE, files)


def unchanged(private):
    with deploy.exclusive(private):
        stacks = terraform.stacks(private)
        for stack, differs in zip(stacks, terraform.side_by_side(terraform.Stack.plan, stacks)):
            if differs:
                raise Failed(f"the second plan of stack {stack.name} is not empty: {'; '.join(stack.changes())}")
            line(f"    {stack.name}: no change")


def nothing_left(private):
    remove.destroy(private)
    left = [name for name in (*remove.MADE, cloud.EMULATOR, cloud.REDIS) if (private.work / name).exists()]
    if left:
        raise Failed(f"destroy left behind: {', '.join(left)}")
    for port in (private.port, private.redis_port):
        if processes.port_is_busy(port):
            raise Failed(f"something still listens on port {port}")
    nothing_runs(private.work)


def nothing_runs(folder):
    left = processes.using(folder)
    if left:
        raise Failed("still running: " + "; ".join(f"{pid} {command[:80]}" for pid, command in sorted(left.items())))
