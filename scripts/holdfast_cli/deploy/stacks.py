"""The stacks of an environment, in the order in which they need each other: compared, planned, applied."""

from __future__ import annotations

import time
from collections.abc import Callable

from holdfast_cli.core import catalogue
from holdfast_cli.core.console import Step, answer, report, wants_json
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.parallel import side_by_side
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import unchanged
from holdfast_cli.deploy.terraform import Stack, inputs

# What may be applied side by side, in order: values cross stacks as parameters of SSM.
STAGES = (("platform",), ("auth", "sessions", "push"), ("events",))

# Seconds between two looks for a parameter.
LOOK = 0.5

# What needs no function, of the stacks that have it: tables, keys, queues, the event bus, and the parameters with their names. Most of an apply
# is waiting for these.
_FOUNDATIONS = {
    "platform": ("aws_ssm_parameter.output", "aws_s3_bucket.local_artifacts"),
    "push": ("module.queue",
             *(f'aws_ssm_parameter.output["{queue}-queue-{what}"]' for queue in ("push", "broadcast", "close") for what in ("url", "arn"))),
    "events": ("aws_ssm_parameter.output", "module.bus_dlq", "module.repair_dlq", "module.activity"),
}

# It owns the stage of the HTTP API, with the limits of single routes.
STAGE_OWNER = "platform"

# It owns the cache and its network, and a function in it. It publishes these values of a network that is complete.
NETWORK_OWNER = "platform"
_NETWORK = {f'aws_ssm_parameter.output["network-{name}"]' for name in ("functions-security-group-id", "subnet-ids")}


def compare(chosen: list[Stack], look: bool = False) -> dict[str, bool | None]:
    """Plans all stacks at once: name to whether it differs, None where that depends on a stack that is not applied yet."""
    def one(stack: Stack) -> bool | Failed:
        try:
            return stack.plan(look, refresh=look or not unchanged.state_is_current(stack))
        except Failed as trouble:
            return trouble

    planned = dict(zip((stack.name for stack in chosen), side_by_side(one, chosen)))
    found: dict[str, bool | None] = {}
    earlier = False
    for stage in STAGES:
        for name in stage:
            if name in planned:
                result = planned[name]
                if isinstance(result, Failed) and not earlier:
                    raise result
                found[name] = None if isinstance(result, Failed) else result
        earlier = earlier or any(found.get(name) for name in stage)
    return found


class _Run:
    """One run over the stacks: what is known of them, and what it has changed."""

    def __init__(self, settings: Settings, chosen: list[Stack], touched: list[str]) -> None:
        self.settings, self.chosen, self.touched = settings, chosen, touched
        self.applied: list[str] = []
        # Whether a stack differs; none of those whose plan is not known, or no longer good.
        self.known: dict[str, bool | None] = {}
        # Those that were compared with what is there: a second plan need not look again.
        self.refreshed: set[str] = set()
        self.made_from = {stack.name: unchanged.fingerprint(stack) for stack in chosen} if settings.is_local else {}
        self.handed_over = unchanged.parameters(settings)

    def skip(self, stacks: list[Stack]) -> list[Stack]:
        """Takes note of those that need no plan; the others."""
        same = {stack.name for stack in stacks if unchanged.is_unchanged(stack, self.made_from.get(stack.name, ""), self.handed_over)}
        self.known |= dict.fromkeys(same, False)
        return [stack for stack in stacks if stack.name not in same]

    def compare(self) -> list[str]:
        """The names of the stacks that differ or may differ. What must not be lost is refused here, before anything is changed."""
        with Step("comparing with what is deployed") as step:
            others = self.skip(self.chosen)
            self.known |= compare(others)
            self.refreshed = {stack.name for stack in others}
            changed = [stack.name for stack in self.chosen if self.known[stack.name] is not False]
            skipped = [stack.name for stack in self.chosen if stack not in others]
            said = "nothing to change" if not changed else f"to change: {', '.join(changed)}"
            step.note = f"{said}; same as before: {', '.join(skipped)}" if skipped and others else said
        # What cannot be planned yet is looked at when it can be.
        for stack in self.chosen:
            if self.known[stack.name]:
                stack.gate()
            elif self.known[stack.name] is False and stack in others:
                unchanged.remember(stack, self.made_from.get(stack.name, ""))
        return changed

    def apply(self, stack: Stack) -> None:
        with Step(f"stack {stack.name}") as step:
            differs = self.known.get(stack.name)
            if differs is None:
                differs = stack.plan(refresh=not (self.settings.is_local and stack.name in self.refreshed))
            if differs:
                stack.gate()
                self.touched.append(stack.name)
                unchanged.forget(stack)
                stack.apply()
                self.applied.append(stack.name)
            step.note = stack.summary() if differs else "no change"
        unchanged.remember(stack, self.made_from.get(stack.name, ""))

    def stage(self, names: tuple[str, ...]) -> None:
        """Applies the stacks of a stage side by side. Later plans are good as long as nothing that they read has changed."""
        before = len(self.applied)
        side_by_side(self.apply, [stack for stack in self.chosen if stack.name in names and self.known.get(stack.name) is not False])
        if len(self.applied) == before:
            return
        after = unchanged.parameters(self.settings)
        if not self.settings.is_local or after != self.handed_over:
            self.known, self.handed_over = {}, after
            self.skip(self.chosen)

    def at_once(self) -> None:
        """Applies all stacks for the first time, side by side as far as their parameters allow."""
        # Their foundations are a few minutes old.
        self.refreshed = {stack.name for stack in self.chosen if foundations(stack.name)}
        as_published(self.settings, self.chosen, self.apply)


