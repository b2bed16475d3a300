"""Writes every request that reaches the local cloud to a file, one JSON object a line. `scripts/local/sitecustomize.py` installs it when the
variable HOLDFAST_RECORDING names the file.

It records as long as the file exists: `holdfast_cli/local/cloud.py` creates it, and who has read it removes it.

It runs in the emulator's own process, so it sees the calls of Terraform, of this tool and of the functions alike, and no address changes. A line
has the method, the target (path and query), the headers, the body in base64 and the status of the answer. It has no credentials: of the header
Authorization it keeps the service that the request is signed for.
"""

from __future__ import annotations

import base64
import json
import os
import re
from contextlib import suppress

# A longer body is a file for S3. The models say nothing about its content.
LONGEST_BODY = 1 << 20
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")


def service(authorization: str) -> str:
    """The service that the request is signed for; empty without a signature."""
    found = _SCOPE.search(authorization)
    return found.group(1) if found else ""


def entry(scope, body: bytes, length: int, status: int) -> dict[str, object]:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    signed_for = service(headers.pop("authorization", ""))
    headers.pop("x-amz-security-token", None)
    target = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").split("?")[0]
    query = scope.get("query_string", b"").decode("latin-1")
    if not signed_for:
        # A pre-signed request carries its scope in the query.
        signed_for = service("Credential=" + query.partition("X-Amz-Credential=")[2].split("&")[0].replace("%2F", "/"))
    # Holdfast's own routes are no API of AWS, and their bodies hold passwords.
    own = target.startswith("/_aws/execute-api/") and "/@connections/" not in target
    kept = base64.b64encode(b"" if own else body).decode() if length <= LONGEST_BODY else None
    return {"method": scope["method"], "target": f"{target}?{query}" if query else target, "service": signed_for, "headers": headers,
            "body": kept, "length": length, "status": status}


def install(path: str) -> None:
    """Wraps the application that hypercorn serves."""
    from hypercorn.app_wrappers import ASGIWrapper

    serve = ASGIWrapper.__call__

    async def recorded(self, scope, receive, send, sync_spawn, call_soon):
        if scope["type"] != "http":
            await serve(self, scope, receive, send, sync_spawn, call_soon)
            return
        body, length, status = bytearray(), 0, 0

        async def receiving():
            nonlocal length
            message = await receive()
            if message["type"] == "http.request":
                part = message.get("body", b"")
                length += len(part)
                if length <= LONGEST_BODY:
                    body.extend(part)
            return message

        async def sending(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await serve(self, scope, receiving, sending, sync_spawn, call_soon)
        finally:
            if os.path.exists(path):
                with suppress(OSError), open(path, "a", encoding="utf-8") as file:
                    file.write(json.dumps(entry(scope, bytes(body), length, status)) + "\n")

    ASGIWrapper.__call__ = recorded
