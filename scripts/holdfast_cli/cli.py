"""`scripts/holdfast <verb>`. Every option has an environment variable of the same meaning, which is how `make` passes its variables on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer import TyperException

from holdfast_cli.capacity import cost as cost_module
from holdfast_cli.capacity import scale as scale_module
from holdfast_cli.core import commands, console, interpreter
from holdfast_cli.core import tools as tools_module
from holdfast_cli.core.console import error, line
from holdfast_cli.core.errors import Failed, Refused, Trouble
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import bootstrap as bootstrap_module
from holdfast_cli.deploy import build as build_module
from holdfast_cli.deploy import deploy as deploy_module
from holdfast_cli.deploy import destroy as destroy_module
from holdfast_cli.deploy import environments, manifest
from holdfast_cli.deploy import outputs as outputs_module
from holdfast_cli.deploy import plan as plan_module
from holdfast_cli.generate import sbom as sbom_module
from holdfast_cli.generate import scale_document
from holdfast_cli.generate import workflows as workflows_module
from holdfast_cli.local import doctor as doctor_module
from holdfast_cli.operate import demo as demo_module
from holdfast_cli.operate import logs as logs_module
from holdfast_cli.operate import redrive as redrive_module
from holdfast_cli.operate import smoke as smoke_module
from holdfast_cli.operate import status as status_module
from holdfast_cli.verbs import operators as operators
from holdfast_cli.verbs.declare import CHANGES, CHOICES, ENVIRONMENT, app, flag, option, verb

Only = Annotated[str, option("ONLY", "--only", "Only this part.", "NAME")]
Write = Annotated[bool, flag("WRITE", "--write", "Write what is compared.")]


@verb(*CHANGES)
def deploy(settings: Settings) -> None:
    """Build everything and bring it up; locally, on this machine."""
    deploy_module.deploy(settings, smoke_module.after_deploy)


@verb(*CHANGES)
def plan(settings: Settings) -> None:
    """Show what a deploy would change."""
    plan_module.plan(settings)


@verb(*CHOICES)
def smoke(settings: Settings) -> None:
    """Play the whole path once against the deployment."""
    smoke_module.smoke(settings)


@verb(*CHOICES)
def soak(settings: Settings, n: Annotated[str, option("N", "--repeat", "How many times (50).", "N")] = "50") -> None:
    """Play the whole path many times."""
    if not n.isdigit() or not 1 <= int(n) <= 10_000:
        raise Refused(f"N={n}: a number from 1 to 10000 is needed.")
    smoke_module.smoke(settings, repeat=int(n))


@verb(*CHOICES)
def status(settings: Settings) -> None:
    """Say what runs, which release, whether it is well, what waits, what the cache is made of."""
    status_module.status(settings)


@verb(*CHOICES)
def outputs(settings: Settings) -> None:
    """Print addresses and names as JSON."""
    outputs_module.show(settings)


@verb(*ENVIRONMENT)
def demo(settings: Settings,
         page_port: Annotated[int, typer.Option("--page-port", min=1, max=65_535,
                                                help="The page's port; the deployment has to allow its origin.")] = demo_module.PORT) -> None:
    """Serve a page to try it by hand: messages live, the network cut, sessions ended."""
    demo_module.demo(settings, page_port)


@verb(*ENVIRONMENT, "cache", "var", in_lines=True)
def logs(settings: Settings, service: Annotated[str, option("SERVICE", "--service", "A function, or the beginning of some: auth.", "NAME")] = "",
         since: Annotated[str, option("SINCE", "--since", "How far back (10m).", "TIME")] = "10m",
         follow: Annotated[bool, flag("FOLLOW", "--follow", "Go on until Ctrl-C.")] = False) -> None:
    """Print the functions' logs."""
    logs_module.logs(settings, service, since, follow)


@verb(*CHANGES)
def rollback(settings: Settings, to: Annotated[str, option("TO", "--to", "The release (the one before the current one).", "RELEASE")] = "") -> None:
    """Go back to the release before this one, or to another."""
    deploy_module.rollback(settings, smoke_module.after_deploy, to)


