"""How near predictions are: errors, intervals, what is not judged, and the order of strategies."""

import numpy as np
import pytest

from chatsim.experiments.fidelity.judging import Comparison, compared, judged, ranking, widened

POINT = ("race, 3 clients", ("mine", "strangers"))


def comparison(measured, predicted, measure="goodput_per_s", point=POINT):
    return Comparison(point, measure, measured, predicted)


def test_the_error_is_that_of_the_medians():
    one = comparison([90.0, 100.0, 300.0], [80.0, 110.0, 120.0])
    assert (one.measured, one.predicted, one.error) == (100.0, 110.0, pytest.approx(0.1))


def test_the_interval_has_nine_tenths_of_the_predictions():
    one = comparison([100.0], [float(value) for value in range(101)])
    assert one.interval == (5.0, 95.0)
    assert not one.within
    assert comparison([50.0], [40.0, 60.0]).within


def test_intervals_are_as_wide_as_the_model_is_off_in_known_settings():
    known = [comparison([100.0], [100.0 * 1.01**off]) for off in range(1, 20)]
    near, far = widened([comparison([100.0], [118.0]), comparison([100.0], [130.0])], known)
    assert near.slack == far.slack == pytest.approx(np.log(1.01**18), rel=0.01)
    assert near.interval == pytest.approx((118.0 / 1.01**18, 118.0 * 1.01**18), rel=0.01)
    assert (near.within, far.within) == (True, False)


def test_a_measure_that_is_in_no_known_setting_keeps_its_interval():
    shaky = comparison([60.0, 100.0, 140.0], [500.0], "p50_ms")
    (one,) = widened([comparison([100.0], [118.0], "p50_ms")], [comparison([100.0], [900.0]), shaky])
    assert one.interval == (118.0, 118.0)


def test_predictions_that_scatter_more_than_they_are_off_get_a_narrower_interval():
    known = [comparison([100.0], [50.0, 200.0])] * 30
    (one,) = widened([comparison([100.0], [50.0, 200.0])], known)
    assert one.slack < 0
    assert one.interval == pytest.approx((100.0, 110.7), rel=0.01)


def test_what_the_server_varies_in_is_not_judged():
    steady, shaky = comparison([100.0, 101.0, 99.0], [100.0]), comparison([60.0, 100.0, 140.0], [100.0])
    assert (steady.why_not, shaky.why_not) == ("", "the server varies")
    assert comparison([100.0], [100.0]).spread == 0.0


def test_a_count_that_hardly_ever_happens_is_not_judged():
    assert comparison([0.001], [0.5], "deadlocks_per_op").why_not == "too seldom"
    assert comparison([0.0], [0.5], "p50_ms").why_not == "too seldom"
    assert comparison([0.5], [0.5], "deadlocks_per_op").why_not == ""


def test_a_measure_is_judged_by_the_median_of_its_errors():
    points = [comparison([100.0], [100.0 + 2 * at], point=(f"case {at}", ("mine",))) for at in range(5)]
    shaky = comparison([60.0, 100.0, 140.0], [500.0], point=("shaky", ("mine",)))
    (one,) = judged([*points, shaky])
    assert (one.judged, one.left_out, one.error, one.met) == (5, 1, pytest.approx(0.04), True)
    assert one.coverage == 0.2


def test_a_measure_that_misses_its_target_says_so_and_one_without_a_target_says_nothing():
    far, other = comparison([100.0], [120.0]), comparison([1.0], [9.0], "retries_per_op")
    assert [each.met for each in judged([far, other])] == [False, None]


def test_where_nothing_could_be_judged_there_is_no_error():
    (one,) = judged([comparison([0.0], [1.0], "deadlocks_per_op")])
    assert (one.judged, one.error, one.coverage, one.met) == (0, None, None, None)


def test_points_are_compared_that_both_have():
    mine, other = ("a", ("x",)), ("b", ("x",))
    found = compared(
        [{mine: {"goodput_per_s": 1.0, "p99_ms": 5.0}, other: {"goodput_per_s": 2.0}}],
        [{mine: {"goodput_per_s": 1.5, "p50_ms": 3.0}}],
    )
    assert [(each.point, each.measure) for each in found] == [(mine, "goodput_per_s")]


def strategies(measured, predicted, pattern="strangers"):
    return [
        comparison([one], [other], point=("race, 3 clients", (name, pattern)))
        for name, one, other in zip("abcd", measured, predicted, strict=True)
    ]


def test_the_order_of_strategies_is_compared_by_case_and_pattern():
    same = strategies([1, 2, 3, 4], [10, 20, 30, 40])
    turned = strategies([1, 2, 3, 4], [4, 3, 2, 1], "same_pair")
    assert ranking([*same, *turned]) == {
        ("race, 3 clients", "strangers"): pytest.approx(1.0),
        ("race, 3 clients", "same_pair"): pytest.approx(-1.0),
    }


def test_a_single_strategy_has_no_order():
    assert ranking([comparison([1.0], [1.0])]) == {}


def test_what_has_nothing_to_be_ranked_by_has_no_order():
    texts = [comparison([one], [one], point=("delivery, 3 pairs", ("", path))) for one, path in ((1, "a"), (2, "b"))]
    assert ranking(texts) == {}


def test_protocols_of_a_catch_up_are_ordered_by_their_time():
    times = [
        comparison([one], [other], "caught_up_ms", point=("catch-up", (name,)))
        for name, one, other in (("source", 30.0, 3.0), ("bulk", 10.0, 1.0), ("pipelined", 20.0, 2.0))
    ]
    assert ranking(times) == {("catch-up", ""): pytest.approx(1.0)}


def test_the_same_time_is_within_its_interval_however_a_clock_rounds():
    assert comparison([1.0 + 1e-13], [1.0, 1.0], "p50_ms").within
