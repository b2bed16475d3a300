"""Building, releasing, going back."""

import contextlib
import hashlib
import io
import itertools
import json
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

from fakes import Command, read

from holdfast_cli.core import catalogue, commands, parallel, settings
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.deploy import aws, build, canary, crates, deploy, manifest, outputs, plan, preparation, releases, stacks, terraform, unchanged


def metadata(**needs):
    """`cargo metadata` of crates and what they need. A crate whose name begins with fn_ has a binary of that name, a crate service-<name> has
    the binary <name>-one; `dev_x` is needed by tests."""
    def dependency(name):
        return {"name": name.removeprefix("dev_"), "kind": "dev" if name.startswith("dev_") else None}

    def binary(name):
        if name.startswith("service-"):
            return {"name": f"{name.removeprefix('service-')}-one", "kind": ["bin"]}
        return {"name": name, "kind": ["bin" if name.startswith("fn_") else "lib"]}

    packages = [{"id": name, "name": name, "manifest_path": f"/w/shared/{name.removeprefix('holdfast-')}/Cargo.toml",
                 "dependencies": [dependency(other) for other in others],
                 "targets": [binary(name)]}
                for name, others in needs.items()]
    return {"workspace_root": "/w", "workspace_members": list(needs), "packages": packages}


def after_each(command, option):
    return [argument for before, argument in itertools.pairwise(command) if before == option]


def features(edges, *excluded):
    """Each crate of the workspace's graph with its features."""
    tree = commands.output(["cargo", "tree", "--locked", "--workspace", "--target", settings.TRIPLES[settings.machine_arch()],
                            "--prefix", "none", "--format", "{p} {f}", "--edges", edges, *excluded], cwd=settings.ROOT)
    if tree.returncode:
        raise AssertionError(tree.stderr)
    return {text.removesuffix(" (*)") for text in tree.stdout.splitlines()}


class Crates(unittest.TestCase):
    def setUp(self):
        self.workspace = crates.Workspace(metadata(
            domain=[], store=["domain"], kit=["dev_testkit"], testkit=["store"], model=["domain"],
            fn_login=["store", "kit"], fn_health=["kit"]))

    def test_what_no_function_links_is_left_out(self):
        self.assertEqual(self.workspace.needed_by_no(["fn_login", "fn_health"]), ["model", "testkit"])

    def test_a_function_stands_for_the_package_that_has_its_binary(self):
        workspace = crates.Workspace(metadata(**{"domain": [], "model": ["domain"], "service-auth": ["domain"], "service-ops": []}))
        self.assertEqual(workspace.packages_of(["auth-one"]), {"service-auth"})
        self.assertEqual(workspace.needed_by_no(["auth-one"]), ["model", "service-ops"])

    def test_a_change_touches_all_that_link_it(self):
        self.assertEqual(self.workspace.affected(["shared/domain/src/lib.rs"]), {"domain", "store", "testkit", "model", "fn_login"})
        self.assertEqual(self.workspace.affected(["docs/api.md"]), set())
        self.assertEqual(self.workspace.affected(["shared/store-of-others/x"]), set())

    def test_what_all_depend_on_touches_all(self):
        for path in ("Cargo.lock", "Cargo.toml", ".cargo/config.toml"):
            self.assertEqual(self.workspace.affected([path]), set(self.workspace.folders), path)

    def test_a_crate_that_only_tests_link_is_tested_anew_but_not_built_anew(self):
        self.assertNotIn("kit", self.workspace.affected(["shared/testkit/src/lib.rs"]))
        self.assertIn("kit", self.workspace.to_test(["shared/testkit/src/lib.rs"]))

    def test_of_this_workspace_no_function_needs_models_or_tests(self):
        needless = crates.workspace().needed_by_no(catalogue.functions())
        for name in ("holdfast-model", "holdfast-e2e", "holdfast-testkit"):
            self.assertIn(name, needless)
        self.assertNotIn("holdfast-sessions", needless)

    def test_a_build_excludes_them_in_every_environment(self):
        for env in settings.ENVIRONMENTS:
            command = build.cargo_lambda(read(ENV=env, ARCH=settings.machine_arch()), sorted(catalogue.functions()), crates.workspace())
            self.assertIn("--exclude holdfast-model", " ".join(command))
            self.assertNotIn("--bin", command)
            self.assertEqual("--release" in command, env != "local")

    def test_local_functions_and_tests_have_the_same_features_so_that_nothing_is_compiled_twice(self):
        local = build.cargo_lambda(read(ARCH=settings.machine_arch()), sorted(catalogue.functions()), crates.workspace())
        excluded = [argument for name in after_each(local, "--exclude") for argument in ("--exclude", name)]
        tested = features("normal,build,dev")
        self.assertEqual(features("normal,build", *excluded) - tested, set())
        # As the test that looks into the executables builds them.
        self.assertEqual(features("normal,build") - tested, set())

    def test_of_one_service_the_same_packages_are_selected_so_that_its_executables_are_the_same(self):
        def selected(wanted):
            return build.cargo_lambda(read(), wanted, crates.workspace())
        everything, one = selected(sorted(catalogue.functions())), selected(["ops-health"])
        self.assertEqual(one, [*everything, "--bin", "ops-health"])

    def test_a_function_that_no_crate_builds_is_named_before_anything_is_built(self):
        with mock.patch.object(catalogue, "functions", lambda: {"ops-health": {}, "ops-nothing": {}}), self.assertRaises(Refused) as caught:
            build.check(read())
        self.assertIn("ops-nothing", str(caught.exception))
        self.assertNotIn("ops-health", str(caught.exception))


