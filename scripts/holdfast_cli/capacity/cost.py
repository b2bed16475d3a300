"""`holdfast cost --users … --sockets … --pushes …`: what a month costs, component by component, from scripts/prices.json, and at how
many validations a cache pays."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple, cast

from holdfast_cli.capacity import units
from holdfast_cli.core import tfvars
from holdfast_cli.core.console import answer, line, wants_json
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.core.tfvars import Values
from holdfast_cli.deploy import environments

FILE = ROOT / "scripts" / "prices.json"
DAYS, HOURS = 30, 730
PROVIDERS = ("dynamodb", "redis")
# What a unit on demand costs, and an hour of it.
CAPACITY = {"dynamodb_read": "dynamodb_read_hour", "dynamodb_write": "dynamodb_write_hour"}

Prices = dict[str, dict[str, Any]]
Assumptions = dict[str, Any]


class Bill:
    """Components and what they cost, in the order they were added."""

    def __init__(self, prices: Prices) -> None:
        self.prices: dict[str, float] = {name: entry["usd"] for name, entry in prices.items()}
        # Component, what of it, US dollars, whether one of its prices has no source.
        self.rows: list[tuple[str, str, float, bool]] = []
        self.unsure = {name for name, entry in prices.items() if unsourced(entry)}

    def add(self, component: str, what: str, **counts: float) -> float:
        usd = sum(self.prices[name] * count for name, count in counts.items())
        self.rows.append((component, what, usd, bool(self.unsure & set(counts))))
        return usd

    def total(self) -> float:
        return sum(row[2] for row in self.rows)


def unsourced(entry: dict[str, Any]) -> bool:
    """Whether a price has no verified source."""
    return "from memory" in entry["source"]


def load() -> tuple[dict[str, Any], Assumptions]:
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return found, {name: entry["value"] for name, entry in found["assumptions"].items()}


def provisioned(prices: Prices, assume: Assumptions) -> Prices:
    """The prices with provisioned capacity: a unit costs its part of an hour, and a part of all units is not used."""
    used = 3600 * assume["provisioned_percent"] / 100
    return {**prices, **{unit: {**prices[hour], "usd": prices[hour]["usd"] / used} for unit, hour in CAPACITY.items()}}


# The tables of users and sockets, and how many things of each have a capacity of their own: a table and its indexes.
_SCALED = {"sessions": 1, "connections": 2}


def least_capacity(values: Values) -> tuple[float, float] | None:
    """The read and write units that are always provisioned, if both tables have provisioned capacity (`table_capacity` in the environment's file)."""
    found = values.get("table_capacity")
    capacity = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    if not all(capacity.get(name) for name in _SCALED):
        return None
    reads, writes = (sum(float(capacity[name][kind]["min"]) * parts for name, parts in _SCALED.items()) for kind in ("read", "write"))
    return reads, writes


def lambdas(assume: Assumptions, count: float, milliseconds: float, megabytes: float | None = None) -> dict[str, float]:
    """Prices of invocations: the request and the time."""
    return {"lambda_request": count, "lambda_gb_second": count * milliseconds / 1000 * (megabytes or assume["lambda_mb"]) / 1024}


def logged(count: float, what: str) -> dict[str, float]:
    """The price of the lines that so many of one thing log."""
    return {"logs_gb": count * units.LOG_BYTES[what] / 1e9}


def functions_of_handshakes(assume: Assumptions, handshakes: float) -> dict[str, float]:
    return lambdas(assume, units.HANDSHAKE_INVOCATIONS * handshakes, assume["lambda_ms"]) | logged(handshakes, "handshake")


class Names(NamedTuple):
    """Hosted zones with domain names of the environment, and whether an edge is in front of them."""

    zones: int = 0
    has_edge: bool = False


NO_NAMES = Names()


def names_of(values: Values) -> Names:
    domains: list[dict[str, Any]] = [values.get(name) or {} for name in ("http_domain", "websocket_domain")]
    zones = {domain["hosted_zone_id"] for domain in domains if domain.get("hosted_zone_id")}
    return Names(len(zones), isinstance(values.get("edge"), dict))


def traces(assume: Assumptions, *counts: float) -> float:
    """Traces of functions that are invoked so often a month: the first invocation of each second, and a share of the others."""
    seconds = DAYS * 86_400
    return sum(min(count, seconds) + max(0, count - seconds) * assume["trace_percent"] / 100 for count in counts)


def watching(assume: Assumptions, cache: str, busy: bool) -> dict[str, int]:
    """Counts of what watches an environment: alarms, dashboards, metrics of our own. Those are sent by functions that run."""
    redis = cache == "redis"
    metrics = assume["custom_metrics"] + (assume["custom_metrics_redis"] if redis else 0) if busy else 0
    return {"alarm": assume["alarm_metrics"] + (assume["alarm_metrics_redis"] if redis else 0), "composite_alarm": assume["composite_alarms"],
            "dashboard": assume["dashboards"], "custom_metric": metrics + (assume["cache_status_metrics"] if redis else 0)}


class Heartbeats(NamedTuple):
    """Frames a month that carry nothing: those that keep sockets open, and those that ask whether anything is missing."""

    keep_alives: float
    pings: float


def heartbeats(assume: Assumptions, socket_hours: float, handshakes: float, posts: float) -> Heartbeats:
    """A client sends a keep-alive after a silence, and anything else that goes over the socket begins the silence anew. Things that come at
    random, `rate` an hour, leave `rate` ÷ (e^(rate × silence) − 1) silences of that length an hour."""
    def silences(rate: float, hours: float) -> float:
        return rate / math.expm1(rate * hours) if rate else 1 / hours

    if not socket_hours:
        return Heartbeats(0, 0)
    woken = assume["wakes_per_socket_hour"]
    heard = (handshakes + posts) / socket_hours + woken
    keep_alives = silences(heard, assume["keep_alive_seconds"] / 3600)
    return Heartbeats(keep_alives * socket_hours, woken * socket_hours)


def heartbeat_prices(assume: Assumptions, beats: Heartbeats) -> dict[str, float]:
    """Prices of heartbeats: messages, and for pings a function and what it reads and writes."""
    messages = units.KEEP_ALIVE_REQUESTS * beats.keep_alives + units.PING_REQUESTS * beats.pings
    return {"websocket_message": messages, "dynamodb_read": units.PING["reads"] * beats.pings, "dynamodb_write": units.PING["writes"] * beats.pings,
            **lambdas(assume, beats.pings, assume["lambda_ms"]), **logged(beats.pings, "ping")}


def push_prices(assume: Assumptions, pushes: float) -> dict[str, float]:
    """Prices of accepted messages: two functions, the queue, the channel, and the sockets that they are posted to, without the posts."""
    posts = pushes * assume["sockets_per_push"]
    past = posts * assume["past_expiry_percent"] / 100
    accepted, delivered = lambdas(assume, pushes, assume["lambda_ms"]), lambdas(assume, pushes, assume["fanout_ms"], assume["fanout_mb"])
    return {"sqs_request": units.PUSH_QUEUE_REQUESTS * pushes, **{name: count + delivered[name] for name, count in accepted.items()},
            **logged(pushes, "push"),
            "dynamodb_read": units.PUSH["reads"] * pushes + units.EXPIRED_POST["reads"] * past,
            "dynamodb_write": units.PUSH["writes"] * pushes + units.EXPIRED_POST["writes"] * past}


def month(prices: Prices, assume: Assumptions, users: int, sockets: int, pushes: int, cache: str, own_key: bool = False,
          names: Names = NO_NAMES, least: tuple[float, float] | None = None) -> tuple[Bill, float]:
    """The bill of a month: `users` active every day, `sockets` open at once, `pushes` messages a month. The tables are on demand, or have
    provisioned capacity with these `least` read and write units."""
    bill = Bill(provisioned(prices, assume) if least else prices)
    validations = users * assume["requests_per_user"] * DAYS
    sign_ins = users * assume["sign_ins_per_user"] * DAYS
    refreshes = users * assume["refreshes_per_user"] * DAYS
    socket_hours = sockets * assume["socket_hours"] * DAYS
    # The client renews a socket before API Gateway ends it: one ticket, one connect, one disconnect each time.
    handshakes = socket_hours * 3600 / assume["socket_seconds"]
    posts = pushes * assume["sockets_per_push"]
    beats = heartbeats(assume, socket_hours, handshakes, posts)
    http = validations + sign_ins + refreshes + handshakes

    bill.add("HTTP API", f"{http:,.0f} requests", http_api_request=http)
    if names.zones:
        bill.add("Domain names", f"{names.zones} hosted zones; certificates cost nothing", hosted_zone=names.zones)
    if names.has_edge:
        bill.add("Edge: CloudFront", f"{http:,.0f} requests", cloudfront_request=http)
        rules = assume["web_acl_rules"]
        bill.add("Edge: WAF", f"a web ACL with {rules} rules", web_acl=1, web_acl_rule=rules, web_acl_request=http)
    lines = validations * units.LOG_BYTES["validation"] + refreshes * units.LOG_BYTES["refresh"]
    bill.add("Lambda: requests", f"{validations + refreshes:,.0f} invocations", logs_gb=lines / 1e9,
             **lambdas(assume, validations + refreshes, assume["lambda_ms"]))
    bill.add("Lambda: sign-in", f"{sign_ins:,.0f} invocations", **lambdas(assume, sign_ins, assume["lambda_sign_in_ms"]),
             **logged(sign_ins, "sign-in"))
    misses = validations if cache == "dynamodb" else validations * (100 - assume["cache_hit_percent"]) / 100
    bill.add("DynamoDB: validations", f"{misses:,.0f} strong reads", dynamodb_read=misses)
    bill.add("DynamoDB: sign-in, refresh", f"{sign_ins + refreshes:,.0f}",
             dynamodb_read=sign_ins * units.SIGN_IN["reads"] + refreshes * units.REFRESH["reads"],
             dynamodb_write=sign_ins * units.SIGN_IN["writes"] + refreshes * units.REFRESH["writes"])
    if least:
        reads, writes = least
        bill.add("DynamoDB: minimum", f"{reads:,.0f} read units, {writes:,.0f} write units, as if unused",
                 dynamodb_read_hour=reads * HOURS, dynamodb_write_hour=writes * HOURS)
    bill.add("DynamoDB: storage", f"{users:,} accounts", dynamodb_storage_gb=users / 1e6 * assume["gb_per_million_users"])
    bill.add("WebSocket: minutes", f"{socket_hours * 60:,.0f} minutes", websocket_minute=socket_hours * 60)
    greetings = units.HANDSHAKE_MESSAGES * handshakes
    bill.add("WebSocket: messages", f"{posts:,.0f} posts, {greetings:,.0f} when sockets open", websocket_message=posts + greetings)
    bill.add("Heartbeats", f"{beats.keep_alives:,.0f} keep-alives, {beats.pings:,.0f} pings", **heartbeat_prices(assume, beats))
    bill.add("Lambda: sockets", f"{units.HANDSHAKE_INVOCATIONS * handshakes:,.0f} invocations", **functions_of_handshakes(assume, handshakes))
    bill.add("DynamoDB: sockets", f"{handshakes:,.0f} connections", dynamodb_read=units.HANDSHAKE["reads"] * handshakes,
             dynamodb_write=units.HANDSHAKE["writes"] * handshakes)
    bill.add("Push", f"{pushes:,.0f} messages", **push_prices(assume, pushes))
    events = 3 * sign_ins
    bill.add("Events", f"{events:,.0f}", eventbridge_event=events, **lambdas(assume, events, assume["lambda_ms"]), **logged(events, "event"))
    traced = traces(assume, validations, refreshes, sign_ins, beats.pings, *[handshakes] * units.HANDSHAKE_INVOCATIONS, pushes, pushes, events)
    bill.add("X-Ray", f"{traced:,.0f} traces", xray_trace=traced)
    watched = watching(assume, cache, bool(users or sockets or pushes))
    bill.add("Alarms", f"{watched['alarm']} metrics, {watched['composite_alarm']} composite", alarm=watched["alarm"],
             composite_alarm=watched["composite_alarm"])
    bill.add("Dashboards", f"{watched['dashboard']}", dashboard=watched["dashboard"])
    bill.add("Metrics of our own", f"{watched['custom_metric']}", custom_metric=watched["custom_metric"])
    factors = sign_ins * assume["mfa_percent"] / 100
    bill.add("KMS: second factors", f"{factors:,.0f} sign-ins", kms_key=1, kms_request=factors * assume["kms_requests_per_factor"])
    if own_key:
        bill.add("KMS: data at rest", "without requests to it", kms_key=1)
    if cache == "redis":
        bill.add("VPC endpoint to KMS", f"{assume['endpoint_zones']} zones", endpoint_hour=assume["endpoint_zones"] * HOURS)
        bill.add("Cache: Valkey Serverless", cache_size(assume, users),
                 valkey_serverless_gb_hour=max(0.1, users * assume["cache_bytes_per_user"] / 1e9) * HOURS,
                 # Every validation asks; a miss fills; a change deletes.
                 valkey_ecpu=(validations + misses + sign_ins + refreshes) * assume["cache_commands"])
    return bill, validations


# The minimum of provisioned capacity is part of them, because sockets and messages need most of the capacity.
SOCKET_ROWS = ("DynamoDB: minimum", "WebSocket: minutes", "WebSocket: messages", "Heartbeats", "Lambda: sockets", "DynamoDB: sockets", "Push")

# What the same load costs besides, and the total leaves out: requests for tickets, and traces.
BESIDES = ("HTTP API", "X-Ray")


def of_sockets(bill: Bill) -> tuple[float, float]:
    """The cost of sockets and push together, and the part of it that is heartbeats."""
    rows = {name: usd for name, _, usd, _ in bill.rows}
    return sum(rows.get(name, 0) for name in SOCKET_ROWS), rows["Heartbeats"]


def per_million(prices: Prices, assume: Assumptions, cache: str) -> list[tuple[str, float]]:
    """The price of a million of each thing that an application does: its requests, functions, traces, reads and writes."""
    def price(**counts: float) -> float:
        return sum(prices[name]["usd"] * count * 1e6 for name, count in counts.items())

    def call(what: str, milliseconds: float, **counts: float) -> float:
        return price(http_api_request=1, **lambdas(assume, 1, milliseconds), **logged(1, what), xray_trace=traced, **counts)

    traced = assume["trace_percent"] / 100
    ecpu = assume["cache_commands"] if cache == "redis" else 0
    miss = (100 - assume["cache_hit_percent"]) / 100 if cache == "redis" else 1
    event = price(eventbridge_event=1, **lambdas(assume, 1, assume["lambda_ms"]), **logged(1, "event"), xray_trace=traced)
    # A push: the publisher's request, two functions, and the posts.
    push = push_prices(assume, 1)
    return [
        # A miss is filled, and asks twice.
        ("validations", call("validation", assume["lambda_ms"], dynamodb_read=miss, valkey_ecpu=ecpu * (1 + miss))),
        ("sign-ins", 3 * event + call("sign-in", assume["lambda_sign_in_ms"], dynamodb_read=units.SIGN_IN["reads"],
                                      dynamodb_write=units.SIGN_IN["writes"], valkey_ecpu=ecpu)),
        ("refreshes", call("refresh", assume["lambda_ms"], dynamodb_read=units.REFRESH["reads"],
                           dynamodb_write=units.REFRESH["writes"], valkey_ecpu=ecpu)),
        ("pushes", price(http_api_request=1, websocket_message=assume["sockets_per_push"], xray_trace=2 * traced, **push)),
        ("socket hours", price(websocket_minute=60) + _socket_hour(prices, assume)),
    ]


def _socket_hour(prices: Prices, assume: Assumptions) -> float:
    """A million hours of sockets that nothing is posted to, without their minutes: handshakes with their tickets, and heartbeats."""
    handshakes = 3600 / assume["socket_seconds"]
    counts = functions_of_handshakes(assume, handshakes)
    counts |= {"http_api_request": handshakes, "websocket_message": units.HANDSHAKE_MESSAGES * handshakes,
               "dynamodb_read": units.HANDSHAKE["reads"] * handshakes,
               "dynamodb_write": units.HANDSHAKE["writes"] * handshakes}
    beats = heartbeats(assume, 1, handshakes, 0)
    counts["xray_trace"] = (units.HANDSHAKE_INVOCATIONS * handshakes + beats.pings) * assume["trace_percent"] / 100
    return sum(prices[name]["usd"] * count * 1e6 for more in (counts, heartbeat_prices(assume, beats)) for name, count in more.items())


# What other systems state their prices for: sockets that are open 8 hours a day, with 10 messages a day each.
LOAD = {"users": 0, "sockets": 100_000, "pushes": 100_000 * 10 * DAYS}


def markdown() -> str:
    """The tables of docs/costs.md."""
    found, assume = load()
    prices: Prices = found["prices"]
    lines = ["| a million | without a cache | with a cache |", "|---|---:|---:|"]
    lines += [f"| {name} | ${usd:,.2f} | ${cached:,.2f} |" for (name, usd), (_, cached) in
              zip(*(per_million(prices, assume, provider) for provider in PROVIDERS), strict=True)]
    taken = {"a validation without a cache": {"reads": 1, "writes": 0}, "a sign-in": units.SIGN_IN, "a refresh": units.REFRESH,
             "a push": units.PUSH, "a push with an idempotency key": units.KEYED_PUSH, "a socket, from its ticket to its end": units.HANDSHAKE,
             "a ping": units.PING}
    lines += ["", "| one | read units | write units |", "|---|---:|---:|"]
    lines += [f"| {name} | {of['reads']} | {of['writes']} |" for name, of in taken.items()]
    least = (assume["provisioned_minimum"], assume["provisioned_minimum"])

    def bill_of(capacity: tuple[float, float] | None, **changed: float) -> Bill:
        return month(prices, {**assume, **changed}, LOAD["users"], LOAD["sockets"], LOAD["pushes"], "dynamodb", least=capacity)[0]

    bills = [bill_of(None), bill_of(least)]
    totals = [of_sockets(bill)[0] for bill in bills]
    usd_of = [{name: usd for name, _, usd, _ in bill.rows} for bill in bills]
    what = f"{LOAD['sockets']:,} sockets, open for {assume['socket_hours']} hours a day, and {LOAD['pushes']:,} pushes"
    lines += ["", f"| {what} | on demand | part | provisioned | part |", "|---|---:|---:|---:|---:|"]
    for name, what, _, _ in bills[1].rows:
        if name in SOCKET_ROWS:
            each = [f"${usd.get(name, 0):,.2f} | {100 * usd.get(name, 0) / total:.0f} %" for usd, total in zip(usd_of, totals, strict=True)]
            lines.append(f"| {name} ({what}) | {' | '.join(each)} |")
    lines.append(f"| **all of these** | **${totals[0]:,.2f}** | | **${totals[1]:,.2f}** | |")
    lines += [f"| the same, if {part} of 100 provisioned units are used | | | ${of_sockets(bill_of(least, provisioned_percent=part))[0]:,.2f} | |"
              for part in (70, 50, 40)]
    lines += [f"| not in it: {name} ({what}) | ${usd:,.2f} | | ${usd:,.2f} | |" for name, what, usd, _ in bills[1].rows if name in BESIDES]
    return "\n".join(lines)


def cache_size(assume: Assumptions, users: int) -> str:
    return f"{max(0.1, users * assume['cache_bytes_per_user'] / 1e9):.1f} GB"


def break_even(prices: Prices, assume: Assumptions, gigabytes: float = 0.1) -> float | None:
    """Validations a month above which the cache costs less than the reads it saves; None if it never does."""
    usd = {name: entry["usd"] for name, entry in prices.items()}
    saved = usd["dynamodb_read"] * assume["cache_hit_percent"] / 100 - usd["valkey_ecpu"] * assume["cache_commands"]
    return floor(prices, assume, gigabytes) / saved if saved > 0 else None


def floor(prices: Prices, assume: Assumptions, gigabytes: float = 0.1) -> float:
    """The cost of an unused cache a month: its memory, the endpoint that its network needs, and its monitoring."""
    with_it, without = (watching(assume, cache, True) for cache in ("redis", "dynamodb"))
    watched = sum(prices[name]["usd"] * (with_it[name] - without[name]) for name in with_it)
    endpoint = prices["endpoint_hour"]["usd"] * assume["endpoint_zones"] * HOURS
    return prices["valkey_serverless_gb_hour"]["usd"] * gigabytes * HOURS + endpoint + watched


def number(name: str, given: str, default: int) -> int:
    text = (given or str(default)).replace("_", "").replace(",", "")
    if not text.isdigit():
        raise Refused(f"{name}={text}: a whole number is needed.")
    return int(text)


def cost(settings: Settings, users: str = "", sockets: str = "", pushes: str = "") -> None:
    show(settings, number("USERS", users, 10_000), number("SOCKETS", sockets, 1_000), number("PUSHES", pushes, 1_000_000))


def show(settings: Settings, users: int, sockets: int, pushes: int) -> None:
    found, assume = load()
    values = {} if settings.is_local else environments.values(settings)
    cache = settings.cache if settings.cache_chosen else tfvars.string(values.get("cache_provider"))
    cache = cache or "dynamodb"
    own_key = (settings.variables.get("kms_mode") or tfvars.string(values.get("kms_mode"))) == "cmk"
    names = names_of(values)
    least = least_capacity(values)
    capacity = "provisioned" if least else "on demand"
    bill, validations = month(found["prices"], assume, users, sockets, pushes, cache, own_key, names, least)
    other = "redis" if cache == "dynamodb" else "dynamodb"
    against = month(found["prices"], assume, users, sockets, pushes, other, own_key, names, least)[0].total()
    reckoned: Prices = provisioned(found["prices"], assume) if least else found["prices"]
    sockets_usd, beats_usd = of_sockets(bill)
    if wants_json():
        answer({
            "region": found["region"], "pricesOf": found["date"], "activeUsers": users, "sockets": sockets, "pushes": pushes, "cache": cache,
            "capacity": capacity,
            "components": [{"name": name, "what": what, "usd": round(usd, 4), "hasUnsourcedPrice": unsure} for name, what, usd, unsure in bill.rows],
            "socketsAndPush": {"usdPerMonth": round(sockets_usd, 2), "heartbeatsUsdPerMonth": round(beats_usd, 2)},
            "usdPerMillion": {provider: {name: round(usd, 3) for name, usd in per_million(reckoned, assume, provider)}
                              for provider in PROVIDERS},
            "usdPerMonth": round(bill.total(), 2), "other": {"cache": other, "usdPerMonth": round(against, 2)},
            "cachePaysAboveValidations": break_even(reckoned, assume), "validations": validations})
        return
    if settings.is_local:
        line("ENV=local costs nothing. On AWS the same would cost:\n")
    line(f"A month in {found['region']} ({found['date']} prices, no free tier): {users:,} active users, {sockets:,} sockets, {pushes:,} pushes, "
         f"cache {cache}, tables {capacity}\n")
    for component, what, usd, unsure in bill.rows:
        line(f"  {component:27} {usd:12,.2f} ${'*' if unsure else ' '}  {what}")
    line(f"  {'all':27} {bill.total():12,.2f} $")
    if any(row[3] for row in bill.rows):
        line("  * with a price whose source is not verified")
    if sockets_usd:
        part = 100 * beats_usd / sockets_usd
        line(f"\nSockets and push are {sockets_usd:,.2f} $ of it. Heartbeats are {beats_usd:,.2f} $ of these ({part:.0f} %).")
    line("\nA million of each costs, with its requests, functions and traces (the cache itself has its price above):\n")
    line(f"  {'':14}" + "".join(f" {'CACHE=' + provider:>16}" for provider in PROVIDERS))
    for (name, usd), (_, cached) in zip(*(per_million(reckoned, assume, provider) for provider in PROVIDERS), strict=True):
        line(f"  {name:14} {usd:14,.2f} $ {cached:14,.2f} $")
    line(f"\nWith CACHE={other}: {against:,.2f} $ ({against - bill.total():+,.2f} $).")
    pays = break_even(reckoned, assume) or float("inf")
    each = assume["requests_per_user"] * DAYS
    line(f"Valkey Serverless, the network's endpoint to KMS, and what watches it, cost at least {floor(found['prices'], assume):.2f} $ a month "
         f"and pay above {pays / 1e6:,.0f} million validations a month: {pays / each:,.0f} users "
         f"of {each:,} requests (this is {validations / 1e6:,.1f} million). It needs no NAT gateway, which is "
         f"{found['prices']['nat_hour']['usd'] * HOURS:.2f} $ "
         "in each zone: what is in the VPC talks to the cache, to DynamoDB and to KMS only.")
    line(f"\nPrices (and what is assumed of users, memory, log lines) are in {FILE.relative_to(ROOT)}:")
    for entry in found["prices"].values():
        usd, times = (entry["usd"] * 1e6, "million × ") if entry["usd"] < 0.001 else (entry["usd"], "")
        line(f"  {usd:9.4g} $  {times}{entry['per']} ({entry['source']})")
