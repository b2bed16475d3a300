"""The checks of `holdfast verify` that the local cloud skips, against answers of AWS. botocore compares each request and answer with AWS's service
models. Sockets, `@connections` and the HTTP API are servers of this process."""

import contextlib
import json
import re
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

from botocore.stub import Stubber
from fakes import SCRIPTS, Scripted, read
from test_permissions import state, statement
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.sync.server import serve

from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import STACKS
from holdfast_cli.deploy import aws
from holdfast_cli.verify.acceptance import account, people, sockets
from holdfast_cli.verify.acceptance.check import Deployed, Person, Skipped

ACCOUNT = "123456789012"
FUNCTIONS = {"auth-login": "p-auth-login", "ops-health": "p-ops-health", "push-authorizer": "p-push-authorizer"}
# One for all tests: the description of EC2 alone takes a second to read.
CLIENTS = aws.Api(read(ENV="staging"))
STUBS = {}


class Account:
    """A deployment on AWS whose services give the queued answers, each to exactly the expected request."""

    def __init__(self, **known):
        self.deployed = Deployed(read(ENV="staging"), {"env": "staging", "region": "us-east-1", "cacheProvider": "redis", "httpUrl": "http://127.0.0.1:9",
                                                       "functions": FUNCTIONS, **known})
        self.deployed.api = CLIENTS
        # A test can have several accounts, one after the other.
        for stub in STUBS.values():
            stub.deactivate()
        STUBS.clear()

    def answer(self, service, operation, request, response):
        if service not in STUBS:
            STUBS[service] = Stubber(CLIENTS.client(service))
            STUBS[service].activate()
        STUBS[service].add_response(operation, response, request)

    def functions(self, **more):
        """The configuration of every function: in the network, unless `more` says something else of it."""
        for key, name in FUNCTIONS.items():
            inside = {"VpcConfig": {"SubnetIds": ["subnet-a", "subnet-b"], "SecurityGroupIds": ["sg-1"]}}
            given = more.get(key.replace("-", "_"), {} if key.startswith("push-") else inside)
            self.answer("lambda", "get_function_configuration", {"FunctionName": name}, given)

    def asked_everything(self):
        for stub in STUBS.values():
            stub.assert_no_pending_responses()


class Case(unittest.TestCase):
    def setUp(self):
        # Values of infra/environments/staging.tfvars.
        self.values = {}
        patch = mock.patch.object(account.environments, "values", lambda _: self.values)
        patch.start()
        self.addCleanup(patch.stop)

    def passes(self, check, given, says):
        self.assertIn(says, check(given.deployed))
        given.asked_everything()

    def fails(self, check, given, *says):
        with self.assertRaises(Failed) as caught:
            check(given.deployed)
        for text in says:
            self.assertIn(text, str(caught.exception))

    def skips(self, check, given, says):
        with self.assertRaisesRegex(Skipped, re.escape(says)):
            check(given.deployed)


class Quotas(Case):
    def account(self, concurrency=1000, rate=10_000.0):
        given = Account()
        given.answer("lambda", "get_account_settings", {}, {"AccountLimit": {"ConcurrentExecutions": concurrency}})
        given.answer("apigateway", "get_account", {}, {"throttleSettings": {"rateLimit": rate, "burstLimit": 5000}})
        return given

    def test_quotas_that_suffice_pass(self):
        self.passes(account.quotas, self.account(), "1000 functions at once, 10000 requests a second")
        self.values = {"account_requests_per_second": 2500}
        self.passes(account.quotas, self.account(rate=2500.0), "2500 requests a second")

    def test_fewer_requests_than_the_configuration_counts_on_fail(self):
        self.fails(account.quotas, self.account(rate=2500.0), "account_requests_per_second is 10000: lower it, or ask AWS for a higher quota")

    def test_the_concurrency_of_a_new_account_fails(self):
        self.fails(account.quotas, self.account(concurrency=10), "only 10 functions may run at once: ask AWS for a higher quota")

    def test_the_default_is_that_of_terraform(self):
        text = (SCRIPTS.parent / "infra" / "declarations.hcl").read_text(encoding="utf-8")
        self.assertEqual(re.search(r'variable "account_requests_per_second" \{.*?default +=\s*(\d+)', text, re.S)[1], str(account.REQUESTS_PER_SECOND))


