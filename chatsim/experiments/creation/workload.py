"""The workload of a race: which user asks for which pair, and when, under each pattern."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["IDS", "PATTERNS", "Workload", "make"]

Pair = tuple[int, int]

_LARGEST_UID = 1_000_000_000
_POPULAR_UID = 1
_ZIPF_EXPONENT = 1.2


@dataclass(frozen=True)
class Workload:
    """The requests of all callers of a race.

    Attributes:
        existing: the pairs that have a thread before the race begins.
        calls: for each caller, for each round, the user who asks and the other user.
        together: whether the callers start each round together.
        due: when each call is due, in seconds from the start; None if as soon as possible.
    """

    existing: list[Pair]
    calls: list[list[Pair]]
    together: bool
    due: list[list[float]] | None = None

    @property
    def asked(self) -> set[Pair]:
        """The requested pairs, smaller id first."""
        return {(min(pair), max(pair)) for calls in self.calls for pair in calls}


class _Ids:
    """Makes pairs that were not used before."""

    def __init__(self, ids: str, rng: np.random.Generator) -> None:
        self._rng = rng
        self._draw = IDS[ids]
        self._taken: set[Pair] = set()

    def random(self, count: int) -> list[Pair]:
        return [self._fresh(_random) for _ in range(count)]

    def asked(self, count: int) -> list[Pair]:
        return [self._fresh(self._draw) for _ in range(count)]

    def _fresh(self, draw: Callable[[np.random.Generator, int], Pair]) -> Pair:
        while (pair := draw(self._rng, len(self._taken))) in self._taken or pair[0] == pair[1]:
            pass
        self._taken.add(pair)
        return pair


def _random(rng: np.random.Generator, _: int) -> Pair:
    low, high = sorted(rng.integers(_POPULAR_UID + 1, _LARGEST_UID, size=2).tolist())
    return low, high


def _rising(_: np.random.Generator, count: int) -> Pair:
    return _LARGEST_UID + 2 * count, _LARGEST_UID + 2 * count + 1


def _one_popular(rng: np.random.Generator, _: int) -> Pair:
    return _POPULAR_UID, int(rng.integers(_POPULAR_UID + 1, _LARGEST_UID))


IDS: dict[str, Callable[[np.random.Generator, int], Pair]] = {
    "random": _random,
    "rising": _rising,
    "one_popular": _one_popular,
}
"""The distributions of the ids of requested pairs: uniform; new users, with ids above all existing ones; all with one
user who exists from the start."""


def _same_pair(pairs: list[Pair], clients: int, rounds: int, _: np.random.Generator) -> list[list[Pair]]:
    width = len(pairs) // rounds
    return [
        [_from_side(pairs[turn * width + client % width], client // width) for turn in range(rounds)]
        for client in range(clients)
    ]


def _hot_pairs(pairs: list[Pair], clients: int, rounds: int, rng: np.random.Generator) -> list[list[Pair]]:
    import numpy as np

    weights = 1.0 / np.arange(1, len(pairs) + 1) ** _ZIPF_EXPONENT
    picks = rng.choice(len(pairs), size=(clients, rounds), p=weights / weights.sum())
    sides = rng.integers(2, size=(clients, rounds))
    return [
        [_from_side(pairs[pick], side) for pick, side in zip(*row, strict=True)]
        for row in zip(picks.tolist(), sides.tolist(), strict=True)
    ]


def _strangers(pairs: list[Pair], clients: int, rounds: int, rng: np.random.Generator) -> list[list[Pair]]:
    sides = rng.integers(2, size=len(pairs)).tolist()
    asked = [_from_side(pair, side) for pair, side in zip(pairs, sides, strict=True)]
    # neighbours in the list are requested at about the same time, by different callers
    return [asked[client::clients][:rounds] for client in range(clients)]


def _from_side(pair: Pair, side: int) -> Pair:
    return pair if side % 2 == 0 else (pair[1], pair[0])


PATTERNS = {"same_pair": _same_pair, "hot_pairs": _hot_pairs, "strangers": _strangers}
"""``same_pair``: all clients ask for the same new pairs at once, half from either side, round by round. ``hot_pairs``:
each client draws from a common set by Zipf's law. ``strangers``: every request is for another pair."""


def make(
    pattern: str,
    *,
    clients: int,
    rounds: int,
    pairs: int,
    existing: int,
    ids: str,
    rng: np.random.Generator,
    rate: float | None = None,
) -> Workload:
    """The workload of one pattern.

    Args:
        pattern: a name in `PATTERNS`.
        clients: the number of callers.
        rounds: the number of requests of each caller.
        pairs: the number of new pairs per round; ``strangers`` has one per request instead.
        existing: the number of random pairs that have a thread before.
        ids: a name in `IDS`.
        rng: the random generator.
        rate: the calls per second of all callers, as Poisson processes; None for a closed loop.
    """
    source = _Ids(ids, rng)
    before = source.random(existing)
    asked = source.asked(clients * rounds if pattern == "strangers" else pairs * rounds)
    calls = PATTERNS[pattern](asked, clients, rounds, rng)
    together = pattern == "same_pair"
    due = None if rate is None else _arrivals(clients, rounds, rate, together=together, rng=rng)
    return Workload(before, calls, together, due)


def _arrivals(clients: int, rounds: int, rate: float, *, together: bool, rng: np.random.Generator) -> list[list[float]]:
    """The times of a Poisson process for each caller, or of one for all callers if they call together."""
    import numpy as np

    pauses = rng.exponential(clients / rate, size=(1 if together else clients, rounds))
    times: list[list[float]] = np.cumsum(pauses, axis=1).tolist()
    return times * clients if together else times
