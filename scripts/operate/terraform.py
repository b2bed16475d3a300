"""Plain `terraform`, one state per stack, in a working copy: the source tree never changes."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor, as_completed

import aws
import cloud
import run
import tfvars
import troubles
from say import Failed, Refused, Step, line
from settings import ROOT, STACKS

LOCK = ".terraform.lock.hcl"

# What may be applied side by side, in order: values cross stacks as parameters of SSM.
STAGES = (("platform",), ("auth", "sessions", "push"), ("events",))

# It owns the stage of the HTTP API, with the limits of single routes.
STAGE_OWNER = "platform"

# What holds data that nothing else has: a plan that removes or replaces one is not applied unless ALLOW_DESTROY=1.
PRECIOUS = ("aws_dynamodb_table", "aws_elasticache_serverless_cache", "aws_elasticache_replication_group", "aws_kms_key")


def declared(stack):
    """Variables of a stack and their types, as its files declare them."""
    found = {}
    for file in sorted((ROOT / "infra" / "stacks" / stack).glob("*.tf")):
        for name, body in re.findall(r'^variable "([a-z0-9_]+)" \{\n(.*?)^\}', file.read_text(), re.M | re.S):
            kind = re.search(r"^\s*type\s*=\s*(.+?)\s*$", body, re.M)
            found[name] = kind.group(1) if kind else "string"
    return found


def values_for(stack, settings):
    """What this stack is given besides environments/<ENV>.tfvars: the release, the endpoint, and VARS."""
    types = declared(stack)
    values = {"env": settings.env, "release_manifest": str(settings.manifest_file), "local_endpoint": settings.endpoint,
              "cache_provider": settings.cache, "local_redis_url": settings.redis_url,
              "artifacts_bucket": settings.artifacts_bucket or None,
              "redis_delete_only": {True: "true", False: "false"}.get(settings.delete_only), **settings.variables}
    return {name: _typed(value, types[name]) for name, value in values.items() if name in types and value is not None}


def _typed(value, kind):
    return [part for part in value.split(",") if part] if kind.startswith(("list(", "set(")) else value


# Variables of the stacks that are not the operator's to set, and what is said instead.
OWN = {"env": "use ENV=", "local_endpoint": "use HOLDFAST_PORT=",
       "local_redis_url": "use HOLDFAST_REDIS_PORT=", "release_manifest": "the build writes it"}


def check_variables(settings):
    """Refuses a variable, of VARS or of the environment's file, that no stack has: a slip would be silent otherwise."""
    known = set().union(*(declared(stack) for stack in STACKS))
    for name in settings.variables:
        if name in OWN:
            raise Refused(f"VARS: {name} is set by this tool: {OWN[name]}.")
        if name not in known:
            raise Refused(f"VARS: no stack has a variable {name}; there is {', '.join(sorted(known))}.")
    known |= set(declared("bootstrap"))
    for name in aws.read(settings.tfvars_file, f"the values of ENV={settings.env}"):
        if name not in known:
            raise Refused(f"{settings.tfvars_file.relative_to(ROOT)}: no stack has a variable {name}.")


