"""What a check has accepted is not read again, and nothing else is skipped."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fakes import read

from holdfast_cli.core.errors import Failed
from holdfast_cli.verify import accepted, suite


class Accepted(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.settings = read(HOLDFAST_TOOLS=str(self.folder / "tools"))
        self.file = self.folder / "one.py"
        self.file.write_text("one")
        self.called = 0

    def check(self):
        self.called += 1

    def done(self, *, name="types", files=None, versions=("1",), check=None):
        return accepted.unless_accepted(self.settings, name, files or [self.file], versions, check or self.check)

    def test_the_same_files_are_checked_once(self):
        self.assertEqual([self.done(), self.done(), self.done()], [True, False, False])
        self.assertEqual(self.called, 1)

    def test_each_change_is_checked(self):
        other = self.folder / "two.py"
        other.write_text("one")
        self.done()
        self.file.write_text("changed")
        self.assertTrue(self.done(), "another content")
        self.assertTrue(self.done(files=[self.file, other]), "one file more")
        self.assertTrue(self.done(files=[other]), "another name")
        self.assertTrue(self.done(files=[other], versions=("2",)), "another version")
        self.assertTrue(self.done(name="others", files=[other], versions=("2",)), "another check")

    def test_a_refusal_is_not_stored(self):
        def refuse():
            raise Failed("an error")
        for _ in range(2):
            with self.assertRaises(Failed):
                self.done(check=refuse)
        self.assertTrue(self.done())

    def test_a_change_during_the_check_is_found_by_the_next(self):
        self.done(check=lambda: self.file.write_text("changed"))
        self.assertTrue(self.done())

    def test_the_types_of_every_file_of_the_tool_and_the_kit_are_checked(self):
        given = {}
        with mock.patch.object(accepted, "unless_accepted", lambda _, name, files, versions, check: given.update({name: (files, versions)})), \
                mock.patch.object(suite.tools, "node_package", lambda settings, name: Path(f"/{name}-1.2.3/node_modules/{name}")), \
                mock.patch.object(suite.Suite, "command"), mock.patch.object(suite.Suite, "say"):
            made = suite.Suite(self.settings)
            made.operator_tool()
            made.python_kit()
        for name, package in (("types-scripts-holdfast_cli", "scripts/holdfast_cli"), ("types-clients-python-src", "clients/python/src")):
            files, versions = given[name]
            self.assertLessEqual(set((suite.ROOT / package).rglob("*.py")), set(files))
            self.assertIn(suite.ROOT / "scripts" / "uv.lock", files)
            self.assertIn("pyright-1.2.3", versions)


if __name__ == "__main__":
    unittest.main()
