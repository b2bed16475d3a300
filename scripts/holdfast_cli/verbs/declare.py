"""How a verb is declared: its options, their environment variables, and the groups of verbs (`users find`)."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from holdfast_cli.core import console
from holdfast_cli.core import settings as settings_module
from holdfast_cli.core.settings import Settings

app = typer.Typer(help="Deploy, operate and verify Holdfast: user sessions and push for serverless platforms.", add_completion=False,
                  pretty_exceptions_enable=False, rich_markup_mode="markdown")

Rest = ParamSpec("Rest")
Verb = Callable[Concatenate[Settings, Rest], None]


def option(variable: str, name: str, help: str, metavar: str | None = None) -> Any:
    return typer.Option(name, envvar=variable, help=help, metavar=metavar, show_default=False)


def flag(variable: str, name: str, help: str) -> Any:
    return typer.Option(name, envvar=variable, help=help, show_default=False)


# What may be said of an environment: parameter, its type, its environment variable, its option. `settings.read` judges the values.
COMMON: dict[str, tuple[type, Any, str]] = {
    "env": (str, option("ENV", "--env", "Environment: local (the default), staging or production.", "NAME"), "ENV"),
    "arch": (str, option("ARCH", "--arch", "Processor of the functions (arm64 on AWS, this machine's locally).", "arm64|x86_64"), "ARCH"),
    "cache": (str, option("CACHE", "--cache", "Cache provider (locally redis if a redis-server is available).", "redis|dynamodb"), "CACHE"),
    "service": (str, option("SERVICE", "--service", "One stack only: platform, auth, sessions, push or events.", "STACK"), "SERVICE"),
    "var": (list[str], option("VARS", "--var", "Terraform variable for this run; can be repeated.", "NAME=VALUE"), "VARS"),
    "port": (str, option("HOLDFAST_PORT", "--port", "Port of the local cloud (4566).", "PORT"), "HOLDFAST_PORT"),
    "redis_port": (str, option("HOLDFAST_REDIS_PORT", "--redis-port", "Port of the local redis-server (6379).", "PORT"), "HOLDFAST_REDIS_PORT"),
    "work_dir": (str, option("HOLDFAST_WORK_DIR", "--work-dir", "Folder of the local environment (.local).", "FOLDER"), "HOLDFAST_WORK_DIR"),
    "build": (bool, typer.Option("--build/--no-build", envvar="BUILD", help="Build, or deploy the existing build.",
                                 show_default=False), "BUILD"),
    "allow_destroy": (bool, flag("ALLOW_DESTROY", "--allow-destroy", "Apply a plan that removes a table, a cache or a key."), "ALLOW_DESTROY"),
    "plan_all": (bool, flag("PLAN_ALL", "--plan-all", "Plan every local stack, also stacks without changed inputs."), "PLAN_ALL"),
    "canary": (str, option("CANARY", "--canary", "Percent of the calls for a new version at first (10); 0 for all.", "PERCENT"), "CANARY"),
    "canary_minutes": (str, option("CANARY_MINUTES", "--canary-minutes", "Minutes for which the canary runs (5).", "MINUTES"), "CANARY_MINUTES"),
}
# Every verb that people call has it; `main` acts on it before a verb is called, and modules ask console.wants_json().
JSON = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, typer.Option(
    "--json", help="Print JSON on standard output, and nothing else.", show_default=False)])
ENVIRONMENT = ("env", "port", "redis_port", "work_dir")
CHOICES = (*ENVIRONMENT, "arch", "cache", "service", "var")
CHANGES = (*CHOICES, "build", "allow_destroy", "plan_all", "canary", "canary_minutes")


def _text(value: object) -> str:
    """An option's value as its environment variable has it."""
    if isinstance(value, bool):
        return "1" if value else "0"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def group(name: str, help: str) -> typer.Typer:
    """A group of verbs, called as `holdfast <group> <verb>`."""
    made = typer.Typer(help=help, no_args_is_help=True)
    app.add_typer(made, name=name)
    return made


def verb(*common: str, name: str | None = None, hidden: bool = False, of: typer.Typer = app,
         in_lines: bool = False) -> Callable[[Verb[Rest]], Verb[Rest]]:
    """Makes a verb of a function: it gets the settings from those of the common options that are named, and its own options. `in_lines`: its
    JSON is a document a line, perhaps none."""
    def register(work: Verb[Rest]) -> Verb[Rest]:
        own = list(inspect.signature(work, eval_str=True).parameters.values())[1:]
        # To some verbs SERVICE is a function, or a service of a pipeline.
        mine = {"SERVICE"} if "service" in [one.name for one in own] else set[str]()

        @wraps(work)
        def called(**given: Any) -> None:
            environ = {variable: value for variable, value in os.environ.items() if variable not in mine}
            said = {COMMON[each][2]: given.pop(each) for each in common}
            environ |= {variable: _text(value) for variable, value in said.items() if value is not None}
            given.pop("json", None)
            work(settings_module.read(environ), **given)  # pyright: ignore[reportCallIssue]
            if not in_lines:
                console.finish()

        keyword = inspect.Parameter.KEYWORD_ONLY
        shared = [inspect.Parameter(each, keyword, default=None, annotation=Annotated[COMMON[each][0] | None, COMMON[each][1]])
                  for each in common]
        signature = inspect.Signature([*(one.replace(kind=keyword) for one in own), *shared, *([] if hidden else [JSON])])
        called.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue]
        called.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
        # Ids of users and sessions can begin with a hyphen. The verbs of groups take them as arguments.
        parsing = None if of is app else {"ignore_unknown_options": True}
        of.command(name or work.__name__.replace("_", "-"), hidden=hidden, context_settings=parsing)(called)
        return work

    return register
