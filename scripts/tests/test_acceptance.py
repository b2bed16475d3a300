"""`holdfast verify`: a check that fails makes the verb fail, skips have reasons, `--safe` writes nothing, and everything is removed again."""

import contextlib
import io
import json
import os
import re
import tempfile
import time
import unittest
from unittest import mock

from fakes import SCRIPTS, Scripted, called, deployed, read

from holdfast_cli.core import catalogue, console
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.deploy.releases import History
from holdfast_cli.operate import tail
from holdfast_cli.operate.routes import Response
from holdfast_cli.verify.acceptance import account, people, queues, run, sockets, table
from holdfast_cli.verify.acceptance.check import Check, Deployed, Skipped, figures, frame_of

PAGE = (SCRIPTS.parent / "docs" / "verifying.md").read_text(encoding="utf-8")
KNOWN = {"env": "local", "httpUrl": "http://h", "wsUrl": "ws://w", "cacheProvider": "redis", "queues": {}, "tables": {},
         "functions": {"auth-login": "p-auth-login", "push-authorizer": "p-push-authorizer", "push-fanout": "p-push-fanout"}}


def fails(_):
    raise Failed("the reason")


def skips(_):
    raise Skipped("nothing to see.")


def breaks(_):
    raise KeyError("unexpected")


class Admin:
    """An operator's commands, noted; `fails` names those that fail."""

    def __init__(self, *fails):
        self.given, self.fails = [], fails

    def command(self, action, **fields):
        self.given.append(action)
        if action in self.fails:
            raise Failed(f"{action} failed")
        return {"user": {"userId": "u1"}}


def made(env="local", safe=False, admin=None, **known):
    found = Deployed(read(ENV=env), {**KNOWN, **known}, safe)
    found.operator = admin or Admin()
    return found


def played(*checks, named=False, deployment=None):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()):
        return run.play(deployment or made(), checks, named), said.getvalue()


class Results(unittest.TestCase):
    def verb(self, *checks, words=(), known=KNOWN):
        with mock.patch.object(run, "CHECKS", checks), mock.patch.object(run.outputs, "read", lambda _: known), \
                mock.patch.object(run.cloud, "require_running", lambda _: None):
            return called(["verify", *words], read())

    def test_a_check_that_fails_makes_the_verb_fail_and_the_others_still_run(self):
        code, out, err = self.verb(Check("good", "It holds.", lambda _: "figure 7"), Check("bad", "It fails.", fails), Check("odd", "It breaks.", breaks),
                                   Check("after", "It runs.", lambda _: "still"))
        self.assertEqual(code, 1)
        self.assertRegex(out, r"(?m)^  good +passed +\d+\.\d s +figure 7$")
        self.assertRegex(out, r"(?m)^  bad +FAILED +\d+\.\d s +the reason$")
        self.assertRegex(out, r"(?m)^  odd +FAILED +\d+\.\d s +KeyError: 'unexpected'$")
        self.assertRegex(out, r"(?m)^  after +passed")
        self.assertIn("2 passed, 2 failed, 0 skipped", out)
        self.assertEqual(err, "not as it should be: bad (the reason); odd (KeyError: 'unexpected'). `holdfast verify --only bad,odd` runs them again.\n")

    def test_what_is_skipped_is_listed_last_with_its_reason_and_is_no_failure(self):
        code, out, _ = self.verb(Check("cloudy", "A.", fails, needs_aws="no quotas here."), Check("good", "B.", lambda _: "yes"),
                                 Check("none", "C.", never="not run: it removes everything."), Check("long", "D.", fails, on_demand="takes 2 hours"),
                                 Check("empty", "E.", skips))
        self.assertEqual(code, 0)
        rows = re.findall(r"(?m)^  (\S+) +(passed|skipped) +(\S+(?: s)?) +(.*)$", out)
        self.assertEqual([(name, verdict, note) for name, verdict, _, note in rows], [
            ("good", "passed", "yes"), ("cloudy", "skipped", "needs AWS: no quotas here."), ("none", "skipped", "not run: it removes everything."),
            ("long", "skipped", "takes 2 hours: --only long runs it"), ("empty", "skipped", "nothing to see.")])
        self.assertIn("1 passed, 0 failed, 4 skipped", out)
        self.assertIn("What was skipped is not proved", out)

    def test_json_is_one_document_also_after_a_failure(self):
        code, out, _ = self.verb(Check("bad", "A.", fails), Check("none", "B.", never="not run: why."), words=["--json"])
        document = json.loads(out[out.index("{"):])
        self.assertEqual((code, document["ok"], document["failed"], document["skipped"]), (1, False, 1, 1))
        self.assertEqual([(one["name"], one["result"], one["note"]) for one in document["checks"]],
                         [("bad", "failed", "the reason"), ("none", "skipped", "not run: why.")])

    def test_only_picks_by_name_and_runs_what_runs_on_demand(self):
        checks = Check("long", "A.", lambda _: "done", on_demand="takes 2 hours"), Check("other", "B.", fails)
        self.assertEqual(self.verb(*checks, words=["--only", "long"])[0], 0)
        code, _, err = self.verb(*checks, words=["--only", "nope"])
        self.assertEqual((code, "there is no such check. Use long, other." in err), (2, True))

    def test_production_needs_safe_before_anything_is_read(self):
        with mock.patch.object(run.outputs, "read", side_effect=AssertionError), self.assertRaisesRegex(Refused, "Add --safe"):
            run.run(read(ENV="production"))

    def test_a_place_that_a_check_is_not_for_is_named(self):
        check = Check("c", "A.", fails, needs_aws="a.", needs_local="b.")
        self.assertEqual(check.left_out(True, False, True), "needs AWS: a.")
        self.assertEqual(check.left_out(False, False, True), "needs the local cloud: b.")