class Zones(Case):
    def account(self, second="us-east-1b", state="available", **functions):
        given = Account()
        given.functions(**functions)
        given.answer("ec2", "describe_subnets", {"SubnetIds": ["subnet-a", "subnet-b"]},
                     {"Subnets": [{"AvailabilityZone": "us-east-1a"}, {"AvailabilityZone": second}]})
        given.answer("ec2", "describe_availability_zones", {}, {"AvailabilityZones": [
            {"ZoneName": "us-east-1a", "State": "available"}, {"ZoneName": "us-east-1b", "State": state}]})
        return given

    def test_two_available_zones_pass(self):
        self.passes(account.zones, self.account(), "the network is in us-east-1a, us-east-1b")

    def test_one_zone_fails(self):
        self.fails(account.zones, self.account(second="us-east-1a"), "only in us-east-1a", "set availability_zones to two zones")

    def test_a_zone_that_is_impaired_or_unknown_fails(self):
        self.fails(account.zones, self.account(state="impaired"), "not available: us-east-1b", "set availability_zones to two others")
        self.fails(account.zones, self.account(second="us-east-1x"), "not available: us-east-1x")

    def test_no_cache_is_a_skip(self):
        self.skips(account.zones, Account(cacheProvider="dynamodb"), "there is no cache")

    def test_a_function_that_uses_the_cache_outside_its_network_fails(self):
        self.fails(account.zones, self.account(auth_login={"Environment": {"Variables": {"CACHE_PROVIDER": "redis"}}}),
                   "the cache cannot be reached: auth-login", "make deploy ENV=staging changes it back")


LOCAL_ROUTE = {"DestinationCidrBlock": "10.40.0.0/16", "GatewayId": "local"}
DYNAMODB_ROUTE = {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}


