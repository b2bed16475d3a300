"""Every relative link of the documentation leads to a file, and every anchor to a heading."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def anchors(text):
    """Headings as GitHub names them."""
    return {re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}


def dangling(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8"))):
            yield link


class Links(unittest.TestCase):
    def test_none_dangles(self):
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        self.assertGreater(len(listed), 40)
        self.assertEqual([f"{name}: {link}" for name in listed if (ROOT / name).exists() for link in dangling(ROOT / name)], [])

    def test_a_dangling_one_is_found(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.md"
            page.write_text("# A heading\n[a](page.md#a-heading) [b](page.md#none) [c](gone.md) [d](https://example.com/x)\n")
            self.assertEqual(list(dangling(page)), ["page.md#none", "gone.md"])


if __name__ == "__main__":
    unittest.main()