class Safe(unittest.TestCase):
    def test_what_writes_is_left_out_and_says_why(self):
        results, _ = played(Check("w", "A.", fails, writes="creates a user"), Check("r", "B.", lambda _: "read"), deployment=made(safe=True))
        self.assertEqual([(one.name, one.verdict, one.note) for one in results],
                         [("w", "skipped", "left out by --safe, because it creates a user"), ("r", "passed", "read")])

    def test_a_check_that_would_write_without_an_entry_is_stopped(self):
        deployment = made(safe=True)
        results, _ = played(Check("liar", "A.", lambda found: found.person.id), deployment=deployment)
        self.assertEqual(results[0].verdict, "FAILED")
        self.assertEqual(deployment.operator.given, [])

    def test_the_checks_that_read_call_nothing_that_writes(self):
        """Every call of a check that `--safe` runs begins with a word of reading."""
        class Reads:
            def __init__(self):
                self.calls = []

            def __getattr__(self, name):
                def call(*_, **__):
                    self.calls.append(name)
                    raise Failed("enough")
                return call

        calls = []
        for check in table.CHECKS:
            if check.writes or check.run is None:
                continue
            api, deployment = Reads(), made("staging", safe=True, queues=dict.fromkeys(("push", "broadcast", "close"), "url"))
            clients = mock.Mock(functions=api, sqs=api, cloudwatch=api, dynamodb=api, logs=api, s3=api, sts=api)
            clients.client = lambda _, api=api, **__: api
            deployment.api = clients
            asked = []
            with mock.patch.object(Deployed, "ask", lambda _, method, *__, asked=asked, **___: asked.append(method) or Response(0, {})), \
                    mock.patch.object(account.aws, "caller", lambda _: {"account": "1", "arn": "a"}), \
                    mock.patch.object(account.aws, "aliases", lambda *_: {}), mock.patch.object(account.aws, "object_text", lambda *_: None), \
                    mock.patch.object(account.releases, "History", lambda _: mock.Mock(current=lambda: None)), \
                    mock.patch.object(account.environments, "values", lambda _: {}), mock.patch.dict(os.environ, {"ACTIONS_ID_TOKEN_REQUEST_URL": ""}), \
                    contextlib.suppress(Failed, Skipped):
                check.run(deployment)
            calls += api.calls
            self.assertLessEqual(set(asked), {"GET", "OPTIONS"}, check.name)
        self.assertTrue(calls)
        self.assertEqual([name for name in calls if not name.startswith(("get_", "list_", "describe_", "head_", "simulate_"))], [])


