"""What operators ask: what a month costs, and that dead letters go back as they came, at the rate that was asked for."""

import contextlib
import io
import json
import math
import random
import re
import unittest
from unittest import mock

from botocore.exceptions import ClientError
from fakes import PACKAGE, called, read

from holdfast_cli.capacity import cost, units
from holdfast_cli.core import settings
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.operate import epochs, redrive, status


def client_error(code):
    return ClientError({"Error": {"Code": code}}, "UpdateItem")


class Queues:
    """SQS with two queues: what is received is hidden until it is deleted or shown again."""

    def __init__(self, letters, fails_at=None):
        self.dead, self.hidden, self.back, self.fails_at = list(letters), {}, [], fails_at

    def receive_message(self, MaxNumberOfMessages, **_):
        taken, self.dead = self.dead[:MaxNumberOfMessages], self.dead[MaxNumberOfMessages:]
        self.hidden.update({letter["ReceiptHandle"]: letter for letter in taken})
        return {"Messages": taken} if taken else {}

    def send_message(self, MessageBody, MessageAttributes, **_):
        if self.fails_at is not None and len(self.back) == self.fails_at:
            raise KeyboardInterrupt
        self.back.append((MessageBody, MessageAttributes))

    def delete_message(self, ReceiptHandle, **_):
        del self.hidden[ReceiptHandle]

    def change_message_visibility(self, ReceiptHandle, VisibilityTimeout, **_):
        assert VisibilityTimeout == 0
        self.dead.append(self.hidden.pop(ReceiptHandle))


def letters(count):
    return [{"Body": f"body {n}", "ReceiptHandle": str(n), "MessageId": f"m{n}", "Attributes": {"SenderId": "AROA:i", "SentTimestamp": "7"},
             "MessageAttributes": {"a": {"DataType": "String", "StringValue": "x", "StringListValues": []}}} for n in range(count)]


class Redrive(unittest.TestCase):
    def setUp(self):
        self.clock = [0.0]
        self.pauses = []

    def pace(self, rate):
        def sleep(seconds):
            self.pauses.append(seconds)
            self.clock[0] += seconds
        return redrive.Pace(rate, now=lambda: self.clock[0], sleep=sleep)

    def move(self, client, total, rate=1000):
        return redrive.move(client, "dlq", "queue", total, self.pace(rate), lambda _: None)

    def test_every_letter_goes_back_as_it_came_and_leaves_the_dead(self):
        client = Queues(letters(25))
        self.assertEqual(self.move(client, 25), 25)
        self.assertEqual([body for body, _ in client.back], [f"body {n}" for n in range(25)])
        self.assertEqual(client.back[0][1], {
            "a": {"DataType": "String", "StringValue": "x"}, "HoldfastMessageId": {"DataType": "String", "StringValue": "m0"},
            "HoldfastSenderId": {"DataType": "String", "StringValue": "AROA:i"}, "HoldfastSentTimestamp": {"DataType": "String", "StringValue": "7"}})
        self.assertEqual((client.dead, client.hidden), ([], {}))

    def test_what_a_letter_was_at_first_stays_through_a_second_redrive(self):
        first = Queues(letters(1))
        self.move(first, 1)
        _, attributes = first.back[0]
        second = Queues([{**letters(1)[0], "MessageId": "another", "MessageAttributes": attributes}])
        self.move(second, 1)
        self.assertEqual(second.back[0][1], attributes)

    def test_the_number_of_a_copy_does_not_go_back(self):
        copy = {"HoldfastCopy": {"DataType": "String", "StringValue": "6"}}
        client = Queues([{**letters(1)[0], "MessageAttributes": copy}])
        self.move(client, 1)
        self.assertNotIn("HoldfastCopy", client.back[0][1])

    def test_no_more_a_second_than_asked_for_and_no_burst(self):
        self.move(Queues(letters(21)), 21, rate=10)
        self.assertAlmostEqual(self.clock[0], 2.0)
        self.assertTrue(all(pause <= 0.1 + 1e-9 for pause in self.pauses))

    def test_an_interrupted_run_loses_nothing_and_hides_nothing(self):
        client = Queues(letters(25), fails_at=13)
        with self.assertRaises(KeyboardInterrupt):
            self.move(client, 25)
        self.assertEqual((len(client.back), len(client.dead), client.hidden), (13, 12, {}))

    def test_letters_that_come_meanwhile_stay(self):
        client = Queues(letters(25))
        self.assertEqual(self.move(client, 10), 10)
        self.assertEqual(len(client.dead), 15)

    def test_a_queue_that_says_more_than_it_has_ends(self):
        self.assertEqual(self.move(Queues(letters(3)), 5), 3)

    def test_a_rate_that_is_none_is_refused_in_one_line(self):
        for rate in ("x", "0", "100000"):
            code, out, err = called(["redrive"], read(), RATE=rate)
            self.assertEqual((code, out, err.count("\n")), (2, "", 1), err)
            self.assertIn(f"RATE={rate}", err)


