"""Tests of the prose check: each rule finds what it is for and accepts its correction, and the real text has no finding."""

import contextlib
import io
import json
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from fakes import read, settings

from holdfast_cli.verify import passages, prose, suite

ROOT = settings.ROOT
DATA = json.loads(prose.RULES.read_text(encoding="utf-8"))
RULES = prose.Rules(DATA, {"docs/api.md", "README.md"})


def found(text, file="docs/page.md"):
    return [(finding.rule, finding.line) for finding in RULES.findings(file, text)]


def subject(text):
    return bool(prose.of_subject(text))


class Words(unittest.TestCase):
    def test_each_pattern_compiles_and_has_a_replacement(self):
        self.assertGreater(len(RULES.words), 50)
        self.assertEqual([pattern.pattern for pattern, better in RULES.words if not better], [])

    def test_private_vocabulary_is_found_with_its_line_and_a_replacement(self):
        text = "# Page\n\nThe message is\nhanded on to the queue.\n"
        self.assertEqual([str(finding) for finding in RULES.findings("docs/page.md", text)],
                         ["docs/page.md:3: word: 'handed on': better: forward, pass or requeue"])

    def test_the_riddles_of_the_table_are_found(self):
        for riddle in ("Something the reader needs is away.", "What broke is mended.", "Whoever calls it waits.", "The cache, of which there are two, is full.",
                       "It prints what the cache is made of.", "There is no way back.", "A network that registers too often is told so.",
                       "Nobody reads it.", "The session is over."):
            with self.subTest(riddle):
                self.assertIn("word", {rule for rule, _ in found(riddle)})

    def test_the_corrections_of_the_table_are_accepted(self):
        for better in ("A dependency is unavailable.", "After you fix the cause, send the messages again.", "A broadcast is limited by the account's request quota.",
                       "Clients disconnect without a `$disconnect` event.", "All credential failures return the same error.",
                       "DynamoDB is the source of truth."):
            with self.subTest(better):
                self.assertEqual(found(better), [])

    def test_code_and_links_are_not_read(self):
        self.assertEqual(found("See `nobody_is_let_in` and [the page](nobody.html).\n\n```sh\necho gone\n```\n"), [])

    def test_what_is_generated_from_descriptions_is_read_there_only(self):
        self.assertEqual(found("<!-- inputs and outputs: written by x -->\n| a | nobody |\n<!-- end -->\n"), [])


class Sentences(unittest.TestCase):
    def test_a_long_sentence_is_found_and_two_short_ones_are_accepted(self):
        half = "word " * 16
        self.assertEqual(found(f"A {half}and {half}end."), [("length", 1)])
        self.assertEqual(found(f"A {half}end. And {half}end."), [])

    def test_code_in_parentheses_is_not_counted(self):
        names = ", ".join(f"`a_test_with_the_number_{number}`" for number in range(40))
        self.assertEqual(found(f"A session has one successor. ({names})"), [])

    def test_the_clauses_of_a_cell_are_counted_one_by_one(self):
        clause = "word " * 20
        self.assertEqual(found(f"| {clause}; {clause} |"), [])
        self.assertEqual(found(f"| {clause}, {clause} |"), [("length", 1)])

    def test_two_colons_are_too_many(self):
        self.assertEqual(found("This is it: that: those."), [("colons", 1)])
        self.assertEqual(found("This is it: those. Another is: that."), [])


class Headings(unittest.TestCase):
    def test_a_sentence_or_a_question_is_found(self):
        for heading in ("What it costs", "The cache is down", "Why another one?", "What a client says"):
            with self.subTest(heading):
                self.assertEqual(found(f"## {heading}"), [("heading", 1)])

    def test_nouns_and_tasks_are_accepted(self):
        for heading in ("Rollback", "Server messages", "Protect your own API", "Costs", "Reproduce a release"):
            with self.subTest(heading):
                self.assertEqual(found(f"## {heading}"), [])


class Documents(unittest.TestCase):
    def test_a_document_that_does_not_exist_is_found(self):
        self.assertEqual(found("See push.md."), [("document", 1)])
        self.assertEqual(found("Limits of a frame (contract §3)."), [("document", 1)])

    def test_what_exists_and_standards_are_accepted(self):
        self.assertEqual(found("See docs/api.md, api.md, README.md, RFC 9110 §13.1 and [a page](other.md)."), [])
        self.assertEqual(found("It writes report.md."), [])


