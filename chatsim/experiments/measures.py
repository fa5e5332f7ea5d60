"""What a history says about speed and price: goodput, latencies, refusals, and costs of the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from chatsim.chat.server.stats import Stats
from chatsim.db.errors import Kind
from chatsim.experiments.history import Operation, Outcome
from chatsim.experiments.statistics import latencies_ms, percentile
from chatsim.worlds.world import Costs

__all__ = ["measures"]


def measures(history: Sequence[Operation], window_s: float, stats: Stats, costs: Costs | None) -> dict[str, object]:
    """Goodput, latencies from the intended start and (service) from the real one, refusals by cause, and costs.

    Args:
        history: the operations of the callers.
        window_s: the length of the measured window, in seconds.
        stats: the counts of the nodes, if callers use nodes.
        costs: the costs of the database in the window; None if they are not those of these operations alone. If they
            say how much each resource has worked, ``bottleneck`` is the one that has worked for the largest share of
            the window, ``bottleneck_utilisation`` is that share, and ``utilisation`` has the shares of all.
    """
    count = len(history)
    good = sum(each.outcome is Outcome.OK for each in history)
    latencies, services = latencies_ms(history), latencies_ms(history, service=True)
    causes = Counter(kind for each in history for kind in each.refusals) + stats.refusals
    retries = sum(each.attempts - 1 for each in history) + stats.retries
    spent = (costs or Costs(0, 0, None, None)).counts()
    shares = costs.utilisation(window_s) if costs else {}
    bottleneck = max(shares, key=lambda name: shares[name], default=None)
    return {
        "operations": count,
        "goodput_per_s": good / window_s if window_s else None,
        **{f"p{q}_ms": percentile(latencies, q) for q in (50, 95, 99)},
        **{f"service_p{q}_ms": percentile(services, q) for q in (50, 99)},
        "retries_per_op": retries / max(count, 1),
        "deadlocks_per_op": causes[Kind.DEADLOCK] / max(count, 1),
        "failed": count - good,
        "refusals": {kind.value: times for kind, times in sorted(causes.items())},
        **{
            f"{name}_per_op": None if costs is None or total is None else total / max(count, 1)
            for name, total in spent.items()
        },
        "bottleneck": bottleneck,
        "bottleneck_utilisation": shares[bottleneck] if bottleneck else None,
        "utilisation": shares or None,
    }
