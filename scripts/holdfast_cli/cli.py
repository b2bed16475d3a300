"""`scripts/holdfast <verb>`. Every option has an environment variable of the same meaning, through which `make` passes its variables."""

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
from holdfast_cli.generate import declarations as declarations_module
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

Only = Annotated[str, option("ONLY", "--only", "Run one part only.", "NAME")]
Write = Annotated[bool, flag("WRITE", "--write", "Write the files instead of comparing them.")]


@verb(*CHANGES)
def deploy(settings: Settings) -> None:
    """Build, deploy and start everything; with ENV=local on this machine."""
    deploy_module.deploy(settings, smoke_module.after_deploy)


@verb(*CHANGES)
def plan(settings: Settings) -> None:
    """Show the changes that a deploy would make."""
    plan_module.plan(settings)


@verb(*CHOICES)
def smoke(settings: Settings) -> None:
    """Run the smoke test: the whole path once."""
    smoke_module.smoke(settings)


@verb(*CHOICES)
def soak(settings: Settings, n: Annotated[str, option("N", "--repeat", "Number of runs (50).", "N")] = "50") -> None:
    """Run the smoke test many times."""
    if not n.isdigit() or not 1 <= int(n) <= 10_000:
        raise Refused(f"N={n}: a number from 1 to 10000 is needed.")
    smoke_module.smoke(settings, repeat=int(n))


@verb(*CHOICES)
def status(settings: Settings) -> None:
    """Show processes, release, health, queue lengths, and the nodes of the cache."""
    status_module.status(settings)


@verb(*CHOICES)
def outputs(settings: Settings, name: Annotated[str, typer.Argument(
        metavar="[NAME]", show_default=False, help="Print one value, such as httpUrl or functions.sessions-create.")] = "") -> None:
    """Print addresses and names as JSON, or one of them."""
    outputs_module.show(settings, name)


@verb(*ENVIRONMENT)
def demo(settings: Settings,
         page_port: Annotated[int, typer.Option("--page-port", min=1, max=65_535,
                                                 help="The page's port; the deployment has to allow its origin.")] = demo_module.PORT) -> None:
    """Serve a demo page: send live messages, cut the network, end sessions."""
    demo_module.demo(settings, page_port)


@verb(*ENVIRONMENT, "cache", "var", in_lines=True)
def logs(settings: Settings, service: Annotated[str, option("SERVICE", "--service", "Function, or beginning of names: auth.", "NAME")] = "",
         since: Annotated[str, option("SINCE", "--since", "Age of the oldest line (10m).", "TIME")] = "10m",
         follow: Annotated[bool, flag("FOLLOW", "--follow", "Continue until Ctrl-C.")] = False) -> None:
    """Print the functions' logs."""
    logs_module.logs(settings, service, since, follow)


@verb(*CHANGES)
def rollback(settings: Settings, to: Annotated[str, option("TO", "--to", "Release (the one before the current).", "RELEASE")] = "") -> None:
    """Return to the release before the current one, or to a named release."""
    deploy_module.rollback(settings, smoke_module.after_deploy, to)


@verb(*CHOICES)
def redrive(settings: Settings, queue: Annotated[str, option("QUEUE", "--queue", "Queue: push, broadcast or close (all).", "QUEUE")] = "",
            rate: Annotated[str, option("RATE", "--rate", "Messages a second (10).", "RATE")] = "10") -> None:
    """Send dead letters back to their queues."""
    redrive_module.redrive(settings, queue, redrive_module.rate_of(rate))


@verb(*CHOICES)
def epochs(settings: Settings, table: Annotated[str, option("TABLE", "--table", "Restored table (that of the deployment).", "NAME")] = "") -> None:
    """Give every channel a new epoch. Run it after a restore of the connections table, before the table serves."""
    from holdfast_cli.operate import epochs as epochs_module

    epochs_module.epochs(settings, table)


@verb(*CHOICES)
def destroy(settings: Settings, terraform: Annotated[bool, typer.Option(help="Also run `terraform destroy` locally.")] = False) -> None:
    """Remove all resources that a deploy created; refused for production."""
    destroy_module.destroy(settings, terraform)


@verb(*CHOICES, "allow_destroy")
def bootstrap(settings: Settings) -> None:
    """Create the buckets and roles of an AWS environment, once."""
    bootstrap_module.bootstrap(settings)


@verb(*CHOICES)
def build(settings: Settings) -> None:
    """Build a release without a deploy. `--no-build` deploys it."""
    build_module.only(settings)


@verb(*CHOICES)
def drift(settings: Settings) -> None:
    """Compare staging or production with its release."""
    plan_module.drift(settings)


@verb("env", "cache", "var")
def cost(settings: Settings, users: Annotated[str, option("USERS", "--users", "Users who are active every day (10,000).", "N")] = "",
         sockets: Annotated[str, option("SOCKETS", "--sockets", "Sockets that are open at once (1,000).", "N")] = "",
         pushes: Annotated[str, option("PUSHES", "--pushes", "Messages a month (1,000,000).", "N")] = "") -> None:
    """Estimate the cost of a month on AWS."""
    cost_module.cost(settings, users, sockets, pushes)


@verb()
def scale(settings: Settings, sockets: Annotated[str, option("SOCKETS", "--sockets", "Sockets that are open at once (1,000,000).", "N")] = "",
          within: Annotated[str, option("WITHIN", "--within", "Seconds for a broadcast to all of them (60).", "SECONDS")] = "",
          write: Annotated[bool, flag("WRITE", "--write", "Write docs/scale.md and docs/costs.md.")] = False) -> None:
    """Compute the AWS quotas for a number of sockets."""
    if write:
        scale_document.write()
    else:
        scale_module.scale(sockets, within)


