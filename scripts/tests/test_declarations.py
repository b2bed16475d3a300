"""What Terraform makes every stack declare, and the list that it is written from."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import fakes  # noqa: F401  (the path of the package)

from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT
from holdfast_cli.generate import declarations

INFRA = ROOT / "infra"
LIST = '''# The head of the list.

provider "aws" {
  region = var.region
}

# Stacks: shop
# Why it is there.
locals {
  shelf = "<stack>"
}

module "context" {
  source = "../../modules/stack-context"

  region = var.region
  stack  = local.stack

  # Stacks: shop
  limit = var.limit

  # Stacks: bank, shop
  rate = var.rate
}
'''
MODULE = '''variable "region" {
  type = string

  validation {
    condition     = var.region != ""
    error_message = "region must be given."
  }
}

variable "limit" {
  type    = number
  default = 5

  validation {
    condition     = var.limit > 0
    error_message = "limit must be more than 0."
  }

  validation {
    condition     = var.limit < 10
    error_message = "limit must be less than 10."
  }
}

variable "rate" {
  type = number
}
'''
KNOWN = ["bank", "shop"]


class List(unittest.TestCase):
    def of(self, stack):
        return declarations.declarations(LIST, MODULE, stack, KNOWN)

    def test_a_block_goes_to_the_stacks_that_it_names_or_to_all(self):
        self.assertIn('# Why it is there.\nlocals {\n  shelf = "shop"\n}\n', self.of("shop"))
        self.assertNotIn("locals", self.of("bank"))
        for stack in KNOWN:
            self.assertIn('provider "aws" {', self.of(stack))
            self.assertNotIn("Stacks:", self.of(stack))
            self.assertTrue(self.of(stack).startswith("# Written by `scripts/holdfast declarations`"))

    def test_a_paragraph_of_the_call_goes_to_the_stacks_that_it_names(self):
        self.assertIn("  stack  = local.stack\n\n  limit = var.limit\n\n  rate = var.rate\n}\n", self.of("shop"))
        self.assertIn("  stack  = local.stack\n\n  rate = var.rate\n}\n", self.of("bank"))

    def test_a_variable_that_is_passed_on_is_declared_and_judged_by_the_module_alone(self):
        self.assertIn('variable "limit" {\n  type    = number\n  default = 5\n}\n', self.of("shop"))
        self.assertNotIn('variable "limit"', self.of("bank"))

    def test_a_variable_that_configures_the_provider_is_judged_before_it_does(self):
        self.assertIn("region must be given.", self.of("bank"))

    def test_a_slip_in_the_list_is_said(self):
        for text, said in ((LIST.replace("bank, shop", "bank, shoe"), "there is no stack shoe"),
                           (LIST.replace("rate = var.rate", "rent = var.rent"), "has no variable rent"),
                           (LIST.replace("# Stacks: shop\n# Why it is there.", "# Why it is there.\n# Stacks: shop"), "must be the first line"),
                           (LIST + "stray = 1\n", "in no block: stray = 1")):
            with self.assertRaisesRegex(Failed, said):
                declarations.declarations(text, MODULE, "shop", KNOWN)


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.infra = Path(folder.name) / "infra"
        shutil.copytree(INFRA, self.infra, ignore=shutil.ignore_patterns(".terraform"))

    def check(self):
        return subprocess.run([sys.executable, "-B", "-m", "holdfast_cli.generate.declarations", str(self.infra)], capture_output=True, text=True,
                              check=False, cwd=ROOT / "scripts")

    def test_they_are_current(self):
        self.assertEqual(declarations.stale(), [])

    def test_what_is_changed_by_hand_is_found_and_written_again(self):
        self.assertEqual(self.check().returncode, 0)
        file, lock = self.infra / "stacks" / "push" / "declarations.tf", self.infra / "stacks" / "auth" / ".terraform.lock.hcl"
        right = file.read_text()
        file.write_text(right + "\n")
        lock.unlink()
        found = self.check()
        self.assertEqual(found.returncode, 1)
        self.assertIn("run scripts/holdfast declarations", found.stderr)
        self.assertEqual(sorted(declarations.write(self.infra)), ["stacks/auth/.terraform.lock.hcl", "stacks/push/declarations.tf"])
        self.assertEqual((file.read_text(), self.check().returncode), (right, 0))
        self.assertEqual(declarations.write(self.infra), [])


class Copies(unittest.TestCase):
    """A block that is written by hand is in one stack only."""

    BLOCK = re.compile(r'^(?:[a-z]+(?: "[^"]*")* )\{\n.*?^\}$', re.M | re.S)

    def test_no_block_is_in_two_stacks(self):
        seen = {}
        for file in sorted((INFRA / "stacks").glob("*/*.tf")):
            if file.name == declarations.NAME:
                continue
            for block in self.BLOCK.findall(file.read_text()):
                seen.setdefault(block, set()).add(file.parent.name)
        self.assertGreater(len(seen), 50)
        # An output of a line or two belongs to its stack.
        copies = [(sorted(stacks), block) for block, stacks in seen.items() if len(stacks) > 1 and len(block.splitlines()) > 5]
        self.assertEqual(copies, [], "put it into modules/stack-context, or into infra/declarations.hcl")

    def test_no_variable_is_declared_by_hand_in_two_stacks(self):
        seen = {}
        for file in sorted((INFRA / "stacks").glob("*/*.tf")):
            if file.name != declarations.NAME:
                for name in re.findall(r'^variable "(\w+)"', file.read_text(), re.M):
                    seen.setdefault(name, []).append(file.parent.name)
        self.assertEqual({name: stacks for name, stacks in seen.items() if len(stacks) > 1}, {})


if __name__ == "__main__":
    unittest.main()
