"""Percentiles, and the comparison of two results."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from chatsim.experiments.history import Operation, Outcome

if TYPE_CHECKING:
    import pandas as pd

    from chatsim.experiments.result import Result

__all__ = ["compare", "latencies_ms", "percentile"]

_BEYOND = 5
"""The smallest number of samples beyond a percentile; with fewer, no percentile is given."""

_RESAMPLED = 2
"""The smallest number of samples for a bootstrap."""


def percentile(values: np.ndarray, q: float) -> float | None:
    """The ``q``-th percentile, or None if fewer than five samples lie beyond it."""
    if len(values) * min(q, 100 - q) / 100 < _BEYOND:
        return None
    return float(np.percentile(values, q))


def latencies_ms(history: Iterable[Operation], *, service: bool = False) -> np.ndarray:
    """The latencies of successful operations, in ms, from the intended start; with ``service``, from the real start."""
    good = (each for each in history if each.outcome is Outcome.OK)
    return np.array([(each.end - (each.start if service else each.intended)) * 1e3 for each in good])


def compare(base: Result, other: Result, *, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Compare ``other`` with ``base``: for each common variant, the ratio of latencies with a confidence interval.

    The interval is a percentile bootstrap over successful operations (Efron & Tibshirani 1993, chapter 13). It assumes
    that they are independent, although callers that wait for the same commit are not, and it does not include the
    difference between two runs. So it is a lower bound of the uncertainty. Goodput is one number for each run, so it is
    a ratio without an interval. With too few successful operations, a value is NaN.

    Args:
        base: the result to compare with.
        other: the result that is compared.
        confidence: the level of the interval.
        seed: the seed of the resampling.
    """
    import pandas as pd

    rows = []
    others = {tuple(variant.key.items()): variant for variant in other.variants}
    for variant in base.variants:
        twin = others.get(tuple(variant.key.items()))
        if twin is None:
            continue
        before, after = latencies_ms(variant.operations), latencies_ms(twin.operations)
        row: dict[str, object] = dict(variant.key)
        for name, statistic in (("mean", np.mean), ("median", np.median)):
            ratio, low, high = _ratio(before, after, statistic, confidence, seed)
            row |= {f"{name}_ratio": ratio, f"{name}_low": low, f"{name}_high": high}
        rows.append(row | {"goodput_ratio": _quotient(len(after) * variant.window_s, len(before) * twin.window_s)})
    return pd.DataFrame(rows)


def _quotient(dividend: float, divisor: float) -> float:
    return dividend / divisor if divisor else np.nan


def _ratio(
    before: np.ndarray, after: np.ndarray, statistic: Any, confidence: float, seed: int
) -> tuple[float, float, float]:
    from scipy import stats

    def ratio(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(statistic(b, axis=axis) / statistic(a, axis=axis))

    if min(len(before), len(after)) < _RESAMPLED:
        return np.nan, np.nan, np.nan
    interval = stats.bootstrap(
        (before, after),
        ratio,
        n_resamples=1_000,
        batch=100,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(ratio(before, after)), float(interval.low), float(interval.high)
