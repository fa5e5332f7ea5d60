"""What a run needs of the machine, estimated from its parameters: memory, connections to the database, and time.

What can't be had is refused before anything runs; what takes minutes is announced. The figures for one operation, one
client and one row were measured in November 2026 on a machine with two cores, and rounded up. An estimate is right to
a factor of about three, which is enough to tell minutes from days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chatsim.worlds.world import BadParameterError, WorldError

__all__ = ["CLIENT", "LOADED_PER_S", "OPERATION", "Demand", "row"]

OPERATION = 4_000
"""The memory of one operation: its record, its rows in the modelled server, and its share of the tables of samples."""

CLIENT = 30_000
"""The memory of one client with its connection."""

_ROW = {"model": 3_500, "mysql": 1_000}
"""The memory of one row that is there before: in the modelled server; or for the check of a real server's tables."""

LOADED_PER_S = 5_000
"""How many rows are loaded in a second."""

_LONG = 60
"""The seconds above which a run is announced."""

_TOO_LONG = 7 * 24 * 3_600
"""The seconds above which a run is refused: a week."""


def row(world: str) -> int:
    """The memory of one row that is there before a run, in bytes."""
    return _ROW[world]


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a run needs. Whole numbers, since what somebody asks for may be larger than any float.

    Attributes:
        memory: bytes, by what needs them, in words: ``1,000,000 clients``.
        seconds: how long it takes, by what takes that long, in words.
        connections: how many connections to the database are open at once.
    """

    memory: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, int] = field(default_factory=dict)
    connections: int = 0

    def times(self, repeats: int) -> Demand:
        """What several repetitions need. Operations are kept until the end, and rows and clients are not."""
        more = {f"{repeats:,} repetitions": (repeats - 1) * sum(self.seconds.values())} if repeats > 1 else {}
        kept = {name: repeats * size if name.endswith("operations") else size for name, size in self.memory.items()}
        return Demand(memory=kept, seconds={**self.seconds, **more}, connections=self.connections)

    def check(self, available: int) -> None:
        """Raise `BadParameterError` if so many bytes are not enough, or if it takes longer than a week."""
        if (needed := sum(self.memory.values())) > available:
            raise BadParameterError(
                f"this run would need about {_size(needed)} of memory, most of it for {_largest(self.memory)};"
                f" {_size(available)} are free on this machine"
            )
        if (seconds := sum(self.seconds.values())) > _TOO_LONG:
            raise BadParameterError(
                f"this run would take about {_duration(seconds)}, most of it for {_largest(self.seconds)}"
            )

    def check_connections(self, most: int) -> None:
        """Raise `WorldError` if the server allows too few connections; one of them is the run's own."""
        if self.connections >= most:
            raise WorldError(
                f"this run needs {self.connections + 1:,} connections at once, and the server allows {most:,}"
                " (its variable max_connections)"
            )

    def announcement(self) -> str | None:
        """How long it takes, in a sentence, if that is more than a minute."""
        seconds = sum(self.seconds.values())
        if seconds <= _LONG:
            return None
        return f"This takes about {_duration(seconds)}, most of it for {_largest(self.seconds)}."


def _largest(parts: Mapping[str, int]) -> str:
    return max(parts, key=lambda name: parts[name])


def _size(count: int) -> str:
    return f"{count // 10**9:,} GB" if count >= 10**10 else f"{count // 10**8 / 10:g} GB"


def _duration(seconds: int) -> str:
    for unit, length in (("years", 31_557_600), ("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * length:
            return f"{seconds // length:,} {unit}"
    return f"{-(-seconds // 60)} minutes"
