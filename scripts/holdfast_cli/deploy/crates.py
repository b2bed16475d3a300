"""The workspace's own crates as `cargo metadata` sees them: who needs whom, and what a change touches."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from holdfast_cli.core import commands, environment
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT

# Whoever changes one of these changes every crate.
GLOBAL = ("Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo/")

Metadata = dict[str, Any]
Graph = dict[str, set[str]]


class Workspace:
    """The crates of the workspace.

    * `folders` maps a crate to its folder below the root.
    * `binaries` maps a function to its crate.
    * `needs` maps a crate to the workspace crates that it links, without those for tests only.
    """

    def __init__(self, metadata: Metadata) -> None:
        root = metadata["workspace_root"]
        members = set(metadata["workspace_members"])
        packages = [package for package in metadata["packages"] if package["id"] in members]
        names = {package["name"] for package in packages}
        self.packages: list[Metadata] = packages
        self.folders: dict[str, str] = {p["name"]: str(PurePosixPath(p["manifest_path"]).parent.relative_to(root)) for p in packages}
        self.binaries: dict[str, str] = {t["name"]: p["name"] for p in packages for t in p["targets"] if "bin" in t["kind"]}
        self.tests: set[str] = {t["name"] for p in packages for t in p["targets"] if "test" in t["kind"]}
        self.needs: Graph = {p["name"]: {d["name"] for d in p["dependencies"] if d["name"] in names and d["kind"] != "dev"}
                             for p in packages}
        self.test_needs: Graph = {p["name"]: {d["name"] for d in p["dependencies"] if d["name"] in names} for p in packages}

    def packages_of(self, functions: Iterable[str]) -> set[str]:
        """The packages that have the binaries of these functions."""
        return {self.binaries[name] for name in functions if name in self.binaries}

    def closure(self, names: Iterable[str]) -> set[str]:
        """These crates and all that they link."""
        found: set[str] = set()
        todo = [name for name in names if name in self.needs]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(self.needs[name])
        return found

    def dependents(self, names: Iterable[str], graph: Graph | None = None) -> set[str]:
        """These crates and all that link them."""
        graph, found = graph or self.needs, set(names)
        while True:
            more = {name for name, needs in graph.items() if needs & found} - found
            if not more:
                return found
            found |= more

    def needed_by_no(self, functions: Iterable[str]) -> list[str]:
        """Crates that nothing of `functions` links: tests, models, clients."""
        return sorted(set(self.folders) - self.closure(self.packages_of(functions)))

    def owner(self, path: str) -> str | None:
        """The crate a file belongs to, if to any."""
        return next((name for name, folder in self.folders.items() if path.startswith(folder + "/")), None)

    def affected(self, paths: list[str]) -> set[str]:
        """Crates whose code is other than before if these files changed: their own, and all that link one of those."""
        return self._touched(paths, self.needs)

    def to_test(self, paths: list[str]) -> set[str]:
        """Crates whose tests may end otherwise: what tests link counts, too."""
        return self._touched(paths, self.test_needs)

    def _touched(self, paths: list[str], graph: Graph) -> set[str]:
        if any(path.startswith(GLOBAL) for path in paths):
            return set(self.folders)
        return self.dependents({owner for owner in map(self.owner, paths) if owner}, graph)


def metadata(*arguments: str) -> Metadata:
    result = commands.output(["cargo", "metadata", "--format-version", "1", *arguments], cwd=ROOT, env=environment.clean())
    if result.returncode:
        raise Failed(f"cargo metadata: {(result.stderr.strip().splitlines() or ['no message'])[0]}")
    return json.loads(result.stdout)


def workspace() -> Workspace:
    return Workspace(metadata("--no-deps"))
