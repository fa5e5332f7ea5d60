"""A stand-in for the database, for tests of the loop and of what runs on it: it knows users and nothing else."""

import asyncio
from contextlib import asynccontextmanager

from chatsim.db.session import Rows

ROUND_TRIP = 0.001


class ScriptedSession:
    """Answers a login's script; every question takes a millisecond."""

    in_transaction = False

    async def script(self, sql, args=()):
        await asyncio.sleep(ROUND_TRIP)
        assert "FROM user WHERE uid = ?" in sql
        return [Rows([(f"user{args[0]}", f"{args[0]}@example.org", "", "", 0, "")]), Rows(), Rows()]

    async def execute(self, sql, args=()):
        await asyncio.sleep(ROUND_TRIP)
        assert "FROM private_chat" in sql
        return Rows()


class ScriptedDatabase:
    """A pool of so many connections."""

    def __init__(self, connections):
        self._free = asyncio.Semaphore(connections)

    @asynccontextmanager
    async def session(self, isolation=None):
        async with self._free:
            yield ScriptedSession()


@asynccontextmanager
async def scripted(connections, machine="client", timeouts=None):
    """What a `ModelPlatform` makes its pools with."""
    yield ScriptedDatabase(connections)
