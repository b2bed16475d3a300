"""Prints what the functions logged. Run by the Python of `.tools`, which has botocore.

usage: logs.py OUTPUTS SERVICE SINCE FOLLOW
"""

import json
import re
import sys
import time

import botocore.session
from botocore.config import Config

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text):
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if not match:
        sys.stderr.write(f"SINCE={text}: a number with s, m, h or d is needed, such as 10m.\n")
        sys.exit(2)
    return int(match.group(1)) * UNITS[match.group(2)]


def main(outputs_file, service, since, follow):
    with open(outputs_file) as source:
        outputs = json.load(source)
    names = {key: name for key, name in outputs["functions"].items() if not service or key == service or key.startswith(service + "-")}
    if not names:
        sys.stderr.write(f"SERVICE={service}: no such function; there is {', '.join(outputs['functions'])}.\n")
        return 2
    # A proxy of the caller's has no business between this machine and itself.
    local = {"endpoint_url": outputs["awsEndpointUrl"], "config": Config(proxies={})} if outputs["awsEndpointUrl"] else {}
    client = botocore.session.Session().create_client("logs", region_name=outputs["region"], **local)
    start = int((time.time() - seconds(since)) * 1000)
    seen = set()
    while True:
        found = []
        for key, name in names.items():
            request = {"logGroupName": f"/aws/lambda/{name}", "startTime": start}
            while True:
                try:
                    answer = client.filter_log_events(**request)
                except client.exceptions.ResourceNotFoundException:
                    break
                for event in answer["events"]:
                    identity = event.get("eventId") or (key, event["timestamp"], event["message"])
                    if identity not in seen:
                        seen.add(identity)
                        found.append((event["timestamp"], key, event["message"].rstrip()))
                if not answer.get("nextToken"):
                    break
                request["nextToken"] = answer["nextToken"]
        for stamp, key, message in sorted(found):
            moment = time.strftime("%H:%M:%S", time.gmtime(stamp / 1000))
            print(f"{moment}.{stamp % 1000:03} {key:20} {message}", flush=True)
        if not follow:
            if not seen:
                print(f"No log lines within {since}.")
            return 0
        time.sleep(1)


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:5]))
    except KeyboardInterrupt:
        sys.exit(130)
