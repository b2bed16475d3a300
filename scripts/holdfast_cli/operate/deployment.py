"""Where the parts of a deployment are that the verbs on users, sessions, messages and events talk to.

Locally these verbs read outputs.json. On AWS they derive names from the environment's prefix and read addresses from SSM parameters. They need
neither Terraform nor its state, so a support engineer can use them without the right to read that state.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import Any

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, environments, outputs

# The longest name of an operator that a function takes.
MAX_ACTOR = 160


@dataclass(frozen=True)
class Deployment:
    settings: Settings
    # What the names of its functions start with.
    prefix: str
    # Whose credentials these are, as events name an operator.
    caller: str
    known: dict[str, Any] | None = None

    def function(self, key: str) -> str:
        """The name of a function of services/functions.json."""
        if self.known is None:
            return f"{self.prefix}-{key}"
        name = self.known["functions"].get(key)
        if not name:
            raise Refused(f"ENV={self.settings.env} has no function {key}: run `make deploy` with this version.", "NOT_DEPLOYED")
        return name

    @property
    def http_url(self) -> str:
        return (self.known["httpUrl"] if self.known else self._parameter("platform/http-url")).rstrip("/")

    @property
    def event_bus(self) -> str:
        return self.known["eventBus"] if self.known else self._parameter("events/event-bus-name")

    def _parameter(self, name: str) -> str:
        path = f"/holdfast/{self.settings.env}/{name}"
        with aws.asking(self.settings) as api:
            client = api.ssm
            try:
                return client.get_parameter(Name=path)["Parameter"].get("Value", "")
            except client.exceptions.ParameterNotFound:
                raise Refused(f"ENV={self.settings.env}: nothing is deployed in {self.settings.region}: there is no parameter {path}.",
                              "NOT_DEPLOYED") from None


def find(settings: Settings, changes: bool = False) -> Deployment:
    """The deployment of an environment. Of AWS the account must be the environment's; what `changes` it needs the account to be named."""
    if settings.is_local:
        known = outputs.read(settings)
        return Deployment(settings, f"holdfast-{settings.env}", f"local/{_user()}", known)
    values = environments.fill_in(settings)
    who = aws.identity(settings, values)
    if changes:
        environments.require_account(settings, values, who["account"])
    return Deployment(settings, environments.prefix(settings, values), name_of(who["arn"]))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"


def name_of(arn: str) -> str:
    """Role and session, or the user, of an identity."""
    kind, _, name = arn.split(":")[-1].partition("/")
    return (name if kind in ("assumed-role", "user", "federated-user") else kind)[:MAX_ACTOR] or "operator"


def ask(deployment: Deployment, key: str, payload: dict[str, Any]) -> dict[str, Any]:
    """What a function answers."""
    name = deployment.function(key)
    try:
        answer: Any = aws.invoke(deployment.settings, name, payload)
    except Refused as refused:
        if refused.code != "ResourceNotFoundException":
            raise
        raise Refused(f"ENV={deployment.settings.env} has no function {name}: is it deployed, in this account and in {deployment.settings.region}?",
                      "NOT_DEPLOYED") from None
    except Failed as failed:
        if failed.code != "FUNCTION_ERROR":
            raise
        raise Failed(f"{failed} `make logs SERVICE={key}{deployment.settings.named}` says more.", failed.code) from None
    if not isinstance(answer, dict):
        raise Failed(f"{name} did not answer with a JSON object.", "FUNCTION_ERROR")
    return answer  # pyright: ignore[reportUnknownVariableType]
