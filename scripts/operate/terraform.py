"""Plain `terraform`, one state per stack, in a working copy: the source tree never changes."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import cloud
import run
from say import Failed, Refused, Step, line
from settings import ROOT, STACKS

# What may be applied side by side, in order: values cross stacks as parameters of SSM.
STAGES = (("platform",), ("auth", "sessions", "push"), ("events",))


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
              "cache_provider": settings.cache, **settings.variables}
    return {name: _typed(value, types[name]) for name, value in values.items() if name in types}


def _typed(value, kind):
    return [part for part in value.split(",") if part] if kind.startswith(("list(", "set(")) else value


def check_variables(settings):
    known = set().union(*(declared(stack) for stack in STACKS))
    for name in settings.variables:
        if name not in known:
            raise Refused(f"VARS: no stack has a variable {name}; there is {', '.join(sorted(known))}.")


class Stack:
    def __init__(self, name, settings):
        self.name = name
        self.settings = settings
        self.top = settings.work / "terraform"
        self.directory = self.top / "infra" / "stacks" / name
        self.data = self.top / "data" / name
        self.state = settings.work / "state" / f"{name}.tfstate"
        self.plan_file = self.top / f"{name}.tfplan"
        self.log = settings.work / "logs" / f"terraform-{name}.log"
        self.values = self.top / f"{name}.tfvars.json"

    def environment(self):
        return {**cloud.clean_environment(), "TF_DATA_DIR": str(self.data), "TF_IN_AUTOMATION": "1",
                "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1",
                # Most of Terraform's time here is its garbage collector and waiting.
                "GOGC": os.environ.get("GOGC", "400")}

    def terraform(self, *arguments):
        return run.logged(["terraform", *arguments], self.log, cwd=self.directory, env=self.environment())

    def prepare(self):
        """A working copy that links to the source, with a local backend; initialised when something it needs changed."""
        source = ROOT / "infra" / "stacks" / self.name
        for folder in (self.directory, self.data, self.state.parent, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        wanted = {file.name for file in source.glob("*.tf")}
        for old in self.directory.glob("*.tf"):
            if old.name not in wanted:
                old.unlink()
        for name in wanted:
            _link(source / name, self.directory / name)
        (self.directory / "backend_override.tf").write_text(
            f'terraform {{\n  backend "local" {{\n    path = {json.dumps(str(self.state))}\n  }}\n}}\n'
        )
        self.values.write_text(json.dumps(values_for(self.name, self.settings), indent=2) + "\n")
        self.log.write_text("")

        lock = source / ".terraform.lock.hcl"
        digest = hashlib.sha256(str(self.directory).encode())
        for file in [lock, *sorted(source.glob("*.tf")), *sorted((ROOT / "infra" / "modules").rglob("*.tf"))]:
            digest.update(file.read_bytes())
        stamp = self.data / "initialised"
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        shutil.copyfile(lock, self.directory / ".terraform.lock.hcl")
        if self.terraform("init", "-input=false", "-no-color", "-lockfile=readonly"):
            raise self.trouble("init")
        stamp.write_text(digest.hexdigest())

    def inputs(self):
        return ["-input=false", "-no-color", "-lock-timeout=10s",
                f"-var-file={ROOT / 'infra' / 'environments' / (self.settings.env + '.tfvars')}", f"-var-file={self.values}"]

    def plan(self):
        """True if there is something to change."""
        code = self.terraform("plan", "-detailed-exitcode", "-parallelism=20", f"-out={self.plan_file}", *self.inputs())
        if code not in (0, 2):
            raise self.trouble("plan")
        return code == 2

    def apply(self):
        if self.terraform("apply", "-input=false", "-no-color", "-parallelism=20", "-lock-timeout=10s", str(self.plan_file)):
            raise self.trouble("apply")

    def destroy(self):
        if self.terraform("destroy", "-auto-approve", "-parallelism=20", *self.inputs()):
            raise self.trouble("destroy")

    def outputs(self):
        result = subprocess.run(["terraform", "output", "-json"], cwd=self.directory, env=self.environment(),
                                capture_output=True, text=True, check=False)
        if result.returncode:
            raise Failed(f"terraform output of stack {self.name}: {result.stderr.strip().splitlines()[:1]}")
        return {name: entry["value"] for name, entry in json.loads(result.stdout).items()}

    def summary(self):
        """`3 to add, 0 to change, 0 to destroy`, as the log has it last."""
        found = re.findall(r"^(?:Plan: |Apply complete! Resources: )(.*?)\.?$", self.log.read_text(errors="replace"), re.M)
        return found[-1] if found else ""

    def changes(self):
        return re.findall(r"^  # (.+? (?:will|must) be .+)$", self.log.read_text(errors="replace"), re.M)

    def trouble(self, what):
        text = self.log.read_text(errors="replace")
        errors = re.findall(r"^(?:│ )?Error: .*(?:\n(?:│ )?.*){0,6}", text, re.M)
        excerpt = [part for error in errors[:3] for part in _trim(error)] or text.strip().splitlines()[-3:]
        return Failed("\n".join([f"terraform {what} of stack {self.name} failed:", *excerpt, f"  all of it: {self.log}"]))


def _share(settings):
    """What all working copies refer to, at the paths they refer to it by."""
    top = settings.work / "terraform"
    for folder in ("infra", "services"):
        (top / folder).mkdir(parents=True, exist_ok=True)
    _link(ROOT / "infra" / "modules", top / "infra" / "modules")
    _link(ROOT / "services" / "functions.json", top / "services" / "functions.json")


def prepare(settings, chosen):
    """Working copies of the chosen stacks, side by side."""
    _share(settings)
    with Step("preparing Terraform"):
        side_by_side(Stack.prepare, chosen)


def _trim(error):
    lines = [part.removeprefix("│").rstrip() for part in error.splitlines()]
    return [f"  {part.strip()}" for part in lines if part.strip(" ╷╵")]


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


def stacks(settings, names=STACKS):
    return [Stack(name, settings) for name in names]


def apply_all(settings):
    """Applies what changed, stage by stage. Returns the names of the stacks in which something did."""
    chosen = stacks(settings, settings.stacks)
    prepare(settings, chosen)
    fresh = [stack for stack in chosen if not stack.state.exists()]
    if not fresh:
        with Step("comparing with what is deployed") as step:
            changed = [s for s, differs in zip(chosen, side_by_side(Stack.plan, chosen), strict=True) if differs]
            step.note = "nothing to change" if not changed else f"to change: {', '.join(s.name for s in changed)}"
        if not changed:
            return []
    applied = []

    def one(stack):
        with Step(f"stack {stack.name}") as step:
            if stack.plan():
                stack.apply()
                applied.append(stack.name)
                step.note = stack.summary()
            else:
                step.note = "no change"

    for stage in STAGES:
        side_by_side(one, [stack for stack in chosen if stack.name in stage])
    return applied


def plan_all(settings):
    """Prints what a deploy would change. Returns whether anything would."""
    chosen = stacks(settings, settings.stacks)
    prepare(settings, chosen)
    with Step("comparing with what is deployed"):
        differs = side_by_side(Stack.plan, chosen)
    for stack, different in zip(chosen, differs, strict=True):
        line(f"{stack.name}: {stack.summary() if different else 'no change'}")
        if different:
            for change in stack.changes():
                line(f"  {change}")
    return any(differs)
