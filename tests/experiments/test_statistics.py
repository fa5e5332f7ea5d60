"""Percentiles are only those that a sample carries, and two results differ by ratios with their intervals."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.statistics import compare, latencies_ms, percentile
from chatsim.experiments.variant import Variant


def operation(start, end, *, intended=None, outcome=Outcome.OK):
    return Operation(0, 0, "create", {}, start if intended is None else intended, start, end, outcome)


def variant(operations, strategy="mine", *, window=2.0):
    return Variant({"strategy": strategy, "pattern": "same_pair"}, {}, operations=operations, window_s=window)


def result(*variants):
    return dataclasses.replace(Race(strategies="upsert").result("mysql"), variants=list(variants))


def latencies(scale=1.0, count=100):
    """A result whose latencies are 1 to 100 ms, times ``scale``."""
    return result(variant([operation(0.0, scale * (1 + at % 100) / 1e3) for at in range(count)], window=scale))


# --- percentiles


@pytest.mark.parametrize(("q", "least"), [(50, 10), (95, 100), (99, 500), (5, 100)])
def test_a_percentile_wants_five_samples_beyond_it(q, least):
    assert percentile(np.arange(least - 1), q) is None
    assert percentile(np.arange(least), q) == pytest.approx(np.percentile(np.arange(least), q))


def test_there_is_no_percentile_of_nothing():
    assert percentile(np.array([]), 50) is None


# --- latencies


def test_latencies_are_those_of_what_ended_well_from_when_it_was_due_or_from_its_start():
    one = [operation(1.0, 1.25, intended=0.75), operation(0.0, 9.0, outcome=Outcome.FAIL)]
    assert list(latencies_ms(one)) == [500.0]
    assert list(latencies_ms(one, service=True)) == [250.0]
    assert len(latencies_ms([])) == 0


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
    slow = operation(0, 1_000, outcome=Outcome.FAIL)
    other = latencies()
    other.variants[0] = variant([*other.variants[0].operations, slow], window=1.0)
    (row,) = compare(latencies(), other).to_dict("records")
    assert (row["mean_ratio"], row["goodput_ratio"]) == (1.0, 1.0)


def test_results_that_have_nothing_in_common_or_nothing_at_all_have_no_rows():
    assert compare(result(), latencies()).empty
    assert compare(latencies(), result()).empty
    assert compare(latencies(), result(variant([operation(0, 1)], "other"))).empty


def test_only_what_both_have_is_compared():
    one = result(*latencies().variants, variant([operation(0, 1)], "only here"))
    other = result(variant([operation(0, 1)], "only there"), *latencies().variants)
    assert list(compare(one, other)["strategy"]) == ["mine"]


@pytest.mark.parametrize("good", [0, 1])
def test_too_few_successes_to_compare_give_no_number(good):
    few = result(variant([operation(0, 1, outcome=Outcome.FAIL)] * 9 + [operation(0, 1)] * good))
    for one, other in ((few, latencies()), (latencies(), few)):
        (row,) = compare(one, other).to_dict("records")
        assert np.isnan([row["mean_ratio"], row["mean_low"], row["median_high"]]).all()
