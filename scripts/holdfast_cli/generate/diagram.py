"""The deployed system as Mermaid, drawn from Terraform's state and the catalogue of functions: docs/system.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from holdfast_cli.core.catalogue import Catalogue
from holdfast_cli.generate import permissions

# From, to, what the arrow says, whether it is dashed.
Edge = tuple[str, str, str, bool]

_SERVICES = ("auth", "sessions", "push", "events", "ops")
_READS = {"GetItem", "BatchGetItem", "Query", "Scan", "ConditionCheckItem"}
_CONSUMES = {"ReceiveMessage", "DeleteMessage", "GetQueueAttributes"}
_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}
_WORDS = (("reads", _READS), ("writes", _WRITES), ("sends", {"SendMessage"}), ("publishes", {"PutEvents"}),
          ("posts and closes", {"ManageConnections"}), ("asks about", {"DescribeReplicationGroups"}))

_HEAD = """# Diagram of the deployed system

`make permissions WRITE=1` draws this diagram from Terraform's state of a deployment on the local cloud with `CACHE=redis`. `make test` compares
it with its own deployment. An arrow from a function shows an action that its role allows
([permissions](security/permissions.md)). An arrow to a function is a route or a trigger. A dashed arrow leads to the queue of failed messages.
Dashboards, alarms, keys, networks and parameters are not drawn.

## Services

```mermaid
flowchart LR
"""


class System:
    """Functions, what calls them, and what they reach."""

    def __init__(self, states: list[permissions.State], catalogue: Catalogue, prefix: str) -> None:
        self.prefix, self.catalogue = prefix, catalogue
        self.resources = [resource for state in states for resource in state["resources"] if resource["mode"] == "managed"]
        self.granted = {key: permissions.grants(policy) for state in states for key, policy in permissions.policies(state).items()}
        self.edges: set[Edge] = set()
        for key in self.granted:
            self._triggers(key)
            self._reaches(key)
        self._schedules()

    def instances(self, kind: str) -> list[dict[str, Any]]:
        return [instance["attributes"] for resource in self.resources if resource["type"] == kind for instance in resource["instances"]]

    def nodes(self) -> list[str]:
        """Everything with data or an address that Terraform made, by its name in the diagram."""
        tables = [f"table {self._own(found['name'])}" for found in self.instances("aws_dynamodb_table")]
        queues = [f"queue {self._own(found['name'])}" for found in self.instances("aws_sqs_queue")]
        apis = [{"HTTP": "HTTP API", "WEBSOCKET": "WebSocket API"}[found["protocol_type"]] for found in self.instances("aws_apigatewayv2_api")]
        return sorted({*tables, *queues, *apis, *("event bus" for _ in self.instances("aws_cloudwatch_event_bus"))})

    def _own(self, name: str) -> str:
        return name.removeprefix(f"{self.prefix}-")

    def _triggers(self, key: str) -> None:
        entry = self.catalogue[key]
        for route in entry.get("routes", ()):
            self.edges.add(("HTTP API", key, "all else" if route == "$default" else route, False))
        if "websocket" in entry:
            self.edges.add(("WebSocket API", key, entry["websocket"].lstrip("$"), False))
        for queue in entry.get("queues", ()):
            self.edges.add((f"queue {queue}", key, "", False))
        if "stream" in entry:
            self.edges.add((f"table {entry['stream']}", key, "stream", False))
        if "subscribes" in entry:
            kinds = entry["subscribes"]
            self.edges.add(("event bus", key, kinds[0] if len(kinds) == 1 else f"{len(kinds)} types", False))
        if "invoke" in entry:
            caller, what = {"iam": ("operators", "invoke"), "apis": ("other APIs", "authorize")}[entry["invoke"]]
            self.edges.add((caller, key, what, False))

    def _reaches(self, key: str) -> None:
        by_target: dict[str, set[str]] = {}
        for action, arn in self.granted[key]:
            target = self._target(arn)
            # That it reads a queue is the queue's arrow.
            if target and action.split(":")[1] not in _CONSUMES:
                by_target.setdefault(target, set()).add(action.split(":")[1])
        for target, actions in by_target.items():
            words = [word for word, some in _WORDS if actions & some]
            dead = target.endswith("-dlq")
            self.edges.add((key, target, "" if dead else " and ".join(words), dead))
        mine = [found for found in self.instances("aws_lambda_function") if found["function_name"] == f"{self.prefix}-{key}"]
        given: list[dict[str, Any]] = [found["environment"][0] for found in mine if found.get("environment")]
        if any(variables.get("variables", {}).get("REDIS_URL") for variables in given):
            self.edges.add((key, "cache", "", False))

    def _target(self, arn: str) -> str | None:
        kind = permissions.kind(arn)
        if kind in ("table", "queue", "index"):
            return permissions.short(arn.split("/index/")[0], self.prefix)
        return {"bus": "event bus", "sockets": "WebSocket API"}.get(kind or "", "cache" if ":elasticache:" in arn else None)

    def _schedules(self) -> None:
        targets = {found["rule"]: found["arn"] for found in self.instances("aws_cloudwatch_event_target")}
        for rule in self.instances("aws_cloudwatch_event_rule"):
            if rule.get("schedule_expression"):
                key = self._own(targets[rule["name"]].split(":")[6])
                self.edges.add(("schedule", key, rule["schedule_expression"].replace("rate(", "every ").rstrip(")"), False))


def service(name: str) -> str:
    """The service of a function's key; the name itself for everything else."""
    return name.split("-")[0] if re.match(rf"^({'|'.join(_SERVICES)})-", name) else name


def _id(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", name)


def _node(name: str) -> str:
    if name in _SERVICES or service(name) != name:
        return f'{_id(name)}["{name}"]'
    if name.startswith("table "):
        return f'{_id(name)}[("{name}")]'
    if name.startswith("queue "):
        return f'{_id(name)}>"{name}"]'
    return f'{_id(name)}(["{name}"])'


def _draw(edges: set[Edge], nodes: Iterable[str] = ()) -> str:
    names = sorted({*nodes, *(name for one, other, *_ in edges for name in (one, other))})
    lines = [f"  {_node(name)}" for name in names]
    for one, other, label, dead in sorted(edges):
        arrow = "-.->" if dead else "-->"
        lines.append(f"  {_id(one)} {arrow}{f'|{chr(34)}{label}{chr(34)}|' if label else ''} {_id(other)}")
    return "\n".join(lines) + "\n```\n"


