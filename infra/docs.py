#!/usr/bin/env python3
"""Writes the tables of inputs and outputs into the modules' and stacks' READMEs.

    infra/docs.py            writes them
    infra/docs.py --required <folder>   prints the inputs without a default
    infra/docs.py --check    changes nothing; exit 1 when a README is not current, an input or output has no
                             description, an input takes any value, or a validation has no test that expects it
                             to fail
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- inputs and outputs: written by infra/docs.py -->", "<!-- end -->"


def blocks(text, kind):
    """Yields (name, body) of every `kind "name" { … }` at the start of a line."""
    for match in re.finditer(rf'^{kind} "([^"]+)" \{{\n', text, re.M):
        yield match.group(1), text[match.end() : closing(text, match.end())]


def closing(text, start):
    """Index of the bracket that closes what is open at `start`; strings and comments do not count."""
    depth, i = 1, start
    while i < len(text):
        if text[i] == '"':
            i = end_of_string(text, i)
        elif text[i] == "#":
            i = text.index("\n", i)
        elif text[i] in "{[(":
            depth += 1
        elif text[i] in "}])":
            depth -= 1
            if depth == 0:
                return i
        i += 1
    raise ValueError("unbalanced brackets")


def end_of_string(text, start):
    i = start + 1
    while text[i] != '"':
        i += 2 if text[i] == "\\" else 1
    return i


def attribute(body, name):
    """The expression of a top-level attribute, None without one."""
    match = re.search(rf"^  {name}\s*=\s*", body, re.M)
    if not match:
        return None
    start = i = match.end()
    while i < len(body) and body[i] != "\n":
        if body[i] == '"':
            i = end_of_string(body, i)
        elif body[i] in "{[(":
            i = closing(body, i + 1)
        i += 1
    return body[start:i].strip()


def string(expression):
    return "" if expression is None else re.sub(r"\\(.)", r"\1", expression.strip('"'))


def cell(text):
    return text.replace("|", "\\|")


def code(expression):
    """An expression on one line, as table cells need it."""
    text = re.sub(r"\s+", " ", expression)
    text = re.sub(r"([({\[]) ", r"\1", re.sub(r" ([)}\]])", r"\1", text))
    return f"`{cell(text)}`"


def source(folder):
    return "\n".join(path.read_text() for path in sorted(folder.glob("*.tf")))


def render(folder, problems):
    text = source(folder)
    lines = [BEGIN, "", "## Inputs", "", "| name | description | type | default |", "|---|---|---|---|"]
    for name, body in sorted(blocks(text, "variable")):
        description = string(attribute(body, "description"))
        if not description:
            problems.append(f"{folder.relative_to(HERE)}: variable {name} has no description")
        default = attribute(body, "default")
        shown = "**required**" if default is None else code(default)
        lines.append(f"| `{name}` | {cell(description)} | {code(attribute(body, 'type') or '?')} | {shown} |")
    lines += ["", "## Outputs", "", "| name | description |", "|---|---|"]
    for name, body in sorted(blocks(text, "output")):
        description = string(attribute(body, "description"))
        if not description:
            problems.append(f"{folder.relative_to(HERE)}: output {name} has no description")
        lines.append(f"| `{name}` | {cell(description)} |")
    return "\n".join(lines + ["", END]) + "\n"


def untested(folder):
    """Validations that no run expects to fail: one run for each validation of a variable. Stacks share files of
    variables, so there a test in one of them is enough."""
    folders = folder.parent.glob("*/") if folder.parent.name == "stacks" else [folder]
    expected = " ".join(
        found
        for tested in folders
        for path in tested.glob("tests/*.tftest.hcl")
        for found in re.findall(r"expect_failures = \[(.*?)\]", path.read_text(), re.S)
    )
    for name, body in blocks(source(folder), "variable"):
        validations = len(re.findall(r"^  validation \{", body, re.M))
        tests = len(re.findall(rf"\bvar\.{name}\b", expected))
        if tests < validations:
            yield f"{folder.relative_to(HERE)}: variable {name} has {validations} validation(s), {tests} of them tested"


def unvalidated(folder):
    """Inputs that take any value: neither a switch, nor validated, nor part of another input's validation, nor, in a stack, handed
    to a module as they are, which validates them."""
    text_of_all = source(folder)
    inputs = dict(blocks(source(folder), "variable"))
    conditions = {name: "".join(body for body in re.findall(r"^  validation \{(.*?)^  \}", text, re.M | re.S)) for name, text in inputs.items()}
    for name, body in inputs.items():
        handed_on = folder.parent.name != "modules" and re.search(rf"^  +\w+ += var\.{name}$", text_of_all, re.M)
        if attribute(body, "type") != "bool" and not handed_on and not any(re.search(rf"\bvar\.{name}\b", text) for text in conditions.values()):
            yield f"{folder.relative_to(HERE)}: variable {name} has no validation: any value passes"
        if re.search(r"\bany\b", attribute(body, "type") or "any"):
            yield f"{folder.relative_to(HERE)}: variable {name} has no type of its own"


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--required":
        print(*[name for name, body in blocks(source(Path(sys.argv[2])), "variable") if attribute(body, "default") is None])
        return
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit("usage: docs.py [--check | --required <folder>]")
    problems = []
    for folder in sorted([*HERE.glob("modules/*/"), *HERE.glob("stacks/*/"), *HERE.glob("examples/*/")]):
        readme = folder / "README.md"
        if not readme.exists():
            problems.append(f"{folder.relative_to(HERE)}: README.md is missing")
            continue
        old = readme.read_text()
        head = old.split(BEGIN)[0].rstrip()
        new = f"{head}\n\n{render(folder, problems)}"
        if check and new != old:
            problems.append(f"{folder.relative_to(HERE)}: README.md is not current: run infra/docs.py")
        if not check and new != old:
            readme.write_text(new)
            print(f"wrote {readme.relative_to(HERE)}")
        problems += untested(folder)
        problems += unvalidated(folder)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
