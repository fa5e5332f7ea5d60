"""A pool of connections, which are leased in the order in which they are asked for. Both worlds use it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

__all__ = ["Pool"]

C = TypeVar("C")


class Pool(Generic[C]):
    """At most ``size`` connections. Who finds none free waits; who has come first is served first.

    Who gives a connection back and asks again is served after all who wait. The driver's own pool is not used because
    it lets them take the same connection again, so that others may wait without end.

    Args:
        size: the largest number of connections.
        connect: opens a connection, when one is needed and none is idle. What it raises is raised by the lease.
        usable: whether a connection that nobody has leased may be leased again.
        drop: closes a connection, without waiting.
    """

    def __init__(
        self, size: int, connect: Callable[[], Awaitable[C]], usable: Callable[[C], bool], drop: Callable[[C], None]
    ) -> None:
        self._size = size
        self._connect = connect
        self._usable = usable
        self._drop = drop
        self._free = asyncio.Semaphore(size)  # serves who has come first
        self._idle: list[C] = []
        self._closed = False

    async def fill(self) -> None:
        """Open all connections, so that no lease has to. Raises what ``connect`` raises, and leaves none open then."""
        try:
            while len(self._idle) < self._size:
                self._idle.append(await self._connect())
        except BaseException:
            self.close()
            raise

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[C]:
        """Lease a connection for the block."""
        async with self._free:
            connection = self._idle_one() or await self._connect()
            try:
                yield connection
            finally:
                self._give_back(connection)

    async def visit(self, work: Callable[[C], Awaitable[None]]) -> None:
        """Await ``work`` for each connection that is idle now, unless it is leased before its turn comes.

        Meanwhile it can't be leased. If ``work`` raises, the connection is dropped, and the exception is raised.
        """
        for connection in [*self._idle]:
            if connection not in self._idle or self._free.locked():
                continue
            async with self._free:  # at once, since it is not locked
                self._idle.remove(connection)
                done = False
                try:
                    await work(connection)
                    done = True
                finally:
                    if done:
                        self._give_back(connection)
                    else:
                        self._drop(connection)

    def close(self) -> None:
        """Drop the idle connections; those that are leased are dropped when they come back."""
        self._closed = True
        while self._idle:
            self._drop(self._idle.pop())

    def _idle_one(self) -> C | None:
        while self._idle:
            connection = self._idle.pop()
            if self._usable(connection):
                return connection
            self._drop(connection)  # it was lost meanwhile
        return None

    def _give_back(self, connection: C) -> None:
        if self._closed or not self._usable(connection):
            self._drop(connection)
        else:
            self._idle.append(connection)
