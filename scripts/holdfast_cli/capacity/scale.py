"""`holdfast scale --sockets … --within …` computes the quotas that a number of sockets needs. The figures of scripts/scale.json are
measured by this repository, read from its code, or quotas of AWS. docs/scale.md holds the result for a million sockets."""

from __future__ import annotations

import json
import math
from typing import Any

from holdfast_cli.capacity import units
from holdfast_cli.capacity.cost import number
from holdfast_cli.core.console import answer, line, wants_json
from holdfast_cli.core.errors import Refused
from holdfast_cli.core.settings import ROOT

FILE = ROOT / "scripts" / "scale.json"
DAY = 86_400

Figures = dict[str, Any]


def load() -> tuple[dict[str, dict[str, Any]], Figures]:
    found = json.loads(FILE.read_text(encoding="utf-8"))
    return found, {name: entry["value"] for group in found.values() for name, entry in group.items()}


def plan(have: Figures, sockets: int, seconds: int) -> dict[str, Any]:
    """Figures a second at the peak, for `sockets` open at once and a broadcast that is to reach all of them in `seconds`."""
    handshakes = sockets / have["socket_seconds"]
    # As if nothing else went over the sockets.
    pings, keep_alives = sockets * have["wakes_per_socket_hour"] / 3600, sockets / have["keep_alive_seconds"]
    requests = sockets * have["requests_per_user"] / DAY * have["peak"]
    broadcast = sockets / seconds
    direct = sockets * have["direct_per_user"] / DAY * have["peak"]
    # What is not posts of the budget: requests, frames with their answers, handshakes.
    rest = requests + pings * units.PING_REQUESTS + keep_alives * units.KEEP_ALIVE_REQUESTS + handshakes * units.HANDSHAKE_REQUESTS
    posts = have["broadcast_percent"] + have["direct_percent"] + have["recovery_percent"]
    needed = max(broadcast * 100 / have["broadcast_percent"], direct * 100 / have["direct_percent"], rest * 100 / (100 - posts),
                 keep_alives * 100 / have["keep_alive_percent"])
    workers = max(2, math.ceil(broadcast * have["post_milliseconds"] / 1000 / have["in_flight"]))
    running = (requests + pings + handshakes * units.HANDSHAKE_REQUESTS) * have["function_milliseconds"] / 1000
    entries = sockets / have["shards"] * have["entry_bytes"]
    return {
        "handshakes": handshakes, "pings": pings, "keep_alives": keep_alives, "requests": requests, "broadcast": broadcast, "direct": direct, "rest": rest,
        # Rounded up to what one would ask for.
        "needed": math.ceil(needed / 1000) * 1000, "workers": workers, "each": broadcast / workers, "running": math.ceil(running) + workers,
        "opening": sockets / have["new_sockets_per_second"],
        "by_default": sockets / (have["requests_per_second"] * have["broadcast_percent"] / 100),
        "recovery": sockets * 100 / (have["requests_per_second"] * have["recovery_percent"]),
        "chunks": math.ceil(sockets / have["recipients"]),
        # Half a unit for 4 KiB, eventually consistent.
        "resolve_units": entries / 8192 * have["shards"], "shard_units": entries / 8192,
        "reads": pings * units.PING["reads"] + handshakes * units.HANDSHAKE["reads"],
        "writes": pings * units.PING["writes"] + handshakes * units.HANDSHAKE["writes"],
        "opening_writes": have["new_sockets_per_second"] * units.HANDSHAKE["writes"],
        "gigabytes": sockets * (have["socket_bytes"] + have["entry_bytes"]) / 1e9,
    }


def n(value: float) -> str:
    """A whole number, its thousands apart."""
    return f"{value:,.0f}".replace(",", "\u00a0")


