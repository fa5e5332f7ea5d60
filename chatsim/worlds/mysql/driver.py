"""The `Database` port on asyncmy."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import asyncmy
from asyncmy.constants import CLIENT
from asyncmy.errors import Error as DriverError

from chatsim.chat.ports import Address
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation, Rows
from chatsim.db.text import fill
from chatsim.worlds.mysql.servers.urls import BadUrlError, without_password

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
        connection = self._connection
        text = mogrify(sql, args) if args else sql
        if _may_set_isolation(sql):
            self.level = None
        self._counts.round_trips += 1
        try:
            await connection.query(text)
            outcomes = [self._outcome()]
            while connection._result.has_next:  # noqa: SLF001 - asyncmy offers it through its slower cursors only
                await connection.next_result()
                outcomes.append(self._outcome())
        except DriverError as error:
            raise database_error(*_reason(error)) from error
        return outcomes

    async def run(self, sql: str) -> StatementResult:
        """Run one statement, and return all that the server returns for it. Raises a `DatabaseError`."""
        await self.script(sql)
        result = self._connection._result  # noqa: SLF001 - see above
        rows = (result.rows or ()) if result.description else None
        return StatementResult(rows, result.affected_rows or 0, result.insert_id or 0, result.warning_count or 0)

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
    """

    def __init__(
        self, url: str, schema: str, size: int, counts: RequestCounts | None = None, at: Address | None = None
    ) -> None:
        self._parameters = {**parameters(url), "db": schema} | ({"host": at.host, "port": at.port} if at else {})
        self._size = size
        self._pool: asyncmy.Pool | None = None
        self._levels: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()  # of the connections
        self._counts = RequestCounts() if counts is None else counts

    async def __aenter__(self) -> Self:
        """Open all connections, so that none is opened within a measured window."""
        self._pool = asyncmy.Pool(self._size, self._size, **self._parameters)
        try:
            async with self._pool.cond:
                await self._pool.fill_free_pool()
        except BaseException as error:
            await self.__aexit__()  # asyncmy would leave the connections open that it has opened
            if isinstance(error, DriverError | OSError):
                raise database_error(*_reason(error)) from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._pool is not None
        self._pool.close()
        await self._pool.wait_closed()

    @asynccontextmanager
    async def session(self, isolation: Isolation | None = None) -> AsyncIterator[MySQLSession]:
        """Lease a connection for the block. One that is returned with an open transaction is closed."""
        assert self._pool is not None, "enter the database first"
        try:
            connection = await self._pool.acquire()
        except (DriverError, OSError) as error:
            raise database_error(*_reason(error)) from error
        session = MySQLSession(connection, self._counts, self._levels.get(connection))
        try:
            await session.set_isolation(isolation)
            yield session
        finally:
            self._levels[connection] = session.level
            await self._pool.release(connection)


@lru_cache(maxsize=1024)
def _may_set_isolation(sql: str) -> bool:
    return "isolation" in sql.lower()


async def connect(url: str, schema: str | None = None) -> MySQLSession:
    """One connection outside any pool.

    Raises:
        BadUrlError: ``url`` is malformed.
        DatabaseError: no server answers there, or the login is refused.
    """
    options = {**parameters(url), "db": schema}
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            return MySQLSession(await asyncmy.connect(**options))
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
        case bool():
            return "1" if value else "0"
        case int() | float():
            return repr(value)
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
