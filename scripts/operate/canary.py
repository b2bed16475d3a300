"""Looks for secrets where none may be: in everything the functions logged and in everything subscribers wrote down.

Run by the Python of `.tools`, which has botocore. usage: canary.py OUTPUTS [LINES]

LINES: the least number of log lines there must be; with fewer, nothing would be shown by finding nothing.
The tests' people have e-mails and passwords of a shape nothing else has (shared/holdfast-e2e/src/person.rs).
"""

import json
import re
import sys

WHAT = {
    "a token": re.compile(r"hf1\.[A-Za-z0-9_-]{22}\.[0-9]\."),
    "an e-mail": re.compile(r"e2e-[0-9a-f]{24}@"),
    "a password": re.compile(r"pw-[0-9a-f]{24}"),
    "a password hash": re.compile(r"\$argon2"),
    "a recovery code": re.compile(r"\b[A-Z2-7]{4}(-[A-Z2-7]{4}){5}\b"),
    "an authenticator's secret": re.compile(r"otpauth:|\b[A-Z2-7]{32}\b"),
    "a code": re.compile(r'"(code|recoveryCode)"\s*:\s*"[0-9]{6}"'),
}


def secrets(text):
    """What of the above stands in a text."""
    return [name for name, pattern in WHAT.items() if pattern.search(text)]


def lines(session, outputs, **local):
    client = session.create_client("logs", region_name=outputs["region"], **local)
    for key, name in outputs["functions"].items():
        try:
            for page in client.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}"):
                for event in page["events"]:
                    yield f"the log of {key}", event["message"]
        except client.exceptions.ResourceNotFoundException:
            continue


def items(session, outputs, **local):
    client = session.create_client("dynamodb", region_name=outputs["region"], **local)
    for page in client.get_paginator("scan").paginate(TableName=outputs["tables"]["activity"]):
        for item in page["Items"]:
            yield "the table activity", repr(item)


def main(outputs_file, least="1"):
    import botocore.session
    from botocore.config import Config

    with open(outputs_file) as source:
        outputs = json.load(source)
    local = {}
    if outputs["awsEndpointUrl"]:
        # The emulator's fixed credentials; a proxy of the caller's has no business between this machine and itself.
        local = {"endpoint_url": outputs["awsEndpointUrl"], "config": Config(proxies={}),
                 "aws_access_key_id": "test", "aws_secret_access_key": "test"}
    session = botocore.session.Session()
    counts, found = {"lines": 0, "items": 0}, 0
    for kind, source in (("lines", lines), ("items", items)):
        for place, text in source(session, outputs, **local):
            counts[kind] += 1
            for name in secrets(text):
                found += 1
                if found <= 10:
                    print(f"{name} in {place}: {text[:60]!r} …")
    print(f"{counts['lines']} log lines and {counts['items']} written events hold {found} secrets")
    if counts["lines"] < int(least) or not counts["items"]:
        print("that is too little to show anything")
        return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