class FirstTrouble(unittest.TestCase):
    def test_a_failed_init_ends_the_build_at_once(self):
        with tempfile.TemporaryDirectory() as folder:
            chosen = read(HOLDFAST_WORK_DIR=folder)
            # A build that takes minutes, and a terraform that finds no provider.
            slow = 'echo "Compiling a"; trap "exit 1" INT; i=0; while [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done'
            broken = 'echo "│ Error: Failed to query available provider packages"; echo "│ could not connect to registry"; exit 1'
            began = time.monotonic()
            workspace = crates.Workspace(metadata(fn_a=[]))
            with Command(Path(folder) / "bin", cargo=slow, terraform=broken), contextlib.redirect_stdout(io.StringIO()), \
                    mock.patch.object(crates, "workspace", lambda: workspace), self.assertRaises(Refused) as caught:
                deploy.make_ready(chosen)
            self.assertLess(time.monotonic() - began, 20)
            self.assertIn("cannot get the AWS provider", str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))

    def made_ready(self, first, service=None):
        """What the two halves of the preparation did. The build waits for Terraform."""
        happened, laid = [], threading.Event()

        def lay(_settings, _stacks, is_over):
            happened.append("foundations, too late" if is_over() else "foundations")
            laid.set()

        def prepared(*_):
            happened.append("prepared")
            if not first or service:
                laid.set()

        with mock.patch.object(deploy.build, "build", lambda _: happened.append("built" if laid.wait(20) else "built alone")), \
                mock.patch.object(terraform, "prepare", prepared), mock.patch.object(stacks, "lay_foundations", lay):
            deploy.make_ready(read(**({"SERVICE": service} if service else {})), first)
        return happened

    def test_the_first_deploy_makes_what_needs_no_function_while_it_builds(self):
        self.assertEqual(self.made_ready(first=True), ["prepared", "foundations", "built"])
        self.assertEqual(self.made_ready(first=False), ["prepared", "built"])
        self.assertEqual(self.made_ready(first=True, service="auth"), ["prepared", "built"])

    def test_after_it_others_can_be_started_again(self):
        with self.assertRaises(Failed):
            parallel.until_one_fails([lambda: commands.shown(["sleep", "30"]), lambda: (_ for _ in ()).throw(Failed("x"))])
        self.assertEqual(commands.shown(["true"]), 0)


