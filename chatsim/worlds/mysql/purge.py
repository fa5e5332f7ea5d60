"""When a real server purges: not while a step of a schedule is under way, and completely between two steps.

Left to itself, the purge begins within a second of a commit, at the same time as statements whose gap locks depend on
what it removes. A read view keeps it from removing what a step commits. Without one, the purge runs again and again
until nothing is left; the server counts the runs, and a commit starts the next one. With a binary log, the purge skips
transactions whose GTIDs are not in the table ``mysql.gtid_executed`` yet; flushing the logs writes them there. (MySQL
manual, "Purge Configuration", "InnoDB INFORMATION_SCHEMA Metrics Table" and "mysql.gtid_executed Table".)
"""

from __future__ import annotations

import re
from typing import NamedTuple

from chatsim.worlds.mysql.driver import MySQLSession
from chatsim.worlds.mysql.purge_counter import COUNTER
from chatsim.worlds.world import WorldError

__all__ = ["Purge"]

_COUNT = f"SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = '{COUNTER}'"  # noqa: S608
_STATE = re.compile(r"^Purge done for .* state: (\w+)(.*)$", re.MULTILINE)
_TICK = "UPDATE chatsim_tick SET n = n + 1"


class Purge:
    """Holds back the server's purge, and waits for it. The server must be counting: see `counting_purges`.

    Args:
        session: a session that does nothing else.
    """

    def __init__(self, session: MySQLSession) -> None:
        self._session = session

    async def prepare(self) -> None:
        """Create the temporary table that `run` needs. Raises `DatabaseError`."""
        await self._session.execute("CREATE TEMPORARY TABLE chatsim_tick ENGINE=InnoDB SELECT 0 AS n")

    async def hold(self) -> None:
        """Open a read view: what is committed from now on is not purged. Raises `DatabaseError`."""
        await self._session.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")

    async def run(self) -> None:
        """Close the read view, and wait until all that was committed before is purged.

        What another session's read view may still need stays.

        Raises:
            WorldError: the server does not purge.
            DatabaseError: the connection is lost.
        """
        await self._session.script("ROLLBACK; FLUSH LOCAL ENGINE LOGS")
        reading = before = await self._read()
        while reading.runs < before.runs + 2 or not reading.idle:  # the first may have begun before
            reading = await self._read()

    async def _read(self) -> _Reading:
        """Commit something, which starts the purge, and read how far it is."""
        _, count, shown = await self._session.script(f"{_TICK}; {_COUNT}; SHOW ENGINE INNODB STATUS")
        match = _STATE.search(str(shown.rows[0][2]))
        assert match is not None, shown
        state, idle = match.groups()
        if state != "running":
            raise WorldError(f"the server does not purge: its purge is {state}")
        return _Reading(int(str(count.scalar())), bool(idle))


class _Reading(NamedTuple):
    """How often the purge has begun, and whether it has nothing to do."""

    runs: int
    idle: bool