def overview(system: System) -> set[Edge]:
    """Between services and what holds data; nodes that no function touches are drawn, too."""
    words: dict[tuple[str, str, bool], set[str]] = {}
    first = {word.split(" ")[0] for word, _ in _WORDS}
    for one, other, label, dead in system.edges:
        pair = (service(one), service(other), dead)
        # Routes and methods are for the diagrams below.
        words.setdefault(pair, set()).update(label.split(" and ") if label == "stream" or label.split(" ")[0] in first else ())
    edges = {(one, other, " and ".join(sorted(found)), dead) for (one, other, dead), found in words.items()}
    # A queue's dead letters come from the queue, and are nobody's to send.
    nodes = system.nodes()
    edges |= {(name.removesuffix("-dlq"), name, "", True) for name in nodes if name.endswith("-dlq") and name.removesuffix("-dlq") in nodes}
    return edges


def render(states: list[permissions.State], catalogue: Catalogue, prefix: str) -> str:
    system = System(states, catalogue, prefix)
    text = _HEAD + _draw(overview(system), system.nodes())
    for name in _SERVICES:
        edges = {edge for edge in system.edges if name in (service(edge[0]), service(edge[1]))}
        lonely = [key for key in system.granted if service(key) == name]
        text += f"\n## {name.capitalize()}\n\n```mermaid\nflowchart LR\n" + _draw(edges, lonely)
    return text


def load(files: Iterable[Path]) -> list[permissions.State]:
    return [json.loads(file.read_text(encoding="utf-8")) for file in files]
