"""Calls of Holdfast's own HTTP API (docs/api.md): as a service, signed by IAM, or as a signed-in user."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from email.message import Message
from typing import Any, NamedTuple

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws


class Response(NamedTuple):
    """Status (0: no answer) and body of an answer, the seconds after which it wants to be asked again, and its headers."""

    status: int
    body: dict[str, Any]
    retry_after: float = 0
    # Names in lower case. A name can come several times.
    headers: tuple[tuple[str, str], ...] = ()

    def header(self, name: str) -> str:
        """The first value of a header, or an empty text."""
        return next((value for found, value in self.headers if found == name), "")

    @property
    def code(self) -> str:
        """Holdfast's code of a problem; what API Gateway refuses on its own has none."""
        return str(self.body.get("code") or ("UNREACHABLE" if not self.status else f"HTTP_{self.status}"))

    @property
    def detail(self) -> str:
        said = self.body.get("detail") or self.body.get("message") or self.body.get("Message") or self.body.get("title")
        return str(said or ("no answer" if not self.status else f"status {self.status}"))

    @property
    def may_come_later(self) -> bool:
        """Whether the same request may succeed a little later."""
        return self.status in (0, 429) or self.status >= 500

    def trouble(self, what: str, todo: str = "") -> Refused | Failed:
        """What it means that this is not the answer that was hoped for."""
        kind = Failed if self.may_come_later else Refused
        more = {"status": self.status, "requestId": self.body["requestId"]} if "requestId" in self.body else {"status": self.status}
        return kind(f"{what}: {self.detail} ({self.code}){' ' + todo if todo else ''}", self.code, **more)


def _opener(url: str) -> urllib.request.OpenerDirector:
    # Bypass the user's proxy for loopback addresses.
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if url.startswith("http://127.0.0.1:") else []))


def send(url: str, data: bytes | None, headers: dict[str, str], method: str = "POST") -> Response:
    """Sends a request. It does not fail, because an answer of any status is a response."""
    given = data if data is not None or method != "POST" else b""
    try:
        with _opener(url).open(urllib.request.Request(url, given, headers, method=method), timeout=30) as found:
            return Response(found.status, _object(found.read()), 0, _headers(found.headers))
    except urllib.error.HTTPError as error:
        after = error.headers.get("Retry-After") or ""
        return Response(error.code, _object(error.read()), float(after) if after.isdigit() else 0, _headers(error.headers))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Response(0, {"detail": f"{url.split('?')[0]} does not answer: {getattr(error, 'reason', error)}"})


def _headers(found: Message) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in found.items())


def _object(text: bytes) -> dict[str, Any]:
    try:
        found: Any = json.loads(text or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def as_service(settings: Settings, url: str, body: dict[str, Any]) -> Response:
    """A POST signed with AWS Signature Version 4 for `execute-api`, with the credentials that this environment's verbs use."""
    with aws.asking(settings) as api:
        return signed(api, settings.region, url, body)


def signed(api: aws.Api, region: str, url: str, body: dict[str, Any]) -> Response:
    """The same, with the credentials of these clients."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    data = json.dumps(body, ensure_ascii=False).encode()
    request = AWSRequest("POST", url, data=data, headers={"content-type": "application/json"})
    credentials: Any = api.session.get_credentials()
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
    headers: dict[str, str] = dict(request.headers.items())
    return send(url, data, headers)


def as_user(url: str, token: str) -> Response:
    """A POST without a body, of a user's session."""
    return send(url, None, {"authorization": f"Bearer {token}"})
