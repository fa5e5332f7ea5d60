"""Who asks for which pair, and when: the patterns of a race."""

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
    """What the clients of a race ask for.

    Attributes:
        existing: pairs that have their thread before the race begins.
        calls: for each client, for each round, the asking user and the other one.
        together: whether the clients start each round together; else each goes on by itself.
        due: for each call, when it is to be made, in seconds from the start; when None, as soon as may be.
    """

    existing: list[Pair]
    calls: list[list[Pair]]
    together: bool
    due: list[list[float]] | None = None

    @property
    def asked(self) -> set[Pair]:
        """The pairs that are asked for, smaller id first."""
        return {(min(pair), max(pair)) for calls in self.calls for pair in calls}


class _Ids:
    """Hands out pairs that nobody had before."""

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
"""How the ids of the pairs asked for are distributed: uniformly; newly registered users, above all that exist; all with
one user who was there from the start."""


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
    # neighbours in the list are asked for at about the same time, by different clients
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
        clients: how many ask at a time.
        rounds: how many requests each makes.
        pairs: new pairs per round; ``strangers`` needs one per request instead.
        existing: how many random pairs have a thread before.
        ids: a name in `IDS`.
        rng: where chance comes from.
        rate: calls per second by all clients, as Poisson processes; None for a closed loop.
    """
    source = _Ids(ids, rng)
    before = source.random(existing)
    asked = source.asked(clients * rounds if pattern == "strangers" else pairs * rounds)
    calls = PATTERNS[pattern](asked, clients, rounds, rng)
    together = pattern == "same_pair"
    due = None if rate is None else _arrivals(clients, rounds, rate, together=together, rng=rng)
    return Workload(before, calls, together, due)


def _arrivals(clients: int, rounds: int, rate: float, *, together: bool, rng: np.random.Generator) -> list[list[float]]:
    """For each client a Poisson process of its own, or one for all when they call together."""
    import numpy as np

    pauses = rng.exponential(clients / rate, size=(1 if together else clients, rounds))
    times: list[list[float]] = np.cumsum(pauses, axis=1).tolist()
    return times * clients if together else times
