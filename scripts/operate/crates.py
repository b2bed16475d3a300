"""The workspace's own crates as `cargo metadata` sees them: who needs whom, and what a change touches."""

import json
import subprocess
from pathlib import PurePosixPath

import cloud
from say import Failed
from settings import ROOT

# Whoever changes one of these changes every crate.
GLOBAL = ("Cargo.toml", "Cargo.lock", "rust-toolchain.toml", ".cargo/")


class Workspace:
    """`folders`: crate to its folder below the root; `needs`: crate to the workspace crates it links (not for tests only)."""

    def __init__(self, metadata):
        root = metadata["workspace_root"]
        members = set(metadata["workspace_members"])
        packages = [package for package in metadata["packages"] if package["id"] in members]
        names = {package["name"] for package in packages}
        self.packages = packages
        self.folders = {p["name"]: str(PurePosixPath(p["manifest_path"]).parent.relative_to(root)) for p in packages}
        self.binaries = {t["name"]: p["name"] for p in packages for t in p["targets"] if "bin" in t["kind"]}
        self.needs = {p["name"]: {d["name"] for d in p["dependencies"] if d["name"] in names and d["kind"] != "dev"}
                      for p in packages}
        self.test_needs = {p["name"]: {d["name"] for d in p["dependencies"] if d["name"] in names} for p in packages}

    def closure(self, names):
        """These crates and all that they link."""
        found, todo = set(), [name for name in names if name in self.needs]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(self.needs[name])
        return found

    def dependents(self, names, graph=None):
        """These crates and all that link them."""
        graph, found = graph or self.needs, set(names)
        while True:
            more = {name for name, needs in graph.items() if needs & found} - found
            if not more:
                return found
            found |= more

    def needed_by_no(self, functions):
        """Crates that nothing of `functions` links: tests, models, clients."""
        return sorted(set(self.folders) - self.closure(functions))

    def owner(self, path):
        """The crate a file belongs to, if to any."""
        return next((name for name, folder in self.folders.items() if path.startswith(folder + "/")), None)

    def affected(self, paths):
        """Crates whose code is other than before if these files changed: their own, and all that link one of those."""
        if any(path.startswith(GLOBAL) for path in paths):
            return set(self.folders)
        return self.dependents({owner for owner in map(self.owner, paths) if owner})

    def to_test(self, paths):
        """Crates whose tests may end otherwise: what tests link counts, too."""
        if any(path.startswith(GLOBAL) for path in paths):
            return set(self.folders)
        return self.dependents({owner for owner in map(self.owner, paths) if owner}, self.test_needs)


def workspace():
    result = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT,
                            env=cloud.clean_environment(), capture_output=True, text=True, check=False)
    if result.returncode:
        raise Failed(f"cargo metadata: {(result.stderr.strip().splitlines() or ['no message'])[0]}")
    return Workspace(json.loads(result.stdout))
