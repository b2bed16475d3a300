"""`holdfast scan`: checkov over all Terraform, and the register of its exceptions (`--write` writes it)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from holdfast_cli.core import commands, environment, tools
from holdfast_cli.core.console import Step, line
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT, Settings

INFRA = ROOT / "infra"
REGISTER = ROOT / "docs" / "security" / "checkov-skips.md"

# Check, resource, file below the folder, reason.
Skips = set[tuple[str, str, str, str]]

_BLOCK = re.compile(r'^(resource|data|module|provider|variable) "([^"]+)"(?: "([^"]+)")? \{')
_SKIP = re.compile(r"checkov:skip=([A-Z0-9_]+)(?::(.*))?$")
_ROW = re.compile(r"^\| (CKV\w+) \| .* \| `([^`]+)` in ([^ |]+) \| (.+) \|$")

_HEAD = """# Exceptions of the scanner

checkov reports no finding in `infra/` except for these exceptions. The reason of each is beside the
resource (`#checkov:skip=<check>:<reason>`). `make scan WRITE=1` writes this page. `make scan`, and with it `make test`, fails on a
finding, on an exception without a reason, and on one that is missing in this table.

| check | rule | resource | reason |
|---|---|---|---|
"""


def skips(folder: Path = INFRA) -> Skips:
    """Every exception in the Terraform, as (check, resource, file below the folder, reason); refused without a reason."""
    found: Skips = set()
    for file in sorted(folder.rglob("*.tf")):
        name = str(file.relative_to(folder))
        owner: str | None = None
        for text in file.read_text(encoding="utf-8").splitlines():
            if (block := _BLOCK.match(text)):
                owner = ".".join(part for part in block.groups() if part and part != "resource")
            elif text == "}":
                owner = None
            if (skip := _SKIP.search(text)):
                reason = (skip.group(2) or "").strip()
                if not reason or owner is None:
                    raise Failed(f"infra/{name}: the exception from {skip.group(1)} needs a reason, inside the resource it is for.")
                found.add((skip.group(1), owner, name, reason))
    return found


def registered(text: str) -> Skips:
    """The same, as the register has it."""
    return {(row[1], row[2], row[3], row[4]) for row in map(_ROW.match, text.splitlines()) if row}


def render(found: Skips, names: dict[str, str]) -> str:
    """The register; `names` says what each check asks for."""
    rows = [f"| {check} | {names.get(check, '–')} | `{owner}` in {file} | {reason} |" for check, owner, file, reason in sorted(found)]
    return _HEAD + "\n".join(rows) + "\n"


def compare(found: Skips, text: str) -> None:
    """Raises where the register and the Terraform differ."""
    known = registered(text)
    for what, rows in (("is not in", found - known), ("is no longer there, but in", known - found)):
        for check, owner, file, _ in sorted(rows):
            raise Failed(f"infra/{file}: the exception of {owner} from {check} {what} {REGISTER.relative_to(ROOT)}: run make scan WRITE=1.")


def checkov(settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer of checkov about infra/, in JSON. It uses no network and gets no credentials."""
    command = [str(tools.scanner(settings)), "--directory", str(INFRA), "--framework", "terraform", "--compact", "--skip-download", "-o", "json"]
    process = commands.start(command, cwd=INFRA, env={**environment.clean(), "HOME": str(settings.tools)}, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    output, trouble = process.communicate()
    commands.finish(process)
    try:
        answer = json.loads(output)
        return answer["results"], answer["summary"]
    except (ValueError, KeyError, TypeError):
        said = [text for text in (trouble or output).splitlines() if text.strip()]
        raise Failed(f"checkov did not finish: {said[-1] if said else 'no message'}") from None


def judge(results: dict[str, Any], summary: dict[str, Any], resources_at_least: int = 1) -> None:
    """Raises with every finding, and if checkov checked no resource or could not read a file."""
    for finding in results["failed_checks"]:
        first = finding["file_line_range"][0]
        line(f"infra{finding['file_path']}:{first}: {finding['check_id']} {finding['check_name']} ({finding['resource']})")
    if summary["failed"]:
        raise Failed(f"checkov: {summary['failed']} failed, {summary['passed']} passed.")
    if summary["parsing_errors"]:
        raise Failed(f"checkov could not read {', '.join(results['parsing_errors'])}.")
    if summary["resource_count"] < resources_at_least:
        raise Failed("checkov found no resource to check.")


def scan(settings: Settings, write: bool = False) -> None:
    found = skips()
    with Step("checkov") as step:
        results, summary = checkov(settings)
        step.note = f"{summary['resource_count']} resources"
    judge(results, summary, 200)
    if write:
        names = {check["check_id"]: check["check_name"] for check in results["skipped_checks"]}
        REGISTER.write_text(render(found, names), encoding="utf-8")
        line(f"wrote {REGISTER.relative_to(ROOT)}")
    try:
        compare(found, REGISTER.read_text(encoding="utf-8"))
    except OSError:
        raise Refused(f"{REGISTER.relative_to(ROOT)} is missing: run make scan WRITE=1.") from None
    line(f"checkov: {summary['passed']} passed, 0 failed, {summary['skipped']} skipped by {len(found)} registered exceptions.")
