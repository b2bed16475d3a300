"""The control of `service_models`: errors planted into recorded requests, of every kind. The check has to report each of them.

A planted error travels the whole way: botocore's serializer writes the changed members as a request, and `requests` reads it back. So the control
also shows that the reader loses no member.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any, NamedTuple
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError
from botocore.serialize import create_serializer

from holdfast_cli.verify import requests, service_models
from holdfast_cli.verify.requests import Call, Members, Request, Shape

KINDS = ("required", "unknown", "type", "enum", "most", "least", "pattern")
# A member with a larger maximum is not made that long.
_LONGEST = 200_000
# The value of a planted string. One of them fits no pattern of a model.
_STRANGE = ("☃\x07 ", " \n", "")
# Members in the path cannot be missing or empty, because the request would then be another.
_IN_THE_PATH = "uri"

Site = tuple[str | int, ...]


class Planted(NamedTuple):
    kind: str
    # Where: operation and member.
    where: str
    request: Request


def _protocol(request: Request, service: str) -> str:
    """The protocol that the recorded request itself uses. A service can have several."""
    if "x-amz-target" in request.headers:
        return "json"
    own = requests.model(service).protocol
    return own if own in ("query", "ec2", "rest-json", "rest-xml") else "query"


def serialized(request: Request, call: Call, members: Members) -> Request:
    """A request for the operation of `call` with other members, written by botocore."""
    written: Any = create_serializer(_protocol(request, call.service), include_validation=False).serialize_to_request(members, call.operation)
    path, _, fixed = str(written["url_path"]).partition("?")
    query = [tuple(part.partition("=")[::2]) for part in fixed.split("&") if part]
    given: Any = written["query_string"]
    query += list(given.items() if isinstance(given, dict) else given)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    body: Any = written["body"]
    if isinstance(body, dict):
        body = urlencode(body).encode()  # pyright: ignore[reportUnknownArgumentType]
    headers = {str(name).lower(): str(text) for name, text in written["headers"].items()}
    if call.service == "apigatewaymanagementapi":
        path = f"/_aws/execute-api/api/stage{path}"
    spread = [(str(key), str(text)) for key, value in query for text in (value if isinstance(value, list) else [value])]  # pyright: ignore
    return Request(written["method"], path, tuple(spread), headers, request.service, body.encode() if isinstance(body, str) else body, 200)


def sites(shape: Shape, value: Any, at: Site = (), location: str = "") -> Iterator[tuple[Site, Shape, Any, str]]:
    """Every member of a request, with its shape and its place on the wire."""
    yield at, shape, value, location
    if shape.type_name == "structure" and isinstance(value, dict) and not shape.is_document_type:
        for key, member in shape.members.items():
            if key in value:
                where = location or member.serialization.get("location", "")
                yield from sites(member, value[key], (*at, key), where)
    elif shape.type_name == "list" and isinstance(value, list):
        for number, inner in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from sites(shape.member, inner, (*at, number), location)
    elif shape.type_name == "map" and isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from sites(shape.value, inner, (*at, str(key)), location)  # pyright: ignore[reportUnknownArgumentType]


def replaced(members: Members, at: Site, change: Callable[[Any, Any], None]) -> Members:
    """A copy of the members in which `change` has changed the container of the member at `at`."""
    made: Any = deepcopy(members)
    inner = made
    for step in at[:-1]:
        inner = inner[step]
    change(inner, at[-1])
    return made


def _put(value: Any) -> Callable[[Any, Any], None]:
    def change(container: Any, key: Any) -> None:
        container[key] = value
    return change


def _without(container: Any, key: Any) -> None:
    del container[key]


def changes(shape: Shape, value: Any, at: Site, location: str) -> Iterator[tuple[str, Site, Callable[[Any, Any], None]]]:
    """The errors that can be planted at a member: kind, place and change."""
    data, kind = shape.metadata, shape.type_name
    if kind == "structure" and isinstance(value, dict):
        for key in data.get("required", ()):
            if key in value and "location" not in shape.members[key].serialization and shape.serialization.get("payload") != key:
                yield "required", (*at, key), _without
    if not at:
        return
    if kind == "string" and isinstance(value, str):
        if shape.enum:
            yield "enum", at, _put("not-a-value")
        if 0 < data.get("max", _LONGEST) < _LONGEST:
            yield "most", at, _put("a" * (data["max"] + 1))
        if data.get("min", 0) > 0 and not location:
            yield "least", at, _put("a" * (data["min"] - 1))
        compiled = service_models.expression(data["pattern"]) if data.get("pattern") else None
        if compiled and not location:
            strange = [text for text in _STRANGE if not compiled.fullmatch(text)]
            if strange:
                yield "pattern", at, _put(strange[0])
    elif kind in ("integer", "long"):
        if "max" in data:
            yield "most", at, _put(data["max"] + 1)
        if "min" in data:
            yield "least", at, _put(data["min"] - 1)
        if location != _IN_THE_PATH:
            yield "type", at, _put("many")
    elif kind == "list" and isinstance(value, list) and value:
        if 0 < data.get("max", _LONGEST) < 1_000 and not location:
            yield "most", at, _put([value[0]] * (data["max"] + 1))
    elif kind == "boolean":
        yield "type", at, _put("perhaps")


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")


def _writes_booleans(request: Request) -> bool:
    """Whether botocore writes every value of a boolean as true or false: in forms and in XML."""
    return _is_form(request) or (request.body or b"").startswith(b"<")


def _with_unknown(request: Request, shape: Shape) -> Request:
    """The request with a member that no model has, in its body or, if that is no list of members, in its query."""
    body = request.body or b""
    payload = shape.members.get(shape.serialization.get("payload")) if shape else None
    if body.startswith(b"{") and (payload is None or payload.type_name == "structure"):
        return request._replace(body=b'{"NotAMember": "x"' + (b"}" if body.strip(b" \n") == b"{}" else b", " + body[1:]))
    if _is_form(request):
        return request._replace(body=body + b"&NotAMember=x")
    return request._replace(query=(*request.query, ("notAMember", "x")))


def plant(request: Request, call: Call) -> Iterator[Planted]:
    """Every error that can be planted into a request; of each kind one for each member of the model."""
    shape = call.operation.input_shape
    yield Planted("unknown", call.name, _with_unknown(request, shape))
    if shape is None:
        return
    seen = set[tuple[str, Site]]()
    for site, inner, value, location in sites(shape, call.members):
        for kind, at, change in changes(inner, value, site, location):
            name = tuple(step for step in at if isinstance(step, str))
            if (kind, name) in seen or (kind == "type" and inner.type_name == "boolean" and _writes_booleans(request)):
                continue
            seen.add((kind, name))
            try:
                changed = serialized(request, call, replaced(call.members, at, change))
            except (BotoCoreError, AttributeError, TypeError, ValueError, KeyError):
                # The serializer itself cannot write such a request. No client can send it either.
                continue
            yield Planted(kind, f"{call.name} {'.'.join(map(str, at))}", changed)


def control(recording: Iterable[Request]) -> tuple[Counter[str], list[str]]:
    """Plants errors into the first correct request of each operation. Returns how many were found, by kind, and those that were not."""
    found, missed, done = Counter[str](), list[str](), set[str]()
    for request in recording:
        if not request.is_for_an_api or request.body is None:
            continue
        try:
            call = requests.call(request)
        except requests.Unknown:
            continue
        if call.name in done or service_models.violations(call):
            continue
        done.add(call.name)
        again = requests.call(serialized(request, call, call.members))
        # Without a planted error the same request has to come back, or all that is found says nothing.
        if again.name != call.name or service_models.violations(again):
            missed.append(f"the unchanged request of {call.name} is reported: {'; '.join(service_models.violations(again)) or again.name}")
        for planted in plant(request, call):
            if _reports(planted.request):
                found[planted.kind] += 1
            else:
                missed.append(f"{planted.kind} in {planted.where}")
    return found, missed


def _reports(request: Request) -> bool:
    try:
        return bool(service_models.violations(requests.call(request)))
    except requests.Unknown:
        return True
