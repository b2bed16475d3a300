"""The client: verify, publish, create a session."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Literal

from holdfast import answers, requests
from holdfast.answers import NewSession, Published, Session
from holdfast.errors import HoldfastError, NoSession, Unavailable
from holdfast.requests import Headers, Request
from holdfast.retries import Deadline, Timing
from holdfast.tokens import can_be_token
from holdfast.transport import Transport

INTROSPECT = "/v1/sessions/introspect"
SESSIONS = "/v1/sessions"
MESSAGES = "/v1/messages"


class Holdfast:
    """A client of one Holdfast. Create it once for the process; any number of threads may use it.

    `url` is `httpUrl` of `make outputs`. `allowed_origins` are the origins of the pages that may send cookies; none by default. `timeout_seconds`
    bounds a whole call with its retries. `region` is needed only where neither the address nor the AWS configuration names it. `aws_session` is a
    session of botocore or boto3 with other credentials than those of the process.
    """

    def __init__(self, url: str, *, allowed_origins: Sequence[str] = (), timeout_seconds: float = 5.0, region: str | None = None,
                 aws_session: Any = None, timing: Timing | None = None) -> None:
        if isinstance(allowed_origins, str):
            raise TypeError("`allowed_origins` is a list of origins.")
        if not timeout_seconds > 0:
            raise ValueError("`timeout_seconds` must be more than 0.")
        self._allowed_origins = tuple(allowed_origins)
        self._transport = Transport(url, region=region, timeout_seconds=timeout_seconds, aws_session=aws_session, timing=timing or Timing())

    def __repr__(self) -> str:
        return f"Holdfast({self._transport.url!r})"

    def close(self) -> None:
        """Closes the pooled connections. A later call opens new ones."""
        self._transport.close()

    def verify(self, token: str | None) -> Session:
        """Returns the live session of an access token.

        Raises `NoSession` if there is none, and `Unavailable` if Holdfast cannot answer. The caller has read the token from `Authorization`. Use
        `verify_request` for requests that may carry cookies.
        """
        return self._verify(token, self._transport.deadline())

    def verify_request(self, method: str, headers: Headers) -> Session:
        """Returns the live session of a request, by bearer token or cookie.

        Raises what `verify` raises, and `CrossSiteRequest` if another site may have caused the request.
        """
        return self._verify_any(Request(method, headers))

    def verify_event(self, event: Mapping[str, Any]) -> Session:
        """Returns the live session of the request in the event of a Lambda function, as `verify_request`."""
        return self._verify_any(requests.from_event(event))

    def _verify_any(self, request: Request) -> Session:
        deadline = self._transport.deadline()
        # A stale cookie may come before the valid one.
        for token in request.access_tokens(self._allowed_origins):
            try:
                return self._verify(token, deadline)
            except NoSession:
                continue
        raise NoSession

    def _verify(self, token: str | None, deadline: Deadline) -> Session:
        if token is not None and not isinstance(token, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("An access token is a text.")
        if token is None or not can_be_token(token):
            raise NoSession
        found = self._transport.post(INTROSPECT, {"token": token}, deadline).body
        if found.get("active") is False:
            raise NoSession
        return _read(INTROSPECT, lambda: answers.session(found["session"] if found["active"] is True else None))

    def publish(self, kind: str, data: Any = None, *, user_ids: Iterable[str] | None = None, topic: str | None = None, broadcast: bool = False,
                idempotency_key: str | None = None, ttl_seconds: int | None = None, ephemeral: bool = False) -> Published:
        """Publishes a message to users, to a topic or to every client.

        It is safe to repeat: every attempt of a call has the same idempotency key, which the call generates unless it is given.
        """
        if (user_ids is not None) + (topic is not None) + broadcast != 1:
            raise ValueError("Publish to one of `user_ids`, `topic` and `broadcast`.")
        if isinstance(user_ids, str):
            raise TypeError("`user_ids` is a list of user ids.")
        to: dict[str, Any] = {"userIds": list(user_ids)} if user_ids is not None else {"topic": topic} if topic is not None else {"broadcast": True}
        key = idempotency_key if idempotency_key is not None else str(uuid.uuid4())
        body = {"to": to, "kind": kind, "data": data, "idempotencyKey": key, **_present(ttlSeconds=ttl_seconds, ephemeral=ephemeral or None)}
        try:
            found = self._transport.post(MESSAGES, body, self._transport.deadline()).body
            return _read(MESSAGES, lambda: answers.published(found, key))
        except HoldfastError as error:
            error.idempotency_key = key
            raise

    def create_session(self, provider: str, subject: str, *, email: str | None = None, claims: Mapping[str, Any] | None = None,
                       session_id: str | None = None, stay_signed_in: bool = False, device_name: str | None = None, mfa_verified: bool = False,
                       authenticated_at: datetime | None = None, client_ip: str | None = None, user_agent: str | None = None,
                       transport: Literal["body", "cookie"] = "body") -> NewSession:
        """Makes a session for a user whom this application has authenticated (`POST /v1/sessions`).

        It is not safe to repeat, because each call makes a session. So the kit repeats it only if Holdfast certainly did not process it: there was no
        connection, or the answer was 429. After `Unavailable` the session may exist.
        """
        if authenticated_at is not None and authenticated_at.tzinfo is None:
            raise ValueError("`authenticated_at` needs a time zone.")
        at = authenticated_at.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z") if authenticated_at else None
        client = _present(ip=client_ip, userAgent=user_agent)
        body = {"identity": {"provider": provider, "subject": subject}, **_present(
            email=email, claims=None if claims is None else dict(claims), sessionId=session_id, staySignedIn=stay_signed_in or None,
            deviceName=device_name, mfaVerified=mfa_verified or None, authenticatedAt=at, client=client or None,
            transport=transport if transport != "body" else None)}
        answer = self._transport.post(SESSIONS, body, self._transport.deadline(), may_repeat=False)
        return _read(SESSIONS, lambda: answers.new_session(answer.body, answer.set_cookies))


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _read(path: str, read: Any) -> Any:
    """Reads an answer. An answer of another form is no statement about the session."""
    try:
        return read()
    except (AttributeError, KeyError, TypeError, ValueError):
        problem = Unavailable("UNEXPECTED_ANSWER", f"The answer to POST {path} does not have the form of docs/api.md.")
    raise problem