class Files(unittest.TestCase):
    def test_descriptions_of_terraform_are_read(self):
        self.assertEqual(found('variable "a" {\n  description = "What nobody reads."\n}\n', "infra/a.tf"), [("word", 2)])

    def test_docstrings_and_messages_of_the_tool_are_read(self):
        text = '"""Reads it.\n\nNobody else does.\n"""\n\ndef go():\n    """Which."""\n    raise Failed(f"{x} is what nobody has")\n'
        self.assertEqual(found(text, "scripts/holdfast_cli/a.py"), [("word", 3), ("short", 7), ("word", 8)])

    def test_doc_comments_of_rust_are_read_and_other_comments_are_not(self):
        text = "//! Reads\n//! frames.\n\n// nobody\n/// Which.\npub struct A;\n\n/// Whoever asks is answered.\n///\n/// # Errors\n/// None.\nfn a() {}\n"
        self.assertEqual(found(text, "shared/a/src/lib.rs"), [("short", 1), ("short", 5), ("word", 8)])

    def test_paragraphs_items_and_cells_keep_their_lines(self):
        text = "# A\n\none\ntwo\n* three\n  four\n\n| a | b |\n|---|---|\n| c | d |\n"
        self.assertEqual([(passage.kind, passage.line, passage.text) for passage in passages.markdown(text)],
                         [("heading", 1, "A"), ("paragraph", 3, "one two"), ("paragraph", 5, "three four"), ("cell", 8, "a"), ("cell", 8, "b"),
                          ("cell", 10, "c"), ("cell", 10, "d")])


class Verdict(unittest.TestCase):
    def checked(self, found):
        """Exit code and output of the check, with these findings."""
        with mock.patch.object(prose, "findings", lambda _: found), mock.patch.object(prose, "subjects", lambda *_: []), \
                contextlib.redirect_stdout(io.StringIO()) as said:
            return prose.main(), said.getvalue().splitlines()

    def test_one_finding_fails_and_is_printed(self):
        finding = prose.Finding("shared/a/src/lib.rs", 1, "word", "'gone'")
        self.assertEqual(self.checked([finding]), (1, [str(finding), "1 findings"]))

    def test_none_pass(self):
        self.assertEqual(self.checked([]), (0, ["0 findings"]))


class Gate(unittest.TestCase):
    def test_the_fast_check_and_the_test_of_everything_run_it(self):
        commands = []
        with mock.patch.object(suite.Suite, "command", lambda _, *command, **__: commands.append(command)):
            dict(step for lane in suite.Suite(read()).static() for step in lane)["text and commit subjects"]()
        self.assertEqual([command[1:] for command in commands], [("-m", "holdfast_cli.verify.prose")])


class Subjects(unittest.TestCase):
    def test_the_imperative_is_accepted(self):
        for text in ("Cap registration attempts per network", "Process records in order", "Bypass the user's proxy for loopback addresses", "Focus the test",
                     "Embed the page", "Re-enable the topic hook test"):
            with self.subTest(text):
                self.assertFalse(subject(text))

    def test_sentences_and_other_forms_are_not(self):
        for text in ("A network that registers too often is told so", "The proxy is bypassed", "It works", "Adds a test", "Added a test", "Adding a test",
                     "add a test", "Add a test.", "Add " + "x" * 69, "When a test fails, show why"):
            with self.subTest(text):
                self.assertTrue(subject(text))

    def test_commits_since_the_base_are_read_and_merges_are_not(self):
        with tempfile.TemporaryDirectory() as folder:
            def git(*arguments):
                identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
                return subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

            def commit(text):
                git("commit", "-q", "--allow-empty", "-m", text)
                return git("rev-parse", "HEAD")

            git("init", "-q")
            commit("it was before the rule.")
            base = commit("the base")
            git("checkout", "-q", "-b", "other")
            known = commit("Adds what is known")
            git("checkout", "-q", "main")
            commit("Add one")
            git("merge", "-q", "--no-ff", "-m", "a merge of other", "other")
            bad = commit("Adds another")
            with mock.patch.object(prose, "ROOT", Path(folder)):
                self.assertEqual([line.split(":")[0] for line in prose.subjects(base, [known])], [f"commit {bad[:9]}"])
                with mock.patch("builtins.print") as printed:
                    self.assertEqual(prose.subjects("0" * 40), [])
                self.assertIn("skipped", printed.call_args.args[0])


if __name__ == "__main__":
    unittest.main()
