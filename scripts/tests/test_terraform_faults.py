"""The faults that are put into copies of the Terraform, and how their tests' verdicts are read."""

import re
import unittest
from pathlib import Path

import fakes  # noqa: F401

from holdfast_cli.core.errors import Failed
from holdfast_cli.verify import terraform_faults

ROOT = Path(__file__).resolve().parents[2]


def fault(**more):
    return terraform_faults.Fault(**{"what": "w", "file": "modules/a/main.tf", "find": "a", "replace": "b", "caught_by": "modules/a", **more})


class TheList(unittest.TestCase):
    def test_each_fault_fits_its_file_and_names_a_folder_with_tests(self):
        faults = terraform_faults.read()
        self.assertGreaterEqual(len(faults), 60)
        self.assertEqual(len({each.what for each in faults}), len(faults), "each is named once")
        for each in faults:
            terraform_faults.faulty((ROOT / "infra" / each.file).read_text(), each)
            self.assertTrue(list((ROOT / "infra" / each.caught_by / "tests").glob("*.tftest.hcl")), each.what)

    def test_every_kind_of_setting_is_among_them(self):
        text = terraform_faults.LIST.read_text()
        for kind in ("KMS", "point-in-time", "NEW_AND_OLD_IMAGES", "ttl", "deletion_protection", "non_key_attributes", "dlq", "maxReceiveCount", "visibility",
                     "log_retention_days", "x-holdfast-csrf", "expose", "allow_origins", "throttling", "event_archive_days", "topic_arns", "missing", "threshold",
                     "aws_ssm_parameter|sessions-stream-arn", "ALLOWED_ORIGINS", "MAX_SESSIONS_PER_USER", "REGISTRATION_ENABLED", "AUDIT_RETENTION_DAYS",
                     "reserved_concurrency", "filter_patterns", "batch_size", "on_failure"):
            self.assertRegex(text, kind)

    def test_every_stack_and_most_modules_have_some(self):
        folders = {each.caught_by for each in terraform_faults.read()} | {"/".join(each.file.split("/")[:2]) for each in terraform_faults.read()}
        self.assertLessEqual({f"stacks/{path.name}" for path in (ROOT / "infra" / "stacks").iterdir() if path.is_dir()}, folders)

    def test_a_fault_that_does_not_fit_is_refused(self):
        self.assertEqual(terraform_faults.faulty("x a y", fault()), "x b y")
        for text, each in (("x", fault()), ("a a", fault()), ("a", fault(replace="a"))):
            with self.assertRaises(Failed):
                terraform_faults.faulty(text, each)


class Verdicts(unittest.TestCase):
    def test_an_assertion_notices_and_an_error_of_the_fault_itself_does_not(self):
        def of(*summaries, severity="error"):
            return terraform_faults.verdict([{"type": "test_run"}, *({"@testfile": "f", "@testrun": "r", "diagnostic": {"severity": severity, "summary": summary}} for summary in summaries)])
        self.assertEqual(of("Test assertion failed"), ("caught", "f r"))
        self.assertEqual(of("Missing expected failure"), ("caught", "f r"))
        self.assertEqual(of("Invalid value for variable"), ("caught", "f r"))
        self.assertEqual(of("Unsupported argument", "Test assertion failed")[0], "invalid")
        self.assertEqual(terraform_faults.verdict([{"diagnostic": {"severity": "error", "summary": "Test assertion failed"}}])[0], "invalid", "of no run")
        self.assertEqual(terraform_faults.verdict([{"@testfile": "f", "@testrun": "r", "diagnostic": {
            "severity": "error", "summary": "Invalid index", "range": {"filename": "tests/a.tftest.hcl"}}}]), ("caught", "f r"))
        self.assertIsNone(of())
        self.assertIsNone(of("Deprecated", severity="warning"))

    def test_one_that_is_not_caught_fails_the_whole(self):
        caught, missed, invalid = (terraform_faults.Result(fault(what=what), what, "r", 1) for what in ("caught", "NOT CAUGHT", "invalid"))
        self.assertEqual(terraform_faults.figure([caught, caught]), "2 of 2 faults caught")
        for results in ([caught, missed], [invalid], []):
            with self.assertRaises(Failed):
                terraform_faults.figure(results)
        self.assertIn("| NOT CAUGHT | modules/a/main.tf | modules/a | NOT CAUGHT | 1 s |", terraform_faults.table([missed]))

    def test_a_sample_is_the_same_for_the_same_commit(self):
        faults = terraform_faults.read()
        self.assertEqual(terraform_faults.some(faults, 6, "abc"), terraform_faults.some(faults, 6, "abc"))
        self.assertNotEqual(terraform_faults.some(faults, 6, "abc"), terraform_faults.some(faults, 6, "abd"))
        self.assertTrue(re.fullmatch(r"[0-9a-f]{40}|0", terraform_faults.seed()))


if __name__ == "__main__":
    unittest.main()
