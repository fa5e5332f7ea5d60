"""How long it takes until a deadlock is found: two sessions make one, again and again, while nobody else is there."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from chatsim.db.errors import DatabaseError
from chatsim.db.text import characters

if TYPE_CHECKING:
    from chatsim.worlds.world import World

__all__ = ["CHARACTERS", "deadlock_latencies"]

_COUNT = 40
_UNTIL_IT_WAITS = 0.005  # seconds

_CHANGE = "UPDATE calibration SET v = v + 1 WHERE id = ?"
_LOCK = "SELECT v FROM calibration WHERE id = ? FOR UPDATE"

CHARACTERS = characters(_LOCK)
"""Those of the statement that closes the circle."""


async def deadlock_latencies(world: World) -> list[float]:
    """Seconds from the request that closes the circle to its error, of some deadlocks.

    The one that closes it is the victim: it has changed nothing, and the other has.
    """
    clock = asyncio.get_running_loop().time
    latencies = []
    async with world.database(2) as database, database.session() as stays, database.session() as victim:
        for _ in range(_COUNT):
            await stays.script(f"BEGIN; {_CHANGE}", (1,))
            await victim.script(f"BEGIN; {_LOCK}", (2,))
            waiting = asyncio.create_task(stays.execute(_CHANGE, (2,)))
            await asyncio.sleep(_UNTIL_IT_WAITS)
            await victim.execute("DO 0")  # after the pause, this process and the server have to wake up
            begun = clock()
            with suppress(DatabaseError):
                await victim.execute(_LOCK, (1,))
            latencies.append(clock() - begun)
            await asyncio.wait([waiting])
            waiting.exception()  # where it was the victim after all, that is no fault
            await stays.rollback()
            await victim.rollback()
    return latencies
