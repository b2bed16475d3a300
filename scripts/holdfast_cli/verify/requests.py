"""Reads recorded requests back to the operation of AWS that they call, and its members by name, with botocore's service models.

`scripts/local/recorder.py` writes the recording. The protocols are those of the services that Holdfast uses: json, query, ec2, rest-json and
rest-xml. A member that the model does not have keeps the name that it has in the request, so that the check reports it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

import botocore.session

# pyright knows no types of botocore's models.
Shape = Any
Operation = Any
Members = dict[str, Any]

# Services by the name in the signature, where that name is not the service's own, or stands for several.
SIGNED_FOR: dict[str, tuple[str, ...]] = {
    "apigateway": ("apigatewayv2", "apigateway"),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "execute-api": ("apigatewaymanagementapi",),
    "monitoring": ("cloudwatch",),
    "tagging": ("resourcegroupstaggingapi",),
}
# Services that are also called without a signature. The header X-Amz-Target names them.
UNSIGNED = ("cognito-idp",)
# What the SDKs add to a query beside the members of the operation.
_OF_THE_SDK = re.compile(r"x-id|X-Amz-.*", re.I)
_CONNECTIONS = re.compile(r"^/_aws/execute-api/[^/]+/[^/]+(/@connections/.*)$")


class Unknown(Exception):
    """No operation of the service fits the request, or its body cannot be read."""


class Request(NamedTuple):
    """A recorded request. `body` is None where the recorder left out a long one."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    service: str
    body: bytes | None
    status: int

    @property
    def is_for_an_api(self) -> bool:
        """Whether it calls an API of AWS, and not Holdfast's own routes or the emulator's pages."""
        if self.path.startswith("/_aws/execute-api/"):
            return _CONNECTIONS.match(self.path) is not None
        return bool(self.service or "x-amz-target" in self.headers)


class Call(NamedTuple):
    """A request as its operation and its members."""

    service: str
    operation: Operation
    members: Members

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation.name}"


def of_line(text: str) -> Request:
    entry: dict[str, Any] = json.loads(text)
    target: str = entry["target"]
    path, _, query = target.partition("?")
    return Request(entry["method"], path, tuple(parse_qsl(query, keep_blank_values=True)), entry["headers"], entry["service"],
                   None if entry["body"] is None else base64.b64decode(entry["body"]), entry["status"])


def recorded(file: Path) -> Iterator[Request]:
    with open(file, encoding="utf-8") as lines:
        for text in lines:
            # A last line without its end is still being written: the functions work on while the file is read.
            if text.endswith("\n"):
                yield of_line(text)


@cache
def _session() -> Any:
    return botocore.session.get_session()


@cache
def model(service: str) -> Any:
    return _session().get_service_model(service)


@cache
def _services() -> frozenset[str]:
    return frozenset(_session().get_available_services())


def _candidates(request: Request) -> tuple[str, ...]:
    if not request.service:
        return UNSIGNED
    found = SIGNED_FOR.get(request.service) or ((request.service,) if request.service in _services() else ())
    if not found:
        raise Unknown(f"botocore has no service that signs for {request.service}; add it to SIGNED_FOR in verify/requests.py")
    return found


def call(request: Request) -> Call:
    """The operation and the members of a request; raises `Unknown`."""
    services = _candidates(request)
    target = request.headers.get("x-amz-target")
    if target:
        return _of_target(request, services, target)
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if form and request.path == "/":
        return _of_form(request, services)
    return _of_path(request, services)


# json


def _of_target(request: Request, services: tuple[str, ...], target: str) -> Call:
    prefix, _, name = target.rpartition(".")
    for service in services:
        if model(service).metadata.get("targetPrefix") == prefix and name in model(service).operation_names:
            operation = model(service).operation_model(name)
            body = _json(request)
            return Call(service, operation, _from_json(operation.input_shape, body) if operation.input_shape else body)
    raise Unknown(f"no operation {target} of {' or '.join(services)}")


