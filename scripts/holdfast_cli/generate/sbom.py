"""A bill of materials for each function (CycloneDX 1.6): the crates that its service's package depends on, by version and checksum, without
those that only tests use. The linker drops what a function does not call, so its executable may hold less than its bill names."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from holdfast_cli.core import catalogue
from holdfast_cli.core.console import line
from holdfast_cli.core.settings import ROOT, TRIPLES, Settings
from holdfast_cli.deploy import crates
from holdfast_cli.deploy.crates import Metadata

FOLDER = ROOT / "target" / "sbom"

# By name and version.
Checksums = dict[tuple[str, str], str]


def checksums(lock: str) -> Checksums:
    """Checksum of every package of a Cargo.lock that has one, by name and version."""
    found: Checksums = {}
    for part in lock.split("[[package]]")[1:]:
        fields = dict(re.findall(r'^(name|version|checksum) = "([^"]+)"$', part, re.M))
        if "checksum" in fields:
            found[fields["name"], fields["version"]] = fields["checksum"]
    return found


def linked(metadata: Metadata, crate: str) -> tuple[str, set[str]]:
    """Ids of what a crate links, itself included: normal and build dependencies, as Cargo resolved them."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    start = next(p["id"] for p in metadata["packages"] if p["name"] == crate and p["source"] is None)
    found: set[str] = set()
    todo: list[str] = [start]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo.extend(d["pkg"] for d in nodes[one]["deps"] if any(kind["kind"] != "dev" for kind in d["dep_kinds"]))
    return start, found


def bill(metadata: Metadata, crate: str, function: str, sums: Checksums) -> dict[str, Any]:
    """The document for a function whose binary is in a crate. It is the same for the same Cargo.lock, so that two builds can be compared."""
    packages = {package["id"]: package for package in metadata["packages"]}
    start, ids = linked(metadata, crate)
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

    def url(package_id: str) -> str:
        package = packages[package_id]
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def component(package_id: str) -> dict[str, Any]:
        package = packages[package_id]
        found: dict[str, Any] = {"type": "library", "bom-ref": url(package_id), "name": package["name"], "version": package["version"],
                                 "purl": url(package_id)}
        if package.get("license"):
            found["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        checksum = sums.get((package["name"], package["version"]))
        if checksum:
            found["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        return found

    inner = sorted(ids - {start}, key=url)
    application = f"pkg:cargo/{function}@{packages[start]['version']}"
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": {**component(start), "bom-ref": application, "name": function, "purl": application, "type": "application"}},
        "components": [component(one) for one in inner],
        "dependencies": [{"ref": application if one == start else url(one),
                          "dependsOn": sorted({url(d) for d in nodes[one]["dependencies"] if d in ids})} for one in [start, *inner]],
    }


def write(settings: Settings) -> None:
    metadata = crates.metadata("--locked", "--filter-platform", TRIPLES[settings.arch])
    binaries, functions = crates.workspace().binaries, catalogue.functions()
    sums = checksums((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    total: set[str] = set()
    for name in functions:
        document = bill(metadata, binaries[name], name, sums)
        total.update(component["bom-ref"] for component in document["components"])
        (FOLDER / f"{name}.cdx.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    digest = hashlib.sha256("\n".join(sorted(total)).encode()).hexdigest()[:12]
    line(f"{len(functions)} bills of materials in {FOLDER.relative_to(ROOT)}/: {len(total)} components in all ({digest})")
