"""Where Terraform gets its provider from: on a machine that does not reach Terraform's registry, an unpacked tree in a usual place.

Terraform reads its implied mirrors automatically. A tree elsewhere (a plugin cache, /opt/*plugins*) is named to it in a separate configuration
file, unless the caller's configuration says where providers come from.

`infra/test.sh` and `infra/examples.sh` run this module directly. It prints the variables for a shell.

Terraform starts a provider for each run of a test, which costs a second each time. `serve` starts one process for all of them.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast_cli.core.settings import ROOT, Settings

# As `commands.Child`. This module imports nothing that is not in Python's own library, because scripts run it before the tools are installed.
Child = subprocess.Popen[Any]
PROVIDER = "registry.terraform.io/hashicorp/aws"
LOCK = ROOT / "infra" / "stacks" / "platform" / ".terraform.lock.hcl"
_REATTACH = re.compile(r"TF_REATTACH_PROVIDERS='(\{.*\})'")
WAYS = ("connect this machine to registry.terraform.io, or unpack the provider into ~/.terraform.d/plugins (`terraform providers mirror` on "
        "another machine makes such a folder)")


def version() -> str:
    """The version that every stack locks."""
    found = re.search(rf'provider "{re.escape(PROVIDER)}" \{{\s+version += "([^"]+)"', LOCK.read_text(encoding="utf-8"))
    return found.group(1) if found else ""


def _machine() -> str:
    """This machine, as provider trees name it."""
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{'darwin' if sys.platform == 'darwin' else 'linux'}_{arch}"


def holds(folder: Path) -> bool:
    """Whether a folder is the root of a tree with the locked version for this machine, unpacked or as the zip of its release."""
    place, name = folder / PROVIDER, version()
    return (place / name / _machine()).is_dir() or (place / f"terraform-provider-aws_{name}_{_machine()}.zip").is_file()


def implied() -> list[Path]:
    """The folders that Terraform reads automatically."""
    home = Path.home()
    data = os.environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    return [home / ".terraform.d" / "plugins", Path(data) / "terraform" / "plugins",
            *(Path(folder) / "terraform" / "plugins" for folder in ("/usr/local/share", "/usr/share"))]


def usual() -> list[Path]:
    """Where else a tree may lie: the caller's plugin cache, and folders for plugins below /opt."""
    cache = os.environ.get("TF_PLUGIN_CACHE_DIR")
    return [*([Path(cache)] if cache else []), Path.home() / ".terraform.d" / "plugin-cache", *sorted(Path("/opt").glob("*plugins*"))]


def found() -> Path | None:
    """The first tree that has what is needed."""
    return next((folder for folder in (*implied(), *usual()) if holds(folder)), None)


def _configuration() -> str:
    """The caller's own configuration of Terraform."""
    try:
        return Path(os.environ.get("TF_CLI_CONFIG_FILE") or Path.home() / ".terraformrc").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def chosen_by_caller() -> bool:
    """Whether the caller's configuration says where providers come from."""
    return re.search(r"^\s*\"?provider_installation\b", _configuration(), re.M) is not None


def mirror() -> Path | None:
    """The tree that has to be named to Terraform: it would not find it, and nothing says that it should look elsewhere."""
    if chosen_by_caller() or any(holds(folder) for folder in implied()):
        return None
    return next((folder for folder in usual() if holds(folder)), None)


def configuration_file(tools: Path) -> Path | None:
    """A separate configuration: the caller's with a mirror, or an empty one instead of a missing file that the caller names.
    Terraform would warn about the missing file in each run. None if the caller's configuration is sufficient."""
    tree, named = mirror(), os.environ.get("TF_CLI_CONFIG_FILE")
    if tree is None and (not named or Path(named).exists()):
        return None
    kept = _configuration()
    # A cache that is also the mirror would be linked to itself; in JSON, what the caller has cannot be continued.
    kept = "" if kept.lstrip().startswith("{") else re.sub(r"(?m)^\s*plugin_cache_dir\b.*\n?", "", kept)
    block = (f'provider_installation {{\n  filesystem_mirror {{\n    path    = "{tree}"\n    include = ["{PROVIDER}"]\n  }}\n'
             f'  direct {{\n    exclude = ["{PROVIDER}"]\n  }}\n}}\n')
    wanted = "\n".join(filter(None, ["# Written by scripts/holdfast.", kept.strip(), block if tree else ""])) + "\n"
    file = tools / "terraform.rc"
    tools.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text(encoding="utf-8") != wanted:
        new = file.with_suffix(f".{os.getpid()}")
        new.write_text(wanted, encoding="utf-8")
        new.replace(file)
    return file


def plugin_cache(tools: Path) -> str:
    """One copy of the provider for all stacks; a cache that the caller has is kept, unless it is what is copied from."""
    own = os.environ.get("TF_PLUGIN_CACHE_DIR")
    folder = Path(own) if own and mirror() is None else tools / "terraform-plugins"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def variables_in(tools: Path) -> dict[str, str]:
    """The variables that Terraform needs; what has to be written for them is written into `tools`."""
    file = configuration_file(tools)
    return {"TF_PLUGIN_CACHE_DIR": plugin_cache(tools), **({"TF_CLI_CONFIG_FILE": str(file)} if file else {})}


def variables(settings: Settings) -> dict[str, str]:
    """What every run of Terraform gets."""
    return variables_in(settings.tools)


def installed(folder: Path) -> Path | None:
    """The provider that `terraform init` has put into a folder, after it has compared it with the lock file."""
    place = folder / ".terraform" / "providers" / PROVIDER
    return next(iter(sorted(place.glob("*/*/terraform-provider-aws*"))), None)


def serve(folder: Path, log: Path, start: Callable[..., Child], patience_seconds: float = 60) -> tuple[Child, str] | None:
    """Starts the provider of a folder for any number of Terraform processes. Returns it with the value of TF_REATTACH_PROVIDERS.

    It serves tests only, because their mocks never configure it. The caller ends it. None where it does not start: Terraform then starts its own.
    """
    binary = installed(folder)
    if binary is None:
        return None
    with open(log, "w", encoding="utf-8") as out:
        child = start([str(binary.resolve()), "-debug"], stdout=out, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + patience_seconds
    while child.poll() is None and time.monotonic() < deadline:
        if (said := _REATTACH.search(log.read_text(encoding="utf-8", errors="replace"))):
            return child, said.group(1)
        time.sleep(0.05)
    child.kill()
    child.wait()
    return None


def _start_for_a_shell(command: list[str], **options: Any) -> Child:
    """Starts a process in the group of the shell, so that it gets the shell's signals, too."""
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)


def _served_for_a_shell(folder: Path, log: Path) -> dict[str, str]:
    """The same for a shell, which ends the process `HOLDFAST_PROVIDER_PID`."""
    found = serve(folder, log, _start_for_a_shell)
    return {"HOLDFAST_PROVIDER_PID": str(found[0].pid), "TF_REATTACH_PROVIDERS": found[1]} if found else {}


if __name__ == "__main__":
    wanted = _served_for_a_shell(Path(sys.argv[2]), Path(sys.argv[3])) if sys.argv[1] == "--serve" else variables_in(Path(sys.argv[1]))
    for name, value in wanted.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