def _json(request: Request) -> Any:
    try:
        return json.loads(request.body or b"{}")
    except ValueError as error:
        raise Unknown(f"the body is not JSON: {error}") from None


def _name(shape: Shape, key: str) -> str:
    return shape.serialization.get("name", key)


def _strange(shape: Shape, name: str) -> str:
    """The name of a member that the model does not have. One that is another member's name in the model, and not on the wire, gets a mark."""
    return f"{name} (in the request)" if name in shape.members else name


def _from_json(shape: Shape, value: Any) -> Any:
    """A JSON value as the members of its shape. What has another type stays as it is."""
    if shape.type_name == "structure" and isinstance(value, dict) and not shape.is_document_type:
        known = {_name(member, key): (key, member) for key, member in shape.members.items()}
        members: Members = {}
        for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            key, member = known.get(name) or (_strange(shape, name), None)  # pyright: ignore[reportUnknownArgumentType]
            # null is as if left out.
            if inner is not None or member is None:
                members[key] = inner if member is None else _from_json(member, inner)
        return members
    if shape.type_name == "list" and isinstance(value, list):
        return [_from_json(shape.member, inner) for inner in value]  # pyright: ignore[reportUnknownVariableType]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _from_json(shape.value, inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if shape.type_name == "blob" and isinstance(value, str):
        return _bytes(value)
    return value  # pyright: ignore[reportUnknownVariableType]


def _bytes(text: str) -> bytes | int:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        # No blob: the check reports the type.
        return 0


# query and ec2


def _of_form(request: Request, services: tuple[str, ...]) -> Call:
    fields = dict(parse_qsl((request.body or b"").decode(), keep_blank_values=True))
    name = fields.pop("Action", "")
    fields.pop("Version", None)
    for service in services:
        if name in model(service).operation_names:
            operation = model(service).operation_model(name)
            shape = operation.input_shape
            members: Members = _Form(fields, model(service).protocol == "ec2").structure(shape, "") if shape else {}
            return Call(service, operation, {**members, **{_strange(shape, name) if shape else name: text for name, text in fields.items()}})
    raise Unknown(f"no operation {name or '(without a name)'} of {' or '.join(services)}")


class _Form:
    """The fields of a form, taken out as the shapes ask for them. What is left over is known to no shape."""

    def __init__(self, fields: dict[str, str], is_ec2: bool) -> None:
        self.fields, self.is_ec2 = fields, is_ec2

    def _has(self, prefix: str) -> bool:
        return any(name == prefix or name.startswith(prefix + ".") for name in self.fields)

    def _key(self, shape: Shape, key: str) -> str:
        if not self.is_ec2:
            return _name(shape, key)
        name = _name(shape, key)
        return shape.serialization.get("queryName") or name[:1].upper() + name[1:]

    def structure(self, shape: Shape, prefix: str) -> Members:
        found: Members = {}
        for key, member in shape.members.items():
            name = prefix + self._key(member, key)
            if member.type_name == "list" and member.serialization.get("flattened") and not self.is_ec2:
                # The name of a flattened list is that of its member.
                name = prefix + _name(member.member, key) if member.member.serialization.get("name") else name
            if self._has(name):
                found[key] = self._value(member, name)
        return found

    def _value(self, shape: Shape, name: str) -> Any:
        if shape.type_name == "structure":
            self.fields.pop(name, None)
            return self.structure(shape, name + ".")
        if shape.type_name == "list":
            flat = self.is_ec2 or shape.serialization.get("flattened")
            base = name if flat else f"{name}.{_name(shape.member, 'member')}"
            if self.fields.get(name) == "" and not self._has(f"{base}.1"):
                del self.fields[name]
                return []
            return list(self._items(shape.member, base))
        if shape.type_name == "map":
            base = name if shape.serialization.get("flattened") else f"{name}.entry"
            key, value = _name(shape.key, "key"), _name(shape.value, "value")
            found: Members = {}
            while self._has(f"{base}.{len(found) + 1}"):
                number = len(found) + 1
                found[self.fields.pop(f"{base}.{number}.{key}", str(number))] = self._value(shape.value, f"{base}.{number}.{value}")
            return found
        return scalar(shape, self.fields.pop(name, ""))

    def _items(self, shape: Shape, base: str) -> Iterator[Any]:
        number = 1
        while self._has(f"{base}.{number}"):
            yield self._value(shape, f"{base}.{number}")
            number += 1


