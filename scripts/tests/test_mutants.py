"""The mutants: how they look behind a switch, what a compiler's error means, which tests run, and the register of survivors."""

import importlib.util
import os
import re
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

import fakes  # noqa: F401

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.verify import mutant_tests, mutant_tree, mutants, rust_faults, switches

ROOT = Path(__file__).resolve().parents[2]


def place(source, text, nth=0):
    """The span of a text, as cargo-mutants gives it."""
    start = -1
    for _ in range(nth + 1):
        start = source.index(text, start + 1)

    def at(offset):
        before = source[:offset]
        return {"line": before.count("\n") + 1, "column": offset - (before.rfind("\n") + 1) + 1}
    return {"start": at(start), "end": at(start + len(text))}


def mutant(number, genre, source, text, replacement="", nth=0, returns=""):
    return {"id": number, "genre": genre, "span": place(source, text, nth), "replacement": replacement,
            "function": {"function_name": "f", "return_type": returns}}


def switched(source, *given):
    """The source with these mutants behind switches, and the tool's answer."""
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.rs", Path(folder) / "after.rs"
        before.write_text(source, encoding="utf-8")
        answer = switches.put(before, after, given)
        return after.read_text(encoding="utf-8").replace("::holdfast_switch::", ""), answer


@unittest.skipUnless(importlib.util.find_spec("tree_sitter_rust"), "make tools has not installed what reads Rust")
class Switches(unittest.TestCase):
    def test_a_body_may_return_early(self):
        source = "fn f(a: u8) -> bool {\n    // Ünï\n    a > 1\n}\n"
        text, _ = switched(source, mutant(1, "FnValue", source, "a > 1", "true"), mutant(2, "FnValue", source, "a > 1", "false"))
        self.assertIn("    if on(1) { return true; } if on(2) { return false; } a > 1\n}", text)

    def test_a_fault_replaces_a_whole_expression_and_keeps_the_switches_inside(self):
        source = "fn f() -> bool {\n    g(a > 1)?;\n}\n"
        text, answer = switched(source, mutant(1, "BinaryOperator", source, ">", "<", nth=1), mutant(7, "Fault", source, "g(a > 1)?", "()"))
        self.assertIn("    (if off(7, 7) { (g((if off(1, 1) { (a > 1) } else { ((a) < (1)) }))?) } else { () });", text)
        self.assertEqual(answer.cannot, {})
        _, answer = switched(source, mutant(7, "Fault", source, "g(a >", "h(a >"))
        self.assertEqual(answer.cannot, {7: "its text is not a whole expression"})

    def test_an_operator_keeps_its_operands_whatever_their_precedence(self):
        source = "fn f() -> bool {\n    \"ü\"; x as usize > 1 && y\n}\n"
        text, _ = switched(source, mutant(1, "BinaryOperator", source, "&&", "||"), mutant(2, "BinaryOperator", source, ">", "==", nth=1),
                           mutant(3, "BinaryOperator", source, ">", "<", nth=1))
        self.assertIn("(if off(1, 1) { ((if off(2, 3) { (x as usize > 1) } else if is(2) { ((x as usize) == (1)) } "
                      "else { ((x as usize) < (1)) }) && y) } else { ((x as usize > 1) || (y)) })", text)

    def test_an_assignment_and_a_negation_are_operators_too(self):
        source = "fn f() {\n    a.b += 2;\n    if !c() {}\n}\n"
        text, _ = switched(source, mutant(1, "BinaryOperator", source, "+=", "-="), mutant(2, "UnaryOperator", source, "!"))
        self.assertIn("(if off(1, 1) { (a.b += 2) } else { ((a.b) -= (2)) });", text)
        self.assertIn("if (if off(2, 2) { (!c()) } else { (c()) }) {}", text)

    def test_an_arm_goes_by_a_guard_and_a_guard_is_replaced(self):
        source = "fn f() {\n    match a { A => 1, B(x) if x > 2 => 3, _ => 4 };\n}\n"
        text, _ = switched(source, mutant(1, "MatchArm", source, "A => 1"), mutant(2, "MatchArmGuard", source, "x > 2", "true"),
                           mutant(3, "MatchArmGuard", source, "x > 2", "false"), mutant(4, "BinaryOperator", source, ">", "<", nth=1))
        self.assertIn("A if off(1, 1) => 1,", text)
        self.assertIn("if (if off(2, 3) { ((if off(4, 4) { (x > 2) } else { ((x) < (2)) })) } else if is(2) { (true) } else { (false) }) => 3", text)

    def test_an_arm_stays_where_no_other_catches_the_rest(self):
        source = "fn f() {\n    match a { _ if b => 1, None => 2, Some(c) => c };\n}\n"
        text, answer = switched(source, mutant(1, "MatchArm", source, "None => 2"))
        self.assertEqual(text, source)
        self.assertEqual(answer.cannot, {1: ""}, "it does not compile")

    def test_a_field_is_left_to_the_base_of_its_struct(self):
        source = "fn f() {\n    S { a: 1, ..d }; T { b, c: S { a: 2, ..d }, ..Default::default() };\n}\n"
        text, _ = switched(source, mutant(1, "StructField", source, "a: 1,"), mutant(2, "StructField", source, "b,"),
                           mutant(3, "StructField", source, "c: S { a: 2, ..d },"), mutant(4, "StructField", source, "a: 2,"))
        self.assertIn("S { a: (if off(1, 1) { (1) } else { (d).a }), ..d }", text)
        self.assertIn("b: (if off(2, 2) { (b) } else { { let holdfast_base: T = Default::default(); holdfast_base.b } })", text)
        self.assertIn("c: (if off(3, 3) { (S { a: (if off(4, 4) { (2) } else { (d).a }), ..d }) } else", text)

    def test_a_function_of_one_unnamed_type_returns_either_of_two(self):
        source = "fn f() -> impl Iterator<Item = u8> {\n    a().filter(|x| !x)\n}\n"
        more = {"text": "a().filter(|x| !x)", "returns": "-> impl Iterator<Item = u8>"}
        text, answer = switched(source, mutant(1, "FnValue", source, replacement="empty()", **more), mutant(2, "UnaryOperator", source, "!"),
                                mutant(3, "FnValue", source, replacement="once(0)", **more))
        self.assertIn("if on(1) { Either::Other(empty()) } else { Either::Same(if on(3) { Either::Other(once(0)) } else { Either::Same("
                      "{ a().filter(|x| (if off(2, 2) { (!x) } else { (x) })) }) }) }", text)
        self.assertEqual([number for *_, number in answer.branches], [1, 3, 2])

    def test_what_cannot_be_switched_is_said(self):
        source = ("const A: u8 = 2 + 3;\nfn f() -> u8 {\n    let b = [0; 1 + 1];\n"
                  "    if let Some(c) = d && e {}\n    x()\n}\n")
        text, answer = switched(source, mutant(1, "BinaryOperator", source, "+", "-"), mutant(2, "BinaryOperator", source, "+", "*", nth=1),
                                mutant(3, "BinaryOperator", source, "&&", "||"))
        self.assertEqual(text, source)
        self.assertEqual(answer.cannot[3], "", "no mutant of a let chain compiles")
        self.assertTrue(all("constant" in answer.cannot[number] for number in (1, 2)))

    def test_where_a_branch_stands_is_known(self):
        source = "fn f() -> bool {\n    a == b\n}\n"
        text, answer = switched(source, mutant(1, "BinaryOperator", source, "==", "!="))
        (start, end, number), = answer.branches
        self.assertEqual((text.replace("off", "::holdfast_switch::off")[start:end], number), ("((a) != (b))", 1))