class Heads:
    """A table of channels, read two rows at a time; a row in `racing` is changed by another writer after it was read."""

    def __init__(self, heads, racing=(), broken=None):
        self.rows = {name: {"PK": {"S": name}, "SK": {"S": "HEAD"}, "epoch": {"S": epoch}} for name, epoch in heads.items()}
        self.racing, self.broken = racing, broken

    def scan(self, FilterExpression, ExclusiveStartKey=None, **_):
        assert FilterExpression == "SK = :head"
        names = sorted(self.rows)
        names = [name for name in names if ExclusiveStartKey is None or name > ExclusiveStartKey["PK"]["S"]]
        page = {"Items": [dict(self.rows[name]) for name in names[:2]]}
        for name in names[:2]:
            if name in self.racing:
                self.rows[name]["epoch"] = {"S": "theirs"}
        return {**page, "LastEvaluatedKey": {"PK": {"S": names[1]}}} if len(names) > 2 else page

    def update_item(self, Key, ConditionExpression, ExpressionAttributeValues, **_):
        assert ConditionExpression == "epoch = :old"
        if self.broken:
            raise client_error(self.broken)
        row = self.rows[Key["PK"]["S"]]
        if row["epoch"] != ExpressionAttributeValues[":old"]:
            raise client_error("ConditionalCheckFailedException")
        row["epoch"] = ExpressionAttributeValues[":new"]

    def epochs(self):
        return {name: row["epoch"]["S"] for name, row in self.rows.items()}


class Epochs(unittest.TestCase):
    def setUp(self):
        self.before = {f"CHANNEL#topic:{n}": "old" for n in range(5)}

    def renew(self, client):
        return epochs.renew(client, "table", lambda _: None)

    def test_every_channel_gets_another_epoch_of_its_own(self):
        client = Heads(self.before)
        self.assertEqual(self.renew(client), 5)
        after = client.epochs()
        self.assertEqual(len(set(after.values()) - {"old"}), 5)
        self.assertTrue(all(re.fullmatch(r"[A-Za-z0-9_-]{11}", epoch) for epoch in after.values()), after)

    def test_an_epoch_that_somebody_else_renewed_meanwhile_stays(self):
        client = Heads(self.before, racing=("CHANNEL#topic:3",))
        self.assertEqual(self.renew(client), 5)
        self.assertEqual(client.epochs()["CHANNEL#topic:3"], "theirs")

    def test_any_other_refusal_ends_it(self):
        with self.assertRaises(ClientError):
            self.renew(Heads(self.before, broken="AccessDeniedException"))