def scalar(shape: Shape, text: str) -> Any:
    """A value that travels as text, in the type of its shape. What cannot be read stays text, and the check reports the type."""
    if shape.type_name in ("integer", "long") and re.fullmatch(r"-?\d+", text):
        return int(text)
    if shape.type_name in ("float", "double"):
        try:
            return float(text)
        except ValueError:
            return text
    if shape.type_name == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return _bytes(text) if shape.type_name == "blob" else text


# rest-json and rest-xml


class Route(NamedTuple):
    """A method, a path and the fixed part of the query; and the members in the path."""

    operation: Operation
    method: str
    path: re.Pattern[str]
    labels: tuple[str, ...]
    query: tuple[tuple[str, str], ...]


@cache
def routes(service: str) -> tuple[Route, ...]:
    found: list[Route] = []
    for name in model(service).operation_names:
        operation = model(service).operation_model(name)
        path, _, query = str(operation.http["requestUri"]).partition("?")
        labels = tuple(label.rstrip("+") for label in re.findall(r"\{([^}]+)\}", path))
        pattern = "".join(("(.+)" if part.endswith("+}") else "([^/]+)") if part.startswith("{") else re.escape(part)
                          for part in re.split(r"(\{[^}]+\})", path.rstrip("/")))
        found.append(Route(operation, operation.http["method"], re.compile(pattern + "/?"), labels,
                           tuple(parse_qsl(query, keep_blank_values=True))))
    return tuple(found)


def _lacks(route: Route, request: Request) -> int:
    """How many of the members that the operation requires in query and headers the request does not have."""
    shape, query = route.operation.input_shape, {key for key, _ in request.query}
    lacking = 0
    for key in shape.metadata.get("required", ()) if shape else ():
        member = shape.members[key]
        where, name = member.serialization.get("location"), _name(member, key)
        lacking += (where == "querystring" and name not in query) or (where == "header" and name.lower() not in request.headers)
    return lacking


def _optional(route: Route, request: Request) -> int:
    """How many members of the operation, required or not, the request has in its query and headers."""
    shape, query = route.operation.input_shape, {key for key, _ in request.query}
    return sum((member.serialization.get("location") == "querystring" and _name(member, key) in query)
               or (member.serialization.get("location") == "header" and _name(member, key).lower() in request.headers)
               for key, member in (shape.members.items() if shape else ()))


def _of_path(request: Request, services: tuple[str, ...]) -> Call:
    connections = _CONNECTIONS.match(request.path)
    path = connections.group(1) if connections else request.path
    fitting: list[tuple[tuple[int, ...], str, Route, re.Match[str]]] = []
    for service in services:
        for route in routes(service):
            match = route.path.fullmatch(path)
            # A fixed part of a query may come with an empty value or without one.
            if match and route.method == request.method and all((key, value) in request.query for key, value in route.query):
                rank = len(route.query), -_lacks(route, request), _optional(route, request), -len(route.labels)
                fitting.append((rank, service, route, match))
    if not fitting:
        raise Unknown(f"no operation of {' or '.join(services)} has {request.method} {request.path}")
    _, service, route, match = max(fitting, key=lambda one: one[0])
    members: Members = {label: unquote(text) for label, text in zip(route.labels, match.groups())}
    shape = route.operation.input_shape
    if shape is None:
        return Call(service, route.operation, members)
    labels = {_name(member, key): key for key, member in shape.members.items() if member.serialization.get("location") == "uri"}
    members = {labels.get(label, label): scalar(shape.members[labels[label]], text) if label in labels else text
               for label, text in members.items()}
    _take_query(request, route, shape, members)
    _take_headers(request, shape, members)
    _take_body(request, shape, members, model(service).protocol == "rest-xml")
    return Call(service, route.operation, members)


