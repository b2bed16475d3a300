"""Reads `name = value` files of Terraform (tfvars, backend configuration) as far as this tool needs them."""

import re

_BLANK = re.compile(r"(?:\s+|#[^\n]*|//[^\n]*|/\*.*?\*/)+", re.S)
_NAME = re.compile(r'"?([A-Za-z_][A-Za-z0-9_-]*)"?[ \t]*=(?!=)[ \t]*')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_HEREDOC = re.compile(r"<<-?([A-Za-z_]\w*)\n.*?^[ \t]*\1[ \t]*$", re.S | re.M)
_COMMENT = re.compile(r"#[^\n]*|//[^\n]*|/\*.*?\*/", re.S)


def assignments(text):
    """The assignments of a file: name to the text of its value, comments left out. ValueError where it is not such a file."""
    found, at = {}, 0
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        if at >= len(text):
            return found
        name = _NAME.match(text, at)
        if not name:
            raise ValueError(f"line {text.count(chr(10), 0, at) + 1} is not of the form name = value")
        value, at = _value(text, name.end())
        found[name.group(1)] = value


def _value(text, at):
    """The expression that starts here: it ends with its line, unless a bracket is open."""
    parts, depth = [], 0
    while at < len(text):
        whole = _COMMENT.match(text, at)
        if whole:
            at = whole.end()
            continue
        whole = _STRING.match(text, at) or _HEREDOC.match(text, at)
        if whole:
            parts.append(whole.group())
            at = whole.end()
            continue
        char = text[at]
        if char == "\n" and depth == 0:
            break
        depth += (char in "[{(") - (char in "]})")
        parts.append(char)
        at += 1
    if depth:
        raise ValueError("a bracket is not closed")
    return "".join(parts).strip(), at


def string(value):
    """The content of a plain string literal; None for anything else."""
    return value[1:-1] if value and _STRING.fullmatch(value) and "\\" not in value and "${" not in value else None


def strings(value):
    """The content of a list of plain string literals; empty for anything else."""
    if not value or not value.startswith("["):
        return []
    return [string(part) for part in _STRING.findall(value)]


def only(found, names):
    """A tfvars file with those of the assignments that are in `names`."""
    return "".join(f"{name} = {value}\n" for name, value in found.items() if name in names)
