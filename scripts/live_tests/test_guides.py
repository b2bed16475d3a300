"""The commands of the guides, run as a reader types them, on the deployment of HOLDFAST_WORK_DIR (.local without it)."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

from holdfast_cli.verify import guides


class Guides(unittest.TestCase):
    def check(self, name):
        page = (SCRIPTS.parent / "docs" / name).read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            wrong = guides.run(page, Path(folder), guides.environment(SCRIPTS.parent, os.environ))
        self.assertFalse(wrong, "\n".join(f"docs/{name}, {each}" for each in wrong))

    def test_protect_your_own_api(self):
        self.check("protect-your-api.md")

    def test_publish_from_your_back_end(self):
        self.check("publish.md")

    def test_bring_your_own_sign_in(self):
        self.check("own-sign-in.md")


if __name__ == "__main__":
    unittest.main()