class Releases(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.settings = read(HOLDFAST_WORK_DIR=folder.name, CACHE="dynamodb")
        self.settings.work.mkdir(parents=True, exist_ok=True)
        self.history = releases.History(self.settings)

    def built(self, **digests):
        entries = {}
        for name in catalogue.functions():
            digest = digests.get(name.replace("-", "_"), "a" * 64)
            file = self.settings.work / "artifacts" / name / f"{digest}.zip"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"zip")
            entries[name] = {"sha256": digest, "file": str(file), "s3Key": f"{name}/{digest}.zip"}
        manifest.write(self.settings, {"version": "1", "commit": "c", "arch": "x86_64", "functions": entries})

    def deploy(self, now, **digests):
        self.built(**digests)
        release = releases.candidate(self.settings, self.history.current(), now)
        if release is not self.history.current():
            self.history.add(release)
        return release

    def manifest(self):
        return json.loads(self.settings.manifest_file.read_text())["functions"]

    def test_the_same_code_again_is_no_release(self):
        first = self.deploy(1)
        self.assertEqual(self.deploy(2)["name"], first["name"])
        self.assertEqual(len(list((self.settings.work / "releases").glob("*.json"))), 1)

    def test_a_release_names_the_one_before_and_what_differs(self):
        first, second = self.deploy(1), self.deploy(2, auth_login="b" * 64)
        self.assertEqual((first["previous"], second["previous"]), (None, first["name"]))
        self.assertEqual(releases.changed(first, second), ["auth-login"])

    def test_other_variables_are_another_release(self):
        first = self.deploy(1)
        self.settings.variables = {"log_level": "debug"}
        self.assertNotEqual(self.deploy(2)["name"], first["name"])

    def test_a_rollback_takes_code_and_variables_back_and_the_next_one_goes_further(self):
        names = [self.deploy(number, auth_login=str(number) * 64)["name"] for number in (1, 2, 3)]
        self.settings.variables = {"log_level": "debug"}
        for wanted in (names[1], names[0]):
            release = self.history.get(self.history.current()["previous"])
            releases.install(self.settings, release)
            self.history.make_current(release)
            self.assertEqual(release["name"], wanted)
        self.assertEqual(self.manifest()["auth-login"]["sha256"], "1" * 64)
        self.assertEqual(self.settings.variables, {})
        # A release made after a rollback follows the one that was gone back to, not the one that was left.
        self.assertEqual(self.deploy(4, auth_login="4" * 64)["previous"], names[0])

    def test_of_one_service_the_others_stay_what_they_were(self):
        self.deploy(1)
        self.settings.service = "push"
        release = self.deploy(2, push_ticket="b" * 64, auth_login="b" * 64)
        self.assertEqual(release["functions"]["auth-login"]["sha256"], "a" * 64)
        self.assertEqual(release["functions"]["push-ticket"]["sha256"], "b" * 64)

    def test_a_release_without_a_function_of_today_is_refused_with_its_commit(self):
        release = self.deploy(1)
        del release["functions"]["auth-login"]
        with self.assertRaises(Refused) as caught:
            releases.install(self.settings, release)
        self.assertIn("auth-login", str(caught.exception))
        self.assertIn("commit c", str(caught.exception))

    def played(self, broken, ends=None, shifted=None, unbuilt=None, **digests):
        """A deploy whose cloud is not there: what it applied, and how it ended. `ends` is how Terraform ends in the midst of stack
        auth, and `unbuilt` how the build ends."""
        applied, self.first = [], []

        def make_ready(_settings, first):
            self.first.append(first)
            if first:
                # As the foundations do it, whether the build succeeds or not.
                stack = terraform.Stack("push", self.settings)
                stack.state.parent.mkdir(exist_ok=True)
                stack.state.write_text("{}")
            if unbuilt:
                raise unbuilt
            return self.built(**digests)

        def apply_all(chosen, _stacks, touched=None, first=None):
            self.first.append(first)
            if ends:
                touched.append("auth")
                raise ends
            applied.append({name: entry["sha256"] for name, entry in json.loads(chosen.manifest_file.read_text())["functions"].items()})
            return ["auth"]

        def smoke(_settings, _outputs):
            if broken:
                raise Failed("the smoke test failed")

        quiet = contextlib.redirect_stdout(io.StringIO())
        with quiet, mock.patch.multiple(deploy, make_ready=make_ready, greet=lambda *_: None), \
                mock.patch.object(preparation, "prerequisites", lambda *_, **__: None), \
                mock.patch.object(outputs, "write", lambda *_: {"httpUrl": "http://h"}), \
                mock.patch.multiple(deploy.cloud, start=lambda *_: [], running=lambda *_: True), \
                mock.patch.object(deploy.http, "wait_for_health", lambda *_: {}), \
                mock.patch.object(stacks, "apply_all", apply_all), mock.patch.object(terraform, "prepare", lambda *_: None), \
                mock.patch.object(deploy.canary, "release", lambda *_: shifted or {}):
            try:
                deploy.deploy(self.settings, smoke)
                trouble = None
            except Failed as failed:
                trouble = str(failed)
        return applied, trouble

    def test_a_smoke_test_that_fails_takes_the_deploy_back_and_fails_it(self):
        _, trouble = self.played(False)
        self.assertIsNone(trouble)
        good = self.history.current()["name"]
        applied, trouble = self.played(True, auth_login="b" * 64)
        self.assertEqual([found["auth-login"] for found in applied], ["b" * 64, "a" * 64])
        self.assertIn(f"Rolled back to release {good} (undone: auth-login)", trouble)
        self.assertEqual(self.history.current()["name"], good)

    def test_a_first_deploy_that_fails_has_nothing_to_go_back_to(self):
        applied, trouble = self.played(True)
        self.assertEqual(len(applied), 1)
        self.assertIn("no earlier release", trouble)
        self.assertIsNone(self.history.current())

    def test_only_a_deploy_of_nothing_is_the_first_and_its_failed_build_says_what_stays(self):
        _, trouble = self.played(False, unbuilt=Failed("the build failed"))
        self.assertEqual(self.first, [True])
        self.assertTrue(trouble.startswith("the build failed\nWhat Terraform changed in push stays: "), trouble)
        _, trouble = self.played(False, unbuilt=Failed("the build failed"))
        self.assertEqual((self.first, trouble), ([False], "the build failed"))
        terraform.Stack("push", self.settings).state.unlink()
        self.played(False)
        self.assertEqual(self.first, [True, True])
        self.played(False)
        self.assertEqual(self.first, [False, False])

    def test_other_terraform_that_does_not_work_puts_the_callers_back_and_says_what_stays(self):
        self.played(False)
        good = self.history.current()["name"]
        moves = []
        with mock.patch.object(aws, "move_aliases", lambda _settings, alias, moved: moves.append((alias, moved))):
            applied, trouble = self.played(True, shifted={"p-auth-login": ("3", "4")})
        self.assertEqual(len(applied), 1)
        self.assertEqual(moves, [("live", [{"name": "p-auth-login", "version": "3", "weights": {}}])])
        said = trouble.splitlines()
        self.assertEqual(said[:2], ["the smoke test failed", "All callers are back on the versions before."])
        self.assertIn("What Terraform changed in auth stays: fix the cause and run `make deploy` again", said[2])
        self.assertIn(f"run `make rollback TO={good}`", said[2])

        def trouble_with_aws(*_):
            raise Failed("AWS cannot be used")

        with mock.patch.object(aws, "move_aliases", trouble_with_aws):
            _, trouble = self.played(True, shifted={"p-auth-login": ("3", "4")})
        self.assertIn("All callers stay on the new versions; they could not be put back: AWS cannot be used", trouble)
        # Where Terraform moves the aliases, nothing of the deploy's can be put back.
        _, trouble = self.played(True)
        self.assertNotIn("callers", trouble)
        self.assertIn("What Terraform changed before stays", deploy.left(read(ENV="staging"), None, []))
        self.assertIn("run `make rollback ENV=staging TO=r`", deploy.left(read(ENV="staging"), {"name": "r"}, ["push"]))
        self.assertEqual(self.history.current()["name"], good)

    def test_terraform_that_ends_on_the_way_says_what_stays(self):
        _, trouble = self.played(False, ends=Failed("terraform apply failed"))
        self.assertIn("terraform apply failed\nWhat Terraform changed in auth stays: fix the cause and run `make deploy` again; there is no earlier release", trouble)
        self.played(False)
        _, trouble = self.played(False, ends=Refused("the credentials have expired"), auth_login="b" * 64)
        self.assertIn(f"the credentials have expired\nWhat Terraform changed in auth stays: fix the cause and run `make deploy` again, or check out the commit "
                      f"that was deployed before this one and run `make rollback TO={self.history.current()['name']}`.", trouble)

    def test_what_terraform_has_begun_to_change_is_known_when_it_fails(self):
        class Stack:
            name, state = "auth", self.settings.work / "no-state"
            plan = staticmethod(lambda refresh: True)
            gate = staticmethod(lambda: None)

            @staticmethod
            def apply():
                raise Failed("no")

        touched = []
        with contextlib.redirect_stdout(io.StringIO()), self.assertRaises(Failed), \
                mock.patch.multiple(unchanged, fingerprint=lambda _: "", parameters=lambda _: {}, forget=lambda _: None):
            stacks.apply_all(self.settings, [Stack], touched)
        self.assertEqual(touched, ["auth"])

    def network_made(self, *addresses, env="staging", cache="redis", fails=False):
        """What is done to the stack `platform` with this state before a deploy: each plan's values, `gate` and `apply`."""
        done, touched = [], []

        class Stack:
            name = "platform"
            addresses = staticmethod(lambda: list(self.addresses))
            plan = staticmethod(lambda **values: done.append(values))
            summary = staticmethod(lambda: "9 added")

            @staticmethod
            def gate():
                done.append("gate")
                if fails:
                    raise Refused("would remove a table")

            @staticmethod
            def apply():
                done.append("apply")

        self.addresses = addresses
        context = self.assertRaises(Refused) if fails else contextlib.nullcontext()
        with contextlib.redirect_stdout(io.StringIO()), context:
            stacks.make_network(read(ENV=env, CACHE=cache), [Stack], touched)
        return done, touched

    FUNCTION = 'module.service.module.function["ops-health"].aws_lambda_function.this["this"]'
    SUBNET = 'module.network.aws_subnet.private["us-east-1a"]'
    NETWORK = ('aws_ssm_parameter.output["network-subnet-ids"]', 'aws_ssm_parameter.output["network-functions-security-group-id"]')

    def test_the_cache_is_created_before_functions_enter_its_network(self):
        first = {"cache_provider": "dynamodb", "redis_delete_only": "false", "redis_keep": "true"}
        self.assertEqual(self.network_made(self.FUNCTION), ([first, "gate", "apply"], ["platform"]))
        # An apply that ended on the way has left a part of it.
        self.assertEqual(self.network_made(self.FUNCTION, self.SUBNET, self.NETWORK[0]), ([first, "gate", "apply"], ["platform"]))
        self.assertEqual(self.network_made(self.FUNCTION, fails=True), ([first, "gate"], []))

    def test_the_stack_publishes_the_values_of_a_complete_network(self):
        text = (settings.ROOT / "infra" / "stacks" / "platform" / "network.tf").read_text(encoding="utf-8")
        for address in self.NETWORK:
            self.assertRegex(text, rf"\n    {address.split(chr(34))[1]} +=")

    def test_where_no_function_has_to_enter_a_new_network_nothing_is_done_before(self):
        for given in ({"addresses": ()}, {"addresses": (self.FUNCTION, self.SUBNET, *self.NETWORK)}, {"addresses": (self.FUNCTION,), "cache": "dynamodb"},
                      {"addresses": (self.FUNCTION,), "env": "local"}):
            with self.subTest(given):
                self.assertEqual(self.network_made(*given.pop("addresses"), **given), ([], []))

    def test_a_cache_is_switched_one_step_at_a_time_and_in_all_stacks(self):
        steps = ("dynamodb", "redis, delete only", "redis")
        chosen = read(ENV="staging")
        for before in (*steps, None):
            for after in steps:
                allowed = before is None or abs(steps.index(before) - steps.index(after)) < 2
                for service in ("", "auth"):
                    chosen.service = service
                    context = contextlib.nullcontext() if allowed and (not service or before in (None, after)) else self.assertRaises(Refused)
                    with context:
                        releases.check_switch(chosen, {"cache_mode": before} if before else None, after)
        # Nothing is served meanwhile on this machine.
        releases.check_switch(self.settings, {"cache_mode": "dynamodb"}, "redis")

    def test_a_rollback_takes_the_cache_back_too(self):
        self.settings.cache, self.settings.delete_only = "redis", True
        release = self.deploy(1)
        self.settings.cache, self.settings.delete_only = "redis", False
        self.assertNotEqual(self.deploy(2)["name"], release["name"])
        releases.install(self.settings, release)
        self.assertEqual(self.settings.cache_mode, "redis, delete only")

    def test_without_a_release_there_is_nothing_to_roll_back(self):
        with mock.patch.object(preparation, "prerequisites", lambda *_, **__: None), \
                mock.patch.object(deploy.cloud, "running", lambda *_: True), self.assertRaises(Refused) as caught:
            deploy.rollback(self.settings)
        self.assertIn("nothing to go back to", str(caught.exception))

    def test_a_build_of_one_service_leaves_the_others_in_the_manifest(self):
        self.built()
        for name in ("push-ticket", "auth-login"):
            file = self.settings.work / "lambda" / name / "bootstrap"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"new")
        self.settings.service, self.settings.arch = "push", "x86_64"
        self.assertNotIn("auth-login", catalogue.wanted(self.settings))
        build.package(self.settings, ["push-ticket"])
        found = self.manifest()
        self.assertEqual(sorted(found), sorted(catalogue.functions()))
        self.assertNotEqual(found["push-ticket"]["sha256"], "a" * 64)
        self.assertEqual(found["auth-login"]["sha256"], "a" * 64)

    def test_without_a_build_an_environment_of_aws_keeps_the_release_it_has(self):
        current = self.deploy(1)
        chosen = read(ENV="staging", BUILD="0", HOLDFAST_WORK_DIR=str(self.settings.work), VARS="log_level=debug")
        chosen.work.mkdir(parents=True)
        with mock.patch.object(releases.History, "current", lambda _: current), contextlib.redirect_stdout(io.StringIO()):
            build.build(chosen)
        self.assertEqual(json.loads(chosen.manifest_file.read_text())["functions"]["auth-login"]["sha256"], "a" * 64)
        self.assertEqual(chosen.variables, {"log_level": "debug"})

    def test_a_plan_leaves_a_function_that_is_not_deployed_yet_to_the_pipeline_that_builds_it(self):
        current = self.deploy(1)
        del current["functions"]["auth-login"]
        chosen = read(ENV="staging", BUILD="0", HOLDFAST_WORK_DIR=str(self.settings.work))
        chosen.work.mkdir(parents=True)
        planned = []

        def plan_all(chosen_stacks):
            planned.append([stack.name for stack in chosen_stacks])
            self.assertNotIn("auth-login", json.loads(chosen.manifest_file.read_text())["functions"])

        said = io.StringIO()
        with contextlib.redirect_stdout(said), mock.patch.object(releases.History, "current", lambda _: current), \
                mock.patch.object(preparation, "prerequisites", lambda *_, **__: None), \
                mock.patch.object(plan, "prerequisites", lambda *_, **__: None), mock.patch.object(aws, "require_buckets", lambda _: None), \
                mock.patch.object(terraform, "prepare", lambda *_: None), mock.patch.object(stacks, "plan_all", plan_all):
            plan.plan(chosen)
            self.assertEqual(planned, [["platform", "sessions", "push", "events"]])
            self.assertIn(f"Release {current['name']} has no auth-login yet: auth is planned by service-auth, which builds it.", said.getvalue())
            self.assertFalse(chosen.manifest_file.exists())
            chosen.service = "auth"
            plan.plan(chosen)
            self.assertEqual(len(planned), 1)
            # A deploy is about all of it.
            chosen.service = ""
            with self.assertRaises(Refused) as caught:
                deploy.deploy(chosen)
            self.assertIn("has no auth-login", str(caught.exception))

    def drifts(self, differs, halves=()):
        current = self.deploy(1)
        chosen = read(ENV="staging", HOLDFAST_WORK_DIR=str(self.settings.work))
        said = io.StringIO()
        with contextlib.redirect_stdout(said), mock.patch.object(releases.History, "current", lambda _: current), \
                mock.patch.object(plan, "prerequisites", lambda *_, **__: None), mock.patch.object(aws, "require_buckets", lambda _: None), \
                mock.patch.object(terraform, "prepare", lambda *_: None), mock.patch.object(stacks, "plan_all", lambda _: differs), \
                mock.patch.object(canary, "split", lambda _: halves):
            plan.drift(chosen)
        return said.getvalue()

    def test_drift_is_a_failure_and_none_is_said(self):
        self.assertIn("No drift", self.drifts(False))
        with self.assertRaises(Failed):
            self.drifts(True)

    def test_a_canary_that_nobody_completed_is_drift(self):
        with self.assertRaisesRegex(Failed, "a canary was interrupted.*make rollback ENV=staging.*p-ops-health: 10 % on version 4"):
            self.drifts(False, ["p-ops-health: 10 % on version 4"])

    def test_an_artifact_that_is_not_what_its_manifest_says_is_named(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            data = build.zip_one("bootstrap", b"x")
            digest = hashlib.sha256(data).hexdigest()
            (folder / "artifacts").mkdir()
            (folder / "artifacts" / "a.zip").write_bytes(data)
            (folder / "release.json").write_text(json.dumps({"functions": {"a": {"sha256": digest, "s3Key": "a.zip"}}}))
            with contextlib.redirect_stdout(io.StringIO()):
                manifest.verify_artifacts(folder)
            (folder / "artifacts" / "a.zip").write_bytes(data + b"x")
            with self.assertRaises(Failed) as caught:
                manifest.verify_artifacts(folder)
            self.assertTrue(str(caught.exception).endswith(": a"))

    def test_a_deploy_without_a_build_needs_one_that_was(self):
        self.settings.built = True
        with self.assertRaises(Refused) as caught:
            build.build(self.settings)
        self.assertIn("BUILD=0", str(caught.exception))
        self.built()
        self.assertEqual(build.build(self.settings), 0)


if __name__ == "__main__":
    unittest.main()
