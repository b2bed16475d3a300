"""`holdfast cost --users … --sockets … --pushes …`: what a month costs, component by component, from scripts/prices.json, and at how
many validations a cache pays."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from holdfast_cli.capacity import units
from holdfast_cli.core import tfvars
from holdfast_cli.core.console import answer, line, wants_json
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import ROOT, Settings
from holdfast_cli.core.tfvars import Values
from holdfast_cli.deploy import environments

FILE = ROOT / "scripts" / "prices.json"
DAYS, HOURS = 30, 730

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


def lambdas(assume: Assumptions, count: float, milliseconds: float, megabytes: float | None = None) -> dict[str, float]:
    """Prices of invocations: the request, the time, the log lines."""
    return {"lambda_request": count, "lambda_gb_second": count * milliseconds / 1000 * (megabytes or assume["lambda_mb"]) / 1024,
            "logs_gb": count * assume["log_bytes"] / 1e9}


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


def month(prices: Prices, assume: Assumptions, users: int, sockets: int, pushes: int, cache: str, own_key: bool = False,
          names: Names = NO_NAMES) -> tuple[Bill, float]:
    """The bill of a month: `users` active every day, `sockets` open at once, `pushes` messages a month."""
    bill = Bill(prices)
    validations = users * assume["requests_per_user"] * DAYS
    sign_ins = users * assume["sign_ins_per_user"] * DAYS
    refreshes = users * assume["refreshes_per_user"] * DAYS
    socket_hours = sockets * assume["socket_hours"] * DAYS
    # A socket is ended after two hours: one ticket, one connect, one disconnect each time.
    handshakes = socket_hours / 2
    pings = socket_hours * assume["pings_per_socket_hour"]
    posts = pushes * assume["sockets_per_push"]
    http = validations + sign_ins + refreshes + handshakes

    bill.add("HTTP API", f"{http:,.0f} requests", http_api_request=http)
    if names.zones:
        bill.add("Domain names", f"{names.zones} hosted zones; certificates cost nothing", hosted_zone=names.zones)
    if names.has_edge:
        bill.add("Edge: CloudFront", f"{http:,.0f} requests", cloudfront_request=http)
        rules = assume["web_acl_rules"]
        bill.add("Edge: WAF", f"a web ACL with {rules} rules", web_acl=1, web_acl_rule=rules, web_acl_request=http)
    bill.add("Lambda: requests", f"{validations + refreshes:,.0f} invocations", **lambdas(assume, validations + refreshes, assume["lambda_ms"]))
    bill.add("Lambda: sign-in", f"{sign_ins:,.0f} invocations", **lambdas(assume, sign_ins, assume["lambda_sign_in_ms"]))
    misses = validations if cache == "dynamodb" else validations * (100 - assume["cache_hit_percent"]) / 100
    bill.add("DynamoDB: validations", f"{misses:,.0f} strong reads", dynamodb_read=misses)
    # Reads: account, slots, sign-in, budgets. Writes: budgets, and a transaction of three items at twice the price.
    bill.add("DynamoDB: sign-in, refresh", f"{sign_ins + refreshes:,.0f}", dynamodb_read=sign_ins * 6 + refreshes,
             dynamodb_write=sign_ins * (4 + 3 * 2) + refreshes)
    bill.add("DynamoDB: storage", f"{users:,} accounts", dynamodb_storage_gb=users / 1e6 * assume["gb_per_million_users"])
    bill.add("WebSocket: minutes", f"{socket_hours * 60:,.0f} minutes", websocket_minute=socket_hours * 60)
    bill.add("WebSocket: messages", f"{2 * pings + posts:,.0f} messages", websocket_message=2 * pings + posts)
    work = pings + 4 * handshakes
    bill.add("Lambda: sockets", f"{work:,.0f} invocations", **lambdas(assume, work, assume["lambda_ms"]))
    bill.add("DynamoDB: sockets", f"{handshakes:,.0f} connections, {pings:,.0f} pings",
             dynamodb_read=units.HANDSHAKE["reads"] * handshakes + units.PING["reads"] * pings,
             dynamodb_write=units.HANDSHAKE["writes"] * handshakes + units.PING["writes"] * pings)
    # Published, sent, received, deleted; the message and its offset in one transaction; two functions.
    fan_out = lambdas(assume, pushes, assume["fanout_ms"], assume["fanout_mb"])
    bill.add("Push", f"{pushes:,.0f} messages", sqs_request=3 * pushes, dynamodb_write=2 * 2 * pushes, dynamodb_read=posts,
             **{name: count + fan_out[name] for name, count in lambdas(assume, pushes, assume["lambda_ms"]).items()})
    events = 3 * sign_ins
    bill.add("Events", f"{events:,.0f}", eventbridge_event=events, **lambdas(assume, events, assume["lambda_ms"]))
    traced = traces(assume, validations, refreshes, sign_ins, pings, *[handshakes] * 4, pushes, pushes, events)
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
    bill, validations = month(found["prices"], assume, users, sockets, pushes, cache, own_key, names)
    other = "redis" if cache == "dynamodb" else "dynamodb"
    against = month(found["prices"], assume, users, sockets, pushes, other, own_key, names)[0].total()
    if wants_json():
        answer({
            "region": found["region"], "pricesOf": found["date"], "activeUsers": users, "sockets": sockets, "pushes": pushes, "cache": cache,
            "components": [{"name": name, "what": what, "usd": round(usd, 4), "hasUnsourcedPrice": unsure} for name, what, usd, unsure in bill.rows],
            "usdPerMonth": round(bill.total(), 2), "other": {"cache": other, "usdPerMonth": round(against, 2)},
            "cachePaysAboveValidations": break_even(found["prices"], assume), "validations": validations})
        return
    if settings.is_local:
        line("ENV=local costs nothing. On AWS the same would cost:\n")
    line(f"A month in {found['region']} ({found['date']} prices, no free tier): {users:,} active users, {sockets:,} sockets, {pushes:,} pushes, "
         f"cache {cache}\n")
    for component, what, usd, unsure in bill.rows:
        line(f"  {component:27} {usd:12,.2f} ${'*' if unsure else ' '}  {what}")
    line(f"  {'all':27} {bill.total():12,.2f} $")
    if any(row[3] for row in bill.rows):
        line("  * with a price whose source is not verified")
    line(f"\nWith CACHE={other}: {against:,.2f} $ ({against - bill.total():+,.2f} $).")
    pays = break_even(found["prices"], assume) or float("inf")
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