class Status(unittest.TestCase):
    NODE = {"zone": "us-east-1a", "status": "available"}
    ANSWER = {"ok": True, "name": "holdfast-staging", "cache": {
        "kind": "replication-group", "status": "available", "engine": "valkey", "engineVersion": "8.0.1", "failover": "enabled", "multiAz": True,
        "tls": True, "endpoint": "c.example:6379", "shards": [{"id": "0001", "status": "available", "slots": "", "nodes": [
            {"id": "c-001", "role": "primary", **NODE}, {"id": "c-002", "role": "replica", **NODE}]}]}}

    def test_topology_engine_and_failover_are_said(self):
        lines, well = status.cache_lines(self.ANSWER, "redis", False)
        self.assertTrue(well)
        said = "\n".join(lines)
        for part in ("valkey 8.0.1, replication-group, available, TLS on", "failover enabled, in more than one zone",
                     "c-001 primary in us-east-1a, available", "c-002 replica"):
            self.assertIn(part, said)

    def test_the_local_cloud_which_denies_it_is_not_asked_for_a_cache(self):
        def denied(*_):
            raise Failed("ops-cache-status failed: AccessDenied DescribeServerlessCaches")

        known = {"cacheProvider": "redis", "functions": {"ops-cache-status": "holdfast-local-ops-cache-status"}}
        with mock.patch.object(status.aws, "invoke", denied), contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertTrue(status.cache(read(), known)[0])
            with self.assertRaises(Failed):
                status.cache(read(ENV="staging"), known)
        self.assertIn("the redis-server of this machine", said.getvalue())

    def test_a_cache_that_is_ill_or_gone_is_not_well_but_one_that_is_not_wanted_is(self):
        for answer, provider, local, well in (({**self.ANSWER, "ok": False}, "redis", False, False), ({"ok": False, "name": "x", "cache": None}, "redis", False, False),
                                              ({"ok": False, "name": "x", "cache": None}, "redis", True, True), (None, "redis", False, False),
                                              (None, "dynamodb", False, True)):
            self.assertEqual(status.cache_lines(answer, provider, local)[1], well)


