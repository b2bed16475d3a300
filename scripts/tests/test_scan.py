"""The register of what checkov leaves out, and what a finding does."""

import tempfile
import unittest
from pathlib import Path

import fakes  # noqa: F401  puts the scripts on the path

from holdfast_cli.core.errors import Failed
from holdfast_cli.verify import scan

ROOT = Path(__file__).resolve().parents[2]
BUCKET = 'resource "aws_s3_bucket" "this" {\n  #checkov:skip=CKV_AWS_144:One Region\n  bucket = "b"\n}\n'


def skips_of(text):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "main.tf").write_text(text)
        return scan.skips(Path(folder))


def answer(failed=(), **summary):
    results = {"failed_checks": list(failed), "skipped_checks": [], "parsing_errors": []}
    return results, {"failed": len(failed), "passed": 9, "skipped": 0, "parsing_errors": 0, "resource_count": 300, **summary}


class Register(unittest.TestCase):
    def test_it_has_every_exception_and_no_other(self):
        scan.compare(scan.skips(), scan.REGISTER.read_text(encoding="utf-8"))

    def test_what_is_written_is_read_again(self):
        found = skips_of(BUCKET)
        self.assertEqual(found, {("CKV_AWS_144", "aws_s3_bucket.this", "main.tf", "One Region")})
        self.assertEqual(scan.registered(scan.render(found, {"CKV_AWS_144": "Replication"})), found)

    def test_an_exception_that_is_not_registered_fails(self):
        with self.assertRaisesRegex(Failed, "aws_s3_bucket.this from CKV_AWS_144 is not in docs/security/checkov-skips.md"):
            scan.compare(skips_of(BUCKET), scan.render(set(), {}))

    def test_another_reason_than_the_registered_one_fails(self):
        with self.assertRaises(Failed):
            scan.compare(skips_of(BUCKET.replace("One Region", "Because")), scan.render(skips_of(BUCKET), {}))

    def test_a_registered_exception_that_is_gone_fails(self):
        with self.assertRaisesRegex(Failed, "no longer there"):
            scan.compare(set(), scan.render(skips_of(BUCKET), {}))

    def test_an_exception_without_a_reason_or_outside_a_resource_fails(self):
        for text in (BUCKET.replace(":One Region", ""), "#checkov:skip=CKV_AWS_1:Everywhere\n" + BUCKET):
            with self.assertRaisesRegex(Failed, "needs a reason, inside the resource"):
                skips_of(text)


class Judged(unittest.TestCase):
    FINDING = {"file_path": "/m/main.tf", "file_line_range": [3, 9], "check_id": "CKV_AWS_1", "check_name": "Something", "resource": "r"}

    def test_no_finding_passes(self):
        scan.judge(*answer(), 200)

    def test_a_finding_fails(self):
        with self.assertRaisesRegex(Failed, "1 failed"):
            scan.judge(*answer([self.FINDING]))

    def test_a_file_that_cannot_be_read_fails(self):
        results, summary = answer(parsing_errors=1)
        results["parsing_errors"] = ["/m/main.tf"]
        with self.assertRaisesRegex(Failed, "could not read /m/main.tf"):
            scan.judge(results, summary)

    def test_looking_at_nothing_fails(self):
        with self.assertRaisesRegex(Failed, "no resource"):
            scan.judge(*answer(resource_count=0))


if __name__ == "__main__":
    unittest.main()