class Stack:
    def __init__(self, name, settings):
        self.name = name
        self.settings = settings
        self.top = settings.work / "terraform"
        self.directory = self.top / "infra" / "stacks" / name
        self.data = self.top / "data" / name
        self.state = settings.work / "state" / f"{name}.tfstate"
        self.plan_file = self.top / f"{name}.tfplan"
        self.backend = self.top / f"{name}.s3.tfbackend"
        self.log = settings.work / "logs" / f"terraform-{name}.log"
        self.fixed = self.top / f"{name}.tfvars"
        self.values = self.top / f"{name}.tfvars.json"

    def environment(self):
        return {**cloud.environment(self.settings), "TF_DATA_DIR": str(self.data), "TF_IN_AUTOMATION": "1",
                "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1", "TF_PLUGIN_CACHE_DIR": plugin_cache(self.settings),
                # Most of Terraform's time here is its garbage collector and waiting.
                "GOGC": os.environ.get("GOGC", "400")}

    def terraform(self, *arguments):
        return run.logged(["terraform", *arguments], self.log, cwd=self.directory, env=self.environment())

    def prepare(self):
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
        given = aws.read(self.settings.tfvars_file, f"the values of ENV={self.settings.env}")
        self.fixed.write_text(tfvars.only(given, declared(self.name)), encoding="utf-8")
        self.values.write_text(json.dumps(values_for(self.name, self.settings), indent=2) + "\n", encoding="utf-8")
        self.log.write_text("", encoding="utf-8")

        self._digest = hashlib.sha256(repr((str(self.directory), self._backend_values())).encode())
        for file in [source / LOCK, *sorted(source.glob("*.tf")), *sorted((ROOT / "infra" / "modules").rglob("*.tf"))]:
            self._digest.update(file.read_bytes())
        try:
            return self._stamp.read_text(encoding="utf-8") != self._digest.hexdigest()
        except OSError:
            return True

    def keep_state_here(self, here):
        """Whether the state is a file of the work directory, or where the environment's backend says."""
        self._kept_here = here
        override = self.directory / "backend_override.tf"
        override.unlink(missing_ok=True)
        if here:
            override.write_text(
                f'terraform {{\n  backend "local" {{\n    path = {json.dumps(str(self.state))}\n  }}\n}}\n', encoding="utf-8")
        else:
            self.backend.write_text("".join(f"{name} = {value}\n" for name, value in self._backend_values().items()), encoding="utf-8")

    def init(self, migrate=False):
        """`migrate`: moves the state from where it was to where it is to be."""
        shutil.copyfile(ROOT / "infra" / "stacks" / self.name / LOCK, self.directory / LOCK)
        self._stamp.unlink(missing_ok=True)
        more = [argument if argument != "-reconfigure" else "-migrate-state" for argument in self._backend()] if migrate else self._backend()
        force = ["-force-copy"] if migrate else []
        if self.terraform("init", "-input=false", "-no-color", "-lockfile=readonly", *force, *more):
            raise self.trouble("init")
        self._stamp.write_text(self._digest.hexdigest(), encoding="utf-8")

    @property
    def _stamp(self):
        return self.data / "initialised"

    def _backend(self):
        if self.settings.is_local:
            return []
        # Nothing is asked for while a bootstrap still keeps its state here.
        return ["-reconfigure"] if self._kept_here else ["-reconfigure", f"-backend-config={self.backend}"]

    def _backend_values(self):
        """environments/<ENV>.s3.tfbackend, with the bucket, the stack's key and, in a rehearsal, the local cloud's address."""
        if self.settings.is_local:
            return {}
        given = aws.read(self.settings.backend_file, f"where the state of ENV={self.settings.env} is")
        given |= {"bucket": json.dumps(self.settings.state_bucket), "key": json.dumps(f"{self.name}/terraform.tfstate")}
        if self.settings.rehearsal:
            endpoint = json.dumps(self.settings.endpoint)
            given |= {"endpoints": f"{{ s3 = {endpoint}, sts = {endpoint}, iam = {endpoint} }}", "use_path_style": "true",
                      "skip_metadata_api_check": "true"}
        return given

    def inputs(self):
        return ["-input=false", "-no-color", "-lock-timeout=10s",
                f"-var-file={self.fixed}", f"-var-file={self.values}"]

    def plan(self, look=False):
        """True if there is something to change. `look`: only to say so, which needs no lock and no right to write one."""
        lock = ["-lock=false"] if look else []
        code = self.terraform("plan", "-detailed-exitcode", "-parallelism=20", f"-out={self.plan_file}", *self.inputs(), *lock)
        if code not in (0, 2):
            raise self.trouble("plan")
        return code == 2

    def gate(self):
        """No plan that removes a table, a cache or a key is applied by accident. Call it after `plan`."""
        if os.environ.get("ALLOW_DESTROY") == "1" or self.summary().endswith(" 0 to destroy"):
            return
        result = subprocess.run(["terraform", "show", "-json", str(self.plan_file)], cwd=self.directory, env=self.environment(),
                                capture_output=True, text=True, check=False)
        if result.returncode:
            raise Failed(f"terraform show of stack {self.name}: {result.stderr.strip().splitlines()[:1]}")
        lost = forbidden(json.loads(result.stdout))
        if lost:
            raise Refused(f"the plan of stack {self.name} would remove {', '.join(lost)}: nothing is changed. "
                          "ALLOW_DESTROY=1 lets it.")

    def apply(self):
        if self.terraform("apply", "-input=false", "-no-color", "-parallelism=20", "-lock-timeout=10s", str(self.plan_file)):
            raise self.trouble("apply")

    def exists(self):
        """Whether its state holds anything."""
        return bool(self.addresses())

    def addresses(self):
        """What its state holds."""
        result = subprocess.run(["terraform", "state", "list"], cwd=self.directory, env=self.environment(),
                                capture_output=True, text=True, check=False)
        return result.stdout.split()

    def destroy(self):
        guarded = "deletion_protection_enabled"
        if guarded in declared(self.name) and not self.settings.is_local:
            # AWS deletes no table that is protected. That the environment is to go has been said by whoever calls this.
            tables = [f"-target={address}" for address in self.addresses() if ".aws_dynamodb_table." in address]
            if tables and self.terraform("apply", "-auto-approve", *self.inputs(), f"-var={guarded}=false", *tables):
                raise self.trouble("apply")
        if self.terraform("destroy", "-auto-approve", "-parallelism=20", *self.inputs()):
            raise self.trouble("destroy")

    def outputs(self):
        """The stack's outputs; none if it is not deployed."""
        result = subprocess.run(["terraform", "output", "-json"], cwd=self.directory, env=self.environment(),
                                capture_output=True, text=True, check=False)
        if result.returncode:
            raise Failed(f"terraform output of stack {self.name}: {result.stderr.strip().splitlines()[:1]}")
        return {name: entry["value"] for name, entry in json.loads(result.stdout).items()}

    def summary(self):
        """`3 to add, 0 to change, 0 to destroy`, as the log has it last."""
        found = re.findall(r"^(?:Plan: |Apply complete! Resources: )(.*?)\.?$", self._last(), re.M)
        return found[-1] if found else ""

    def changes(self):
        """What the last command would change, one line a resource."""
        return re.findall(r"^  # (.+? (?:will|must) be .+)$", self._last(), re.M)

    def _last(self):
        """What the last command printed: the log holds all of a run's."""
        return self.log.read_text(errors="replace").rsplit("\n$ terraform ", 1)[-1]

    def trouble(self, what):
        return troubles.of(what, self.name, self._last(), self.log, f"TF_DATA_DIR={self.data} terraform -chdir={self.directory}")


