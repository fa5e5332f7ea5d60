"""Changing and deleting rows that an UPDATE or DELETE has found, with the foreign keys; and what IGNORE lets pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.triggers import fire
from chatsim.innodb.storage.foreign_keys import apply_to_children, check_parents
from chatsim.innodb.storage.rows import DuplicateError

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Execution
    from chatsim.innodb.storage.structures import Record
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["RowChanges"]

_IGNORED = (1062, 1451, 1452, 3819)
"""The errors that are warnings with IGNORE: the row stays as it is."""


class RowChanges:
    """The changes of one run of a statement.

    Args:
        run: the run.
        ignore: whether a row that can't be changed is left as it is, with a warning.
    """

    def __init__(self, run: Execution, *, ignore: bool) -> None:
        self._run = run
        self._ignore = ignore

    async def update(
        self, table: Table, record: Record, before: Sequence[Value], row: tuple[Value, ...], written: set[int]
    ) -> None:
        """Change a row, and count it. Raises a `DatabaseError`."""
        run = self._run
        try:
            if not await apply_to_children(run.rows, table, before, row):
                return
            await check_parents(run.rows, table, row, before)
            try:
                await run.rows.update(table, record, row)
            except DuplicateError as error:
                raise database_error(1062, str(error)) from error
        except DatabaseError as error:
            self._let_pass(error)
            return
        if row != tuple(before):
            run.answer.affected += 1
            if table.auto is not None and table.auto in written:
                table.numbered(cast("int", row[table.auto]))

    async def delete(self, table: Table, record: Record, row: Sequence[Value]) -> None:
        """Delete a row, and count it; one that is deleted already is not. Raises a `DatabaseError`."""
        try:
            if record.deleted:
                return
            if table.triggers:
                await fire(self._run, table, "BEFORE", "DELETE", old=row)
            if not await apply_to_children(self._run.rows, table, row, None):
                return
            if not record.deleted:  # a row that is its own child is deleted already
                await self._run.rows.delete(table, record)
            if table.triggers:
                await fire(self._run, table, "AFTER", "DELETE", old=row)
        except DatabaseError as error:
            self._let_pass(error)
            return
        self._run.answer.affected += 1

    def _let_pass(self, error: DatabaseError) -> None:
        if not self._ignore or error.errno not in _IGNORED:
            raise error
        self._run.warn(error.errno, error.message)
