"""The `Database` port on asyncmy."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import asyncmy
from asyncmy.constants import CLIENT
from asyncmy.errors import Error as DriverError

from chatsim.chat.ports import Address
from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation, Rows
from chatsim.db.text import arguments, fill
from chatsim.worlds.common.pool import Pool
from chatsim.worlds.mysql.servers.urls import BadUrlError, without_password
from chatsim.worlds.world import SessionTimeouts

__all__ = [
    "MySQLDatabase",
    "MySQLSession",
    "RequestCounts",
    "StatementResult",
    "address",
    "connect",
    "mogrify",
]

_CONNECT_SECONDS = 10.0
_PINGS = 4
"""Pings of an idle connection within the silence after which the server closes it."""
_IN_TRANSACTION = 1
"""SERVER_STATUS_IN_TRANS (MySQL internals, protocol: status flags)."""


@dataclass
class RequestCounts:
    """How many requests and statements a pool's sessions have sent to the server.

    Attributes:
        round_trips: the number of answered requests.
        statements: the number of successful SQL statements in them.
    """

    round_trips: int = 0
    statements: int = 0


@dataclass(frozen=True)
class StatementResult:
    """All that the server returns for one statement.

    Attributes:
        rows: the rows of its result set, or None for a statement that has none.
        affected: how many rows it changed.
        insert_id: the AUTO_INCREMENT value that it generated, or 0.
        warnings: how many warnings it caused.
    """

    rows: Sequence[tuple[object, ...]] | None
    affected: int
    insert_id: int
    warnings: int


class MySQLSession:
    """The `Session` port: one connection, in autocommit until `begin`."""

    def __init__(self, connection: Any, counts: RequestCounts | None = None, level: str | None = None) -> None:
        self._connection = connection
        self._counts = RequestCounts() if counts is None else counts
        self._status = 0
        self.level = level  # the isolation level that was last set here; None when unknown

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, as the server reported with its last successful answer."""
        # kept here: asyncmy's own flag stays up when the server's status is 0, as with autocommit off
        return bool(self._status & _IN_TRANSACTION)

    @property
    def connection_id(self) -> int:
        """The server's number for this connection, as in ``CONNECTION_ID()``."""
        return int(self._connection.thread_id())

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement."""
        return (await self.script(sql, args))[0]

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        """Run several statements in one round trip."""
        args = arguments(sql, args)
        return await self._query(mogrify(sql, args) if args else sql, sql)

    async def run(self, sql: str) -> StatementResult:
        """Run one statement as it is, and return all that the server returns for it. Raises a `DatabaseError`."""
        await self._query(sql, sql)
        result = self._connection._result  # noqa: SLF001 - asyncmy offers it through its slower cursors only
        rows = (result.rows or ()) if result.description else None
        return StatementResult(rows, result.affected_rows or 0, result.insert_id or 0, result.warning_count or 0)

    async def _query(self, text: str, sql: str) -> list[Rows]:
        """Have ``text`` executed, which was ``sql`` before the arguments came to their places."""
        connection = self._connection
        if _may_set_isolation(sql):
            self.level = None
        self._counts.round_trips += 1
        try:
            await connection.query(text)
            outcomes = [self._outcome()]
            while connection._result.has_next:  # noqa: SLF001 - see above
                await connection.next_result()
                outcomes.append(self._outcome())
        except DriverError as error:
            refusal = database_error(*_reason(error))
            refusal.statement = sql
            raise refusal from error
        return outcomes

    def _outcome(self) -> Rows:
        self._counts.statements += 1
        result = self._connection._result  # noqa: SLF001 - see above
        self._status = result.server_status or 0
        return Rows(result.rows or (), result.affected_rows or 0, result.insert_id or 0)

    async def set_isolation(self, level: Isolation | None) -> None:
        """Set the session's isolation level, if it is another one. None is the server's default."""
        wanted = f"'{level.value.replace(' ', '-')}'" if level else "DEFAULT"
        if wanted != self.level:
            await self.execute(f"SET SESSION transaction_isolation = {wanted}")
            self.level = wanted

    async def begin(self, isolation: Isolation | None = None) -> None:
        """Open a transaction."""
        if isolation is None:
            await self.script("BEGIN")
        else:
            await self.script(f"SET TRANSACTION ISOLATION LEVEL {isolation.value}; BEGIN")

    async def commit(self) -> None:
        """Commit."""
        await self.script("COMMIT")

    async def rollback(self) -> None:
        """Roll back."""
        await self.script("ROLLBACK")

    async def ping(self) -> None:
        """Ask whether the server is there. Raises a `ConnectionLostError`."""
        try:
            await self._connection.ping(reconnect=False)
        except (DriverError, OSError) as error:
            raise database_error(*_reason(error)) from error

    @property
    def lost(self) -> bool:
        """Whether the connection is known to be of no more use."""
        return bool(self._connection._stream_broken)  # noqa: SLF001 - asyncmy offers it through its own pool only

    def drop(self) -> None:
        """Close the connection without a farewell; an open transaction is rolled back by the server."""
        self._connection.close()

    async def close(self) -> None:
        """Close the connection; an open transaction is rolled back by the server."""
        await self._connection.ensure_closed()


class MySQLDatabase:
    """The `Database` port: a pool of connections.

    Args:
        url: ``mysql://user:password@host:port``.
        schema: the schema that its sessions use.
        size: the number of connections. They are opened on entering.
        counts: where the requests of its sessions are counted.
        at: the address to connect to, if it differs from that of the URL.
        timeouts: how long the server waits for its sessions. While the pool is open, it keeps idle connections alive.
    """

    def __init__(
        self,
        url: str,
        schema: str,
        size: int,
        counts: RequestCounts | None = None,
        *,
        at: Address | None = None,
        timeouts: SessionTimeouts | None = None,
    ) -> None:
        self._parameters = {**parameters(url), "db": schema} | ({"host": at.host, "port": at.port} if at else {})
        self._timeouts = timeouts
        if timeouts:
            self._parameters["init_command"] = (
                f"SET SESSION wait_timeout = {timeouts.silence}, innodb_lock_wait_timeout = {timeouts.lock_wait}"
            )
        self._pool: Pool[MySQLSession] = Pool(size, self._connect, _is_usable, MySQLSession.drop)
        self._counts = RequestCounts() if counts is None else counts
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Open all connections, so that none is opened within a measured window."""
        await self._pool.fill()
        if self._timeouts:
            self._keeping = asyncio.create_task(self._keep_alive(self._timeouts.silence / _PINGS))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        self._pool.close()

    @asynccontextmanager
    async def session(self, isolation: Isolation | None = None) -> AsyncIterator[MySQLSession]:
        """Lease a connection for the block. One that is returned with an open transaction is closed."""
        async with self._pool.lease() as session:
            await session.set_isolation(isolation)
            yield session

    async def _connect(self) -> MySQLSession:
        return await _connect(self._parameters, self._counts)

    async def _keep_alive(self, seconds: float) -> None:
        """Ping the idle connections again and again, so that the server closes them only if this process stands."""
        while True:
            await asyncio.sleep(seconds)
            with suppress(DatabaseError):  # the connection has been dropped
                await self._pool.visit(MySQLSession.ping)


