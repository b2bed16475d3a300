"""What a check has accepted is not read again, and nothing else is skipped."""

import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fakes import read

from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT
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

    def test_every_file_that_a_check_reads_is_one_of_its_files(self):
        given = {}
        with mock.patch.object(accepted, "unless_accepted", lambda _, name, files, versions, check: given.update({name: (files, versions)})), \
                mock.patch.object(suite.tools, "node_package", lambda settings, name: Path(f"/{name}-1.2.3/node_modules/{name}")), \
                mock.patch.object(suite.tools, "node_modules"), mock.patch.object(suite.tools, "require"), \
                mock.patch.object(suite.Suite, "command"), mock.patch.object(suite.Suite, "say"):
            made = suite.Suite(self.settings)
            for step in (made.operator_tool, made.python_kit, made.javascript, made.node_kit, made.validate):
                step()
        lock = ROOT / "scripts" / "uv.lock"
        for name, folder, kind, other, version in (
            ("types of the operator tool", "scripts/holdfast_cli", "*.py", lock, "pyright-1.2.3"),
            ("types of the Python kit", "clients/python/src", "*.py", lock, "pyright-1.2.3"),
            ("types of the JavaScript client", "clients/javascript", "*.ts", ROOT / "clients/javascript/tsconfig.json", "typescript-1.2.3"),
            ("types of the Node kit", "clients/node/src", "*.js", ROOT / "clients/node/package-lock.json", "typescript-1.2.3"),
            ("terraform validate", "infra/stacks", "*.tf", ROOT / "services/functions.json", "terraform_version"),
            ("terraform validate", "infra/modules", "*.md", ROOT / "infra/docs.py", "terraform_version"),
        ):
            with self.subTest(name):
                files, versions = given[name]
                read = {file for file in (ROOT / folder).rglob(kind) if not {"node_modules", ".terraform"} & set(file.parts)}
                self.assertTrue(read)
                self.assertLessEqual(read | {other}, set(files))
                self.assertIn(version, " ".join(versions))

    def test_new_files_count_and_ignored_and_deleted_ones_do_not(self):
        subprocess.run(["git", "init", "-q", self.folder], check=True)
        (self.folder / ".gitignore").write_text("ignored.py\n")
        for name in ("gone.py", "ignored.py", "new.py"):
            (self.folder / name).write_text(name)
        subprocess.run(["git", "add", "one.py", "gone.py"], cwd=self.folder, check=True)
        (self.folder / "gone.py").unlink()
        with mock.patch.object(accepted, "ROOT", self.folder):
            self.assertEqual([file.name for file in accepted.files_of("new.py", "one.py", "gone.py", "ignored.py")], ["new.py", "one.py"])
            (self.folder / ".git" / "HEAD").unlink()
            with self.assertRaisesRegex(Failed, "git cannot list"):
                accepted.files_of("new.py")


if __name__ == "__main__":
    unittest.main()