class Change(unittest.TestCase):
    def test_a_change_of_comments_has_no_mutants(self):
        head = "--- a/a.rs\n+++ b/a.rs\n@@ -1,2 +1,2 @@\n"
        for lines, expected in (("-// old\n+// new\n", False), ("-let a = 1;\n", False), ("+\n+    /// new\n", False), ("", False),
                                ("-// old\n+// new\n+let a = 1;\n", True), ("+    a / b\n", True)):
            self.assertEqual(mutants.changes_code(head + lines if lines else ""), expected, lines)


class Numbers(unittest.TestCase):
    def test_a_file_keeps_its_numbers_whatever_happens_to_others(self):
        def some(name, count):
            return [{"file": name} for _ in range(count)]
        book = {}
        mutant_tree.numbered(some("a", 3) + some("b", 40), book)
        self.assertEqual(book, {"a": [1, 32], "b": [33, 64]})
        files = mutant_tree.numbered(some("a", 33) + some("b", 41), book)
        self.assertEqual(book["b"], [33, 64])
        self.assertEqual([m["id"] for m in files["a"]][:2], [97, 98])


class Copy(unittest.TestCase):
    def test_a_crate_gets_the_switch(self):
        text = mutant_tree.with_switch('[package]\nname = "a"\n\n[dependencies]\nhttp = "1"\n', "services/auth")
        self.assertIn('[dependencies]\nholdfast-switch = { path = "../../shared/switch" }\nhttp', text)
        self.assertIn('\n[dependencies]\nholdfast-switch = { path = "../switch" }\n', mutant_tree.with_switch("[package]\n", "shared/a"))

    def test_the_anchor_asks_for_all_that_the_workspace_asks_for(self):
        def needs(name, features, default=False, **more):
            return {"name": name, "req": "^1", "features": features, "uses_default_features": default, "kind": None, **more}
        text = mutant_tree.anchor([{"dependencies": [needs("http", ["std"]), needs("holdfast-runtime", [], path="/x")]},
                                   {"dependencies": [needs("http", ["a"], True, kind="dev"), needs("cc", [], kind="build")]}])
        self.assertTrue(text.endswith('[dependencies]\nhttp = { version = "^1", default-features = true, features = ["a", "std"] }\n'), text)

    def test_lints_are_off_and_nothing_else_changes(self):
        manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
        text = mutant_tree.without_lints(manifest)
        self.assertNotRegex(text, r'"(deny|warn|forbid)"')
        self.assertEqual(re.sub(r'"allow"', "", text), re.sub(r'"(deny|warn|forbid)"', "", manifest))

    def test_what_the_workspace_lost_is_lost_in_the_copy_with_its_folder(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(mutant_tree, "TREE", Path(folder)):
            for name in ("shared/old/src/lib.rs", "shared/new/src/lib.rs", "shared/new/src/gone/mod.rs"):
                (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
                (Path(folder) / name).touch()
            mutant_tree.Tree({}, {})._remove_others({"shared/new/src/lib.rs"})
            there = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))
        self.assertEqual(there, ["shared", "shared/new", "shared/new/src", "shared/new/src/lib.rs"])

    def test_the_compiler_gets_the_variables_of_executables(self):
        with tempfile.TemporaryDirectory() as folder:
            wrapper = Path(folder) / "rustc"
            wrapper.write_text(mutant_tree.WRAPPER)
            wrapper.chmod(0o755)
            said = subprocess.run([wrapper, "env"], env={**os.environ, "CARGO_BIN_EXE_auth-login": "/there"}, capture_output=True, text=True, check=True)
        self.assertLess({"CARGO_BIN_EXE_auth-login=/there", "RUSTC_BOOTSTRAP=1"}, set(said.stdout.splitlines()))


