"""Every test that a document names exists, and the list of failure modes has every row."""

import re
import unittest

from test_asvs import ROOT, names_of, tests

DOCUMENTS = ("docs/failure-modes.md", "docs/correctness.md", "docs/article.md", "ARCHITECTURE.md")


class NamedTests(unittest.TestCase):
    def test_no_name_dangles(self):
        existing = tests()
        for document in DOCUMENTS:
            with self.subTest(document):
                named = names_of((ROOT / document).read_text())
                self.assertTrue(named)
                self.assertEqual(sorted(named - existing), [])

    def test_every_failure_mode_is_there_and_names_a_test(self):
        rows = re.findall(r"^\| ([\d, ]+) \| (.*) \|$", (ROOT / "docs/failure-modes.md").read_text(), re.M)
        numbers = [int(number) for row, _ in rows for number in row.split(", ")]
        self.assertEqual(numbers, [*range(1, 39), *range(44, 49), *range(59, 67)])
        for row, text in rows:
            shown = text.rsplit(" | ", 1)[1]
            self.assertTrue(names_of(shown), f"row {row} names no test")


if __name__ == "__main__":
    unittest.main()
