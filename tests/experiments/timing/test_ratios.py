"""Ratios of times, on samples whose answer is known."""

import numpy as np
import pytest

from chatsim.experiments.timing.ratios import ratio

THRESHOLD = 1.25


def noisy(count, scale=1.0, *, seed, spread=0.05):
    return scale * np.random.default_rng(seed).lognormal(0, spread, count)


def test_a_side_compared_with_itself_is_the_same():
    times = noisy(10, seed=1)
    found = ratio(times, times)
    assert (found.ratio, found.low, found.high, found.slower) == (1, 1, 1, 0.5)
    assert not found.is_slower(THRESHOLD)
    assert not found.is_faster(THRESHOLD)


@pytest.mark.parametrize("spread", [0.02, 0.2, 0.5])
def test_two_sides_of_one_distribution_raise_hardly_any_alarm(spread):
    alarms = sum(
        ratio(noisy(10, seed=2 * turn, spread=spread), noisy(10, seed=2 * turn + 1, spread=spread)).is_slower(THRESHOLD)
        for turn in range(200)
    )
    assert alarms <= 2


def test_a_head_that_takes_60_percent_more_is_slower():
    found = ratio(noisy(10, seed=1), noisy(10, 1.6, seed=2))
    assert found.ratio == pytest.approx(1.6, rel=0.1)
    assert found.low > 1.4
    assert found.slower == 1
    assert found.is_slower(THRESHOLD)


def test_a_head_that_takes_half_the_time_is_faster():
    found = ratio(noisy(10, seed=1), noisy(10, 0.5, seed=2))
    assert found.is_faster(THRESHOLD)
    assert not found.is_slower(THRESHOLD)


def test_a_head_that_takes_10_percent_more_is_within_the_threshold():
    found = ratio(noisy(10, seed=1, spread=0.01), noisy(10, 1.1, seed=2, spread=0.01))
    assert found.low > 1
    assert not found.is_slower(THRESHOLD)


def test_an_outlier_changes_nothing():
    base, head = noisy(10, seed=1), noisy(10, seed=2)
    spoilt = head.copy()
    spoilt[3] *= 50
    assert ratio(base, spoilt).ratio == pytest.approx(ratio(base, head).ratio, rel=0.05)
    assert not ratio(base, spoilt).is_slower(THRESHOLD)


def test_an_outlier_hides_no_regression():
    base = noisy(10, seed=1)
    base[3] *= 50
    assert ratio(base, noisy(10, 1.6, seed=2)).is_slower(THRESHOLD)


def test_a_machine_that_slows_down_meanwhile_makes_neither_side_slower():
    drift = np.linspace(1, 4, 10)
    found = ratio(noisy(10, seed=1) * drift, noisy(10, seed=2) * drift)
    assert found.ratio == pytest.approx(1, rel=0.1)
    assert not found.is_slower(THRESHOLD)


def test_ties_count_as_half():
    assert ratio([1, 1, 1, 1, 1], [1, 1, 1, 1, 2]).slower == pytest.approx(0.6)


def test_it_gives_the_same_each_time():
    base, head = noisy(10, seed=1), noisy(10, seed=2)
    assert ratio(base, head) == ratio(base, head)


@pytest.mark.parametrize(("base", "head"), [([1.0] * 4, [1.0] * 4), ([1.0] * 6, [1.0] * 5), ([], [])])
def test_too_few_pairs_are_refused(base, head):
    with pytest.raises(ValueError, match="5 pairs or more"):
        ratio(base, head)