def as_published(settings: Settings, chosen: list[Stack], work: Callable[[Stack], object], is_over: Callable[[], bool] = lambda: False) -> None:
    """Does some work with each stack as soon as the parameters that the stack reads are published, beside the stacks that publish them. Begins
    nothing once it `is_over`."""
    at_work = {stack.name for stack in chosen}

    def one(stack: Stack) -> None:
        try:
            if wait_for_inputs(settings, stack, {other.name for other in chosen}, at_work, is_over):
                work(stack)
        finally:
            at_work.discard(stack.name)

    side_by_side(one, chosen)


def wait_for_inputs(settings: Settings, stack: Stack, chosen: set[str], at_work: set[str], is_over: Callable[[], bool]) -> bool:
    """Returns True when every parameter is there that a stack reads from the others of this run, and False once it `is_over`."""
    wanted = [name for name in inputs(stack.name) if name.split("/")[0] in chosen]
    while not is_over():
        # Before the look, because a stack publishes its parameters before it ends.
        publishing = set(at_work)
        there = unchanged.parameters(settings)
        lacking = [name for name in wanted if f"/holdfast/{settings.env}/{name}" not in there]
        if not lacking:
            return True
        if any(name.split("/")[0] not in publishing for name in lacking):
            raise Failed(f"stack {stack.name} was not applied: it needs {', '.join(lacking)}.")
        time.sleep(LOOK)
    return False


def foundations(stack: str) -> tuple[str, ...]:
    """The addresses of what a stack has that needs no function."""
    subscribers = [name for name, entry in catalogue.functions().items() if entry["stack"] == stack and "subscribes" in entry]
    # Terraform finds no module in every instance of another: each is named.
    return (*_FOUNDATIONS.get(stack, ()), *(f'module.subscriber["{name}"].module.dead_letter_queue' for name in subscribers))


def is_first(settings: Settings, chosen: list[Stack]) -> bool:
    """Whether a deploy makes the local environment, and does not change it."""
    return settings.is_local and not any(stack.state.exists() for stack in chosen)


def lay_foundations(settings: Settings, chosen: list[Stack], is_over: Callable[[], bool]) -> None:
    """Makes what needs no function, while the functions are compiled. Begins nothing once the build `is_over`."""
    def one(stack: Stack) -> None:
        if stack.plan(refresh=False, targets=foundations(stack.name)) and not is_over():
            stack.apply()

    with Step("creating tables and queues"):
        as_published(settings, [stack for stack in chosen if foundations(stack.name)], one, is_over)


def make_network(settings: Settings, chosen: list[Stack], touched: list[str]) -> None:
    """Creates the cache and its network before a deploy that moves functions into it. Terraform's provider fails to plan a function that
    enters a network whose subnets have no ids yet (terraform-provider-aws #34913). It plans a function correctly that is created with its
    network."""
    if settings.on_local_cloud or settings.cache_mode == "dynamodb":
        return
    for stack in chosen:
        if stack.name == NETWORK_OWNER:
            there = set(stack.addresses())
            if any(".aws_lambda_function." in address for address in there) and not there >= _NETWORK:
                with Step("creating the cache and its network, before functions enter it") as step:
                    stack.plan(cache_provider="dynamodb", redis_delete_only="false", redis_keep="true")
                    stack.gate()
                    touched.append(stack.name)
                    stack.apply()
                    step.note = stack.summary()


def apply_all(settings: Settings, chosen: list[Stack], touched: list[str] | None = None, first: bool | None = None) -> list[str]:
    """Applies the changes, stage by stage. Returns the names of the stacks that changed. The list `touched` gets the name
    of each stack that may have changed, also if this fails. `first`: whether this makes the local environment, if the caller knows."""
    first = is_first(settings, chosen) if first is None else first
    touched = touched if touched is not None else []
    make_network(settings, chosen, touched)
    run = _Run(settings, chosen, touched)
    # The first time there is nothing to compare with: later stacks need values that earlier ones write.
    if first:
        run.at_once()
        return run.applied
    if (not settings.is_local or all(stack.state.exists() for stack in chosen)) and not run.compare():
        return []
    for stage in STAGES:
        run.stage(stage)
    if run.applied and not settings.on_local_cloud:
        # API Gateway takes limits only for routes that exist, and the stacks above attach them after the one that owns the stage.
        side_by_side(run.apply, [stack for stack in chosen if stack.name == STAGE_OWNER])
    return run.applied


def plan_all(chosen: list[Stack]) -> bool:
    """Tells what a deploy would change. Returns whether anything would."""
    with Step("comparing with what is deployed"):
        known = compare(chosen, look=True)
    # A stack's changes; None of one that can be planned when the stacks before it are applied.
    found = {stack.name: None if known[stack.name] is None else list(stack.changes()) if known[stack.name] else [] for stack in chosen}
    if wants_json():
        answer({"changes": any(differs is not False for differs in known.values()), "stacks": found})
    for stack in chosen:
        changes = found[stack.name]
        if changes is None:
            report(f"{stack.name}: can be planned when the stacks before it are applied")
            continue
        report(f"{stack.name}: {stack.summary() if known[stack.name] else 'no change'}")
        for change in changes:
            report(f"  {change}")
    return any(differs is not False for differs in known.values())
