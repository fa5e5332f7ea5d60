"""A result is a table: its numbers are those that a hand computes, and all of it can be saved and read back."""

import json
import tomllib

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from chatsim.db.deadlock import Deadlock, Lock, LockKind, Participant
from chatsim.experiments import history
from chatsim.experiments.checks import Verdict, Word
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.result import Result, Variant, compare, describe_machine, percentile
from chatsim.worlds.world import Costs

CONDITIONS = ["strategy", "pattern", "world", "layer", "engine", "server_version", "existing", "ids", "retry"]
MEASURES = [
    "operations",
    "goodput_per_s",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "retries_per_op",
    "deadlocks_per_op",
    "duplicate_pairs",
    "orphan_threads",
    "verdict",
    "why",
]
ENVIRONMENT = {
    "engine": "MySQL",
    "server_version": "9.7.4",
    "profile": "quick",
    "settings": {"log_bin": 0, "sync_binlog": 1},
}


def operation(start, end, *, intended=None, outcome=Outcome.OK, refusals=(), thread=7, client=0):
    return Operation(
        client=client,
        round=0,
        uid=1,
        other=2,
        intended=start if intended is None else intended,
        start=start,
        end=end,
        outcome=outcome,
        attempts=len(refusals) + (outcome is Outcome.OK),
        refusals=refusals,
        thread=thread if outcome is Outcome.OK else None,
    )


def variant(operations, strategy="mine", *, pattern="same_pair", window=2.0, deadlock=None):
    return Variant(
        strategy=strategy,
        pattern=pattern,
        operations=operations,
        window_s=window,
        costs=Costs(round_trips=40, statements=80, rows_examined=20, lock_waits=4),
        verdict=Verdict(Word.UNSAFE, "as it happens", duplicate_pairs=3),
        orphans=5,
        deadlock=deadlock,
    )


def result(*variants):
    return Result(Race(strategies="upsert", seed=7).config("mysql"), dict(ENVIRONMENT), list(variants))


def latencies(scale=1.0, count=100):
    """A result whose latencies are 1 to 100 ms, times ``scale``."""
    return result(variant([operation(0.0, scale * (1 + at % 100) / 1e3) for at in range(count)], window=scale))


def a_deadlock():
    gap = Lock("private_chat", "uniq_private_thread", "X", LockKind.GAP, "(90, 95)")
    wish = Lock("private_chat", "uniq_private_thread", "X", LockKind.INSERT_INTENTION, "(90, 95)")
    participants = tuple(Participant(number, 10 + number, "INSERT", (gap,), wish, 6) for number in (1, 2))
    return Deadlock(participants, 2, "as the server wrote it")


# --- percentiles


@pytest.mark.parametrize(("q", "least"), [(50, 10), (95, 100), (99, 500), (5, 100)])
def test_a_percentile_wants_five_samples_beyond_it(q, least):
    assert percentile(np.arange(least - 1), q) is None
    assert percentile(np.arange(least), q) == pytest.approx(np.percentile(np.arange(least), q))


def test_there_is_no_percentile_of_nothing():
    assert percentile(np.array([]), 50) is None


# --- measures


def test_the_measures_are_those_a_hand_computes():
    late = [operation(1.0, 1.25, intended=0.75) for _ in range(10)]  # 500 ms, though served in 250 ms
    retried = [operation(0.0, 0.1, refusals=(1213, 1062)), operation(0.0, 0.1, refusals=(1213,))]
    refused = [
        operation(0.0, 9.0, outcome=Outcome.FAIL, refusals=(1213,)),
        operation(0.0, 9.0, outcome=Outcome.UNKNOWN, refusals=(2013,)),
    ]
    row = variant(late + retried + refused).measures()
    assert row["operations"] == 14
    assert row["goodput_per_s"] == 6.0, "12 that succeeded in 2 s"
    assert row["p50_ms"] == pytest.approx(500.0), "from the intended start, successful ones only"
    assert row["p95_ms"] is None
    assert row["p99_ms"] is None
    assert row["retries_per_op"] == pytest.approx(3 / 14)
    assert row["deadlocks_per_op"] == pytest.approx(3 / 14)
    assert row["refusals"] == {"1062": 1, "1213": 3, "2013": 1}
    assert row["failed"] == 2
    assert (row["duplicate_pairs"], row["orphan_threads"]) == (3, 5)
    assert (row["verdict"], row["why"]) == ("unsafe", "as it happens")
    assert row["round_trips_per_op"] == pytest.approx(40 / 14)
    assert row["statements_per_op"] == pytest.approx(80 / 14)
    assert row["rows_examined_per_op"] == pytest.approx(20 / 14)
    assert row["lock_waits_per_op"] == pytest.approx(4 / 14)


