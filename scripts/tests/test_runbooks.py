"""Every alarm has a runbook, every runbook an alarm, and the code sends every metric of an alarm or the dashboard."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = ROOT / "docs/runbooks"
INFRA = ROOT / "infra"


def body(text, start):
    """What is between the bracket that opens at or after `start` and the one that closes it."""
    begin = text.index("{", start)
    depth = 0
    for at in range(begin, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[begin + 1 : at]
    raise ValueError("unbalanced brackets")


def of_the_module():
    found = set(re.findall(r'runbook\s*= "([a-z-]+)"', (INFRA / "modules/alarms/main.tf").read_text()))
    assert found, "the module names no runbook"
    return found | {"rollback"}


def of_a_stack(folder):
    """Names of the stack's own alarms: each block with a description inside `custom`."""
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.tf")))
    at = text.find("  custom = ")
    if at < 0:
        return set()
    custom = body(text[: text.index('\n}\n', at)] + "\n}", text.rindex('module "alarms"', 0, at))
    return set(re.findall(r"^ +([a-z][a-z0-9-]+) = \{\n +description", custom, re.M))


def alarms():
    found = of_the_module()
    for folder in (INFRA / "stacks").iterdir():
        if folder.is_dir():
            found |= of_a_stack(folder)
    return found


class Runbooks(unittest.TestCase):
    def test_every_alarm_has_one_and_no_other_is_left(self):
        self.assertGreater(len(alarms()), 15)
        self.assertEqual({path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}, alarms())

    def test_each_has_a_meaning_a_diagnosis_and_actions(self):
        for path in RUNBOOKS.glob("*.md"):
            if path.stem == "README":
                continue
            text = path.read_text()
            self.assertEqual(re.findall(r"^#+ (.*)", text, re.M), [path.stem, "Meaning", "Diagnosis", "Actions"], path.name)
            for section in text.split("## ")[1:]:
                self.assertGreater(len(section.split("\n", 1)[1].strip()), 40, path.name)

    def test_the_list_has_them_all(self):
        listed = set(re.findall(r"\]\(([a-z-]+)\.md\)", (RUNBOOKS / "README.md").read_text()))
        self.assertEqual(listed, alarms())

    def test_links_lead_somewhere(self):
        for path in RUNBOOKS.glob("*.md"):
            for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
                self.assertTrue((path.parent / link).exists(), f"{path.name}: {link}")

    def test_every_stack_tells_where_they_are(self):
        for path in sorted((INFRA / "stacks").glob("*/main.tf")):
            text = path.read_text()
            if 'module "alarms"' in text:
                self.assertIn("runbooks    = module.context.runbooks", text, path.parent.name)

    def test_metrics_of_our_own_exist_in_the_code(self):
        sources = [path for folder in ("services", "shared") for path in (ROOT / folder).rglob("src/**/*.rs")]
        code = "\n".join(path.read_text() for path in sources)
        named = set()
        for path in (INFRA / "stacks").glob("*/*.tf"):
            text = path.read_text()
            named |= set(re.findall(r'namespace = "Holdfast", name = "(\w+)"', text))
            if path.name == "dashboard.tf":
                named |= set(re.findall(r'function = "[\w-]+", name = "(\w+)"', text))
                named |= set(re.findall(r"\b((?:CACHE|PUSH)_[A-Z_]+) +=", text)) | set(re.findall(r"\b((?:CACHE|PUSH)_[A-Z_]+) =", text))
        self.assertGreater(len(named), 15)
        self.assertEqual(sorted(name for name in named if f'"{name}"' not in code), [])


if __name__ == "__main__":
    unittest.main()
