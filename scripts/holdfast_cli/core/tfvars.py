"""Reads `name = value` files of Terraform (tfvars, backend configuration)."""

from __future__ import annotations

import re
import textwrap
from typing import Any

Values = dict[str, Any]

_HEREDOC = re.compile(r"<<(-?)(\w+)\n(.*?)^[ \t]*\2[ \t]*", re.S | re.M)


def parse(text: str) -> Values:
    """The values of a file, by name. ValueError where it is not such a file."""
    # It takes a fifth of a second to load, and most verbs read no such file.
    import hcl2
    from lark.exceptions import LarkError

    options = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
    try:
        found: Values = hcl2.loads(text, serialization_options=options)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    except LarkError as error:
        line = getattr(error, "line", 0)
        raise ValueError(f"line {line} is not of the form name = value" if line and line > 0 else "it is not of the form name = value") from None
    return {name: _value(value) for name, value in found.items()}


def _value(value: Any) -> Any:
    """A value as Terraform has it: the parser leaves here-documents and escaped templates as they are written."""
    if isinstance(value, list):
        return [_value(part) for part in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {name: _value(part) for name, part in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(value, str):
        return value
    heredoc = _HEREDOC.fullmatch(value)
    if heredoc:
        value = textwrap.dedent(heredoc.group(3)) if heredoc.group(1) else heredoc.group(3)
    return value.replace("$${", "${").replace("%%{", "%{")


def string(value: Any) -> str | None:
    """A string that is there; None for anything else."""
    return value if isinstance(value, str) and value else None


def strings(value: Any) -> list[str]:
    """A list of strings; empty for anything else."""
    return [part for part in value if isinstance(part, str)] if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
