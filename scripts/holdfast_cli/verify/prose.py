"""Checks the text that people read: `python -m holdfast_cli.verify.prose` in `scripts`, as `holdfast check` runs it.

It reads Markdown pages, Terraform descriptions, Python docstrings and messages, and Rust doc comments. `scripts/prose.json` holds
the word list and the longest sentence. CONTRIBUTING.md explains the rules.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from holdfast_cli.verify import passages
from holdfast_cli.verify.passages import Passage

ROOT = Path(__file__).resolve().parents[3]
RULES = ROOT / "scripts" / "prose.json"
READERS = {".md": passages.markdown, ".tf": passages.terraform, ".py": passages.python, ".rs": passages.rust}
# A heading that holds one of these is a sentence or a question; a heading is a noun or a task.
_SENTENCE = re.compile(
    r"^(?:What|When|Where|Which|Who|Whose|Why|How|Whether|If)\b|\b(?:is|are|was|were|has|have|had|does|says?|stays?|needs?|cannot|must|will)\b|[.?!]$")
_DOCUMENT = re.compile(r"(?<![\w/.*<>{}…-])((?:[\w.-]+/)*[\w.-]+\.md)\b")
# A section sign is a reference; these have numbered sections that a reader can find.
_STANDARDS = re.compile(r"\b(?:RFC|NIST|OWASP|ASVS|UTS|FIPS|ISO|PEP|BCP)\b")


class Data(TypedDict):
    """The form of `prose.json`."""

    longest_sentence: int
    subjects_since: str
    subjects_except: list[str]
    # Names of documents that commands write.
    generated_documents: list[str]
    # Patterns, each with what to write instead.
    words: list[tuple[str, str]]


@dataclass(frozen=True)
class Finding:
    file: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.text}"


class Rules:
    """The rules of `prose.json`, and the documents that exist."""

    def __init__(self, data: Data, documents: set[str]) -> None:
        self.words = [(re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.I), better) for pattern, better in data["words"]]
        # One search that almost never matches, so that a passage is rarely compared with each pattern.
        self.any_word = re.compile(r"(?<![\w-])(?=\w)(?:" + "|".join(f"(?:{pattern})" for pattern, _ in data["words"]) + r")(?![\w-])", re.I)
        self.longest = data["longest_sentence"]
        self.documents = documents
        self.generated = set(data["generated_documents"])

    def findings(self, file: str, text: str) -> Iterator[Finding]:
        suffix = Path(file).suffix
        for passage in READERS[suffix](text):
            yield from self._of_passage(file, passage)
        if suffix == ".py" and file.startswith("scripts/holdfast_cli/"):
            for passage in passages.messages(text):
                yield from self._words(file, passage)

    def _of_passage(self, file: str, passage: Passage) -> Iterator[Finding]:
        yield from self._words(file, passage)
        yield from self._citations(file, passage)
        if passage.kind == "heading":
            if _SENTENCE.search(passage.text):
                yield Finding(file, passage.line, "heading", f"{passage.text!r}: a heading is a noun or a task")
            return
        for sentence in passages.sentences(passage.text):
            yield from self._of_sentence(file, passage, sentence)
        # The words of a route or a call count here: "Serves `GET /v1/health`." is a sentence.
        if passage.kind == "comment" and passages.words(passage.raw.replace("`", "")) <= 2:
            yield Finding(file, passage.line, "short", f"{passage.text!r}: write a sentence, or leave it out")

    def _of_sentence(self, file: str, passage: Passage, sentence: str) -> Iterator[Finding]:
        # The clauses of a table cell are a list.
        for part in sentence.split(";") if passage.kind == "cell" else [sentence]:
            count = passages.words(part)
            if count > self.longest:
                yield Finding(file, passage.line, "length", f"{count} words: {_start(part)}: one idea per sentence, at most {self.longest} words")
        if len(re.findall(r": ", sentence)) > 1 and passage.kind != "cell":
            yield Finding(file, passage.line, "colons", f"{_start(sentence)}: one colon per sentence")

    def _words(self, file: str, passage: Passage) -> Iterator[Finding]:
        if not self.any_word.search(passage.text):
            return
        for pattern, better in self.words:
            for found in pattern.finditer(passage.text):
                yield Finding(file, passage.line, "word", f"{found[0]!r}: better: {better}")

    def _citations(self, file: str, passage: Passage) -> Iterator[Finding]:
        bare = re.sub(r"\]\([^)]*\)", "]", passage.raw)
        for document in _DOCUMENT.findall(re.sub(r"https?://\S+", "", bare)):
            if not self._exists(file, document):
                yield Finding(file, passage.line, "document", f"{document} is not in this repository")
        if "§" in passage.text and not _STANDARDS.search(passage.text):
            yield Finding(file, passage.line, "document", f"{_start(passage.text)}: name the standard of this section")

    def _exists(self, file: str, document: str) -> bool:
        """A document is named from the root, from the file's folder, or by its name alone."""
        name = document.rsplit("/", 1)[-1]
        if document in self.generated:
            return True
        folder = file.rsplit("/", 1)[0]
        return document in self.documents or f"{folder}/{document}" in self.documents or (
            "/" not in document and any(known.rsplit("/", 1)[-1] == name for known in self.documents))


