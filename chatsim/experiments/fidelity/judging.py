"""How near predictions are to what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from chatsim.experiments.fidelity.cases import MEASURES, Point, Values

__all__ = ["STEADY", "TARGETS", "Comparison", "Judgement", "compared", "judged", "ranking", "widened"]

STEADY = 0.15
"""A point whose measurements vary more than this is not judged: their standard deviation, divided by their mean."""

_SELDOM = 0.01
"""A count for each operation below this has no relative error."""

TARGETS: Mapping[str, float] = {"goodput_per_s": 0.05, "p50_ms": 0.05, "p99_ms": 0.10, "deadlocks_per_op": 0.10}
"""The median relative error that a measure should have at most."""

_ROUNDING = 1e-9
"""What two times may differ in that are the same: they are differences of readings of a clock."""

_ORDERED_BY = ("goodput_per_s", "caught_up_ms")
"""The measures by which strategies are ordered: each case has one of them."""


@dataclass(frozen=True)
class Comparison:
    """One measure of one point: its measurements, and predictions.

    Attributes:
        point: the case and the variant.
        measure: the measure's name.
        measurements: one value of each run on the server.
        predictions: one value of each run in the model, each with costs drawn from their uncertainty.
        slack: by how much their interval is wider on either side, in logarithms: what the model itself is wrong by.
    """

    point: Point
    measure: str
    measurements: Sequence[float] = field(repr=False)
    predictions: Sequence[float] = field(repr=False)
    slack: float = 0.0

    @property
    def variant(self) -> str:
        """The variant of the point, in words."""
        return ", ".join(filter(None, self.point[1]))

    @property
    def measured(self) -> float:
        """The median of the measurements."""
        return float(np.median(self.measurements))

    @property
    def predicted(self) -> float:
        """The median of the predictions."""
        return float(np.median(self.predictions))

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of 90 % of the predictions, with its slack."""
        low, high = np.quantile(self.predictions, (0.05, 0.95))
        return float(low * np.exp(-self.slack)), float(high * np.exp(self.slack))

    @property
    def within(self) -> bool:
        """Whether the interval has the measured value."""
        low, high = self.interval
        return low * (1 - _ROUNDING) <= self.measured <= high * (1 + _ROUNDING)

    @property
    def error(self) -> float:
        """The relative error of the prediction."""
        return abs(self.predicted - self.measured) / self.measured

    @property
    def spread(self) -> float:
        """The standard deviation of the measurements, divided by their mean; 0 of a single one."""
        mean = float(np.mean(self.measurements))
        return float(np.std(self.measurements, ddof=1)) / mean if len(self.measurements) > 1 and mean else 0.0

    @property
    def why_not(self) -> str:
        """Why it is not judged; empty if it is."""
        if self.measured == 0 or (self.measure.endswith("_per_op") and self.measured < _SELDOM):
            return "too seldom"
        return "the server varies" if self.spread > STEADY else ""


@dataclass(frozen=True)
class Judgement:
    """What is said of all comparisons of one measure.

    Attributes:
        measure: its name.
        judged: how many points were judged.
        left_out: how many were not, because the server itself varies too much.
        error: the median relative error; None if nothing was judged.
        coverage: the share of points whose interval has the measured value; None if nothing was judged.
        spread: the median spread of the measurements.
    """

    measure: str
    judged: int
    left_out: int
    error: float | None
    coverage: float | None
    spread: float | None

    @property
    def met(self) -> bool | None:
        """Whether the error is within its target; None if it has none, or nothing was judged."""
        target = TARGETS.get(self.measure)
        return None if target is None or self.error is None else self.error <= target


def compared(measured: Sequence[Values], predicted: Sequence[Values]) -> list[Comparison]:
    """A comparison for each point and measure that both have, in the order of the measurements."""
    points = dict.fromkeys(point for run in measured for point in run)
    found = []
    for point in points:
        for name in MEASURES:
            one, other = _all(measured, point, name), _all(predicted, point, name)
            if one and other:
                found.append(Comparison(point, name, one, other))
    return found


def widened(comparisons: Iterable[Comparison], known: Iterable[Comparison]) -> list[Comparison]:
    """The comparisons, their intervals so wide that those of the same measure in known settings would hold 90 %.

    The costs have little uncertainty left; what the model leaves out shows in the settings that are known. Source:
    split conformal prediction (Y. Romano, E. Patterson, E. Candès, "Conformalized Quantile Regression", NeurIPS
    2019), in logarithms.
    """
    outside: dict[str, list[float]] = {}
    for each in known:
        low, high = each.interval
        if not each.why_not and low > 0:
            off = max(np.log(low / each.measured), np.log(each.measured / high))
            outside.setdefault(each.measure, []).append(float(off))
    slack = {name: float(np.quantile(offs, min(1.0, 0.9 * (1 + 1 / len(offs))))) for name, offs in outside.items()}
    return [replace(each, slack=slack.get(each.measure, 0.0)) for each in comparisons]


def judged(comparisons: Iterable[Comparison]) -> list[Judgement]:
    """What is said of each measure."""
    all_of_them = list(comparisons)
    found = []
    for name in MEASURES:
        mine = [each for each in all_of_them if each.measure == name]
        good = [each for each in mine if not each.why_not]
        if mine:
            found.append(
                Judgement(
                    name,
                    len(good),
                    sum(each.why_not == "the server varies" for each in mine),
                    float(np.median([each.error for each in good])) if good else None,
                    float(np.mean([each.within for each in good])) if good else None,
                    float(np.median([each.spread for each in mine])),
                )
            )
    return found


def ranking(comparisons: Iterable[Comparison]) -> dict[tuple[str, str], float]:
    """Kendall's tau between the predicted and the measured order of what is compared, by case and rest of the key.

    Races are ordered by throughput, protocols of a catch-up by their time.

    1 is the same order, 0 no relation (M. Kendall, "A New Measure of Rank Correlation", Biometrika 30, 1938).
    """
    from scipy.stats import kendalltau

    groups: dict[tuple[str, str], list[Comparison]] = {}
    for each in comparisons:
        case, (ranked, *rest) = each.point
        if ranked and each.measure in _ORDERED_BY:
            groups.setdefault((case, ", ".join(rest)), []).append(each)
    return {
        group: float(kendalltau([each.measured for each in own], [each.predicted for each in own]).statistic)
        for group, own in groups.items()
        if len(own) > 1
    }


def _all(runs: Sequence[Values], point: Point, name: str) -> list[float]:
    return [run[point][name] for run in runs if name in run.get(point, {})]