class Errors(unittest.TestCase):
    def setUp(self):
        self.tree = mutant_tree.Tree({}, {})
        # Mutant 1 within the original half of the switch of 2 and 3.
        self.tree.places = {"a.rs": switches.Answer([(20, 30, 1), (60, 70, 2), (80, 90, 3)], [(10, 40, [1]), (5, 100, [2, 3])], {})}

    def error(self, *spans, children=()):
        return {"message": "no", "spans": [{"file_name": "a.rs", "byte_start": a, "byte_end": b, "is_primary": primary} for a, b, primary in spans],
                "children": [{"spans": [{"file_name": "a.rs", "byte_start": a, "byte_end": b, "is_primary": True}]} for a, b in children]}

    def test_the_mutant_in_whose_branch_it_is_does_not_compile(self):
        self.tree.leave_out([self.error((62, 66, True), (15, 16, False))])
        self.assertEqual((self.tree.unviable, self.tree.unswitched), ({2}, {}))

    def test_a_branch_that_is_only_pointed_at_is_to_blame_when_no_other_is(self):
        self.tree.leave_out([self.error((45, 46, True), (25, 26, False))])
        self.assertEqual(self.tree.unviable, {1})

    def test_an_error_of_the_original_gives_up_the_innermost_switch_without_judging_its_mutants(self):
        self.tree.leave_out([self.error((12, 14, True))])
        self.assertEqual((self.tree.unviable, list(self.tree.unswitched)), (set(), [1]))
        self.tree.leave_out([self.error((200, 201, True), children=[(50, 51)])])
        self.assertEqual(list(self.tree.unswitched), [1, 2, 3])

    def test_an_error_elsewhere_is_nobodys(self):
        self.assertEqual(self.tree.leave_out([self.error((200, 201, True))]), set())

    def test_an_error_in_a_macro_counts_where_the_macro_stands(self):
        span = {"file_name": "/rustc/macros.rs", "byte_start": 1, "byte_end": 2, "is_primary": True,
                "expansion": {"span": {"file_name": "a.rs", "byte_start": 81, "byte_end": 85, "is_primary": False}}}
        self.tree.leave_out([{"message": "no", "spans": [span]}])
        self.assertEqual(self.tree.unviable, {3})