def forbidden(plan):
    """Addresses of what a plan (as JSON) would delete or replace although it holds data."""
    return [change["address"] for change in plan.get("resource_changes", ())
            if change["type"] in PRECIOUS and "delete" in change["change"]["actions"]]


def plugin_cache(settings):
    """One copy of the provider for all stacks; a cache that the caller has is kept."""
    folder = os.environ.get("TF_PLUGIN_CACHE_DIR") or str(settings.tools / "terraform-plugins")
    os.makedirs(folder, exist_ok=True)
    return folder


def share(settings):
    """What all working copies refer to, at the paths they refer to it by."""
    top = settings.work / "terraform"
    for folder in ("infra", "services"):
        (top / folder).mkdir(parents=True, exist_ok=True)
    _link(ROOT / "infra" / "modules", top / "infra" / "modules")
    _link(ROOT / "services" / "functions.json", top / "services" / "functions.json")


def prepare(settings, chosen):
    """Working copies of the chosen stacks, side by side."""
    share(settings)
    with Step("preparing Terraform") as step:
        stale = [stack for stack, due in zip(chosen, [stack.prepare() for stack in chosen]) if due]
        # The first one alone: it fills the plugin cache, which Terraform does not lock.
        for group in (stale[:1], stale[1:]):
            side_by_side(Stack.init, group)
        step.note = f"initialised: {', '.join(stack.name for stack in stale)}" if stale else "nothing to initialise"


