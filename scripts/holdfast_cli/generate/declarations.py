"""Writes the declarations that Terraform requires in every stack from one list: `scripts/holdfast declarations`.

The list is `infra/declarations.hcl`, whose head says how it is read. Each stack gets a `declarations.tf` and the lock file of `platform`.
`infra/test.sh` runs this module alone, and it fails there if a file is not current.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT

INFRA = ROOT / "infra"
LOCK = ".terraform.lock.hcl"
# The stack whose lock file is the one that `terraform init` writes.
LOCKED = "platform"
NAME = "declarations.tf"
HEAD = "# Written by `scripts/holdfast declarations` from infra/declarations.hcl. Change that file, and run the command again.\n"

_BLOCK = re.compile(r"^(?:#[^\n]*\n)*(?:terraform|provider|locals|variable|module|resource)\b[^\n]*\{\n.*?^\}\n", re.M | re.S)
_STACKS = re.compile(r" *# Stacks: (.+)\n")
_VALIDATION = re.compile(r"\n  validation \{\n.*?^  \}\n", re.M | re.S)
_PROVIDER, _MODULE = (re.compile(rf'(?:#.*\n)*{kind} "') for kind in ("provider", "module"))
_PASSED_ON = re.compile(r"^  (\w+) += var\.\1$", re.M)
_VARIABLE = re.compile(r'^variable "(\w+)" \{\n.*?^\}\n', re.M | re.S)


@dataclass(frozen=True)
class Part:
    """A block of the list, or a paragraph of one; `stacks` None: every stack has it."""

    text: str
    stacks: frozenset[str] | None

    @classmethod
    def read(cls, text: str, known: list[str]) -> Part:
        named = _STACKS.match(text)
        if not named:
            return cls(text, None)
        stacks = frozenset(named.group(1).split(", "))
        if not stacks <= set(known):
            raise Failed(f"infra/declarations.hcl: there is no stack {', '.join(sorted(stacks - set(known)))}")
        return cls(text[named.end():], stacks)

    def belongs_to(self, stack: str) -> bool:
        return self.stacks is None or stack in self.stacks


def parts(text: str, known: list[str]) -> list[Part]:
    """The blocks of the list, in its order."""
    rest = _BLOCK.sub("", text)
    left = [line for line in rest.splitlines() if line and not line.startswith("#")]
    if left:
        raise Failed(f"infra/declarations.hcl: this is in no block: {left[0]}")
    return [Part.read(match.group(0), known) for match in _BLOCK.finditer(text)]


def _call(text: str, stack: str, known: list[str]) -> str:
    """The call of a module with the paragraphs that a stack gets."""
    head, _, body = text.partition("\n")
    chosen = [part.text.strip("\n") for part in (Part.read(paragraph, known) for paragraph in body.removesuffix("}\n").split("\n\n"))
              if part.belongs_to(stack)]
    return "\n".join([head, "\n\n".join(chosen), "}\n"])


def _declared(name: str, variables: dict[str, str], provider: str) -> str:
    """The root's declaration of a variable that it passes on. The module's validations check the value. Terraform configures the provider
    before a module checks a value, so a variable that the provider uses keeps its validations."""
    if name not in variables:
        raise Failed(f"infra/declarations.hcl: modules/stack-context has no variable {name}")
    taken = re.search(rf"\bvar\.{name}\b", provider)
    return variables[name] if taken else _VALIDATION.sub("", variables[name])


def declarations(text: str, module: str, stack: str, known: list[str]) -> str:
    """The file of one stack. `text` is the list, and `module` has the variables of stack-context."""
    variables = {match.group(1): match.group(0) for match in _VARIABLE.finditer(module)}
    mine = [part.text for part in parts(text, known) if part.belongs_to(stack)]
    provider = "".join(part for part in mine if _PROVIDER.match(part))
    written: list[str] = []
    for part in mine:
        if _MODULE.match(part):
            part = _call(part, stack, known)
            written += [_declared(match.group(1), variables, provider) for match in _PASSED_ON.finditer(part)]
        written.append(part.replace("<stack>", stack))
    if any("# Stacks:" in part for part in written):
        raise Failed("infra/declarations.hcl: `# Stacks: …` must be the first line above a block, or above a paragraph of a call")
    return "\n".join([HEAD, *written])


def files(infra: Path = INFRA) -> dict[Path, str]:
    """Every file that is written, and its text."""
    stacks = sorted(folder.name for folder in (infra / "stacks").iterdir() if folder.is_dir())
    text = (infra / "declarations.hcl").read_text(encoding="utf-8")
    module = (infra / "modules" / "stack-context" / "variables.tf").read_text(encoding="utf-8")
    lock = (infra / "stacks" / LOCKED / LOCK).read_text(encoding="utf-8")
    found = {infra / "stacks" / stack / NAME: declarations(text, module, stack, stacks) for stack in stacks}
    return found | {infra / "stacks" / stack / LOCK: lock for stack in stacks}


def stale(infra: Path = INFRA) -> list[str]:
    """The files that are not current, below infra/."""
    return [str(file.relative_to(infra)) for file, text in files(infra).items() if not file.is_file() or file.read_text(encoding="utf-8") != text]


def write(infra: Path = INFRA) -> list[str]:
    """Writes those that are not current, and returns them."""
    changed = stale(infra)
    for file, text in files(infra).items():
        if str(file.relative_to(infra)) in changed:
            file.write_text(text, encoding="utf-8")
    return changed


if __name__ == "__main__":
    found = stale(Path(sys.argv[1]).resolve())
    if found:
        sys.exit(f"{', '.join(found)}: not current; run scripts/holdfast declarations")
