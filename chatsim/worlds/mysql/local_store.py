"""The `LocalStore` port on aiosqlite: SQLite in a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress

import aiosqlite

from chatsim.chat.ports import Many, Statement
from chatsim.db.session import Rows
from chatsim.worlds.common.sqlite import ERRORS, outcome, store_error

__all__ = ["SqliteStore"]


class SqliteStore:
    """A client's database, opened when it is first used.

    Args:
        path: a file, or ``":memory:"``.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self._turn = asyncio.Lock()  # only one transaction uses the connection

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement in a transaction of its own."""
        return (await self.transaction([(sql, args)]))[0]

    async def transaction(self, statements: Sequence[Statement]) -> list[Rows]:
        """Run statements, all of them or none."""
        async with self._turn:
            try:
                if self._connection is None:
                    self._connection = await _opened(self._path)
                return await _all_or_none(self._connection, statements)
            except ERRORS as error:
                raise store_error(self._path, error) from error

    async def close(self) -> None:
        """Close it. Later calls open it again."""
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()


async def _opened(path: str) -> aiosqlite.Connection:
    connection = aiosqlite.connect(path, isolation_level=None)
    opening = asyncio.ensure_future(connection)
    try:
        return await asyncio.shield(opening)
    except BaseException:  # a cancellation, too: what the thread has opened is closed
        with suppress(*ERRORS):
            await (await opening).close()
        connection._thread.join()  # noqa: SLF001  # told to end, it answers to this loop, and must not outlive that
        raise


async def _all_or_none(connection: aiosqlite.Connection, statements: Sequence[Statement]) -> list[Rows]:
    cursor: aiosqlite.Connection | aiosqlite.Cursor = connection
    try:
        cursor = await connection.execute("BEGIN")
        done = []
        for statement in statements:
            if isinstance(statement, Many):  # each call is a hop to the thread and back
                await cursor.executemany(statement.sql, statement.rows)
                done.append(Rows(affected=max(cursor.rowcount, 0)))
                continue
            sql, args = statement
            await cursor.execute(sql, args)
            done.append(outcome(sql, await cursor.fetchall(), cursor.rowcount, cursor.lastrowid))
        await cursor.execute("COMMIT")
    except BaseException:  # a cancellation, too: the thread does what it was given, one after the other
        with suppress(sqlite3.OperationalError):  # it was the COMMIT that was given up; or a statement has done it
            await cursor.execute("ROLLBACK")  # the cursor's own: a SELECT not read to its end would keep a lock
        raise
    return done
