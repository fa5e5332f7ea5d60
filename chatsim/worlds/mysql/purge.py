"""Purge on a real server: nothing while a step is under way, and all that it can do in between.

Left to itself, it begins within a second of a commit, beside statements whose gaps hang on it. A read view keeps it
from what a step commits. Let go on, it comes again and again until there is nothing left, which the server counts, and
commits wake it. Where there is a binary log, it leaves alone what has a GTID that its table has not yet: a flush of the
logs brings it there. (MySQL manual, "Purge Configuration", "InnoDB INFORMATION_SCHEMA Metrics Table" and
"mysql.gtid_executed Table".)
"""

from __future__ import annotations

import re
from typing import NamedTuple

from chatsim.worlds.mysql.driver import MySQLSession
from chatsim.worlds.world import WorldError

__all__ = ["Purge"]

_COUNTER = "purge_invoked"
_COUNT = f"SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = '{_COUNTER}'"  # noqa: S608
_STATE = re.compile(r"^Purge done for .* state: (\w+)(.*)$", re.MULTILINE)
_TICK = "UPDATE chatsim_tick SET n = n + 1"


class Purge:
    """The server's purge, which waits for the word of a session.

    Args:
        session: one that does nothing else.
    """

    def __init__(self, session: MySQLSession) -> None:
        self._session = session

    async def prepare(self) -> None:
        """Make what `go_on` needs. Raises `DatabaseError`, where the session has not the rights."""
        await self._session.execute(f"SET GLOBAL innodb_monitor_enable = '{_COUNTER}'")
        await self._session.execute("CREATE TEMPORARY TABLE chatsim_tick ENGINE=InnoDB SELECT 0 AS n")

    async def hold(self) -> None:
        """From now on keep what is committed. Raises `DatabaseError`."""
        await self._session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")

    async def go_on(self) -> None:
        """Return when all is gone that was committed before, but for what another read view wants.

        Raises:
            WorldError: the server does not purge.
            DatabaseError: the connection is lost.
        """
        await self._session.script("ROLLBACK; FLUSH LOCAL ENGINE LOGS")
        reading = before = await self._after(_TICK)
        while reading.times < before.times + 2 or not reading.idle:  # the first may have begun earlier
            reading = await self._after(_TICK)

    async def _after(self, sql: str) -> _Reading:
        _, count, shown = await self._session.script(f"{sql}; {_COUNT}; SHOW ENGINE INNODB STATUS")
        match = _STATE.search(str(shown.rows[0][2]))
        assert match is not None, shown
        state, idle = match.groups()
        if state != "running":
            raise WorldError(f"the server does not purge: its purge is {state}")
        return _Reading(int(str(count.scalar())), bool(idle))


class _Reading(NamedTuple):
    times: int
    idle: bool
