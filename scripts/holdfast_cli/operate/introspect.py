"""`holdfast introspect`: asks, as a service does, whether an access token opens a session now (POST /v1/sessions/introspect, signed by IAM)."""

from __future__ import annotations

from typing import Any

from holdfast_cli.core.console import Slow, answer, printable, report, wants_json
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import Settings
from holdfast_cli.operate import deployment, prompts, routes

# What is shown of a session, in this order: its field, and the words for it.
SHOWN = (("sessionId", "session"), ("userId", "user"), ("email", "e-mail"), ("createdAt", "since"), ("authenticatedAt", "signed in"),
         ("lastUsedAt", "last used"), ("expiresAt", "ends unused"), ("absoluteExpiresAt", "ends at last"))


def told(found: dict[str, Any]) -> list[str]:
    """The lines of a live session."""
    session = found["session"]
    lines = [f"{words:<13}{printable(str(session[field]))}" for field, words in SHOWN if session.get(field)]
    said = [words for field, words in (("mfaVerified", "second factor"), ("trusted", "trusted device")) if session.get(field)]
    lines += [f"{'with':<13}{', '.join(said)}"] if said else []
    return [*lines, *(f"{'claim':<13}{printable(name)} = {printable(str(value))}" for name, value in sorted(found["claims"].items()))]


def introspect(settings: Settings) -> None:
    """Prints the session, or fails where there is none."""
    place = deployment.find(settings)
    token = prompts.access_token()
    with Slow("asking"):
        came = routes.as_service(settings, f"{place.http_url}/v1/sessions/introspect", {"token": token})
    if came.status != 200:
        hint = "The credentials need execute-api:Invoke on POST /v1/sessions/introspect." if came.status == 403 else ""
        raise came.trouble("Not known whether the session lives", hint)
    if wants_json():
        answer(came.body)
    if came.body.get("active") is not True:
        raise Failed("No live session: the token is unknown, expired, or of a session that has ended.", "INACTIVE")
    for text in told(came.body):
        report(text)
