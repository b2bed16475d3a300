#!/usr/bin/env python3
"""Writes the zip of the function and the manifest of the release.

    build.py <output folder> <arm64 or x86_64> <path of the binary of handlers/rust>
"""

import hashlib
import json
import sys
import zipfile
from pathlib import Path


def main() -> None:
    if len(sys.argv) != 4 or sys.argv[2] not in ("arm64", "x86_64"):
        raise SystemExit(__doc__)
    folder, arch, binary = Path(sys.argv[1]).resolve(), sys.argv[2], Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "sign-in.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        # The same code makes the same zip: the entry has no time of its own.
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, binary.read_bytes())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    functions = {"sign-in": {"sha256": digest, "file": str(file), "s3Key": f"sign-in/{digest}.zip"}}
    manifest = folder / "release.json"
    manifest.write_text(json.dumps({"version": "example", "arch": arch, "functions": functions}, indent=2) + "\n", encoding="utf-8")
    print(manifest)


if __name__ == "__main__":
    main()
