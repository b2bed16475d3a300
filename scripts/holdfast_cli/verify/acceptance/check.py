"""What a check of the acceptance suite is, and what it gets: the deployment, users that are deleted again, and sockets."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from holdfast_cli.core import commands
from holdfast_cli.core.console import error
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, environments
from holdfast_cli.operate import admin, routes, tail
from holdfast_cli.operate.routes import Response
from holdfast_cli.operate.tail import Socket

# The longest wait for a frame, a close or a record, in seconds. A push takes a queue, the start of a function and a post.
PATIENCE_SECONDS = 20
FOREIGN_ORIGIN = "https://foreign.example"

Outputs = dict[str, Any]


class Skipped(Exception):
    """The check says nothing about this deployment, for this reason."""


@dataclass(frozen=True)
class Session:
    """A signed-in session of a user of the checks."""

    id: str
    access: str


@dataclass(frozen=True)
class Person:
    """A user of the checks."""

    id: str
    email: str
    password: str


@dataclass
class Deployed:
    """The deployment under test, and everything that the checks have to remove from it at the end."""

    settings: Settings
    known: Outputs
    # Whether nothing may be created or changed.
    safe: bool = False
    # What to call at the end, the last one first, each with the name of what it removes.
    to_remove: list[tuple[str, Callable[[], object]]] = field(default_factory=list[tuple[str, Callable[[], object]]])

    @cached_property
    def api(self) -> aws.Api:
        return aws.Api(self.settings, connect_timeout=5, read_timeout=PATIENCE_SECONDS)

    @cached_property
    def sockets_api(self) -> Any:
        """The client of `@connections`. An answer is the result of a check, so it retries nothing."""
        url = str(self.known["wsUrl"]).replace("ws", "http", 1)
        own = aws.Api(self.settings, connect_timeout=5, read_timeout=PATIENCE_SECONDS, retries={"total_max_attempts": 1})
        return own.client("apigatewaymanagementapi", endpoint_url=url)

    def caller(self, key: str, secret: str, token: str) -> aws.Api:
        """Clients with other credentials."""
        import boto3

        made = aws.Api(self.settings, key, secret, token)
        if not self.settings.on_local_cloud:
            made.session = boto3.Session(key, secret, token, region_name=self.settings.region)
        return made

    @cached_property
    def operator(self) -> admin.Operator:
        return admin.operator(self.settings, changes=True)

    @cached_property
    def person(self) -> Person:
        """The one user that all checks of a run share."""
        # The form that the search for secrets in the logs knows.
        email, password = f"e2e-{secrets.token_hex(12)}@holdfast.test", f"pw-{secrets.token_hex(12)}"
        # Before the account is created: a run that is interrupted meanwhile removes it, too.
        self.remove_later(f"the user {email}", lambda: self._delete(email))
        with commands.uninterrupted():
            found = self.operator.command("create", email=email, password=password)
        return Person(str(found["user"]["userId"]), email, password)

    def _delete(self, email: str) -> None:
        try:
            self.operator.command("delete", email=email)
        except Refused as refused:
            if refused.code != "NOT_FOUND":
                raise

    def remove_later(self, name: str, how: Callable[[], object]) -> None:
        if self.safe:
            raise Failed(f"--safe must not create {name}: the check lacks an entry in `writes`")
        self.to_remove.append((name, how))

    def clean_up(self) -> list[str]:
        """Removes everything, the last one first. Returns the names of what is left."""
        left: list[str] = []
        while self.to_remove:
            name, how = self.to_remove.pop()
            try:
                how()
            except Exception as trouble:
                error(f"  {name} could not be removed: {trouble}")
                left.append(name)
        return left

    @contextmanager
    def removed(self, name: str, how: Callable[[], object]) -> Generator[None]:
        """Removes something when the block ends, or at the end of the run if that fails."""
        self.remove_later(name, how)
        mine = self.to_remove[-1]
        try:
            yield
        finally:
            with commands.uninterrupted():
                how()
                self.to_remove.remove(mine)

    @property
    def prefix(self) -> str:
        """What the names of the functions start with."""
        return str(self.known["functions"]["auth-login"]).removesuffix("-auth-login")

    @property
    def functions(self) -> dict[str, str]:
        return self.known["functions"]

    def variable(self, name: str) -> Any:
        """A variable of Terraform, as this environment has it; None if nothing sets it."""
        given = self.settings.variables.get(name)
        return given if given is not None else environments.values(self.settings).get(name)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Response:
        """A request of the HTTP API. Underscores of the headers' names become hyphens."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            data, given["content-type"] = json.dumps(body).encode(), "application/json"
        return routes.send(self.url(path), data, given, method)

    def url(self, path: str) -> str:
        return str(self.known["httpUrl"]).rstrip("/") + path

    def as_user(self, method: str, path: str, session: Session, body: dict[str, Any] | None = None) -> Response:
        return self.ask(method, path, body, authorization=f"Bearer {session.access}")

    def sign_in(self) -> Session:
        person = self.person
        came = self.ask("POST", "/v1/auth/login", {"email": person.email, "password": person.password, "deviceName": "holdfast verify"})
        found = expect(came, 200, "the sign-in")
        return Session(str(found["session"]["sessionId"]), str(found["tokens"]["accessToken"]))

    def ticket(self, session: Session) -> str:
        """The address of a socket, good for one connection."""
        return str(expect(self.as_user("POST", "/v1/push/tickets", session), 201, "the ticket")["url"])

    @contextmanager
    def socket(self, session: Session, in_query: bool = True) -> Generator[Socket]:
        """An open socket of a session."""
        with closing(tail.connect(self.ticket(session), in_query)) as opened:
            yield opened

    def publish(self, data: Any) -> str:
        """Publishes to the user of the checks as a service does; the id of the message."""
        message = {"to": {"userIds": [self.person.id]}, "kind": "verify", "data": data}
        return str(expect(routes.as_service(self.settings, self.url("/v1/messages"), message), 202, "the publish")["messageId"])

    def origins(self) -> list[str]:
        """The origins whose pages may call the API, as the functions have them."""
        found = self.api.functions.get_function_configuration(FunctionName=self.functions["push-authorizer"])
        variables: dict[str, str] = dict(found.get("Environment", {}).get("Variables", {}))
        origins = [origin for origin in variables.get("ALLOWED_ORIGINS", "").split(",") if origin]
        if not origins:
            raise Skipped("allowed_origins is empty: no page of a browser may call this API.")
        return origins