@verb(*ENVIRONMENT)
def doctor(settings: Settings) -> None:
    """List everything that is missing or wrong on this machine, each with the next step."""
    sys.exit(doctor_module.examine(settings, console.answer if console.wants_json() else None))


@verb()
def check(settings: Settings) -> None:
    """Run the fast checks: format, lint, types, text, unit tests."""
    from holdfast_cli.verify import suite

    suite.check(settings)


@verb()
def test(settings: Settings, only: Annotated[str, option("ONLY", "--only", "static, unit, terraform, mistakes or e2e.", "PART")] = "") -> None:
    """Run every test that one machine can run."""
    from holdfast_cli.verify import suite

    suite.test(settings, only)


@verb()
def scan(settings: Settings, write: Write = False) -> None:
    """Run checkov over the Terraform, and compare with the register of exceptions."""
    from holdfast_cli.verify import scan as scan_module

    scan_module.scan(settings, write)


@verb(*ENVIRONMENT, "cache", "var")
def permissions(settings: Settings, write: Write = False) -> None:
    """Test the permissions of every function's role; with --write, write the table and the diagram."""
    from holdfast_cli.verify import iam_probe

    iam_probe.check(settings, write)


@verb(*ENVIRONMENT)
def verify(settings: Settings, only: Annotated[str, option("ONLY", "--only", "Names of checks, such as cors,socket-idle (all).", "NAMES")] = "",
           safe: Annotated[bool, flag("SAFE", "--safe", "Run only checks that read; required for production.")] = False) -> None:
    """Run the acceptance suite against a deployment, and print a table."""
    from holdfast_cli.verify.acceptance import run as acceptance

    acceptance.verify(settings, only, safe)


@verb()
def prove(settings: Settings, only: Annotated[str, option("ONLY", "--only", "Names of proofs, such as model,storms.", "NAMES")] = "",
          size: Annotated[str, option("SIZE", "--size", "Size: full, or small (minutes instead of hours).", "SIZE")] = "full",
          service: Annotated[str, option("SERVICE", "--service", "Limit the mutants to these crates.", "CRATES")] = "",
          tests: Annotated[str, option("TESTS", "--tests", "With own, run only the tests of a mutant's own crate.", "own")] = "") -> None:
    """Run the full-size correctness proofs, and print a table."""
    from holdfast_cli.verify import prove as prove_module

    prove_module.prove(settings, only, size, prove_module.Chosen(service, tests == "own"))


@verb("env")
def conform(settings: Settings,
            only: Annotated[str, option("ONLY", "--only", "requests, probes or suites; several with commas.", "PARTS")] = "",
            implementation: Annotated[str, option("IMPLEMENTATION", "--implementation", "Only local or only dynoxide.", "NAME")] = "") -> None:
    """Compare with AWS: requests with its models, answers of DynamoDB with its documentation, tests with a second implementation."""
    from holdfast_cli.verify import conform as conform_module

    conform_module.conform(settings, only, implementation)


@verb("env")
def bench(settings: Settings, only: Only = "") -> None:
    """Run the benchmarks, and write figures and plots to target/bench/report.md."""
    from holdfast_cli.verify import bench as bench_module

    bench_module.bench(settings, only)


@verb("cache", "work_dir")
def rehearse(settings: Settings) -> None:
    """Simulate the life of a staging environment on the local cloud."""
    from holdfast_cli.verify import rehearse as rehearse_module

    rehearse_module.rehearse(settings)


@verb("service", "work_dir")
def arm64(settings: Settings, only: Only = "") -> None:
    """Build the release for arm64 twice, compare it, and run one function."""
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
    """Compare every zip of a folder with its manifest."""
    manifest.verify_artifacts(folder)


@verb(hidden=True)
def affected(settings: Settings, service: Annotated[str, option("SERVICE", "--service", "Name of the service.", "NAME")] = "",
             base: Annotated[str, option("BASE", "--base", "Commit to compare with.", "COMMIT")] = "") -> None:
    """Print the parts of a service that a change affects, for pipelines."""
    workflows_module.show_affected(service, base)


@verb(hidden=True)
def declarations(settings: Settings) -> None:
    """Write the declarations that Terraform requires in every stack."""
    for name in declarations_module.write():
        line(f"wrote infra/{name}")


@verb(hidden=True)
def workflows(settings: Settings) -> None:
    """Write the services' pipelines."""
    workflows_module.write()


@verb(name="workflows-lint", hidden=True)
def workflows_lint(settings: Settings) -> None:
    """Run actionlint and zizmor over the pipelines."""
    workflows_module.lint(settings)


@verb("env", "var", hidden=True)
def target(settings: Settings, role: Annotated[str, option("ROLE", "--role", "Role: plan or deploy.", "ROLE")] = "plan") -> None:
    """Print Region and role of an environment, for pipelines."""
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
        error("Interrupted: the processes of this run are stopped; the same command continues from here.")
        sys.exit(130)


def end(trouble: Trouble, as_json: bool) -> NoReturn:
    """Prints the error, and ends with its exit code. In JSON it is one line, the last one. It does not follow a whole document."""
    if as_json and not console.has_answered():
        console.answer(trouble.as_json(), compact=True)
    error(str(trouble))
    sys.exit(trouble.exit_code)
