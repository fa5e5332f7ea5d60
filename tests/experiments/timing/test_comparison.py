"""Base and head in turns: which benchmarks are compared, and what is said of the others."""

import pytest

from chatsim.experiments.timing.comparison import compare_times
from chatsim.experiments.timing.runs import Run
from chatsim.experiments.timing.thresholds import Thresholds
from chatsim.worlds.world import BadParameterError


class Fake:
    """Benchmarks whose medians are known; ``order`` gets its name at each run."""

    def __init__(self, name, order, *runs):
        self._name, self._order, self._runs = name, order, runs

    def run(self):
        found = self._runs[self._order.count(self._name) % len(self._runs)]
        self._order.append(self._name)
        return found if isinstance(found, Run) else Run(found)


def compared(base, head, *, pairs=6, thresholds=None):
    order = []
    sides = Fake("base", order, *base), Fake("head", order, *head)
    return compare_times(*sides, pairs=pairs, thresholds=thresholds or Thresholds()), order


def test_who_begins_changes_from_pair_to_pair():
    _, order = compared([{"a": 1.0}], [{"a": 1.0}], pairs=5)
    assert order == ["base", "head", "head", "base", "base", "head", "head", "base", "base", "head"]


def test_only_a_benchmark_beyond_its_threshold_is_slower():
    found, _ = compared([{"a": 1.0, "b": 1.0, "c": 1.0}], [{"a": 1.6, "b": 1.2, "c": 0.5}])
    assert {each.benchmark: each.verdict for each in found.rows} == {
        "a": "slower",
        "b": "no difference shown",
        "c": "faster",
    }
    assert found.slower == ["a"]


def test_a_benchmark_can_have_a_threshold_of_its_own():
    limits = Thresholds(by_pattern={"a*": 2.0, "b*": 1.1})
    found, _ = compared([{"a": 1.0, "b": 1.0}], [{"a": 1.6, "b": 1.2}], thresholds=limits)
    assert found.slower == ["b"]


def test_a_benchmark_that_is_slow_only_sometimes_is_not_slower():
    found, _ = compared([{"a": 1.0}], [{"a": 1.0}, {"a": 3.0}])
    assert found.slower == []


def test_a_benchmark_that_only_one_of_them_has_is_named():
    found, _ = compared([{"a": 1.0, "old": 1.0}], [{"a": 1.0, "new": 1.0}])
    assert [each.benchmark for each in found.rows] == ["a"]
    assert found.remarks == ["old is only in the base: not compared", "new is only in the head: not compared"]
    assert found.failed == []


def test_one_that_fails_in_the_head_is_a_failure_and_its_output_is_shown():
    found, _ = compared([{"a": 1.0, "b": 1.0}], [Run({"a": 1.0}, "b: AssertionError")])
    assert found.failed == ["b"]
    assert "a benchmark of the head has failed:\nb: AssertionError" in found.remarks


def test_one_that_fails_once_is_not_compared():
    found, _ = compared([{"a": 1.0, "b": 1.0}], [{"a": 1.0, "b": 1.0}, Run({"a": 1.0}, "b failed")])
    assert [each.benchmark for each in found.rows] == ["a"]
    assert found.failed == ["b"]


def test_nothing_in_common_is_an_error():
    with pytest.raises(BadParameterError, match="no benchmark in common"):
        compared([{"old": 1.0}], [{"new": 1.0}])


def test_too_few_pairs_are_an_error_before_anything_runs():
    with pytest.raises(BadParameterError, match="pairs is 4; it must be 5 or more"):
        compare_times(None, None, pairs=4, thresholds=Thresholds())
