"""A result is a table: its numbers are those that a hand computes, and all of it can be saved and read back."""

import dataclasses
import json
import tomllib

import pandas as pd
import pytest
from matplotlib.figure import Figure

from chatsim.db.deadlock import Deadlock, Lock, LockKind, Participant
from chatsim.db.errors import Kind
from chatsim.experiments import history
from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.checks import Verdict, Word
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.surroundings import describe_machine
from chatsim.experiments.talk.experiment import Talk
from chatsim.experiments.variant import Variant
from chatsim.worlds.world import BadParameterError

CONDITIONS = {
    "strategy": "mine",
    "pattern": "same_pair",
    "world": "mysql",
    "layer": "store",
    "engine": "MySQL",
    "server_version": "9.7.4",
    "profile": "quick",
    "existing": 0,
    "ids": "random",
    "retry": "retry",
    "seed": 7,
}
MEASURES = {
    "goodput_per_s": 50.0,
    "p50_ms": 50.5,
    "p95_ms": 95.05,
    "p99_ms": None,
    "retries_per_op": 0.0,
    "deadlocks_per_op": 0.0,
    "duplicate_pairs": 3,
    "orphan_threads": 5,
}
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
        kind="create",
        asked={"uid": 1, "other": 2},
        intended=start if intended is None else intended,
        start=start,
        end=end,
        outcome=outcome,
        attempts=len(refusals) + (outcome is Outcome.OK),
        refusals=refusals,
        value={"thread": thread} if outcome is Outcome.OK else {},
    )


def variant(operations, strategy="mine", *, pattern="same_pair", window=2.0, deadlock=None, measures=MEASURES):
    return Variant(
        key={"strategy": strategy, "pattern": pattern},
        measures=measures,
        verdict=Verdict(Word.UNSAFE, "as it happens"),
        operations=operations,
        window_s=window,
        deadlock=deadlock,
    )


def result(*variants):
    """A race's result, with what has not been measured."""
    empty = Race(strategies="upsert", seed=7).result("mysql")
    return dataclasses.replace(empty, environment=dict(ENVIRONMENT), variants=list(variants))


def latencies(scale=1.0, count=100):
    """A result whose latencies are 1 to 100 ms, times ``scale``."""
    return result(variant([operation(0.0, scale * (1 + at % 100) / 1e3) for at in range(count)], window=scale))


def a_deadlock():
    gap = Lock("private_chat", "uniq_private_thread", "X", LockKind.GAP, "(90, 95)")
    wish = Lock("private_chat", "uniq_private_thread", "X", LockKind.INSERT_INTENTION, "(90, 95)")
    participants = tuple(Participant(number, 10 + number, "INSERT", (gap,), wish, 6) for number in (1, 2))
    return Deadlock(participants, 2, "as the server wrote it")


# --- the table


def test_a_row_says_what_it_is_then_its_conditions_its_measures_and_its_verdict():
    (row,) = result(variant([operation(0, 1)])).rows()
    assert [*row][:2] == ["strategy", "pattern"]
    assert [*row][-3:] == ["verdict", "why", "remark"]
    assert [*row].index("server_version") < [*row].index("goodput_per_s")
    assert {name: row[name] for name in CONDITIONS} == CONDITIONS
    assert {name: row[name] for name in MEASURES} == MEASURES
    assert (row["verdict"], row["why"]) == ("unsafe", "as it happens")
    assert "strategies" not in row, "a row is of one of them"


def test_a_variant_has_its_columns_by_name_and_a_name_in_words():
    one = variant([operation(0, 1)])
    assert (one["strategy"], one["p50_ms"], one["verdict"], one.name) == ("mine", 50.5, "unsafe", "mine, same_pair")
    with pytest.raises(KeyError, match="p75_ms"):
        one["p75_ms"]


def test_a_variant_without_a_verdict_has_no_such_column():
    (row,) = result(dataclasses.replace(variant([]), verdict=None)).rows()
    assert not {"verdict", "why"} & {*row}


