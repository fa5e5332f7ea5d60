"""Is the head slower than the base? A ratio with an interval, and how often a sample of the head is the slower one.

A machine that others use slows both down for a while. So samples are taken in pairs, one of each side right after the
other, and the ratio is the median of the ratios of the pairs: an outlier moves it by one place at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["LARGE", "LEAST_PAIRS", "Ratio", "ratio"]

LEAST_PAIRS = 5
"""The smallest number of pairs: with fewer, an interval of 95 % would end at the smallest and the largest ratio."""

LARGE = 0.71
"""From this probability on the effect is large (A. Vargha, H. Delaney, J. Educ. Behav. Stat. 25, 2000)."""

_DRAWS = 10_000
_LEVEL = 0.95


@dataclass(frozen=True)
class Ratio:
    """How the times of the head compare with those of the base.

    Attributes:
        base, head: the medians of the samples, in seconds.
        ratio: the median of the ratios, head by base.
        low, high: the ends of its interval of 95 %.
        slower: the probability that a sample of the head is slower than one of the base; a tie counts as half.
    """

    base: float
    head: float
    ratio: float
    low: float
    high: float
    slower: float

    def is_slower(self, threshold: float) -> bool:
        """Whether the whole interval is beyond the threshold, and the effect is large."""
        return self.low > threshold and self.slower >= LARGE

    def is_faster(self, threshold: float) -> bool:
        """The same in the other direction."""
        return self.high < 1 / threshold and self.slower <= 1 - LARGE


def ratio(base: Sequence[float], head: Sequence[float]) -> Ratio:
    """Compare samples that were taken in pairs.

    The interval is the bootstrap's: of 10,000 draws of as many pairs, with replacement, the median ratio (B. Efron,
    Ann. Stat. 7, 1979). The draws are the same each time.

    Args:
        base: a time of each pair, in seconds, positive.
        head: the other time of each pair.

    Raises:
        ValueError: the numbers of samples differ, or are below `LEAST_PAIRS`.
    """
    if len(base) != len(head) or len(base) < LEAST_PAIRS:
        raise ValueError(f"there are {len(base)} and {len(head)} samples; there must be {LEAST_PAIRS} pairs or more")
    one, two = np.array(base, dtype=float), np.array(head, dtype=float)
    ratios = two / one
    drawn = ratios[np.random.default_rng(1).integers(len(ratios), size=(_DRAWS, len(ratios)))]
    low, high = np.quantile(np.median(drawn, axis=1), [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    wins = np.sign(two[:, None] - one[None, :])
    return Ratio(
        float(np.median(one)),
        float(np.median(two)),
        float(np.median(ratios)),
        float(low),
        float(high),
        float((wins.mean() + 1) / 2),
    )
