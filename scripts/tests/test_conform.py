"""What `holdfast conform` finds in requests and in answers, and that its register and its page are current."""

import asyncio
import base64
import contextlib
import json
import re
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from unittest import mock
from urllib.parse import unquote, urlsplit

import botocore.awsrequest
import botocore.session
import fakes
from botocore.config import Config
from botocore.exceptions import ClientError

from holdfast_cli.core import tools
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.verify import conform, planted, probes, requests, service_models
from holdfast_cli.verify.probe_list import PROBES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"


def target(service, name, body, **headers):
    prefix = requests.model(service).metadata["targetPrefix"]
    return requests.Request("POST", "/", (), {"x-amz-target": f"{prefix}.{name}", **headers}, service, json.dumps(body).encode(), 200)


def form(service, text):
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    return requests.Request("POST", "/", (), headers, service, text.encode(), 200)


def rest(service, method, path, body=b"", query=(), **headers):
    return requests.Request(method, path, tuple(query), {name.replace("_", "-"): text for name, text in headers.items()}, service, body, 200)


# A correct request of each protocol, and its members.
CORRECT = {
    "json": (target("dynamodb", "PutItem", {"TableName": "table", "Item": {"PK": {"S": "a"}, "data": {"B": "AAE="}}}),
             ("dynamodb:PutItem", {"TableName": "table", "Item": {"PK": {"S": "a"}, "data": {"B": b"\x00\x01"}}})),
    "json without a signature": (
        target("cognito-idp", "InitiateAuth", {"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "abc"})._replace(service=""),
        ("cognito-idp:InitiateAuth", {"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": "abc"})),
    "query": (form("iam", "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%7D&Tags.member.1.Key=k&Tags.member.1.Value=v"),
              ("iam:CreateRole", {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "k", "Value": "v"}]})),
    "query with a named list": (
        form("elasticache", "Action=CreateCacheSubnetGroup&CacheSubnetGroupName=g&CacheSubnetGroupDescription=d&SubnetIds.SubnetIdentifier.1=s"),
        ("elasticache:CreateCacheSubnetGroup", {"CacheSubnetGroupName": "g", "CacheSubnetGroupDescription": "d", "SubnetIds": ["s"]})),
    "query with an empty list": (
        form("elasticache", "Action=CreateCacheSubnetGroup&CacheSubnetGroupName=g&CacheSubnetGroupDescription=d&SubnetIds="),
        ("elasticache:CreateCacheSubnetGroup", {"CacheSubnetGroupName": "g", "CacheSubnetGroupDescription": "d", "SubnetIds": []})),
    "ec2": (form("ec2", "Action=CreateSubnet&VpcId=vpc-1&CidrBlock=10.0.0.0%2F24&TagSpecification.1.ResourceType=subnet"
                        "&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v&DryRun=false"),
            ("ec2:CreateSubnet", {"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "DryRun": False,
                                  "TagSpecifications": [{"ResourceType": "subnet", "Tags": [{"Key": "k", "Value": "v"}]}]})),
    "rest-json": (rest("apigateway", "POST", "/v2/apis/a1/routes", b'{"routeKey": "GET /", "authorizationType": "NONE"}'),
                  ("apigatewayv2:CreateRoute", {"ApiId": "a1", "RouteKey": "GET /", "AuthorizationType": "NONE"})),
    "rest-json with a query": (rest("lambda", "GET", "/2015-03-31/functions/f%3A1/policy", query=[("Qualifier", "live")]),
                               ("lambda:GetPolicy", {"FunctionName": "f:1", "Qualifier": "live"})),
    "rest-json with a payload": (rest("execute-api", "POST", "/_aws/execute-api/a1/v1/@connections/c%3D", b"{}"),
                                 ("apigatewaymanagementapi:PostToConnection", {"ConnectionId": "c=", "Data": b"{}"})),
    "rest-xml": (rest("s3", "PUT", "/bucket", b'<VersioningConfiguration xmlns="x"><Status>Enabled</Status></VersioningConfiguration>',
                      [("versioning", "")]),
                 ("s3:PutBucketVersioning", {"Bucket": "bucket", "VersioningConfiguration": {"Status": "Enabled"}})),
    "rest-xml with a boolean": (
        rest("s3", "PUT", "/bucket", b'<PublicAccessBlockConfiguration xmlns="x"><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>',
             [("publicAccessBlock", "")]),
        ("s3:PutPublicAccessBlock", {"Bucket": "bucket", "PublicAccessBlockConfiguration": {"BlockPublicAcls": True}})),
    "rest-xml with headers": (rest("s3", "PUT", "/bucket/a/b", b"content", [("x-id", "PutObject")], content_type="text/plain", x_amz_meta_one="1"),
                              ("s3:PutObject", {"Bucket": "bucket", "Key": "a/b", "ContentType": "text/plain", "Metadata": {"one": "1"}, "Body": b"content"})),
    "rest-xml by its query": (rest("s3", "PUT", "/bucket/a", b"x", [("partNumber", "2"), ("uploadId", "u")]),
                              ("s3:UploadPart", {"Bucket": "bucket", "Key": "a", "PartNumber": 2, "UploadId": "u", "Body": b"x"})),
}