def test_the_rows_are_json():
    rows = latencies().rows()
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_the_samples_have_a_row_per_operation_with_its_variant():
    samples = result(variant([operation(0, 1), operation(1, 3)]), variant([operation(0, 1)], "other")).samples
    assert list(samples["strategy"]) == ["mine", "mine", "other"]
    assert list(samples["latency_ms"]) == [1000.0, 2000.0, 1000.0]
    assert list(samples.index) == [0, 1, 2]


def test_the_report_per_second_counts_each_operation_in_the_second_in_which_it_ended():
    steps = [operation(0.0, 0.5), operation(0.1, 1.2), operation(0.2, 1.4, outcome=Outcome.FAIL), operation(1.0, 3.5)]
    table = result(variant(steps), variant([operation(0.0, 0.25)], "other")).per_second()
    assert table.to_dict("split")["data"] == [
        ["mine", "same_pair", 1, 0, 1, 0, 500.0],
        ["other", "same_pair", 1, 0, 1, 0, 250.0],
        ["mine", "same_pair", 1, 1, 1, 1, pytest.approx(1_100.0)],
        ["mine", "same_pair", 1, 3, 1, 0, 2_500.0],
    ]
    assert result().per_second().empty


def test_the_report_per_second_is_drawn_with_a_line_for_each_variant():
    one = result(variant([operation(0.0, 0.5), operation(0.5, 1.5)]), variant([operation(0.0, 0.25)], "other"))
    operations, latency = one.plot_per_second().axes
    for ax in (operations, latency):
        assert [line.get_label() for line in ax.get_lines()] == ["mine, same_pair", "other, same_pair"]
    assert list(operations.get_lines()[0].get_ydata()) == [1, 1]


def test_the_summary_has_a_row_per_variant():
    summary = result(variant([operation(0, 1)]), variant([operation(0, 1)], "other")).summary()
    assert list(summary["strategy"]) == ["mine", "other"]


def test_the_html_shows_the_table_and_the_conditions():
    html = latencies()._repr_html_()
    for word in ("mine", "same_pair", "p95 ms", "unsafe", "MySQL 9.7.4", "seed 7"):
        assert word in html


def test_measures_that_do_not_depend_on_what_differs_are_shown_once():
    shared = {"pattern": ("p50_ms",)}
    twins = [variant([operation(0, 1)], pattern=each) for each in ("same_pair", "strangers")]
    shown = dataclasses.replace(result(*twins), shared=shared)
    assert shown.said_above() == [set(), {"p50_ms"}]
    assert (repr(shown).count("50.5"), shown._repr_html_().count("50.5")) == (1, 1)
    assert repr(dataclasses.replace(shown, shared={})).count("50.5") == 2


def test_the_text_shows_the_table_and_the_conditions():
    *table, conditions = repr(latencies()).splitlines()
    assert conditions == latencies().conditions()
    assert len(table) == 2
    assert table[0].split()[:4] == ["strategy", "pattern", "verdict", "ok/s"]
    assert table[1].split()[:4] == ["mine", "same_pair", "unsafe", "50.0"]
    assert table[1].split()[4:8] == ["50.5", "0.00", "0.00", "–"], "what is not known is a dash"


def test_what_is_known_of_no_variant_or_of_some_only_is_a_dash():
    without = {name: value for name, value in MEASURES.items() if name not in {"p50_ms", "orphan_threads"}}
    one = result(variant([], measures=without), variant([], "other", measures=without | {"p50_ms": 7}))
    table = one.table()
    assert [*table.columns] == [*one.shown.values()]
    assert [line.split()[4] for line in repr(one).splitlines()[1:3]] == ["–", "7"]
    assert [line.split()[-2] for line in repr(one).splitlines()[1:3]] == ["–", "–"]
    assert "nan" not in one._repr_html_()


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


def test_a_deadlock_of_a_name_that_is_not_there_names_those_there_are():
    with pytest.raises(BadParameterError, match=r"^the result has no 'nope'; it has: mine, same_pair, other$"):
        result(variant([]), variant([], "other")).deadlock("nope")


