"""`holdfast bootstrap --env …` creates, once per environment, the resources that every deploy to AWS needs.

They are buckets for state and artifacts, the account's role for API Gateway's logs, the pipelines' roles, and the boundary of all others. Its own
state is moved into the bucket that it creates.
"""

from __future__ import annotations

from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, preparation, terraform


def bootstrap(settings: Settings) -> None:
    if settings.is_local:
        raise Refused("ENV=local needs no bootstrap: `make deploy` brings all of it. Say ENV=staging or ENV=production.")
    with preparation.exclusive(settings):
        preparation.prerequisites(settings, builds=False, changes=True, more=("bootstrap",))
        stack = terraform.Stack("bootstrap", settings)
        there = settings.state_bucket in aws.buckets(settings)
        if not there and stack.state.exists():
            line("Continuing a bootstrap that did not end.")
        with Step("preparing Terraform"):
            terraform.share(settings)
            stack.prepare()
            stack.keep_state_here(not there)
            stack.init(migrate=False)
        with Step("stack bootstrap") as step:
            differs = stack.plan()
            if differs:
                stack.gate()
                stack.apply()
            step.note = stack.summary() if differs else "no change"
        if not there:
            with Step(f"moving its state to {settings.state_bucket}"):
                stack.keep_state_here(False)
                stack.init(migrate=True)
                stack.state.unlink()
        made = stack.outputs()
    line()
    line(f"  State        {made['state_bucket']}")
    line(f"  Artifacts    {made['artifacts_bucket']}")
    roles: dict[str, str] = made.get("pipeline_role_arns") or {}
    for name, arn in roles.items():
        line(f"  Role {name:7} {arn}")
    line()
    line(f"Next: make deploy ENV={settings.env}")
