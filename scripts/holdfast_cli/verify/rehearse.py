"""`holdfast rehearse` simulates the life of a staging environment on the local cloud: its configuration, its names, its state in S3
with locks, its release process. Every step is a command of an operator, whose output and exit code
are checked. `staging` on AWS differs in everything that depends on `local_endpoint`: aliases, alarms, addresses."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

from holdfast_cli.core import catalogue, commands, environment, processes, tfvars, tools
from holdfast_cli.core import settings as settings_module
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.deploy import aws, build, destroy, environments, manifest, terraform
from holdfast_cli.local import cloud
from holdfast_cli.operate import epochs
from holdfast_cli.verify import pipeline_role

REGISTRATION = "registration_enabled=true"
REPOSITORY = f"github_repository={pipeline_role.REPOSITORY}"
# What pipelines do, with the role of the bootstrap: all but the requests of Terraform's provider, which knows only the local cloud's
# administrator where there is a local_endpoint (infra/switches.sh applies without one). An operator does the rest.
BY_THE_ROLE = ("deploy", "plan", "rollback", "smoke")
# The table whose restore is played.
RESTORED = "connections"
# One whose code may change without a trace, and one that the smoke test needs.
CHANGED, BROKEN = "auth-logout", "sessions-revoke"


class Rehearsal:
    def __init__(self, settings: Settings) -> None:
        work = settings.work / "rehearsal"
        self.environ = {
            "ENV": "staging", "HOLDFAST_REHEARSAL": "1", "HOLDFAST_WORK_DIR": str(work), "HOLDFAST_TOOLS": str(settings.tools),
            "HOLDFAST_PORT": os.environ.get("HOLDFAST_PORT") or str(processes.free_port()),
            "HOLDFAST_REDIS_PORT": os.environ.get("HOLDFAST_REDIS_PORT") or str(processes.free_port()),
            **({"CACHE": settings.cache} if settings.cache_chosen and settings.cache else {}),
        }
        self.settings = settings_module.read(self.environ)
        # Name, verdict, seconds, what it says of itself.
        self.steps: list[tuple[str, str, float, str]] = []
        self.original, self.good = b"", dict[str, str]()
        # Of the role: access key, secret and token.
        self.role = ""
        # What the names of the environment begin with.
        self.prefix = ""

    def step(self, name: str, work: Callable[[], str]) -> bool:
        line(f"\n=== {name}")
        began = time.monotonic()
        try:
            note, verdict = work(), "passed"
        except Failed as trouble:
            note, verdict = str(trouble), "FAILED"
            line(f"    {trouble}")
        self.steps.append((name, verdict, time.monotonic() - began, note))
        return verdict == "passed"

    def make(self, target: str, code: int = 0, says: str | tuple[str, ...] = (), never: str | tuple[str, ...] = (), **environ: str) -> str:
        """Runs `make <target>` and returns its output. It must end with `code` and print all of `says`, nothing of `never`."""
        own = {name: value for name, value in environ.items() if not name.startswith("HOLDFAST_")}
        shown = " ".join(f"{name}='{value}'" if " " in value else f"{name}={value}" for name, value in own.items())
        line(f"$ make {target} ENV=staging {shown}".rstrip())
        kept = {k: v for k, v in os.environ.items() if k not in ("VARS", "SERVICE", "BUILD", "CACHE", "TO", "ALLOW_DESTROY")}
        role = {"HOLDFAST_REHEARSAL_CREDENTIALS": self.role if target in BY_THE_ROLE else ""}
        child = commands.start([ROOT / "scripts" / "holdfast", target], env={**kept, **self.environ, **role, **environ}, cwd=ROOT, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = ""
        for part in commands.lines_of(child):
            text += part
            if not part.lstrip().startswith("…"):
                line(f"    {part.rstrip()}")
        ended = commands.finish(child)
        if ended != code:
            raise Failed(f"make {target} ended with {ended}, not {code}")
        for wanted in (says,) if isinstance(says, str) else says:
            if wanted not in text:
                raise Failed(f"make {target} did not say: {wanted}")
        for unwanted in (never,) if isinstance(never, str) else never:
            if unwanted in text:
                raise Failed(f"make {target} said: {unwanted}")
        return text

    def manifest(self) -> dict[str, str]:
        found: manifest.Entries = manifest.read(self.settings)["functions"]
        return {name: entry["sha256"] for name, entry in found.items()}

    def alter(self, name: str, content: bytes) -> None:
        """Another binary than the last build left: a new release without a new compilation."""
        (self.settings.work / "lambda" / name / "bootstrap").write_bytes(content)
        build.package(self.settings, sorted(catalogue.functions()))

    def binary(self, name: str) -> bytes:
        return (self.settings.work / "lambda" / name / "bootstrap").read_bytes()

    def states(self) -> dict[str, str | None]:
        """The state of every stack, as the bucket holds it."""
        return {name: aws.object_text(self.settings, self.settings.state_bucket, f"{name}/terraform.tfstate")
                for name in settings_module.STACKS}

    def bootstrap(self) -> str:
        self.make("bootstrap", VARS=REPOSITORY)
        self.make("bootstrap", says="no change", VARS=REPOSITORY)
        self.prefix = environments.prefix(self.settings, environments.fill_in(self.settings))
        self.take_role(aws.identity(self.settings, {})["account"])
        return (f"state in {self.settings.state_bucket}, with lock files; a second one changes nothing; "
                f"{', '.join(BY_THE_ROLE)} have only the role deploy")

    def take_role(self, account: str) -> None:
        arn = f"arn:aws:iam::{account}:role/{self.prefix}-deploy"

        # They refuse whatever comes without TLS, which the local cloud does not speak. Its administrator is not refused; the role is.
        for bucket in (self.settings.state_bucket, f"{self.prefix}-artifacts-{account}"):
            aws.Api(self.settings).s3.delete_bucket_policy(Bucket=bucket)

        def client(service: str, *own: str) -> Any:
            return aws.Api(self.settings, *own).client(service)

        self.role = " ".join(pipeline_role.assume(client, self.settings.env, arn))

    def deploy(self) -> str:
        text = self.make("deploy", says=("Deployed: platform, auth, sessions, push, events", "passed in"), VARS=REGISTRATION)
        return f"{sum(int(part.split('(')[1].split()[0]) for part in text.splitlines() if ' added, ' in part)} resources; smoke passed"

    def again(self) -> str:
        self.make("deploy", says="Nothing to change", never="stack ", VARS=REGISTRATION)
        self.make("deploy", says="Nothing to change", never="stack ", VARS=REGISTRATION, SERVICE="push")
        return "no change, nor of one stack alone"

    def looked_at(self) -> str:
        """What operators ask of an environment that runs."""
        names = ("env", "cacheProvider", "httpUrl", "wsUrl", "tables", "queues", "eventBus", "functions")
        self.make("outputs", says=tuple(f'"{name}"' for name in names))
        self.make("status", says=("release ", "health        200", "queue         push: 0 waiting, 0 dead letters", "cache  "))
        self.make("logs", says="auth-login", SERVICE="auth-login", SINCE="1h")
        self.make("drift", says="No drift")
        self.make("redrive", says="push: no dead letters")
        return "outputs, status, logs, drift, redrive answer"

    def one_function(self) -> str:
        self.original, before = self.binary(CHANGED), self.manifest()
        # Bytes behind an executable's end change its hash and nothing else.
        self.alter(CHANGED, self.original + b"\nanother build\n")
        text = self.make("plan", BUILD="0", VARS=REGISTRATION)
        planned = [part.strip() for part in text.splitlines() if part.startswith(("  module.", "  aws_"))]
        if not planned or not all(CHANGED in part for part in planned):
            raise Failed(f"the plan is not about {CHANGED} alone: {'; '.join(planned) or 'it is empty'}")
        self.make("deploy", says="Deployed: auth (", BUILD="0", VARS=REGISTRATION)
        self.good = self.manifest()
        if [name for name in before if before[name] != self.good[name]] != [CHANGED]:
            raise Failed("the release differs in other functions, too")
        return "; ".join(planned)

    def broken(self) -> str:
        working = self.binary(BROKEN)
        self.alter(BROKEN, b"#!/bin/sh\nexit 1\n")
        text = self.make("deploy", code=1, says=("Rolled back to release", f"undone: {BROKEN}"), BUILD="0", VARS=REGISTRATION)
        (self.settings.work / "lambda" / BROKEN / "bootstrap").write_bytes(working)
        if self.manifest() != self.good:
            raise Failed("the release that is deployed is not the one from before")
        self.make("plan", says="Nothing to change", BUILD="0", VARS=REGISTRATION)
        self.make("smoke", says="passed in")
        return next(part for part in text.splitlines() if part.startswith("Rolled back")) + "; exit 1; the smoke test passes again"

    def rollback(self) -> str:
        text = self.make("rollback", says=(f"other code: {CHANGED}", "stacks changed: auth)", "passed in"))
        if self.manifest()[CHANGED] == self.good[CHANGED]:
            raise Failed(f"{CHANGED} is still the later one")
        self.make("rollback", code=2, says="there is no release before")
        return next(part for part in text.splitlines() if " again (" in part)

    def epochs(self, table: str) -> dict[str, str]:
        return {head["PK"]["S"]: head["epoch"]["S"] for head in epochs.heads(aws.Api(self.settings).dynamodb, table)}

    def restored(self) -> str:
        """The runbook "Restore a table" of docs/operating.md, with its own commands for Terraform."""
        api, old = aws.Api(self.settings), f"{self.prefix}-{RESTORED}"
        new = f"{old}-2"
        functions, tables = api.client("lambda"), api.dynamodb
        text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8").split("## Restore a table\n")[1]
        blocks = text.replace("holdfast-staging-", f"{self.prefix}-").split("```")
        written = [part.strip() for part in next(block for block in blocks if block.startswith("hcl")).splitlines()[1:]]
        for name in tfvars.parse("\n".join(written))["reserved_concurrency"]:
            functions.put_function_concurrency(FunctionName=f"{self.prefix}-{name}", ReservedConcurrentExecutions=0)
        tables.restore_table_to_point_in_time(SourceTableName=old, TargetTableName=new, UseLatestRestorableTime=True)
        tables.get_waiter("table_exists").wait(TableName=new)
        before = self.epochs(new)
        self.make("outputs")
        script = next(block for block in blocks if "terraform -chdir" in block)
        script = "\n".join(part.strip() for part in script.splitlines() if "make " not in part)
        script = script.replace("$PWD/.local/staging", str(self.settings.work))
        line(script)
        done = commands.output(["bash", "-euc", script], cwd=ROOT, env=environment.of(self.settings))
        if done.returncode:
            raise Failed(f"the commands of the runbook ended with {done.returncode}: {done.stderr.strip()[-400:]}")
        # They stay in the environment's file from here on, until the destroy.
        self.environ["HOLDFAST_REHEARSAL_VALUES"] = "\n".join(written)
        line(self.environ["HOLDFAST_REHEARSAL_VALUES"])
        self.make("deploy", BUILD="0", VARS=REGISTRATION, CANARY="0", SMOKE="0")
        self.make("epochs", says="channels", TABLE=new)
        self.environ["HOLDFAST_REHEARSAL_VALUES"] = "\n".join(part for part in written if part.startswith("table_names"))
        self.make("deploy", says="passed in", BUILD="0", VARS=REGISTRATION)
        after = self.epochs(new)
        if not before or any(after.get(channel) == epoch for channel, epoch in before.items()):
            raise Failed(f"of {len(before)} channels not each has another epoch")
        reads = functions.get_function_configuration(FunctionName=f"{self.prefix}-push-fanout")["Environment"]["Variables"]
        if new not in reads.values() or old in reads.values():
            raise Failed("push-fanout does not use the restored table")
        return f"{new} is the stack's; {len(before)} channels have another epoch; the smoke test passes"

    def mistakes(self) -> str:
        """Each ends in one line and exit code 2, and changes nothing."""
        before, found = self.states(), list[str]()
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

    def as_on_aws(self) -> str:
        """The HCL without local_endpoint: what AWS gets and the local cloud does not."""
        stacks, notes = terraform.stacks(self.settings), list[str]()
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
        secret = "x" * 43
        names = (
            'http_domain={name="api.example.com",site="example.com",hosted_zone_id="Z0123456789ABC"}',
            'websocket_domain={name="ws.example.com",hosted_zone_id="Z0123456789ABC"}', 'allowed_origins=["https://app.example.com"]',
            "edge={}", "trusted_proxy=cloudfront", f"edge_origin_secret={secret}",
            f"origin_secret_sha256={hashlib.sha256(secret.encode()).hexdigest()}",
            "cache_provider=dynamodb", "redis_delete_only=false", "local_endpoint=", "local_redis_url=",
        )
        for stack in stacks:
            given = [f"-var={value}" for value in names if value.split("=")[0] in terraform.declared(stack.name)]
            if stack.terraform("plan", *stack.inputs(), "-lock=false", *given):
                raise stack.trouble("plan")
            notes.append(f"{stack.name} with domain names and an edge {stack.summary()}")
            line(f"    {notes[-1]}")
        return "; ".join(notes)

    def destroy(self) -> str:
        self.make("destroy", says="removed the stacks platform, auth, sessions, push, events")
        left = [name for name in (*destroy.MADE, cloud.EMULATOR) if (self.settings.work / name).exists()]
        running = processes.using(self.settings.work)
        if left or running:
            raise Failed(f"left behind: {', '.join([*left, *running.values()])}")
        return "nothing is left"

    def play(self) -> None:
        steps = (
            ("bootstrap", self.bootstrap), ("first deploy", self.deploy), ("second deploy", self.again), ("looked at", self.looked_at),
            ("one function changed", self.one_function), ("deployed broken", self.broken), ("rollback", self.rollback),
            ("mistakes", self.mistakes), ("the same, as planned for AWS", self.as_on_aws), ("table restored", self.restored),
        )
        try:
            # Each needs the one before.
            all(self.step(name, work) for name, work in steps)
            self.step("destroy", self.destroy)
        finally:
            commands.interrupt_all()
            cloud.stop(self.settings)
        line()
        for name, verdict, seconds, note in self.steps:
            line(f"  {verdict}  {seconds:5.0f} s  {name}: {note.splitlines()[0] if note else ''}")
        if len(self.steps) != len(steps) + 1 or any(verdict != "passed" for _, verdict, _, _ in self.steps):
            raise Failed("the rehearsal failed.")


def rehearse(settings: Settings) -> None:
    tools.require_terraform()
    tools.require_cargo()
    tools.install(settings)
    Rehearsal(settings).play()
