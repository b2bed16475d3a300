"""The demo page's server, the kits for Node and Rust, and the pieces of clients/interop that can be tried without a deployment."""

import contextlib
import http.client
import http.server
import io
import json
import re
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

import fakes

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "clients" / "interop"))

import browsers

from holdfast_cli.core import errors, settings, tools
from holdfast_cli.operate import demo
from holdfast_cli.verify import suite


class DemoServer(unittest.TestCase):
    def setUp(self):
        self.published = []
        self.server = demo.Server(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        self.port = self.server.server_address[1]
        self.server.RequestHandlerClass = demo.handler({"httpUrl": "http://x/"}, self.port, self.publish)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def publish(self, body):
        self.published.append(body)
        return 202, b"{}"

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def test_the_page_and_the_client_are_served(self):
        for path in ("/demo/index.html", "/demo/demo.js", "/javascript/src/index.js"):
            self.assertEqual(self.ask("GET", path), (200, (ROOT / "clients" / path.lstrip("/")).read_bytes()), path)
        self.assertEqual(self.ask("GET", "/")[0], 302)
        self.assertEqual(json.loads(self.ask("GET", "/config.json")[1]), {"httpUrl": "http://x"})

    def test_nothing_else_is_served(self):
        for path in ("/../README.md", "/demo/../../scripts/holdfast_cli/operate/demo.py", "//etc/passwd", "/javascript/package.json", "/demo", "/none.js"):
            self.assertEqual(self.ask("GET", path)[0], 404, path)

    def test_only_its_own_page_publishes(self):
        body = json.dumps({"to": "u", "text": "hello"})
        own = f"http://127.0.0.1:{self.port}"
        for headers in ({}, {"origin": "https://evil.example"}, {"origin": "null"}):
            self.assertEqual(self.ask("POST", "/publish", body, **headers)[0], 403)
        self.assertEqual(self.ask("POST", "/publish", "x" * 5_000, origin=own)[0], 403)
        self.assertEqual(self.ask("POST", "/publish", "{}", origin=own)[0], 400)
        self.assertEqual(self.published, [])
        self.assertEqual(self.ask("POST", "/publish", body, origin=own)[0], 202)
        self.assertEqual(self.ask("POST", "/publish", json.dumps({"to": None, "text": "all"}), origin=own)[0], 202)
        self.assertEqual([one["to"] for one in self.published], [{"userIds": ["u"]}, {"broadcast": True}])

    def test_a_browser_that_breaks_off_prints_nothing_and_a_defect_prints_its_traceback(self):
        for error, said in ((BrokenPipeError(), False), (ConnectionResetError(), False), (ConnectionAbortedError(), False), (ValueError("a defect"), True)):
            with contextlib.redirect_stderr(io.StringIO()) as printed:
                try:
                    raise error
                except (OSError, ValueError):
                    self.server.handle_error(None, ("127.0.0.1", 1))
            self.assertEqual("Traceback" in printed.getvalue(), said, error)
            self.assertEqual(bool(printed.getvalue()), said, error)

    def test_it_leaves_vite_its_port(self):
        self.assertNotIn(demo.PORT, (5173, 5174, 5175))

    def test_its_origin_is_allowed(self):
        origins = settings.ROOT / "infra" / "environments" / "local.tfvars"
        self.assertIn(f'"http://127.0.0.1:{demo.PORT}"', origins.read_text(encoding="utf-8"))


class Dependencies(unittest.TestCase):
    """How the dependencies of an npm project come into `.tools/`."""

    NPM = 'echo "$@" >>"$(dirname "$0")/calls"; for folder; do :; done; mkdir -p "$folder/node_modules" && touch "$folder/node_modules/.package-lock.json"'

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=ROOT / "clients")
        self.addCleanup(folder.cleanup)
        self.project, self.tools, self.bin = (Path(folder.name) / name for name in ("kit", ".tools", "bin"))
        self.project.mkdir()
        self.tools.mkdir()
        self.write_lock("1")
        self.settings = fakes.read(HOLDFAST_TOOLS=str(self.tools))

    def write_lock(self, text):
        for name in ("package.json", "package-lock.json"):
            (self.project / name).write_text(text, encoding="utf-8")

    def install(self, npm=NPM):
        with fakes.Command(self.bin, npm=npm), contextlib.redirect_stdout(io.StringIO()):
            tools.node_modules(self.settings, self.project)

    def calls(self):
        return (self.bin / "calls").read_text(encoding="utf-8").splitlines()

    def test_they_are_installed_once_for_each_lock_file_and_linked(self):
        self.install()
        self.install()
        first = (self.project / "node_modules").resolve()
        self.assertEqual(first.parents[1], self.tools.resolve() / "npm")
        self.assertEqual((first.parent / "package-lock.json").read_text(encoding="utf-8"), "1")
        self.write_lock("2")
        self.install()
        self.assertNotEqual((self.project / "node_modules").resolve(), first)
        self.assertEqual([call.split(" --prefix")[0] for call in self.calls()], ["ci --no-audit --no-fund --ignore-scripts"] * 2)

    def test_an_installation_that_failed_is_repeated(self):
        with self.assertRaisesRegex(errors.Failed, "ERROR no network"):
            self.install("echo 'ERROR no network'; exit 1")
        self.assertFalse((self.project / "node_modules").exists())
        self.install()
        self.assertTrue((self.project / "node_modules").is_symlink())

    def test_what_a_developer_has_installed_stays(self):
        (self.project / "node_modules").mkdir()
        self.install("exit 1")
        self.assertFalse((self.project / "node_modules").is_symlink())

    def test_the_lock_files_pin_versions_and_no_registry(self):
        for project in (ROOT / "clients" / "node", ROOT / "infra/examples/own-identity/provider"):
            lock = json.loads((project / "package-lock.json").read_text(encoding="utf-8"))
            wanted = json.loads((project / "package.json").read_text(encoding="utf-8"))["dependencies"]
            self.assertEqual(lock["packages"][""]["dependencies"], wanted)
            others = [package for name, package in lock["packages"].items() if name]
            self.assertTrue(all("integrity" in package and "version" in package and "resolved" not in package for package in others))


