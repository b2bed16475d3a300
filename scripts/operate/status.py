"""`make status`: what runs, and whether it is well."""

import cloud
import deploy
import processes
from say import Failed, line


def status(settings):
    if settings.on_local_cloud:
        for record, name, port in ((cloud.EMULATOR, "local cloud", settings.port), (cloud.REDIS, "redis-server", settings.redis_port)):
            pid = processes.recorded(settings.work / record)
            line(f"{name:13} {f'running, pid {pid}, port {port}' if pid else 'not running (make deploy starts it)'}")
    known = deploy.read_outputs(settings)
    code, body = cloud.answers(f"{known['httpUrl']}/v1/health", 10)
    line(f"http          {known['httpUrl']}")
    line(f"websocket     {known['wsUrl']}")
    line(f"health        {code or 'no answer'} {body.decode(errors='replace')[:300]}")
    if settings.on_local_cloud and not cloud.running(settings, cloud.EMULATOR):
        raise Failed("the local cloud is not running: `make deploy` starts it, with what was in it.")
    if code != 200:
        raise Failed("not healthy: `make logs SERVICE=ops-health` says more.")
