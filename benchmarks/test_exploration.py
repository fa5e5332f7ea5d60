"""Exploring strategies: states per second, with two callers of each, and with three of the source's design.

The limit: a step is a statement of the modelled InnoDB, and a state is reached again from the beginning.
"""

from __future__ import annotations

import pytest

from chatsim.chat.creation import STRATEGIES
from chatsim.experiments.exploring.exploring import Exploring


def explored(benchmark, name, rounds, **how):
    """Explore a strategy, and note what was seen."""
    result = benchmark.pedantic(lambda: Exploring(**how).strategy(STRATEGIES[name]), rounds=rounds)
    found = result.found
    assert found.whole
    seconds = benchmark.stats.stats.median
    benchmark.extra_info["states"] = found.states
    benchmark.extra_info["interleavings"] = found.interleavings
    benchmark.extra_info["states_per_s"] = round(found.states / seconds)


@pytest.mark.parametrize("name", STRATEGIES)
def test_two_callers_are_explored(benchmark, sized, name):
    """All interleavings of two callers who ask for one pair, on empty tables; per exploration."""
    benchmark.group = "two callers"
    explored(benchmark, name, rounds=sized(3, 1), callers=2)


@pytest.mark.parametrize(("prune", "workers"), [(False, 1), (False, 2), (True, 1)], ids=["all", "2 workers", "pruned"])
def test_three_callers_of_for_update_are_explored(benchmark, sized, prune, workers):
    """128 million interleavings; with fewer orders, they are not counted. Per exploration; two callers if short."""
    benchmark.group = "three callers of for_update"
    explored(benchmark, "for_update", rounds=1, callers=sized(3, 2), prune=prune, workers=workers)
