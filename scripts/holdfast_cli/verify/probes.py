"""The machinery of the DynamoDB probes: a table to probe on, short calls, and the comparison of an answer with that of AWS.

`probe_list` has the probes. Each sends requests and returns a short value. Clients check nothing themselves here: a wrong request reaches the
implementation, whose answer is the point.
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from holdfast_cli.core.console import Step
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.deploy import aws

REGISTER = ROOT / "scripts" / "conform.json"
# The stream is that of a small table: its records hold whole items.
TABLE, NUMBERS, STREAMED, INDEX = "probes", "probes-numbers", "probes-stream", "by-group"
# Requests that are sent at once where a probe is about atomicity.
AT_ONCE = 40
# So long a stream may take to show a record.
_STREAM_SECONDS = 10

_RUN = uuid.uuid4()

Item = dict[str, Any]
Answer = dict[str, Any]


def value(given: Any) -> dict[str, Any]:
    """A Python value as an attribute value of DynamoDB."""
    if given is None or isinstance(given, bool):
        return {"NULL": True} if given is None else {"BOOL": given}
    if isinstance(given, str):
        return {"S": given}
    if isinstance(given, (int, Decimal)):
        return {"N": str(given)}
    if isinstance(given, bytes):
        return {"B": given}
    if isinstance(given, (set, frozenset)):
        members = sorted(given)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return {"SS": members} if isinstance(members[0], str) else {"NS": [str(one) for one in members]}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(given, list):
        return {"L": [value(one) for one in given]}  # pyright: ignore[reportUnknownVariableType]
    return {"M": values(given)}


def values(given: Mapping[str, Any]) -> Item:
    return {name: value(one) for name, one in given.items()}


def plain(given: dict[str, Any]) -> Any:
    """An attribute value of DynamoDB as a Python value that compares; numbers as the text that was answered."""
    (kind, inner), = given.items()
    if kind == "M":
        return {name: plain(one) for name, one in inner.items()}
    if kind == "L":
        return [plain(one) for one in inner]
    if kind in ("SS", "NS"):
        return sorted(inner)
    return None if kind == "NULL" else inner


class Bench:
    """An implementation's tables, and the part of them that belongs to one probe: the items with the partition key `own`."""

    def __init__(self, client: Any, streams: Any, own: str = "", table: str = TABLE) -> None:
        self.client, self.streams, self.own, self.table = client, streams, own, table

    def of(self, own: str) -> Bench:
        return Bench(self.client, self.streams, own)

    def on(self, name: str) -> Bench:
        """The same probe on another table."""
        return Bench(self.client, self.streams, self.own, name)

    def token(self) -> str:
        """The token of this probe's transactions. It is another in each run, because a token is valid for ten minutes."""
        return uuid.uuid5(_RUN, self.own).hex

    def key(self, sk: str = "1") -> Item:
        return values({"pk": self.own, "sk": sk})

    def item(self, sk: str = "1", /, **attributes: Any) -> Item:
        return {**self.key(sk), **values(attributes)}

    def send(self, operation: str, **members: Any) -> Answer:
        found: Answer = getattr(self.client, operation)(**members)
        return found

    def put(self, sk: str = "1", /, more: Mapping[str, Any] | None = None, **attributes: Any) -> Answer:
        return self.send("put_item", TableName=self.table, Item=self.item(sk, **attributes), **(more or {}))

    def put_raw(self, **attributes: dict[str, Any]) -> Answer:
        return self.send("put_item", TableName=self.table, Item={**self.key(), **attributes})

    def get(self, sk: str = "1", /, **more: Any) -> Any:
        """The item without its key; None if there is none."""
        found = self.send("get_item", TableName=self.table, Key=self.key(sk), ConsistentRead=True, **more).get("Item")
        return None if found is None else {name: plain(one) for name, one in found.items() if name not in ("pk", "sk")}

    def update(self, expression: str, sk: str = "1", /, more: Mapping[str, Any] | None = None, names: Mapping[str, str] | None = None,
               **bound: Any) -> Answer:
        """UpdateItem; the keywords are the values of the expression (`a` is bound to `:a`)."""
        return self.send("update_item", TableName=self.table, Key=self.key(sk), UpdateExpression=expression, **bindings(bound, names), **(more or {}))

    def holds(self, condition: str, sk: str = "1", /, names: Mapping[str, str] | None = None, **bound: Any) -> bool:
        """Whether a condition holds for an item."""
        check = {"TableName": self.table, "Key": self.key(sk), "ConditionExpression": condition, **bindings(bound, names)}
        try:
            self.send("transact_write_items", TransactItems=[{"ConditionCheck": check}])
        except ClientError as error:
            if code(error) != "TransactionCanceledException":
                raise
            return False
        return True

    def query(self, condition: str = "pk = :pk", /, more: Mapping[str, Any] | None = None, names: Mapping[str, str] | None = None,
              **bound: Any) -> Answer:
        given = {**({"pk": self.own} if ":pk" in condition else {}), **bound}
        return self.send("query", TableName=self.table, KeyConditionExpression=condition, **bindings(given, names), **(more or {}))

    def transact(self, *actions: Mapping[str, Any], **more: Any) -> Answer:
        return self.send("transact_write_items", TransactItems=list(actions), **more)

    def action(self, kind: str, sk: str = "1", /, **members: Any) -> dict[str, Any]:
        """An action of a transaction on an item of this probe."""
        place = {"Item": self.item(sk)} if kind == "Put" else {"Key": self.key(sk)}
        return {kind: {"TableName": self.table, **place, **members}}

    def at_once(self, work: Callable[[int], object]) -> list[str]:
        """What each of 40 calls at once answers: `done`, or the code of its error."""
        def one(number: int) -> str:
            try:
                work(number)
                return "done"
            except ClientError as error:
                return code(error)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(one, range(AT_ONCE)))

    def events(self, until: str) -> list[dict[str, Any]]:
        """The records of this probe in the stream, up to the first for the sort key `until`."""
        arn = self.send("describe_table", TableName=self.table)["Table"]["LatestStreamArn"]
        deadline = time.monotonic() + _STREAM_SECONDS
        while True:
            found = [record["dynamodb"] | {"eventName": record["eventName"]} for record in self._records(arn)
                     if record["dynamodb"]["Keys"].get("pk") == {"S": self.own}]
            last = [number for number, record in enumerate(found) if record["Keys"]["sk"] == {"S": until}]
            if last:
                return found[:last[0] + 1]
            if time.monotonic() > deadline:
                raise Failed(f"the stream shows no record for {until} within {_STREAM_SECONDS} s")
            time.sleep(0.1)

    def _records(self, arn: str) -> Iterable[dict[str, Any]]:
        for shard in self.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            place = self.streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
            while place:
                page = self.streams.get_records(ShardIterator=place)
                yield from page["Records"]
                place = page.get("NextShardIterator") if page["Records"] else None