class Network(Case):
    def account(self, routes=(), subnets=("subnet-a", "subnet-b"), egress=(), health=b'{"status": "ok"}', **functions):
        given = Account()
        given.functions(**functions)
        table = {"RouteTableId": "rtb-1", "Associations": [{"SubnetId": one} for one in subnets], "Routes": [LOCAL_ROUTE, DYNAMODB_ROUTE, *routes]}
        given.answer("ec2", "describe_route_tables", {"Filters": [{"Name": "association.subnet-id", "Values": ["subnet-a", "subnet-b"]}]},
                     {"RouteTables": [table] if subnets else []})
        rules = [{"IpProtocol": "tcp", "PrefixListIds": [{"PrefixListId": "pl-1"}]}, {"IpProtocol": "tcp", "UserIdGroupPairs": [{"GroupId": "sg-2"}]}, *egress]
        given.answer("ec2", "describe_security_groups", {"GroupIds": ["sg-1"]}, {"SecurityGroups": [{"GroupId": "sg-1", "IpPermissionsEgress": rules}]})
        api = Scripted((200, {}, health))
        api.__enter__()
        self.addCleanup(api.__exit__)
        given.deployed.known["httpUrl"] = f"http://127.0.0.1:{api.port}"
        return given

    def test_a_closed_network_passes_also_where_health_hides_its_checks(self):
        self.passes(account.network, self.account(), "2 functions in 2 subnets, without a route or a rule to the internet")

    def test_a_route_out_of_the_network_fails_whatever_its_destination_and_target(self):
        for route in ({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}, {"DestinationCidrBlock": "0.0.0.0/1", "NatGatewayId": "nat-1"},
                      {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"},
                      {"DestinationCidrBlock": "10.0.0.0/8", "TransitGatewayId": "tgw-1"}):
            destination = route.get("DestinationCidrBlock") or route["DestinationIpv6CidrBlock"]
            self.fails(account.network, self.account([route]), f"leads out of the network: rtb-1 to {destination}", "Remove it")

    def test_a_subnet_that_follows_the_main_route_table_fails(self):
        self.fails(account.network, self.account(subnets=("subnet-a",)), "main one counts: subnet-b", "make deploy ENV=staging")
        self.fails(account.network, self.account(subnets=()), "main one counts: subnet-a, subnet-b")

    def test_a_security_group_that_allows_addresses_fails(self):
        for rule, block in (({"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, "0.0.0.0/0"), ({"IpRanges": [{"CidrIp": "128.0.0.0/1"}]}, "128.0.0.0/1"),
                            ({"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}, "::/0")):
            self.fails(account.network, self.account(egress=[{"IpProtocol": "-1", **rule}]), f"sg-1 to {block}", "Remove the rule")

    def test_a_function_that_needs_sockets_or_queues_inside_fails(self):
        inside = {"VpcConfig": {"SubnetIds": ["subnet-a"], "SecurityGroupIds": ["sg-1"]}}
        self.fails(account.network, self.account(push_authorizer=inside), "sockets and queues cannot be reached", "push-authorizer")

    def test_health_that_is_degraded_from_inside_fails_and_says_where_to_look(self):
        self.fails(account.network, self.account(health=b'{"status": "degraded"}'), "health is degraded", "make status ENV=staging")
        shown = b'{"status": "degraded", "version": "1", "checks": {"cache": {"status": "down"}}}'
        self.fails(account.network, self.account(health=shown), '{"cache": {"status": "down"}}')


class Health(Case):
    def test_a_health_check_that_hides_its_details_passes(self):
        """The default on AWS: `health_details = "iam"`."""
        given = Account()
        with Scripted((200, {}, b'{"status": "ok"}')) as api:
            given.deployed.known["httpUrl"] = f"http://127.0.0.1:{api.port}"
            self.passes(people.health, given, "health_details hides")


KEY, OTHER_KEY = (f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{name}" for name in ("own", "other"))
QUEUE = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/p-push-dlq"


class OwnKey(Case):
    def account(self, key=KEY, lacking=(), **keys):
        """Everything has the key of the environment, except what `keys` gives another one, and what is `lacking` one."""
        self.values = {"kms_mode": "cmk"}
        given = Account()
        given.answer("ssm", "get_parameter", {"Name": "/holdfast/staging/platform/kms-key-arn"}, {"Parameter": {"Value": key}})

        def of(kind, member):
            return {} if kind in lacking else {member: keys.get(kind, KEY)}

        table = {} if "table" in lacking else {"SSEDescription": {"Status": "ENABLED", **of("table", "KMSMasterKeyArn")}}
        given.answer("dynamodb", "describe_table", {"TableName": "p-sessions"}, {"Table": table})
        given.answer("sqs", "get_queue_attributes", {"QueueUrl": QUEUE, "AttributeNames": ["KmsMasterKeyId"]}, {"Attributes": of("queue", "KmsMasterKeyId")})
        given.answer("lambda", "get_function_configuration", {"FunctionName": "p-auth-login"}, of("function", "KMSKeyArn"))
        groups = [{"logGroupName": "/aws/lambda/p-auth", **of("group", "kmsKeyId")}, {"logGroupName": "/aws/lambda/p-auth-more", "kmsKeyId": KEY}]
        given.answer("logs", "describe_log_groups", {"logGroupNamePrefix": "/aws/lambda/p-auth"}, {"logGroups": groups[::-1]})
        given.answer("events", "describe_event_bus", {"Name": "p-bus"}, of("bus", "KmsKeyIdentifier"))
        return given

    def states(self, *without):
        resources = {"aws_dynamodb_table": {"name": "p-sessions"}, "aws_sqs_queue": {"url": QUEUE}, "aws_lambda_function": {"function_name": "p-auth-login"},
                     "aws_cloudwatch_log_group": {"name": "/aws/lambda/p-auth"}, "aws_cloudwatch_event_bus": {"name": "p-bus"}}
        made = {"resources": [{"type": kind, "instances": [{"attributes": attributes}]} for kind, attributes in resources.items() if kind not in without]}
        texts = {f"{stack}/terraform.tfstate": json.dumps(made if stack == "platform" else {"resources": []}) for stack in STACKS}
        return mock.patch.object(account.aws, "object_text", lambda _, __, key: texts[key])

    def test_one_key_for_all_passes(self):
        with self.states():
            self.passes(account.own_key, self.account(), "1 × table, 1 × queue, 1 × function, 1 × log group, 1 × event bus")

    def test_what_has_no_key_or_a_key_of_aws_or_another_one_fails(self):
        for kind, name in (("table", "table p-sessions"), ("queue", "queue https"), ("function", "function p-auth-login"),
                           ("group", "log group /aws/lambda/p-auth"), ("bus", "event bus p-bus")):
            for given in ({"lacking": (kind,)}, {kind: OTHER_KEY}):
                with self.states():
                    self.fails(account.own_key, self.account(**given), f"own: {name}", "make deploy ENV=staging changes it back")

    def test_a_key_that_is_configured_and_not_deployed_fails(self):
        self.fails(account.own_key, self.account(key="none"), "no key is deployed: run make deploy ENV=staging")

    def test_states_that_hold_nothing_of_a_kind_fail(self):
        with self.states("aws_cloudwatch_event_bus"):
            self.fails(account.own_key, self.account(), "name no event bus")

    def test_a_stack_without_a_state_fails(self):
        with mock.patch.object(account.aws, "object_text", lambda *_: None):
            self.fails(account.own_key, self.account(), "no state of the stack platform", "run make deploy ENV=staging")

    def test_a_key_of_aws_is_a_skip(self):
        self.skips(account.own_key, Account(), "kms_mode is not cmk")

    def test_every_type_of_resource_with_a_key_of_the_environment_is_asked_about(self):
        """The types of resources in infra/modules that take the key, except those of the network and the cache, which are optional."""
        found = set()
        for file in (SCRIPTS.parent / "infra" / "modules").glob("*/main.tf"):
            for kind, body in re.findall(r'(?ms)^resource "(\w+)" "\w+" \{(.*?)^\}', file.read_text(encoding="utf-8")):
                if re.search(r"(?m)^ +kms\w+ +=.*var\.kms_key_arn|for_each = var\.kms_key_arn == null", body):
                    found.add(kind)
        self.assertEqual(found - set(account.ENCRYPTED), {"aws_elasticache_serverless_cache", "aws_elasticache_replication_group",
                                                          "aws_s3_bucket_server_side_encryption_configuration"})
        self.assertLessEqual(set(account.ENCRYPTED), found)


TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/p-sessions"
ALLOWED = {("dynamodb:GetItem", TABLE)}
CONTEXT = [{"ContextKeyName": "kms:EncryptionContext:userId", "ContextKeyValues": ["none"], "ContextKeyType": "string"},
           {"ContextKeyName": "kms:EncryptionContextKeys", "ContextKeyValues": ["userId"], "ContextKeyType": "stringList"}]


class PermissionsSimulated(Case):
    def account(self, decisions=None, pages=1):
        """IAM allows what the policy allows, except where `decisions` says something else of an action; None is no answer at all."""
        given = Account(functions={"auth-login": "p-auth-login", "sessions-admin": "p-sessions-admin"})
        arns = {f"arn:aws:iam::{ACCOUNT}:role/p-auth-login": ["iam:GetRole", "iam:PutRolePolicy"],
                f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:p-sessions-admin": ["lambda:GetFunction", "lambda:InvokeFunction"],
                "arn:aws:s3:::p-artifacts": ["s3:ListBucket"], f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/holdfast/staging/platform/http-url": ["ssm:GetParameter"]}
        asked = {TABLE: sorted(account.permissions.ACTIONS["table"]), **arns}
        for role in ("p-auth-login", "p-sessions-admin"):
            for arn, actions in asked.items():
                said = {action: "allowed" if role == "p-auth-login" and (action, arn) in ALLOWED else "implicitDeny" for action in actions}
                said = {action: (decisions or {}).get((role, action), decision) for action, decision in said.items()}
                results = [{"EvalActionName": action, "EvalDecision": decision} for action, decision in said.items() if decision]
                request = {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "ActionNames": actions, "ResourceArns": [arn], "ContextEntries": CONTEXT}
                if pages == 1:
                    given.answer("iam", "simulate_principal_policy", request, {"EvaluationResults": results, "IsTruncated": False})
                else:
                    given.answer("iam", "simulate_principal_policy", request, {"EvaluationResults": results[:1], "IsTruncated": True, "Marker": "m"})
                    given.answer("iam", "simulate_principal_policy", {**request, "Marker": "m"}, {"EvaluationResults": results[1:], "IsTruncated": False})
        return given

    def setUp(self):
        super().setUp()
        states = {"auth": state("auth-login", statement(["dynamodb:GetItem"], TABLE)), "sessions": state("sessions-admin")}
        texts = {f"{stack}/terraform.tfstate": json.dumps(states.get(stack, {"resources": []})) for stack in STACKS}
        for name, answers in (("object_text", lambda _, __, key: texts[key]), ("caller", lambda _: {"account": ACCOUNT, "arn": "a"})):
            patch = mock.patch.object(account.aws, name, answers)
            patch.start()
            self.addCleanup(patch.stop)

    def test_answers_as_the_policies_pass_also_in_pages(self):
        self.passes(account.roles_simulated, self.account(), "IAM answers 32 questions about 2 roles")
        self.passes(account.roles_simulated, self.account(pages=2), "IAM answers 32 questions about 2 roles")

    def test_a_permission_that_a_boundary_takes_away_fails(self):
        for decision in ("implicitDeny", "explicitDeny"):
            self.fails(account.roles_simulated, self.account({("p-auth-login", "dynamodb:GetItem"): decision}),
                       f"auth-login: dynamodb:GetItem on {TABLE} is {decision}", "check the permissions boundary")

    def test_a_permission_that_a_role_should_not_have_fails(self):
        self.fails(account.roles_simulated, self.account({("p-sessions-admin", "dynamodb:Scan"): "allowed", ("p-auth-login", "iam:PutRolePolicy"): "allowed"}),
                   "2 answers differ", "sessions-admin: dynamodb:Scan", "make drift ENV=staging")

    def test_a_question_without_an_answer_fails(self):
        self.fails(account.roles_simulated, self.account({("p-auth-login", "dynamodb:Query"): None}), f"dynamodb:Query on {TABLE} is not answered")

    def test_a_function_without_a_policy_in_the_states_fails(self):
        given = self.account()
        given.deployed.known["functions"] = {**given.deployed.functions, "auth-refresh": "p-auth-refresh"}
        self.fails(account.roles_simulated, given, "do not agree about auth-refresh: run make deploy ENV=staging")


class CookieSite(Case):
    def account(self, url, origins, site=None):
        self.values = {"http_domain": {"name": url.split("/")[-1], "site": site}} if site else {}
        given = Account(httpUrl=url)
        given.answer("lambda", "get_function_configuration", {"FunctionName": "p-push-authorizer"},
                     {"Environment": {"Variables": {"ALLOWED_ORIGINS": ",".join(origins)}}})
        return given

    def test_pages_and_api_below_the_site_pass(self):
        for origins in (["https://app.example.co.uk", "http://localhost:5173"], ["https://example.co.uk:8443"]):
            self.passes(people.cookie_site, self.account("https://api.example.co.uk", origins, "example.co.uk"), "the API and 1 pages are below example.co.uk")

    def test_a_page_or_an_api_of_another_site_fails(self):
        for url, origin, site, wrong in (
            ("https://api.example.co.uk", "https://app.other.co.uk", "example.co.uk", "https://app.other.co.uk"),
            ("https://api.example.com", "https://notexample.com", "example.com", "https://notexample.com"),
            ("https://api.example.com", "http://app.example.com", "example.com", "http://app.example.com"),
            ("https://a1.execute-api.us-east-1.amazonaws.com", "https://app.example.com", "example.com", "https://a1.execute-api.us-east-1.amazonaws.com"),
        ):
            self.fails(people.cookie_site, self.account(url, [origin], site), f"{wrong}: not https below {site}", "Correct http_domain and allowed_origins")

    def test_without_a_site_nothing_is_claimed(self):
        url = "https://a1.execute-api.us-east-1.amazonaws.com"
        self.skips(people.cookie_site, self.account(url, ["https://b2.execute-api.us-east-1.amazonaws.com"]), "http_domain names no site")
        self.skips(people.cookie_site, self.account(url, ["http://localhost:5173"]), "only a developer's own pages")


class Gateway:
    """Sign-in, tickets, one socket and its `@connections`, on this machine. A post of more than `limit` bytes gets 413."""

    def __init__(self, limit=sockets.POST_BYTES, cuts_at=None, closes_after=None, answers=False):
        self.limit, self.cuts_at, self.closes_after, self.pings, self.socket = limit, cuts_at, closes_after, 0, None
        self.answers, self.keep_alives, self.posts = answers, 0, 0
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, said = gateway.posted(self.path, body)
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(said))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.sockets = serve(self.serve, "127.0.0.1", 0)
        self.ticket = f"ws://127.0.0.1:{self.sockets.socket.getsockname()[1]}?ticket=t"

    def posted(self, path, body):
        if path == "/v1/auth/login":
            return 200, {}, b'{"session": {"sessionId": "s1"}, "tokens": {"accessToken": "a1"}}'
        if path == "/v1/push/tickets":
            return 201, {}, json.dumps({"url": self.ticket}).encode()
        if len(body) > self.limit:
            return 413, {"x-amzn-ErrorType": "PayloadTooLargeException"}, b'{"message": "Request Too Long"}'
        self.posts += 1
        self.socket.send(body.decode() if self.cuts_at is None else json.dumps({"type": "other"}))
        return 200, {}, b""

    def serve(self, socket):
        self.socket = socket
        for text in socket:
            action = json.loads(text)["action"]
            self.pings += action == "ping"
            if action == "keepalive":
                self.keep_alives += 1
                if self.answers:
                    socket.send(json.dumps({"message": "Internal server error"}))
                continue
            socket.send(json.dumps({"type": "pong"} if action == "ping" else {"type": "welcome", "connectionId": "c1"}))
            if self.closes_after is not None and self.pings > self.closes_after:
                return

    def __enter__(self):
        for server in (self.http, self.sockets):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        found = Deployed(read(), {"httpUrl": f"http://127.0.0.1:{self.http.server_port}", "wsUrl": f"ws://127.0.0.1:{self.http.server_port}"})
        found.person = Person("u1", "e2e-0@holdfast.test", "pw-0")
        return found

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()
        self.sockets.shutdown()


class PostSizes(Case):
    def sizes(self, **gateway):
        with Gateway(**gateway) as deployed, mock.patch.object(sockets, "PATIENCE_SECONDS", 1):
            return sockets.post_sizes(deployed)

    def test_the_limit_of_api_gateway_passes(self):
        self.assertEqual(self.sizes(), "131072 bytes arrive, one byte more gets 413")

    def test_another_limit_fails(self):
        with self.assertRaisesRegex(Failed, r"131072 bytes was refused with 413: .*compare MAX_DATA_BYTES"):
            self.sizes(limit=sockets.POST_BYTES - 1)
        with self.assertRaisesRegex(Failed, r"131073 bytes was accepted: .*compare MAX_DATA_BYTES"):
            self.sizes(limit=sockets.POST_BYTES + 1)

    def test_another_refusal_than_413_fails(self):
        refusal = 400, {"x-amzn-ErrorType": "BadRequestException"}, b"{}"
        with mock.patch.object(Gateway, "posted", lambda self, path, body, real=Gateway.posted:
                               refusal if len(body) > sockets.POST_BYTES else real(self, path, body)), \
                self.assertRaisesRegex(Failed, "131073 bytes was refused with 400"):
            self.sizes()

    def test_a_post_that_is_accepted_and_does_not_arrive_fails(self):
        with mock.patch.object(sockets, "frame_of", lambda *given, real=sockets.frame_of: real(*given, 1)), \
                self.assertRaisesRegex(Failed, "no frame of 131072 bytes came"):
            self.sizes(cuts_at=0)


class SocketIdle(Case):
    def idle(self, seconds, slack, **gateway):
        with Gateway(**gateway) as deployed, mock.patch.multiple(sockets, IDLE_SECONDS=seconds, SLACK_SECONDS=slack):
            return sockets.idle(deployed)

    def test_a_socket_that_is_closed_when_its_time_is_over_passes(self):
        self.assertRegex(self.idle(1, 30, closes_after=0), r"^closed after \d+ idle seconds$")

    def test_a_socket_that_is_closed_before_fails(self):
        with self.assertRaisesRegex(Failed, "before its 600 s: look for a proxy on the way, or have clients send keep-alives sooner"):
            self.idle(600, 120, closes_after=0)

    def test_a_socket_that_stays_open_fails(self):
        with self.assertRaisesRegex(Failed, r"not closed within 0\.3 s"):
            self.idle(0.1, 0.2)


class KeepAlive(Case):
    def test_a_keep_alive_without_an_answer_passes(self):
        gateway = Gateway()
        with gateway as deployed, mock.patch.object(sockets, "QUIET_SECONDS", 0.2):
            self.assertEqual(sockets.keep_alive(deployed), "no frame came within 0.2 s, and the socket still answers")
        self.assertEqual((gateway.keep_alives, gateway.pings), (2, 2))

    def test_a_keep_alive_with_an_answer_fails(self):
        with Gateway(answers=True) as deployed, self.assertRaisesRegex(Failed, "a keep-alive was answered with .*Internal server error"):
            sockets.keep_alive(deployed)

    def kept(self, gateway):
        with gateway as deployed, mock.patch.multiple(sockets, KEEP_ALIVE_SECONDS=0.05, SLACK_SECONDS=0.2):
            return sockets.kept_open(deployed)

    def test_sockets_that_stay_open_pass(self):
        gateway = Gateway()
        self.assertEqual(self.kept(gateway), "after 0.1 s with posts only, and with keep-alives only, both are open")
        self.assertEqual((gateway.keep_alives, gateway.posts), (2, 2))

    def test_a_socket_that_traffic_does_not_keep_open_fails(self):
        for what, shut in (("posts", 0), ("keep-alives", 1)):
            taken = iter(range(2))
            with mock.patch.object(sockets, "until_closed", lambda *_, taken=taken, shut=shut: 1.0 if next(taken) == shut else None), \
                    self.assertRaisesRegex(Failed, f"{what} alone do not keep a socket open: have clients count only what they send"):
                self.kept(Gateway())


class SocketAge(Case):
    def age(self, seconds, slack, gateway):
        with gateway as deployed, mock.patch.multiple(sockets, AGE_SECONDS=seconds, SLACK_SECONDS=slack, PING_SECONDS=0.05):
            return sockets.age(deployed)

    def test_a_socket_that_is_pinged_until_it_is_closed_passes(self):
        gateway = Gateway(closes_after=3)
        self.assertRegex(self.age(1, 60, gateway), r"^closed after \d+ s$")
        self.assertEqual(gateway.pings, 4)

    def test_a_socket_that_is_closed_before_fails(self):
        with self.assertRaisesRegex(Failed, "before its 7200 s: look for a proxy on the way, or have clients renew it earlier"):
            self.age(7200, 120, Gateway(closes_after=2))

    def test_a_socket_that_stays_open_fails(self):
        with self.assertRaisesRegex(Failed, "still open after .*: the limit of API Gateway is another one. Change RENEW_MS"):
            self.age(0.1, 0.1, Gateway())

    def test_a_close_between_two_pings_counts_as_the_close(self):
        class Closed:
            def __init__(self):
                self.sent = 0

            def send(self, _):
                self.sent += 1
                if self.sent > 1:
                    raise ConnectionClosedOK(None, None)

            def recv(self, timeout=None):
                if self.sent > 1:
                    raise ConnectionClosed(None, None)
                if self.sent == 1 and not hasattr(self, "answered"):
                    self.answered = True
                    return '{"type": "pong"}'
                raise TimeoutError

        deployed = Deployed(read(), {})
        with mock.patch.object(Deployed, "sign_in", lambda _: None), mock.patch.object(Deployed, "socket", lambda *_: contextlib.nullcontext(Closed())), \
                mock.patch.multiple(sockets, AGE_SECONDS=1, SLACK_SECONDS=60):
            self.assertRegex(sockets.age(deployed), r"^closed after \d+ s$")


if __name__ == "__main__":
    unittest.main()
