"""`holdfast status` shows processes, the release, the length of the queues, and health."""

from __future__ import annotations

from typing import Any

from holdfast_cli.core import http, processes, tools
from holdfast_cli.core.console import line
from holdfast_cli.core.errors import Failed
from holdfast_cli.core.settings import Settings
from holdfast_cli.deploy import aws, outputs, releases
from holdfast_cli.deploy.outputs import Outputs
from holdfast_cli.local import cloud


def status(settings: Settings) -> None:
    if settings.on_local_cloud:
        for record, name, port in ((cloud.EMULATOR, "local cloud", settings.port), (cloud.REDIS, "redis-server", settings.redis_port)):
            pid = processes.recorded(settings.work / record)
            line(f"{name:13} {f'running, pid {pid}, port {port}' if pid else 'not running (make deploy starts it)'}")
    known = outputs.read(settings)
    tools.install(settings)
    current = releases.History(settings).current()
    if current:
        line(f"release       {current['name']}, commit {current['commit']}")
    line(f"http          {known['httpUrl']}")
    line(f"websocket     {known['wsUrl']}")
    code, body = http.answer(f"{known['httpUrl']}/v1/health", 10)
    line(f"health        {code or 'no answer'} {body.decode(errors='replace')[:300]}")
    if settings.on_local_cloud and not cloud.running(settings):
        raise Failed("the local cloud is not running: `make deploy` starts it with its data.")
    dead = queues(settings, known)
    well = cache(settings, known)
    if code != 200:
        raise Failed("not healthy: read the log with `make logs SERVICE=ops-health`.")
    if not well:
        raise Failed("the cache is not healthy: follow docs/runbooks/cache-unavailable.md.")
    if dead:
        line(f"There are dead letters: make redrive{settings.named} sends them back.")


def queues(settings: Settings, known: Outputs) -> bool:
    """Prints the length of each queue. Returns whether there are dead letters."""
    depths = aws.queue_depths(settings, known["queues"])
    for name in sorted(name for name in depths if not name.endswith("Dlq")):
        dead = depths.get(f"{name}Dlq", 0)
        line(f"queue         {name}: {depths[name]} waiting, {dead} dead letters")
    return any(depth for name, depth in depths.items() if name.endswith("Dlq"))


def cache(settings: Settings, known: Outputs) -> bool:
    """Prints the state and nodes of the cache from ops-cache-status. Returns whether it is healthy."""
    name = known["functions"].get("ops-cache-status")
    # The local cloud has no ElastiCache. It also denies DescribeServerlessCaches to a role that names its resources, so the function fails there.
    answer = aws.invoke(settings, name, {}) if name and not settings.on_local_cloud else None
    lines, well = cache_lines(answer, known["cacheProvider"], settings.on_local_cloud)
    for number, text in enumerate(lines):
        line(f"{'' if number else 'cache':13} {text}")
    return well


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
