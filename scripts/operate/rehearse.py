"""`make rehearse`: the life of a staging environment, played on the local cloud: its configuration, its names, its state in S3
with locks, its release process. Every step is the command an operator would give; what it must print and how it must end
is checked. `staging` on AWS differs in what hangs on `local_endpoint`: aliases, alarms, addresses."""

import json
import os
import subprocess
import sys
import time

import aws
import build
import cloud
import processes
import remove
import run
import settings as settings_module
import terraform
import tools
from say import Failed, line

REGISTRATION = "registration_enabled=true"
# One whose code may change without a trace, and one that the smoke test needs.
CHANGED, BROKEN = "auth-logout", "sessions-revoke"


class Rehearsal:
    def __init__(self, settings):
        work = settings.work / "rehearsal"
        self.environ = {
            "ENV": "staging", "HOLDFAST_REHEARSAL": "1", "HOLDFAST_WORK_DIR": str(work), "HOLDFAST_TOOLS": str(settings.tools),
            "HOLDFAST_PORT": os.environ.get("HOLDFAST_PORT") or str(processes.free_port()),
            "HOLDFAST_REDIS_PORT": os.environ.get("HOLDFAST_REDIS_PORT") or str(processes.free_port()),
            **({"CACHE": settings.cache} if settings.cache_chosen else {}),
        }
        self.settings = settings_module.read(self.environ)
        self.steps = []

    def step(self, name, work):
        line(f"\n=== {name}")
        began = time.monotonic()
        try:
            note, verdict = work() or "", "passed"
        except Failed as trouble:
            note, verdict = str(trouble), "FAILED"
            line(f"    {trouble}")
        self.steps.append((name, verdict, time.monotonic() - began, note))
        return verdict == "passed"

    def make(self, target, code=0, says=(), never=(), **environ):
        """Plays `make <target>`; what it printed. It must end with `code` and print all of `says`, nothing of `never`."""
        shown = " ".join(f"{name}='{value}'" if " " in value else f"{name}={value}" for name, value in environ.items())
        line(f"$ make {target} ENV=staging {shown}".rstrip())
        kept = {k: v for k, v in os.environ.items() if k not in ("VARS", "SERVICE", "BUILD", "CACHE", "TO", "ALLOW_DESTROY")}
        child = run.start([sys.executable, "-B", os.path.dirname(os.path.abspath(__file__)), target],
                          env={**kept, **self.environ, **environ}, cwd=settings_module.ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = ""
        for part in child.stdout:
            text += part
            if not part.lstrip().startswith("…"):
                line(f"    {part.rstrip()}")
        ended = run.finish(child)
        if ended != code:
            raise Failed(f"make {target} ended with {ended}, not {code}")
        for wanted in (says,) if isinstance(says, str) else says:
            if wanted not in text:
                raise Failed(f"make {target} did not say: {wanted}")
        for unwanted in (never,) if isinstance(never, str) else never:
            if unwanted in text:
                raise Failed(f"make {target} said: {unwanted}")
        return text

    def manifest(self):
        found = json.loads(self.settings.manifest_file.read_text(encoding="utf-8"))["functions"]
        return {name: entry["sha256"] for name, entry in found.items()}

    def alter(self, name, content):
        """Another binary than the last build left: a new release without a new compilation."""
        (self.settings.work / "lambda" / name / "bootstrap").write_bytes(content)
        build.package(self.settings, sorted(build.functions()))

    def binary(self, name):
        return (self.settings.work / "lambda" / name / "bootstrap").read_bytes()

    def states(self):
        """The state of every stack, as the bucket holds it."""
        return {name: aws.object_text(self.settings, self.settings.state_bucket, f"{name}/terraform.tfstate")
                for name in settings_module.STACKS}

    def bootstrap(self):
        self.make("bootstrap")
        self.make("bootstrap", says="no change")
        aws.inputs(self.settings)
        aws.identity(self.settings, {})
        return f"state in {self.settings.state_bucket}, with lock files; a second one changes nothing"

    def deploy(self):
        text = self.make("deploy", says=("Deployed: platform, auth, sessions, push, events", "passed in"), VARS=REGISTRATION)
        return f"{sum(int(part.split('(')[1].split()[0]) for part in text.splitlines() if ' added, ' in part)} resources; smoke passed"

    def again(self):
        self.make("deploy", says="Nothing to change", never="stack ", VARS=REGISTRATION)
        self.make("deploy", says="Nothing to change", never="stack ", VARS=REGISTRATION, SERVICE="push")
        return "no change, nor of one stack alone"

    def looked_at(self):
        """What operators ask of an environment that runs."""
        self.make("outputs", says=[f'"{name}"' for name in ("env", "cacheProvider", "httpUrl", "wsUrl", "tables", "queues", "eventBus", "functions")])
        self.make("status", says=("release ", "health        200", "queue         push: 0 waiting, 0 dead letters", "cache  "))
        self.make("logs", says="auth-login", SERVICE="auth-login", SINCE="1h")
        self.make("drift", says="No drift")
        self.make("redrive", says="push: no dead letters")
        return "outputs, status, logs, drift, redrive answer"

    def one_function(self):
        self.original, before = self.binary(CHANGED), self.manifest()
        # Bytes behind an executable's end change its hash and nothing else.
        self.alter(CHANGED, self.original + b"\nanother build\n")
        text = self.make("plan", BUILD="0", VARS=REGISTRATION)
        planned = [part.strip() for part in text.splitlines() if part.startswith("  module.") or part.startswith("  aws_")]
        if not planned or not all(CHANGED in part for part in planned):
            raise Failed(f"the plan is not about {CHANGED} alone: {'; '.join(planned) or 'it is empty'}")
        self.make("deploy", says="Deployed: auth (", BUILD="0", VARS=REGISTRATION)
        self.good = self.manifest()
        if [name for name in before if before[name] != self.good[name]] != [CHANGED]:
            raise Failed("the release differs in other functions, too")
        return "; ".join(planned)

    def broken(self):
        working = self.binary(BROKEN)
        self.alter(BROKEN, b"#!/bin/sh\nexit 1\n")
        text = self.make("deploy", code=1, says=("Rolled back to release", f"undone: {BROKEN}"), BUILD="0", VARS=REGISTRATION)
        (self.settings.work / "lambda" / BROKEN / "bootstrap").write_bytes(working)
        if self.manifest() != self.good:
            raise Failed("the release that is deployed is not the one from before")
        self.make("plan", says="Nothing to change", BUILD="0", VARS=REGISTRATION)
        self.make("smoke", says="passed in")
        return next(part for part in text.splitlines() if part.startswith("Rolled back")) + "; exit 1; the smoke test passes again"

    def rollback(self):
        text = self.make("rollback", says=(f"other code: {CHANGED}", "stacks changed: auth)", "passed in"))
        if self.manifest()[CHANGED] == self.good[CHANGED]:
            raise Failed(f"{CHANGED} is still the later one")
        self.make("rollback", code=2, says="there is no release before")
        return next(part for part in text.splitlines() if " again (" in part)

    def mistakes(self):
        """Each ends in one line and exit code 2, and changes nothing."""
        before, found = self.states(), []
        lock = json.dumps({"ID": "11111111-2222-3333-4444-555555555555", "Operation": "OperationTypeApply", "Info": "",
                           "Who": "ada@elsewhere", "Version": "1.11.4", "Created": "2026-01-01T00:00:00Z", "Path": "auth"})
        aws.write_text(self.settings, self.settings.state_bucket, "auth/terraform.tfstate.tflock", lock)
        self.make("deploy", code=2, says="the state of stack auth is locked by ada@elsewhere", BUILD="0", VARS=f"{REGISTRATION} log_level=debug")
        aws.remove(self.settings, self.settings.state_bucket, "auth/terraform.tfstate.tflock")
        found.append("locked state")
        for what, variables, says in (
            ("wrong account", "allowed_account_ids=111111111111", "lives in account 111111111111, but these credentials are of 000000000000"),
            ("bad region", "region=us-east-9", "region us-east-9 does not exist"),
            # Without its boundary, which nobody has bootstrapped: that is another mistake.
            ("tables replaced", "name_prefix=other permissions_boundary=false", "ALLOW_DESTROY=1 lets it"),
        ):
            self.make("deploy", code=2, says=says, BUILD="0", VARS=f"{REGISTRATION} {variables}")
            found.append(what)
        other = "dynamodb" if self.settings.cache == "redis" else "redis"
        self.make("deploy", code=2, says="redis_delete_only=true, then this", BUILD="0", VARS=REGISTRATION, CACHE=other)
        found.append("cache switched in one step")
        if self.states() != before:
            raise Failed("one of them changed a state")
        return f"{', '.join(found)}: one line each, exit 2, every state as before"

    def as_on_aws(self):
        """The HCL without local_endpoint: what AWS gets and the local cloud does not."""
        stacks, notes = terraform.stacks(self.settings), []
        terraform.prepare(self.settings, stacks)
        for stack in stacks:
            # Where the cache is, the other stacks read from what `platform` has written: without one, all can be planned at once.
            values = {"local_endpoint": "", "local_redis_url": "", "cache_provider": "dynamodb", "redis_delete_only": "false"}
            given = [f"-var={name}={value}" for name, value in values.items() if name in terraform.declared(stack.name)]
            if stack.terraform("plan", *stack.inputs(), "-lock=false", *given):
                raise stack.trouble("plan")
            notes.append(f"{stack.name} {stack.summary()}")
            line(f"    {notes[-1]}")
        platform = stacks[0]
        redis = ("cache_provider=redis", "redis_delete_only=true", "local_endpoint=", "local_redis_url=")
        if platform.terraform("plan", *platform.inputs(), "-lock=false", *(f"-var={value}" for value in redis)):
            raise platform.trouble("plan")
        notes.append(f"platform with CACHE=redis {platform.summary()}")
        line(f"    {notes[-1]}")
        return "; ".join(notes)

    def destroy(self):
        self.make("destroy", says="removed the stacks platform, auth, sessions, push, events")
        left = [name for name in (*remove.MADE, cloud.EMULATOR) if (self.settings.work / name).exists()]
        running = processes.using(self.settings.work)
        if left or running:
            raise Failed(f"left behind: {', '.join([*left, *running.values()])}")
        return "nothing is left"

    def play(self):
        steps = (
            ("bootstrap", self.bootstrap), ("first deploy", self.deploy), ("second deploy", self.again), ("looked at", self.looked_at),
            ("one function changed", self.one_function), ("deployed broken", self.broken), ("rollback", self.rollback),
            ("mistakes", self.mistakes), ("the same, as planned for AWS", self.as_on_aws),
        )
        try:
            # Each needs the one before.
            all(self.step(name, work) for name, work in steps)
            self.step("destroy", self.destroy)
        finally:
            run.interrupt_all()
            cloud.stop(self.settings)
        line()
        for name, verdict, seconds, note in self.steps:
            line(f"  {verdict}  {seconds:5.0f} s  {name}: {note.splitlines()[0] if note else ''}")
        if len(self.steps) != len(steps) + 1 or any(verdict != "passed" for _, verdict, _, _ in self.steps):
            raise Failed("the rehearsal failed.")


def rehearse(settings):
    tools.require_terraform()
    tools.require_cargo()
    tools.python_tools(settings)
    Rehearsal(settings).play()
