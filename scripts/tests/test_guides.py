"""The commands of guides: which are run and which are not, and how their output is compared."""

import os
import tempfile
import textwrap
import time
import unittest
from pathlib import Path

from fakes import settings

from holdfast_cli.verify import guides

ROOT = settings.ROOT


def page(text):
    return textwrap.dedent(text).replace("'''", "```")


def ran(text, patience=30, **environ):
    with tempfile.TemporaryDirectory() as folder:
        return guides.run(page(text), Path(folder), guides.environment(ROOT, {**os.environ, **environ}), patience)


class Pages(unittest.TestCase):
    """What the pages may leave out."""

    def blocks(self):
        return {name: guides.blocks((ROOT / "docs" / name).read_text(encoding="utf-8")) for name in guides.PAGES}

    def test_only_these_blocks_are_not_run(self):
        left_out = {name: [block.commands.splitlines()[0] for block in found if not block.is_run] for name, found in self.blocks().items()}
        self.assertEqual(left_out, {
            "protect-your-api.md": ["rustup target add aarch64-unknown-linux-gnu", "holdfast outputs policyDocuments.introspect --env staging >introspect.json"],
            "publish.md": ["holdfast outputs policyDocuments.publish --env staging >publish.json"],
            "own-sign-in.md": ["holdfast outputs policyDocuments.createSession --env staging >create-session.json"],
        })

    def test_each_page_has_its_test(self):
        tests = (ROOT / "scripts" / "live_tests" / "test_guides.py").read_text(encoding="utf-8")
        for name in guides.PAGES:
            self.assertEqual(tests.count(f'self.check("{name}")'), 1, name)

    def test_a_block_for_aws_alone_follows_a_sentence_that_says_so(self):
        for name, found in self.blocks().items():
            lines = (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines()
            for block in found:
                if not block.is_run:
                    before = next(text for text in reversed(lines[: block.line - 1]) if text.strip())
                    self.assertIn("for AWS only", before, f"{name}:{block.line}")

    def test_most_blocks_are_compared_with_what_they_print(self):
        for name, found in self.blocks().items():
            runs = [block for block in found if block.is_run]
            self.assertGreaterEqual(len(runs), 5, name)
            self.assertGreaterEqual(sum(block.expected is not None for block in runs) * 2, len(runs), name)


class Blocks(unittest.TestCase):
    def test_commands_come_in_order_with_their_output(self):
        found = guides.blocks(page("""
            # A page
            '''sh
            echo one
            '''
            It prints:
            '''text
            one
            '''
            '''hcl
            source = "x"
            '''
            '''sh aws
            rm -rf /
            '''
            '''sh
            echo two
            '''
            """))
        self.assertEqual([(each.line, each.commands, each.is_run, each.expected, each.form) for each in found], [
            (3, "echo one\n", True, "one\n", "text"), (13, "rm -rf /\n", False, None, ""), (16, "echo two\n", True, None, "")])

    def test_a_block_that_would_be_skipped_is_refused(self):
        for text in ("'''bash\nx\n'''\n", "'''\nx\n'''\n", "'''shell\nx\n'''\n", "'''sh  local\nx\n'''\n", "  '''sh\n  x\n  '''\n", "~~~sh\nx\n~~~\n", "'''sh\nx\n",
                     "'''text\nx\n'''\n", "'''sh aws\nx\n'''\n'''text\nx\n'''\n", "'''sh\nx\n'''\n'''text\nx\n'''\n'''json\n1\n'''\n"):
            with self.assertRaises(guides.Malformed, msg=text):
                guides.blocks(text.replace("'''", "```"))


class Comparisons(unittest.TestCase):
    def check(self, form, expected, printed, agrees):
        self.assertEqual(guides.matches(expected, printed, form), agrees, (expected, printed))

    def test_text_agrees_line_by_line(self):
        for expected, printed, agrees in (
                ("a\n", "a\n", True), ("a\n", "a", True), ("a\n", "b\n", False), ("a\n", "a\nb\n", False), ("a\n", "", False), ("", "", True),
                ("id …, ok\n", "id 4f, ok\n", True), ("id …, ok\n", "id , ok\n", False), ("id …, ok\n", "id 4\n, ok\n", False),
                ("…\nend\n", "a\nb\nend\n", True), ("…\nend\n", "end\n", True), ("…\nend\n", "a\n", False), ("a.c\n", "abc\n", False)):
            self.check("text", expected, printed, agrees)

    def test_json_agrees_by_structure(self):
        for expected, printed, agrees in (
                ('{"a": 1, "b": "…"}', '{"b":{"c":2},"a":1}', True), ('{"a": 1}', '{"a":1,"b":2}', False), ('{"a": 1, "…": "…"}', '{"a":1,"b":2}', True),
                ('{"a": 1, "…": "…"}', '{"b":2}', False), ('{"a": [1, "…"]}', '{"a":[1,2]}', True), ('{"a": [1]}', '{"a":[1,2]}', False),
                ('{"a": "hf1.…"}', '{"a":"hf1.x"}', True), ('{"a": "hf1.…"}', '{"a":"hf2.x"}', False), ('{"a": true}', '{"a":1}', False),
                ('{"a": 1}', "not JSON", False), ('{"a": 1}', "", False)):
            self.check("json", expected, printed, agrees)


class Runs(unittest.TestCase):
    def test_blocks_share_one_shell_and_an_empty_folder(self):
        self.assertEqual(ran("""
            '''sh
            greet() { echo "hello $1"; }
            mkdir here && cd here
            '''
            '''sh
            ls; greet "$(basename "$PWD")"
            '''
            '''text
            hello here
            '''
            """), [])

    def test_a_failing_command_ends_the_page_and_is_named_with_what_it_said(self):
        [wrong] = ran("""
            '''sh
            true
            '''
            '''sh
            echo before; false | cat; echo after
            '''
            '''sh
            echo never
            '''
            """)
        self.assertRegex(wrong, r"\Aline 5: ended with 1\nbefore\n\Z")

    def test_another_output_is_named_with_both(self):
        self.assertEqual(ran("""
            '''sh
            echo one; echo aside >&2
            '''
            '''text
            two
            '''
            """), ["line 2: printed\none\naside\nand not\ntwo\n"])

    def test_a_page_that_leaves_early_is_found(self):
        self.assertEqual(ran("""
            '''sh
            exit 0
            '''
            '''sh
            false
            '''
            """), ["line 5: was not reached"])

    def test_a_page_that_hangs_is_ended_with_what_it_has_started(self):
        began = time.monotonic()
        [wrong] = ran("""
            '''sh
            sleep 600 & sleep 600
            '''
            """, patience=0.5)
        self.assertIn("line 2: did not end within", wrong)
        self.assertLess(time.monotonic() - began, 60)

    def test_a_long_page_of_short_blocks_is_not_one_that_hangs(self):
        self.assertEqual(ran("\n".join(["'''sh\nsleep 2\n'''"] * 4), patience=6), [])

    def test_a_reader_has_no_account_and_no_variables_of_make(self):
        self.assertEqual(ran("""
            '''sh
            echo "${AWS_PROFILE-}${AWS_ACCESS_KEY_ID-}${ENV-}${PYTHONPATH-} $AWS_CONFIG_FILE"; ls "$HOLDFAST/Makefile" | sed 's/.*Make/Make/'
            '''
            '''text
             /dev/null
            Makefile
            '''
            """, AWS_PROFILE="mine", AWS_ACCESS_KEY_ID="key", ENV="production", PYTHONPATH="x"), [])


if __name__ == "__main__":
    unittest.main()