def test_the_measures_of_nothing_are_no_division_by_zero():
    row = variant([], window=0.0).measures()
    assert (row["operations"], row["retries_per_op"], row["deadlocks_per_op"]) == (0, 0, 0)
    assert row["goodput_per_s"] is row["p50_ms"] is None


# --- the table


def test_a_row_has_its_conditions_then_its_measures():
    (row,) = result(variant([operation(0, 1)])).rows()
    assert [name for name in row if name in CONDITIONS + MEASURES] == CONDITIONS + MEASURES
    told = {name: row[name] for name in CONDITIONS}
    assert told == {
        "strategy": "mine",
        "pattern": "same_pair",
        "world": "mysql",
        "layer": "store",
        "engine": "MySQL",
        "server_version": "9.7.4",
        "existing": 0,
        "ids": "random",
        "retry": "retry",
    }
    assert row["seed"] == 7


def test_the_rows_are_json():
    rows = latencies().rows()
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_the_samples_have_a_row_per_operation_with_its_variant():
    samples = result(variant([operation(0, 1), operation(1, 3)]), variant([operation(0, 1)], "other")).samples
    assert list(samples["strategy"]) == ["mine", "mine", "other"]
    assert list(samples["latency_ms"]) == [1000.0, 2000.0, 1000.0]
    assert list(samples.index) == [0, 1, 2]


def test_the_summary_has_a_row_per_variant():
    summary = result(variant([operation(0, 1)]), variant([operation(0, 1)], "other")).summary()
    assert list(summary["strategy"]) == ["mine", "other"]


def test_the_html_shows_the_table_and_the_conditions():
    html = latencies()._repr_html_()
    for word in ("mine", "same_pair", "p95 ms", "unsafe", "MySQL 9.7.4", "seed 7"):
        assert word in html


def test_the_text_shows_the_table_and_the_conditions():
    *table, conditions = repr(latencies()).splitlines()
    assert conditions == latencies().conditions()
    assert len(table) == 2
    assert table[0].split()[:4] == ["strategy", "pattern", "verdict", "ok/s"]
    assert table[1].split()[:4] == ["mine", "same_pair", "unsafe", "100.0"]
    assert table[1].split()[4:7] == ["50.5", "95.05", "–"], "100 samples carry no 99th percentile"


def test_the_conditions_say_what_a_headline_must_carry():
    assert latencies().conditions() == (
        "MySQL 9.7.4, profile quick, binary log off; layer store, closed loop, 16 clients, 100 rounds, 0 rows before, "
        "random ids, retry policy retry, seed 7"
    )


@pytest.mark.parametrize(("settings", "said"), [({"log_bin": 1}, "on"), ({"log_bin": 0}, "off"), (None, "?")])
def test_the_binary_log_is_said(settings, said):
    one = latencies()
    one.environment["settings"] = settings
    assert f"binary log {said};" in one.conditions()


def test_a_deadlock_is_found_by_its_strategy():
    one = a_deadlock()
    both = result(variant([]), variant([], "other", deadlock=one))
    assert both.deadlock() is both.deadlock("other") is one
    assert both.deadlock("mine") is None


def test_plot_gives_a_figure():
    assert isinstance(latencies().plot(), Figure)


# --- an empty result


def test_an_empty_result_is_a_valid_one(tmp_path):
    empty = result()
    assert empty.rows() == []
    assert empty.summary().empty
    assert list(empty.samples.columns) == list(history.frame([]).columns)
    assert repr(empty) == "nothing was measured"
    assert empty._repr_html_() == "<p>nothing was measured</p>"
    assert empty.deadlock() is None
    home = empty.save(tmp_path / "empty")
    assert json.loads((home / "summary.json").read_text()) == []
    assert not (home / "summary.png").exists()
    assert compare(empty, latencies()).empty


# --- saving


