"""The commands of the guides, run as a reader types them, on the deployment of HOLDFAST_WORK_DIR (.local without it)."""

import os
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS))

from holdfast_cli.verify import guides


def wrong_in(name):
    page = (SCRIPTS.parent / "docs" / name).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        return guides.run(page, Path(folder), guides.environment(SCRIPTS.parent, os.environ))


class Guides(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Side by side: one of them waits for Terraform for most of its time. No page uses a name of another.
        with ThreadPoolExecutor() as pool:
            cls.found = dict(zip(guides.PAGES, pool.map(wrong_in, guides.PAGES)))

    def check(self, name):
        self.assertFalse(self.found[name], "\n".join(f"docs/{name}, {each}" for each in self.found[name]))

    def test_protect_your_own_api(self):
        self.check("protect-your-api.md")

    def test_publish_from_your_back_end(self):
        self.check("publish.md")

    def test_bring_your_own_sign_in(self):
        self.check("own-sign-in.md")


if __name__ == "__main__":
    unittest.main()
