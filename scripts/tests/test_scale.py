"""The plan for a million sockets: its document is what the command prints, and its figures are those of the code they name."""

import re
import unittest

from fakes import settings

from holdfast_cli.capacity import cost, scale
from holdfast_cli.generate import scale_document

ROOT = settings.ROOT


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def found(pattern, path):
    return re.search(pattern, read(path)).groups()


class Plan(unittest.TestCase):
    def setUp(self):
        self.have = scale.load()[1]

    def test_the_document_is_what_the_command_prints(self):
        said = read("docs/scale.md").partition(scale_document.BEGIN)[2].partition(scale_document.END)[0]
        self.assertEqual(said, scale.markdown(1_000_000, 60), "`make scale WRITE=1` writes it again")

    def test_the_page_of_prices_is_what_the_command_computes(self):
        said = read("docs/costs.md").partition(scale_document.PRICES)[2].partition(scale_document.END)[0]
        self.assertEqual(said, cost.markdown(), "`make scale WRITE=1` writes it again")

    def test_what_is_built_is_built_so(self):
        have = self.have
        push = "shared/push/src/"
        self.assertEqual(found(r"SHARDS: u8 = (\d+)", push + "channel.rs"), (str(have["shards"]),))
        self.assertEqual(found(r"MAX_RECIPIENTS: usize = (\d+)", push + "job.rs"), (str(have["recipients"]),))
        (each,), worker = found(r"IN_FLIGHT: usize = (\d+)", push + "service/deliver.rs"), "services/push/src/fanout.rs"
        (at_once,), (places,) = found(r"AT_ONCE: usize = (\d+)", worker), found(r"HEAVY: usize = (\d+)", worker)
        self.assertEqual(int(each) * (int(at_once) // int(places)), have["in_flight"])
        client = "clients/javascript/src/client.js"
        bill = cost.load()[1]
        hidden, shown = map(int, found(r"KEEP_ALIVE_MS = \{ hidden: (\d+)_000, shown: (\d+)_000 \}", client))
        self.assertEqual([(hidden + shown) / 2] * 2, [have["keep_alive_seconds"], bill["keep_alive_seconds"]])
        self.assertEqual(have["wakes_per_socket_hour"], bill["wakes_per_socket_hour"])
        least, most = map(int, found(r"RENEW_MS = .*\[(\d+) \* MINUTE_MS, (\d+) \* MINUTE_MS\]", client))
        self.assertEqual([(least + most) / 2 * 60] * 2, [have["socket_seconds"], bill["socket_seconds"]])
        limit = found(r"keep_alive_throttling = \{\s+rate_limit  = max\(1, floor\(var\.account_requests_per_second \* (\d+) / 100\)\)", "infra/stacks/push/budget.tf")
        self.assertEqual(limit, (str(have["keep_alive_percent"]),))
        variables = "infra/stacks/push/variables.tf"
        parts = found(r"(?s)direct +=\s*optional\(number, (\d+)\)\s+broadcast = optional\(number, (\d+)\)\s+recovery +=\s*optional\(number, (\d+)\)", variables)
        self.assertEqual(tuple(map(int, parts)), (have["direct_percent"], have["broadcast_percent"], have["recovery_percent"]))
        for limits in ("infra/stacks/platform/throttling.tf", "infra/stacks/push/budget.tf"):
            self.assertEqual(found(r"rate_limit  = floor\(var\.account_requests_per_second \* (\d+) / 100\)", limits), (str(have["stage_percent"]),))
        self.assertEqual(found(r'(?s)variable "fanout_memory_mb".*?default\s*=\s*(\d+)', variables), (str(have["fanout_mb"]),))
        self.assertEqual(found(r'(?s)variable "post_latency_milliseconds".*?default\s*=\s*(\d+)', variables), (str(have["post_milliseconds"]),))

    def test_a_socket_is_as_large_as_the_table_makes_it(self):
        sizes = found(r"\.each_ref\(\)\.map\(size\), \[(\d+), (\d+), (\d+)\]", "shared/dynamodb/src/connections/sockets.rs")
        *rows, entry = map(int, sizes)
        self.assertEqual((sum(rows), entry), (self.have["socket_bytes"], self.have["entry_bytes"]))

    def test_every_figure_says_where_it_is_from(self):
        for group in ("quotas", "measured", "built"):
            for name, entry in scale.load()[0][group].items():
                self.assertTrue(entry["what"] and entry["source"] and entry["value"], name)

    def test_the_account_is_never_asked_for_less_than_is_spent(self):
        for sockets in (1, 1000, 1_000_000, 10_000_000):
            for seconds in (1, 60, 3600):
                of = scale.plan(self.have, sockets, seconds)
                budget = of["needed"] / 100
                self.assertGreaterEqual(budget * self.have["broadcast_percent"], of["broadcast"])
                self.assertGreaterEqual(budget * self.have["direct_percent"], of["direct"])
                for admitted in (of["requests"], of["pings"] + of["keep_alives"] + of["handshakes"]):
                    self.assertGreaterEqual(budget * self.have["stage_percent"], admitted)
                self.assertGreaterEqual(budget * self.have["keep_alive_percent"], of["keep_alives"])
                self.assertGreaterEqual(of["needed"] - (of["broadcast"] + of["direct"]), of["rest"])
                self.assertLessEqual(of["each"], 1000 / self.have["post_milliseconds"] * self.have["in_flight"])


if __name__ == "__main__":
    unittest.main()
