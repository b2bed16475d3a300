"""The verbs on users, sessions, devices, attempts and second factors: commands of the function `sessions-admin` (docs/admin.md)."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any, cast

from holdfast_cli.core.console import Slow, answer, line, printable, table, wants_json
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.operate import deployment, json_input, prompts
from holdfast_cli.operate.deployment import Deployment

Answer = dict[str, Any]


def whom(user: str) -> dict[str, str]:
    """A user as a command names one: by e-mail address, else by id."""
    return {"email": user} if "@" in user else {"userId": user}


@dataclass(frozen=True)
class Operator:
    """Who gives commands to which deployment."""

    place: Deployment
    actor: str

    def command(self, action: str, **fields: Any) -> Answer:
        """Gives a command and returns the answer. A refusal keeps the code that Holdfast gave."""
        said = fields.get("email") or fields.get("userId") or ""
        with Slow(f"{action} {printable(said)}".rstrip()):
            found = deployment.ask(self.place, "sessions-admin", {"action": action, "actor": self.actor, **fields})
        if found.get("ok") is True:
            return found
        raise trouble(self.place.settings.env, action, said, found.get("error") or {})


def trouble(env: str, action: str, said: str, error: Answer) -> Refused | Failed:
    """What an answer with an error means: the operator has to change something, or Holdfast cannot serve the command now."""
    code, status, title = str(error.get("code", "INTERNAL")), int(error.get("status", 500)), str(error.get("title", ""))
    detail = str(error.get("detail") or title or "there is no detail.")
    more = {"status": status, "title": title}
    about = f" of {printable(said)}" if said else ""
    if code == "NOT_FOUND" and action not in ("end", "remove-device"):
        return Refused(f"ENV={env} has no user {printable(said)}: check the spelling, or use the user id.", code, **more)
    if status < 500:
        return Refused(f"{action}{about}: {detail} ({code})", code, **more)
    return Failed(f"{action}{about}: {detail} ({code}) Try again in a moment.", code, **more)


def operator(settings: Settings, actor: str = "", changes: bool = False) -> Operator:
    place = deployment.find(settings, changes)
    return Operator(place, actor or place.caller)


def show_user(user: Answer) -> None:
    line(f"user      {user['userId']}")
    line(f"e-mail    {printable(str(user.get('email') or 'none'))}")
    line(f"status    {user['status']}, second factor {'on' if user['mfaEnabled'] else 'off'}")


def show_sessions(sessions: list[Answer]) -> None:
    if not sessions:
        line("No live sessions.")
        return
    table(("SESSION", "DEVICE", "IP", "LAST USED", "EXPIRES", "TRUSTED"), [
        (one["sessionId"], one["device"]["name"] or "-", one["device"]["ip"] or "-", one["lastUsedAt"], one["expiresAt"],
         "yes" if one["trusted"] else "no")
        for one in sessions])


def show_devices(devices: list[Answer]) -> None:
    if not devices:
        line("No trusted devices.")
        return
    table(("DEVICE", "NAME", "CREATED", "LAST USED", "EXPIRES"), [
        (one["deviceId"], one["name"] or "-", one["createdAt"], one["lastUsedAt"], one["expiresAt"]) for one in devices])


def show_attempts(found: list[Answer]) -> None:
    table(("BUDGET", "USED", "LIMIT", "WINDOW ENDS", "FAILURES IN A ROW", "WAIT UNTIL", "KNOWN UNTIL"), [
        (one["scope"], str(one["count"]), str(one["limit"]), one["windowEndsAt"] or "-", str(one["failuresInARow"]), one["waitUntil"] or "-",
         one["knownUntil"] or "-") for one in found])


def ended(found: Answer, what: str) -> None:
    """Prints what a change did to sessions, and how soon they are refused."""
    count = found["revoked"]
    when = "at once" if found["effective"] == "immediate" else f"within {found.get('withinSeconds', '?')} s: the cache did not confirm"
    line(f"{what} {count} session{'' if count == 1 else 's'} ended{f', refused {when}' if count else ''}.".lstrip())


def removed(by: Operator, user: str, device: str) -> None:
    """Stops trusting one device of a user."""
    found = by.command("remove-device", **whom(user), deviceId=device)
    if wants_json():
        answer(found)
    else:
        line("The device is not trusted any more.")


def show(by: Operator, user: str, *parts: str) -> None:
    """Account, live sessions and trusted devices; as text the `parts` of it."""
    found = by.command("list", **whom(user))
    if wants_json():
        answer(found)
        return
    if "user" in parts:
        show_user(found["user"])
    if "sessions" in parts:
        show_sessions(found["sessions"])
    if "devices" in parts:
        show_devices(found["devices"])


def claims_of(text: str) -> Answer:
    """Claims as an operator gives them: a JSON object, or `-` for standard input."""
    given = sys.stdin.read() if text == "-" else text
    try:
        found = json_input.loads(given)
    except ValueError as trouble:
        raise Refused(f"--set cannot be read ({trouble}). Give a JSON object, such as --set '{{\"role\":\"editor\"}}'.") from None
    if not isinstance(found, dict):
        raise Refused("--set must be a JSON object, such as --set '{\"role\":\"editor\"}'.")
    return cast(Answer, found)


def show_claims(claims: Answer) -> None:
    line(printable(json.dumps(claims, ensure_ascii=False, separators=(",", ":"))))


def claims(by: Operator, user: str) -> None:
    """Shows the claims of a user."""
    found = by.command("list", **whom(user))
    if wants_json():
        answer({"ok": True, "userId": found["user"]["userId"], "claims": found["user"]["claims"]})
    else:
        show_claims(found["user"]["claims"])


def set_claims(by: Operator, user: str, wanted: Answer) -> None:
    """Replaces the claims of a user."""
    found = by.command("set-claims", **whom(user), claims=wanted)
    if wants_json():
        answer(found)
        return
    when = "at once" if found["effective"] == "immediate" else f"within {found.get('withinSeconds', '?')} s: the cache did not confirm"
    line(f"Claims set, seen by every validation {when}.")
    show_claims(found["claims"])


def create(by: Operator, email: str, password: str) -> None:
    found = by.command("create", email=email, password=password)
    if wants_json():
        answer(found)
    else:
        show_user(found["user"])


def change(by: Operator, action: str, user: str, done: str, **fields: str) -> None:
    """A command that ends sessions: `done` says what else it did."""
    found = by.command(action, **whom(user), **fields)
    if wants_json():
        answer(found)
    else:
        ended(found, done)


def change_asked(by: Operator, action: str, user: str, question: str, done: str, yes: bool) -> None:
    """The same, after asking, with the account and its numbers above the question."""
    if not yes and prompts.is_terminal():
        found = by.command("list", **whom(user))
        show_user(found["user"])
        line(f"has       {len(found['sessions'])} live sessions, {len(found['devices'])} trusted devices")
    prompts.confirm(f"ENV={by.place.settings.env}: {question}", yes)
    change(by, action, user, done)


def attempts(by: Operator, action: str, email: str, ip: str) -> None:
    found = by.command(action, email=email, ip=ip)
    if wants_json():
        answer(found)
    else:
        show_attempts(found["attempts"])
