"""JSON that an operator gives to a verb."""

from __future__ import annotations

import json
from typing import Any


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def loads(text: str) -> Any:
    """Reads JSON. A repeated name is an error, as it is for Holdfast, because Python's own reader would silently drop all values but the last.

    Raises ValueError.
    """
    return json.loads(text, object_pairs_hook=_members)
