"""Lets the local cloud answer Terraform a little later than it can. `scripts/local/sitecustomize.py` installs it.

The SDK of Terraform's provider sends the head and the body of a request as two packets. It closes the connection if the answer begins before
it has noticed that all of the body is sent (seen in captured packets). Then it sends the request again, though the first one was executed.
What the first one made exists already (`EntityAlreadyExists`, `ResourceConflictException`), and the apply fails. AWS is too far away to
answer that early.

On a busy machine, 4 of 17 281 requests were sent again. A pause of 20 ms between the head and the body of an answer shows each closed
connection. With it, 52 of 1 544 requests were sent again, and with this wait before the head none of 1 920.
"""

from __future__ import annotations

import asyncio
from typing import Any

import after_import

_OF_TERRAFORM = b"aws-sdk-go"
SECONDS = 0.01


def correct(module: Any) -> None:
    serve = module.ASGIWrapper.__call__

    async def later(self: Any, scope: Any, receive: Any, send: Any, sync_spawn: Any, call_soon: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(SECONDS)
            await send(message)

        is_terraform = scope["type"] == "http" and any(name == b"user-agent" and _OF_TERRAFORM in value for name, value in scope["headers"])
        await serve(self, scope, receive, sending if is_terraform else send, sync_spawn, call_soon)

    module.ASGIWrapper.__call__ = later


def install() -> None:
    after_import.install("hypercorn.app_wrappers", correct)