def binary(package, name, script, **tests):
    made = mutant_tests.Binary(script, package, name, Path(tempfile.gettempdir()))
    made.tests = {test: seconds for test, (seconds, _) in tests.items()}
    made.reach = {test: set(reach) for test, (_, reach) in tests.items()}
    return made


class Runs(unittest.TestCase):
    # Speaks as libtest does: `good` passes, `bad` fails with mutant 7 on, `endless` never ends with 8 on, `abort` dies with 9 on.
    SCRIPT = """#!/bin/sh
shift 3
for test; do
  case "$test$HOLDFAST_MUTANT" in
    bad7) echo "test $test ... FAILED"; sleep 60 ;;
    endless8) sleep 60 ;;
    abort9) exit 134 ;;
  esac
  [ -z "$HOLDFAST_MUTANT_SEEN" ] || echo 7 >> "$HOLDFAST_MUTANT_SEEN"
  echo "test $test ... ok"
done
"""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.script = Path(folder.name) / "tests"
        self.script.write_text(self.SCRIPT)
        self.script.chmod(0o755)
        self.runner = mutant_tests.Runner(dict(os.environ), folder.name)

    def test_a_run_ends_with_the_first_failure_the_time_out_or_the_process(self):
        made = binary("a", "unit tests", str(self.script))
        play = lambda tests, patience, number: self.runner.play(made, tests, patience, mutant=number)  # noqa: E731
        self.assertEqual(play(["good", "bad"], 30, 7), ("failed", "bad"))
        self.assertEqual(play(["endless"], 0.3, 8), ("timeout", "endless"))
        self.assertEqual(play(["good", "abort"], 30, 9), ("failed", "abort"))
        self.assertEqual(play(["good", "bad"], 30, 3), ("passed", ""))

    def test_every_mutant_is_judged_by_the_tests_that_reach_it(self):
        made = binary("a", "unit tests", str(self.script), good=(0.1, [7, 8, 1]), bad=(0.1, [7]), endless=(0.1, [8]))
        given = [{"id": number, "package": "a"} for number in (7, 8, 1, 2)]
        with mock.patch.object(mutant_tests, "PATIENCE_SECONDS", 0.2):
            results = mutant_tests.judge(self.runner, given, [made], lambda *_: None)
        self.assertEqual({number: verdict for number, (verdict, _) in results.items()},
                         {7: "caught", 8: "timeout", 1: "survived", 2: "unreached"})

    def test_what_a_test_reaches_is_learned_and_remembered(self):
        made = binary("a", "unit tests", str(self.script), good=(0, []))
        self.assertEqual(mutant_tests.learn(self.runner, [made], {}), [])
        self.assertEqual(made.reach, {"good": {7}})
        again = binary("a", "unit tests", str(self.script), good=(0, []))
        self.runner.play = None
        mutant_tests.learn(self.runner, [again], mutant_tests.remembered([made]))
        self.assertEqual(again.reach, {"good": {7}})

    def test_an_exception_ends_all_and_is_raised(self):
        ran = []

        def work(item):
            ran.append(item)
            raise Failed("no")
        with self.assertRaises(Failed):
            self.runner.each(work, range(100), lambda *_: None)
        self.assertLessEqual(len(ran), mutant_tests.AT_ONCE)
        self.assertEqual([t for t in threading.enumerate() if t is not threading.current_thread() and not t.daemon], [])

    def test_quick_tests_of_its_own_crate_come_first_and_slow_ones_last(self):
        own = binary("a", "unit tests", "x", q=(0.1, []), s=(2.0, []))
        other = binary("b", "tests/b", "y", q=(0.01, []), s=(1.0, []))
        order = mutant_tests.batches({"package": "a"}, [(b, t) for b in (other, own) for t in ("s", "q")])
        self.assertEqual([(b.package, names) for b, names in order], [("a", ["q"]), ("b", ["q"]), ("a", ["s"]), ("b", ["s"])])