def test_plot_gives_a_figure():
    assert isinstance(latencies().plot(), Figure)


def test_a_remark_on_a_safe_verdict_stands_beside_it():
    safe = dataclasses.replace(
        variant([]), verdict=Verdict(Word.SAFE, "all got it", remark="750 threads without a chat")
    )
    one = result(safe)
    assert one.table()["verdict"].tolist() == ["safe, but 750 threads without a chat"]
    assert "safe, but 750 threads without a chat" in repr(one)
    labels = [label.get_text() for label in one.plot().axes[0].get_yticklabels()]
    assert labels == ["mine (750 threads without a chat)"]


def test_a_condition_that_does_nothing_for_a_row_is_not_said_of_it():
    one = CatchUp(protocols="direct,bulk", crashes=2, bandwidth=8).result("model")
    for protocol in ("direct", "bulk"):
        one.add(
            Variant({"protocol": protocol, "cursor": "user_version"}, {"crashes": 2} if protocol == "direct" else {})
        )
    direct, bulk = one.rows()
    assert (direct["crashes"], bulk["crashes"]) == (2, None)
    assert (direct["bandwidth"], bulk["bandwidth"]) == (None, 8.0)
    assert "crashes 2 with direct" in one.setting
    assert "bandwidth 8.0 with protocols other than direct" in one.setting


def test_a_caption_lists_only_what_was_done():
    direct = CatchUp(protocols="direct", cursors="user_version").result("model").setting
    assert "cursors user_version," in direct
    assert not any(word in direct for word in ("rtt 50", "history", "quiet"))
    bulk = CatchUp(protocols="bulk").result("model").setting
    assert "cursors user_version," in bulk, "the others are not tried by this protocol"
    assert not any(word in bulk for word in ("crashes", "batch", "writer rtt"))
    assert "down" not in Talk(crashes=0).result("model").setting


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


# --- saving


def test_what_is_saved_can_be_read_back(tmp_path):
    one = result(
        variant([operation(0, 1), operation(0, 1, outcome=Outcome.FAIL, refusals=(Kind.DEADLOCK, Kind.DEADLOCK))]),
        variant([operation(0, 2)], "other", deadlock=a_deadlock()),
    )
    one.environment |= describe_machine()
    home = one.save(tmp_path / "deep" / "down")
    assert home == tmp_path / "deep" / "down"
    assert {path.name for path in home.iterdir()} == {
        "result.json",
        "per-second.csv",
        "per-second.png",
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
        ({**each.key, "repeat": 1}, step) for each in one.variants for step in each.operations
    ]
    for name in ("summary.png", "deadlock-other-same_pair.png"):
        assert (home / name).read_bytes().startswith(b"\x89PNG")
    assert (home / "deadlock-other-same_pair.txt").read_text() == "as the server wrote it"


def test_saving_again_into_the_same_folder_replaces_what_was_there(tmp_path):
    latencies(1.0).save(tmp_path)
    latencies(3.0).save(tmp_path)
    assert pd.read_parquet(tmp_path / "samples.parquet")["latency_ms"].max() == pytest.approx(300.0)


def test_the_saved_config_repeats_the_race(tmp_path):
    parameters = Race(strategies="upsert,user_row", pattern="strangers", existing=9, ids="rising", seed=3)
    home = parameters.result("mysql").save(tmp_path)
    config = tomllib.loads((home / "config.toml").read_text())
    assert (config.pop("experiment"), config.pop("world")) == ("race", "mysql")
    assert Race(**config) == parameters


def test_what_slowed_the_server_down_is_shown_beneath_the_table():
    slowed = result(variant([]))
    slowed.environment["warnings"] = ["purge <lags>"]
    assert repr(slowed).endswith("\nWarning: the server was not by itself: purge <lags>")
    assert "Warning: the server was not by itself: purge &lt;lags&gt;" in slowed._repr_html_()
