"""What `make prove` makes of the proofs' output, and that the documentation knows every one."""

import os
import re
import sys
import unittest
from pathlib import Path

import fakes  # noqa: F401

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.verify import prove

ROOT = Path(__file__).resolve().parents[2]


class Figures(unittest.TestCase):
    def test_the_last_of_each_figure_counts(self):
        output = "10 of it\n20 of it\nand 3 more\n"
        self.assertEqual(prove.figure_of(output, [r"\d+ of it", r"\d+ more"]), "20 of it; 3 more")

    def test_a_proof_that_says_nothing_has_not_run(self):
        with self.assertRaises(Failed):
            prove.figure_of("test result: ok. 0 passed", [r"\d+ faults"])

    def test_tests_are_counted_over_all_that_ran(self):
        self.assertEqual(prove.tests_passed("test result: ok. 7 passed; 0\ntest result: ok. 3 passed; 0\n"), "10 tests passed")
        with self.assertRaises(Failed):
            prove.tests_passed("test result: ok. 0 passed; 0 failed\n")


class Choice(unittest.TestCase):
    def test_all_or_those_named(self):
        self.assertEqual(len(prove.chosen("")), len(prove.STEPS))
        self.assertEqual([key for key, _, _ in prove.chosen("cloud,model")], ["model", "cloud"])
        with self.assertRaises(Refused):
            prove.chosen("everything")

    def test_the_documentation_knows_every_proof(self):
        text = (ROOT / "docs" / "correctness.md").read_text()
        self.assertEqual(re.findall(r"^\| `(\w+)` \| ", text, re.M), [key for key, _, _ in prove.STEPS])

    def test_a_figure_stands_in_every_row_and_a_failure_too(self):
        table = prove.table([("a", "what", "12 of 12", 3.4, "holds"), ("b", "more", "exit code 1", 60, "FAILED")])
        self.assertIn("| a | what | 12 of 12 | 3 s | holds |", table)
        self.assertIn("| b | more | exit code 1 | 60 s | FAILED |", table)


class Runs(unittest.TestCase):
    def test_output_is_shown_and_kept_and_the_exit_code_with_it(self):
        code, output = prove.spoken([sys.executable, "-c", "print('said'); raise SystemExit(3)"], dict(os.environ))
        self.assertEqual((code, output), (3, "said\n"))


if __name__ == "__main__":
    unittest.main()
