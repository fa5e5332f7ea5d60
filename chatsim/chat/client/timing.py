"""How long a messenger waits: before it connects or sends again, and until it gives up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Timing"]


@dataclass(frozen=True)
class Timing:
    """How long a messenger waits, in seconds.

    Attributes:
        shortest, longest: the bounds of the pause before it connects again, or sends texts again that the server could
            not store. The pause doubles with each failure, and a part of it is random, so that many clients do not come
            back at the same moment. A connection that has not lasted for ``longest`` counts as a failure, too.
        give_up: the time after which a text that could not be sent has failed. It begins anew whenever the messenger is
            opened: a clock that nobody sets tells nothing about the time before.
        resync: the time between two refreshes of all threads. It is the longest time for which a lost push is missed.
        receipts: the time from the arrival of texts to the report that they have been delivered here. What arrives
            meanwhile is reported with them, and what is read meanwhile is not.
    """

    shortest: float = 0.2
    longest: float = 30.0
    give_up: float = 300.0
    resync: float = 60.0
    receipts: float = 1.0

    def pause(self, failures: int, rng: np.random.Generator) -> float:
        """Full jitter above the shortest pause (Marc Brooker, Exponential Backoff And Jitter, 2015)."""
        most = min(self.longest, self.shortest * 2.0 ** min(failures, 64))  # no float has 2^1024
        return float(rng.uniform(self.shortest / 2, most))