def lines_of(*given):
    """Requests as the recorder writes them."""
    for request in given:
        query = "&".join(f"{name}={text}" for name, text in request.query)
        yield json.dumps({"method": request.method, "target": f"{request.path}?{query}", "headers": request.headers, "service": request.service,
                          "body": base64.b64encode(request.body).decode(), "length": len(request.body), "status": 200}) + "\n"


class Reader(unittest.TestCase):
    def test_a_request_of_each_protocol_is_its_operation_and_its_members(self):
        for name, (request, (operation, members)) in CORRECT.items():
            with self.subTest(name):
                call = requests.call(request)
                self.assertEqual((call.name, call.members), (operation, members))
                self.assertEqual(service_models.violations(call), [])

    def test_what_is_no_operation_is_a_violation(self):
        for request, says in (
            (target("dynamodb", "PutItem", {})._replace(headers={"x-amz-target": "DynamoDB_20120810.Invent"}), "no operation DynamoDB_20120810.Invent"),
            (form("iam", "Action=Invent"), "no operation Invent"),
            (rest("lambda", "GET", "/invented"), "no operation of lambda has GET /invented"),
            (target("dynamodb", "PutItem", {})._replace(body=b"{"), "the body is not JSON"),
            (rest("nothing", "GET", "/"), "botocore has no service that signs for nothing"),
        ):
            report = service_models.check([request])
            self.assertEqual((report.checked, len(report.violations)), (1, 1))
            self.assertIn(says, report.violations[0].what)

    def test_requests_for_holdfast_and_for_the_emulator_are_no_calls_of_aws(self):
        others = [rest("", "GET", "/_ministack/health"), rest("execute-api", "POST", "/_aws/execute-api/a1/v1/messages"),
                  rest("", "GET", "/_aws/execute-api/a1/v1/health")]
        report = service_models.check(others)
        self.assertEqual((report.checked, report.others), (0, 3))