def judged(verdict, package="holdfast-runtime", **more):
    return {"package": package, "verdict": verdict, "file": "shared/runtime/src/http.rs", "change": "replace f -> bool with true",
            "function": {"function_name": "f"}, "span": {"start": {"line": 1}}, **more}


class Verdict(unittest.TestCase):
    GROUPS = {"holdfast-runtime": "runtime", "auth": "handlers"}

    def test_each_group_has_a_share_of_its_own(self):
        some = [judged("caught") for _ in range(94)] + [judged("timeout")] + [judged("survived") for _ in range(4)] + [judged("unreached")]
        self.assertEqual(mutants.short_of(some, self.GROUPS), [])
        self.assertEqual(mutants.short_of([*some, judged("survived")], self.GROUPS), ["runtime: 94.1 % caught, 95 % are needed"])
        self.assertEqual(mutants.short_of([{**m, "package": "auth"} for m in (*some, judged("survived"))], self.GROUPS), [])

    def test_what_does_not_compile_or_cannot_be_switched_does_not_count(self):
        some = [judged("caught"), judged("unviable"), judged("unswitched")]
        self.assertIn("| holdfast-runtime | runtime | 1 | 1 | 0 | 0 | 0 | 100.0 % | 1 | 1 |", mutants.table(some, self.GROUPS))

    def test_a_survivor_is_known_by_file_function_change_and_line_of_source(self):
        text = (ROOT / "shared/runtime/src/http.rs").read_text().splitlines()[0].strip()
        entry = {"file": "shared/runtime/src/http.rs", "function": "f", "change": "replace f -> bool with true", "text": text, "reason": "why"}
        self.assertEqual(mutants.unlisted([judged("survived"), judged("caught")], [entry]), [])
        self.assertEqual(mutants.unlisted([judged("survived")], [{**entry, "file": "shared/*/http.rs", "change": "*"}]), [])
        for other in ({"function": "g"}, {"change": "replace f -> bool with false"}, {"change": "replace * with true"}, {"text": "x"}, {"file": "shared/*/lib.rs"}):
            self.assertEqual(len(mutants.unlisted([judged("survived")], [{**entry, **other}])), 1, other)

    def test_a_change_may_have_two_survivors_and_then_its_share(self):
        def tried(survived, caught):
            some = [judged("survived") for _ in range(survived)] + [judged("caught") for _ in range(caught)]
            with mock.patch.object(mutants, "line"):
                mutants.judge_change(some, self.GROUPS)
        tried(2, 0)
        tried(4, 76)
        with self.assertRaisesRegex(Failed, "3 of 3 mutants of this change survive: write a test"):
            tried(3, 0)
        with mock.patch.object(mutants, "line"):
            mutants.judge_change([judged("unreached") for _ in range(9)], self.GROUPS)

    def test_a_register_that_cannot_be_read_is_an_error(self):
        with tempfile.TemporaryDirectory(dir=ROOT) as folder, mock.patch.object(mutants, "SURVIVORS", Path(folder) / "x.json"):
            for text in (None, "{", "{}"):
                if text:
                    mutants.SURVIVORS.write_text(text)
                with self.assertRaisesRegex(Failed, "cannot be read"):
                    mutants.accepted()

    def test_a_large_change_is_sampled_evenly(self):
        self.assertEqual(mutants.some_of([1, 2], 2), [1, 2])
        self.assertEqual(mutants.some_of(list(range(10)), 4), [0, 2, 5, 7])


class Scope(unittest.TestCase):
    def test_every_crate_a_function_links_and_every_function_is_in_it(self):
        class Workspace:
            binaries = {"auth-login": "auth", "holdfast-smoke": "holdfast-e2e"}
            closure = staticmethod(lambda names: {*names, "holdfast-sessions", "holdfast-dynamodb"})
        self.assertEqual(mutants.shipped(Workspace), {"auth": "handlers", "holdfast-sessions": "core", "holdfast-dynamodb": "adapters"})

    def test_a_crate_that_does_not_ship_is_refused(self):
        self.assertEqual(mutants.chosen({"a": "core", "b": "push"}, "b"), ["b"])
        self.assertEqual(mutants.chosen({"a": "core", "b": "push"}, ""), ["a", "b"])
        with self.assertRaisesRegex(Refused, "SERVICE=holdfast-model: no crate of that name ships. There is a, b."):
            mutants.chosen({"a": "core", "b": "push"}, "holdfast-model")


