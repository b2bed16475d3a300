"""Finds the access tokens of a request, by the rules of Holdfast's own routes (docs/api.md and docs/sign-in.md).

An `Authorization` header counts before cookies and needs no origin. By cookie, a method other than GET, HEAD and OPTIONS needs an `Origin` on the
allow-list and `X-Holdfast-CSRF: 1`. A WebSocket handshake by cookie needs an `Origin` on the allow-list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from holdfast.errors import CrossSiteRequest
from holdfast.tokens import is_well_formed

Text: TypeAlias = "str | bytes"
Headers: TypeAlias = "Mapping[str, str | Sequence[str]] | Iterable[tuple[Text, Text]]"
"""Headers as frameworks have them: a mapping, or pairs of names and values (ASGI: of bytes)."""

ACCESS_COOKIE = "__Host-holdfast-access"
CSRF_HEADER = "x-holdfast-csrf"
MAX_CANDIDATES = 4
"""So many cookies of one name are tried. Each costs a call, and a sibling host could plant many."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")


class Request:
    """The parts of a request that identify its caller."""

    def __init__(self, method: str, headers: Headers, cookies: Iterable[str] = (), is_handshake: bool = False) -> None:
        self.method = method
        self._headers = list(_pairs(headers))
        self._headers += [("cookie", cookie) for cookie in cookies]
        # A page of another site can open a socket with the user's cookie, and cannot add a header to it.
        self.is_handshake = is_handshake or any("websocket" in value.lower() for value in self.all("upgrade"))

    def all(self, name: str) -> list[str]:
        """Returns all values of a header, by its lower-case name."""
        return [value for found, value in self._headers if found == name]

    def header(self, name: str) -> str | None:
        """Returns the value of a header, by its lower-case name. Several are one list (RFC 9110 §5.3), as API Gateway joins them."""
        return ",".join(self.all(name)) if self.all(name) else None

    def cookies(self, name: str) -> list[str]:
        """Returns the distinct values of a cookie, in the order in which they were sent. Only spaces and tabs are trimmed (RFC 6265 §5.2)."""
        values: list[str] = []
        for pair in ";".join(self.all("cookie")).split(";"):
            found, equals, value = pair.partition("=")
            value = value.strip(" \t")
            if len(value) > 1 and value.startswith('"') and value.endswith('"'):
                value = value[1:-1]
            if equals and found.strip(" \t") == name and value not in values:
                values.append(value)
        return values

    def access_tokens(self, allowed_origins: Sequence[str]) -> list[str]:
        """Returns the tokens to try, in order: that of `Authorization`, else those of the cookie."""
        authorization = self.header("authorization")
        if authorization is not None:
            # Two credentials are none, because no token has a comma.
            found = _BEARER.fullmatch(authorization.strip(" \t"))
            return [found[1]] if found else []
        values = self.cookies(ACCESS_COOKIE)
        tokens = [value for value in values if is_well_formed(value)][:MAX_CANDIDATES] or values[:1]
        if tokens:
            self._refuse_other_sites(allowed_origins)
        return tokens

    def _refuse_other_sites(self, allowed_origins: Sequence[str]) -> None:
        changes = self.method not in _SAFE_METHODS
        if not changes and not self.is_handshake:
            return
        origin = self.header("origin")
        if changes and (origin is None or self.header(CSRF_HEADER) != "1"):
            raise CrossSiteRequest("With cookies, requests that change something need an allowed `Origin` and `X-Holdfast-CSRF: 1`.")
        if origin is None:
            raise CrossSiteRequest("With cookies, a WebSocket handshake needs an allowed `Origin`.")
        if origin not in allowed_origins:
            raise CrossSiteRequest("This `Origin` is not on the allow-list.")


def from_event(event: Mapping[str, Any]) -> Request:
    """Reads the event of a function behind API Gateway (HTTP, REST or WebSocket API), a function URL or a load balancer."""
    context: Mapping[str, Any] = event.get("requestContext") or {}
    http: Mapping[str, Any] = context.get("http") or {}
    # `headers` of a REST API has the last value of each header only.
    headers: Mapping[str, Any] = event.get("multiValueHeaders") or event.get("headers") or {}
    method = event.get("httpMethod") or http.get("method")
    is_handshake = isinstance(context.get("connectionId"), str)
    if not isinstance(method, str):
        if not is_handshake:
            raise TypeError("The event is not of an HTTP request: it has neither `httpMethod` nor `requestContext.http.method`.")
        method = "GET"
    return Request(method, headers, event.get("cookies") or (), is_handshake)


def _pairs(headers: Headers) -> Iterable[tuple[str, str]]:
    given: Any = headers
    pairs: Iterable[tuple[Any, Any]] = given.items() if hasattr(given, "items") else given
    for name, value in pairs:
        values = cast("list[Any]", value) if isinstance(value, (list, tuple)) else [value]
        for one in values:
            yield _text(name).lower(), _text(one)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
