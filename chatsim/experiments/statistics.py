"""Percentiles of operations, and intervals over repetitions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from chatsim.experiments.history import Operation, Outcome

__all__ = ["latencies_ms", "mean_interval", "percentile", "ratio_interval"]

_BEYOND = 5
"""The smallest number of samples beyond a percentile; with fewer, no percentile is given."""

_REPEATED = 2
"""The smallest number of repetitions for an interval."""


def percentile(values: np.ndarray, q: float) -> float | None:
    """The ``q``-th percentile, or None if fewer than five samples lie beyond it."""
    if len(values) * min(q, 100 - q) / 100 < _BEYOND:
        return None
    return float(np.percentile(values, q))


def latencies_ms(history: Iterable[Operation], *, service: bool = False) -> np.ndarray:
    """The latencies of successful operations, in ms, from the intended start; with ``service``, from the real start."""
    good = (each for each in history if each.outcome is Outcome.OK)
    return np.array([(each.end - (each.start if service else each.intended)) * 1e3 for each in good])


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """An interval for the mean of independent repetitions, by Student's t; None with fewer than two.

    Args:
        values: one value of each repetition. If none is negative, the interval has nothing negative either.
        confidence: its level.
    """
    count = len(values)
    if count < _REPEATED:
        return None
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(count)
    reach = _t(confidence, count - 1) * error if error else 0.0
    return (mean - reach if min(values) < 0 else max(mean - reach, 0.0)), mean + reach


def ratio_interval(
    base: Sequence[float], other: Sequence[float], confidence: float = 0.95
) -> tuple[float, float | None, float | None]:
    """The quotient of the geometric means of two sets of repetitions, with an interval: quotient, low, high.

    The interval is Welch's, of the logarithms (B. L. Welch, Biometrika 34, 1947): it keeps its level with few
    repetitions on each side, and with different variances. A bootstrap does not: with five on each side, 10 to 15 % of
    its intervals of 95 % miss the true quotient.

    Args:
        base: one positive value of each repetition.
        other: those whose quotient by the base is asked for.
        confidence: the level of the interval.

    Returns:
        The quotient; the ends of its interval, None if either side has fewer than two repetitions.
    """
    one, two = np.log(base), np.log(other)
    difference = float(two.mean() - one.mean())
    if min(len(one), len(two)) < _REPEATED:
        return math.exp(difference), None, None
    parts = [float(each.var(ddof=1)) / len(each) for each in (one, two)]
    if not sum(parts):  # as in the model, where a count can be the same in every repetition
        return math.exp(difference), math.exp(difference), math.exp(difference)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(each) - 1) for part, each in zip(parts, (one, two), strict=True))
    reach = _t(confidence, freedom) * math.sqrt(sum(parts))
    return math.exp(difference), math.exp(difference - reach), math.exp(difference + reach)


def _t(confidence: float, freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))
