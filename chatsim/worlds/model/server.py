"""The database server of the model: what its work costs.

A statement takes time on one of the server's cores, more for each record that it examines, and more still if the record
is not in the buffer pool. A commit waits until its redo log is on disk; commits that wait together share one write
(group commit).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.cpu import CPU
from chatsim.worlds.model.database import ModelDatabase
from chatsim.worlds.world import Costs, WorldError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import numpy as np

    from chatsim.innodb.sql.executor.execution import Answer
    from chatsim.innodb.storage.structures import Transaction
    from chatsim.worlds.model.costs import DatabaseCosts
    from chatsim.worlds.model.network import ModelNetwork
    from chatsim.worlds.world import SessionTimeouts

__all__ = ["ModelServer"]

_HOST = "mysql"


class ModelServer:
    """The server: an engine on a machine of its own.

    Args:
        network: connects it with those who ask.
        costs: how long its work takes.
        clock: seconds since the epoch.
        rng: decides which records are not in memory.

    Attributes:
        engine: its tables and locks.
        cpu: its cores.
        connections: how many are open.
    """

    def __init__(
        self, network: ModelNetwork, costs: DatabaseCosts, clock: Callable[[], float], rng: np.random.Generator
    ) -> None:
        self.engine = Engine(clock, log_bin=True)
        self.cpu = CPU(costs.cores)
        self.connections = 0
        self._network = network
        self._costs = costs
        self._rng = rng
        self._log = _Log(costs.flush)
        self._round_trips = 0

    @asynccontextmanager
    async def pool(
        self, connections: int, host: str, timeouts: SessionTimeouts | None = None
    ) -> AsyncIterator[ModelDatabase]:
        """A pool of connections from ``host``. Raises `WorldError` when the server does not take as many."""
        if self.connections + connections > self._costs.connections:
            raise WorldError(
                f"{connections} connections can't be had: the server takes {self._costs.connections:,}"
                f" and has {self.connections:,}"
            )
        self.connections += connections
        database = ModelDatabase(self, host, connections, timeouts)
        try:
            yield database
        finally:
            self.connections -= connections
            database.close()

    async def crash(self) -> None:
        """End as by ``kill -9``: running statements fail, and all connections are lost, until `restart`.

        A commit whose log is on disk is kept, even if it was not answered; all others are lost. The tables are in the
        state after a recovery.
        """
        await self.engine.crash()
        self._log.discard()

    def restart(self) -> None:
        """Accept connections again."""
        self.engine.restart()

    async def run(self, session: EngineSession, host: str, sql: str, args: Sequence[object]) -> list[Answer]:
        """Run statements in one round trip: they cross the network, are executed, and the answers come back.

        Raises:
            DatabaseError: a statement failed.
            NotImplementedError: the model does not understand one; the message names the construct.
        """
        self._round_trips += 1
        await self._network.transit(host, _HOST)
        try:
            with self.engine.process.working():
                return await self._execute(session, sql, args)
        finally:
            await self._network.transit(_HOST, host)

    async def _execute(self, session: EngineSession, sql: str, args: Sequence[object]) -> list[Answer]:
        answers: list[Answer] = []
        for statement in self.engine.prepared.prepare(sql):
            if not session.closed:
                await self.cpu.work(self._costs.statement)
            answers.append(await session.execute(statement, args))
            await self._examine(answers[-1].examined)
        return answers

    async def connect(self, host: str) -> EngineSession:
        """A new session for ``host``, whose commits wait for the log. Raises a `ConnectionLostError`."""
        if not self.engine.process.up:
            await self._network.transit(host, _HOST)
            await self._network.transit(_HOST, host)
        return EngineSession(self.engine, self._log.flushed)

    async def _examine(self, records: int) -> None:
        if records:
            await self.cpu.work(records * self._costs.record)
            if misses := int(self._rng.binomial(records, self._costs.misses)):
                await asyncio.sleep(misses * self._costs.read)

    def costs(self) -> Costs:
        """The costs so far."""
        engine = self.engine
        return Costs(self._round_trips, engine.statements, engine.examined, engine.locks.waits.started)


class _Log:
    """The redo log. Commits that come while it is being written share the next write (group commit)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._writing: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def flushed(self, _: Transaction) -> None:
        """Wait until the log up to now is on disk."""
        if self._seconds == 0:
            return
        if self._next is None:
            self._next = asyncio.create_task(self._write(self._writing))
        await asyncio.shield(self._next)

    async def _write(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        self._writing, self._next = self._next, None
        await asyncio.sleep(self._seconds)
        if self._next is None:
            self._writing = None

    def discard(self) -> None:
        """Lose the part of the log that is not on disk yet."""
        for task in (self._writing, self._next):
            if task is not None:
                task.cancel()
        self._writing = self._next = None
