"""The history of runs: in the order of time, with what all of them have, and more is better."""

import json
import sys

import history
import pytest


def run(when, **medians):
    return {
        "datetime": when,
        "commit_info": {"id": f"commit of {when}", "branch": "main"},
        "benchmarks": [{"name": name, "stats": {"median": median}} for name, median in medians.items()],
    }


def test_runs_are_in_order_and_have_what_is_common():
    first, second = history.history(
        [run("2026-01-02T00:00:00+00:00", a=0.5, b=1.0), run("2026-01-01T00:00:00.5+00:00", a=0.25, c=1.0)]
    )
    assert [first["timestamp"], second["timestamp"]] == [1_767_225_600, 1_767_312_000]
    assert [first["metrics"], second["metrics"]] == [
        [{"name": "a per s", "value": 4.0}],
        [{"name": "a per s", "value": 2.0}],
    ]
    assert second["attributes"] == {"commit": "commit of 2026-01-02T00:00:00+00:00", "branch": "main"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"datetime": "yesterday"}'])
def test_a_file_that_is_no_run_is_an_error(monkeypatch, capsys, tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    monkeypatch.setattr(sys, "argv", ["history.py", str(tmp_path / "run.json")])
    assert history.main() == 2
    assert capsys.readouterr().err.startswith("Error: a file is no run of pytest-benchmark")


def test_the_command_prints_the_history(monkeypatch, capsys, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(run("2026-01-01T00:00:00+00:00", a=1.0)))
    monkeypatch.setattr(sys, "argv", ["history.py", str(tmp_path / "run.json")])
    assert history.main() == 0
    (only,) = json.loads(capsys.readouterr().out)
    assert only["metrics"] == [{"name": "a per s", "value": 1.0}]
