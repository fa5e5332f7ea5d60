"""Base and head run in turns, and each benchmark is judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chatsim.experiments.timing.ratios import LEAST_PAIRS, Ratio, ratio
from chatsim.experiments.timing.runs import Benchmarks
from chatsim.experiments.timing.thresholds import Thresholds
from chatsim.worlds.world import BadParameterError

__all__ = ["SLOWER", "Row", "TimeComparison", "compare_times"]

SLOWER, FASTER, SAME = "slower", "faster", "no difference shown"

_SIDES = ("base", "head")


@dataclass(frozen=True)
class Row:
    """One benchmark.

    Attributes:
        benchmark: its name.
        ratio: how its times compare.
        threshold: the largest ratio.
    """

    benchmark: str
    ratio: Ratio
    threshold: float

    @property
    def verdict(self) -> str:
        """What came of it, in words."""
        if self.ratio.is_slower(self.threshold):
            return SLOWER
        return FASTER if self.ratio.is_faster(self.threshold) else SAME


@dataclass(frozen=True)
class TimeComparison:
    """What came of all pairs.

    Attributes:
        pairs: how many there were.
        rows: the benchmarks that both have.
        remarks: what else is to be said, a sentence each.
        failed: the benchmarks that failed in the head only.
    """

    pairs: int
    rows: Sequence[Row]
    remarks: Sequence[str] = ()
    failed: Sequence[str] = ()

    @property
    def slower(self) -> list[str]:
        """The benchmarks that are slower."""
        return [each.benchmark for each in self.rows if each.verdict == SLOWER]


def compare_times(
    base: Benchmarks,
    head: Benchmarks,
    *,
    pairs: int,
    thresholds: Thresholds,
    done: Callable[[], object] = lambda: None,
) -> TimeComparison:
    """Run both in turns, and compare each benchmark that both have.

    Who begins changes from pair to pair, so that neither is always the first on a machine that warms up.

    Args:
        base: the benchmarks of the base.
        head: those of the head.
        pairs: how often each side runs.
        thresholds: the largest ratios.
        done: called after each pair.

    Raises:
        BadParameterError: there are too few pairs, the benchmarks can't be run, or both have none in common.
    """
    if pairs < LEAST_PAIRS:
        raise BadParameterError(f"pairs is {pairs}; it must be {LEAST_PAIRS} or more")
    samples, complaints = _in_turns(dict(zip(_SIDES, (base, head), strict=True)), pairs, done)
    whole = {side: {name for name, own in samples[side].items() if len(own) == pairs} for side in _SIDES}
    both = [name for name in samples["head"] if name in whole["base"] & whole["head"]]
    if not both:
        said = "".join(f":\n{each}" for each in complaints.values())
        raise BadParameterError(f"base and head have no benchmark in common that can be run{said}")
    rows = [Row(name, ratio(samples["base"][name], samples["head"][name]), thresholds.of(name)) for name in both]
    remarks = [
        f"{name} is only in the {side}: not compared"
        for side, other in (_SIDES, reversed(_SIDES))
        for name in samples[side]
        if name not in samples[other]
    ]
    remarks += [f"a benchmark of the {side} has failed:\n{said}" for side, said in complaints.items()]
    failed = [name for name in samples["base"] if name not in both] if "head" in complaints else []
    return TimeComparison(pairs, rows, remarks, failed)


def _in_turns(
    sides: Mapping[str, Benchmarks], pairs: int, done: Callable[[], object]
) -> tuple[dict[str, dict[str, list[float]]], dict[str, str]]:
    """The samples by side and by benchmark, and the first complaint of each side. It ends early if they share none."""
    samples: dict[str, dict[str, list[float]]] = {side: defaultdict(list) for side in _SIDES}
    complaints: dict[str, str] = {}
    for number in range(pairs):
        for side in _SIDES if number % 2 == 0 else reversed(_SIDES):
            found = sides[side].run()
            if found.complaint:
                complaints.setdefault(side, found.complaint)
            for name, median in found.medians.items():
                samples[side][name].append(median)
        done()
        if not {*samples["base"]} & {*samples["head"]}:
            break
    return samples, complaints
