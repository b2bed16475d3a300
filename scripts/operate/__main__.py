"""`python3 scripts/operate <target>`: what the Makefile calls. Settings come from the environment."""

import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import arm64  # noqa: E402
import aws  # noqa: E402
import bench  # noqa: E402
import bootstrap  # noqa: E402
import build  # noqa: E402
import cloud  # noqa: E402
import cost  # noqa: E402
import deploy  # noqa: E402
import prove  # noqa: E402
import rehearse  # noqa: E402
import remove  # noqa: E402
import reproduce  # noqa: E402
import roles  # noqa: E402
import run  # noqa: E402
import sbom  # noqa: E402
import scale  # noqa: E402
import scan  # noqa: E402
import settings as settings_module  # noqa: E402
import status  # noqa: E402
import suite  # noqa: E402
import tools  # noqa: E402
import workflows  # noqa: E402
from say import Failed, Refused, error, line  # noqa: E402

# Its origin is in allowed_origins of environments/local.tfvars (a test says if not).
# Not 5173, which Vite wants: its next port is no allowed origin.
DEMO_PORT = 5199


def smoke(settings, known=None, repeat=None):
    known = known or deploy.read_outputs(settings)
    tools.require_cargo()
    command = suite.smoke_command(settings)
    if repeat:
        command += ["--repeat", str(repeat)]
    line(f"Smoke test of {known['httpUrl']}")
    # Its credentials are those of the environment: on AWS it publishes as a service does.
    if run.shown(command, cwd=settings_module.ROOT, env=cloud.environment(settings)):
        raise Failed("the smoke test failed; `make logs` says what the functions saw.")


def smoke_after_deploy(settings, outputs):
    """On AWS registration is closed: without an account there is nobody to sign in. Locally somebody is watching."""
    if settings.is_local and os.environ.get("SMOKE") != "1":
        return
    if not settings.is_local and not os.environ.get("HOLDFAST_SMOKE_EMAIL") and settings.variables.get("registration_enabled") != "true":
        line("No smoke test: HOLDFAST_SMOKE_EMAIL and HOLDFAST_SMOKE_PASSWORD do not name an account for it.")
        return
    smoke(settings, outputs)


def soak(settings):
    text = os.environ.get("N") or "50"
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise Refused(f"N={text}: a number from 1 to 10000 is needed.")
    smoke(settings, repeat=int(text))


def logs(settings):
    deploy.read_outputs(settings)
    tools.python_tools(settings)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "logs.py")
    python = str(settings.tools / "bin" / "python")
    arguments = [os.environ.get(name) or default for name, default in (("SERVICE", ""), ("SINCE", "10m"), ("FOLLOW", ""))]
    code = run.shown([python, "-B", script, str(settings.outputs_file), *arguments], env=cloud.environment(settings))
    if code:
        sys.exit(code)


def demo(settings):
    if not settings.is_local:
        raise Refused("make demo is for ENV=local: its page publishes for whoever opens it.")
    deploy.read_outputs(settings)
    tools.python_tools(settings)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "demo.py")
    try:
        code = run.shown([str(settings.tools / "bin" / "python"), "-B", script, str(settings.outputs_file), str(DEMO_PORT)],
                         env=cloud.environment(settings))
    except KeyboardInterrupt:
        # The way it is meant to end.
        run.interrupt_all()
        return
    if code:
        sys.exit(code)


def redrive(settings):
    text = os.environ.get("RATE") or "10"
    try:
        rate = float(text)
    except ValueError:
        rate = 0
    if not 0.1 <= rate <= 1000:
        raise Refused(f"RATE={text}: messages a second, from 0.1 to 1000, are needed.")
    deploy.read_outputs(settings)
    tools.python_tools(settings)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "redrive.py")
    code = run.shown([str(settings.tools / "bin" / "python"), "-B", script, str(settings.outputs_file), os.environ.get("QUEUE") or "", str(rate)],
                     env=cloud.environment(settings))
    if code:
        sys.exit(code)


def epochs(settings):
    deploy.read_outputs(settings)
    tools.python_tools(settings)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "epochs.py")
    table = [name for name in [os.environ.get("TABLE")] if name]
    code = run.shown([str(settings.tools / "bin" / "python"), "-B", script, str(settings.outputs_file), *table], env=cloud.environment(settings))
    if code:
        sys.exit(code)


TARGETS = {
    "deploy": lambda settings: deploy.deploy(settings, smoke_after_deploy), "plan": deploy.plan, "destroy": remove.destroy, "outputs": deploy.outputs,
    "rollback": lambda settings: deploy.rollback(settings, smoke_after_deploy, os.environ.get("TO")), "bootstrap": bootstrap.bootstrap,
    "rehearse": rehearse.rehearse, "redrive": redrive, "epochs": epochs, "reproduce": reproduce.reproduce, "arm64": arm64.arm64, "cost": cost.cost, "scale": scale.scale,
    "status": status.status, "logs": logs, "demo": demo, "smoke": smoke, "soak": soak, "prove": prove.prove, "bench": bench.bench, "check": suite.check, "test": suite.test,
    "tools": tools.python_tools, "scan": scan.scan, "permissions": roles.check, "build": build.only, "drift": deploy.drift, "sbom": sbom.write,
    # For pipelines.
    "affected": lambda _: workflows.main(), "workflows": lambda _: workflows.write(), "workflows-lint": workflows.lint,
    "target": lambda settings: print("\n".join(aws.target(settings, os.environ.get("ROLE") or "plan"))),
}


def main(arguments):
    target = arguments[0] if arguments else "help"
    if target == "verify-artifacts":
        build.verify_artifacts(Path(arguments[1]))
        return
    if target not in TARGETS:
        raise Refused(f"no target {target}; `make help` lists them.")
    environ = dict(os.environ)
    if target in ("logs", "affected"):
        # Here SERVICE is a function or a prefix of some, not a stack.
        environ.pop("SERVICE", None)
    TARGETS[target](settings_module.read(environ))


if __name__ == "__main__":
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, run.on_signal)
    try:
        main(sys.argv[1:])
    except Refused as refused:
        error(str(refused))
        sys.exit(2)
    except Failed as failed:
        error(str(failed))
        sys.exit(1)
    except BrokenPipeError:
        # Whoever was reading has gone; the interpreter's own last flush must not complain about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        run.interrupt_all()
        error("Interrupted: what this run had started is stopped; the same command goes on from here.")
        sys.exit(130)
