"""The report: rows, ratios to references, targets and costs, of a run that is over."""

import json
import sys

import pytest
import report
from reporting.tables import rows
from reporting.targets import TARGETS, stated


def benchmark(name, median, *, group=None, **info):
    return {
        "name": name,
        "fullname": f"benchmarks/test_x.py::{name}",
        "group": group,
        "stats": {"median": median},
        "extra_info": info,
    }


RUN = {
    "machine_info": {
        "cpu": {"brand_raw": "A processor", "count": 2},
        "machine": "x86",
        "system": "Linux",
        "release": "6",
        "python_version": "3.11",
    },
    "commit_info": {"id": "0123456789abcdef", "dirty": True},
    "datetime": "2026-01-02T03:04:05.678",
    "benchmarks": [
        benchmark("test_a_thing_is_done[fast]", 0.002, group="things", round_trips_per_op=4.0, bytes=12_345),
        benchmark("test_a_thing_is_done[noop]", 0.001, group="things", reference=True),
        benchmark("test_tasks_play_ping_pong_beside_simpy_processes", 0.5, group="loop", ratio_to_simpy=0.9),
    ],
}


def test_a_ratio_is_to_the_reference_of_the_group_or_to_what_was_measured_in_turns():
    fast, noop, loop = rows(RUN["benchmarks"])
    assert (fast.name, fast.ratio, fast.to) == ("a thing is done [fast]", 2.0, "to a thing is done [noop]")
    assert (noop.ratio, noop.to) == (None, "")
    assert (loop.ratio, loop.to) == (0.9, "to simpy")
    assert fast.costs == "4 round trips per op, 12,345 bytes"


@pytest.mark.parametrize(("ratio", "verdict"), [(1.0, "met"), (0.99, "**not met**")])
def test_a_target_is_met_or_not(ratio, verdict):
    name = "test_tasks_play_ping_pong_beside_simpy_processes"
    found = {each.target.sentence: each.verdict for each in stated([benchmark(name, 1, ratio_to_simpy=ratio)])}
    assert found.pop("the loop to SimPy processes") == verdict
    assert {*found.values()} == {"not measured"}


def test_a_run_that_is_over_becomes_a_folder(monkeypatch, capsys, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    monkeypatch.setattr(sys, "argv", ["report.py", "--out", str(tmp_path / "out"), "--of", str(tmp_path / "run.json")])
    assert report.main() == 0
    (home,) = (tmp_path / "out").iterdir()
    assert sorted(each.name for each in home.iterdir()) == ["benchmarks.json", "loop.png", "table.md", "things.png"]
    text = (home / "table.md").read_text()
    assert capsys.readouterr().out.strip() == text.strip()
    assert "# Benchmarks of 0123456789ab, with changes that are not committed" in text
    assert "| the loop to SimPy processes | 0.90 | at least 1 | **not met** |" in text
    assert (
        "| a thing is done [fast] | 2.00 ms | 2.00 | to a thing is done [noop] | 4 round trips per op, 12,345 bytes |"
        in text
    )


def test_each_target_is_a_ratio_that_a_benchmark_measures():
    text = "\n".join(path.read_text() for path in (report.ROOT / "benchmarks").glob("test_*.py"))
    for target in TARGETS:
        assert f"def {target.benchmark.partition('[')[0]}(" in text
        assert target.key.removeprefix("ratio_to_").replace("_", " ") in text.replace("_", " ")
