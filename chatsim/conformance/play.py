"""Play a script in the world that one names."""

from __future__ import annotations

import asyncio

from chatsim.conformance.schedule import Schedule, ScheduleOutcome
from chatsim.worlds.mysql.settings import Servers as MySQL
from chatsim.worlds.world import BadParameterError

__all__ = ["play"]


async def play(schedule: Schedule, *, world: str | MySQL = "mysql") -> ScheduleOutcome:
    """Play a script of several sessions, statement by statement, and look at the locks after each.

    Args:
        schedule: the script.
        world: ``"mysql"``, or a `MySQL` that says which server; or ``"model"``.

    Raises:
        BadParameterError: there is no such world.
        WorldError: the world can't be had, or can't play it.
    """
    if world == "model":
        from chatsim.conformance import model_player

        return await asyncio.to_thread(model_player.play, schedule)
    if world != "mysql" and not isinstance(world, MySQL):
        raise BadParameterError(f"unknown world {world!r}; there are: mysql, model")
    from chatsim.conformance import mysql_player
    from chatsim.worlds.mysql.world import MySQLWorld

    async with MySQLWorld(world if isinstance(world, MySQL) else None) as server:
        return await mysql_player.play(server, schedule)
