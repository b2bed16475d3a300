"""`python3 scripts/operate <target>`: what the Makefile calls. Settings come from the environment."""

import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import deploy  # noqa: E402
import run  # noqa: E402
import settings as settings_module  # noqa: E402
import suite  # noqa: E402
import tools  # noqa: E402
from say import Failed, Refused, error, line  # noqa: E402

LATER = {
    "rollback": "the infrastructure work", "bootstrap": "the infrastructure work", "cost": "the infrastructure work",
    "redrive": "the push work", "prove": "the sessions work", "bench": "the sessions work",
}


def smoke(settings, repeat=None):
    known = deploy.read_outputs(settings)
    tools.require_cargo()
    command = suite.smoke_command(settings)
    if repeat:
        command += ["--repeat", str(repeat)]
    line(f"Smoke test of {known['httpUrl']}")
    if run.shown(command, cwd=settings_module.ROOT, env=suite.test_environment(settings)):
        raise Failed("the smoke test failed; `make logs` says what the functions saw.")


def soak(settings):
    text = os.environ.get("N") or "50"
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise Refused(f"N={text}: a number from 1 to 10000 is needed.")
    smoke(settings, int(text))


def logs(settings):
    known = deploy.read_outputs(settings)
    tools.python_tools(settings)
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "logs.py")
    python = str(settings.tools / "bin" / "python")
    arguments = [os.environ.get(name) or default for name, default in (("SERVICE", ""), ("SINCE", "10m"), ("FOLLOW", ""))]
    code = subprocess.call([python, script, str(settings.outputs_file), *arguments])
    if code:
        sys.exit(code)
    return known


TARGETS = {
    "deploy": deploy.deploy, "plan": deploy.plan, "destroy": deploy.destroy, "outputs": deploy.outputs,
    "status": deploy.status, "logs": logs, "smoke": smoke, "soak": soak, "check": suite.check, "test": suite.test,
    "tools": lambda settings: tools.python_tools(settings),
}


def main(arguments):
    target = arguments[0] if arguments else "help"
    if target in LATER:
        raise Refused(f"make {target} is not in this release: it comes with {LATER[target]}.")
    if target not in TARGETS:
        raise Refused(f"no target {target}; `make help` lists them.")
    environ = dict(os.environ)
    if target == "logs":
        # Here SERVICE is a function or a prefix of some, not a stack.
        environ.pop("SERVICE", None)
    TARGETS[target](settings_module.read(environ))


def _interrupt(_signal, _frame):
    # Children first: whoever waits for them gets on, and nothing they need is stopped under them.
    run.signal_all()
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        main(sys.argv[1:])
    except Refused as refused:
        error(str(refused))
        sys.exit(2)
    except Failed as failed:
        error(str(failed))
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, signal.SIG_IGN)
        run.interrupt_all()
        error("Interrupted: what this run had started is stopped; the same command goes on from here.")
        sys.exit(130)
