"""Percentiles are only those that a sample carries, and intervals over repetitions keep their level."""

import numpy as np
import pytest
from scipy import stats

from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.statistics import latencies_ms, mean_interval, percentile, ratio_interval


def operation(start, end, *, intended=None, outcome=Outcome.OK):
    return Operation(0, 0, "create", {}, start if intended is None else intended, start, end, outcome)


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


# --- intervals over repetitions


def test_one_repetition_has_no_interval():
    assert mean_interval([3.0]) is None
    assert mean_interval([]) is None
    assert ratio_interval([2.0], [3.0]) == (pytest.approx(1.5), None, None)
    assert ratio_interval([2.0, 2.5], [3.0]) == (pytest.approx(np.sqrt(9 / 5)), None, None)


def test_the_interval_of_a_mean_is_students():
    assert mean_interval([11.0, 12.0, 13.0]) == (pytest.approx(9.515862), pytest.approx(14.484138))
    assert mean_interval([1.0, 2.0, 3.0]) == (0.0, pytest.approx(4.484138)), "what is never negative has no such mean"
    assert mean_interval([-1.0, 2.0, 5.0])[0] == pytest.approx(2 - 4.302653 * np.sqrt(3), abs=1e-5)
    assert mean_interval([7.0, 7.0]) == (7.0, 7.0)


def test_the_interval_of_a_quotient_is_welchs_of_the_logarithms():
    base, other = [10.0, 11.0, 12.5, 9.0], [20.0, 26.0, 22.0]
    ratio, low, high = ratio_interval(base, other)
    known = stats.ttest_ind(np.log(other), np.log(base), equal_var=False).confidence_interval(0.95)
    assert (np.log(low), np.log(high)) == (pytest.approx(known.low), pytest.approx(known.high))
    assert ratio == pytest.approx(stats.gmean(other) / stats.gmean(base))
    narrow = ratio_interval(base, other, 0.5)
    assert low < narrow[1] < ratio < narrow[2] < high


def test_what_is_the_same_in_every_repetition_has_an_interval_without_width():
    assert ratio_interval([4.0, 4.0], [2.0, 2.0, 2.0]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("sides", "spreads"), [((5, 5), (0.1, 0.1)), ((5, 5), (0.05, 0.3)), ((3, 10), (0.2, 0.1))])
def test_an_interval_keeps_its_promise_with_few_repetitions(sides, spreads):
    rng = np.random.default_rng(1)
    missed, bootstrap_missed, count = 0, 0, 2_000
    for _ in range(count):
        base, other = (rng.lognormal(0, spread, size) for size, spread in zip(sides, spreads, strict=True))
        _, low, high = ratio_interval(base, other)
        missed += not low <= 1 <= high
        one, two = (rng.choice(np.log(each), (200, len(each))).mean(axis=1) for each in (base, other))
        bootstrap_missed += not np.quantile(two - one, 0.025) <= 0 <= np.quantile(two - one, 0.975)
    assert 0.035 <= missed / count <= 0.065
    assert bootstrap_missed / count > 0.08, "resampling a few repetitions gives intervals that are too narrow"
