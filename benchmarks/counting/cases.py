"""What a case is, and what some work costs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from chatsim.db.session import Session
from chatsim.worlds.world import Costs, World

__all__ = ["Case", "Counts", "counted", "plain"]

T = TypeVar("T")

_NOTHING = "ROLLBACK"
"""A statement that reads no row. A SELECT or DO without a table counts as one row on MySQL."""

Counts = Mapping[str, int | None]
"""Costs by name; None for what the world does not count."""


@dataclass(frozen=True)
class Case:
    """A short run whose costs are counts.

    Attributes:
        name: says what is done. No name begins with another one and a colon.
        run: does it on a world without tables, and returns the costs by name.
        tables: makes the tables that it needs, and leaves as they were: so a server keeps them for the next case that
            needs them. None if it makes its own.
        one_caller: whether only one caller is at work, so that the costs are the same in each run on a real server.
        timed: of one caller, the ends of the names of the costs that vary on a real server all the same.
    """

    name: str
    run: Callable[[Any], Awaitable[Counts]]
    tables: Callable[[Any], Awaitable[None]] | None = None
    one_caller: bool = False
    timed: Collection[str] = ()

    async def measure(self, world: World, *, after: Case | None = None) -> dict[str, int]:
        """The costs that are the same in each run, by the name of the case and of the cost.

        Args:
            world: the world.
            after: the case before it on this world.
        """
        if self.tables is not None and not (after and after.tables is self.tables):
            await self.tables(world)
        timed = tuple(self.timed) if world.warms_up else ()
        found = await self.run(world)
        return {
            f"{self.name}: {cost}": value
            for cost, value in found.items()
            if value is not None and not (timed and cost.endswith(timed))
        }


def plain(costs: Costs, *, about: str = "") -> dict[str, int | None]:
    """What the database has done, by name; ``about`` stands before each name."""
    return {
        f"{about}round trips": costs.round_trips,
        f"{about}statements": costs.statements,
        f"{about}rows examined": costs.rows_examined,
        f"{about}lock requests": costs.lock_requests,
    }


async def counted(world: World, tx: Session, work: Callable[[], Awaitable[T]]) -> tuple[T, Costs]:
    """Do some work on a session, and say what it costs.

    A server counts what a statement has read after it has answered. Only when the same session is answered again has it
    surely been counted, so a statement that reads nothing is sent before the work and after it, and is left out.
    """
    await tx.execute(_NOTHING)
    before = await world.costs()
    value = await work()
    await tx.execute(_NOTHING)
    spent = await world.costs() - before
    one = Costs(1, 1, spent.rows_examined and 0, spent.lock_waits and 0, spent.lock_requests and 0)
    return value, spent - one
