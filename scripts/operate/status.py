"""`make status`: what runs, which release, how much waits in the queues, and whether it is well."""

import json

import aws
import cloud
import deploy
import processes
import releases
from say import Failed, line


def status(settings):
    if settings.on_local_cloud:
        for record, name, port in ((cloud.EMULATOR, "local cloud", settings.port), (cloud.REDIS, "redis-server", settings.redis_port)):
            pid = processes.recorded(settings.work / record)
            line(f"{name:13} {f'running, pid {pid}, port {port}' if pid else 'not running (make deploy starts it)'}")
    known = deploy.read_outputs(settings)
    current = releases.History(settings).current()
    if current:
        line(f"release       {current['name']}, commit {current['commit']}")
    line(f"http          {known['httpUrl']}")
    line(f"websocket     {known['wsUrl']}")
    code, body = cloud.answers(f"{known['httpUrl']}/v1/health", 10)
    line(f"health        {code or 'no answer'} {body.decode(errors='replace')[:300]}")
    if settings.on_local_cloud and not cloud.running(settings, cloud.EMULATOR):
        raise Failed("the local cloud is not running: `make deploy` starts it, with what was in it.")
    dead = queues(settings, known)
    cache(settings, known)
    if code != 200:
        raise Failed("not healthy: `make logs SERVICE=ops-health` says more.")
    if dead:
        line(f"There are dead letters: make redrive{'' if settings.is_local else f' ENV={settings.env}'} sends them back.")


def queues(settings, known):
    """Says how much waits; whether there are dead letters."""
    depths = aws.queue_depths(settings, known["queues"])
    for name in sorted(name for name in depths if not name.endswith("Dlq")):
        dead = depths.get(f"{name}Dlq", 0)
        line(f"queue         {name}: {depths[name]} waiting, {dead} dead letters")
    return any(depth for name, depth in depths.items() if name.endswith("Dlq"))


def cache(settings, known):
    """What ops/cache-status says of the cache cluster, where that function is deployed."""
    name = known["functions"].get("ops-cache-status")
    if not name:
        return
    answer = aws.invoke(settings, name, {})
    line(f"cache         {json.dumps(answer)}")
