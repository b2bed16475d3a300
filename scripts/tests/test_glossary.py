"""The glossary lists each term once, with one sentence, and each term is used outside of it."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?!term \||---)(.+?) \| (.+) \|$", PAGE, re.M)


def texts():
    """What people read: pages, Terraform and code, without the glossary."""
    listed = subprocess.run(["git", "ls-files", "*.md", "*.rs", "*.py", "*.tf"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in listed
            if (ROOT / name).exists() and name not in ("docs/glossary.md", "scripts/tests/test_glossary.py")}


def uses(term, text):
    """A term in any number: `slot` is used by "slots", `eviction` only alone."""
    words = re.escape(term.strip("`")).replace(r"\ ", r"[\s-]+")
    return re.search(rf"\b{words}(?:s|es)?\b", text, re.I)


class Glossary(unittest.TestCase):
    def test_each_term_is_used(self):
        whole = "\n".join(texts().values())
        self.assertGreater(len(ROWS), 50)
        self.assertEqual([term for term, _ in ROWS if not uses(term, whole)], [])

    def test_each_term_is_listed_once_in_alphabetical_order(self):
        terms = [term.strip("`").lower() for term, _ in ROWS]
        self.assertEqual(sorted({term for term in terms if terms.count(term) > 1}), [])
        for section in PAGE.split("\n## ")[1:]:
            listed = [term.strip("`").lower() for term, _ in re.findall(r"^\| (?!term \||---)(.+?) \| (.+) \|$", section, re.M)]
            self.assertEqual(listed, sorted(listed))

    def test_each_meaning_is_one_sentence(self):
        for term, meaning in ROWS:
            with self.subTest(term):
                self.assertRegex(meaning, r"^[A-Z].*\.$")
                self.assertNotRegex(meaning, r"\. [A-Z]")

    def test_the_readme_leads_to_it(self):
        self.assertIn("(docs/glossary.md)", (ROOT / "README.md").read_text(encoding="utf-8"))

    def test_a_term_without_a_use_would_be_found(self):
        self.assertIsNone(uses("slot", "slotted"))
        self.assertTrue(uses("trusted device", "Trusted\ndevices are listed"))


if __name__ == "__main__":
    unittest.main()
