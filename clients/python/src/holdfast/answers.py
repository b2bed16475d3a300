"""What Holdfast answers, with types. Texts that are secret or personal are in no `repr`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple


class Identity(NamedTuple):
    """The user's identity at another provider. It belongs to one account and never changes."""

    provider: str
    subject: str


@dataclass(frozen=True)
class Session:
    """A live session. `raw` is the session as Holdfast sent it, with fields that this kit does not know."""

    session_id: str
    user_id: str
    claims: Mapping[str, Any] = field(repr=False)
    email: str = field(repr=False)
    identity: Identity | None = field(repr=False)
    mfa_verified: bool
    trusted: bool
    authenticated_at: datetime
    expires_at: datetime
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Tokens:
    """The tokens of a new session, for the user's own client."""

    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime


@dataclass(frozen=True)
class NewSession:
    """The answer to `create_session`.

    `tokens` is absent with `transport="cookie"` and with `session_id`. `set_cookies` are the values of the `Set-Cookie` headers to send to the
    browser. `raw` is the body as Holdfast sent it.
    """

    session: Session
    tokens: Tokens | None
    set_cookies: tuple[str, ...] = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Published:
    """The answer to `publish`. `channel` and `offset` are present for one target, `recipients` for users.

    `duplicate` means that a call with this idempotency key was accepted before. It may be an earlier attempt of the same call.
    """

    message_id: str
    duplicate: bool
    idempotency_key: str
    recipients: int | None = None
    channel: str | None = None
    offset: int | None = None


def session(found: Any) -> Session:
    """Reads a session. An answer of another form is a `KeyError`, `TypeError` or `ValueError`."""
    identity = found.get("identity")
    return Session(
        session_id=_text(found["sessionId"]), user_id=_text(found["userId"]), claims=dict(found["claims"]), email=_text(found["email"]),
        identity=Identity(_text(identity["provider"]), _text(identity["subject"])) if identity else None,
        mfa_verified=found["mfaVerified"] is True, trusted=found["trusted"] is True,
        authenticated_at=_time(found["authenticatedAt"]), expires_at=_time(found["expiresAt"]), raw=found)


def new_session(found: Any, set_cookies: tuple[str, ...]) -> NewSession:
    """Reads the answer of `POST /v1/sessions`."""
    tokens = found.get("tokens")
    return NewSession(
        session=session(found["session"]), set_cookies=set_cookies, raw=found,
        tokens=Tokens(_text(tokens["accessToken"]), _time(tokens["accessExpiresAt"]),
                      _text(tokens["refreshToken"]), _time(tokens["refreshExpiresAt"])) if tokens else None)


def published(found: Any, key: str) -> Published:
    """Reads the answer of `POST /v1/messages`."""
    return Published(message_id=_text(found["messageId"]), duplicate=found["duplicate"] is True, idempotency_key=key,
                     recipients=found.get("recipients"), channel=found.get("channel"), offset=found.get("offset"))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _time(value: Any) -> datetime:
    return datetime.fromisoformat(_text(value).replace("Z", "+00:00"))
