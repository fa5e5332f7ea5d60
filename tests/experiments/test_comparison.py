"""Two results differ by quotients with intervals over their repetitions; operations of one run give no interval."""

import dataclasses

import pytest

from chatsim.experiments.checks import Verdict, Word
from chatsim.experiments.comparison import compare
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.paging.experiment import Pages
from chatsim.experiments.variant import Variant
from chatsim.worlds.world import BadParameterError


def race(*values, strategy="upsert", word=Word.SAFE, **environment):
    """A race with a repetition for each value: its median in ms."""
    result = Race(strategies="upsert", repeats=max(len(values), 1)).result("mysql")
    result.environment |= environment
    for seed, value in enumerate(values, start=1):
        measures = {"p50_ms": value, "deadlocks_per_op": 0.0, "duplicate_pairs": 0, "operations": 100}
        measures |= {"goodput_per_s": 100.0, "p99_ms": None}
        key = {"strategy": strategy, "pattern": "same_pair"}
        result.add(Variant(key, measures, Verdict(word, "as it happens"), seed=seed))
    return result


def row(comparison, measure="p50_ms"):
    (found,) = [each for each in comparison.rows if each["measure"] == measure]
    return found


def test_one_run_against_one_run_has_no_interval_and_says_so():
    found = row(compare(race(2.0), race(3.0)))
    assert (found["base"], found["other"], found["ratio"]) == (2.0, 3.0, pytest.approx(1.5))
    assert (found["low"], found["high"], found["note"]) == (None, None, "one run each: no interval")


def test_a_run_of_one_side_only_has_no_interval_either():
    assert row(compare(race(2.0, 2.1), race(3.0)))["note"] == "one run on one side: no interval"


def test_repetitions_have_an_interval_and_a_word():
    base = race(2.0, 2.1, 1.9, 2.05)
    assert row(compare(base, race(4.0, 4.1, 4.2)))["note"] == "higher"
    assert row(compare(base, race(1.0, 1.1, 1.2)))["note"] == "lower"
    same = row(compare(base, race(2.1, 1.95, 2.0)))
    assert (same["note"], same["low"] < 1 < same["high"]) == ("no difference shown", True)
    exact = row(compare(race(2.0, 2.0), race(2.0, 2.0)))
    assert (exact["ratio"], exact["low"], exact["high"], exact["note"]) == (1.0, 1.0, 1.0, "equal")


def test_more_confidence_gives_a_wider_interval():
    base, other = race(2.0, 2.1, 1.9), race(2.1, 2.2, 2.0)
    narrow, wide = (row(compare(base, other, confidence=level)) for level in (0.5, 0.95))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


def test_a_count_that_is_zero_has_no_quotient_and_totals_are_not_compared():
    found = compare(race(2.0, 2.1), race(2.0, 2.2))
    assert row(found, "deadlocks_per_op")["note"] == "zero somewhere: no quotient"
    assert {each["measure"] for each in found.rows} == {"p50_ms", "goodput_per_s", "deadlocks_per_op"}


@pytest.mark.parametrize("confidence", [0, 1, 95, -0.1])
def test_a_level_that_is_none_is_refused(confidence):
    with pytest.raises(BadParameterError, match="it must be between 0 and 1"):
        compare(race(1.0), race(1.0), confidence=confidence)


def test_results_that_have_nothing_in_common_are_an_error_that_names_what_each_has():
    with pytest.raises(BadParameterError) as raised:
        compare(race(1.0), race(1.0, strategy="user_row"))
    assert str(raised.value) == (
        "the results have nothing in common: one has race: upsert, same_pair; the other has race: user_row, same_pair"
    )
    with pytest.raises(BadParameterError, match=r"one has race: nothing; the other has pages: nothing"):
        compare(race(), Pages().result("mysql"))


def test_results_of_two_experiments_have_nothing_in_common_whatever_their_rows_are_called():
    other = race(1.0)
    other.config["experiment"] = "delivery"
    with pytest.raises(BadParameterError, match="nothing in common"):
        compare(race(1.0), other)


def test_only_what_both_have_is_compared():
    one, other = race(1.0), race(2.0)
    one.variants.append(dataclasses.replace(one.variants[0], key={"strategy": "only here", "pattern": "same_pair"}))
    assert {each["strategy"] for each in compare(one, other).rows} == {"upsert"}


def test_what_is_not_the_same_is_said_with_the_costs_and_versions():
    one = race(1.0, engine="MySQL", costs={"database": {"flush": 0.001}}, started="now", other_load=0.2)
    other = race(1.0, 1.1, engine="MySQL", costs={"database": {"flush": 0.002}}, started="then", other_load=1.9)
    assert compare(one, other).differences == [
        "Not the same parameters: repeats is 1 there, 2 here.",
        "Not the same environment: costs.database.flush is 0.001 there, 0.002 here.",
    ]


def test_a_verdict_that_differs_is_said():
    assert (
        "upsert, same_pair is safe there, unsafe here." in compare(race(1.0), race(1.0, word=Word.UNSAFE)).differences
    )


def test_it_is_shown_as_a_table_and_says_how_many_intervals_miss_by_chance():
    found = compare(race(2.0, 2.1, 1.9), race(2.1, 2.2, 2.0))
    assert "p50_ms" in repr(found)
    assert "Of 2 intervals of 95 %, about 0.1 exclude 1 by chance." in repr(found)
    assert "no difference shown" in found._repr_html_()
    assert [*found.table().columns][:3] == ["strategy", "pattern", "measure"]


def test_saved_results_are_compared_by_their_folders(tmp_path):
    folders = [race(2.0, 2.1).save(tmp_path / "a"), race(3.0, 3.3).save(tmp_path / "b")]
    assert compare(*folders).rows == compare(race(2.0, 2.1), race(3.0, 3.3)).rows
    with pytest.raises(BadParameterError, match="has no saved result"):
        compare(folders[0], tmp_path / "nothing")