class Register(unittest.TestCase):
    def test_every_accepted_survivor_still_exists_and_has_a_reason(self):
        for entry in mutants.accepted():
            with self.subTest(entry):
                self.assertLessEqual({"file", "function", "change", "reason"}, set(entry))
                self.assertLessEqual(set(entry), {"file", "function", "change", "text", "reason"})
                self.assertGreater(len(entry["reason"].split()), 3)
                name = re.split(r"::", entry["function"])[-1]
                files = [path for path in ROOT.glob(entry["file"]) if path.is_file()]
                self.assertTrue(files, "no file of that name is left")
                holders = [path for path in files if not name or re.search(rf"\bfn {re.escape(name)}\b", path.read_text(encoding="utf-8"))]
                self.assertTrue(holders, "no such function is left")
                if "text" in entry:
                    self.assertTrue(any(entry["text"] in map(str.strip, path.read_text(encoding="utf-8").splitlines()) for path in holders),
                                    "no such line is left")


class Faults(unittest.TestCase):
    """The faults that people have listed."""

    def test_each_stands_at_one_place_of_a_crate_that_ships_and_changes_it(self):
        folders = {fault["file"].rsplit("/src/", 1)[0]: fault["file"].rsplit("/src/", 1)[0] for fault in rust_faults.known()}
        chosen = rust_faults.faults(folders, list(folders))
        self.assertEqual(len(chosen), len(rust_faults.known()))
        self.assertGreater(len(chosen), 50)
        self.assertEqual(len({fault["change"] for fault in chosen}), len(chosen), "no fault is listed twice")
        for fault in rust_faults.known():
            self.assertNotEqual(fault["old"], fault["new"], fault["says"])

    def test_what_a_run_found_out_about_each_is_remembered_for_the_next(self):
        folders = {fault["file"].rsplit("/src/", 1)[0]: fault["file"].rsplit("/src/", 1)[0] for fault in rust_faults.known()}
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(mutant_tree, "FOLDER", Path(folder)):
            for _ in range(2):
                files = mutant_tree.numbered(rust_faults.faults(folders, list(folders)), {})
                tree = mutant_tree.Tree(files, {})
                tree._remember()
                first = next(iter(files.values()))[0]
                tree.unviable.add(first["id"])
                tree.write_down()
            again = mutant_tree.Tree(files, {})
            again._remember()
        self.assertEqual(again.unviable, {first["id"]})

    @unittest.skipUnless(importlib.util.find_spec("tree_sitter_rust"), "make tools has not installed what reads Rust")
    def test_each_is_a_whole_expression(self):
        folders = {fault["file"].rsplit("/src/", 1)[0]: fault["file"].rsplit("/src/", 1)[0] for fault in rust_faults.known()}
        for number, fault in enumerate(rust_faults.faults(folders, list(folders)), 1):
            fault["id"] = number
            _, answer = switches.rewrite(switches._parser(), (ROOT / fault["file"]).read_bytes(), [fault])
            self.assertEqual(answer.cannot, {}, fault["change"])

    def test_one_whose_text_is_gone_is_named(self):
        fault = {"says": "nothing happens", "file": "a.rs", "old": "f()", "new": "()"}
        self.assertEqual(rust_faults.found(fault, "f(); #[cfg(test)] f()"), (0, 3))
        for source in ("g()", "f(); f()"):
            with self.assertRaisesRegex(Failed, "nothing happens.*does not occur exactly once in a.rs"):
                rust_faults.found(fault, source)

    def test_one_that_is_not_caught_fails_whatever_its_reason(self):
        faults = [{"verdict": verdict, "by": "", "change": verdict, "file": "a.rs"} for verdict in ("caught", "timeout", "survived", "unreached",
                                                                                                    "unviable", "unswitched")]
        self.assertEqual([fault["verdict"] for fault in mutants.not_caught(faults)], ["survived", "unreached", "unviable", "unswitched"])
        self.assertIn("| caught | a.rs | caught | – |", mutants.table_of_faults(faults))


if __name__ == "__main__":
    unittest.main()