@verb(*CHOICES)
def redrive(settings: Settings, queue: Annotated[str, option("QUEUE", "--queue", "push, broadcast or close; else all.", "QUEUE")] = "",
            rate: Annotated[str, option("RATE", "--rate", "Messages a second (10).", "RATE")] = "10") -> None:
    """Send dead letters back to their queues."""
    redrive_module.redrive(settings, queue, redrive_module.rate_of(rate))


@verb(*CHOICES)
def epochs(settings: Settings, table: Annotated[str, option("TABLE", "--table", "The restored table (the deployment's).", "NAME")] = "") -> None:
    """Give every channel a new epoch: after a restore of the connections table, before it serves."""
    from holdfast_cli.operate import epochs as epochs_module

    epochs_module.epochs(settings, table)


@verb(*CHOICES)
def destroy(settings: Settings, terraform: Annotated[bool, typer.Option(help="Locally, too, by `terraform destroy`.")] = False) -> None:
    """Remove everything a deploy made; never production."""
    destroy_module.destroy(settings, terraform)


@verb(*CHOICES, "allow_destroy")
def bootstrap(settings: Settings) -> None:
    """Once per AWS environment: make its buckets and roles."""
    bootstrap_module.bootstrap(settings)


@verb(*CHOICES)
def build(settings: Settings) -> None:
    """Only build: what `--no-build` deploys."""
    build_module.only(settings)


@verb(*CHOICES)
def drift(settings: Settings) -> None:
    """Say whether what is deployed still is what its release says; staging and production."""
    plan_module.drift(settings)


@verb("env", "cache", "var")
def cost(settings: Settings, users: Annotated[str, option("USERS", "--users", "Users who are active every day (10,000).", "N")] = "",
         sockets: Annotated[str, option("SOCKETS", "--sockets", "Sockets that are open at once (1,000).", "N")] = "",
         pushes: Annotated[str, option("PUSHES", "--pushes", "Messages a month (1,000,000).", "N")] = "") -> None:
    """Say what a month costs on AWS."""
    cost_module.cost(settings, users, sockets, pushes)


@verb()
def scale(settings: Settings, sockets: Annotated[str, option("SOCKETS", "--sockets", "Sockets that are open at once (1,000,000).", "N")] = "",
          within: Annotated[str, option("WITHIN", "--within", "Seconds for a broadcast to all of them (60).", "SECONDS")] = "",
          write: Annotated[bool, flag("WRITE", "--write", "Write docs/scale.md.")] = False) -> None:
    """Say what so many sockets need of an AWS account."""
    if write:
        scale_document.write()
    else:
        scale_module.scale(sockets, within)


@verb(*ENVIRONMENT)
def doctor(settings: Settings) -> None:
    """Name everything that is missing or wrong on this machine, at once, each with what to do."""
    sys.exit(doctor_module.examine(settings, console.answer if console.wants_json() else None))


@verb()
def check(settings: Settings) -> None:
    """The fast gate: format, lint, types, unit tests."""
    from holdfast_cli.verify import suite

    suite.check(settings)


@verb()
def test(settings: Settings, only: Annotated[str, option("ONLY", "--only", "static, unit, terraform, mistakes or e2e.", "PART")] = "") -> None:
    """Everything that can be tested on one machine."""
    from holdfast_cli.verify import suite

    suite.test(settings, only)


@verb()
def scan(settings: Settings, write: Write = False) -> None:
    """Run checkov over the Terraform, against the register of exceptions."""
    from holdfast_cli.verify import scan as scan_module

    scan_module.scan(settings, write)


@verb(*ENVIRONMENT, "cache", "var")
def permissions(settings: Settings, write: Write = False) -> None:
    """Try with every function's role what it may and may not do; write the table and the diagram."""
    from holdfast_cli.verify import iam_probe

    iam_probe.check(settings, write)


