"""Checks of the HTTP API and the cache: origins, cookies, signatures of roles, revocations."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

from holdfast_cli.core.errors import Failed
from holdfast_cli.deploy import aws
from holdfast_cli.operate import routes
from holdfast_cli.operate.routes import Response
from holdfast_cli.verify.acceptance.check import FOREIGN_ORIGIN, PATIENCE_SECONDS, Deployed, Session, Skipped, expect, healthy, insist

# How long AWS takes at most until a new role is known everywhere.
NEW_ROLE_SECONDS = 60
# How many requests a check sends after the end of a session.
AFTERWARDS = 20


def health(deployed: Deployed) -> str:
    found = healthy(deployed)
    if "checks" not in found:
        return "ok; health_details hides the version and the checks from callers without IAM"
    return f"version {found['version']}, cache provider {found['checks']['cache']['provider']}"


def cors(deployed: Deployed) -> str:
    def preflight(origin: str) -> Response:
        return deployed.ask("OPTIONS", "/v1/auth/login", origin=origin, access_control_request_method="POST",
                            access_control_request_headers="content-type,x-holdfast-csrf")

    origins = deployed.origins()
    for origin in origins:
        came = preflight(origin)
        allowed, credentials = came.header("access-control-allow-origin"), came.header("access-control-allow-credentials")
        insist((allowed, credentials) == (origin, "true"), f"the preflight of {origin} got origin {allowed!r}, credentials {credentials!r}")
        named = came.header("access-control-allow-headers").lower()
        insist("x-holdfast-csrf" in named, f"the preflight of {origin} does not allow the header X-Holdfast-CSRF: {named!r}")
    foreign = preflight(FOREIGN_ORIGIN).header("access-control-allow-origin")
    insist(foreign in ("", "null"), f"the preflight of {FOREIGN_ORIGIN} got the origin {foreign!r}")
    return f"{len(origins)} origins allowed, a foreign one refused"


def set_cookie(deployed: Deployed) -> str:
    origin, person = deployed.origins()[0], deployed.person
    body = {"email": person.email, "password": person.password, "transport": "cookie"}
    came = deployed.ask("POST", "/v1/auth/login", body, origin=origin)
    expect(came, 200, f"the sign-in from {origin}")
    insist(came.header("access-control-allow-origin") == origin, f"the answer to {origin} does not allow that origin")
    insist("hf1." not in json.dumps(came.body), "the body holds a token, although the tokens are cookies")
    cookies = [value for name, value in came.headers if name == "set-cookie"]
    insist(len(cookies) == 2, f"{len(cookies)} cookies came, not 2")
    for cookie in cookies:
        name, attributes = cookie.split("=")[0], {part.strip().lower() for part in cookie.split(";")[1:]}
        wanted = {"secure", "httponly", "samesite=strict", "path=/"}
        insist(name.startswith("__Host-") and wanted <= attributes, f"the cookie {name} has the attributes {sorted(attributes)}")
        insist(not any(one.startswith("domain") for one in attributes), f"the cookie {name} names a domain")
    jar = "; ".join(cookie.split(";")[0] for cookie in cookies)
    path = "/v1/push/tickets"
    expect(deployed.ask("POST", path, cookie=jar, origin=origin), 403, "a request by cookie without X-Holdfast-CSRF")
    expect(deployed.ask("POST", path, cookie=jar, origin=FOREIGN_ORIGIN, x_holdfast_csrf="1"), 403, f"a request by cookie from {FOREIGN_ORIGIN}")
    expect(deployed.ask("POST", path, cookie=jar, origin=origin, x_holdfast_csrf="1"), 201, f"a request by cookie from {origin}")
    expect(deployed.ask("POST", "/v1/auth/login", body, origin=FOREIGN_ORIGIN), 403, f"the sign-in from {FOREIGN_ORIGIN}")
    return f"{len(cookies)} cookies with __Host-, Secure, HttpOnly and SameSite=Strict; requests from a foreign origin are refused"


def cookie_site(deployed: Deployed) -> str:
    """Only the registered domain tells sites apart, and `site` names it: example.co.uk is one, and co.uk is none."""
    pages = [origin for origin in deployed.origins() if urlsplit(origin).hostname not in ("localhost", "127.0.0.1", "::1")]
    if not pages:
        raise Skipped("only a developer's own pages are allowed origins.")
    url, domain = str(deployed.known["httpUrl"]), deployed.variable("http_domain")
    site = str(domain.get("site") or "") if isinstance(domain, dict) else ""  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    if not site:
        raise Skipped(f"http_domain names no site, so the API ({url}) and its pages ({', '.join(pages)}) may be of different ones. Browsers send no "
                      "cookie with SameSite=Strict between sites. Pages that use cookies need http_domain with `site`; others use bearer tokens.")
    other = [one for one in (url, *pages) if not f".{urlsplit(one).hostname}".endswith(f".{site}") or not one.startswith("https:")]
    insist(not other, f"{', '.join(other)}: not https below {site}, so browsers send no cookie with SameSite=Strict. Correct http_domain and "
                      "allowed_origins, and deploy again")
    return f"the API and {len(pages)} pages are below {site}"


def _signed(deployed: Deployed, caller: aws.Api, path: str, body: dict[str, Any]) -> Response:
    return routes.signed(caller, deployed.settings.region, deployed.url(path), body)


def sigv4(deployed: Deployed) -> str:
    """A role that may publish and introspect, and not create sessions; assumed under two session names."""
    settings, name = deployed.settings, f"{deployed.prefix}-verify-{secrets.token_hex(4)}"
    iam, account, user = deployed.api.client("iam"), aws.caller(settings)["account"], deployed.person.id
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    routes_allowed = [f"arn:aws:execute-api:{settings.region}:{account}:*/*/POST/v1/{path}" for path in ("messages", "sessions/introspect")]
    may = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": routes_allowed}

    def document(statement: dict[str, Any]) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    def assumed(session: str) -> aws.Api:
        until = time.monotonic() + NEW_ROLE_SECONDS
        while True:
            try:
                found = deployed.api.sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/{name}", RoleSessionName=session)["Credentials"]
                return deployed.caller(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
            except deployed.api.sts.exceptions.ClientError:
                if time.monotonic() > until:
                    raise
                time.sleep(2)

    with deployed.removed(f"the role {name}", lambda: iam.delete_role(RoleName=name)):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        with deployed.removed(f"the policy of the role {name}", lambda: iam.delete_role_policy(RoleName=name, PolicyName="verify")):
            iam.put_role_policy(RoleName=name, PolicyName="verify", PolicyDocument=document(may))
            callers = [assumed(session) for session in ("one", "two")]
            until = time.monotonic() + NEW_ROLE_SECONDS
            while (came := _signed(deployed, callers[0], "/v1/sessions/introspect", {"token": "none"})).status == 403 and time.monotonic() < until:
                time.sleep(2)
            insist(expect(came, 200, "POST /v1/sessions/introspect")["active"] is False, "an unknown token opens a session")
            message = {"to": {"userIds": [user]}, "kind": "verify", "data": None, "idempotencyKey": name}
            first, second = (expect(_signed(deployed, caller, "/v1/messages", message), 202, "POST /v1/messages") for caller in callers)
            same = first["messageId"] == second["messageId"] and second["duplicate"] is True
            insist(same, "two session names of one role are two publishers: the same idempotency key published twice")
            identity = {"identity": {"provider": "urn:verify", "subject": name}}
            expect(_signed(deployed, callers[0], "/v1/sessions", identity), 403, "POST /v1/sessions, which the role may not call,")
    expect(deployed.ask("POST", "/v1/messages", message), 403, "POST /v1/messages without a signature")
    return "an assumed role may call what its policy allows, and no more; its session names are one publisher"


def revocation(deployed: Deployed) -> str:
    """In the mode of the cache that is deployed."""
    ends, stays = deployed.sign_in(), deployed.sign_in()
    for _ in range(3):
        expect(deployed.as_user("GET", "/v1/sessions/current", ends), 200, "a validation")
    answer = expect(deployed.as_user("DELETE", f"/v1/sessions/{ends.id}", stays), 200, "the revocation")
    if answer["effective"] != "immediate":
        time.sleep(min(120, float(answer["withinSeconds"])))
    passed = [status for _ in range(AFTERWARDS) if (status := deployed.as_user("GET", "/v1/sessions/current", ends).status) != 401]
    insist(not passed, f"{len(passed)} of {AFTERWARDS} requests after the end of the session were answered with {passed}, not with 401")
    expect(deployed.as_user("GET", "/v1/sessions/current", stays), 200, "the other session")
    return f"cache provider {deployed.known['cacheProvider']}: the end is {answer['effective']}, {AFTERWARDS} later requests are refused"


def cache_hits(deployed: Deployed) -> str:
    if deployed.known["cacheProvider"] != "redis":
        raise Skipped("there is no cache: every validation reads the table.")
    session: Session = deployed.sign_in()
    began = int(time.time() * 1000) - 1000
    for _ in range(5):
        expect(deployed.as_user("GET", "/v1/sessions/current", session), 200, "a validation")
    group, until = f"/aws/lambda/{deployed.functions['sessions-current']}", time.monotonic() + 3 * PATIENCE_SECONDS
    while time.monotonic() < until:
        pages = deployed.api.logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=began)
        hits = sum("CACHE_HIT" in event.get("message", "") for page in pages for event in page["events"])
        if hits:
            return f"{hits} log lines count hits; a hit needs the user's rights and the ids of the server in Lua"
        time.sleep(1)
    raise Failed("no validation was answered by the cache: read docs/runbooks/cache-hit-rate.md")
