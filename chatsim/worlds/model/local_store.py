"""The `LocalStore` port in virtual time: SQLite itself, its time charged."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chatsim.chat.ports import LocalStoreError, Rows

if TYPE_CHECKING:
    from chatsim.worlds.model.costs import StoreCosts

__all__ = ["ModelStore"]


class ModelStore:
    """A client's database, opened when it is first used: most of ten thousand clients never do.

    Args:
        path: a file, or ``":memory:"``.
        costs: what it takes.
    """

    def __init__(self, path: str, costs: StoreCosts) -> None:
        self._path = path
        self._costs = costs
        self._connection: sqlite3.Connection | None = None

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement, a transaction of its own."""
        return (await self.transaction([(sql, args)]))[0]

    async def transaction(self, statements: Sequence[tuple[str, Sequence[object]]]) -> list[Rows]:
        """Run statements, all of them or none."""
        await asyncio.sleep(self._costs.statement * len(statements) + self._costs.commit)
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._connection.execute("BEGIN")
            try:
                done = [_run(self._connection, sql, args) for sql, args in statements]
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise LocalStoreError(f"{self._path}: {error}") from error
        return done

    async def close(self) -> None:
        """Close it; it may be used again, and is then opened again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _run(connection: sqlite3.Connection, sql: str, args: Sequence[object]) -> Rows:
    cursor = connection.execute(sql, args)
    return Rows(cursor.fetchall(), max(cursor.rowcount, 0), cursor.lastrowid or 0)
