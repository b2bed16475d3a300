"""Every test that docs/security/asvs.md names exists."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Names in backticks of at least three words; what is shorter is an attribute or a route.
NAME = re.compile(r"`([a-z0-9]+(?:_[a-z0-9]+){2,})`")


def names_of(text):
    return set(NAME.findall(text))


def tests():
    listed = subprocess.run(["git", "ls-files", "*.rs", "*.py", "*.hcl"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = set()
    for name in listed.stdout.split():
        path = ROOT / name
        if path.exists():
            found |= set(re.findall(r"(?:fn|def|run \")\s*([a-z0-9_]+)", path.read_text()))
    return found


class Asvs(unittest.TestCase):
    def test_no_name_dangles(self):
        named = names_of((ROOT / "docs/security/asvs.md").read_text())
        self.assertGreater(len(named), 60)
        self.assertEqual(sorted(named - tests()), [])

    def test_every_item_of_chapter_7_is_there(self):
        items = re.findall(r"^\| (7\.\d\.\d) \|", (ROOT / "docs/security/asvs.md").read_text(), re.M)
        chapter = [(1, 3), (2, 4), (3, 2), (4, 5), (5, 3), (6, 2)]
        self.assertEqual(items, [f"7.{section}.{n}" for section, count in chapter for n in range(1, count + 1)])

    def test_a_dangling_name_is_found(self):
        self.assertEqual(names_of("`a_name_nobody_has` and `Secure` and `POST /v1`"), {"a_name_nobody_has"})


if __name__ == "__main__":
    unittest.main()