@dataclass(frozen=True)
class Check:
    """A row of the table."""

    name: str
    # What it shows, as a sentence.
    shows: str
    # Returns a figure, or raises `Failed` or `Skipped`. None: this command never does it.
    run: Callable[[Deployed], str] | None = None
    # What it creates or changes; nothing for a check that only reads.
    writes: str = ""
    # Why it is skipped on the local cloud.
    needs_aws: str = ""
    # Why it is skipped on AWS.
    needs_local: str = ""
    # Why it runs only when `--only` names it.
    on_demand: str = ""
    # Why this command never does it.
    never: str = ""

    def left_out(self, local: bool, safe: bool, is_named: bool) -> str:
        """The reason why it is not run; nothing if it is."""
        if self.never:
            return self.never
        if local and self.needs_aws:
            return f"needs AWS: {self.needs_aws}"
        if not local and self.needs_local:
            return f"needs the local cloud: {self.needs_local}"
        if safe and self.writes:
            return f"left out by --safe, because it {self.writes}"
        if self.on_demand and not is_named:
            return f"{self.on_demand}: --only {self.name} runs it"
        return ""


def expect(came: Response, status: int, what: str) -> dict[str, Any]:
    """The body of an answer with this status."""
    if came.status != status:
        raise Failed(f"{what} was answered with status {came.status} ({came.code}: {came.detail}), not with {status}")
    return came.body


def healthy(deployed: Deployed) -> dict[str, Any]:
    """The answer of a health check that says ok. `health_details` hides the version and the checks from most callers."""
    found = expect(deployed.ask("GET", "/v1/health"), 200, "GET /v1/health")
    checks = json.dumps(found["checks"]) if "checks" in found else f"make status ENV={deployed.settings.env} shows why"
    insist(found["status"] == "ok", f"health is {found['status']}: {checks}")
    return found


def insist(holds: object, text: str) -> None:
    if not holds:
        raise Failed(text)


def frame_of(socket: Socket, is_wanted: Callable[[dict[str, Any]], bool], what: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """The next frame that is wanted; frames before it are dropped."""
    from websockets.exceptions import ConnectionClosed

    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        try:
            found: Any = json.loads(socket.recv(timeout=left))
        except TimeoutError:
            break
        except ConnectionClosed as closed:
            raise Failed(f"the socket was closed before the {what} came ({closed})") from None
        if isinstance(found, dict) and is_wanted(found):  # pyright: ignore[reportUnknownArgumentType]
            return found  # pyright: ignore[reportUnknownVariableType]
    raise Failed(f"no {what} came within {seconds:g} s")


def message_of(socket: Socket, number: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """The message with this id."""
    return frame_of(socket, lambda frame: frame.get("type") == "message" and frame.get("id") == number, "message", seconds)


def answer_of(socket: Socket, kind: str, **frame: Any) -> dict[str, Any]:
    """Sends a frame, and returns the next one of this type."""
    socket.send(json.dumps(frame))
    return frame_of(socket, lambda found: found.get("type") == kind, kind)


def figures(milliseconds: list[float]) -> str:
    """Median and the largest of some times; of a hundred and more also p99."""
    ordered = sorted(milliseconds)
    p99 = f", p99 {ordered[len(ordered) * 99 // 100 - 1]:.0f} ms" if len(ordered) >= 100 else ""
    return f"median {ordered[len(ordered) // 2]:.0f} ms{p99}, at most {ordered[-1]:.0f} ms, of {len(ordered)}"
