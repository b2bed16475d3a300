"""The modules of each Rust crate import each other in one direction: no circle among them."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A module is the names on the way to it: ("service", "trust"). An empty one is the crate itself.
Module = tuple[str, ...]


def modules(source: Path) -> dict[Module, str]:
    """Each module of a crate with its text, without comments and tests."""
    found: dict[Module, str] = {}
    for file in sorted(source.rglob("*.rs")):
        names = file.relative_to(source).with_suffix("").parts
        if names[0] == "bin" or "tests" in names:
            continue
        text = re.split(r"^#\[cfg\(test\)\]", file.read_text(encoding="utf-8"), maxsplit=1, flags=re.M)[0]
        found[names[:-1] if names[-1] in ("lib", "main", "mod") else names] = re.sub(r"//.*", "", text)
    return found


def leaves(text: str) -> list[list[str]]:
    """The paths of a `use` tree: `a::{b, c::{d, e}}` is a::b, a::c::d and a::c::e."""
    text = text.strip()
    braces = re.match(r"^((?:\w+\s*::\s*)*)\{(.*)\}$", text, re.S)
    if not braces:
        return [[name.strip() for name in text.split(" as ")[0].split("::")]] if text else []
    parts, depth = [""], 0
    for character in braces[2]:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    head = [name.strip() for name in braces[1].split("::") if name.strip()]
    return [head + path for part in parts for path in leaves(part)]


def imports(module: Module, text: str, known: dict[Module, str]) -> set[Module]:
    """The modules that a module imports from: not those above it, whose parts it is, and not itself."""
    found: set[Module] = set()
    for use in re.findall(r"\buse\s+((?:crate|super|self)\b[^;]*);", text):
        for path in leaves(use):
            base: Module = () if path[0] == "crate" else module
            rest = path[1:] if path[0] in ("crate", "self") else path
            while rest and rest[0] == "super":
                base, rest = base[:-1], rest[1:]
            target = (*base, *rest)
            while target not in known:
                target = target[:-1]
            if target != module[:len(target)]:
                found.add(target)
    return found


def circles(arrows: dict[Module, set[Module]]) -> list[list[str]]:
    """Modules that reach each other, by their names."""
    def reached(start: Module) -> set[Module]:
        seen, todo = set[Module](), [start]
        while todo:
            for target in arrows[todo.pop()] - seen:
                seen.add(target)
                todo.append(target)
        return seen

    reach = {module: reached(module) for module in arrows}
    groups = {frozenset(other for other in reach[module] if module in reach[other]) for module in arrows if module in reach[module]}
    return sorted(sorted("::".join(module) for module in group) for group in groups)


class Modules(unittest.TestCase):
    def test_no_crate_has_a_circle_of_imports(self):
        crates = [folder for top in ("shared", "services") for folder in sorted((ROOT / top).glob("*")) if (folder / "src").is_dir()]
        self.assertGreater(len(crates), 10)
        for crate in crates:
            known = modules(crate / "src")
            with self.subTest(crate.name):
                self.assertEqual(circles({module: imports(module, text, known) for module, text in known.items()}), [])

    def test_a_circle_is_found(self):
        known = {(): "use a::A;", ("a",): "use crate::b::{c::C, B as Bee};", ("b",): "", ("b", "c"): "use super::super::a::{self, A};\nuse super::B;",
                 ("d",): "use crate::a;"}
        arrows = {module: imports(module, text, known) for module, text in known.items()}
        self.assertEqual(arrows[("a",)], {("b",), ("b", "c")})
        self.assertEqual(circles(arrows), [["a", "b::c"]])


if __name__ == "__main__":
    unittest.main()
