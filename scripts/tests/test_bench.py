"""The frame of the benchmarks, without one: what commands print becomes tables, plots and a report."""

import contextlib
import io
import json
import re
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path
from unittest import mock

from fakes import read

from holdfast_cli.core.errors import Failed, Refused
from holdfast_cli.core.settings import ROOT
from holdfast_cli.deploy import build
from holdfast_cli.verify import bench, plot, release_profiles

LINES = [
    {"of": "a", "figure": "p50", "value": 1.234, "unit": "ms"}, {"of": "a", "figure": "n", "value": 1000.0, "unit": ""},
    {"of": "b", "figure": "p50", "value": 0.0168, "unit": "ms"}, {"of": "a ÷ b", "figure": "ratio", "value": 73.45, "unit": "×"},
    {"plot": "How long", "series": "a", "x": "%", "y": "ms", "points": [[1, 1.0], [99, 2.5]]},
    {"plot": "How long", "series": "b <c>", "x": "%", "y": "ms", "points": [[1, 0.5], [99, 0.7]]},
]


def measured(script, name="x"):
    benchmark = bench.Benchmark(name, "Title", "What it is.", lambda executable, _: [executable, "-c", script])
    with contextlib.redirect_stdout(io.StringIO()) as said:
        found = bench.measured(read(), benchmark, "/bin/sh", {})
    return benchmark, found, said.getvalue()


class Report(unittest.TestCase):
    def test_every_figure_has_its_cell_and_every_unit_its_column(self):
        self.assertEqual(bench.tables(LINES), [
            "| | p50, ms | n |", "|---|---:|---:|", "| a | 1.23 | 1,000 |", "| b | 0.017 |  |", "",
            "| | ratio, × |", "|---|---:|", "| a ÷ b | 73.5 |"])

    def test_numbers_show_three_digits_that_say_something(self):
        self.assertEqual([bench.number(n) for n in (0, 3.0, 0.25, 1.5, 12.34, 123.4, 12345.6)], ["0", "3", "0.250", "1.50", "12.3", "123", "12,346"])

    def test_what_a_command_prints_becomes_a_report_with_plots(self):
        script = "".join(f"printf '%s\\n' '{json.dumps(entry)}';" for entry in LINES)
        benchmark, (found, command), said = measured(script)
        self.assertEqual(found, LINES)
        self.assertIn("1.23 ms", said)
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(bench, "FOLDER", Path(folder)):
            (Path(folder) / "old.svg").write_text("x")
            bench.write(["* this machine"], [(benchmark, found, command)], 5)
            text = (Path(folder) / "report.md").read_text(encoding="utf-8")
            for part in ("* this machine", "speed says nothing about AWS", "## Title", "What it is.", "`sh -c", "| a | 1.23 |", "![How long](x-how-long.svg)"):
                self.assertIn(part, text)
            self.assertEqual([file.name for file in Path(folder).glob("*.svg")], ["x-how-long.svg"])
            self.assertEqual(len((Path(folder) / "figures.jsonl").read_text(encoding="utf-8").splitlines()), len(LINES))

    def test_what_is_measured_is_built_as_a_release_is(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(bench.commands, "logged", return_value=0) as logged, \
                contextlib.redirect_stdout(io.StringIO()):
            bench.functions(read(HOLDFAST_WORK_DIR=folder))
        env = logged.call_args.kwargs["env"]
        self.assertEqual({name: env[name] for name in build.release_flags()}, build.release_flags())

    def test_a_benchmark_that_fails_or_prints_something_else_makes_no_report(self):
        for script in ("echo '{}'; exit 3", "echo hello"):
            with self.assertRaises(Failed):
                measured(script)

    def test_a_peer_that_is_not_available_is_named_and_left_out(self):
        def none(_):
            raise Failed("npm could not install it.")

        head: list[str] = []
        with mock.patch.dict(bench.PEER, {"node-peer": none}), contextlib.redirect_stdout(io.StringIO()):
            place = bench.peer(read(), "node-peer", head)
        self.assertEqual((place, head), ("", ["* without node-peer: npm could not install it."]))
        benchmark = bench.Benchmark("x", "Title", "What it is.", lambda executable, places: [executable, "-c", "true", places["node-peer"]])
        with contextlib.redirect_stdout(io.StringIO()):
            _, command = bench.measured(read(), benchmark, "/bin/sh", {"node-peer": place})
        self.assertEqual(command, "sh -c true ")

    def test_a_release_compiles_what_each_request_goes_through_for_speed(self):
        settings = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
        packages = dict(re.findall(r"^\[profile\.release\.package\.(.+)\]\nopt-level = (.+)$", settings, re.MULTILINE))
        self.assertEqual({name: packages.get(name) for name in release_profiles.PATH}, dict.fromkeys(release_profiles.PATH, "3"))
        locked = re.findall(r'^name = "(.+)"$', (ROOT / "Cargo.lock").read_text(encoding="utf-8"), re.MULTILINE)
        self.assertEqual(set(packages) - set(locked), set(), "cargo only warns about a name that no package has")

    def test_the_machine_the_commit_and_the_versions_are_said(self):
        said = "\n".join(bench.machine(""))
        for part in ("`make bench`", "commit ", " cores, ", "load when it began", "rustc ", "ministack ", "Terraform "):
            self.assertIn(part, said)

    def test_another_environment_or_an_unknown_benchmark_is_refused(self):
        for environ, only in (({"ENV": "staging"}, ""), ({}, "nothing")):
            with self.assertRaises(Refused):
                bench.bench(read(**environ), only)


class Plots(unittest.TestCase):
    def test_a_plot_is_well_formed_and_stays_inside_its_frame(self):
        root = ET.fromstring(plot.svg("A & B", "x", "y", [("a <b>", [(0, 0.0), (50, 3.0), (100, 7.5)]), ("c", [(0, 1.0), (100, 1.0)])]))
        lines = root.findall("{*}polyline")
        self.assertEqual(len(lines), 2)
        points = [tuple(map(float, point.split(","))) for point in lines[0].get("points").split()]
        self.assertEqual(points[0], (plot.LEFT, plot.HEIGHT - plot.BOTTOM))
        for x, y in points:
            self.assertTrue(plot.LEFT <= x <= plot.WIDTH - plot.RIGHT and plot.TOP <= y <= plot.HEIGHT - plot.BOTTOM)
        self.assertIn("a <b>", [text.text for text in root.findall("{*}text")])

    def test_ticks_are_round_and_cover_the_range(self):
        self.assertEqual(plot.ticks(0, 10), [0, 2, 4, 6, 8, 10])
        self.assertEqual(plot.ticks(1, 99, 10), [10, 20, 30, 40, 50, 60, 70, 80, 90])
        self.assertEqual([round(t, 3) for t in plot.ticks(0, 0.07)], [0.0, 0.02, 0.04, 0.06])
        self.assertEqual(plot.ticks(5, 5), [5])


if __name__ == "__main__":
    unittest.main()
