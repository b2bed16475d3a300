"""Corrects how the local cloud selects the route of a WebSocket frame. It knows `$request.body.action` only, and sends a frame to `$default`
for every other expression. API Gateway also takes braces with a text after them, `${request.body.action}-frame` (API Gateway Developer Guide,
"WebSocket selection expressions"). `scripts/local/sitecustomize.py` installs it.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import re
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_MODULE = "ministack.services.apigateway"
_BRACES = re.compile(r"\$\{(request\.body\.[\w.]+)\}([\w.-]*)")


def correct(module: Any) -> None:
    known = module._evaluate_route_selection

    def evaluate(expression: str, frame: str) -> str:
        braces = _BRACES.fullmatch(expression or "")
        return known(f"${braces[1]}", frame) + braces[2] if braces else known(expression, frame)

    module._evaluate_route_selection = evaluate


class _AfterImport(importlib.abc.MetaPathFinder):
    """Corrects the module when it is imported. Functions in Python load this file too, and never import the module."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        loader = spec.loader if spec else None
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                correct(module)

            loader.exec_module = exec_module
        return spec


def install() -> None:
    sys.meta_path.insert(0, _AfterImport())
