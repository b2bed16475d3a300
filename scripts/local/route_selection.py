"""Corrects how the local cloud selects the route of a WebSocket frame. It knows `$request.body.action` only, and sends a frame to `$default`
for every other expression. API Gateway also takes braces with a text after them, `${request.body.action}-frame` (API Gateway Developer Guide,
"WebSocket selection expressions"). `scripts/local/sitecustomize.py` installs it.
"""

from __future__ import annotations

import re
from typing import Any

import after_import

_MODULE = "ministack.services.apigateway"
_BRACES = re.compile(r"\$\{(request\.body\.[\w.]+)\}([\w.-]*)")


def correct(module: Any) -> None:
    known = module._evaluate_route_selection

    def evaluate(expression: str, frame: str) -> str:
        braces = _BRACES.fullmatch(expression or "")
        return known(f"${braces[1]}", frame) + braces[2] if braces else known(expression, frame)

    module._evaluate_route_selection = evaluate


def install() -> None:
    after_import.install(_MODULE, correct)