def test_what_is_saved_can_be_read_back(tmp_path):
    one = result(
        variant([operation(0, 1), operation(0, 1, outcome=Outcome.FAIL, refusals=(1213, 1213))]),
        variant([operation(0, 2)], "other", deadlock=a_deadlock()),
    )
    one.environment |= describe_machine()
    home = one.save(tmp_path / "deep" / "down")
    assert home == tmp_path / "deep" / "down"
    assert {path.name for path in home.iterdir()} == {
        "samples.parquet",
        "summary.json",
        "environment.json",
        "config.toml",
        "history.jsonl",
        "summary.png",
        "deadlock-other-same_pair.txt",
        "deadlock-other-same_pair.png",
    }
    samples = pd.read_parquet(home / "samples.parquet")
    samples["refusals"] = samples["refusals"].map(tuple)
    pd.testing.assert_frame_equal(samples, one.samples, check_dtype=False)
    assert json.loads((home / "summary.json").read_text()) == one.rows()
    assert json.loads((home / "environment.json").read_text()) == one.environment
    config = {name: value for name, value in one.config.items() if value is not None}  # TOML knows no null
    assert tomllib.loads((home / "config.toml").read_text()) == config
    assert history.read(home / "history.jsonl") == [
        ({"strategy": each.strategy, "pattern": each.pattern}, step)
        for each in one.variants
        for step in each.operations
    ]
    for name in ("summary.png", "deadlock-other-same_pair.png"):
        assert (home / name).read_bytes().startswith(b"\x89PNG")
    assert (home / "deadlock-other-same_pair.txt").read_text() == "as the server wrote it"


def test_saving_again_into_the_same_folder_replaces_what_was_there(tmp_path):
    latencies(1.0).save(tmp_path)
    latencies(3.0).save(tmp_path)
    assert pd.read_parquet(tmp_path / "samples.parquet")["latency_ms"].max() == pytest.approx(300.0)


def test_the_saved_config_repeats_the_race(tmp_path):
    parameters = Race(strategies="upsert,user_row", patterns="strangers", existing=9, ids="rising", seed=3)
    home = Result(parameters.config("mysql")).save(tmp_path)
    config = tomllib.loads((home / "config.toml").read_text())
    assert (config.pop("experiment"), config.pop("world"), config.pop("layer")) == ("race", "mysql", "store")
    assert Race(**config) == parameters


# --- comparing


def test_identical_results_differ_by_nothing():
    (row,) = compare(latencies(), latencies()).to_dict("records")
    assert (row["strategy"], row["pattern"]) == ("mine", "same_pair")
    for name in ("mean", "median"):
        assert row[f"{name}_ratio"] == 1.0
        assert row[f"{name}_low"] < 1.0 < row[f"{name}_high"]
    assert row["goodput_ratio"] == 1.0


def test_a_result_twice_as_slow_has_a_ratio_of_two_whose_interval_excludes_one():
    (row,) = compare(latencies(), latencies(2.0)).to_dict("records")
    for name in ("mean", "median"):
        assert row[f"{name}_ratio"] == pytest.approx(2.0)
        assert 1.0 < row[f"{name}_low"] < 2.0 < row[f"{name}_high"]
    assert row["goodput_ratio"] == pytest.approx(0.5)


def test_more_samples_give_a_narrower_interval():
    widths = []
    for count in (100, 10_000):
        (row,) = compare(latencies(count=count), latencies(count=count)).to_dict("records")
        widths.append(row["mean_high"] - row["mean_low"])
    assert widths[1] < widths[0] / 5


def test_the_same_seed_gives_the_same_interval():
    one, other = latencies(), latencies(1.1)
    pd.testing.assert_frame_equal(compare(one, other, seed=3), compare(one, other, seed=3))
    assert not compare(one, other, seed=3).equals(compare(one, other, seed=4))


def test_less_confidence_gives_a_narrower_interval():
    one, other = latencies(), latencies(1.1)
    wide, narrow = compare(one, other), compare(one, other, confidence=0.5)
    assert wide["mean_low"][0] < narrow["mean_low"][0] < narrow["mean_high"][0] < wide["mean_high"][0]


def test_only_successful_operations_are_compared():
    slow = operation(0, 1_000, outcome=Outcome.FAIL, refusals=(1213,))
    other = latencies()
    other.variants[0] = variant([*other.variants[0].operations, slow], window=1.0)
    (row,) = compare(latencies(), other).to_dict("records")
    assert (row["mean_ratio"], row["goodput_ratio"]) == (1.0, 1.0)


def test_only_what_both_have_is_compared():
    one = result(*latencies().variants, variant([operation(0, 1)], "only here"))
    other = result(variant([operation(0, 1)], "only there"), *latencies().variants)
    assert list(compare(one, other)["strategy"]) == ["mine"]


@pytest.mark.parametrize("good", [0, 1])
def test_too_few_successes_to_compare_give_no_number(good):
    few = result(variant([operation(0, 1, outcome=Outcome.FAIL, refusals=(1213,))] * 9 + [operation(0, 1)] * good))
    for one, other in ((few, latencies()), (latencies(), few)):
        (row,) = compare(one, other).to_dict("records")
        assert np.isnan([row["mean_ratio"], row["mean_low"], row["median_high"]]).all()