def bindings(bound: Mapping[str, Any], names: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {**({"ExpressionAttributeValues": {f":{name}": value(one) for name, one in bound.items()}} if bound else {}),
            **({"ExpressionAttributeNames": {f"#{name}": one for name, one in names.items()}} if names else {})}


def code(error: ClientError) -> str:
    response: dict[str, Any] = dict(error.response)
    return str(response["Error"].get("Code", "?"))


def names_of(answer: Answer) -> list[str]:
    """The sort keys of the items of a page, in its order."""
    return [next(iter(item["sk"].values())) for item in answer["Items"]]


class Source(NamedTuple):
    title: str
    url: str


class Probe(NamedTuple):
    name: str
    # What AWS answers: a value, or the error as `refused(…)` writes it.
    expected: Any
    source: Source
    run: Callable[[Bench], Any]


def refused(kind: str = "ValidationException") -> str:
    return f"refused: {kind}"


# A probe that returns a whole response wants to know only whether the request was accepted.
ACCEPTED = "accepted"


class Result(NamedTuple):
    probe: Probe
    answer: Any

    @property
    def is_as_aws(self) -> bool:
        return self.answer == self.probe.expected


def answer_to(probe: Probe, bench: Bench) -> Any:
    try:
        found: Any = probe.run(bench.of(probe.name))
        return ACCEPTED if isinstance(found, dict) and "ResponseMetadata" in found else found  # pyright: ignore[reportUnknownVariableType]
    except ClientError as error:
        return refused(code(error))
    except (BotoCoreError, Failed) as trouble:
        return f"no answer: {trouble}"
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as trouble:
        # The answer has another form.
        return f"an answer without {trouble}" if isinstance(trouble, KeyError) else f"an answer of another form: {trouble}"


@contextmanager
def bench(settings: Settings, port: int) -> Generator[Bench]:
    """The tables of the probes on an implementation that listens on a port of this machine. They are removed at the end."""
    api = aws.Api(dataclasses.replace(settings, env="local", port=port), parameter_validation=False, retries={"total_max_attempts": 1},
                  connect_timeout=5, read_timeout=60, max_pool_connections=AT_ONCE + 5)
    made = Bench(api.client("dynamodb"), api.client("dynamodbstreams"))
    names = {TABLE: "S", NUMBERS: "N", STREAMED: "S"}
    try:
        for name in set(names) & set(made.send("list_tables")["TableNames"]):
            made.send("delete_table", TableName=name)
        for name, kind in names.items():
            made.send("create_table", **table(name, kind))
        deadline = time.monotonic() + 30
        while any(made.send("describe_table", TableName=name)["Table"]["TableStatus"] != "ACTIVE" for name in names):
            if time.monotonic() > deadline:
                raise Failed(f"the tables of the probes are not active after 30 s on port {port}; look into the log of that implementation.")
            time.sleep(0.1)
        yield made
    except (ClientError, BotoCoreError) as trouble:
        raise Failed(f"the probes could not use the implementation on port {port}: {trouble}") from None
    finally:
        for name in names:
            with suppress(ClientError, BotoCoreError):
                made.send("delete_table", TableName=name)


def table(name: str, sort_key: str) -> dict[str, Any]:
    """A table like those of Holdfast: two keys. One has an index that includes one attribute, one has a stream."""
    def attribute(each: str, kind: str = "S") -> dict[str, str]:
        return {"AttributeName": each, "AttributeType": kind}

    def key(each: str, kind: str) -> dict[str, str]:
        return {"AttributeName": each, "KeyType": kind}
    more: dict[str, Any] = {}
    if name == TABLE:
        more = {"GlobalSecondaryIndexes": [{"IndexName": INDEX, "KeySchema": [key("group", "HASH"), key("at", "RANGE")],
                                            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["kept"]}}]}
    if name == STREAMED:
        more = {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
    return {"TableName": name, "BillingMode": "PAY_PER_REQUEST", "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
            "AttributeDefinitions": [attribute("pk"), attribute("sk", sort_key), *([attribute("group"), attribute("at")] if name == TABLE else [])],
            **more}


def run(all_probes: Sequence[Probe], made: Bench, step: Step) -> list[Result]:
    found: list[Result] = []
    for number, probe in enumerate(all_probes):
        step.progress(number, len(all_probes), "probes")
        found.append(Result(probe, answer_to(probe, made)))
    return found


class Known(NamedTuple):
    """A difference that is known and harmless: what the implementation answers, and why it does not matter to Holdfast."""

    answer: str
    why: str


Register = dict[str, dict[str, Known]]


def register(file: Path = REGISTER) -> Register:
    """By implementation and probe."""
    read: dict[str, dict[str, dict[str, str]]] = json.loads(file.read_text(encoding="utf-8"))
    return {name: {probe: Known(**entry) for probe, entry in entries.items()} for name, entries in read.items()}


def shown(answer: Any) -> str:
    """An answer as the table and the register write it."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=str)
    return text if len(text) <= 160 else f"{text[:160]}…"


class Verdict(NamedTuple):
    # Differences that the register does not have, and entries of it that no longer hold: each fails the command.
    unknown: list[Result]
    stale: list[str]
    known: list[tuple[Result, Known]]


def judge(results: Sequence[Result], entries: Mapping[str, Known]) -> Verdict:
    unknown, known, stale = list[Result](), list[tuple[Result, Known]](), list[str]()
    for result in results:
        entry = entries.get(result.probe.name)
        if result.is_as_aws:
            if entry:
                stale.append(f"{result.probe.name}: it answers as AWS now; remove the entry from scripts/conform.json")
        elif entry and entry.answer == shown(result.answer):
            known.append((result, entry))
        else:
            unknown.append(result)
    names = {result.probe.name for result in results}
    stale += [f"{name}: there is no such probe; remove the entry from scripts/conform.json" for name in entries if name not in names]
    return Verdict(unknown, stale, known)
