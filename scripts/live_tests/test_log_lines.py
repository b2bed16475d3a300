"""The lines that functions log are as long as the bill reckons, on a deployment: HOLDFAST_WORK_DIR says where its outputs.json is."""

import json
import unittest

from test_verbs import KNOWN, SETTINGS

from holdfast_cli.capacity import units
from holdfast_cli.deploy import aws


def metrics(message):
    """The names of the metrics in a line, or None for any other line."""
    try:
        found = json.loads(message)["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    except (ValueError, KeyError, TypeError):
        return None
    return ",".join(metric["Name"] for metric in found)


def longest(client, function, wanted):
    """The longest of the lines with exactly these metrics."""
    request, most = {"logGroupName": f"/aws/lambda/{KNOWN['functions'][function]}"}, 0
    while True:
        page = client.filter_log_events(**request)
        most = max([most, *(len(event["message"].strip()) for event in page["events"] if metrics(event["message"]) == wanted)])
        if not page.get("nextToken"):
            return most
        request["nextToken"] = page["nextToken"]


class Lines(unittest.TestCase):
    def test_the_lines_of_one_of_each_are_as_long_as_the_bill_reckons(self):
        with aws.asking(SETTINGS) as api:
            for what, lines in units.LINES.items():
                lengths = [longest(api.logs, function, names) for function, names in lines]
                with self.subTest(what):
                    self.assertTrue(all(lengths), f"{lines}: {lengths}. Run `make smoke` before this test, so that each has happened.")
                    # There is room for a longer name of the environment.
                    self.assertLessEqual(sum(lengths), units.LOG_BYTES[what])
                    self.assertGreaterEqual(sum(lengths) + 20 * len(lines), units.LOG_BYTES[what])


if __name__ == "__main__":
    unittest.main()
