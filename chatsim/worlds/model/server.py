"""The database server of the model: what its work costs.

A statement takes time on one of the server's cores, more for each record that it examines, and more still if the record
is not in the buffer pool. A commit waits until its logs are on disk; commits that wait together share one write (group
commit; see `chatsim.innodb.server.commit_log`).
"""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.commit_log import WAITS
from chatsim.innodb.server.durability import Durability
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.simulation.cpu import CPU, Processor
from chatsim.simulation.run_queues import Waking
from chatsim.worlds.model.connection import HOST, Connection
from chatsim.worlds.model.database import Caller, ModelDatabase
from chatsim.worlds.world import Costs, WorldError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    import numpy as np

    from chatsim.worlds.model.costs import DatabaseCosts
    from chatsim.worlds.model.network import ModelNetwork
    from chatsim.worlds.world import SessionTimeouts

__all__ = ["ModelServer"]


class _Performed(NamedTuple):
    """What a session has done.

    Attributes:
        changes: changed index entries.
        undone: those that were undone.
        tables: tables that were opened.
        waits: waits for locks.
        commits, rollbacks: of transactions with changes.
    """

    changes: int
    undone: int
    tables: int
    waits: int
    commits: int
    rollbacks: int


class ModelServer:
    """The server: an engine on a machine of its own.

    Args:
        network: connects it with those who ask.
        costs: how long its work takes.
        clock: seconds since the epoch.
        rng: decides which records are not in memory.
        durability: the settings of its logs; None is the server's defaults.
        cpu: its cores; None is a machine of its own, with the cores that the costs say.

    Attributes:
        engine: its tables and locks.
        cpu: its cores.
        connections: how many are open.
        pools: the pools of connections that are open.
        round_trips: how many requests there were.
        network: as given.
    """

    def __init__(
        self,
        network: ModelNetwork,
        costs: DatabaseCosts,
        clock: Callable[[], float],
        rng: np.random.Generator,
        *,
        durability: Durability | None = None,
        cpu: Processor | None = None,
    ) -> None:
        self.engine = Engine(clock, durability=durability or Durability())
        self.cpu = cpu or CPU(costs.cores)
        self.connections = 0
        self.pools: dict[ModelDatabase, None] = {}
        self.network = network
        self._costs = costs
        self._waking = Waking(costs.wake, costs.cold)
        self._under_way = 0
        self._idle_since = -math.inf
        self._rng = rng
        if costs.flush or costs.commit or costs.group:
            work = partial(self.cpu.work, costs.group / (2 * WAITS)) if costs.group else None
            self.engine.log.take_time(partial(costs.draw_flush, rng), costs.commit, work)
        self.round_trips = 0
        self._waits_changed = False
        self._detector: asyncio.Task[None] | None = None
        if costs.detection:
            self.engine.locks.waits.detector = self._look_for_deadlocks

    def _look_for_deadlocks(self) -> None:
        """Have the thread that detects deadlocks look at the waits, once more if it looks already."""
        self._waits_changed = True
        if self._detector is None:
            self._detector = asyncio.create_task(self._detect(), name="detector of deadlocks")

    async def _detect(self) -> None:
        while self._waits_changed:
            self._waits_changed = False
            await asyncio.sleep(self._costs.detection)
            self.engine.locks.waits.resolve_deadlocks()
        self._detector = None

    @asynccontextmanager
    async def pool(
        self,
        connections: int,
        host: str,
        timeouts: SessionTimeouts | None = None,
        caller: Caller | None = None,
    ) -> AsyncIterator[ModelDatabase]:
        """A pool of connections from ``host``, for callers whose own work takes time if ``caller`` says so.

        Raises `WorldError` when the server does not take as many.
        """
        if self.connections + connections > self._costs.connections:
            raise WorldError(
                f"{connections} connections can't be had: the server takes {self._costs.connections:,}"
                f" and has {self.connections:,}"
            )
        self.connections += connections
        database = ModelDatabase(self, host, connections, timeouts, caller)
        self.pools[database] = None
        try:
            yield database
        finally:
            del self.pools[database]
            self.connections -= connections
            database.close()

    async def crash(self, *, host: bool = False) -> None:
        """End as by ``kill -9``: running statements fail, and all connections are lost, until `restart`.

        The tables are in the state after a recovery (see `chatsim.innodb.server.commit_log`).

        Args:
            host: whether the whole host dies, as by a power cut, and not only the process.
        """
        await self.engine.crash(host=host)

    def restart(self) -> None:
        """Accept connections again."""
        self.engine.restart()

    async def execute(
        self,
        session: EngineSession,
        sql: str,
        args: Sequence[object],
        answered: Callable[[Answer], None] | None = None,
    ) -> list[Answer]:
        """Execute the statements of one request. They are executed to the end, also if nobody waits for the answers.

        Args:
            session: the session.
            sql: the statements.
            args: their arguments.
            answered: is called with the answer to each statement but the last one, before the next one begins.

        Raises:
            DatabaseError: a statement failed, or the server was killed.
            NotImplementedError: the model does not understand one; the message names the construct.
        """
        with self.engine.process.working(), self._serving() as longer:
            answers: list[Answer] = []
            if seconds := self._costs.request + longer:
                await self.cpu.work(seconds)
            statements = self.engine.prepared.prepare(sql)
            for statement in statements:
                if not session.closed:
                    await self.cpu.work(self._costs.statement + statement.length * self._costs.character)
                before = self._performed(session)
                try:
                    answers.append(await session.work_on(statement, args))
                except DatabaseError:
                    await self._work_for(Answer(), before, self._performed(session))
                    raise
                await self._work_for(answers[-1], before, self._performed(session))
                if answered is not None and len(answers) < len(statements):
                    answered(answers[-1])
            return answers

    @contextmanager
    def _serving(self) -> Iterator[float]:
        """Serve a request. Gives the seconds of a core that it takes longer if the server was idle."""
        clock = asyncio.get_running_loop().time
        longer = 0.0 if self._under_way else self._waking.after(clock() - self._idle_since)
        self._under_way += 1
        try:
            yield longer
        finally:
            self._under_way -= 1
            self._idle_since = clock()

    async def connect(self, host: str) -> Connection:
        """A new connection from ``host``. Raises a `ConnectionLostError`."""
        if not self.engine.process.up:
            await self.network.transit(host, HOST)
            await self.network.transit(HOST, host)
        return Connection(self, self.network, EngineSession(self.engine, waits=True), host)

    def _performed(self, session: EngineSession) -> _Performed:
        """What a session has done so far."""
        history, waits, number = self.engine.history, self.engine.locks.waits, session.connection_id
        return _Performed(
            history.changes[number],
            history.undone[number],
            session.tables_opened,
            waits.of_session[number],
            len(session.unanswered),
            history.rolled_back[number],
        )

    async def _work_for(self, answer: Answer, before: _Performed, after: _Performed) -> None:
        """Take the time of a statement that has this answer, and has done what is between before and after."""
        costs, examined = self._costs, answer.examined
        seconds = (
            examined * costs.record
            + answer.fetched * costs.fetch
            + answer.temporaries * costs.temporary
            + answer.values * costs.value
            + (after.changes - before.changes) * costs.write
            + (after.undone - before.undone) * costs.undo
            + (after.tables - before.tables) * costs.table
            + (after.waits - before.waits) * costs.wait
            + (after.commits - before.commits) * costs.transaction
        )
        if seconds:
            await self.cpu.work(seconds)
        if after.rollbacks > before.rollbacks:
            await self.engine.log.rolled_back()
        if examined and (misses := int(self._rng.binomial(examined, costs.misses))):
            await asyncio.sleep(misses * costs.read)

    def costs(self) -> Costs:
        """The costs so far."""
        engine = self.engine
        locks = engine.locks
        return Costs(
            self.round_trips,
            engine.statements,
            engine.examined,
            locks.waits.started,
            locks.requests,
            engine.log.flushes,
        )
