"""The probes of DynamoDB's semantics: what is sent, what AWS answers, and the page that says it.

The text of the API reference is also in botocore's model of DynamoDB (the version that uv.lock pins), where it was compared. A source that is a
public report, and not a page of AWS, has a title that begins with "unsourced".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from holdfast_cli.verify.probes import (
    ACCEPTED,
    AT_ONCE,
    INDEX,
    NUMBERS,
    STREAMED,
    TABLE,
    Bench,
    Probe,
    Source,
    code,
    names_of,
    refused,
    value,
    values,
)

_GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
_API = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_"


def _guide(title: str, page: str) -> Source:
    return Source(title, f"{_GUIDE}{page}.html")


def _api(operation: str) -> Source:
    return Source(f"API reference, {operation}", f"{_API}{operation}.html")


def _report(url: str) -> Source:
    return Source("unsourced, by one public report", url)


CONSTRAINTS = _guide("Quotas in Amazon DynamoDB", "Constraints")
TYPES = _guide("Supported data types and naming rules", "HowItWorks.NamingRulesDataTypes")
CONDITIONS = _guide("Condition expressions", "Expressions.ConditionExpressions")
OPERATORS = _guide("Condition and filter expressions, operators, and functions", "Expressions.OperatorsAndFunctions")
NAMES = _guide("Expression attribute names", "Expressions.ExpressionAttributeNames")
PROJECTIONS = _guide("Projection expressions", "Expressions.ProjectionExpressions")
UPDATES = _guide("Update expressions", "Expressions.UpdateExpressions")
INDEXES = _guide("Global secondary indexes", "GSI")
STREAMS = _guide("Change data capture for DynamoDB Streams", "Streams")
PAGES = _guide("Paginating table query results", "Query.Pagination")
FILTERS = _guide("Filter expressions for the Query operation", "Query.FilterExpression")
WRITES = _guide("Working with items and attributes", "WorkingWithItems")
TRANSACTIONS = _guide("Transactions: how it works", "transaction-apis")
CAPACITY = _guide("Read and write operations", "read-write-operations")
LEGACY = _guide("Legacy conditional parameters", "LegacyConditionalParameters")
NUMBER_TABLE = {"TableName": NUMBERS}

PROBES: list[Probe] = []
Run = Callable[[Bench], Any]


def probe(name: str, expected: Any, source: Source) -> Callable[[Run], Run]:
    def add(run: Run) -> Run:
        PROBES.append(Probe(name, expected, source, run))
        return run
    return add


def one(name: str, expected: Any, source: Source, run: Run) -> None:
    probe(name, expected, source)(run)


def many(name: str, count: int) -> tuple[str, dict[str, int]]:
    """Operands for an expression: `:a0, :a1, …` and their values."""
    bound = {f"{name}{number}": number for number in range(count)}
    return ", ".join(f":{each}" for each in bound), bound


def reasons(run: Callable[[], object]) -> Any:
    """Why a transaction was cancelled, action by action."""
    try:
        run()
    except ClientError as error:
        found: dict[str, Any] = dict(error.response)
        return [reason.get("Code") for reason in found["CancellationReasons"]] if "CancellationReasons" in found else refused(code(error))
    return "done"


def old_item(run: Callable[[], object]) -> Any:
    """The item that a refused write returns."""
    try:
        run()
    except ClientError as error:
        found: dict[str, Any] = dict(error.response)
        item = found["CancellationReasons"][0].get("Item") if "CancellationReasons" in found else found.get("Item")
        return item and item.get("n")
    return "done"


# Writes


@probe("a put with attribute_not_exists on an item that exists", refused("ConditionalCheckFailedException"), CONDITIONS)
def _(b: Bench) -> Any:
    b.put()
    return b.put(more={"ConditionExpression": "attribute_not_exists(pk)"})


@probe("a refused put returns the item that is there", {"N": "7"}, _api("PutItem"))
def _(b: Bench) -> Any:
    b.put(n=7)
    more = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return old_item(lambda: b.put(more=more))


@probe("a refused update returns the item that is there", {"N": "7"}, _api("UpdateItem"))
def _(b: Bench) -> Any:
    b.put(n=7)
    more = {"ConditionExpression": "n = :one", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return old_item(lambda: b.update("SET m = :one", more=more, one=1))


@probe("a put replaces the whole item", {"b": "2"}, _api("PutItem"))
def _(b: Bench) -> Any:
    b.put(a=1)
    b.put(b=2)
    return b.get()


@probe("a put with ReturnValues ALL_OLD", {"N": "1"}, _api("PutItem"))
def _(b: Bench) -> Any:
    b.put(a=1)
    return b.put(more={"ReturnValues": "ALL_OLD"}, a=2)["Attributes"]["a"]


one("a put with ReturnValues ALL_NEW", refused(), _api("PutItem"), lambda b: b.put(more={"ReturnValues": "ALL_NEW"}))
one("a delete with ReturnValues ALL_NEW", refused(), _api("DeleteItem"),
    lambda b: b.send("delete_item", TableName=TABLE, Key=b.key(), ReturnValues="ALL_NEW"))
one("a put without the sort key", refused(), _api("PutItem"), lambda b: b.send("put_item", TableName=TABLE, Item=values({"pk": b.own})))
one("a put with a sort key of another type", refused(), _api("PutItem"),
    lambda b: b.send("put_item", TableName=TABLE, Item=values({"pk": b.own, "sk": 1})))
one("a put into a table that does not exist", refused("ResourceNotFoundException"), _api("PutItem"),
    lambda b: b.send("put_item", TableName="no-such-table", Item=b.item()))


@probe("an update of an item that does not exist creates it", {"a": "1"}, _api("UpdateItem"))
def _(b: Bench) -> Any:
    b.update("SET a = :a", a=1)
    return b.get()


@probe("an update with ReturnValues UPDATED_NEW returns the changed attributes only", {"a": {"N": "2"}}, _api("UpdateItem"))
def _(b: Bench) -> Any:
    b.put(a=1, b=1)
    return b.update("SET a = :a", more={"ReturnValues": "UPDATED_NEW"}, a=2)["Attributes"]


@probe("an update with ReturnValues UPDATED_OLD returns the former values", {"a": {"N": "1"}}, _api("UpdateItem"))
def _(b: Bench) -> Any:
    b.put(a=1, b=1)
    return b.update("SET a = :a", more={"ReturnValues": "UPDATED_OLD"}, a=2)["Attributes"]


@probe("an update with ReturnValues ALL_NEW returns the whole item", ["a", "b", "pk", "sk"], _api("UpdateItem"))
def _(b: Bench) -> Any:
    b.put(a=1)
    return sorted(b.update("SET b = :b", more={"ReturnValues": "ALL_NEW"}, b=2)["Attributes"])


one("an update of a key attribute", refused(), _api("UpdateItem"), lambda b: b.update("SET sk = :a", a="2"))
one("a delete of an item that does not exist", ACCEPTED, _api("DeleteItem"),
    lambda b: b.send("delete_item", TableName=TABLE, Key=b.key()))
one("a conditional delete of an item that does not exist", refused("ConditionalCheckFailedException"), _api("DeleteItem"),
    lambda b: b.send("delete_item", TableName=TABLE, Key=b.key(), ConditionExpression="attribute_exists(pk)"))


@probe("a get of an item that does not exist has no Item", False, _api("GetItem"))
def _(b: Bench) -> Any:
    return "Item" in b.send("get_item", TableName=TABLE, Key=b.key())


one("a get with a key that has another attribute besides", refused(), _api("GetItem"),
    lambda b: b.send("get_item", TableName=TABLE, Key=b.item(other="x")))

# Update expressions


@probe("ADD to an attribute that does not exist begins at 0", {"n": "3"}, UPDATES)
def _(b: Bench) -> Any:
    b.update("ADD n :n", n=3)
    return b.get()


@probe("ADD to a set adds the members", {"s": ["a", "b"]}, UPDATES)
def _(b: Bench) -> Any:
    b.put(s={"a"})
    b.update("ADD s :s", s={"a", "b"})
    return b.get()


@probe("ADD to a string", refused(), UPDATES)
def _(b: Bench) -> Any:
    b.put(a="x")
    return b.update("ADD a :n", n=1)


@probe("DELETE takes members out of a set", {"s": ["b"]}, UPDATES)
def _(b: Bench) -> Any:
    b.put(s={"a", "b", "c"})
    b.update("DELETE s :s", s={"a", "c"})
    return b.get()


@probe("if_not_exists keeps a value that is there", {"a": "1", "b": "2"}, UPDATES)
def _(b: Bench) -> Any:
    b.put(a=1)
    b.update("SET a = if_not_exists(a, :two), b = if_not_exists(b, :two)", two=2)
    return b.get()


@probe("list_append appends", {"l": ["1", "2"]}, UPDATES)
def _(b: Bench) -> Any:
    b.put(l=[1])
    b.update("SET l = list_append(l, :l)", l=[2])
    return b.get()


@probe("SET of an element beyond the end of a list appends it", {"l": ["1", "2"]}, UPDATES)
def _(b: Bench) -> Any:
    b.put(l=[1])
    b.update("SET l[10] = :n", n=2)
    return b.get()


@probe("REMOVE of a list's element moves the others", {"l": ["1", "3"]}, UPDATES)
def _(b: Bench) -> Any:
    b.put(l=[1, 2, 3])
    b.update("REMOVE l[1]")
    return b.get()


@probe("SET adds and subtracts numbers", {"n": "12"}, UPDATES)
def _(b: Bench) -> Any:
    b.put(n=10)
    b.update("SET n = n + :three", three=3)
    b.update("SET n = n - :one", one=1)
    return b.get()


one("SET twice in one expression", refused(), UPDATES, lambda b: b.update("SET a = :a SET b = :a", a=1))
one("SET and REMOVE of the same attribute", refused(), _report("https://github.com/getmoto/moto/issues/5429"),
    lambda b: b.update("SET a = :a REMOVE a", a=1))
one("SET of an attribute and of a path in it", refused(), _report("https://github.com/getmoto/moto/issues/8582"),
    lambda b: b.update("SET a = :a, a.b = :a", a=1))
one("an expression of more than 4 KB", refused(), CONSTRAINTS, lambda b: b.update(f"SET {'a' * 4_096} = :a", a=1))


@probe("more than 300 operators in an update", refused(), CONSTRAINTS)
def _(b: Bench) -> Any:
    return b.update("SET a = :a" + ", ".join(["", *(f"b{number}=:a+:a" for number in range(301))]), a=1)


# Conditions


@probe("IN with 100 operands", True, OPERATORS)
def _(b: Bench) -> Any:
    b.put(n=99)
    operands, bound = many("a", 100)
    return b.holds(f"n IN ({operands})", names=None, **bound)


@probe("IN with 101 operands", refused(), CONSTRAINTS)
def _(b: Bench) -> Any:
    b.put(n=99)
    operands, bound = many("a", 101)
    return b.update("SET m = :a0", more={"ConditionExpression": f"n IN ({operands})"}, names=None, **bound)


@probe("IN with 101 operands in the filter of a query", refused(), CONSTRAINTS)
def _(b: Bench) -> Any:
    operands, bound = many("a", 101)
    return b.query(more={"FilterExpression": f"n IN ({operands})"}, names=None, **bound)


@probe("NOT before AND before OR", [True, False], OPERATORS)
def _(b: Bench) -> Any:
    b.put(a=1, b=2)
    return [b.holds("a = :one OR a = :two AND b = :one", one=1, two=2), b.holds("NOT a = :one AND b = :two", one=1, two=2)]


@probe("attribute_exists on a path", [True, False], OPERATORS)
def _(b: Bench) -> Any:
    b.put(m={"x": 1})
    return [b.holds("attribute_exists(m.x)"), b.holds("attribute_exists(m.y)")]


@probe("attribute_type", [True, False], OPERATORS)
def _(b: Bench) -> Any:
    b.put(m={"x": 1})
    return [b.holds("attribute_type(m, :t)", t="M"), b.holds("attribute_type(m, :t)", t="S")]


@probe("begins_with and contains", [True, False, True, True, False], OPERATORS)
def _(b: Bench) -> Any:
    b.put(s="abcd", l={"x", "y"})
    return [b.holds("begins_with(s, :v)", v="ab"), b.holds("begins_with(s, :v)", v="bc"), b.holds("contains(s, :v)", v="bc"),
            b.holds("contains(l, :v)", v="x"), b.holds("contains(l, :v)", v="z")]


@probe("size of a string, a list and a set", [True, True, True], OPERATORS)
def _(b: Bench) -> Any:
    b.put(s="abcd", l=[1, 2], t={"x"})
    return [b.holds("size(s) = :n", n=4), b.holds("size(l) = :n", n=2), b.holds("size(t) = :n", n=1)]


@probe("BETWEEN has both its bounds", [True, True, False], OPERATORS)
def _(b: Bench) -> Any:
    b.put(n=5)
    return [b.holds("n BETWEEN :a AND :b", a=5, b=6), b.holds("n BETWEEN :a AND :b", a=4, b=5), b.holds("n BETWEEN :a AND :b", a=6, b=7)]


@probe("numbers compare as numbers", [True, True], TYPES)
def _(b: Bench) -> Any:
    b.put(n=9)
    return [b.holds("n < :n", n=10), b.holds("n = :n", n=Decimal("9.0"))]


@probe("a number is not equal to a string of its digits", False, _api("Condition"))
def _(b: Bench) -> Any:
    b.put(n=9)
    return b.holds("n = :s", s="9")


one("a reserved word in an expression", refused(), NAMES, lambda b: b.update("SET name = :a", a=1))


@probe("a reserved word through a name", {"name": "1"}, NAMES)
def _(b: Bench) -> Any:
    b.update("SET #n = :a", names={"n": "name"}, a=1)
    return b.get()


one("a name that no expression uses", refused(), _report("https://github.com/AllocZero/EfficientDynamoDb/issues/170"),
    lambda b: b.update("SET a = :a", names={"n": "name"}, a=1))
one("a value that no expression uses", refused(), _report("https://github.com/truora/minidyn/issues/26"),
    lambda b: b.update("SET a = :a", a=1, b=2))
one("an expression beside a legacy parameter", refused(), LEGACY,
    lambda b: b.put(more={"ConditionExpression": "attribute_not_exists(pk)", "Expected": {"a": {"Exists": False}}}))

# Values


@probe("an empty string that is no key", {"a": ""}, _api("PutItem"))
def _(b: Bench) -> Any:
    b.put(a="")
    return b.get()


one("an empty string as the sort key", refused(), _api("PutItem"), lambda b: b.put(""))
one("an empty string as the key of an index", refused(), _api("PutItem"), lambda b: b.put(group="", at="1"))
one("an empty set", refused(), TYPES, lambda b: b.put_raw(a={"SS": []}))
one("a set with a member twice", refused(), TYPES, lambda b: b.put_raw(a={"SS": ["x", "x"]}))


@probe("a number of 38 digits stays exact", {"n": "9" * 38}, TYPES)
def _(b: Bench) -> Any:
    b.put(n=Decimal("9" * 38))
    return b.get()


one("a number of 39 digits", refused(), TYPES, lambda b: b.put_raw(n={"N": "9" * 39}))
one("a number above 9.9E+125", refused(), TYPES, lambda b: b.put_raw(n={"N": "1E+126"}))
one("a number below 1E-130", refused(), TYPES, lambda b: b.put_raw(n={"N": "1E-131"}))
one("a number that is none", refused(), TYPES, lambda b: b.put_raw(n={"N": "ten"}))


@probe("zeros at both ends of a number are trimmed", {"n": "1.5"}, TYPES)
def _(b: Bench) -> Any:
    b.put_raw(n={"N": "01.500"})
    return b.get()


@probe("every other type comes back as it was", [b"\x00\xff", True, None, {"x": ["1", "a"]}], TYPES)
def _(b: Bench) -> Any:
    b.put(b=b"\x00\xff", t=True, z=None, m={"x": [1, "a"]})
    found = b.get()
    return [found["b"], found["t"], found["z"], found["m"]]


def _sized(b: Bench, size: int) -> dict[str, Any]:
    """An item of so many bytes: the names of its attributes and their values."""
    rest = size - len("pk") - len(b.own.encode()) - len("sk") - 1 - len("a")
    return b.item(a="x" * rest)


one("an item of 400 KB", ACCEPTED, CONSTRAINTS, lambda b: b.send("put_item", TableName=TABLE, Item=_sized(b, 400 * 1024)))
one("an item of a byte more", refused(), CONSTRAINTS, lambda b: b.send("put_item", TableName=TABLE, Item=_sized(b, 400 * 1024 + 1)))


@probe("an update that makes an item larger than 400 KB", refused(), CONSTRAINTS)
def _(b: Bench) -> Any:
    b.put(a="x" * 300_000)
    return b.update("SET b = :b", b="x" * 200_000)


def _of_length(pk: int, sk: int) -> Run:
    return lambda b: b.send("put_item", TableName=TABLE, Item=values({"pk": "p" * pk, "sk": "s" * sk}))


one("keys of 2 048 and 1 024 bytes", ACCEPTED, CONSTRAINTS, _of_length(2_048, 1_024))
one("a partition key of 2 049 bytes", refused(), CONSTRAINTS, _of_length(2_049, 1))
one("a sort key of 1 025 bytes", refused(), CONSTRAINTS, _of_length(1, 1_025))


def _nested(depth: int) -> dict[str, Any]:
    return {"x": _nested(depth - 1)} if depth else {}


one("a map 40 levels deep", refused(), CONSTRAINTS, lambda b: b.put(m=_nested(40)))

# Query and Scan


def _five(b: Bench) -> None:
    for number in range(5):
        b.put(str(number), n=number)


@probe("a query with a Limit of exactly what is there has a LastEvaluatedKey", ["5 items", True], _api("Query"))
def _(b: Bench) -> Any:
    _five(b)
    page = b.query(more={"Limit": 5})
    return [f"{page['Count']} items", "LastEvaluatedKey" in page]


@probe("the page after it is empty, without a LastEvaluatedKey", [0, False], PAGES)
def _(b: Bench) -> Any:
    _five(b)
    page = b.query(more={"ExclusiveStartKey": b.key("4")})
    return [page["Count"], "LastEvaluatedKey" in page]


@probe("a query with a larger Limit has no LastEvaluatedKey", False, PAGES)
def _(b: Bench) -> Any:
    _five(b)
    return "LastEvaluatedKey" in b.query(more={"Limit": 6})


@probe("pages follow each other by LastEvaluatedKey", ["0", "1", "2", "3", "4"], PAGES)
def _(b: Bench) -> Any:
    _five(b)
    found, place = list[str](), dict[str, Any]()
    while True:
        page = b.query(more={"Limit": 2, **place})
        found += names_of(page)
        if "LastEvaluatedKey" not in page:
            return found
        place = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@probe("a Limit counts the items before the filter", [0, 2, True], FILTERS)
def _(b: Bench) -> Any:
    _five(b)
    page = b.query(more={"Limit": 2, "FilterExpression": "n > :n"}, n=100)
    return [page["Count"], page["ScannedCount"], "LastEvaluatedKey" in page]


@probe("a page of a query ends at 1 MB", [True, True], PAGES)
def _(b: Bench) -> Any:
    for number in range(5):
        b.put(str(number), a="x" * 300_000)
    page = b.query()
    return [page["Count"] < 5, "LastEvaluatedKey" in page]


one("a query with a Limit of 0", refused(), _api("Query"), lambda b: b.query(more={"Limit": 0}))


@probe("a query without a match", [[], 0, False], _api("Query"))
def _(b: Bench) -> Any:
    page = b.query()
    return [page["Items"], page["Count"], "LastEvaluatedKey" in page]


@probe("ScanIndexForward false reverses the order", ["4", "3", "2", "1", "0"], _api("Query"))
def _(b: Bench) -> Any:
    _five(b)
    return names_of(b.query(more={"ScanIndexForward": False}))


@probe("sort keys that are numbers are in the order of numbers", ["-5", "0", "2", "10"], _api("Query"))
def _(b: Bench) -> Any:
    for number in (10, 2, -5, 0):
        b.send("put_item", **NUMBER_TABLE, Item=values({"pk": b.own, "sk": number}))
    condition = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": value(b.own)}}
    return names_of(b.send("query", **NUMBER_TABLE, **condition))


@probe("sort keys that are strings are in the order of their bytes", ["A", "Z", "a", "é", "\U0001f600"], _api("Query"))
def _(b: Bench) -> Any:
    for text in ("a", "\U0001f600", "Z", "é", "A"):
        b.put(text)
    return names_of(b.query())


@probe("Select COUNT returns no items", [5, False], _api("Query"))
def _(b: Bench) -> Any:
    _five(b)
    page = b.query(more={"Select": "COUNT"})
    return [page["Count"], "Items" in page]


@probe("the conditions on a sort key", [["3", "4"], ["1", "2"], ["0"]], _api("Query"))
def _(b: Bench) -> Any:
    _five(b)
    return [names_of(b.query("pk = :pk AND sk > :a", a="2")), names_of(b.query("pk = :pk AND sk BETWEEN :a AND :b", a="1", b="2")),
            names_of(b.query("pk = :pk AND begins_with(sk, :a)", a="0"))]


one("a filter of a query on a key attribute", refused(), _api("Query"), lambda b: b.query(more={"FilterExpression": "sk = :a"}, a="1"))
one("a query without the partition key", refused(), _api("Query"), lambda b: b.query("sk = :a", a="1"))
one("a query for a range of partition keys", refused(), _api("Query"), lambda b: b.query("pk > :pk"))
one("a query with <> on the sort key", refused(), _api("Query"), lambda b: b.query("pk = :pk AND sk <> :a", a="1"))
one("a query with OR in the key condition", refused(), _api("Query"), lambda b: b.query("pk = :pk OR sk = :a", a="1"))
one("a scan of a segment without their number", refused(), _api("Scan"), lambda b: b.send("scan", TableName=TABLE, Segment=0))


@probe("the segments of a scan have each item once", ["0", "1", "2", "3", "4"], _api("Scan"))
def _(b: Bench) -> Any:
    for number in range(5):
        b.send("put_item", **NUMBER_TABLE, Item=values({"pk": f"{b.own}-{number}", "sk": number, "mark": b.own}))
    found = list[str]()
    for segment in range(3):
        page = b.send("scan", **NUMBER_TABLE, Segment=segment, TotalSegments=3, FilterExpression="mark = :m",
                      ExpressionAttributeValues={":m": value(b.own)})
        found += names_of(page)
    return sorted(found)


@probe("a projection returns the named attributes only", ["a", "m"], PROJECTIONS)
def _(b: Bench) -> Any:
    b.put(a=1, b=2, m={"x": 1, "y": 2})
    found = b.send("get_item", TableName=TABLE, Key=b.key(), ProjectionExpression="a, m.x")["Item"]
    return sorted(found) if found["m"] == {"M": {"x": {"N": "1"}}} else found["m"]


one("a projection of an attribute and of a path in it", refused(), _report("https://github.com/ExtendDB/extenddb/pull/173"),
    lambda b: b.get(ProjectionExpression="a, a.b"))

# The index


def _in_index(b: Bench) -> None:
    b.put("1", group=b.own, at="1", kept="k", dropped="d")
    b.put("2", group=b.own, at="2")
    b.put("3", at="3")


def _index(b: Bench, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return b.query("#g = :g", more={"IndexName": INDEX, **(more or {})}, names={"g": "group"}, g=b.own)


@probe("an item without the key of an index is not in it", ["1", "2"], INDEXES)
def _(b: Bench) -> Any:
    _in_index(b)
    return names_of(_index(b))


@probe("an index returns keys and what it projects", ["at", "group", "kept", "pk", "sk"], INDEXES)
def _(b: Bench) -> Any:
    _in_index(b)
    return sorted(_index(b)["Items"][0])


@probe("a projection of an attribute that the index does not have", refused(), _api("Query"))
def _(b: Bench) -> Any:
    _in_index(b)
    return _index(b, {"ProjectionExpression": "dropped"})


@probe("Select ALL_ATTRIBUTES on an index that does not have them all", refused(), _api("Query"))
def _(b: Bench) -> Any:
    _in_index(b)
    return _index(b, {"Select": "ALL_ATTRIBUTES"})


one("a consistent read of an index", refused(), _api("Query"), lambda b: _index(b, {"ConsistentRead": True}))
one("a put with another type in the key of an index", refused(), INDEXES, lambda b: b.put(group=1, at="1"))


@probe("an item leaves the index when its key is removed", ["2"], INDEXES)
def _(b: Bench) -> Any:
    _in_index(b)
    b.update("REMOVE #g", "1", names={"g": "group"})
    return names_of(_index(b))


@probe("a query of an index with a Limit of exactly what is there has a LastEvaluatedKey", ["at", "group", "pk", "sk"], _api("Query"))
def _(b: Bench) -> Any:
    _in_index(b)
    return sorted(_index(b, {"Limit": 2}).get("LastEvaluatedKey", ()))


# Batches


def _batch(b: Bench, *writes: Mapping[str, Any], name: str = TABLE) -> Any:
    return b.send("batch_write_item", RequestItems={name: list(writes)})


def _put(b: Bench, sk: str) -> dict[str, Any]:
    return {"PutRequest": {"Item": b.item(sk)}}


def _get(b: Bench, count: int) -> Any:
    return b.send("batch_get_item", RequestItems={TABLE: {"Keys": [b.key(str(number)) for number in range(count)]}})


one("a batch of 26 writes", refused(), _api("BatchWriteItem"), lambda b: _batch(b, *(_put(b, str(number)) for number in range(26))))
one("a batch that writes one item twice", refused(), _api("BatchWriteItem"),
    lambda b: _batch(b, _put(b, "1"), {"DeleteRequest": {"Key": b.key("1")}}))
one("a batch into a table that does not exist", refused("ResourceNotFoundException"), _api("BatchWriteItem"),
    lambda b: _batch(b, _put(b, "1"), name="no-such-table"))
one("a batch of 101 reads", refused(), _api("BatchGetItem"), lambda b: _get(b, 101))
one("a batch that reads one item twice", refused(), _report("https://github.com/boto/boto3/issues/4131"),
    lambda b: b.send("batch_get_item", RequestItems={TABLE: {"Keys": [b.key(), b.key()]}}))


@probe("a batch of reads leaves out what does not exist", 1, _api("BatchGetItem"))
def _(b: Bench) -> Any:
    b.put("1")
    return len(_get(b, 3)["Responses"][TABLE])


@probe("a batch of reads over 16 MB leaves keys unprocessed", ["at most 16 MB", 60], _api("BatchGetItem"))
def _(b: Bench) -> Any:
    for number in range(60):
        b.put(str(number), a="x" * 300_000)
    page = _get(b, 60)
    read = len(page["Responses"][TABLE])
    left = len(page["UnprocessedKeys"].get(TABLE, {}).get("Keys", ()))
    return ["at most 16 MB" if read * 300_000 <= 16 << 20 else f"{read * 300_000 >> 20} MB", read + left]


# Transactions


@probe("a transaction with two actions on one item", refused(), _api("TransactWriteItems"))
def _(b: Bench) -> Any:
    return b.transact(b.action("Put"), b.action("Delete"))


one("a transaction of 101 actions", refused(), _api("TransactWriteItems"),
    lambda b: b.transact(*(b.action("Put", str(number)) for number in range(101))))
one("a transaction of 101 reads", refused(), _api("TransactGetItems"),
    lambda b: b.send("transact_get_items", TransactItems=[{"Get": {"TableName": TABLE, "Key": b.key(str(number))}} for number in range(101)]))


@probe("a cancelled transaction says why, action by action", ["None", "ConditionalCheckFailed"], _api("TransactWriteItems"))
def _(b: Bench) -> Any:
    return reasons(lambda: b.transact(b.action("Put", "1"), b.action("ConditionCheck", "2", ConditionExpression="attribute_exists(pk)")))


@probe("a cancelled transaction writes nothing", None, TRANSACTIONS)
def _(b: Bench) -> Any:
    reasons(lambda: b.transact(b.action("Put", "1"), b.action("ConditionCheck", "2", ConditionExpression="attribute_exists(pk)")))
    return b.get("1")


@probe("a cancelled transaction returns the item that is there", {"N": "7"}, _api("TransactWriteItems"))
def _(b: Bench) -> Any:
    b.put(n=7)
    check = b.action("ConditionCheck", ConditionExpression="attribute_not_exists(pk)", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    return old_item(lambda: b.transact(check))


@probe("a transaction of reads answers in order, with nothing for what does not exist", [True, False, True], _api("TransactGetItems"))
def _(b: Bench) -> Any:
    b.put("1")
    b.put("3")
    reads = [{"Get": {"TableName": TABLE, "Key": b.key(sk)}} for sk in ("1", "2", "3")]
    return ["Item" in response for response in b.send("transact_get_items", TransactItems=reads)["Responses"]]


def _count(b: Bench, **bound: int) -> dict[str, Any]:
    given = {f":{name}": value(number) for name, number in bound.items()}
    return b.action("Update", UpdateExpression="ADD n :one SET m = :two", ExpressionAttributeValues=given)


@probe("a transaction repeated with its token is applied once", {"n": "1", "m": "2"}, _api("TransactWriteItems"))
def _(b: Bench) -> Any:
    for _ in range(2):
        b.transact(_count(b, one=1, two=2), ClientRequestToken=b.token())
    return dict(sorted(b.get().items(), reverse=True))


@probe("a token with another transaction", refused("IdempotentParameterMismatchException"), _api("TransactWriteItems"))
def _(b: Bench) -> Any:
    b.transact(_count(b, one=1, two=2), ClientRequestToken=b.token())
    return b.transact(_count(b, one=1, two=3), ClientRequestToken=b.token())


@probe("a token with the same transaction, its members in another order", "applied once",
       _report("https://github.com/localstack/localstack/issues/6529"))
def _(b: Bench) -> Any:
    b.transact(_count(b, one=1, two=2), ClientRequestToken=b.token())
    turned = _count(b, two=2, one=1)
    turned["Update"] = dict(reversed(turned["Update"].items()))
    b.transact(turned, ClientRequestToken=b.token())
    return "applied once" if b.get()["n"] == "1" else "applied twice"


one("a token of 37 characters", refused(), _api("TransactWriteItems"), lambda b: b.transact(b.action("Put"), ClientRequestToken="t" * 37))
one("an update in a transaction with SET and REMOVE of the same attribute", refused(), _report("https://github.com/getmoto/moto/issues/8582"),
    lambda b: b.transact(b.action("Update", UpdateExpression="SET a = :a REMOVE a", ExpressionAttributeValues={":a": value(1)})))

# At once


@probe(f"of {AT_ONCE} puts at once that want to be first, one succeeds", 1, WRITES)
def _(b: Bench) -> Any:
    return b.at_once(lambda _: b.put(more={"ConditionExpression": "attribute_not_exists(pk)"})).count("done")


@probe(f"of {AT_ONCE} updates at once of one version, one succeeds", 1, CONDITIONS)
def _(b: Bench) -> Any:
    b.put(v=1)
    return b.at_once(lambda number: b.update("SET v = :new", more={"ConditionExpression": "v = :old"}, old=1, new=number + 2)).count("done")


@probe(f"{AT_ONCE} additions at once are all counted", str(AT_ONCE), WRITES)
def _(b: Bench) -> Any:
    b.at_once(lambda _: b.update("ADD n :one", one=1))
    return b.get()["n"]


@probe(f"{AT_ONCE} transactions at once with one token are applied once", "1", _api("TransactWriteItems"))
def _(b: Bench) -> Any:
    # AWS may answer some with TransactionInProgressException.
    b.at_once(lambda _: b.transact(_count(b, one=1, two=2), ClientRequestToken=b.token()))
    return b.get()["n"]


@probe(f"of {AT_ONCE} transactions at once that want to be first, one succeeds", 1, TRANSACTIONS)
def _(b: Bench) -> Any:
    first = b.action("Put", ConditionExpression="attribute_not_exists(pk)")
    return b.at_once(lambda _: b.transact(first)).count("done")


# Streams


def _kinds(b: Bench) -> list[str]:
    b.put("end")
    return [f"{record['eventName']} {record['Keys']['sk']['S']}" for record in b.events("end")]


@probe("the stream has each change of an item, in order", ["INSERT 1", "MODIFY 1", "REMOVE 1", "INSERT end"], STREAMS)
def _(b: Bench) -> Any:
    b = b.on(STREAMED)
    b.put(a=1)
    b.update("SET a = :a", a=2)
    b.send("delete_item", TableName=STREAMED, Key=b.key())
    return _kinds(b)


@probe("an update that changes nothing makes no record", ["INSERT 1", "INSERT end"], STREAMS)
def _(b: Bench) -> Any:
    b = b.on(STREAMED)
    b.put(a=1)
    b.update("SET a = :a", a=1)
    return _kinds(b)


@probe("a put of an equal item makes no record", ["INSERT 1", "INSERT end"], STREAMS)
def _(b: Bench) -> Any:
    b = b.on(STREAMED)
    b.put(a=1)
    b.put(a=1)
    return _kinds(b)


@probe("a refused write makes no record", ["INSERT end"], STREAMS)
def _(b: Bench) -> Any:
    b = b.on(STREAMED)
    reasons(lambda: b.put(more={"ConditionExpression": "attribute_exists(pk)"}))
    return _kinds(b)


@probe("a record has the item before and after", [[None, "1"], ["1", "2"], ["2", None]], STREAMS)
def _(b: Bench) -> Any:
    b = b.on(STREAMED)
    b.put(a=1)
    b.update("SET a = :a", a=2)
    b.send("delete_item", TableName=STREAMED, Key=b.key())
    b.put("end")

    def at(record: dict[str, Any], image: str) -> Any:
        return record[image]["a"]["N"] if image in record else None
    return [[at(record, "OldImage"), at(record, "NewImage")] for record in b.events("end")[:-1]]


@probe("a transaction's writes are all in the stream", ["INSERT 1", "INSERT 2"], STREAMS)
def _(b: Bench) -> Any:
    b = b.on(STREAMED)
    b.transact(b.action("Put", "1"), b.action("Put", "2"))
    return sorted(_kinds(b))[:2]


# Tables


@probe("TTL that is enabled twice", refused(), _api("UpdateTimeToLive"))
def _(b: Bench) -> Any:
    wanted = {"TableName": NUMBERS, "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "ttl"}}
    b.send("update_time_to_live", **wanted)
    return b.send("update_time_to_live", **wanted)


@probe("TTL is described with its attribute", "ttl", _api("DescribeTimeToLive"))
def _(b: Bench) -> Any:
    return b.send("describe_time_to_live", **NUMBER_TABLE)["TimeToLiveDescription"]["AttributeName"]


def _create(b: Bench, name: str, *more: str) -> Any:
    definitions = [{"AttributeName": each, "AttributeType": "S"} for each in ("pk", *more)]
    return b.send("create_table", TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
                  AttributeDefinitions=definitions)


one("a table that exists already", refused("ResourceInUseException"), _api("CreateTable"), lambda b: _create(b, TABLE))
one("a table's name of two characters", refused(), CONSTRAINTS, lambda b: _create(b, "ab"))
one("a delete of a table that does not exist", refused("ResourceNotFoundException"), _api("DeleteTable"),
    lambda b: b.send("delete_table", TableName="no-such-table"))

# Capacity


@probe("the capacity of reads: half for an eventually consistent one", [0.5, 1.0], CAPACITY)
def _(b: Bench) -> Any:
    b.put()
    return [b.send("get_item", TableName=TABLE, Key=b.key(), ConsistentRead=strongly, ReturnConsumedCapacity="TOTAL")
            ["ConsumedCapacity"]["CapacityUnits"] for strongly in (False, True)]


@probe("the capacity of a write of 2.5 KB", 3.0, CAPACITY)
def _(b: Bench) -> Any:
    return b.put(more={"ReturnConsumedCapacity": "TOTAL"}, a="x" * 2_500)["ConsumedCapacity"]["CapacityUnits"]


@probe("the capacity of a write in a transaction is twice that of a write", 2.0, CAPACITY)
def _(b: Bench) -> Any:
    return b.transact(b.action("Put"), ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"][0]["CapacityUnits"]