def _start(text: str) -> str:
    return repr(text if len(text) <= 70 else f"{text[:70]}…")


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def tracked() -> list[str]:
    names = _git("ls-files", "-co", "--exclude-standard").stdout.splitlines()
    return [name for name in names if Path(name).suffix in READERS and (ROOT / name).exists()]


def findings(data: Data) -> list[Finding]:
    names = tracked()
    rules = Rules(data, {name for name in names if name.endswith(".md")})
    return [found for name in names for found in rules.findings(name, (ROOT / name).read_text(encoding="utf-8"))]


# The first word of a subject. `Adds` and `Added` are not imperative, and neither is a sentence that begins with an article.
_NOT_A_TASK = re.compile(
    r"(?:an?|the|its?|there|th(?:is|at|ese|ose)|what|which|when|where|who|whose|why|how|if|in|on|at|of|for|from|with|without"
    r"|every|each|all|some|any|no|none|nothing|one|two|three|not)")
_ENDS_IN_S = {"focus", "alias", "bias", "canvas"}
_ENDS_LIKE_A_PARTICIPLE = {"embed", "feed", "need", "seed", "shed", "speed", "exceed", "proceed", "bring", "ring", "string", "ping", "swing"}


def of_subject(subject: str) -> str:
    """Why this is not the subject of a commit, or nothing."""
    first = re.split(r"[\s:,]", subject, maxsplit=1)[0]
    word = first.lower()
    if len(subject) > 72:
        return f"{len(subject)} characters; at most 72"
    if not first[:1].isupper():
        return "begin with a capital letter"
    if subject.endswith("."):
        return "end without a full stop"
    if _NOT_A_TASK.fullmatch(word):
        return f"begin with a verb, not with {first!r}"
    third_person = re.search(r"[^s]s$", word) and word not in _ENDS_IN_S
    participle = re.search(r"(?:ed|ing)$", word) and word not in _ENDS_LIKE_A_PARTICIPLE
    if third_person or participle:
        return f"use the imperative instead of {first!r}"
    return ""


def subjects(since: str, except_for: Collection[str] = ()) -> list[str]:
    """Commits since a base whose subjects break the rule. A shallow clone may lack the base; then the check is skipped."""
    if _git("cat-file", "-e", f"{since}^{{commit}}").returncode:
        print(f"commit subjects: skipped, because commit {since[:9]} is not in this clone")
        return []
    listed = _git("log", "--no-merges", "--format=%H %s", f"{since}..HEAD").stdout.splitlines()
    pairs = [line.split(" ", 1) for line in listed]
    return [f"commit {commit[:9]}: {subject!r}: {why}" for commit, subject in pairs if commit not in except_for and (why := of_subject(subject))]


def main() -> int:
    data: Data = json.loads(RULES.read_text(encoding="utf-8"))
    lines = [*map(str, findings(data)), *subjects(data["subjects_since"], data["subjects_except"])]
    print(*lines, f"{len(lines)} findings", sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