def _take_query(request: Request, route: Route, shape: Shape, members: Members) -> None:
    known = {_name(member, key): (key, member) for key, member in shape.members.items() if member.serialization.get("location") == "querystring"}
    rest = next(((key, member) for key, member in shape.members.items()
                 if member.type_name == "map" and member.serialization.get("location") == "querystring"), None)
    for name, text in request.query:
        if name in known:
            key, member = known[name]
            if member.type_name == "list":
                members.setdefault(key, []).append(scalar(member.member, text))
            else:
                members[key] = scalar(member, text)
        elif rest and (name, text) not in route.query and not _OF_THE_SDK.fullmatch(name):
            members.setdefault(rest[0], {})[name] = text
        elif (name, text) not in route.query and not _OF_THE_SDK.fullmatch(name):
            members[_strange(shape, name)] = text


def _take_headers(request: Request, shape: Shape, members: Members) -> None:
    for key, member in shape.members.items():
        name = _name(member, key).lower()
        if member.serialization.get("location") == "header" and name in request.headers:
            members[key] = scalar(member, request.headers[name]) if member.type_name != "list" else request.headers[name].split(",")
        elif member.serialization.get("location") == "headers":
            found = {header[len(name):]: text for header, text in request.headers.items() if header.startswith(name)}
            if found:
                members[key] = found


def _take_body(request: Request, shape: Shape, members: Members, is_xml: bool) -> None:
    payload = shape.serialization.get("payload")
    if payload:
        member = shape.members[payload]
        if member.type_name in ("blob", "string"):
            if request.body or request.body is None:
                members[payload] = (request.body or b"") if member.type_name == "blob" else (request.body or b"").decode()
            return
        if request.body:
            members[payload] = _from_xml(member, _xml(request)) if is_xml else _from_json(member, _json(request))
        return
    if request.body and any("location" not in member.serialization for member in shape.members.values()):
        found = _from_xml(shape, _xml(request)) if is_xml else _from_json(shape, _json(request))
        members.update(found if isinstance(found, dict) else {"(body)": found})  # pyright: ignore[reportUnknownArgumentType]


def _xml(request: Request) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(request.body or b"")
    except ElementTree.ParseError as error:
        raise Unknown(f"the body is not XML: {error}") from None


def _tag(name: str) -> str:
    return name.rpartition("}")[2]


def _from_xml(shape: Shape, node: ElementTree.Element) -> Any:
    if shape.type_name == "structure":
        known = {_name(member, key): (key, member) for key, member in shape.members.items()}
        flat = {_name(member.member, _name(member, key)): (key, member) for key, member in shape.members.items()
                if member.type_name == "list" and member.serialization.get("flattened")}
        members: Members = {}
        for inner in node:
            name = _tag(inner.tag)
            key, member = {**known, **flat}.get(name) or (_strange(shape, name), None)
            if member is None:
                members[key] = inner.text or ""
            elif member.type_name == "list" and member.serialization.get("flattened"):
                members.setdefault(key, []).append(_from_xml(member.member, inner))
            else:
                members[key] = _from_xml(member, inner)
        for key, member in shape.members.items():
            if member.serialization.get("xmlAttribute"):
                found = [text for name, text in node.attrib.items() if _tag(name) == _name(member, key).rpartition(":")[2]]
                members.update({key: found[0]} if found else {})
        return members
    if shape.type_name == "list":
        return [_from_xml(shape.member, inner) for inner in node]
    return scalar(shape, node.text or "")