def _link(source, target):
    if target.is_symlink() and os.readlink(target) == str(source):
        return
    if target.is_symlink() or target.exists():
        target.unlink()
    target.symlink_to(source)


def side_by_side(work, items):
    """Runs `work` for each item at once; the first trouble is raised when all have ended."""
    items = list(items)
    with ThreadPoolExecutor(max_workers=max(1, len(items))) as pool:
        futures = [pool.submit(work, item) for item in items]
        return [future.result() for future in futures]


def until_one_fails(works):
    """Runs these at once. The first trouble is raised at once: what the others had started is ended, not waited for."""
    with ThreadPoolExecutor(max_workers=len(works)) as pool:
        futures = [pool.submit(work) for work in works]
        try:
            for future in as_completed(futures):
                future.result()
        except Exception:
            if not all(future.done() for future in futures):
                run.give_up()
            raise


def stacks(settings, names=STACKS):
    return [Stack(name, settings) for name in names]


def compare(chosen, look=False):
    """Plans all stacks at once: name to whether it differs, None where that depends on a stack that is not applied yet."""
    def one(stack):
        try:
            return stack.plan(look)
        except Failed as trouble:
            return trouble

    found = dict(zip((stack.name for stack in chosen), side_by_side(one, chosen)))
    earlier = False
    for stage in STAGES:
        for name in stage:
            if isinstance(found.get(name), Failed):
                if not earlier:
                    raise found[name]
                found[name] = None
        earlier = earlier or any(found.get(name) for name in stage)
    return found


def apply_all(settings, chosen, touched=None):
    """Applies what changed, stage by stage. Returns the names of the stacks in which something did. `touched`, a list, gets the name
    of each that may have changed, also where this ends in a trouble."""
    known = {}
    # The first time there is nothing to compare with: later stacks need values that earlier ones write.
    if not settings.is_local or all(stack.state.exists() for stack in chosen):
        with Step("comparing with what is deployed") as step:
            known = compare(chosen)
            changed = [name for name, differs in known.items() if differs is not False]
            step.note = "nothing to change" if not changed else f"to change: {', '.join(changed)}"
        if not changed:
            return []
        # Before anything is changed. What cannot be planned yet is looked at when it can be.
        for stack in chosen:
            if known[stack.name]:
                stack.gate()
    applied = []

    def one(stack):
        with Step(f"stack {stack.name}") as step:
            # A plan is good as long as nothing before it has changed.
            differs = known.get(stack.name)
            if differs is None:
                differs = stack.plan()
            if differs:
                stack.gate()
                if touched is not None:
                    touched.append(stack.name)
                stack.apply()
                applied.append(stack.name)
            step.note = stack.summary() if differs else "no change"

    for stage in STAGES:
        before = len(applied)
        side_by_side(one, [stack for stack in chosen if stack.name in stage])
        if len(applied) > before:
            known = {}
    if applied and not settings.on_local_cloud:
        # API Gateway takes limits only for routes that exist, and the stacks above attach them after the one that owns the stage.
        side_by_side(one, [stack for stack in chosen if stack.name == STAGE_OWNER])
    return applied


def plan_all(chosen):
    """Prints what a deploy would change. Returns whether anything would."""
    with Step("comparing with what is deployed"):
        known = compare(chosen, look=True)
    for stack in chosen:
        differs = known[stack.name]
        if differs is None:
            line(f"{stack.name}: can be planned when the stacks before it are applied")
            continue
        line(f"{stack.name}: {stack.summary() if differs else 'no change'}")
        for change in stack.changes() if differs else ():
            line(f"  {change}")
    return any(differs is not False for differs in known.values())
