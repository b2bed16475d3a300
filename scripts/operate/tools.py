"""The pinned tools, installed into `.tools/` by whoever needs them first."""

import fcntl
import os
import re
import shutil
import subprocess
import sys

import run
from say import Failed, Refused, Step, line
from settings import ROOT

PINNED = ROOT / "scripts" / "tools.txt"
SCANNER = ROOT / "scripts" / "checkov.txt"
TERRAFORM_AT_LEAST = (1, 10)
PYTHON_AT_LEAST = (3, 10)


def require(command, how):
    found = shutil.which(command)
    if not found:
        raise Refused(f"{command} is missing: {how}")
    return found


def require_terraform():
    require("terraform", "install Terraform 1.10 or newer (https://developer.hashicorp.com/terraform/install).")
    text = subprocess.run(["terraform", "version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"Terraform v(\d+)\.(\d+)", text)
    if not match or tuple(map(int, match.groups())) < TERRAFORM_AT_LEAST:
        raise Refused("terraform is too old: 1.10 or newer is needed (S3 state locking).")


def require_cargo():
    require("cargo", "install Rust 1.95 with rustup (https://rustup.rs).")


def python_tools(settings):
    """ministack, cargo-lambda and what they need, in a virtual environment of their own."""
    _environment(settings, settings.tools, PINNED, "ministack")


def scanner(settings):
    """checkov, in an environment beside: what it needs does not agree with the others. The path of its command."""
    folder = settings.tools / "checkov"
    _environment(settings, folder, SCANNER, "checkov")
    return folder / "bin" / "checkov"


def _environment(settings, folder, pinned, command):
    """A virtual environment with exactly what `pinned` names, made anew when that changes; `command` is in it."""
    wanted = pinned.read_text(encoding="utf-8")
    if _installed(folder, wanted, command):
        return
    if sys.version_info < PYTHON_AT_LEAST:
        raise Refused(f"python3 is {'.'.join(map(str, sys.version_info[:2]))}: 3.10 or newer is needed (the local cloud asks for it).")
    with Step(f"installing pinned tools into {_short(folder)}/"):
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w", encoding="utf-8") as lock:
            # Two runs at once on a fresh clone: the second finds them installed.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _installed(folder, wanted, command):
                _install(folder, pinned, wanted)


def _installed(folder, wanted, command):
    try:
        return (folder / "installed.txt").read_text(encoding="utf-8") == wanted and (folder / "bin" / command).exists()
    except OSError:
        return False


def _install(folder, pinned, wanted):
    for name in ("installed.txt", "bin", "lib", "lib64", "include", "pyvenv.cfg"):
        old = folder / name
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
    log = folder / "install.log"
    log.write_text("", encoding="utf-8")
    if run.logged([sys.executable, "-m", "venv", folder], log):
        raise Refused(f"python3 cannot make a virtual environment: install the package python3-venv ({_last(log)})")
    if run.logged([folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
                   "-r", pinned], log):
        raise Failed(f"pip could not install the tools: {_last(log)} ({log})")
    (folder / "installed.txt").write_text(wanted, encoding="utf-8")


def _last(log):
    lines = [text for text in log.read_text(encoding="utf-8", errors="replace").splitlines() if text.strip()]
    return next((text for text in reversed(lines) if text.startswith("ERROR")), lines[-1] if lines else "no message").strip()


def _short(path):
    return path.relative_to(ROOT) if ROOT in path.parents else path


def redis_server(settings):
    """The path of a redis-server, installed by the system's package manager if that is possible; None if not."""
    found = shutil.which("redis-server")
    if found:
        return found
    if shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        if not sudo or shutil.which("sudo"):
            with Step("installing redis-server"):
                log = settings.work / "logs" / "redis-install.log"
                log.parent.mkdir(parents=True, exist_ok=True)
                quiet = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
                for command in ([*quiet, "update"], [*quiet, "install", "-y", "redis-server"]):
                    run.logged(command, log)
                if shutil.which("systemctl"):
                    # The package has just started a server of its own, on the port that ours is to have.
                    run.logged([*sudo, "systemctl", "disable", "--now", "redis-server"], log)
    found = shutil.which("redis-server")
    if not found:
        line("  redis-server cannot be had here (install your system's package redis): there is no cache, as with CACHE=dynamodb.")
    return found


def node_package(settings, name):
    """The folder of an npm package, at the version that tools.txt names in a comment: pip cannot install it."""
    version = re.search(rf"^# npm {re.escape(name)}@(\S+)$", PINNED.read_text(encoding="utf-8"), re.M).group(1)
    folder = settings.tools / "npm" / f"{name}-{version}"
    if not (folder / "node_modules" / name).exists():
        require("npm", f"install Node.js 18 or newer with npm (it installs {name}).")
        with Step(f"installing {name} {version} into {_short(folder)}/"):
            log = settings.tools / "install.log"
            if run.logged(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, f"{name}@{version}"], log):
                raise Failed(f"npm could not install {name}: {_last(log)} ({log})")
    return folder / "node_modules" / name


def cargo_tool(settings, name):
    """The binary of a crate, built at the version that tools.txt names in a comment."""
    version = re.search(rf"^# cargo {re.escape(name)}@(\S+)$", PINNED.read_text(encoding="utf-8"), re.M).group(1)
    folder = settings.tools / "cargo" / f"{name}-{version}"
    binary = folder / "bin" / name
    if not binary.exists():
        require_cargo()
        with Step(f"building {name} {version} into {_short(folder)}/"):
            log = settings.tools / "install.log"
            folder.mkdir(parents=True, exist_ok=True)
            if run.logged(["cargo", "install", "--locked", "--root", folder, "--version", version, name], log, cwd=folder):
                raise Failed(f"cargo could not build {name}: {_last(log)} ({log})")
    return binary


def path_with_tools(settings, environ=os.environ):
    return f"{settings.tools / 'bin'}{os.pathsep}{environ.get('PATH', '')}"
