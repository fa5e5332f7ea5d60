"""The `LocalStore` port on aiosqlite: SQLite in a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress

import aiosqlite

from chatsim.chat.ports import LocalStoreError, Rows

__all__ = ["SqliteStore"]


class SqliteStore:
    """A client's database, opened when it is first used.

    Args:
        path: a file, or ``":memory:"``.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self._turn = asyncio.Lock()  # a transaction has the connection to itself

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement, a transaction of its own."""
        return (await self.transaction([(sql, args)]))[0]

    async def transaction(self, statements: Sequence[tuple[str, Sequence[object]]]) -> list[Rows]:
        """Run statements, all of them or none."""
        async with self._turn:
            try:
                if self._connection is None:
                    self._connection = await aiosqlite.connect(self._path, isolation_level=None)
                return await _all_or_none(self._connection, statements)
            except sqlite3.Error as error:
                raise LocalStoreError(f"{self._path}: {error}") from error

    async def close(self) -> None:
        """Close it; it may be used again, and is then opened again."""
        async with self._turn:
            if self._connection is not None:
                await self._connection.close()
                self._connection = None


async def _all_or_none(
    connection: aiosqlite.Connection, statements: Sequence[tuple[str, Sequence[object]]]
) -> list[Rows]:
    await connection.execute("BEGIN")
    try:
        done = []
        for sql, args in statements:
            cursor = await connection.execute(sql, args)
            done.append(
                Rows([tuple(row) for row in await cursor.fetchall()], max(cursor.rowcount, 0), cursor.lastrowid or 0)
            )
        await connection.execute("COMMIT")
    except BaseException:  # a cancellation, too: the thread does what it was given, one after the other
        with suppress(sqlite3.OperationalError):  # it was the COMMIT that was given up, and it was done
            await connection.execute("ROLLBACK")
        raise
    return done
