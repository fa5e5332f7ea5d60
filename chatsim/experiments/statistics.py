"""Percentiles, and how two results differ."""

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
"""A percentile is given only if at least so many samples lie beyond it."""

_RESAMPLED = 2
"""The fewest samples that a bootstrap can be made of."""


def percentile(values: np.ndarray, q: float) -> float | None:
    """The ``q``-th percentile, or None when fewer than five samples would lie beyond it."""
    if len(values) * min(q, 100 - q) / 100 < _BEYOND:
        return None
    return float(np.percentile(values, q))


def latencies_ms(history: Iterable[Operation], *, service: bool = False) -> np.ndarray:
    """The latencies of the operations that ended well, in ms; from the real start, not the intended one, if service."""
    good = (each for each in history if each.outcome is Outcome.OK)
    return np.array([(each.end - (each.start if service else each.intended)) * 1e3 for each in good])


def compare(base: Result, other: Result, *, confidence: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """How ``other`` differs from ``base``: for each variant both have, the ratio of latencies with its interval.

    The interval is a percentile bootstrap over successful operations (Efron & Tibshirani 1993, chapter 13). It takes
    them for independent, though callers that wait for one commit are not, and it knows nothing of how one run differs
    from the next: it is a lower bound of the doubt. Goodput is one number a run: a bare ratio. What too few
    operations succeeded for is NaN.

    Args:
        base: what is compared with.
        other: what is compared.
        confidence: the interval's level.
        seed: for the resampling.
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