def _is_usable(session: MySQLSession) -> bool:
    return not session.lost and not session.in_transaction


@lru_cache(maxsize=1024)
def _may_set_isolation(sql: str) -> bool:
    return "isolation" in sql.lower()


async def connect(url: str, schema: str | None = None) -> MySQLSession:
    """One connection outside any pool.

    Raises:
        BadUrlError: ``url`` is malformed.
        DatabaseError: no server answers there, or the login is refused.
    """
    return await _connect({**parameters(url), "db": schema})


async def _connect(options: dict[str, Any], counts: RequestCounts | None = None) -> MySQLSession:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return MySQLSession(await asyncmy.connect(**options), counts)
    except TimeoutError as error:
        raise database_error(2013, f"no answer within {_CONNECT_SECONDS:.0f} s") from error
    except (struct.error, IndexError) as error:  # the port of MySQL's X protocol greets so that asyncmy stumbles
        raise database_error(2007, "what answers there does not speak MySQL's protocol") from error
    except (DriverError, OSError) as error:
        raise database_error(*_reason(error)) from error


def address(url: str) -> Address:
    """A server's host and port, from its URL. Raises `BadUrlError`."""
    found = parameters(url)
    return Address(found["host"], found["port"])


def parameters(url: str) -> dict[str, Any]:
    """The arguments of `asyncmy.connect` for a URL. Raises `BadUrlError`."""
    shown = repr(without_password(url))
    try:
        parts = urlsplit(url)
        port = parts.port or 3306
    except ValueError as error:
        raise BadUrlError(f"{shown} names no valid host and port") from error
    if parts.scheme != "mysql" or not parts.hostname or parts.path.strip("/"):
        raise BadUrlError(f"{shown} is not of the form mysql://user:password@host:port")
    return {
        "host": parts.hostname,
        "port": port,
        "user": unquote(parts.username or "root"),
        "password": unquote(parts.password or ""),
        "autocommit": True,
        "charset": "utf8mb4",
        "client_flag": CLIENT.MULTI_STATEMENTS,
        "connect_timeout": _CONNECT_SECONDS,
    }


def mogrify(sql: str, args: Sequence[object]) -> str:
    """``sql`` with its ``?`` replaced by literals. Raises `ValueError` if their number does not match."""
    return fill(sql, [literal(value) for value in args])


_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z"})


def literal(value: object) -> str:
    """A Python value as a MySQL literal. Raises `TypeError` for a type that has none."""
    match value:
        case None:
            return "NULL"
        case int():
            return str(int(value))  # of a bool and of a member of an enumeration, too
        case float() | Decimal():
            return repr(value) if isinstance(value, float) else format(value, "f")
        case str():
            return "'" + value.translate(_ESCAPES) + "'"
        case bytes():
            return f"x'{value.hex()}'"
    raise TypeError(f"no SQL literal for {type(value).__name__}: {value!r}")


def _reason(error: Exception) -> tuple[int, str]:
    """MySQL's number and message for an exception of the driver."""
    if len(error.args) >= 2 and isinstance(error.args[0], int):
        # 0 is asyncmy's number for a connection that it has closed after a cancellation
        errno = 2013 if isinstance(error, OSError) else error.args[0] or 2013
        return errno, str(error.args[1])
    return 2013, str(error) or type(error).__name__
