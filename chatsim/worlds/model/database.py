"""The connections that nodes have to the database server of the model, in pools."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation, Rows
from chatsim.db.text import arguments
from chatsim.innodb.server.session import EngineSession
from chatsim.worlds.common.pool import Pool
from chatsim.worlds.model.connection import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from chatsim.innodb.server.engine import Engine
    from chatsim.innodb.sql.executor.execution import Answer
    from chatsim.worlds.model.costs import ClientCosts
    from chatsim.worlds.model.server import ModelServer
    from chatsim.worlds.world import SessionTimeouts

__all__ = ["AdminSession", "Caller", "ModelDatabase", "ModelSession"]


@dataclass(frozen=True)
class Caller:
    """The work of callers straight on the database.

    Attributes:
        costs: how long it takes.
        work: does so many seconds of it, and more after idleness.
        go_on: does so many seconds of it.
    """

    costs: ClientCosts
    work: Callable[[float], Awaitable[None]]
    go_on: Callable[[float], Awaitable[None]]

    async def operate(self) -> None:
        """Do the work for an operation, without that for its requests."""
        if self.costs.operation:
            await self.work(self.costs.operation)

    async def before(self) -> None:
        """Do the work before a request."""
        if self.costs.request:
            await self.work(self.costs.request / 2)

    @property
    def hears(self) -> bool:
        """Whether the work for the answer to a statement takes time."""
        return self.costs.statement > 0 or self.costs.value > 0

    def takes(self, answer: Answer) -> float:
        """How long the work for the answer to a statement takes."""
        return self.costs.statement + answer.values * self.costs.value

    async def behind(self, answer: Answer) -> None:
        """Do the work when the last answer has come."""
        if seconds := self.costs.request / 2 + self.takes(answer):
            await self.work(seconds)

    async def refused(self) -> None:
        """Do the work when an error has come."""
        if seconds := self.costs.request / 2 + self.costs.failure:
            await self.work(seconds)


class ModelDatabase:
    """The `Database` port: a pool of connections from one host.

    Args:
        server: the server.
        host: where the pool is.
        size: how many connections.
        timeouts: how long the server waits for its sessions; only the wait for locks is modelled.
        caller: the work of callers; None if it takes no time, or is a part of other work.

    Attributes:
        host: as given.
        size: as given.
        leased_seconds: how long connections have been leased so far, added up, without the leases that last.
    """

    def __init__(
        self,
        server: ModelServer,
        host: str,
        size: int,
        timeouts: SessionTimeouts | None = None,
        caller: Caller | None = None,
    ) -> None:
        self._server = server
        self._caller = caller
        self.host = host
        self.size = size
        self.leased_seconds = 0.0
        self._timeouts = timeouts
        self._pool: Pool[Connection] = Pool(size, self._connect, _is_usable, Connection.close)

    @asynccontextmanager
    async def session(self, isolation: Isolation | None = None) -> AsyncIterator[ModelSession]:
        """Lease a connection; one that comes back with an open transaction is closed.

        Raises a `ConnectionLostError` when a new one is needed and the server is down.
        """
        clock = asyncio.get_running_loop().time
        async with self._pool.lease() as connection:
            begun = clock()
            connection.session.isolation = isolation or Isolation.REPEATABLE_READ
            leased = ModelSession(connection, self._caller)
            try:
                yield leased
            finally:
                self.leased_seconds += clock() - begun
                if leased.busy:
                    connection.close()

    async def _connect(self) -> Connection:
        connection = await self._server.connect(self.host)
        if self._timeouts:
            connection.session.lock_wait_timeout = float(self._timeouts.lock_wait)
        return connection

    def close(self) -> None:
        """Close the connections; those that are leased are closed when they come back."""
        self._pool.close()


def _is_usable(connection: Connection) -> bool:
    return not connection.session.under_way and not connection.closed


class ModelSession:
    """The `Session` port: one connection, from a host to the server.

    Args:
        connection: the connection.
        caller: the work of who asks, if it takes time.

    Attributes:
        busy: a statement is under way. If it was cancelled, this stays set and the connection is closed.
    """

    def __init__(self, connection: Connection, caller: Caller | None = None) -> None:
        self._connection = connection
        self._caller = caller
        self._hearing: asyncio.Task[None] | None = None  # the work for the latest answer but the last one
        self.busy = False

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, as far as the client knows: not after a statement that was cancelled."""
        return not self.busy and self._connection.session.under_way

    @property
    def connection_id(self) -> int:
        """The server's number for this connection."""
        return self._connection.session.connection_id

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement."""
        return (await self.script(sql, args))[0]

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        """Run several statements in one round trip."""
        args = arguments(sql, args)
        if self.busy:
            raise database_error(2006, "the statement before was cancelled, and its answer has not been read")
        self.busy = True
        try:
            if self._caller is None:
                answers = await self._connection.ask(sql, args)
            else:
                await self._caller.before()
                answers = await self._connection.ask(sql, args, self._hear if self._caller.hears else None)
                await self._heard()
                await self._caller.behind(answers[-1])
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.busy = False
            if isinstance(error, DatabaseError):
                error.statement = sql
                if self._caller is not None:
                    await self._heard()
                    await self._caller.refused()
            raise
        self.busy = False
        return [_rows(answer) for answer in answers]

    def _hear(self, answer: Answer) -> None:
        """Do the work for the answer to a statement while the server goes on with the next one."""
        assert self._caller is not None
        self._hearing = asyncio.create_task(self._work_behind(self._hearing, self._caller.takes(answer)))

    async def _work_behind(self, before: asyncio.Task[None] | None, seconds: float) -> None:
        assert self._caller is not None
        if before is not None:
            await asyncio.wait([before])
        await self._caller.go_on(seconds)

    async def _heard(self) -> None:
        """Wait until the work for the answers so far is done."""
        if self._hearing is not None:
            await asyncio.wait([self._hearing])
            self._hearing = None

    async def begin(self, isolation: Isolation | None = None) -> None:
        """Open a transaction."""
        await self.script("BEGIN" if isolation is None else f"SET TRANSACTION ISOLATION LEVEL {isolation.value}; BEGIN")

    async def commit(self) -> None:
        """Commit."""
        await self.script("COMMIT")

    async def rollback(self) -> None:
        """Roll back."""
        await self.script("ROLLBACK")


class AdminSession:
    """A session directly on the engine: its work takes no time and is not counted."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._session = EngineSession(engine)

    @property
    def connection_id(self) -> int:
        """The server's number for this connection."""
        return self._session.connection_id

    @property
    def _connected(self) -> EngineSession:
        """The session, a new one if the server has crashed since. Raises a `ConnectionLostError` while it is down."""
        if self._session.closed:
            self._session = EngineSession(self._engine)
        return self._session

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._session.open

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement."""
        return (await self.script(sql, args))[0]

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        """Run several statements."""
        requests = self._engine.locks.requests
        answers = await self._connected.run(sql, args)
        self._engine.locks.requests = requests
        self._engine.statements -= len(answers)
        self._engine.examined -= sum(answer.examined for answer in answers)
        return [_rows(answer) for answer in answers]

    def close(self) -> None:
        """Roll back an open transaction, and end the session."""
        self._session.close()

    async def begin(self, isolation: Isolation | None = None) -> None:
        """Open a transaction."""
        await self._connected.begin(isolation)

    async def commit(self) -> None:
        """Commit."""
        await self._connected.commit()

    async def rollback(self) -> None:
        """Roll back."""
        self._session.rollback()


def _rows(answer: Answer) -> Rows:
    return Rows(answer.rows or (), answer.affected, answer.insert_id)
