"""`make permissions`: every role of the local deployment may do what docs/security/permissions.md says, and nothing else; WRITE=1
writes that, and the diagram of the system in docs/system.md."""

import os
from pathlib import Path

import cloud
import deploy
import run
import tools
from say import Failed, Refused, line
from settings import ROOT, STACKS

PERMISSIONS, DIAGRAM = ROOT / "docs" / "security" / "permissions.md", ROOT / "docs" / "system.md"


def check(settings, write=None):
    """Compares the documents with what is deployed, and tries every row with the credentials of every role."""
    if not settings.is_local:
        raise Refused("permissions is for ENV=local: it tries with every role what that must not do.")
    outputs, write = deploy.read_outputs(settings), os.environ.get("WRITE") == "1" if write is None else write
    if not cloud.running(settings, cloud.EMULATOR):
        raise Refused("the local cloud is not running: run `make deploy` first.")
    if write and outputs["cacheProvider"] != "redis":
        raise Refused("what is written is that of CACHE=redis: it has every function.")
    tools.python_tools(settings)
    command = [str(settings.tools / "bin" / "python"), "-B", str(Path(__file__).with_name("denied.py")), str(settings.outputs_file),
               *(str(settings.work / "state" / f"{stack}.tfstate") for stack in STACKS)]
    if outputs["cacheProvider"] == "redis":
        command += ["--permissions", str(PERMISSIONS), "--diagram", str(DIAGRAM), "--catalogue", str(ROOT / "services" / "functions.json")]
    else:
        line("Without CACHE=redis some functions are missing: the documents are not compared.")
    if run.shown([*command, *(["--write"] if write else [])], env=cloud.clean_environment()):
        raise Failed("the roles or their documents are not as they should be.")
