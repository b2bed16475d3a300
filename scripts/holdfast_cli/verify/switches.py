"""Puts every mutant of a source file behind a switch, so that one build holds all of them.

cargo-mutants says which mutants there are; this says how each looks as a branch:

* a function's body replaced by a value: `if on(7) { return <value>; }` before its first statement; where it returns `impl Iterator`,
  whose type is one, an iterator that is either of two;
* an operator: `(if off(8, 9) { (a == b) } else …)`, in whose other branches the operands stand as they were written;
* A removed match arm is a guard. A replaced guard, and a field of a struct expression that is left to its base, are like an operator.
* A fault that a person wrote (`scripts/faults/rust.json`) replaces an expression by another one. It is like an operator.

A branch holds its operands without the switches inside them: one mutant is on at a time, so the code grows by the depth of nesting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

SWITCH = "::holdfast_switch"
# Where the compiler evaluates an expression, no switch can be thrown at run time.
CONSTANT = ("const_item", "static_item", "const_block", "enum_variant", "array_type", "type_arguments", "const_parameter")

IN_A_CONSTANT = "it is in a constant, which the compiler evaluates"


# One mutant, as cargo-mutants lists it.
Mutant = dict[str, Any]
Place = dict[str, int]


class Answer(NamedTuple):
    """The position of each branch in a file (from, to, its mutant) and of each switch. Mutants that could not be switched have a reason;
    without one they do not compile."""

    branches: list[tuple[int, int, int]]
    switches: list[tuple[int, int, list[int]]]
    cannot: dict[int, str]


class Cannot(Exception):
    """The reason why a mutant cannot be switched."""


def offsets(source: bytes) -> Callable[[Place], int]:
    """(line, column in characters) from 1, as cargo-mutants counts, to an offset in bytes."""
    starts, at = list[int](), 0
    lines = source.split(b"\n")
    for text in lines:
        starts.append(at)
        at += len(text) + 1

    def offset(place: Place) -> int:
        line, column = place["line"] - 1, place["column"] - 1
        return starts[line] + len(lines[line].decode("utf-8")[:column].encode("utf-8"))

    return offset


class Switch:
    """One place in a file with the mutants that share it. `branches`: (mutant's id, text as it reads with it on)."""

    def __init__(self, kind: str, start: int, end: int, head: bytes = b"") -> None:
        self.kind, self.start, self.end, self.head = kind, start, end, head
        self.branches: list[tuple[int, bytes]] = []

    @property
    def ids(self) -> list[int]:
        return [number for number, _ in self.branches]


def _up(node: Node | None, *kinds: str) -> Node | None:
    while node is not None and node.type not in kinds:
        node = node.parent
    return node


def _child(node: Node | None, field: str) -> Node:
    found = node.child_by_field_name(field) if node is not None else None
    if found is None:
        raise Cannot(f"the parser sees no {field} there")
    return found


def _constant(node: Node | None) -> bool:
    below = None
    while node is not None and node.type not in ("function_item", "closure_expression"):
        if node.type in CONSTANT or (node.type == "array_expression" and below == node.child_by_field_name("length") is not None):
            return True
        below, node = node, node.parent
    return node is None


class File:
    """A parsed source file and the switches to put into it."""

    def __init__(self, source: bytes, root: Node) -> None:
        self.source, self.root = source, root
        self.offset = offsets(source)
        self.switches: dict[tuple[str, int, int], Switch] = {}

    def text(self, node: Node) -> bytes:
        return self.source[node.start_byte:node.end_byte]

    def add(self, mutant: Mutant) -> None:
        """Notes a mutant. Raises `Cannot`."""
        start, end = self.offset(mutant["span"]["start"]), self.offset(mutant["span"]["end"])
        node = self.root.descendant_for_byte_range(start, end) or self.root
        if mutant["genre"] != "FnValue" and _constant(node):
            raise Cannot(IN_A_CONSTANT)
        work = {"FnValue": self._function, "BinaryOperator": self._binary, "UnaryOperator": self._unary, "MatchArm": self._arm,
                "MatchArmGuard": self._guard, "StructField": self._field, "Fault": self._fault}[mutant["genre"]]
        work(mutant, node, start, end)

    def _place(self, kind: str, start: int, end: int, number: int, branch: bytes, head: bytes = b"") -> None:
        switch = self.switches.setdefault((kind, start, end), Switch(kind, start, end, head))
        switch.branches.append((number, branch))

    def _function(self, mutant: Mutant, node: Node, start: int, end: int) -> None:
        value = mutant["replacement"].encode()
        returns = mutant["function"]["return_type"]
        if returns.startswith("-> impl "):
            if "once(Box::leak(" in mutant["replacement"] and "&mut" not in returns:
                # What is leaked is `&mut`, and an iterator's items are not turned into `&`.
                raise Cannot("")
            self._place("iterator", start, end, mutant["id"], value)
            return
        self._place("function", start, start, mutant["id"], b"return " + value + b";")

    def _binary(self, mutant: Mutant, node: Node, start: int, end: int) -> None:
        parent = node.parent
        if parent is not None and parent.type == "let_chain":
            raise Cannot("")
        if parent is None or parent.type not in ("binary_expression", "compound_assignment_expr"):
            raise Cannot(f"the operator is in {parent.type if parent else 'nothing'}")
        left, right = _child(parent, "left"), _child(parent, "right")
        if any(_holds_let(side) for side in (left, right)):
            raise Cannot("")
        branch = b"((" + self.text(left) + b") " + mutant["replacement"].encode() + b" (" + self.text(right) + b"))"
        self._place("operator", parent.start_byte, parent.end_byte, mutant["id"], branch)

    def _unary(self, mutant: Mutant, node: Node, start: int, end: int) -> None:
        parent = _up(node, "unary_expression", "negative_literal")
        if parent is None or parent.start_byte != start:
            raise Cannot("the operator is not where the parser sees one")
        self._place("operator", parent.start_byte, parent.end_byte, mutant["id"], b"(" + self.source[end:parent.end_byte] + b")")

    def _arm(self, mutant: Mutant, node: Node, start: int, end: int) -> None:
        arm = _up(node, "match_arm")
        if arm is None:
            raise Cannot("the arm is not where the parser sees one")
        if not any(self._catches_all(other) for other in (arm.parent.named_children if arm.parent else ()) if other != arm):
            # cargo-mutants takes `_ if …` for an arm that catches the rest; without this arm the match is not complete.
            raise Cannot("")
        pattern = _child(arm, "pattern")
        self._place("arm", pattern.end_byte, pattern.end_byte, mutant["id"], b"")

    def _catches_all(self, arm: Node) -> bool:
        pattern = arm.child_by_field_name("pattern")
        return pattern is not None and self.text(pattern) == b"_"

    def _guard(self, mutant: Mutant, node: Node, start: int, end: int) -> None:
        pattern = _up(node, "match_pattern")
        guard = pattern.child_by_field_name("condition") if pattern is not None else None
        if guard is None:
            raise Cannot("the guard is not where the parser sees one")
        if _holds_let(guard):
            raise Cannot("the guard binds names with `let`")
        self._place("guard", guard.start_byte, guard.end_byte, mutant["id"], b"(" + mutant["replacement"].encode() + b")")

    def _field(self, mutant: Mutant, node: Node, start: int, end: int) -> None:
        field = _up(node, "field_initializer", "shorthand_field_initializer")
        if field is None or field.start_byte != start:
            field = next((n for n in _all(self.root, start, end) if n.type in ("field_initializer", "shorthand_field_initializer")
                          and start <= n.start_byte < end), None)
        if field is None:
            raise Cannot("the field is not where the parser sees one")
        struct = _up(field, "struct_expression")
        initializers = field.parent.named_children if field.parent else []
        base = next(child for child in initializers if child.type == "base_field_initializer").named_children[0]
        if field.type == "shorthand_field_initializer":
            name = value = field.named_children[-1]
            head = self.text(name) + b": "
        else:
            name, value, head = _child(field, "field"), _child(field, "value"), b""
        if base.type in ("identifier", "self", "field_expression"):
            branch = b"(" + self.text(base) + b")." + self.text(name)
        else:
            kind = self.text(_child(struct, "name"))
            branch = b"{ let holdfast_base: " + kind + b" = " + self.text(base) + b"; holdfast_base." + self.text(name) + b" }"
        self._place("field", value.start_byte, value.end_byte, mutant["id"], branch, head=head)

    def _fault(self, mutant: Mutant, node: Node, start: int, end: int) -> None:
        if (node.start_byte, node.end_byte) != (start, end):
            raise Cannot("its text is not a whole expression")
        self._place("fault", start, end, mutant["id"], mutant["replacement"].encode())

    def emit(self) -> _Output:
        """The file with its switches, and the position of each branch and of each switch in it."""
        out = _Output(self.source)
        # What begins first, then what inserts without replacing, then what holds the other.
        places = sorted(self.switches.values(), key=lambda s: (s.start, s.kind != "function", -(s.end if s.end > s.start else s.start),
                                                              s.kind == "operator"))
        _write(out, places, 0, len(self.source))
        return out


def _holds_let(node: Node | None) -> bool:
    return node is not None and (node.type in ("let_condition", "let_chain") or (
        node.type in ("binary_expression", "parenthesized_expression") and any(_holds_let(child) for child in node.named_children)))


def _all(node: Node, start: int, end: int) -> Iterator[Node]:
    for child in node.children:
        if child.end_byte > start and child.start_byte < end:
            yield child
            yield from _all(child, start, end)


class _Output:
    def __init__(self, source: bytes) -> None:
        self.source, self.parts, self.size = source, list[bytes](), 0
        self.branches: list[tuple[int, int, int]] = []
        self.switches: list[tuple[int, int, list[int]]] = []

    def put(self, text: bytes) -> None:
        self.parts.append(text)
        self.size += len(text)

    def joined(self) -> bytes:
        return b"".join(self.parts)


def _write(out: _Output, places: list[Switch], start: int, end: int) -> None:
    """The source from `start` to `end` with the switches in `places`, which are sorted and inside."""
    at, index = start, 0
    while index < len(places):
        place = places[index]
        index += 1
        inside: list[Switch] = []
        while index < len(places) and place.end > place.start and places[index].start < place.end:
            inside.append(places[index])
            index += 1
        out.put(out.source[at:place.start])
        _one(out, place, inside)
        at = place.end
    out.put(out.source[at:end])


def _one(out: _Output, place: Switch, inside: list[Switch]) -> None:
    began, ids = out.size, place.ids
    if place.kind == "function":
        for number, branch in place.branches:
            out.put(f"if {SWITCH}::on({number}) {{ ".encode())
            _branch(out, number, branch)
            out.put(b" } ")
    elif place.kind == "iterator":
        for number, branch in place.branches:
            out.put(f"if {SWITCH}::on({number}) {{ {SWITCH}::Either::Other(".encode())
            _branch(out, number, branch)
            out.put(f") }} else {{ {SWITCH}::Either::Same(".encode())
        out.put(b"{ ")
        _write(out, inside, place.start, place.end)
        out.put(b" }" + b") }" * len(ids))
    elif place.kind == "arm":
        _off(out, ids, b" if ", b"")
    else:
        out.put(place.head)
        _off(out, ids, b"(if ", b" { (")
        _write(out, inside, place.start, place.end)
        out.put(b") }")
        for number, branch in place.branches:
            out.put(b" else { " if number == ids[-1] else f" else if {SWITCH}::is({number}) {{ ".encode())
            _branch(out, number, branch)
            out.put(b" }")
        out.put(b")")
    out.switches.append((began, out.size, ids))


def _off(out: _Output, ids: list[int], before: bytes, after: bytes) -> None:
    """Asks whether none of these is on: in the first branch the original code stands, from which the compiler takes the types."""
    out.put(before + f"{SWITCH}::off({ids[0]}, {ids[-1]})".encode() + after)


def _branch(out: _Output, number: int, text: bytes) -> None:
    began = out.size
    out.put(text)
    out.branches.append((began, out.size, number))


def rewrite(parser: Parser, source: bytes, mutants: Iterable[Mutant]) -> tuple[bytes, Answer]:
    """The source with these mutants behind switches. Mutants of one place must have consecutive ids."""
    file = File(source, parser.parse(source).root_node)
    cannot: dict[int, str] = {}
    for mutant in mutants:
        try:
            file.add(mutant)
        except Cannot as why:
            cannot[mutant["id"]] = str(why)
    out = file.emit()
    return out.joined(), Answer(out.branches, out.switches, cannot)


@cache
def _parser() -> Parser:
    import tree_sitter
    import tree_sitter_rust

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))


def put(source: Path, target: Path, mutants: Iterable[Mutant]) -> Answer:
    """Writes a file with these mutants behind switches, if that makes it another."""
    text, answer = rewrite(_parser(), source.read_bytes(), mutants)
    if not target.exists() or target.read_bytes() != text:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
    return answer
