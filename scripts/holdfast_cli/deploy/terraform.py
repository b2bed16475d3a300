"""Plain `terraform`, one state per stack, in a working copy: the source tree never changes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from holdfast_cli.core import commands, environment
from holdfast_cli.core.console import Step
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.parallel import side_by_side
from holdfast_cli.core.settings import ROOT, STACKS, Settings
from holdfast_cli.deploy import environments, terraform_errors
from holdfast_cli.local import providers

LOCK = ".terraform.lock.hcl"

# What holds data that nothing else has: a plan that removes or replaces one is not applied unless ALLOW_DESTROY=1.
PRECIOUS = ("aws_dynamodb_table", "aws_elasticache_serverless_cache", "aws_elasticache_replication_group", "aws_kms_key")


@cache
def declared(stack: str) -> dict[str, str]:
    """Variables of a stack and their types, as its files declare them."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "infra" / "stacks" / stack).glob("*.tf")):
        for name, body in re.findall(r'^variable "([a-z0-9_]+)" \{\n(.*?)^\}', file.read_text(), re.M | re.S):
            kind = re.search(r"^\s*type\s*=\s*(.+?)\s*$", body, re.M)
            found[name] = kind.group(1) if kind else "string"
    return found


@cache
def inputs(stack: str) -> tuple[str, ...]:
    """The parameters that a stack reads from others, as `<stack>/<name>`."""
    text = (ROOT / "infra" / "stacks" / stack / "main.tf").read_text()
    found = re.search(r"^\s*inputs\s*=\s*toset\(\[(.*?)\]\)$", text, re.M | re.S)
    return tuple(re.findall(r'"([a-z-]+/[a-z0-9-]+)"', found.group(1))) if found else ()


def values_for(stack: str, settings: Settings) -> dict[str, str | list[str]]:
    """What this stack is given besides environments/<ENV>.tfvars: the release, the endpoint, and VARS."""
    types = declared(stack)
    values = {"env": settings.env, "release_manifest": str(settings.manifest_file), "local_endpoint": settings.endpoint,
              "cache_provider": settings.cache, "local_redis_url": settings.redis_url,
              "artifacts_bucket": settings.artifacts_bucket or None,
              "redis_delete_only": {True: "true", False: "false", None: None}[settings.delete_only], **settings.variables}
    return {name: _typed(value, types[name]) for name, value in values.items() if name in types and value is not None}


def _typed(value: str, kind: str) -> str | list[str]:
    return [part for part in value.split(",") if part] if kind.startswith(("list(", "set(")) else value


# Variables of the stacks that are not the operator's to set, and what is said instead.
OWN = {"env": "use ENV=", "local_endpoint": "use HOLDFAST_PORT=",
       "local_redis_url": "use HOLDFAST_REDIS_PORT=", "release_manifest": "the build writes it"}


def check_variables(settings: Settings, more: tuple[str, ...] = ()) -> None:
    """Refuses a variable, of VARS or of the environment's file, that no stack has: a slip would be silent otherwise. `more` names stacks
    whose variables VARS can give besides those of a deploy."""
    known = {name for stack in (*STACKS, *more) for name in declared(stack)}
    for name in settings.variables:
        if name in OWN:
            raise Refused(f"VARS: {name} is set by this tool: {OWN[name]}.")
        if name not in known:
            raise Refused(f"VARS: no stack has a variable {name}; there is {', '.join(sorted(known))}.")
    known |= set(declared("bootstrap"))
    for name in environments.values(settings):
        if name not in known:
            raise Refused(f"{settings.tfvars_file.relative_to(ROOT)}: no stack has a variable {name}.")


