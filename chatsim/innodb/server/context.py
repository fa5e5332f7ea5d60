"""The context of a session's statements: its transaction, its variables, its user-level locks (MySQL's THD)."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.prepared import PreparedStatement
from chatsim.innodb.server.transactions import SessionTransaction
from chatsim.innodb.server.variables import system_variable
from chatsim.innodb.sql.executor.execution import Answer
from chatsim.innodb.sql.executor.statements import Statement
from chatsim.innodb.storage.structures import Transaction
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import Value, as_number

__all__ = ["StatementContext"]


class StatementContext(SessionTransaction):
    """What statements may ask of the session that runs them.

    Args:
        engine: the server.
        connection_id: the number of the session.
        waits: whether its commits take time; those of other sessions are on disk at once.

    Attributes:
        variables: its ``@variables``.
        temporary: its temporary tables, by their names.
        written: whether the transaction has changed tables in memory (True), and others (False).
        made_temporary: whether the transaction has created a temporary table (True), or dropped one (False).
        named_insert_id: what the current statement has said LAST_INSERT_ID() is to give.
        branch: its branch of a distributed transaction, until that is prepared.
        locked_tables: the tables of LOCK TABLES, by the names that statements call them by, and whether it writes them.
        statements: the statements of PREPARE, by their names.
        failed: whether the last of the warnings is an error.
        row_count: what ROW_COUNT() gives: the rows that the statement before has changed, -1 for a query.
        works: whether it executes a statement.
        sleeps: whether it is in SLEEP().
        rows_found: what FOUND_ROWS() gives.
        warnings: those of the latest statement that can have some, for SHOW WARNINGS.
    """

    def __init__(self, engine: Engine, connection_id: int, *, waits: bool) -> None:
        super().__init__(engine, connection_id, waits=waits)
        self.variables: dict[str, Value] = {}
        self.temporary: dict[str, Table] = {}
        self.written: set[bool] = set()
        self.made_temporary: set[bool] = set()
        self.named_insert_id: int | None = None
        self.branch: Any = None
        self.locked_tables: dict[str, bool] | None = None
        self.statements: dict[str, PreparedStatement] = {}
        self.failed = False
        self.row_count = -1
        self.works = False
        self.sleeps = False
        self.rows_found = 0
        self.warnings: list[tuple[int, str]] = []
        self._causes: set[int] = set()

    def _close(self, trx: Transaction | None) -> None:
        super()._close(trx)
        self.written.clear()
        self.made_temporary.clear()

    def note_written(self, tables: Iterable[Table]) -> list[tuple[int, str]]:
        """Note that a statement has written tables, or locked them as if it did.

        Returns:
            The warning, if the transaction has now written tables of both kinds, with transactions and without.
        """
        before = len(self.written)
        self.written |= {not table.transactional for table in tables}
        if len(self.written) == before or len(self.written) == 1:
            return []
        return [(6414, "Combining the storage engines MEMORY and InnoDB in one transaction is deprecated.")]

    def note_temporary(self, *, made: bool) -> None:
        """Note that a temporary table was created or dropped, which a rollback of the open transaction can't undo."""
        if self.open:
            self.made_temporary.add(made)

    def not_undone(self) -> list[tuple[int, str]]:
        """The warnings of a rollback about what stays."""
        found = []
        if True in self.written:
            found.append((1196, "Some non-transactional changed tables couldn't be rolled back"))
        if True in self.made_temporary:
            found.append((1751, "The creation of some temporary tables could not be rolled back."))
        if False in self.made_temporary:
            found.append((1752, "The dropping of some temporary tables could not be rolled back."))
        return found

    async def execute_on_rows(self, statement: Statement, args: Sequence[Any]) -> Answer:
        """Execute a statement about rows, whose tables the session uses already. In autocommit it commits."""
        raise NotImplementedError

    @property
    def tables(self) -> MutableMapping[str, Table]:
        """The tables that it knows by their names: a temporary one is in front of another one of the same name."""
        return ChainMap(self.temporary, self.engine.tables)

    def table(self, name: str) -> Table:
        """A table by its name. Raises a `DatabaseError`."""
        return self.temporary.get(name) or self.engine.table(name)

    def find(self, name: str) -> Table:
        """A table or a view by its name. Raises a `DatabaseError`."""
        return self.temporary.get(name) or self.engine.find(name)

    @property
    def reads_whole_rows(self) -> bool:
        """Whether a row that is written is read whole before: the binary log has it so (row format, full images)."""
        return bool(self.engine.log.durability.log_bin)

    @property
    def numbers_ahead(self) -> bool:
        """Whether AUTO_INCREMENT values are reserved before the rows are inserted."""
        return self.engine.autoinc_lock_mode != 0

    def random(self) -> float:
        """A number drawn at random, from 0 to below 1."""
        return self.engine.chance.random()

    def note_once(self, errno: int, message: str, cause: object) -> None:
        """Note a warning of the current statement, if the same cause has not given it yet."""
        if id(cause) not in self._causes:
            self._causes.add(id(cause))
            self.note(errno, message)

    def forget_notes(self) -> None:
        """A statement begins: nothing is noted."""
        self.noted.clear()
        self._causes.clear()

    def found_rows(self) -> int:
        """FOUND_ROWS(): how many rows the latest SELECT has given."""
        return self.rows_found

    def system_variable(self, name: str) -> Value:
        """The value of ``@@name``. Raises a `DatabaseError`."""
        return system_variable(self, name)

    async def query(self, node: exp.Select, args: Sequence[Any]) -> list[tuple[Value, ...]]:
        """The rows of a query that is a part of another statement. Raises as that statement does."""
        raise NotImplementedError

    async def waiting_function(self, function: str, arguments: Sequence[Value]) -> Value:
        """GET_LOCK and SLEEP, which take time. Raises a `DatabaseError`."""
        if function == "SLEEP":
            return await self._sleep(*arguments)
        name, *seconds = arguments
        with self.interruption.possible():
            return await self.engine.user_locks.get_lock(self.connection_id, name, seconds[0] if seconds else None)

    async def _sleep(self, seconds: Value) -> Value:
        if seconds is None or as_number(seconds) < 0:
            raise database_error(1210, "Incorrect arguments to sleep.")
        self.sleeps = True
        try:
            with self.interruption.possible():
                await asyncio.sleep(float(as_number(seconds)))
        except DatabaseError:
            if self.interruption.ends_session:
                raise
            return 1
        finally:
            self.sleeps = False
        return 0

    def advisory(self, function: str, arguments: Sequence[Value]) -> Value:
        """RELEASE_LOCK, RELEASE_ALL_LOCKS, IS_FREE_LOCK, IS_USED_LOCK. Raises a `DatabaseError`."""
        return self.engine.user_locks.function(self.connection_id, function, arguments)