class RustKit(unittest.TestCase):
    """The kit for Rust and the example that uses it are workspaces of their own, so what they share with that of Holdfast is written again."""

    FOLDERS = {"Rust kit for back ends": ROOT / "clients" / "rust", "example of an own sign-in": ROOT / "infra/examples/own-identity/handlers/rust"}
    root = (ROOT / "Cargo.toml").read_text(encoding="utf-8")

    def section(self, text, name):
        return re.search(rf"^\[{re.escape(name)}\]\n(.*?)(?=^\[|^#|\Z)", text, re.M | re.S)[1].split("\n\n")[0].strip()

    def test_their_lints_version_and_toolchain_are_those_of_holdfast(self):
        for folder in self.FOLDERS.values():
            text = (folder / "Cargo.toml").read_text(encoding="utf-8")
            for name in ("lints.rust", "lints.clippy"):
                self.assertEqual(self.section(text, name), self.section(self.root, f"workspace.{name}"))
            for name in ("version", "edition", "rust-version", "license", "publish"):
                line = re.compile(rf"^{name} = .*$", re.M)
                self.assertEqual(line.search(self.section(text, "package"))[0], line.search(self.section(self.root, "workspace.package"))[0])

    def test_each_step_checks_format_lints_and_tests_with_one_build_for_both(self):
        for name, folder in self.FOLDERS.items():
            commands = []
            record = lambda _, *command, into=commands, **options: into.append((command, options))  # noqa: E731
            with mock.patch.object(suite.Suite, "command", record), mock.patch.object(suite.tools, "node_modules"):
                cargo, *_ = suite.Suite(fakes.read()).static()
                dict(cargo)[name]()
            verbs = [command[:2] for command, _ in commands]
            self.assertEqual([verb for at, verb in enumerate(verbs) if verb not in verbs[:at]], [("cargo", "fmt"), ("cargo", "clippy"), ("cargo", "test")])
            self.assertTrue(all(options["cwd"] == folder for _, options in commands))
            builds = {options["environment"]["CARGO_TARGET_DIR"] for command, options in commands if command[1] != "fmt"}
            self.assertEqual(builds, {str(ROOT / "target" / "rust-kit")})


class Interop(unittest.TestCase):
    def test_without_a_browser_it_fails_and_says_what_to_install(self):
        with mock.patch("shutil.which", return_value=None), self.assertRaisesRegex(browsers.Missing, "no Chromium.*CHROMIUM="):
            browsers.find(None)
        with mock.patch("shutil.which", lambda name: f"/bin/{name}" if name == "google-chrome" else None):
            self.assertEqual(browsers.find(None), "/bin/google-chrome")


if __name__ == "__main__":
    unittest.main()
