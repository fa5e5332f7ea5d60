"""The `LocalStore` port in virtual time: the standard library's SQLite, whose statements take virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from chatsim.chat.ports import Many, Statement
from chatsim.db.session import Rows
from chatsim.worlds.common.sqlite import ERRORS, outcome, store_error

if TYPE_CHECKING:
    from chatsim.worlds.model.costs import StoreCosts

__all__ = ["ModelStore"]


class ModelStore:
    """A client's database, opened when it is first used: most of ten thousand clients never do.

    Args:
        path: a file, or ``":memory:"``.
        costs: how long statements and commits take.
        work: does so many seconds of the work, if that is not done by a device of its own.
    """

    def __init__(self, path: str, costs: StoreCosts, work: Callable[[float], Awaitable[None]] | None = None) -> None:
        self._path = path
        self._costs = costs
        self._work = work or asyncio.sleep
        self._connection: sqlite3.Connection | None = None
        self._turn = asyncio.Lock()

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement, a transaction of its own."""
        return (await self.transaction([(sql, args)]))[0]

    async def transaction(self, statements: Sequence[Statement]) -> list[Rows]:
        """Run statements, all of them or none."""
        async with self._turn:
            await self._work(self._costs.call * _calls(statements) + self._costs.row * _rows(statements))
            if self._costs.commit:
                await asyncio.sleep(self._costs.commit)
            try:
                if self._connection is None:
                    self._connection = sqlite3.connect(
                        self._path, timeout=0, isolation_level=None, check_same_thread=False
                    )
                return _all_or_none(self._connection, statements)
            except ERRORS as error:
                raise store_error(self._path, error) from error

    async def close(self) -> None:
        """Close it; it may be used again, and is then opened again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _calls(statements: Sequence[Statement]) -> int:
    """How often SQLite is called: for BEGIN and COMMIT, too, and twice for a statement whose rows are fetched."""
    return 2 + sum(1 if isinstance(each, Many) else 2 for each in statements)


def _rows(statements: Sequence[Statement]) -> int:
    """For how many rows statements are run."""
    return sum(len(each.rows) for each in statements if isinstance(each, Many))


def _all_or_none(connection: sqlite3.Connection, statements: Sequence[Statement]) -> list[Rows]:
    connection.execute("BEGIN")
    try:
        done = []
        for statement in statements:
            if isinstance(statement, Many):
                cursor = connection.executemany(statement.sql, statement.rows)
                done.append(Rows(affected=max(cursor.rowcount, 0)))
                continue
            sql, args = statement
            cursor = connection.execute(sql, args)
            done.append(outcome(sql, cursor.fetchall(), cursor.rowcount, cursor.lastrowid))
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.OperationalError):  # the statement has rolled back itself
            connection.execute("ROLLBACK")
        raise
    return done
