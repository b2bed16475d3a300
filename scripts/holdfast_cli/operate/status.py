"""`holdfast status` shows processes, the release, the length of the queues, and health."""

from __future__ import annotations

import json
from typing import Any

from holdfast_cli.core import http, processes, tools
from holdfast_cli.core.console import answer, report, wants_json
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, outputs, releases
from holdfast_cli.deploy.outputs import Outputs
from holdfast_cli.local import cloud


def status(settings: Settings) -> None:
    facts: dict[str, Any] = {"ok": False, "env": settings.env}
    try:
        _look(settings, facts)
        facts["ok"] = True
    finally:
        # What is not well is told, too: the exit code says that it is not.
        if wants_json() and "httpUrl" in facts:
            answer(facts)


def _look(settings: Settings, facts: dict[str, Any]) -> None:
    """Prints the state of an environment, and stores it in `facts`."""
    if settings.on_local_cloud:
        facts["processes"] = {}
        for record, key, name, port in ((cloud.EMULATOR, "localCloud", "local cloud", settings.port),
                                        (cloud.REDIS, "redis", "redis-server", settings.redis_port)):
            pid = processes.recorded(settings.work / record)
            facts["processes"][key] = {"pid": pid, "port": port} if pid else None
            report(f"{name:13} {f'running, pid {pid}, port {port}' if pid else 'not running (make deploy starts it)'}")
    known = outputs.read(settings)
    tools.install(settings)
    current = releases.History(settings).current()
    facts["release"] = {"name": current["name"], "commit": current["commit"]} if current else None
    if current:
        report(f"release       {current['name']}, commit {current['commit']}")
    facts |= {"httpUrl": known["httpUrl"], "wsUrl": known["wsUrl"]}
    report(f"http          {known['httpUrl']}")
    report(f"websocket     {known['wsUrl']}")
    code, body = http.answer(f"{known['httpUrl']}/v1/health", 10)
    facts["health"] = {"httpStatus": code, "answer": _parsed(body)}
    report(f"health        {code or 'no answer'} {body.decode(errors='replace')[:300]}")
    if settings.on_local_cloud and not cloud.running(settings):
        raise Failed("the local cloud is not running: `make deploy` starts it with its data.")
    facts["queues"] = queues(settings, known)
    well, facts["cache"] = cache(settings, known)
    if code != 200:
        raise Failed("not healthy: read the log with `make logs SERVICE=ops-health`.")
    if not well:
        raise Failed("the cache is not healthy: follow docs/runbooks/cache-unavailable.md.")
    if any(queue["deadLetters"] for queue in facts["queues"].values()):
        report(f"There are dead letters: make redrive{settings.named} sends them back.")


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def queues(settings: Settings, known: Outputs) -> dict[str, dict[str, int]]:
    """Prints the length of each queue, and returns it with the number of dead letters."""
    depths = aws.queue_depths(settings, known["queues"])
    found = {name: {"waiting": depths[name], "deadLetters": depths.get(f"{name}Dlq", 0)} for name in sorted(depths) if not name.endswith("Dlq")}
    for name, queue in found.items():
        report(f"queue         {name}: {queue['waiting']} waiting, {queue['deadLetters']} dead letters")
    return found


def cache(settings: Settings, known: Outputs) -> tuple[bool, dict[str, Any]]:
    """Prints the state and nodes of the cache from ops-cache-status. Returns whether it is healthy, and its facts."""
    name = known["functions"].get("ops-cache-status")
    # The local cloud has no ElastiCache. It also denies DescribeServerlessCaches to a role that names its resources, so the function fails there.
    answered = aws.invoke(settings, name, {}) if name and not settings.on_local_cloud else None
    lines, well = cache_lines(answered, known["cacheProvider"], settings.on_local_cloud)
    for number, text in enumerate(lines):
        report(f"{'' if number else 'cache':13} {text}")
    return well, {"provider": known["cacheProvider"], "ok": well, "summary": lines, "details": answered and answered["cache"]}


def cache_lines(answer: dict[str, Any] | None, provider: str, local: bool) -> tuple[list[str], bool]:
    """The lines for an answer of ops-cache-status, and whether the cache is healthy."""
    if provider != "redis":
        return ["none: every validation reads the table (CACHE=dynamodb)"], True
    if local:
        return ["the redis-server of this machine; health says whether it answers"], True
    if answer is None:
        return ["its nodes are unknown, because ops-cache-status is not deployed"], False
    found = answer["cache"]
    if found is None:
        return [f"ElastiCache has none of the name {answer['name']}"], False
    nodes = [(shard, node) for shard in found["shards"] for node in shard["nodes"]]
    lines = [f"{found['engine']} {found['engineVersion']}, {found['kind']}, {found['status']}, "
             f"TLS {'on' if found['tls'] else 'OFF'}, {found['endpoint']}",
             f"failover {found['failover']}{', in more than one zone' if found['multiAz'] else ''}"
             + (f"; {len(found['shards'])} shards, {len(nodes)} nodes" if len(found["shards"]) > 1 else "")]
    lines += [f"shard {shard['id']}{' ' + shard['slots'] if shard['slots'] else ''}: {node['id']} {node['role']} in {node['zone']}, {node['status']}"
              for shard, node in nodes]
    return lines, answer["ok"]