class Stack:
    """One stack of an environment."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.top = settings.work / "terraform"
        self.directory = self.top / "infra" / "stacks" / name
        self.data = self.top / "data" / name
        self.state = settings.work / "state" / f"{name}.tfstate"
        self.plan_file = self.top / f"{name}.tfplan"
        self.backend = self.top / f"{name}.s3.tfbackend"
        self.log = settings.work / "logs" / f"terraform-{name}.log"
        self.values = self.top / f"{name}.tfvars.json"

    def environment(self) -> dict[str, str]:
        return {**environment.of(self.settings), "TF_DATA_DIR": str(self.data), "TF_IN_AUTOMATION": "1",
                "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1", **providers.variables(self.settings),
                # Most of Terraform's time here is its garbage collector and waiting.
                "GOGC": os.environ.get("GOGC", "400")}

    def terraform(self, *arguments: str) -> int:
        return commands.logged(["terraform", *arguments], self.log, cwd=self.directory, env=self.environment())

    def _asked(self, *arguments: str) -> str:
        """What a command of Terraform prints that changes nothing."""
        result = commands.output(["terraform", *arguments], cwd=self.directory, env=self.environment())
        if result.returncode:
            raise Failed(f"terraform {arguments[0]} of stack {self.name}: {result.stderr.strip().splitlines()[:1]}")
        return result.stdout

    def prepare(self) -> bool:
        """A working copy that links to the source. Returns whether it has to be initialised: something it needs changed."""
        source = ROOT / "infra" / "stacks" / self.name
        for folder in (self.directory, self.data, self.state.parent, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        wanted = {file.name for file in source.glob("*.tf")}
        for old in self.directory.glob("*.tf"):
            if old.name not in wanted:
                old.unlink()
        for name in wanted:
            _link(source / name, self.directory / name)
        self.keep_state_here(self.settings.is_local)
        types = declared(self.name)
        given = {name: value for name, value in environments.values(self.settings).items() if name in types}
        self.values.write_text(json.dumps({**given, **values_for(self.name, self.settings)}, indent=2) + "\n", encoding="utf-8")
        self.log.write_text("", encoding="utf-8")

        digest = hashlib.sha256(repr((str(self.directory), self._backend_values())).encode())
        for file in self.code():
            digest.update(file.read_bytes())
        self._digest = digest.hexdigest()
        try:
            return self._stamp.read_text(encoding="utf-8") != self._digest
        except OSError:
            return True

    def code(self) -> list[Path]:
        """The files that say what this stack is: its own, those of all modules, and the lock of its provider."""
        source = ROOT / "infra" / "stacks" / self.name
        return [source / LOCK, *sorted(source.glob("*.tf")), *sorted((ROOT / "infra" / "modules").rglob("*.tf"))]

    def keep_state_here(self, here: bool) -> None:
        """Whether the state is a file of the work directory, or where the environment's backend says."""
        self._kept_here = here
        override = self.directory / "backend_override.tf"
        override.unlink(missing_ok=True)
        if here:
            override.write_text(
                f'terraform {{\n  backend "local" {{\n    path = {json.dumps(str(self.state))}\n  }}\n}}\n', encoding="utf-8")
        else:
            # JSON's values are HCL's, too.
            lines = [f"{name} = {json.dumps(value)}\n" for name, value in self._backend_values().items()]
            self.backend.write_text("".join(lines), encoding="utf-8")

    def init(self, migrate: bool = False) -> None:
        """`migrate`: moves the state from where it was to where it is to be."""
        shutil.copyfile(ROOT / "infra" / "stacks" / self.name / LOCK, self.directory / LOCK)
        self._stamp.unlink(missing_ok=True)
        more = [argument if argument != "-reconfigure" else "-migrate-state" for argument in self._backend()] if migrate else self._backend()
        force = ["-force-copy"] if migrate else []
        if self.terraform("init", "-input=false", "-no-color", "-lockfile=readonly", *force, *more):
            raise self.trouble("init")
        self._stamp.write_text(self._digest, encoding="utf-8")

    @property
    def _stamp(self) -> Path:
        return self.data / "initialised"

    def _backend(self) -> list[str]:
        if self.settings.is_local:
            return []
        # Nothing is asked for while a bootstrap still keeps its state here.
        return ["-reconfigure"] if self._kept_here else ["-reconfigure", f"-backend-config={self.backend}"]

    def _backend_values(self) -> dict[str, Any]:
        """environments/<ENV>.s3.tfbackend, with the bucket, the stack's key and, in a rehearsal, the local cloud's address."""
        if self.settings.is_local:
            return {}
        given = {**environments.backend(self.settings), "bucket": self.settings.state_bucket, "key": f"{self.name}/terraform.tfstate"}
        if self.settings.rehearsal:
            endpoint = self.settings.endpoint
            given |= {"endpoints": {"s3": endpoint, "sts": endpoint, "iam": endpoint}, "use_path_style": True, "skip_metadata_api_check": True}
        return given

    def inputs(self) -> list[str]:
        return ["-input=false", "-no-color", "-lock-timeout=10s", f"-var-file={self.values}"]

    def plan(self, look: bool = False, refresh: bool = True, targets: tuple[str, ...] = (), **values: str) -> bool:
        """True if there is a change. With `look` the plan is only shown, and needs no lock and no permission to write one. Without `refresh`
        the state is trusted. With `targets` it is a plan of these alone, and of what they need. `values` replace those of variables."""
        more = [*(["-lock=false"] if look else []), *([] if refresh else ["-refresh=false"]), *(f"-target={target}" for target in targets),
                *(f"-var={name}={value}" for name, value in values.items())]
        code = self.terraform("plan", "-detailed-exitcode", "-parallelism=20", f"-out={self.plan_file}", *self.inputs(), *more)
        if code not in (0, 2):
            raise self.trouble("plan")
        return code == 2

    def gate(self) -> None:
        """No plan that removes a table, a cache or a key is applied by accident. Call it after `plan`."""
        if self.settings.allow_destroy or self.summary().endswith(" 0 to destroy"):
            return
        lost = forbidden(json.loads(self._asked("show", "-json", str(self.plan_file))))
        if lost:
            raise Refused(f"the plan of stack {self.name} would remove {', '.join(lost)}: nothing is changed. "
                          "ALLOW_DESTROY=1 lets it.")

    def apply(self) -> None:
        if self.terraform("apply", "-input=false", "-no-color", "-parallelism=20", "-lock-timeout=10s", str(self.plan_file)):
            raise self.trouble("apply")

    def exists(self) -> bool:
        """Whether its state holds anything."""
        return bool(self.addresses())

    def addresses(self) -> list[str]:
        """What its state holds."""
        return commands.output(["terraform", "state", "list"], cwd=self.directory, env=self.environment()).stdout.split()

    def destroy(self) -> None:
        guarded = "deletion_protection_enabled"
        if guarded in declared(self.name) and not self.settings.is_local:
            # AWS deletes no table that is protected. That the environment is to go has been said by whoever calls this.
            tables = [f"-target={address}" for address in self.addresses() if ".aws_dynamodb_table." in address]
            if tables and self.terraform("apply", "-auto-approve", *self.inputs(), f"-var={guarded}=false", *tables):
                raise self.trouble("apply")
        if self.terraform("destroy", "-auto-approve", "-parallelism=20", *self.inputs()):
            raise self.trouble("destroy")

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; none if it is not deployed."""
        if self.settings.is_local:
            # The state is a file of this machine: no need to start Terraform for what stands in it.
            found = self.local_state().get("outputs", {})
        else:
            found = json.loads(self._asked("output", "-json"))
        return {name: entry["value"] for name, entry in found.items()}

    def local_state(self) -> dict[str, Any]:
        """The state, where it is a file of the work directory."""
        try:
            return json.loads(self.state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    def summary(self) -> str:
        """`3 to add, 0 to change, 0 to destroy`, as the log has it last."""
        found = re.findall(r"^(?:Plan: |Apply complete! Resources: )(.*?)\.?$", self._last(), re.M)
        return found[-1] if found else ""

    def changes(self) -> list[str]:
        """What the last command would change, one line a resource."""
        return re.findall(r"^  # (.+? (?:will|must) be .+)$", self._last(), re.M)

    def _last(self) -> str:
        """What the last command printed: the log holds all of a run's."""
        return self.log.read_text(errors="replace").rsplit("\n$ terraform ", 1)[-1]

    def trouble(self, what: str) -> Refused | Failed:
        return terraform_errors.explain(what, self.name, self._last(), self.log, f"TF_DATA_DIR={self.data} terraform -chdir={self.directory}")