@verb()
def prove(settings: Settings, only: Annotated[str, option("ONLY", "--only", "Some of the proofs: model,storms", "NAMES")] = "",
          size: Annotated[str, option("SIZE", "--size", "full, or small: minutes instead of hours.", "SIZE")] = "full",
          service: Annotated[str, option("SERVICE", "--service", "Of the mutants: those of these crates alone.", "CRATES")] = "",
          tests: Annotated[str, option("TESTS", "--tests", "own: judge a mutant by the tests of its own crate alone.", "own")] = "") -> None:
    """The full-size correctness runs, as a table."""
    from holdfast_cli.verify import prove as prove_module

    prove_module.prove(settings, only, size, prove_module.Chosen(service, tests == "own"))


@verb("env")
def bench(settings: Settings, only: Only = "") -> None:
    """Benchmarks: figures and plots in target/bench/report.md."""
    from holdfast_cli.verify import bench as bench_module

    bench_module.bench(settings, only)


@verb("cache", "work_dir")
def rehearse(settings: Settings) -> None:
    """The life of a staging environment, played on the local cloud."""
    from holdfast_cli.verify import rehearse as rehearse_module

    rehearse_module.rehearse(settings)


@verb("service", "work_dir")
def arm64(settings: Settings, only: Only = "") -> None:
    """The release for arm64: built twice, compared, one function run."""
    from holdfast_cli.verify import arm64 as arm64_module

    arm64_module.arm64(settings, only)


@verb("env", "arch", "service", "work_dir")
def reproduce(settings: Settings, only: Only = "") -> None:
    """Build the release twice and compare every artifact."""
    from holdfast_cli.verify import reproduce as reproduce_module

    reproduce_module.reproduce(settings, only)


@verb()
def tools(settings: Settings) -> None:
    """Install the pinned tools into .tools/."""
    for group in interpreter.GROUPS:
        tools_module.install(settings, group)


@verb("env", "arch", hidden=True)
def sbom(settings: Settings) -> None:
    """Write a bill of materials for each function."""
    sbom_module.write(settings)


@verb(name="verify-artifacts", hidden=True)
def verify_artifacts(settings: Settings, folder: Path) -> None:
    """Say whether every zip of a folder is what its manifest says."""
    manifest.verify_artifacts(folder)


@verb(hidden=True)
def affected(settings: Settings, service: Annotated[str, option("SERVICE", "--service", "The service.", "NAME")] = "",
             base: Annotated[str, option("BASE", "--base", "The commit to compare with.", "COMMIT")] = "") -> None:
    """For pipelines: what of a service a change touches."""
    workflows_module.show_affected(service, base)


@verb(hidden=True)
def workflows(settings: Settings) -> None:
    """Write the services' pipelines."""
    workflows_module.write()


@verb(name="workflows-lint", hidden=True)
def workflows_lint(settings: Settings) -> None:
    """Run actionlint and zizmor over the pipelines."""
    workflows_module.lint(settings)


@verb("env", "var", hidden=True)
def target(settings: Settings, role: Annotated[str, option("ROLE", "--role", "plan or deploy.", "ROLE")] = "plan") -> None:
    """For pipelines: Region and role of an environment."""
    line("\n".join(environments.target(settings, role)))


def main() -> None:
    commands.catch_signals()
    as_json = "--json" in sys.argv[1:]
    if as_json:
        console.answer_in_json()
    try:
        # A Ctrl-C comes out of Typer as its exit code.
        if app(sys.argv[1:] or ["--help"], prog_name="holdfast", standalone_mode=False) == 130:
            raise KeyboardInterrupt
    except (Refused, Failed) as trouble:
        end(trouble, as_json)
    except TyperException as usage:
        end(Refused(f"{usage.format_message()} `holdfast --help` lists the verbs, `holdfast <verb> --help` their options.", "USAGE"), as_json)
    except BrokenPipeError:
        console.give_up_output()
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        commands.interrupt_all()
        error("Interrupted: what this run had started is stopped; the same command goes on from here.")
        sys.exit(130)


def end(trouble: Trouble, as_json: bool) -> NoReturn:
    """Says what the trouble is, and ends with its exit code. In JSON it is one line, the last one; a whole document is not followed by it."""
    if as_json and not console.has_answered():
        console.answer(trouble.as_json(), compact=True)
    error(str(trouble))
    sys.exit(trouble.exit_code)
