"""Extracts the passages of text that people read: Markdown, Terraform descriptions, Python docstrings and Rust doc comments."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

# One inline code span counts as one word and hides its text from the word list.
CODE = "`…`"


@dataclass(frozen=True)
class Passage:
    """A heading, a paragraph, a list item, a table cell, a description or a doc comment; `text` is on one line and without code."""

    kind: str
    line: int
    text: str
    # The text as it is written, with its code.
    raw: str


def markdown(text: str) -> Iterator[Passage]:
    """Passages of a page. Code blocks, comments, and what `infra/docs.py` generates from descriptions are left out."""
    text = _blanked(r"(?s)<!-- inputs and outputs: .*?<!-- end -->", text)
    text = _blanked(r"(?s)<!--.*?-->", text)
    text = _blanked(r"(?ms)^ *```.*?^ *```$", text)
    yield from _blocks(text.split("\n"))


def _blocks(lines: list[str]) -> Iterator[Passage]:
    start, block = 0, list[str]()
    for number, content in enumerate([*lines, ""], 1):
        bare = content.strip()
        begins = re.match(r"([*+-]|\d+\.) |[#|>]", bare)
        if block and (not bare or begins):
            yield _passage("paragraph", start, " ".join(block))
            block = []
        if bare.startswith("#"):
            yield _passage("heading", number, bare.lstrip("# "))
        elif bare.startswith("|"):
            cells = re.split(r"(?<!\\)\|", bare.strip("|"))
            yield from (_passage("cell", number, cell) for cell in cells if cell.strip(" :-"))
        elif bare:
            start = number if not block else start
            block.append(re.sub(r"^([*+-]|\d+\.|>) ", "", bare))


def terraform(text: str) -> Iterator[Passage]:
    """Descriptions and error messages."""
    for found in re.finditer(r'^ *(description|error_message) *= "((?:[^"\\]|\\.)*)"$', text, re.M):
        yield _passage("description", text.count("\n", 0, found.start()) + 1, re.sub(r"\\(.)", r"\1", found[2]))


def python(text: str) -> Iterator[Passage]:
    """Docstrings, paragraph by paragraph."""
    todo: list[ast.Module | ast.stmt] = [ast.parse(text)]
    while todo:
        node = todo.pop(0)
        body: list[ast.stmt] = getattr(node, "body", [])
        todo += body
        if body and isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                yield from _doc(first.lineno, first.value.value)


def messages(text: str) -> Iterator[Passage]:
    """String constants of three words or more that are not docstrings: help texts and messages."""
    tree = ast.parse(text)
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented and node.value.count(" ") > 1:
            yield _passage("message", node.lineno, node.value.replace("\n", " "))


def rust(text: str) -> Iterator[Passage]:
    """Doc comments, paragraph by paragraph."""
    start, block = 0, list[str]()
    for number, content in enumerate([*text.split("\n"), ""], 1):
        found = re.match(r"\s*//[/!](?!/) ?(.*)", content)
        if found:
            start = number if not block else start
            block.append(found[1])
        elif block:
            yield from _doc(start, "\n".join(block))
            block = []


def _doc(line: int, text: str) -> Iterator[Passage]:
    """A doc comment is a `comment` where it has one paragraph; that is where too few words are a fault."""
    text = _blanked(r"(?ms)^ *```.*?^ *```$", text)
    # What is indented in a docstring is an example.
    lines = ["" if re.match(r"    ", content) and number else content for number, content in enumerate(_dedented(text))]
    found = list(_blocks(lines))
    for passage in found:
        kind = "comment" if len(found) == 1 and passage.kind == "paragraph" else passage.kind
        yield Passage(kind, line + passage.line - 1, passage.text, passage.raw)


def _dedented(text: str) -> list[str]:
    first, *others = text.split("\n")
    indent = min((len(content) - len(content.lstrip()) for content in others if content.strip()), default=0)
    return [first, *(content[indent:] for content in others)]


def _blanked(pattern: str, text: str) -> str:
    """Without the matches, with their line ends: line numbers stay."""
    return re.sub(pattern, lambda found: "\n" * found[0].count("\n"), text)


def _passage(kind: str, line: int, raw: str) -> Passage:
    raw = raw.strip()
    text = re.sub(r"`[^`]*`", CODE, raw)
    # A link is its text; emphasis is no part of a word.
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("*", "")
    return Passage(kind, line, text, raw)


def sentences(text: str) -> list[str]:
    """Splits after `.`, `!` or `?` before a capital letter, a digit or code."""
    return [sentence for sentence in re.split(r"(?<=[.!?])[)\"]? +(?=[A-Z\d`(\"])", text) if sentence.strip()]


def words(sentence: str) -> int:
    """How many words a reader has to keep in mind. A parenthesis that holds only code and names is skipped by readers, and here."""
    sentence = re.sub(rf"\((?:{CODE}|[\s,;]|and|model|tests?)*\)", "", sentence)
    return len(re.findall(r"[\w`…][\w`…’'.:/%×<>+=-]*", sentence))
