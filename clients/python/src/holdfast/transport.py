"""Sends signed requests, repeats those that may be repeated, and gives each failure its kind."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, HTTPClientError, ProxyConnectionError, ReadTimeoutError, SSLError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from holdfast.errors import ConfigurationError, HoldfastError, Refused, Unavailable
from holdfast.retries import Deadline, Timing
from holdfast.signing import Signer

USER_AGENT = "holdfast-python/0.2.0"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Throttled, or temporarily without an answer. Of these only 429 is certain to have had no effect.
_REPEATED = (429, 502, 503, 504)
_LONGEST_DETAIL = 300


class Answer(NamedTuple):
    """An answer of the status 2xx."""

    body: Any
    set_cookies: tuple[str, ...]


class _Attempt(NamedTuple):
    """What one attempt came to. Without a status there was no answer; `sent` says whether the request may have arrived."""

    status: int = 0
    body: Any = None
    headers: Mapping[str, str] = {}
    set_cookies: tuple[str, ...] = ()
    sent: bool = True
    problem: str = ""


class Transport:
    """One pool of connections to one Holdfast. Any number of threads may use it."""

    def __init__(self, url: str, *, region: str | None, timeout_seconds: float, aws_session: Any, timing: Timing) -> None:
        self.url = _checked(url)
        self.timing = timing
        self.timeout_seconds = timeout_seconds
        # The shares of the total leave room for a second attempt after one that hangs.
        self._connect_seconds = timeout_seconds / 5
        self._read_seconds = timeout_seconds / 2
        self._signer = Signer(self.url, region, aws_session)
        self._pool: URLLib3Session | None = None

    def deadline(self) -> Deadline:
        return Deadline(self.timing, self.timeout_seconds)

    def post(self, path: str, body: Mapping[str, Any], deadline: Deadline, *, may_repeat: bool = True) -> Answer:
        """Posts a body and returns the answer.

        With `may_repeat=False` it repeats only a request that certainly had no effect, and uses a connection of its own. A pooled connection can
        be closed by the server just as the request is sent, and then nothing tells whether it arrived.
        """
        data = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        if deadline.left() < self._connect_seconds:
            raise Unavailable("UNREACHABLE", f"There was no time left for POST {path}.")
        pool = self._shared_pool() if may_repeat else self._new_pool()
        try:
            attempt = 1
            while True:
                came, secrets = self._send(pool, path, data, deadline)
                if 200 <= came.status < 300 and came.body is not None:
                    return Answer(came.body, came.set_cookies)
                may_succeed = came.status in _REPEATED if may_repeat else came.status == 429
                may_succeed = may_succeed or (not came.status and (may_repeat or not came.sent))
                retry_after = _retry_after(came)
                if not may_succeed or not deadline.pause(attempt, retry_after, 2 * self._connect_seconds):
                    break
                attempt += 1
        finally:
            if not may_repeat:
                pool.close()
        raise _error(path, came, retry_after, secrets)

    def close(self) -> None:
        """Closes the pooled connections."""
        if self._pool:
            self._pool.close()

    def _shared_pool(self) -> URLLib3Session:
        if self._pool is None:
            self._pool = self._new_pool()
        return self._pool

    def _new_pool(self) -> URLLib3Session:
        session = self._signer.session
        bundle = session.get_config_variable("ca_bundle") if hasattr(session, "get_config_variable") else None
        # Bypass the proxy of the process for loopback addresses.
        proxies = {} if urlsplit(self.url).hostname in LOOPBACK else get_environ_proxies(self.url)
        return URLLib3Session(verify=bundle or True, proxies=proxies, timeout=(self._connect_seconds, self._read_seconds))  # pyright: ignore[reportArgumentType]

    def _send(self, pool: URLLib3Session, path: str, data: bytes, deadline: Deadline) -> tuple[_Attempt, list[str]]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": USER_AGENT}
        request = AWSRequest("POST", self.url + path, data=data, headers=headers)
        secrets = self._signer.sign(request)
        # botocore reads it since 2026; an older one waits for the time-out of the pool.
        request.context["read_timeout"] = max(0.001, min(self._read_seconds, deadline.left() - self._connect_seconds))
        try:
            answer = pool.send(request.prepare())
            text = answer.content
        except (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError) as error:
            return _Attempt(sent=False, problem=type(error).__name__), secrets
        except SSLError:
            return _Attempt(sent=False, problem="the TLS handshake failed"), secrets
        except ReadTimeoutError:
            return _Attempt(problem="no answer came in time"), secrets
        except HTTPClientError as error:
            return _Attempt(problem=type(error).__name__), secrets
        raw_headers: Any = getattr(answer.raw, "headers", None)
        cookies = tuple(raw_headers.getlist("set-cookie")) if hasattr(raw_headers, "getlist") else ()
        return _Attempt(answer.status_code, _object(text), {name.lower(): value for name, value in answer.headers.items()}, cookies), secrets


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ConfigurationError("INVALID_URL", "The address of Holdfast must be the `httpUrl` of `make outputs`.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigurationError("INVALID_URL", "The address of Holdfast must begin with https://, except on this machine.")
    return url.rstrip("/")


def _object(text: bytes) -> Any:
    try:
        found: Any = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _retry_after(came: _Attempt) -> float | None:
    """The seconds of `Retry-After`: a number, or a date by the server's clock (RFC 9110 §10.2.3)."""
    value = came.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        until = parsedate_to_datetime(value).timestamp()
        now = parsedate_to_datetime(came.headers["date"]).timestamp() if "date" in came.headers else time.time()
    except (TypeError, ValueError):
        return None
    return max(0.0, until - now)


def _error(path: str, came: _Attempt, retry_after: float | None, secrets: list[str]) -> HoldfastError:
    """The error of an attempt that is not repeated."""
    if not came.status:
        return Unavailable("UNREACHABLE", f"Holdfast does not answer POST {path} ({came.problem}).")
    body: dict[str, Any] = came.body or {}
    own_code = body.get("code") if isinstance(body.get("code"), str) else None
    said = next((body[name] for name in ("detail", "message", "Message", "title") if isinstance(body.get(name), str)), "")
    about: dict[str, Any] = {
        "status": came.status, "retry_after_seconds": retry_after,
        "request_id": came.headers.get("x-request-id") or came.headers.get("apigw-requestid") or came.headers.get("x-amzn-requestid"),
    }
    code, detail = own_code or f"HTTP_{came.status}", _without(secrets, said) or f"POST {path} was answered with HTTP {came.status}."
    if 200 <= came.status < 300:
        return Unavailable("UNEXPECTED_ANSWER", f"POST {path} was answered with HTTP {came.status} and no JSON object.", **about)
    if came.status >= 500 or came.status == 429:
        return Unavailable(code, detail, **about)
    if came.status in (401, 403) and own_code in (None, "FORBIDDEN", "UNAUTHENTICATED"):
        hint = f"The credentials of this process need execute-api:Invoke on POST {path}, and a signature for the Region of Holdfast."
        return ConfigurationError(code, f"{detail} {hint}", **about)
    if own_code is None and (came.status < 400 or came.status in (404, 405)):
        return ConfigurationError(code, f"{detail} The address may not be that of Holdfast: use `httpUrl` of `make outputs`.", **about)
    return Refused(code, detail, **about)


def _without(secrets: list[str], text: str) -> str:
    """The first line of a text, without secrets. AWS answers a wrong signature with the whole request that it has signed."""
    lines = text.splitlines()
    line = lines[0] if lines else ""
    for secret in secrets:
        line = line.replace(secret, "…")
    return line[:_LONGEST_DETAIL]
