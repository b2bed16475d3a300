"""Corrects a module of the local cloud when it is imported. Functions in Python load these files too, and never import such modules."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _AfterImport(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, correct: Callable[[Any], None]) -> None:
        self.name, self.correct = name, correct

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        loader = spec.loader if spec else None
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self.correct(module)

            loader.exec_module = exec_module
        return spec


def install(name: str, correct: Callable[[Any], None]) -> None:
    sys.meta_path.insert(0, _AfterImport(name, correct))
