"""The errors of this kit. Each kind needs another reaction, and names the HTTP status with which an application answers its own caller."""

from __future__ import annotations

from typing import ClassVar


class HoldfastError(Exception):
    """Holdfast, or this kit, refuses a call. No error holds a token, a credential or a body.

    `code` is a code of docs/api.md, or `HTTP_<status>` if the answer is not Holdfast's own. `detail` is for people and logs. `status` is the HTTP
    status of Holdfast's answer, if one came. `request_id` finds the request in the logs of Holdfast.
    """

    http_status: ClassVar[int] = 500
    """The status for the application's own answer."""

    def __init__(self, code: str, detail: str, *, status: int | None = None, request_id: str | None = None,
                 retry_after_seconds: float | None = None, idempotency_key: str | None = None) -> None:
        super().__init__(f"{detail} ({code})")
        self.code = code
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.idempotency_key = idempotency_key


class NoSession(HoldfastError):
    """The request has no access token of a live session. The user has to sign in."""

    http_status: ClassVar[int] = 401

    def __init__(self) -> None:
        super().__init__("UNAUTHENTICATED", "The request has no access token of a live session.")


class CrossSiteRequest(HoldfastError):
    """Another site may have caused this request by cookie. The session was not looked up."""

    http_status: ClassVar[int] = 403

    def __init__(self, detail: str) -> None:
        super().__init__("FORBIDDEN", detail)


class ConfigurationError(HoldfastError):
    """The application cannot call Holdfast as it is configured: address, Region, credentials or IAM rights. A retry does not help."""

    http_status: ClassVar[int] = 500


class Unavailable(HoldfastError):
    """Holdfast cannot answer now, so nothing is known about the session. It is never the same as signed out.

    For `publish`, `idempotency_key` is the key to repeat the call with. For `create_session`, the session may exist.
    """

    http_status: ClassVar[int] = 503


class Refused(HoldfastError):
    """Holdfast refuses the call itself. `code` and `detail` say why."""

    http_status: ClassVar[int] = 500
