"""A node's use of the database: leased connections, and transactions and creations under the retry policy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from chatsim.chat.creation import attempt
from chatsim.chat.ports import Locks
from chatsim.chat.server.config import NodeConfig
from chatsim.chat.server.stats import Stats
from chatsim.chat.server.turns import Turns
from chatsim.db.errors import ConnectionLostError
from chatsim.db.session import Database, Isolation, Session

__all__ = ["NodeDatabase"]

T = TypeVar("T")


class NodeDatabase:
    """The database as one node uses it.

    Each connection is leased for a user. A user's requests, from all of the user's sessions, have at most
    ``Limits.user_leases`` of them, or wait for them, at the same time. The others wait before they ask the pool, and
    their sessions are not read meanwhile. So a user who asks much does not make the others wait for long: the pool
    serves first who has come first, and before somebody stand at most as many of each other user. Nobody may wait for a
    lease while they hold one.

    Args:
        pool: the node's connections.
        locks: the `Locks` port, if the creation strategy uses one.
        config: the node's configuration.
        stats: where refusals and retries are counted.

    Attributes:
        pool: as given.
    """

    def __init__(self, pool: Database, locks: Locks | None, config: NodeConfig, stats: Stats) -> None:
        self.pool = pool
        self._locks = locks
        self._config = config
        self._stats = stats
        self._turns = Turns(config.limits.user_leases)

    @asynccontextmanager
    async def lease(self, uid: int, isolation: Isolation | None = None) -> AsyncIterator[Session]:
        """Lease a connection for ``uid``, at the node's isolation level or another one."""
        async with self._turns.of(uid), self.pool.session(isolation or self._config.isolation) as tx:
            yield tx

    async def transact(self, uid: int, work: Callable[[Session], Awaitable[T]]) -> T:
        """Run ``work`` on a connection leased for ``uid``, several times if the retry policy says so.

        An open transaction that it leaves is rolled back.

        Raises:
            DatabaseError: the last try was refused.
            RefusalError: ``work`` has refused the request.
        """

        async def once() -> T:
            async with self.lease(uid) as tx:
                try:
                    return await work(tx)
                finally:
                    if tx.in_transaction:
                        with suppress(ConnectionLostError):
                            await tx.rollback()

        return await self._config.retry.run(once, self._config.rng, self._stats.refused)

    async def create(self, uid: int, other: int) -> int:
        """Create the private chat of ``uid``, who asks, and ``other``, or find it. Returns its thread.

        Each try leases a connection, and returns it before the next pause.

        Raises:
            DatabaseError, LocksError: the last try was refused.
            StrategyError: the strategy is broken.
        """
        strategy = self._config.strategy
        tries = 0

        async def once() -> int:
            nonlocal tries
            tries += 1
            async with self.lease(uid, strategy.isolation) as tx:
                return await attempt(strategy, tx, uid, other, self._locks)

        try:
            return await self._config.retry.run(once, self._config.rng, self._stats.refused)
        finally:
            self._stats.retries += tries - 1
