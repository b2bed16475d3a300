"""Checks recorded requests against botocore's service models, which AWS writes: required members, types, names, enums, lengths, ranges, patterns.

botocore's own `ParamValidator` checks required members, types, minima and names. It does not check enums, maxima and patterns, because AWS
checks those. This module adds them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from botocore.validate import ParamValidator

from holdfast_cli.verify import requests
from holdfast_cli.verify.requests import Call, Request, Shape

# Classes of Java's expressions that Python does not have. Each is replaced by a wider one, so nothing that AWS accepts is reported.
_LETTERS = (r"\p{L}", r"\p{N}", r"\p{M}", r"\p{IsLetter}", r"\p{IsDigit}", r"\p{Alnum}", r"\p{Alpha}")
_SPACES = (r"\p{Z}", r"\p{Space}", r"\p{IsSpace}")
# A value in a message is cut here.
_SHOWN = 80


class Violation(NamedTuple):
    """What is wrong with a request, and how often it was seen."""

    operation: str
    what: str
    times: int = 1


class Report(NamedTuple):
    checked: int
    # Requests that call no API of AWS: Holdfast's own routes, pages of the emulator.
    others: int
    # By operation.
    operations: Counter[str]
    violations: list[Violation]
    # Patterns that Python cannot read, with how many values they were not compared with.
    unread: Counter[str]


@cache
def expression(pattern: str) -> re.Pattern[str] | None:
    """A pattern of a model for Python; None if Python cannot read it."""
    text = pattern
    for classes, wider in ((_LETTERS, r"\w"), (_SPACES, r"\s")):
        for java in classes:
            text = text.replace(java, wider)
    # Any other class of Unicode (symbols, punctuation) would need a table that Python's expressions do not have.
    if r"\p" in text or r"\P" in text:
        return None
    try:
        return re.compile(text)
    except re.error:
        return None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class _Values:
    """Walks through the members of a request, and reports enums, maxima and patterns."""

    def __init__(self, unread: Counter[str]) -> None:
        self.unread = unread

    def of(self, shape: Shape, value: Any, where: str) -> Iterator[str]:
        kind = shape.type_name
        if kind == "structure" and isinstance(value, dict) and not shape.is_document_type:
            for key, member in shape.members.items():
                if key in value:
                    yield from self.of(member, value[key], f"{where}.{key}" if where else key)
        elif kind == "list" and isinstance(value, list):
            yield from _most(shape, len(value), where, "members")  # pyright: ignore[reportUnknownArgumentType]
            for number, inner in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                yield from self.of(shape.member, inner, f"{where}[{number}]")
        elif kind == "map" and isinstance(value, dict):
            yield from _most(shape, len(value), where, "members")  # pyright: ignore[reportUnknownArgumentType]
            for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
                yield from self.of(shape.key, key, f"{where}, the key {_shown(key)}")  # pyright: ignore[reportUnknownArgumentType]
                yield from self.of(shape.value, inner, f"{where}.{key}")
        elif kind in ("integer", "long", "float", "double") and isinstance(value, (int, float)):
            yield from _most(shape, value, where, "")
        elif kind == "blob" and isinstance(value, bytes):
            yield from _most(shape, len(value), where, "bytes")
            if len(value) < shape.metadata.get("min", 0):
                yield f"{where} has {len(value)} bytes, fewer than {shape.metadata['min']}"
        elif kind == "string" and isinstance(value, str):
            yield from self._text(shape, value, where)

    def _text(self, shape: Shape, value: str, where: str) -> Iterator[str]:
        yield from _most(shape, len(value), where, "characters")
        if shape.enum and value not in shape.enum:
            yield f"{where} is {_shown(value)}, and not one of {', '.join(shape.enum[:12])}"
        pattern = shape.metadata.get("pattern")
        if pattern:
            compiled = expression(pattern)
            if compiled is None:
                self.unread[pattern] += 1
            elif not compiled.fullmatch(value):
                yield f"{where} is {_shown(value)}, which does not match {pattern}"


def _most(shape: Shape, size: float, where: str, unit: str) -> Iterator[str]:
    if "max" in shape.metadata and size > shape.metadata["max"]:
        yield f"{where} has {size} {unit}, more than {shape.metadata['max']}" if unit else f"{where} is {size}, more than {shape.metadata['max']}"


def violations(call: Call, unread: Counter[str] | None = None) -> list[str]:
    """Everything that is wrong with the members of a call."""
    shape = call.operation.input_shape
    if shape is None:
        return [f"unknown member {name}: the operation takes none" for name in call.members]
    report = ParamValidator().validate(call.members, shape)
    found: list[str] = report.generate_report().splitlines() if report.has_errors() else []
    return [*found, *_Values(Counter() if unread is None else unread).of(shape, call.members, "")]


def check(recording: Iterable[Request]) -> Report:
    """Checks every request that calls an API of AWS. A request that fits no operation is a violation, too."""
    operations, others, found, unread = Counter[str](), 0, Counter[tuple[str, str]](), Counter[str]()
    for request in recording:
        if not request.is_for_an_api:
            others += 1
            continue
        try:
            call = requests.call(request)
        except requests.Unknown as trouble:
            name = f"{request.service or 'unsigned'}:?"
            found[name, f"{trouble}"] += 1
            operations[name] += 1
            continue
        operations[call.name] += 1
        for what in violations(call, unread):
            found[call.name, what] += 1
    return Report(operations.total(), others, operations, [Violation(*key, count) for key, count in sorted(found.items())], unread)
