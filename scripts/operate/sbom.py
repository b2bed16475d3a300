"""A bill of materials for each function (CycloneDX 1.6): the crates that its service's package depends on, by version and checksum, without
those that only tests use. The linker drops what a function does not call, so its executable may hold less than its bill names."""

import hashlib
import json
import re
import subprocess

import build
import cloud
import crates
from say import Failed, line
from settings import ROOT, TRIPLES

FOLDER = ROOT / "target" / "sbom"


def checksums(lock):
    """Checksum of every package of a Cargo.lock that has one, by name and version."""
    found = {}
    for part in lock.split("[[package]]")[1:]:
        fields = dict(re.findall(r'^(name|version|checksum) = "([^"]+)"$', part, re.M))
        if "checksum" in fields:
            found[fields["name"], fields["version"]] = fields["checksum"]
    return found


def linked(metadata, crate):
    """Ids of what a crate links, itself included: normal and build dependencies, as Cargo resolved them."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    start = next(p["id"] for p in metadata["packages"] if p["name"] == crate and p["source"] is None)
    found, todo = set(), [start]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo.extend(d["pkg"] for d in nodes[one]["deps"] if any(kind["kind"] != "dev" for kind in d["dep_kinds"]))
    return start, found


def bill(metadata, crate, function, sums):
    """The document for a function whose binary is in a crate. It is the same for the same Cargo.lock, so that two builds can be compared."""
    packages = {package["id"]: package for package in metadata["packages"]}
    start, ids = linked(metadata, crate)
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}

    def url(package_id):
        package = packages[package_id]
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def component(package_id):
        package = packages[package_id]
        found = {"type": "library", "bom-ref": url(package_id), "name": package["name"], "version": package["version"],
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


def write(settings):
    result = subprocess.run(["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", TRIPLES[settings.arch]],
                            cwd=ROOT, env=cloud.clean_environment(), capture_output=True, text=True, check=False)
    if result.returncode:
        raise Failed(f"cargo metadata: {(result.stderr.strip().splitlines() or ['no message'])[-1]}")
    metadata = json.loads(result.stdout)
    sums = checksums((ROOT / "Cargo.lock").read_text(encoding="utf-8"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    total, binaries = set(), crates.workspace().binaries
    for name in build.functions():
        document = bill(metadata, binaries[name], name, sums)
        total.update(component["bom-ref"] for component in document["components"])
        (FOLDER / f"{name}.cdx.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    digest = hashlib.sha256("\n".join(sorted(total)).encode()).hexdigest()[:12]
    line(f"{len(build.functions())} bills of materials in {FOLDER.relative_to(ROOT)}/: {len(total)} components in all ({digest})")
