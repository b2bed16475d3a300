"""What Terraform says when it fails, in as few words as tell the operator what to do."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.local import providers

# What a run prints about a lock that somebody else holds.
_LOCK = re.compile(r"Error acquiring the state lock.*?Lock Info:\s+ID:\s+(\S+).*?Who:\s+([^\n]+?)\s*\n.*?Created:\s+([^\n]+?)\s*\n", re.S)
_EXPIRED = re.compile(r"ExpiredToken|token (?:included in the request )?(?:is|has) expired|RequestExpired", re.I)
_NOBODY = re.compile(r"No valid credential sources found")
_ACCOUNT = re.compile(r"AWS account ID not allowed: (\d{12})")
_REGION = re.compile(r"[Ii]nvalid AWS Region: ([\w-]+)")
_BOUNDARY = re.compile(r"reading IAM Policy \(arn:[\w-]+:iam::\d*:policy/([\w-]+-boundary)\)")
_PROVIDER = re.compile(r"Failed to (?:query available provider packages|install provider)|could not connect to registry")


def known(what: str, stack: str, text: str, terraform: str = "terraform") -> Refused | None:
    """An error that the operator can correct, as `Refused`, else None. `terraform` is the command that the message names."""
    text = "\n".join(part.removeprefix("│").strip() for part in text.splitlines()) + "\n"
    lock = _LOCK.search(text)
    if lock:
        return Refused(f"the state of stack {stack} is locked by {lock.group(2)} since {lock.group(3)}: wait until that run has ended. "
                       f"If it crashed, this removes its lock: {terraform} force-unlock {lock.group(1)}")
    if _EXPIRED.search(text):
        return Refused("the AWS credentials have expired: sign in again.")
    if _NOBODY.search(text):
        return Refused("no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    account = _ACCOUNT.search(text)
    if account:
        return Refused(f"these credentials are of account {account.group(1)}, which allowed_account_ids does not name.")
    region = _REGION.search(text)
    if region:
        return Refused(f"region {region.group(1)} does not exist.")
    boundary = _BOUNDARY.search(text)
    if boundary:
        return Refused(f"these credentials see no permissions boundary {boundary.group(1)}: run `make bootstrap` for this environment once more, "
                       "as an administrator (docs/upgrading.md).")
    if what == "init" and _PROVIDER.search(text):
        return Refused(f"terraform init cannot get the AWS provider {providers.version()}: {providers.WAYS}.")
    return None


def explain(what: str, stack: str, text: str, log: Path | str, terraform: str = "terraform") -> Refused | Failed:
    """The error of a Terraform command that printed `text`."""
    found = known(what, stack, text, terraform)
    if found:
        return found
    # As far as what a validation says: it stands below the line of the value.
    errors: list[str] = re.findall(r"^(?:│ )?Error: .*(?:\n(?!╵)(?:│ )?.*){0,7}", text, re.M)
    excerpt = [part for error in errors[:3] for part in _trim(error)] or text.strip().splitlines()[-3:]
    return Failed("\n".join([f"terraform {what} of stack {stack} failed:", *excerpt, f"  all of it: {log}"]))


def _trim(error: str) -> list[str]:
    lines = [part.removeprefix("│").rstrip() for part in error.splitlines()]
    return [f"  {part.strip()}" for part in lines if part.strip(" ╷╵")]
