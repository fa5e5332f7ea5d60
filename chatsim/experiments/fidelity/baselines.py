"""Other ways to predict throughput from the same measurements, which the model should be better than."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Demands", "interpolation", "mean_value_analysis", "universal_scalability_law"]

_TABLES, _WRITTEN = 2, 4
"""What a creation writes: a thread and a chat, which has three indexes."""


def universal_scalability_law(clients: Sequence[int], throughput: Sequence[float], at: int) -> float:
    """The throughput at another number of clients, by Gunther's law with contention and coherency.

    Source: N. Gunther, "Guerrilla Capacity Planning" (2007), chapter 4: λN / (1 + σ(N - 1) + κN(N - 1)).
    """
    from scipy.optimize import nnls

    n, x = np.array(clients, float), np.array(throughput, float)
    # N / X is linear in 1, N - 1 and N (N - 1), with coefficients that are not negative
    weights = x / n
    matrix = np.stack([np.ones_like(n), n - 1, n * (n - 1)], axis=1) * weights[:, None]
    found, _ = nnls(matrix, np.ones_like(n))
    return at / float(found @ np.array([1.0, at - 1, at * (at - 1)]))


def interpolation(clients: Sequence[int], throughput: Sequence[float], at: int) -> float:
    """The throughput at another number of clients, on straight lines in the logarithms."""
    return float(np.exp(np.interp(np.log(at), np.log(clients), np.log(throughput))))


@dataclass(frozen=True)
class Demands:
    """What one operation asks of each station, in seconds.

    Attributes:
        interpreter: of the callers' one thread.
        database: of the server's cores.
        log: of the log of commits.
        delay: of what is not shared: links and pauses.
        cores: how many cores there are.
    """

    interpreter: float
    database: float
    log: float
    delay: float
    cores: int

    @classmethod
    def of(cls, costs: Mapping[str, float], counts: Mapping[str, float], cores: int) -> Demands:
        """Those of a creation: the calibrated costs, and what it asks of the database by itself.

        Args:
            costs: by their place in a file of costs.
            counts: round trips, statements and examined rows of one operation.
            cores: of the machine.
        """
        trips, statements, rows = (counts[f"{name}_per_op"] for name in ("round_trips", "statements", "rows_examined"))
        return cls(
            costs["client.operation"] + costs["client.request"] * trips + costs["client.statement"] * statements,
            costs["database.request"] * trips
            + costs["database.statement"] * statements
            + costs["database.table"] * _TABLES
            + costs["database.record"] * rows
            + costs["database.write"] * _WRITTEN
            + costs["database.transaction"],
            costs["database.flush"] + costs["database.group"],
            2 * costs["network.link.latency"] * trips,
            cores,
        )


def mean_value_analysis(demands: Demands, at: int) -> float:
    """The throughput of a closed network of these stations with so many customers.

    Exact for exponential work (Reiser and Lavenberg, Journal of the ACM 27, 1980), with Seidmann's approximation of
    several cores: a station that is as fast as all of them, and a delay for the rest.
    """
    work = [demands.interpreter, demands.database / demands.cores, demands.log]
    delay = demands.delay + demands.database * (demands.cores - 1) / demands.cores
    queues = [0.0] * len(work)
    throughput = 0.0
    for present in range(1, at + 1):
        waits = [seconds * (1 + queue) for seconds, queue in zip(work, queues, strict=True)]
        throughput = present / (delay + sum(waits))
        queues = [throughput * wait for wait in waits]
    return throughput