class Violations(unittest.TestCase):
    def found(self, request):
        return "; ".join(service_models.violations(requests.call(request)))

    def test_each_kind_of_error_is_named(self):
        queue = {"QueueUrl": "q", "MessageBody": "b"}
        for request, says in (
            (target("dynamodb", "PutItem", {"TableName": "t"}), 'Missing required parameter in input: "Item"'),
            (target("sqs", "SendMessage", {**queue, "Delay": 1}), 'Unknown parameter in input: "Delay"'),
            (target("sqs", "SendMessage", {**queue, "DelaySeconds": "1"}), "Invalid type for parameter DelaySeconds"),
            (target("dynamodb", "PutItem", {"TableName": "t", "Item": {}, "ReturnValues": "SOME"}), "ReturnValues is 'SOME', and not one of"),
            (target("dynamodb", "TransactGetItems", {"TransactItems": [{"Get": {"Key": {}, "TableName": "t"}}] * 101}), "has 101 members, more than 100"),
            (target("dynamodb", "Query", {"TableName": "t", "Limit": 0}), "valid min value: 1"),
            (target("dynamodb", "Query", {"TableName": "t", "IndexName": "a b!"}), "which does not match"),
            (form("iam", "Action=GetRole&RoleName="), "RoleName"),
            (form("iam", "Action=GetRole&RoleName=r&Role=r"), 'Unknown parameter in input: "Role"'),
            (rest("lambda", "GET", "/2015-03-31/functions/f", query=[("qualifier", "x")]), 'Unknown parameter in input: "qualifier"'),
            (rest("apigateway", "POST", "/v2/apis/a/routes", b'{"RouteKey": "GET /"}'), 'Unknown parameter in input: "RouteKey (in the request)"'),
            (rest("s3", "PUT", "/b", b"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", [("versioning", "")]), "Status is 'On'"),
        ):
            self.assertIn(says, self.found(request))

    def test_errors_that_are_planted_into_correct_requests_are_all_found(self):
        found, missed = planted.control(request for request, _ in CORRECT.values())
        self.assertEqual(missed, [])
        self.assertEqual(set(found), set(planted.KINDS))
        self.assertGreater(found.total(), 40)

    def test_a_check_that_finds_nothing_fails_the_control(self):
        with mock.patch.object(planted.service_models, "violations", lambda call, unread=None: []):
            found, missed = planted.control(request for request, _ in CORRECT.values())
        self.assertEqual(found.total(), 0)
        self.assertGreater(len(missed), 40)

    def test_a_pattern_that_python_cannot_read_is_counted(self):
        self.assertIsNone(service_models.expression(r"[\p{S}]+"))
        self.assertTrue(service_models.expression(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*").fullmatch("Größe 1"))
        self.assertIsNone(service_models.expression(r"(?<broken"))


class Recording(unittest.TestCase):
    def test_what_the_recorder_writes_is_read_again_without_credentials(self):
        with mock.patch.dict("sys.modules"):
            import sys
            sys.path.insert(0, str(ROOT / "scripts" / "local"))
            self.addCleanup(sys.path.remove, str(ROOT / "scripts" / "local"))
            import recorder
        signed = b"AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=beef"
        scope = {"method": "POST", "raw_path": b"/a%20b", "path": "/a b", "query_string": b"x=1&y=",
                 "headers": [(b"Authorization", signed), (b"X-Amz-Security-Token", b"secret"), (b"X-Amz-Target", b"AmazonSQS.SendMessage")]}
        line = json.dumps(recorder.entry(scope, b"{}", 2, 200))
        self.assertNotIn("beef", line)
        self.assertNotIn("secret", line)
        read = requests.of_line(line)
        self.assertEqual(read, requests.Request("POST", "/a%20b", (("x", "1"), ("y", "")), {"x-amz-target": "AmazonSQS.SendMessage"}, "sqs", b"{}", 200))
        long = recorder.entry(scope, b"", recorder.LONGEST_BODY + 1, 200)
        self.assertIsNone(requests.of_line(json.dumps(long)).body)
        presigned = {**scope, "headers": [], "query_string": b"X-Amz-Credential=AKIA%2F20260101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=1"}
        self.assertEqual(recorder.entry(presigned, b"", 0, 200)["service"], "s3")
        own = {**scope, "raw_path": b"/_aws/execute-api/a1/v1/auth/login"}
        self.assertEqual(recorder.entry(own, b"password", 8, 200)["body"], base64.b64encode(b"").decode())

    def test_a_line_that_is_still_being_written_is_left_out(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "requests.jsonl"
            whole = next(self.lines())
            file.write_text(whole + whole[:40])
            self.assertEqual(len(list(requests.recorded(file))), 1)

    def test_no_recording_fails_and_says_how_one_is_made(self):
        with self.assertRaisesRegex(Failed, "recorded nothing of a test.*HOLDFAST_RECORD=1"):
            conform.check_requests(Path(tempfile.gettempdir()) / "holdfast-nothing-here" / "requests.jsonl", "a test")

    def check(self, lines):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "requests.jsonl"
            file.write_text("".join(lines))
            try:
                with mock.patch.object(conform, "line"), mock.patch.object(conform.console, "table"), \
                        mock.patch.object(conform, "_LEAST_REQUESTS", len(CORRECT)):
                    conform.check_requests(file, "a test")
            finally:
                self.assertFalse(file.exists())

    def lines(self, *more):
        return lines_of(*[one for one, _ in CORRECT.values()], *more)

    def test_a_recording_without_a_violation_passes_and_is_removed(self):
        self.check(self.lines())

    def test_one_wrong_request_fails(self):
        with self.assertRaisesRegex(Failed, "1 violations: AWS's models do not accept these requests"):
            self.check(self.lines(target("sqs", "SendMessage", {"QueueUrl": "q"})))

    def test_a_recording_of_nothing_fails(self):
        with self.assertRaisesRegex(Failed, "it is not that of an apply"):
            self.check([])


class Verb(unittest.TestCase):
    """`make conform ONLY=requests`, with deployments that send correct requests, and some others, to a local cloud that records."""

    WRONG = target("sqs", "SendMessage", {"QueueUrl": "q", "Delay": 1})

    def conform(self, local=(), staging=(), records=True):
        correct = [one for one, _ in CORRECT.values()]
        did = []

        def cloud_gets(settings, name, sent):
            did.append(name)
            if settings.records and records:
                settings.recording_file.parent.mkdir(parents=True, exist_ok=True)
                with open(settings.recording_file, "a", encoding="utf-8") as file:
                    file.writelines(lines_of(*sent))

        def make(rehearsal, verb, says=(), **_):
            # The child reads its own settings from the environment.
            cloud_gets(conform.settings_module.read(rehearsal.environ), f"staging {verb}", [*correct, *staging] if verb == "deploy" else [])
            return "stack platform: 3 added, 0 changed (3 resources)"

        stopped = []
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(conform.tools, "install", lambda *_: None), \
                mock.patch.object(conform.tools, "require_terraform", lambda: None), mock.patch.object(conform.tools, "require_cargo", lambda: None), \
                mock.patch.object(conform.deploy, "deploy", lambda own: cloud_gets(own, "local deploy", [*correct, *local])), \
                mock.patch.object(conform.smoke, "smoke", lambda own: did.append("local smoke")), \
                mock.patch.object(conform.rehearse.Rehearsal, "make", make), \
                mock.patch.object(conform.rehearse.environments, "fill_in", lambda _: {}), mock.patch.object(conform.rehearse.aws, "identity", lambda *_: {"account": "1"}), \
                mock.patch.object(conform.rehearse.Rehearsal, "take_role", lambda *_: None), \
                mock.patch.object(conform.cloud, "stop", lambda settings: stopped.append(settings.env)), \
                mock.patch.object(conform, "_LEAST_REQUESTS", len(correct)):
            code, out, err = fakes.called(["conform"], fakes.read(HOLDFAST_WORK_DIR=folder), ONLY="requests")
        self.assertEqual(stopped, ["local", "staging"][:len(stopped)])
        return code, out, err, did, stopped

    def test_both_deployments_are_recorded_checked_and_stopped(self):
        code, out, err, did, stopped = self.conform()
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(did, ["local deploy", "local smoke", "staging bootstrap", "staging bootstrap", "staging deploy"])
        self.assertEqual(stopped, ["local", "staging"])
        for what in ("a local apply and smoke test", "bootstrap, apply and smoke test of staging"):
            self.assertIn(f"{what}: {len(CORRECT)} requests of {len({name for _, (name, _) in CORRECT.values()})} operations, 0 violations", out)
        self.assertEqual(len(re.findall(r"planted: (\d+ \w+(, )?)+; found (\d+) of \3\n", out)), 2)

    def test_a_wrong_request_of_either_deployment_fails_the_verb(self):
        for given in ({"local": [self.WRONG]}, {"staging": [self.WRONG]}):
            code, out, err, _, stopped = self.conform(**given)
            self.assertEqual((code, stopped[-1]), (1, next(iter(given))))
            self.assertIn('sqs:SendMessage: Unknown parameter in input: "Delay"', out)
            self.assertIn("2 violations: AWS's models do not accept these requests", err)

    def test_a_local_cloud_that_records_nothing_fails_the_verb(self):
        code, _, err, _, stopped = self.conform(records=False)
        self.assertEqual((code, stopped), (1, ["local"]))
        self.assertIn("recorded nothing of a local apply and smoke test", err)


class ThroughTheRecorder(unittest.TestCase):
    """Requests of a real client, as botocore writes and signs them, go through the recorder of the local cloud to the check."""

    def recorded(self, *calls):
        sys.path.insert(0, str(ROOT / "scripts" / "local"))
        self.addCleanup(sys.path.remove, str(ROOT / "scripts" / "local"))
        import recorder

        class ASGIWrapper:
            """hypercorn's: serves an application that reads the whole body."""

            async def __call__(self, scope, receive, send, sync_spawn, call_soon):
                while (await receive()).get("more_body"):
                    pass
                await send({"type": "http.response.start", "status": 200})
                await send({"type": "http.response.body", "body": b"{}"})

        def served(request, **_):
            address = urlsplit(request.url)
            body = request.body.encode() if isinstance(request.body, str) else request.body or b""
            parts = [body[:7], body[7:]]
            scope = {"type": "http", "method": request.method, "path": unquote(address.path), "raw_path": address.path.encode(),
                     "query_string": address.query.encode(), "headers": [
                         (name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in request.headers.items()]}

            async def receive():
                return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

            async def send(_):
                pass

            asyncio.run(ASGIWrapper()(scope, receive, send, None, None))
            return botocore.awsrequest.AWSResponse(request.url, 200, {}, mock.Mock(stream=lambda **_: [b"{}"]))

        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(sys.modules, {"hypercorn": mock.Mock(), "hypercorn.app_wrappers": mock.Mock(ASGIWrapper=ASGIWrapper)}):
            file = Path(folder) / "requests.jsonl"
            file.touch()
            recorder.install(str(file))
            for service, name, members in calls:
                client = botocore.session.get_session().create_client(
                    service, "us-east-1", endpoint_url="http://127.0.0.1:9", aws_access_key_id="AKIDTEST", aws_secret_access_key="hidden",
                    aws_session_token="token-of-a-role", config=Config(parameter_validation=False))
                client.meta.events.register("before-send", served)
                with contextlib.suppress(Exception):
                    # The answer is no answer of every operation; only the request counts here.
                    getattr(client, name)(**members)
            text = file.read_text(encoding="utf-8")
            self.assertEqual([word for word in ("AKIDTEST", "hidden", "token-of-a-role") if word in text], [])
            return service_models.check(requests.recorded(file))

    def test_correct_requests_of_each_protocol_have_no_violation(self):
        report = self.recorded(
            ("dynamodb", "put_item", {"TableName": "table", "Item": {"PK": {"S": "a"}}}), ("iam", "get_role", {"RoleName": "r"}),
            ("lambda", "get_policy", {"FunctionName": "f", "Qualifier": "live"}), ("s3", "put_bucket_versioning", {
                "Bucket": "bucket", "VersioningConfiguration": {"Status": "Enabled"}}),
            ("apigatewayv2", "create_route", {"ApiId": "a1", "RouteKey": "GET /"}), ("ec2", "describe_subnets", {"SubnetIds": ["subnet-1"]}))
        self.assertEqual([f"{one.operation}: {one.what}" for one in report.violations], [])
        self.assertEqual(sorted(report.operations), ["apigatewayv2:CreateRoute", "dynamodb:PutItem", "ec2:DescribeSubnets", "iam:GetRole",
                                                     "lambda:GetPolicy", "s3:PutBucketVersioning"])

    def test_a_wrong_request_of_each_protocol_is_found(self):
        report = self.recorded(
            ("dynamodb", "put_item", {"TableName": "table"}), ("iam", "get_role", {"RoleName": ""}),
            ("lambda", "invoke", {"FunctionName": "f", "InvocationType": "Sometimes"}), ("s3", "put_bucket_versioning", {
                "Bucket": "bucket", "VersioningConfiguration": {"Status": "On"}}))
        self.assertEqual(sorted({one.operation for one in report.violations}),
                         ["dynamodb:PutItem", "iam:GetRole", "lambda:Invoke", "s3:PutBucketVersioning"])


def answering(answers):
    """Results of all probes: as AWS, except the given ones."""
    return [probes.Result(each, answers.get(each.name, each.expected)) for each in PROBES]


class Probes(unittest.TestCase):
    def test_each_has_a_name_of_its_own_and_a_source(self):
        self.assertGreaterEqual(len(PROBES), 100)
        self.assertEqual([name for name, count in Counter(each.name for each in PROBES).items() if count > 1], [])
        for each in PROBES:
            if each.source.title.startswith("unsourced"):
                self.assertTrue(each.source.url.startswith("https://github.com/"), each.name)
            else:
                self.assertRegex(each.source.url, r"^https://docs\.aws\.amazon\.com/amazondynamodb/latest/(developerguide|APIReference)/[\w.-]+\.html$")

    def test_an_error_is_an_answer(self):
        def refuse(_):
            raise ClientError({"Error": {"Code": "ValidationException"}}, "PutItem")
        for run, answer in ((refuse, "refused: ValidationException"), (lambda _: {"ResponseMetadata": {}}, "accepted"), (lambda _: 3, 3),
                            (lambda _: {}["Item"], "an answer without 'Item'")):
            probe = probes.Probe("a", 3, PROBES[0].source, run)
            self.assertEqual(probes.answer_to(probe, probes.Bench(None, None)), answer)

    def test_a_difference_fails_unless_it_is_registered_with_this_answer(self):
        name = PROBES[0].name
        different = answering({name: "accepted"})
        known = {name: probes.Known("accepted", "It does not matter.")}
        self.assertEqual([one.probe.name for one in probes.judge(different, {}).unknown], [name])
        self.assertEqual((probes.judge(different, known).unknown, len(probes.judge(different, known).known)), ([], 1))
        self.assertEqual(len(probes.judge(answering({name: "refused: Other"}), known).unknown), 1)

    def test_an_entry_that_no_longer_holds_fails(self):
        name = PROBES[0].name
        verdict = probes.judge(answering({}), {name: probes.Known("accepted", "It does not matter."), "no probe": probes.Known("accepted", "Neither.")})
        self.assertEqual(len(verdict.stale), 2)

    def test_the_verdict_fails_the_command(self):
        with mock.patch.object(conform.probes, "register", dict), mock.patch.object(conform, "line"), mock.patch.object(conform.console, "table"):
            conform.conclude({"local": answering({})}, whole=True)
            with self.assertRaisesRegex(Failed, "add it there with its reason"):
                conform.conclude({"local": answering({PROBES[0].name: "accepted"})}, whole=True)

    def test_a_value_and_its_attribute_value_are_the_same(self):
        for given, attribute in (("a", {"S": "a"}), (7, {"N": "7"}), (True, {"BOOL": True}), (None, {"NULL": True}), (b"x", {"B": b"x"}),
                                 ({"b", "a"}, {"SS": ["a", "b"]}), ({1}, {"NS": ["1"]}), ([1], {"L": [{"N": "1"}]}), ({"k": "v"}, {"M": {"k": {"S": "v"}}})):
            self.assertEqual(probes.value(given), attribute)


class Register(unittest.TestCase):
    def test_each_entry_is_of_a_probe_and_has_a_reason(self):
        names = {each.name: each for each in PROBES}
        entries = probes.register()
        self.assertEqual(set(entries), set(conform.IMPLEMENTATIONS))
        for known in entries.values():
            for name, entry in known.items():
                self.assertIn(name, names)
                self.assertNotEqual(entry.answer, probes.shown(names[name].expected))
                self.assertRegex(entry.why, r"^[A-Z].{20,}\.( .*\.)?$|^[A-Z].{20,}\)\.$")

    def test_the_page_has_every_entry_and_no_other(self):
        text = PAGE.read_text(encoding="utf-8")
        shown = {tuple(cell.strip() for cell in row.strip("|").split("|")) for row in re.findall(r"(?m)^\|.*\|$", text)}
        rows = {(name, f"`{probes.shown(each.expected)}`", f"`{entry.answer}`", entry.why)
                for known in probes.register().values() for name, entry in known.items() for each in PROBES if each.name == name}
        self.assertLessEqual(rows, shown)
        self.assertEqual(len([row for row in shown if len(row) == 4 and row[1].startswith("`")]), len(rows))

    def test_the_page_has_the_number_of_probes(self):
        self.assertIn(f"{len(PROBES)} probes", PAGE.read_text(encoding="utf-8"))


class Options(unittest.TestCase):
    def test_what_cannot_be_chosen_is_refused(self):
        for given, environ, says in ((("storms",), {}, "ONLY=storms: use requests, probes or suites"), (("probes", "moto"), {}, "IMPLEMENTATION=moto"),
                                     (("suites", "local"), {}, "make test"), ((), {"ENV": "staging"}, "never AWS")):
            with self.assertRaisesRegex(Refused, says):
                conform.conform(fakes.read(**environ), *given)

    def test_parts_and_implementations_are_run_as_chosen(self):
        for given, ran in (((), ["probe local,dynoxide", "requests", "suites"]), (("probes", "local"), ["probe local"]), (("requests",), ["requests"]),
                           (("", "dynoxide"), ["probe dynoxide", "suites"]), (("probes,requests", "local"), ["probe local", "requests"])):
            calls = []
            with mock.patch.object(conform, "probe", lambda _, names, calls=calls: calls.append(f"probe {','.join(names)}")), \
                    mock.patch.object(conform, "requests_of_deployments", lambda _, calls=calls: calls.append("requests")), \
                    mock.patch.object(conform, "run_suites", lambda _, calls=calls: calls.append("suites")), \
                    mock.patch.object(tools, "install", lambda *_: None):
                conform.conform(fakes.read(), *given)
            self.assertEqual(ran, calls)

    def test_the_suites_that_are_named_are_there(self):
        for name in conform.SUITES:
            self.assertEqual(len(list((ROOT / "shared").glob(f"*/tests/{name}.rs"))), 1, name)

    def test_a_crate_is_built_with_its_options_and_found_by_its_program(self):
        with tempfile.TemporaryDirectory() as folder:
            kept = fakes.read(HOLDFAST_TOOLS=folder)
            with fakes.Command(Path(folder) / "fake", cargo='echo "$@" > said; mkdir -p bin; touch bin/dynoxide'):
                found = tools.cargo_tool(kept, "dynoxide-rs")
                self.assertEqual(found.name, "dynoxide")
                said = (found.parents[1] / "said").read_text()
            self.assertIn(f"--version {tools.CARGO['dynoxide-rs'].version} --no-default-features --features native-sqlite,http-server,cli dynoxide-rs", said)


if __name__ == "__main__":
    unittest.main()
