#!/usr/bin/env python3
"""Writes the zips of the handlers and the manifest of the release.

    build.py <output folder> <arm64 or x86_64> <path of the binary of handlers/rust>
"""

import hashlib
import json
import sys
import zipfile
from pathlib import Path

HANDLERS = Path(__file__).resolve().parent / "handlers"


def below(folder: Path) -> dict[str, Path]:
    """Every file of a folder by its path in the zip, so that a handler can have dependencies (node_modules)."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def main() -> None:
    if len(sys.argv) != 4 or sys.argv[2] not in ("arm64", "x86_64"):
        raise SystemExit(__doc__)
    folder, arch, binary = Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    functions: dict[str, dict[str, str]] = {}
    for key, files in (
        ("orders-rust", {"bootstrap": binary}),
        ("orders-node", below(HANDLERS / "node")),
        ("orders-python", {"handler.py": HANDLERS / "python/handler.py"}),
    ):
        file = folder / f"{key}.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, source in files.items():
                # The same code makes the same zip: an entry has no time of its own.
                entry = zipfile.ZipInfo(name)
                entry.external_attr = 0o755 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, source.read_bytes())
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        functions[key] = {"sha256": digest, "file": str(file), "s3Key": f"{key}/{digest}.zip"}
    manifest = folder / "release.json"
    manifest.write_text(json.dumps({"version": "example", "arch": arch, "functions": functions}, indent=2) + "\n", encoding="utf-8")
    print(manifest)


if __name__ == "__main__":
    main()