class Cleaning(unittest.TestCase):
    def test_the_user_is_deleted_after_success_failure_and_ctrl_c(self):
        def interrupted(found):
            found.person  # noqa: B018
            raise KeyboardInterrupt

        for work, ends in ((lambda found: found.person.id, None), (lambda found: fails(found.person), None), (interrupted, KeyboardInterrupt)):
            deployment = made()
            with self.assertRaises(ends) if ends else contextlib.nullcontext():
                played(Check("c", "A.", work), deployment=deployment)
            self.assertEqual(deployment.operator.given, ["create", "delete"])

    def test_a_user_whose_creation_fails_half_way_is_looked_for_too(self):
        deployment = made(admin=Admin("create"))
        results, _ = played(Check("c", "A.", lambda found: found.person.id), deployment=deployment)
        self.assertEqual((results[0].note, deployment.operator.given), ("create failed", ["create", "delete"]))

    def test_no_user_is_created_where_no_check_needs_one(self):
        deployment = made()
        played(Check("c", "A.", lambda _: "x"), deployment=deployment)
        self.assertEqual(deployment.operator.given, [])

    def test_what_cannot_be_removed_is_a_failure_that_names_it(self):
        results, _ = played(Check("c", "A.", lambda found: found.person.id), deployment=made(admin=Admin("delete")))
        self.assertEqual((results[-1].name, results[-1].verdict), ("clean-up", "FAILED"))
        self.assertRegex(results[-1].note, r"^still there: the user e2e-[0-9a-f]{24}@holdfast.test\. Remove it by hand\.$")

    def test_what_a_block_creates_is_removed_once_and_tried_again_at_the_end(self):
        deployment, removals = made(), []

        def remove():
            removals.append(1)
            if len(removals) == 1:
                raise Failed("not now")

        with self.assertRaisesRegex(Failed, "not now"), deployment.removed("the role r", remove):
            pass
        self.assertEqual((deployment.clean_up(), len(removals)), ([], 2))
        with deployment.removed("the role s", lambda: removals.append(1)):
            pass
        self.assertEqual((deployment.clean_up(), len(removals)), ([], 3))


class Socket:
    """A socket that gives these frames, and then is closed, or says nothing."""

    def __init__(self, *frames, closes=False):
        self.frames, self.closes = [json.dumps(frame) for frame in frames], closes

    def send(self, _):
        pass

    def recv(self, timeout=None):
        from websockets.exceptions import ConnectionClosedOK

        if self.frames:
            return self.frames.pop(0)
        raise ConnectionClosedOK(None, None) if self.closes else TimeoutError


class RollbackReady(unittest.TestCase):
    """The release that a rollback deploys must be complete: the one before, or the first as long as it is alone."""

    def ready(self, *releases, lacking=""):
        with tempfile.TemporaryDirectory() as folder:
            here = read(HOLDFAST_WORK_DIR=folder)
            history = History(here)
            for name, previous in releases:
                functions = {key: {"s3Key": f"{key}/{name}.zip"} for key in catalogue.functions()}
                history.add({"name": name, "previous": previous, "functions": functions})
                for key, entry in functions.items():
                    file = here.work / "artifacts" / entry["s3Key"]
                    file.parent.mkdir(parents=True, exist_ok=True)
                    if f"{key}/{name}" != lacking:
                        file.write_bytes(b"zip")
            return account.rollback_ready(Deployed(here, KNOWN))

    def test_the_release_before_this_one_has_all_its_artifacts(self):
        self.assertEqual(self.ready(("r1", None), ("r2", "r1")), f"release r1, the one before this one, has its {len(catalogue.functions())} artifacts")
        with self.assertRaisesRegex(Failed, "release r1 cannot be deployed again: it has no artifact of auth-login"):
            self.ready(("r1", None), ("r2", "r1"), lacking="auth-login/r1")

    def test_the_first_release_has_all_its_artifacts_for_the_next_deploy(self):
        self.assertIn("release r1, the first one, to which the next deploy can go back, has its", self.ready(("r1", None)))
        with self.assertRaisesRegex(Failed, "release r1 cannot be deployed again: it has no artifact of auth-login"):
            self.ready(("r1", None), lacking="auth-login/r1")

    def test_a_release_before_this_one_whose_record_is_lost_is_not_taken_for_the_first(self):
        with self.assertRaisesRegex(Failed, "the record of release r1 is missing"):
            self.ready(("r2", "r1"))

    def test_without_a_record_of_releases_it_is_skipped(self):
        with self.assertRaisesRegex(Skipped, "no release was recorded"):
            self.ready()