def forbidden(plan: dict[str, Any]) -> list[str]:
    """Addresses of what a plan (as JSON) would delete or replace although it holds data."""
    return [change["address"] for change in plan.get("resource_changes", ())
            if change["type"] in PRECIOUS and "delete" in change["change"]["actions"]]


def share(settings: Settings) -> None:
    """What all working copies refer to, at the paths they refer to it by."""
    top = settings.work / "terraform"
    for folder in ("infra", "services"):
        (top / folder).mkdir(parents=True, exist_ok=True)
    _link(ROOT / "infra" / "modules", top / "infra" / "modules")
    _link(ROOT / "services" / "functions.json", top / "services" / "functions.json")


def prepare(settings: Settings, chosen: list[Stack]) -> None:
    """Working copies of the chosen stacks, side by side."""
    share(settings)
    with Step("preparing Terraform") as step:
        stale = [stack for stack, due in zip(chosen, [stack.prepare() for stack in chosen]) if due]
        # The first one alone: it fills the plugin cache, which Terraform does not lock.
        for group in (stale[:1], stale[1:]):
            side_by_side(Stack.init, group)
        step.note = f"initialised: {', '.join(stack.name for stack in stale)}" if stale else "nothing to initialise"


def _link(source: Path, target: Path) -> None:
    if target.is_symlink() and str(target.readlink()) == str(source):
        return
    if target.is_symlink() or target.exists():
        target.unlink()
    target.symlink_to(source)


def stacks(settings: Settings, names: tuple[str, ...] | list[str] = STACKS) -> list[Stack]:
    return [Stack(name, settings) for name in names]
