"""outputs.json: everything an operator or a test has to know of a deployment, in one file."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from typing import Any

from holdfast_cli.core.console import answer, line, wants_json
from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.parallel import side_by_side
from holdfast_cli.core.settings import STACKS, Settings
from holdfast_cli.deploy import aws, releases, terraform
from holdfast_cli.deploy.preparation import exclusive, prerequisites
from holdfast_cli.local import cloud

Outputs = dict[str, Any]
# The policies for services, as outputs.json names them.
_POLICIES = {"create_session": "createSession", "introspect": "introspect", "publish": "publish"}


def of(settings: Settings, found: dict[str, dict[str, Any]], has_redis: bool) -> Outputs:
    """outputs.json from what the stacks say: `found` maps each stack to its outputs."""
    missing = [name for name in STACKS if not found.get(name)]
    if missing:
        raise Failed(f"not deployed yet: {', '.join(missing)}; run `make deploy` without SERVICE first.")
    functions: dict[str, str] = {}
    for values in found.values():
        functions.update(values.get("functions", {}))
    return {
        "env": settings.env,
        "region": settings.region,
        "cacheProvider": settings.cache or "dynamodb",
        "httpUrl": found["platform"]["http_url"],
        "wsUrl": found["push"]["ws_url"],
        "consoleUrl": f"{settings.endpoint}/_ministack/health" if settings.on_local_cloud else None,
        "awsEndpointUrl": settings.endpoint or None,
        "redisUrl": f"redis://127.0.0.1:{settings.redis_port}/0" if has_redis else None,
        "tables": {**found["platform"]["tables"], "activity": found["events"]["activity_table"]},
        "queues": found["push"]["queues"],
        "eventBus": found["events"]["event_bus"],
        "functions": dict(sorted(functions.items())),
        # What other systems need to trust a session, and to call Holdfast. A release before these outputs has none.
        "authorizer": found["sessions"].get("authorizer"),
        "authorizerInstance": found["sessions"].get("authorizer_instance"),
        "policyDocuments": {_POLICIES[name]: text for name, text in
                            {**found["sessions"].get("policy_documents", {}), **found["push"].get("policy_documents", {})}.items()},
    }


def write(settings: Settings) -> Outputs:
    """Reads what the stacks say and writes the file: whole or not at all, because others read it at any time."""
    has_redis = settings.on_local_cloud and cloud.running(settings, cloud.REDIS)
    stacks = terraform.stacks(settings)
    if not settings.is_local:
        terraform.prepare(settings, stacks)
    outputs = of(settings, dict(zip(STACKS, side_by_side(terraform.Stack.outputs, stacks))), has_redis)
    new = settings.outputs_file.with_suffix(".new")
    new.write_text(json.dumps(outputs, indent=2) + "\n", encoding="utf-8")
    new.replace(settings.outputs_file)
    return outputs


def read(settings: Settings) -> Outputs:
    """What is deployed: of the local cloud from its file, of AWS from the stacks' state."""
    if not settings.is_local:
        with exclusive(settings):
            prerequisites(settings, builds=False)
            aws.require_buckets(settings)
            current = releases.History(settings).current()
            if current:
                settings.cache = current["cache"] or settings.cache
            return write(settings)
    try:
        return json.loads(settings.outputs_file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Refused(f"nothing is deployed in {settings.work}: run `make deploy` first.") from None


def one(known: Outputs, name: str) -> Any:
    """One value, by its name in outputs.json, or by a path such as `functions.sessions-create`."""
    value: Any = known
    for depth, part in enumerate(names := name.split(".")):
        if not isinstance(value, dict) or part not in value:
            there: list[str] = sorted(value) if isinstance(value, dict) else []  # pyright: ignore[reportUnknownArgumentType]
            where = f"in {'.'.join(names[:depth])} there is" if depth else "there is"
            raise Refused(f"no output {name}: {where} {', '.join(there) or 'nothing'}.")
        value = value[part]  # pyright: ignore[reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]


def show(settings: Settings, name: str = "") -> None:
    """The verb. Its standard output is only JSON, or one value, and progress goes to standard error."""
    with redirect_stdout(sys.stderr):
        known = read(settings)
        value = one(known, name) if name else known
    if isinstance(value, str) and not wants_json():
        # As a shell wants it: an address, a name, or a policy.
        line(value)
    else:
        answer(value, compact=bool(name))
