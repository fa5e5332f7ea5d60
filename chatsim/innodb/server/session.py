"""A session of the server: it executes statements, one after the other (MySQL's sql_parse)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from chatsim.db.errors import DatabaseError, DeadlockError
from chatsim.db.mysql import database_error
from chatsim.innodb.server import (
    control,
    kill,  # noqa: F401
    show,  # noqa: F401 - it registers its statements, as those around it do
    system_tables,
    table_locks,
    triggers,
    views,  # noqa: F401
    xa,
)
from chatsim.innodb.server.context import StatementContext
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.prepared import PreparedStatement
from chatsim.innodb.server.statement_hints import with_hints
from chatsim.innodb.sql.executor.execution import Answer, Execution
from chatsim.innodb.sql.executor.insert import Insert
from chatsim.innodb.sql.executor.statements import Statement, prepare
from chatsim.innodb.sql.parsed_statement import ParsedStatement
from chatsim.innodb.sql.session_syntax import Execute, Show
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import Value

__all__ = ["EngineSession"]


class EngineSession(StatementContext):
    """One connection, as the server sees it: in autocommit, at REPEATABLE READ.

    Args:
        engine: the server.
        waits: whether its commits take time; those of other sessions are on disk at once.

    Raises:
        ConnectionLostError: the server is down.
    """

    def __init__(self, engine: Engine, *, waits: bool = False) -> None:
        if not engine.process.up:
            raise database_error(2013, "Can't connect to MySQL server")
        engine.opened += 1
        super().__init__(engine, engine.opened, waits=waits)
        self.tables_opened = 0
        engine.sessions[self.connection_id] = self
        self._current: tuple[PreparedStatement, Sequence[Any]] | None = None

    async def run(self, sql: str, args: Sequence[Any] = ()) -> list[Answer]:
        """Execute the statements of a text, in order.

        Raises:
            DatabaseError: one of them failed; those behind it have not been executed.
            NotImplementedError: it has something that the model does not understand; the message names it.
            ValueError: the text takes another number of arguments.
        """
        return [await self.execute(statement, args) for statement in self.engine.prepared.prepare(sql)]

    async def execute(self, statement: PreparedStatement, args: Sequence[Any] = ()) -> Answer:
        """Execute one statement of a text, with the arguments of the text; raises as `run` does."""
        with self.engine.process.working():
            self.works = True
            try:
                return await self.work_on(statement, args)
            finally:
                self.works = False
                if self.interruption.ends_session:
                    self.close()

    async def work_on(self, prepared: PreparedStatement, args: Sequence[Any]) -> Answer:
        """`execute` within a task that does already work of the server's process."""
        if self.closed:
            raise database_error(2006, "MySQL server has gone away")
        prepared.check(args)
        self.forget_notes()
        self.noted += prepared.parsed.warnings
        try:
            if isinstance(prepared.node, Execute):
                prepared, args = control.prepared_statement(prepared.node, self)
            self._check_state(prepared)
            stops = prepared.writes and await self.begin_to_write()
            try:
                return await self._work_on(prepared, args)
            finally:
                if stops:
                    self.end_to_write()
        except DatabaseError as error:
            self.row_count, self.failed = -1, True
            self.warnings = [*self.noted, (error.errno or 0, error.message)]
            raise

    def _check_state(self, prepared: PreparedStatement) -> None:
        """Raise a `DatabaseError` if the session's branch, or the tables that it has locked, forbid a statement."""
        if self.branch is not None:
            xa.check(self.branch, prepared.node)
        if self.locked_tables is not None and isinstance(prepared.node, exp.Query | exp.DML):
            table_locks.check(self.locked_tables, prepared.node, list(self.temporary), writes=prepared.writes)

    async def _work_on(self, prepared: PreparedStatement, args: Sequence[Any]) -> Answer:
        if prepared.shows_state:
            return await self._work_on(self._of_this_moment(prepared), args)
        try:
            own = self._uses_temporary(prepared)
            names = prepared.tables
            if prepared.writes and self.engine.has_triggers:
                names = sorted({*names, *triggers.tables_of_triggers(self, prepared.node)})
            for name in names:
                if not own or name not in self.temporary:
                    await self.use_table(name, writes=prepared.writes)
            statement = prepare(prepared.parsed, self.find) if own else prepared.bind()
        except BaseException:
            self.leave_tables()
            raise
        self._current = prepared, args
        self.named_insert_id = None
        if statement is None:
            answer = await control.execute(prepared.node, self, args)
        elif self.max_execution_time or prepared.parsed.has_hints:
            async with with_hints(self, prepared.node):
                answer = await self.execute_on_rows(statement, args)
        else:
            answer = await self.execute_on_rows(statement, args)
        answer.warnings = [*self.noted, *answer.warnings]
        self._remember(answer, prepared.node)
        self.engine.statements += 1
        return answer

    def _remember(self, answer: Answer, node: exp.Expr) -> None:
        """Keep what ROW_COUNT(), FOUND_ROWS() and SHOW WARNINGS give."""
        self.row_count = answer.affected if answer.rows is None else -1
        if answer.rows is not None and isinstance(node, exp.Query):
            self.rows_found = len(answer.rows) if answer.found is None else answer.found
        if not isinstance(node, Show):
            self.warnings, self.failed = list(answer.warnings), False

    async def query(self, node: exp.Select, args: Sequence[Any]) -> list[tuple[Value, ...]]:
        """The rows of a query that is a part of another statement. Raises as that statement does."""
        parsed = ParsedStatement(node)
        for name in self.engine.prepared.opened_by(parsed.tables - self.temporary.keys()):
            await self.use_table(name, writes=False)
        statement = prepare(parsed, self.find)
        assert statement is not None
        return (await self.execute_on_rows(statement, args, shares=True)).rows or []

    def _of_this_moment(self, prepared: PreparedStatement) -> PreparedStatement:
        """A query of the server's state, with what it is now. Raises `NotImplementedError`."""
        node = system_tables.with_rows(prepared.node, self.engine, self.database)
        return PreparedStatement(ParsedStatement(node), node.meta["text"], prepared.parameters, self.engine.prepared)

    def _uses_temporary(self, prepared: PreparedStatement) -> bool:
        """Whether a statement names a temporary table of the session: then it is bound for this session alone."""
        return not prepared.parsed.tables.isdisjoint(self.temporary)

    async def execute_on_rows(self, statement: Statement, args: Sequence[Any], *, shares: bool = False) -> Answer:
        """Execute a statement about rows, whose tables the session uses already. In autocommit it commits.

        With ``shares`` its plain reads take shared locks, since it is a part of a statement that is no SELECT.
        """
        if self.only_reads and statement.writes and any(not table.temporary for table in _written(statement)):
            raise database_error(1792, "Cannot execute statement in a READ ONLY transaction.")
        tables = statement.tables
        self.tables_opened += len(tables)
        for table in set(tables):
            table.opened(self.connection_id, tables.count(table))
        trx = self.transaction()
        rows = self.rows(statement.duplicates)
        execution = Execution(self, rows, args, shares=shares, changes=shares, used=statement.tables)
        changes = len(trx.undo_log)
        try:
            answer = await statement.run(execution)
        except DeadlockError:
            self.abort()
            if self.branch is not None:
                self.branch.state = "ROLLBACK ONLY"
            raise
        except DatabaseError:
            rows.undo(changes)
            self.end_statement(trx)
            if not self.open:
                self.abort()
            raise
        except BaseException:
            self.abort()  # the connection is lost, or the model has a bug: nothing is left half done
            raise
        self.end_statement(trx)
        if self.temporary and statement.writes:
            answer.warnings += self.note_written(_written(statement))
        answer.fetched += rows.fetched
        self.engine.examined += answer.examined
        if not self.open:
            await self.commit()
        return answer

    @property
    def statement(self) -> str:
        """The text of the current statement, with its arguments in their places."""
        if self._current is None:
            return ""
        statement, args = self._current
        return statement.with_arguments(args)

    @property
    def closed(self) -> bool:
        """Whether it has ended: the client has gone, or the server has died."""
        return not self.engine.process.up or self.connection_id not in self.engine.sessions

    def close(self) -> None:
        """The connection has gone: roll back, and release everything."""
        self.abort()
        history = self.engine.history
        if self.branch is not None:
            self.engine.branches.pop(self.branch.xid, None)
            self.branch = None
        self.locked_tables = None
        self.give_tables_back()
        self.let_writers_go()
        self.temporary.clear()
        self.engine.user_locks.release_all(self.connection_id)
        self.engine.sessions.pop(self.connection_id, None)
        waits = self.engine.locks.waits.of_session
        for counts in (history.changes, history.undone, history.rolled_back, waits):
            counts.pop(self.connection_id, None)


def _written(statement: Statement) -> Sequence[Table]:
    """The tables that a statement changes, or locks as if it did."""
    if isinstance(statement, Insert):
        return [statement.table, *(statement.source.tables if statement.source and statement.source.writes else ())]
    return statement.tables
