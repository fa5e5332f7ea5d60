"""The service's connection to MySQL, by the driver asyncmy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncmy

__all__ = ["Connection", "Result", "connected"]


@dataclass(frozen=True)
class Result:
    """What a statement has come to."""

    rows: Sequence[tuple[Any, ...]]
    affected: int
    last_id: int


class Connection:
    """A connection, in autocommit until `begin`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Result:
        """Run a statement; ``?`` is the place of an argument."""
        async with self._connection.cursor() as cursor:
            await cursor.execute(sql.replace("?", "%s"), tuple(args))
            rows = await cursor.fetchall() if cursor.description else ()
            return Result(rows, cursor.rowcount, cursor.lastrowid or 0)

    async def begin(self) -> None:
        """Begin a transaction."""
        await self._connection.begin()

    async def commit(self) -> None:
        """Commit it."""
        await self._connection.commit()

    async def rollback(self) -> None:
        """Roll it back."""
        await self._connection.rollback()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection to the schema of ``mysql://user:password@host:port/schema`` for the block."""
    parts = urlsplit(url)
    connection = await asyncmy.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or "root"),
        password=unquote(parts.password or ""),
        db=parts.path.strip("/"),
        autocommit=True,
    )
    try:
        yield Connection(connection)
    finally:
        await connection.ensure_closed()
