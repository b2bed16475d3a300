"""The files of an environment (infra/environments): its values, where its state is, which account it lives in."""

from __future__ import annotations

from pathlib import Path

from holdfast_cli.core import tfvars
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.core.tfvars import Values


def _read(file: Path, what: str) -> Values:
    """The values of an input file of the environment, or one line that names it."""
    name = file.relative_to(ROOT)
    try:
        return tfvars.parse(file.read_text(encoding="utf-8"))
    except OSError:
        raise Refused(f"{name} is missing: it holds {what}.") from None
    except ValueError as trouble:
        raise Refused(f"{name}: {trouble}.") from None


def values(settings: Settings) -> Values:
    return {**_read(settings.tfvars_file, f"the values of ENV={settings.env}"), **tfvars.parse(settings.written)}


def backend(settings: Settings) -> Values:
    return _read(settings.backend_file, f"where the state of ENV={settings.env} is")


def fill_in(settings: Settings) -> Values:
    """Checks the files of an AWS environment and fills in what the settings take from them."""
    given, state = values(settings), backend(settings)
    settings.region = settings.variables.get("region") or tfvars.string(given.get("region")) or settings.region
    settings.artifacts_bucket = settings.variables.get("artifacts_bucket") or tfvars.string(given.get("artifacts_bucket")) or ""
    settings.state_bucket = tfvars.string(state.get("bucket")) or ""
    settings.cache = settings.cache or tfvars.string(given.get("cache_provider")) or "dynamodb"
    if settings.delete_only is None:
        settings.delete_only = given.get("redis_delete_only") is True
    return given


def prefix(settings: Settings, given: Values) -> str:
    """What all names start with."""
    return tfvars.string(given.get("name_prefix")) or f"holdfast-{settings.env}"


def require_own_scope(settings: Settings, given: Values) -> None:
    """Refuses an environment whose names also match the permissions of another environment of the same account.

    Roles are limited by the names `<prefix>-*`. With the prefixes `shop` and `shop-eu`, the role of `shop` could change what belongs to `shop-eu`.
    """
    own, mine = prefix(settings, given), set(accounts(settings, given))
    for file in sorted(settings.tfvars_file.parent.glob("*.tfvars")):
        if file == settings.tfvars_file or file.stem == "local":
            continue
        try:
            others = tfvars.parse(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # Of that environment, its own commands tell.
            continue
        theirs = set(tfvars.strings(others.get("allowed_account_ids")))
        if mine and theirs and not mine & theirs:
            continue
        other = tfvars.string(others.get("name_prefix")) or f"holdfast-{file.stem}"
        if f"{own}-".startswith(f"{other}-") or f"{other}-".startswith(f"{own}-"):
            shorter = min(own, other, key=len)
            raise Refused(f"ENV={settings.env} has the name prefix {own}, and {file.name} has {other}: permissions on {shorter}-* reach both. "
                          "Give one of them another name_prefix, or another account in allowed_account_ids.")


def alarms_reach_nobody(settings: Settings, given: Values) -> bool:
    """Whether the environment names no topic that receives its alarms."""
    return not (settings.variables.get("alarm_topic_arns") or tfvars.strings(given.get("alarm_topic_arns")))


def accounts(settings: Settings, given: Values) -> list[str]:
    """The accounts that an environment may live in; none: in any."""
    chosen = settings.variables.get("allowed_account_ids")
    return chosen.split(",") if chosen else tfvars.strings(given.get("allowed_account_ids"))


def require_account(settings: Settings, given: Values, account: str) -> None:
    """Refuses to create or change an environment without a named account, because any credentials would be accepted."""
    if not settings.on_local_cloud and not accounts(settings, given):
        raise Refused(f"ENV={settings.env} names no account: if it is that of these credentials, write allowed_account_ids = [\"{account}\"] "
                      f"into {settings.tfvars_file.relative_to(ROOT)}.")


def target(settings: Settings, role: str) -> list[str]:
    """Region and role of a pipeline, as lines for $GITHUB_OUTPUT: all of it is in the environment's file."""
    given = fill_in(settings)
    allowed = tfvars.strings(given.get("allowed_account_ids"))
    if len(allowed) != 1:
        raise Refused(f"{settings.tfvars_file.relative_to(ROOT)} must name one account in allowed_account_ids: pipelines deploy to it.")
    if role not in ("plan", "deploy"):
        raise Refused(f"ROLE={role}: there is plan and deploy.")
    return [f"region={settings.region}", f"role=arn:aws:iam::{allowed[0]}:role/{prefix(settings, given)}-{role}"]