class Cost(unittest.TestCase):
    def setUp(self):
        self.found, self.assume = cost.load()

    def total(self, users=1000, sockets=100, pushes=1000, cache="dynamodb"):
        return cost.month(self.found["prices"], self.assume, users, sockets, pushes, cache)[0].total()

    def test_every_price_has_a_source_and_is_used_or_said(self):
        source = (PACKAGE / "capacity" / "cost.py").read_text(encoding="utf-8")
        for name, entry in self.found["prices"].items():
            self.assertTrue(entry["source"] and entry["per"], name)
            self.assertIn(name, source)
        for name in self.assume:
            self.assertIn(f'"{name}"', source)

    def test_a_price_that_nobody_has_looked_up_is_said_at_its_figure(self):
        self.assertFalse([name for name, entry in self.found["prices"].items() if cost.unsourced(entry)])
        self.found["prices"]["alarm"]["source"] = "AWS's list, from memory"
        said = io.StringIO()
        with contextlib.redirect_stdout(said), mock.patch.object(cost, "load", lambda: (self.found, self.assume)):
            cost.cost(read())
        self.assertRegex(said.getvalue(), r"(?m)^  Alarms +19\.90 \$\*")
        self.assertRegex(said.getvalue(), r"(?m)^  HTTP API +[\d.,]+ \$ ")
        self.assertIn("* with a price whose source is not verified", said.getvalue())

    def test_ten_thousand_sockets_around_the_clock_cost_what_the_price_says(self):
        assume = {**self.assume, "socket_hours": 24}
        rows = {name: usd for name, _, usd, _ in cost.month(self.found["prices"], assume, 0, 10_000, 0, "dynamodb")[0].rows}
        # 10 000 sockets, 30 days of 24 hours, 0.25 $ for a million minutes.
        self.assertAlmostEqual(rows["WebSocket: minutes"], 108.0)

    def test_more_of_anything_costs_more(self):
        base = self.total()
        self.assertGreater(self.total(users=2000), base)
        self.assertGreater(self.total(sockets=200), base)
        self.assertGreater(self.total(pushes=2000), base)

    def test_nobody_costs_what_watches_only_and_with_a_cache_its_floor(self):
        # 174 metrics of alarms, 5 composite alarms, 6 dashboards, the key for second factors.
        self.assertAlmostEqual(self.total(0, 0, 0), 17.4 + 2.5 + 18 + 1)
        # 0.1 GB, 30 more metrics of alarms, 4 that are sent every minute, and an endpoint to KMS in two zones.
        self.assertAlmostEqual(self.total(0, 0, 0, "redis") - self.total(0, 0, 0), 6.132 + 3.0 + 1.2 + 14.6)

    def test_second_factors_cost_their_key_and_a_request_each(self):
        rows = {name: usd for name, _, usd, _ in cost.month(self.found["prices"], self.assume, 100_000, 0, 0, "dynamodb")[0].rows}
        # 100 000 users sign in 0.2 times on 30 days, a fifth of them with a second factor, at 0.03 $ for 10 000 requests.
        self.assertAlmostEqual(rows["KMS: second factors"], 1 + 12 * 0.03)

    def month(self, users=0, pushes=0, **names):
        bill = cost.month(self.found["prices"], self.assume, users, 0, pushes, "dynamodb", names=cost.Names(**names))[0]
        return {name: usd for name, _, usd, _ in bill.rows}

    def test_a_push_costs_the_memory_of_the_fan_out(self):
        variables = (PACKAGE.parents[1] / "infra" / "stacks" / "push" / "variables.tf").read_text(encoding="utf-8")
        self.assertEqual(re.search(r'variable "fanout_memory_mb" \{.*?default +=\s*(\d+)', variables, re.S)[1], str(self.assume["fanout_mb"]))
        # A million messages: 10 ms of 256 MB and 30 ms of 1 769 MB, with two requests and 570 bytes of log each; 3 requests of SQS, two units
        # written, two read. For 60 of 100 posts the session is read, and the rows follow it once in 16 times.
        seconds = 1e6 * (0.010 * 256 + 0.030 * 1769) / 1024
        past = 0.6 * ((2 + 1 / 16) * 0.125 + 3 / 16 * 0.625)
        self.assertAlmostEqual(self.month(pushes=1_000_000)["Push"], seconds * 0.0000133334 + 2 * 0.2 + 0.57 * 0.5 + 3 * 0.4 + 2 * 0.625 + 2 * 0.125 + past)

    def test_the_units_of_a_push_are_those_of_its_writes(self):
        channels = (PACKAGE.parents[1] / "shared/dynamodb/src/connections/channels.rs").read_text(encoding="utf-8")

        def parts(name, what):
            return len(re.findall(what, channels.split(f"async fn {name}(")[1].split("async fn ")[0]))
        written = [parts(name, r"\.(put|update)_item\(") for name in ("record", "advance")]
        self.assertEqual((written, sum(written)), ([1, 1], units.PUSH["writes"]))
        # The key is stored before, and answered afterwards.
        self.assertEqual(parts("append", r"transact_items\(") * 2 + 2, units.KEYED_PUSH["writes"])
        renewal = (PACKAGE.parents[1] / "shared/push/src/service/renewal.rs").read_text(encoding="utf-8")
        self.assertEqual(3 / int(re.search(r"EXTEND_ONE_IN: u64 = (\d+)", renewal)[1]), units.EXPIRED_POST["writes"])

    def beats(self, posts=0.0, hours=1e6, **assume):
        return cost.heartbeats({**self.assume, **assume}, hours, hours * 3600 / self.assume["socket_seconds"], posts)

    def test_heartbeats_are_what_silence_leaves(self):
        # Nothing but renewals every 110 minutes: keep-alives every 552.5 s at most, and fewer than without renewals.
        alone = self.beats(wakes_per_socket_hour=0)
        self.assertTrue(0.85 < alone.keep_alives / (1e6 * 3600 / 552.5) < 1, alone)
        self.assertEqual(alone.pings, 0)
        # Messages take the place of keep-alives, and so do pings.
        busy = self.beats(posts=20e6, wakes_per_socket_hour=0)
        self.assertLess(busy.keep_alives, alone.keep_alives / 3)
        woken = self.beats()
        self.assertEqual(woken.pings, 125_000)
        self.assertTrue(0 < alone.keep_alives - woken.keep_alives < 125_000, woken)
        self.assertEqual(cost.heartbeats(self.assume, 0, 0, 0), (0, 0))

    def test_a_simulated_socket_is_as_silent_as_the_arithmetic_says(self):
        chance, rate, hours, count, now, last = random.Random(7), 1.8, 552.5 / 3600, 0, 0.0, 0.0
        following = chance.expovariate(rate)
        while now < 20_000:
            now = min(following, last + hours)
            if now == following:
                following += chance.expovariate(rate)
            else:
                count += 1
            last = now
        self.assertAlmostEqual(count / 20_000, rate / math.expm1(rate * hours), delta=0.05)

    def test_a_keep_alive_is_one_message_and_a_ping_is_a_call(self):
        prices = {name: entry["usd"] for name, entry in self.found["prices"].items()}

        def usd(**beats):
            return sum(prices[name] * count for name, count in cost.heartbeat_prices(self.assume, cost.Heartbeats(**beats)).items())

        self.assertAlmostEqual(usd(keep_alives=1e6, pings=0), 1.0)
        self.assertAlmostEqual(usd(keep_alives=0, pings=1e6), 2 + 0.2 + 0.010 * 0.25 * 13.3334 + 3 * 0.125 + 2 * 0.625)

    def test_heartbeats_are_at_most_a_fifth_of_a_hundred_thousand_quiet_sockets(self):
        bill, _ = cost.month(self.found["prices"], self.assume, 0, 100_000, 30_000_000, "dynamodb")
        total, beats = cost.of_sockets(bill)
        self.assertAlmostEqual(total, sum(usd for name, _, usd, _ in bill.rows if name in cost.SOCKET_ROWS))
        self.assertEqual(set(cost.SOCKET_ROWS) - {row[0] for row in bill.rows}, {"DynamoDB: minimum"})
        self.assertLess(beats, 0.2 * total)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            cost.cost(read(ENV="staging"), "0", "100_000", "30_000_000")
        self.assertIn(f"Sockets and push are {total:,.2f} $ of it. Heartbeats are {beats:,.2f} $ of these ({100 * beats / total:.0f} %).", said.getvalue())

    def test_a_hundred_thousand_quiet_sockets_are_750_dollars_with_provisioned_capacity(self):
        bill, _ = cost.month(self.found["prices"], self.assume, 0, 100_000, 30_000_000, "dynamodb", least=(15, 15))
        total, beats = cost.of_sockets(bill)
        self.assertLess(total, 750)
        self.assertLess(beats, 0.2 * total)

    def test_a_provisioned_unit_costs_its_part_of_an_hour(self):
        prices = cost.provisioned(self.found["prices"], {**self.assume, "provisioned_percent": 50})
        # A unit is 3 600 writes an hour, and every second one is used.
        self.assertAlmostEqual(prices["dynamodb_write"]["usd"] * 1e6, 0.00065 / 1800 * 1e6)
        self.assertAlmostEqual(prices["dynamodb_read"]["usd"] * 1e6, 0.00013 / 1800 * 1e6)
        self.assertEqual(prices["lambda_request"], self.found["prices"]["lambda_request"])
        with_it, without = (cost.month(self.found["prices"], self.assume, 0, 0, 0, "dynamodb", least=least)[0].total() for least in ((200, 100), None))
        self.assertAlmostEqual(with_it - without, 730 * (200 * 0.00013 + 100 * 0.00065))

    def test_the_least_capacity_is_that_of_the_tables_and_the_index(self):
        some, more = ({"read": {"min": n, "max": 500}, "write": {"min": 2 * n, "max": 500}} for n in (5, 7))
        for capacity, least in (({"sessions": some, "connections": more}, (19, 38)), ({"connections": some}, None), (None, None), ("x", None)):
            self.assertEqual(cost.least_capacity({"table_capacity": capacity}), least)

    def test_a_million_of_each_costs_what_its_row_of_the_bill_says(self):
        each = {provider: dict(cost.per_million(self.found["prices"], self.assume, provider)) for provider in cost.PROVIDERS}
        # A request, a function of 10 ms with its log, 5 traces of 100, a strong read.
        validation = 1 + 0.2 + 0.12 + 0.010 * 0.25 * 13.3334 + 0.05 * 5
        self.assertAlmostEqual(each["dynamodb"]["validations"], validation + 0.125)
        self.assertAlmostEqual(each["redis"]["validations"], validation + 0.05 * 0.125 + 1.05 * 0.0023)
        self.assertAlmostEqual(each["dynamodb"]["refreshes"], validation + 0.005 + 0.125 + 0.625)
        self.assertAlmostEqual(each["redis"]["sign-ins"] - each["dynamodb"]["sign-ins"], 0.0023)
        row = self.month(pushes=1_000_000)
        # The publisher's request and the traces are in other rows; what is posted is a message of the WebSocket API.
        self.assertAlmostEqual(each["dynamodb"]["pushes"], row["Push"] + row["WebSocket: messages"] + 1 + 2 * 0.05 * 5)
        self.assertEqual(each["redis"]["pushes"], each["dynamodb"]["pushes"])
        assume = {**self.assume, "trace_percent": 0}
        hours = 1_000 * assume["socket_hours"] * cost.DAYS
        bill = cost.month(self.found["prices"], assume, 0, 1_000, 0, "dynamodb")[0]
        usd = cost.of_sockets(bill)[0] + {name: usd for name, _, usd, _ in bill.rows}["HTTP API"]
        self.assertAlmostEqual(dict(cost.per_million(self.found["prices"], assume, "dynamodb"))["socket hours"], usd / hours * 1e6, places=6)

    def test_the_prices_of_a_million_are_printed_and_in_the_json(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            cost.cost(read(ENV="staging"))
        for name, usd in cost.per_million(self.found["prices"], self.assume, "dynamodb"):
            self.assertRegex(said.getvalue(), rf"(?m)^  {name} +{usd:,.2f} \$ +[\d.]+ \$$")

    def test_an_edge_costs_its_requests_its_web_acl_and_its_rules(self):
        edge = (PACKAGE.parents[1] / "infra" / "modules" / "edge" / "variables.tf").read_text(encoding="utf-8")
        groups = re.search(r'variable "managed_rules" \{.*?default = \{(.*?)\n  \}', edge, re.S)[1].count("priority")
        self.assertEqual(self.assume["web_acl_rules"], groups + 1)
        without, with_it = self.month(users=100_000), self.month(users=100_000, has_edge=True)
        # 100 000 users with 208.2 requests a day. The edge sees those of the HTTP API.
        self.assertAlmostEqual(with_it["Edge: CloudFront"], with_it["HTTP API"])
        self.assertAlmostEqual(with_it["Edge: WAF"], 5 + 4 + 624.6 * 0.6)
        self.assertEqual(set(with_it) - set(without), {"Edge: CloudFront", "Edge: WAF"})
        self.assertAlmostEqual(self.month(zones=2)["Domain names"], 1.0)

    def test_names_and_edge_are_read_from_the_environment(self):
        domain, other = ({"name": f"{name}.example.com", "hosted_zone_id": name} for name in ("a", "b"))
        for values, names in (({}, cost.Names()), ({"http_domain": domain, "websocket_domain": domain}, cost.Names(1)),
                              ({"http_domain": domain, "websocket_domain": other, "edge": {}}, cost.Names(2, True)),
                              ({"http_domain": {"name": "a.example.com", "certificate_arn": "arn"}}, cost.Names())):
            self.assertEqual(cost.names_of(values), names)
            with contextlib.redirect_stdout(io.StringIO()) as said, mock.patch.object(cost.environments, "values", lambda _, values=values: values):
                cost.cost(read(ENV="staging"))
            self.assertEqual(("\n  Domain names " in said.getvalue(), "\n  Edge: WAF " in said.getvalue()), (bool(names.zones), names.has_edge))

    def test_of_traces_every_second_has_its_first(self):
        seconds = 30 * 86_400
        self.assertAlmostEqual(cost.traces(self.assume, 1000, seconds), 1000 + seconds)
        self.assertAlmostEqual(cost.traces(self.assume, 3 * seconds), seconds * 1.1)

    def test_a_key_of_its_own_costs_where_there_is_one(self):
        month = [cost.month(self.found["prices"], self.assume, 1, 1, 1, "dynamodb", own)[0].total() for own in (False, True)]
        self.assertAlmostEqual(month[1] - month[0], 1.0)
        for variables, says in (("", self.assertNotIn), ("kms_mode=cmk", self.assertIn)):
            with contextlib.redirect_stdout(io.StringIO()) as said:
                cost.cost(read(ENV="staging", VARS=variables))
            says("\n  KMS: data at rest ", said.getvalue())

    def test_as_many_alarms_dashboards_and_metrics_are_paid_for_as_terraform_and_the_functions_make(self):
        infra, catalogue = settings.ROOT / "infra", json.loads((settings.ROOT / "services" / "functions.json").read_text(encoding="utf-8"))
        each = (infra / "modules" / "alarms" / "main.tf").read_text(encoding="utf-8").split("  function_alarms = ")[1].split("  stream_alarms = ")[0]
        stacks, custom, of_redis = sorted({entry["stack"] for entry in catalogue.values()}), 0, 0
        for stack in stacks:
            text = (infra / "stacks" / stack / "main.tf").read_text(encoding="utf-8").split('\nmodule "alarms" {')[1].split("\n}\n")[0]
            of_redis += sum(block.count("namespace = ") for block in re.findall(r"for key, alarm in \{(.*?)if module\.context\.cache_is_redis", text, re.S))
            custom += text.count("namespace = ")

        def metrics(redis):
            shown = [entry for entry in catalogue.values() if redis or entry.get("only") != "redis"]
            queues = {queue for entry in shown for queue in entry.get("queues", ())}
            streams = sum("stream" in entry for entry in shown)
            # A queue: its age and its dead letters. A reader of the stream and a subscriber: theirs.
            return (each.count("namespace = ") * len(shown) + streams + 2 * len(queues) + streams + sum("subscribes" in entry for entry in shown)
                    + custom - (0 if redis else of_redis))

        self.assertEqual(self.assume["alarm_metrics"], metrics(False))
        self.assertEqual(self.assume["alarm_metrics"] + self.assume["alarm_metrics_redis"], metrics(True))
        self.assertEqual(self.assume["composite_alarms"], len(stacks))
        self.assertEqual(self.assume["dashboards"], len(stacks) + 1)
        status = (settings.ROOT / "services" / "ops" / "src" / "cache_status.rs").read_text(encoding="utf-8")
        self.assertEqual(self.assume["cache_status_metrics"], status.count("metrics::add("))

    def test_the_cache_pays_above_the_break_even_and_not_below(self):
        at = cost.break_even(self.found["prices"], self.assume)
        self.assertTrue(210e6 < at < 230e6, at)
        users = at / self.assume["requests_per_user"] / cost.DAYS
        # So few users that they fit into the least that a cache holds.
        self.assertGreater(self.total(int(users * 0.9), cache="redis"), self.total(int(users * 0.9)))
        self.assertLess(self.total(int(users * 1.1), cache="redis"), self.total(int(users * 1.1)))

    def test_a_cache_that_saves_nothing_never_pays(self):
        self.assertIsNone(cost.break_even(self.found["prices"], {**self.assume, "cache_hit_percent": 0}))

    def test_it_is_printed_for_what_was_asked(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            cost.cost(read(ENV="staging"), "20_000", "5", "7")
        for part in ("20,000 active users, 5 sockets, 7 pushes", "Valkey Serverless", "scripts/prices.json"):
            self.assertIn(part, said.getvalue())
        with self.assertRaises(Refused):
            cost.cost(read(), "many")


if __name__ == "__main__":
    unittest.main()