def rows(have: Figures, sockets: int, seconds: int) -> tuple[tuple[str, str, str], ...]:
    """(what, figure, how it is reckoned), in Markdown's words."""
    of = plan(have, sockets, seconds)
    count = n(sockets)
    return (
        ("opening all sockets", f"{n(of['opening'])} s", f"{count} ÷ {n(have['new_sockets_per_second'])} new sockets a second"),
        ("handshakes, permanently", f"{n(of['handshakes'])} a second", f"{count} ÷ {n(have['socket_seconds'])} s; {n(of['handshakes'] / have['new_sockets_per_second'] * 100)} % of that quota"),
        ("keep-alives", f"{n(of['keep_alives'])} a second", f"{count} ÷ {have['keep_alive_seconds']} s; 1 request each, and no function; {n(of['keep_alives'] * 100 / of['needed'])} % of the requests below, of {have['keep_alive_percent']} %"),
        ("pings", f"{n(of['pings'])} a second", f"{count} × {have['wakes_per_socket_hour']} an hour; each with its `pong` is 2 requests"),
        ("HTTP requests at the peak", f"{n(of['requests'])} a second", f"{have['requests_per_user']} a user and day × {have['peak']}"),
        ("direct messages at the peak", f"{n(of['direct'])} posts a second", f"{have['direct_per_user']} a user and day × {have['peak']}"),
        (f"a broadcast in {n(seconds)} s", f"{n(of['broadcast'])} posts a second", f"{count} ÷ {n(seconds)} s"),
        ("**requests that the account must grant**", f"**{n(of['needed'])} a second**",
         f"the largest of broadcast ÷ {have['broadcast_percent']} %, direct ÷ {have['direct_percent']} %, all others ({n(of['rest'])}) ÷ "
         f"{100 - have['broadcast_percent'] - have['direct_percent'] - have['recovery_percent']} %"),
        ("limit of each stage at that rate", f"{n(of['needed'] * have['stage_percent'] / 100)} a second",
         f"{have['stage_percent']} % of {n(of['needed'])}; HTTP needs {n(of['requests'])}, WebSocket {n(of['pings'] + of['keep_alives'] + of['handshakes'])}"),
        ("a broadcast with default quotas", f"{n(of['by_default'])} s", f"{count} ÷ {have['broadcast_percent']} % of {n(have['requests_per_second'])} posts a second"),
        ("workers for the broadcast", f"{of['workers']}", f"{n(of['broadcast'])} × {have['post_milliseconds']} ms ÷ {have['in_flight']} concurrent posts: {n(of['each'])} a second each, of the {n(have['deliveries_per_second'])} measured"),
        ("memory of the workers", f"{n(of['workers'] * have['fanout_mb'])} MB", f"{of['workers']} × {n(have['fanout_mb'])} MB: Lambda gives a whole processor at that size, which a worker needs for its share"),
        ("pieces of work of a broadcast", n(of["chunks"]), f"{count} ÷ {have['recipients']}"),
        ("reading the audience", f"{n(of['resolve_units'])} read units", f"{have['entry_bytes']} bytes an entry; {n(of['shard_units'])} in each of {have['shards']} keys, which give {n(have['partition_reads_per_second'])} a second"),
        ("all clients reconnect at once", f"{n(max(of['opening'], of['recovery']))} s", f"the slower of {n(of['opening'])} s for opening, {n(of['recovery'])} s for one missed message each in {have['recovery_percent']} % of {n(have['requests_per_second'])} requests"),
        ("functions at once", n(of["running"]), f"requests, frames and handshakes × {have['function_milliseconds']} ms, and the workers"),
        ("DynamoDB, sockets", f"{n(of['reads'])} reads, {n(of['writes'])} writes a second", f"{units.PING['reads']} and {units.PING['writes']} a ping, {units.HANDSHAKE['reads']} and {units.HANDSHAKE['writes']} a handshake"),
        ("DynamoDB, while all sockets open", f"{n(of['opening_writes'])} writes a second", f"{n(have['new_sockets_per_second'])} × {units.HANDSHAKE['writes']}"),
        ("rows of the sockets", f"{of['gigabytes']:.1f} GB", f"{have['socket_bytes'] + have['entry_bytes']} bytes a socket"),
    )


def limits(found: dict[str, dict[str, Any]], have: Figures, sockets: int, seconds: int) -> list[tuple[str, int, int, bool, str, str]]:
    """(quota, default, needed, whether it has to be raised, how)."""
    of = plan(have, sockets, seconds)
    wanted = {
        "requests_per_second": of["needed"],
        # Twice of what is always needed: a new one goes through while others renew.
        "new_sockets_per_second": math.ceil(2 * of["handshakes"]),
        # As much again for what starts cold.
        "lambda_concurrency": 2 * of["running"],
        "table_units_per_second": math.ceil(max(of["reads"] + of["resolve_units"], of["opening_writes"])),
        "new_table_writes_per_second": math.ceil(of["opening_writes"]),
        "partition_reads_per_second": math.ceil(of["shard_units"]),
    }
    return [(entry["what"], entry["value"], wanted[name], wanted[name] > entry["value"], entry["raise"], entry["source"])
            for name, entry in found["quotas"].items()]


def markdown(sockets: int, seconds: int) -> str:
    found, have = load()
    lines = ["| what | figure | computed as |", "|---|---:|---|"]
    lines += [f"| {what} | {figure} | {how} |" for what, figure, how in rows(have, sockets, seconds)]
    lines += ["", "| quota of AWS | default | needed | raise it? |", "|---|---:|---:|---|"]
    lines += [f"| {what} ({source}) | {n(default)} | {n(needed)} | {f'**yes**: {how}' if over else 'no'} |"
              for what, default, needed, over, how, source in limits(found, have, sockets, seconds)]
    return "\n".join(lines)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.title, rest))


def scale(given_sockets: str = "", given_seconds: str = "") -> None:
    sockets, seconds = number("SOCKETS", given_sockets, 1_000_000), number("WITHIN", given_seconds, 60)
    if not 1 <= sockets <= 100_000_000 or not 1 <= seconds <= DAY:
        raise Refused("SOCKETS is from 1 to 100000000, WITHIN (seconds) from 1 to 86400.")
    found, have = load()
    if wants_json():
        figures = {_camel(name): value for name, value in plan(have, sockets, seconds).items()}
        quotas = [{"what": what, "default": default, "needed": needed, "mustBeRaised": over, "how": how, "source": source}
                  for what, default, needed, over, how, source in limits(found, have, sockets, seconds)]
        answer({"sockets": sockets, "withinSeconds": seconds, "figures": figures, "quotas": quotas})
        return
    line(markdown(sockets, seconds).replace("**", ""))
    line(f"\nWhere the numbers come from ({FILE.relative_to(ROOT)}; change one and run this again):")
    for group in ("measured", "built", "assumed"):
        for entry in found[group].values():
            line(f"  {entry['value']:>9,}  {entry['what']}" + (f" ({entry['source']})" if "source" in entry else " (assumed)"))
