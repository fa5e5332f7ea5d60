"""How near the model is to the throughput that was measured, beside other ways to predict it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from chatsim.experiments.calibration.calibrate import Calibration
from chatsim.experiments.fidelity.baselines import (
    Demands,
    interpolation,
    mean_value_analysis,
    universal_scalability_law,
)
from chatsim.experiments.fidelity.cases import COUNTS, MEASURES, Case, Values
from chatsim.experiments.fidelity.judging import Comparison

__all__ = ["MODEL", "beside"]

MODEL = "the model"
_THROUGHPUT = MEASURES[0]
_LEAST = 2
"""So many numbers of clients are needed for a curve."""


def beside(
    calibration: Calibration,
    cases: Sequence[Case],
    others: Sequence[Case],
    runs: Sequence[Values],
    comparisons: Sequence[Comparison],
) -> Iterator[dict[str, object]]:
    """For each throughput that was predicted, the errors of the model and of the other ways to predict it.

    Mean value analysis knows only what a race straight on the database asks for; elsewhere its error is None.

    Args:
        calibration: what the model had.
        cases: those that were predicted.
        others: those with other numbers of clients, which were measured for the other ways.
        runs: what was measured of all of them.
        comparisons: what was predicted, beside what was measured.
    """
    by_name = {case.name: case for case in cases}

    def middle(case: Case, key: tuple[str, ...], name: str) -> float:
        return float(np.median([run[case.name, key][name] for run in runs]))

    for each in comparisons:
        name, key = each.point
        case = by_name[name]
        known = sorted((other for other in others if other.family == case.family), key=lambda other: other.clients)
        if each.measure != _THROUGHPUT or not each.measured or len(known) < _LEAST:
            continue
        numbers = [other.clients for other in known]
        throughput = [middle(other, key, _THROUGHPUT) for other in known]
        said: dict[str, float | None] = {
            MODEL: each.predicted,
            "Universal Scalability Law": universal_scalability_law(numbers, throughput, case.clients),
            "straight lines": interpolation(numbers, throughput, case.clients),
            "mean value analysis": None,
        }
        if case.parameters.get("layer") == "store":
            counts = {count: middle(known[0], key, count) for count in COUNTS}
            demands = Demands.of(calibration.fit.best.costs, counts, calibration.cores)
            said["mean value analysis"] = mean_value_analysis(demands, case.clients)
        errors = {
            way: None if value is None else abs(value - each.measured) / each.measured for way, value in said.items()
        }
        yield {"case": name, "variant": each.variant, **errors}
