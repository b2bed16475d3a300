"""The groups of the operator tool depend downward only, and no two of its modules import each other."""

import ast
import unittest

from fakes import PACKAGE

from holdfast_cli import LAYERS


def module_of(file):
    return file.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


FILES = {module_of(file): file for file in PACKAGE.rglob("*.py")}


def imports(module):
    """The modules of the package that one imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("holdfast_cli"):
            base = node.module.removeprefix("holdfast_cli").lstrip(".")
            names = [f"{base}.{alias.name}".lstrip(".") for alias in node.names]
            found |= {name if name in FILES else base for name in names}
    return {name for name in found if name}


def layer(module):
    return module.split(".")[0]


GRAPH = {module: imports(module) for module in FILES}


class Layers(unittest.TestCase):
    def test_every_module_is_in_a_group(self):
        self.assertEqual({layer(module) for module in GRAPH} - {"__init__", "__main__", "launch", ""}, set(LAYERS))

    def test_groups_depend_downward_only(self):
        wrong = [f"{module} imports {other}" for module, others in GRAPH.items() if layer(module) in LAYERS
                 for other in others if LAYERS.index(layer(other)) > LAYERS.index(layer(module))]
        self.assertEqual(wrong, [])

    def test_there_is_no_import_circle(self):
        def circles(module, path):
            for other in GRAPH.get(module, ()):
                if other in path:
                    yield [*path[path.index(other):], other]
                elif other not in seen:
                    seen.add(other)
                    yield from circles(other, [*path, other])

        for module in GRAPH:
            seen = {module}
            self.assertEqual(list(circles(module, [module])), [])

    def test_what_runs_before_the_environment_is_there_needs_the_standard_library_only(self):
        needed, todo = set(), ["launch"]
        while todo:
            module = todo.pop()
            if module not in needed:
                needed.add(module)
                todo += GRAPH[module]
        self.assertIn("local.doctor", needed)
        outside = {alias.name.split(".")[0] for module in needed for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8")))
                   if isinstance(node, ast.Import) for alias in node.names}
        self.assertEqual(outside & {"typer", "rich", "boto3", "botocore", "hcl2", "psutil", "lark"}, set())

    def test_a_circle_and_an_arrow_upward_would_be_found(self):
        self.assertIn("deploy.releases", GRAPH["deploy.build"])
        self.assertGreater(len(GRAPH), 45)


if __name__ == "__main__":
    unittest.main()