class Parts(unittest.TestCase):
    """Single checks, against answers that are wrong."""

    def test_every_wait_for_a_frame_ends(self):
        self.assertEqual(frame_of(Socket({"type": "x"}, {"type": "y"}), lambda frame: frame["type"] == "y", "y"), {"type": "y"})
        with self.assertRaisesRegex(Failed, "no y came within 1 s"):
            frame_of(Socket({"type": "x"}), lambda frame: frame["type"] == "y", "y", 1)
        with self.assertRaisesRegex(Failed, "closed before the y came"):
            frame_of(Socket(closes=True), lambda frame: frame["type"] == "y", "y")
        self.assertIsNone(sockets.until_closed(Socket(), 1))
        self.assertIsNotNone(sockets.until_closed(Socket({}, closes=True), 1))
        with self.assertRaisesRegex(Failed, "not closed within 1 s"):
            sockets.closed_after(Socket(), 1)

    def test_a_p99_needs_a_hundred_figures(self):
        self.assertEqual(figures([3.0, 1.0, 2.0]), "median 2 ms, at most 3 ms, of 3")
        self.assertEqual(figures([float(n) for n in range(1, 101)]), "median 51 ms, p99 99 ms, at most 100 ms, of 100")

    def test_a_handshake_that_should_be_refused_and_is_not_is_a_failure(self):
        def answered(result):
            return mock.patch.object(tail, "connect", mock.Mock(**result))

        with answered({"side_effect": tail.Lost("no", status=403)}):
            sockets._refused(made(), "ws://w?ticket=t", "it")
        with answered({"side_effect": tail.Lost("no", status=500)}), self.assertRaisesRegex(Failed, "not refused with 401 or 403"):
            sockets._refused(made(), "ws://w?ticket=t", "it")
        with answered({"return_value": mock.Mock()}), self.assertRaisesRegex(Failed, "it was accepted"):
            sockets._refused(made(), "ws://w?ticket=t", "it")

    def cors(self, answer):
        deployment = made()
        deployment.origins = lambda: ["https://a"]
        with mock.patch.object(Deployed, "ask", lambda _, *__, origin, **___: Response(204, {}, 0, answer(origin))):
            return people.cors(deployment)

    def test_an_api_that_allows_every_origin_fails(self):
        def allowed(origin, credentials="true", headers="content-type,x-holdfast-csrf"):
            return (("access-control-allow-origin", origin), ("access-control-allow-credentials", credentials), ("access-control-allow-headers", headers))

        self.assertIn("1 origins allowed", self.cors(lambda origin: allowed(origin) if origin == "https://a" else ()))
        with self.assertRaisesRegex(Failed, "foreign.example got the origin"):
            self.cors(allowed)
        with self.assertRaisesRegex(Failed, "credentials ''"):
            self.cors(lambda origin: allowed(origin, ""))
        with self.assertRaisesRegex(Failed, "X-Holdfast-CSRF"):
            self.cors(lambda origin: allowed(origin, headers="content-type"))

    def test_health_that_is_degraded_fails(self):
        said = {"status": "degraded", "version": "1", "checks": {"cache": {"provider": "redis"}}}
        with Scripted((200, {}, json.dumps(said).encode())) as api, deployed(api.port) as settings, self.assertRaisesRegex(Failed, "degraded"):
            people.health(Deployed(settings, {"httpUrl": f"http://127.0.0.1:{api.port}"}))

    def test_a_reader_without_partial_batches_and_a_reader_that_is_off_fail(self):
        def mappings(**more):
            fine = {"FunctionArn": "arn:aws:lambda:r:1:function:p-push-fanout:live", "FunctionResponseTypes": ["ReportBatchItemFailures"], "State": "Enabled"}
            deployment = made()
            deployment.api = mock.Mock()
            deployment.api.functions.get_paginator.return_value.paginate.return_value = [{"EventSourceMappings": [{**fine, **more}, fine]}]
            return queues.batch_settings(deployment)

        self.assertIn("2 event sources", mappings())
        for more, says in (({"FunctionResponseTypes": []}, "whole batch"), ({"State": "Disabled"}, "Disabled"), ({"FunctionArn": "arn:function:x"}, "push-fanout")):
            with self.assertRaisesRegex(Failed, says):
                mappings(**more)

    def test_a_queue_without_dead_letters_or_with_a_short_visibility_fails(self):
        def settings(**more):
            deployment = made(functions={key: key for key in ("push-fanout", "push-close-sockets")}, queues=dict.fromkeys(("push", "broadcast", "close"), "url"))
            deployment.api = mock.Mock()
            found = {"VisibilityTimeout": "360", "RedrivePolicy": '{"deadLetterTargetArn":"arn"}', **more}
            deployment.api.sqs.get_queue_attributes.return_value = {"Attributes": found}
            deployment.api.functions.get_function_configuration.return_value = {"Timeout": 60}
            return queues.queue_settings(deployment)

        self.assertTrue(settings().startswith("broadcast, close, push: each"))
        for more, says in (({"VisibilityTimeout": "359"}, "six times"), ({"RedrivePolicy": ""}, "no dead-letter queue")):
            with self.assertRaisesRegex(Failed, says):
                settings(**more)

    def test_a_canary_that_was_left_half_way_fails(self):
        def aliases(**weights):
            found = {name: {"version": "1", "weights": weights, "newest": "2"} for name in KNOWN["functions"].values()}
            with mock.patch.object(account.aws, "aliases", lambda *_: found):
                return account.weights(made())

        self.assertIn("3 functions", aliases())
        with self.assertRaisesRegex(Failed, "canary"):
            aliases(**{"2": 0.1})

    def test_an_alarm_of_lambda_without_a_datapoint_fails_and_a_count_of_faults_is_noted(self):
        def alarms(empty):
            def query(namespace, name):
                return {"MetricStat": {"Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": []}}}

            found = [{"AlarmName": "p-a", "Metrics": [query("AWS/Lambda", "Errors"), query("Holdfast", "TOKEN_REUSED"), query("Holdfast", "CACHE_HIT"), {"Expression": "x"}]}]
            deployment = made("staging")
            deployment.api = mock.Mock()
            deployment.api.cloudwatch.get_paginator.return_value.paginate.return_value = [{"MetricAlarms": found}]
            deployment.api.cloudwatch.list_metrics = lambda MetricName, **_: {"Metrics": [] if MetricName in empty else [{}]}
            return account.alarms(deployment)

        self.assertEqual(alarms(()), "3 of 3 metrics of alarms have a datapoint")
        self.assertIn("not counted yet: TOKEN_REUSED of p-a", alarms(("TOKEN_REUSED",)))
        with self.assertRaisesRegex(Failed, "Errors of p-a"):
            alarms(("Errors",))
        with self.assertRaisesRegex(Failed, "none of Holdfast's own"):
            alarms(("TOKEN_REUSED", "CACHE_HIT"))

    def test_a_function_that_lambda_stops_as_a_loop_fails(self):
        def chains(setting, dropped):
            deployment = made("staging", functions={**KNOWN["functions"], "push-close-sockets": "p-c"})
            deployment.api = mock.Mock()
            deployment.api.functions.get_function_recursion_config.return_value = {"RecursiveLoop": setting}
            deployment.api.cloudwatch.get_metric_statistics.return_value = {"Datapoints": [{"Sum": dropped}]}
            return queues.chains(deployment)

        self.assertIn("0 were dropped", chains("Allow", 0.0))
        with self.assertRaisesRegex(Failed, "push-fanout, push-close-sockets: Lambda drops"):
            chains("Terminate", 0.0)
        with self.assertRaisesRegex(Failed, "dropped 4 records"):
            chains("Allow", 2.0)

    def test_the_subject_of_a_token_is_compared_with_the_roles(self):
        def subject(sub):
            part = account.base64.urlsafe_b64encode(json.dumps({"sub": sub}).encode()).decode().rstrip("=")
            policy = {"Statement": [{"Condition": {"StringEquals": {"token.actions.githubusercontent.com:sub": ["repo:o/r:ref:refs/heads/main"]}}}]}
            deployment = made("staging")
            deployment.api = mock.Mock()
            deployment.api.client.return_value.get_role.return_value = {"Role": {"AssumeRolePolicyDocument": policy}}
            with Scripted((200, {}, json.dumps({"value": f"h.{part}.s"}).encode())) as github, mock.patch.object(account.environments, "values", lambda _: {}), \
                    mock.patch.dict(os.environ, {"ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{github.port}/?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}):
                return account.oidc_subject(deployment)

        self.assertIn("holdfast-staging-plan and holdfast-staging-deploy accept", subject("repo:o/r:ref:refs/heads/main"))
        with self.assertRaisesRegex(Failed, "no role accepts the subject repo:o@1/r@2"):
            subject("repo:o@1/r@2:ref:refs/heads/main")


class Table(unittest.TestCase):
    def test_at_least_half_of_the_checks_run_locally(self):
        local = [check for check in table.CHECKS if not check.left_out(True, False, False)]
        self.assertGreaterEqual(2 * len(local), len(table.CHECKS))

    def test_every_name_is_unique_and_every_check_runs_somewhere_or_says_why_not(self):
        names = [check.name for check in table.CHECKS]
        self.assertEqual(len(set(names)), len(names))
        for check in table.CHECKS:
            self.assertEqual(check.run is None, bool(check.never), check.name)
            self.assertFalse(check.needs_aws and check.needs_local, check.name)

    def test_the_page_has_every_check_with_where_it_runs(self):
        rows = {name: (shows, where) for name, shows, where in re.findall(r"(?m)^\| `([a-z0-9-]+)` \| (.*?) \| (.*?) \|$", PAGE)}
        self.assertEqual(sorted(rows), sorted(check.name for check in table.CHECKS))
        for check in table.CHECKS:
            shows, where = rows[check.name]
            self.assertEqual(shows, check.shows.replace("permissions.md", "[permissions.md](security/permissions.md)"), check.name)
            place = "never" if check.never else "AWS" if check.needs_aws else "local" if check.needs_local else "both"
            wanted = f"{place}{', on demand' if check.on_demand else ''}{'' if check.writes or check.never else ', `--safe`'}"
            self.assertEqual(where, wanted, check.name)

    def test_progress_is_that_of_the_tool(self):
        def until_mentioned(_):
            deadline = time.monotonic() + 20
            while "slow" not in said.getvalue() and time.monotonic() < deadline:
                time.sleep(0.01)
            return "x"

        with mock.patch.object(console, "_AT_ONCE_SECONDS", 0.01), contextlib.redirect_stdout(io.StringIO()) as said:
            run.one(Check("slow", "It takes a while.", until_mentioned), made())
        self.assertRegex(said.getvalue(), r"… slow\n  ✓ slow — \d")


if __name__ == "__main__":
    unittest.main()
