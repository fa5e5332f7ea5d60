"""INSERT and REPLACE: rows made and put in, and what is done about those in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.assignment import (
    apply_assignments,
    check_constraints,
    compile_assignments,
    stored_value,
)
from chatsim.innodb.sql.executor.clauses import refuse
from chatsim.innodb.sql.executor.execution import Answer, Execution, Find
from chatsim.innodb.sql.executor.query import query
from chatsim.innodb.sql.executor.select import Each, Select
from chatsim.innodb.sql.executor.union import UnionQuery
from chatsim.innodb.sql.expressions import Function, Scope
from chatsim.innodb.storage.foreign_keys import apply_to_children, check_parents
from chatsim.innodb.storage.rows import DuplicateError
from chatsim.innodb.storage.scan import AccessPath, Hit, Range, Reading, Scan

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.dictionary import Column
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["Insert"]


class Insert:
    """INSERT and REPLACE, of values or of what a SELECT reads."""

    writes = True

    def __init__(self, node: exp.Insert, find: Find) -> None:
        refuse(node, "returning", "where", "partition", "with_")
        target = node.this
        names = [each.name for each in target.expressions] if isinstance(target, exp.Schema) else None
        self.table = table = find((target.this if isinstance(target, exp.Schema) else target).name)
        for name in names or ():
            if name.lower() not in table.numbers:
                raise database_error(1054, f"Unknown column '{name}' in 'field list'")
        every = [at for at in range(len(table.columns)) if at != table.hidden]
        self.columns = every if names is None else [table.numbers[name.lower()] for name in names]
        self.replace = bool(node.args.get("replace"))
        self.ignore = bool(node.args.get("ignore"))
        self.source: Select | UnionQuery | None = None
        self.values: list[list[Function | None]] = []
        source = node.expression
        alias = ""
        if isinstance(source, exp.Values):
            alias = source.alias
            scope = Scope(strict=not self.ignore)
            for number, each in enumerate(source.expressions, start=1):
                if len(each.expressions) != len(self.columns) and each.expressions:
                    raise database_error(1136, f"Column count doesn't match value count at row {number}")
                self.values.append([None if _is_default(part) else scope.compile(part) for part in each.expressions])
        else:
            self.source = query(source, find, strict=not self.ignore)
            if len(self.source.names) != len(self.columns):
                raise database_error(1136, "Column count doesn't match value count at row 1")
        beside = self.source.scope.tables if isinstance(self.source, Select) else ()
        scope = Scope([(table.name, table), *beside], inserted=alias.lower(), strict=not self.ignore)
        conflict = node.args.get("conflict")
        self.updates = compile_assignments(scope, table, conflict.expressions) if conflict else None
        self.beside = sorted((at, column) for at, column in scope.read if at)
        if isinstance(self.source, Select):
            self.source.give((at - 1, column) for at, column in self.beside)
        self.duplicates: Mode = "X" if self.replace or self.updates is not None else "S"
        self._deprecated = bool(conflict and any(_is_values(each) for each in conflict.find_all(exp.Anonymous)))

    @property
    def bulk(self) -> bool:
        """Whether it is not known how many rows there will be."""
        return self.source is not None

    @property
    def tables(self) -> Sequence[Table]:
        """Those that it reads and writes."""
        return [self.table, *(self.source.tables if self.source else ())]

    async def run(self, run: Execution) -> Answer:
        """Insert."""
        numbers = _Numbers(self.table, len(self.values), ahead=run.session.numbers_ahead)
        writing = _Writing(self, run, numbers)
        if self.source is None:
            env = run.env()
            for number, functions in enumerate(self.values, start=1):
                given = [
                    (at, each(env) if each else _DEFAULT) for at, each in zip(self.columns, functions, strict=False)
                ]
                await writing.row(given, number)
        else:

            async def write(row: tuple[Value, ...]) -> None:
                writing.beside = row[len(self.columns) :]
                await writing.row(list(zip(self.columns, row, strict=False)), run.answer.affected + 1)

            for row in await self._read(run, None if self.table in self.source.tables else write):
                await write(row)
        writing.finish()
        if self._deprecated:
            run.warn(1287, "'VALUES function' is deprecated and will be removed in a future release.")
        return run.answer

    def rows_beside(self, values: Sequence[Value]) -> list[list[Value]]:
        """Rows of the tables that it reads, as far as ON DUPLICATE KEY UPDATE names their columns."""
        assert self.source is None or isinstance(self.source, Select) or not values
        tables = self.source.scope.tables if isinstance(self.source, Select) else ()
        rows: list[list[Value]] = [[None] * len(table.columns) for _, table in tables]
        for (at, column), value in zip(self.beside, values, strict=True):
            rows[at - 1][column] = value
        return rows

    async def _read(self, run: Execution, each: Each | None) -> list[tuple[Value, ...]]:
        """What the source reads: locked, where gaps are; a consistent read otherwise."""
        run.shares = run.rows.trx.locks_gaps
        if isinstance(self.source, Select):
            return await self.source.read(run, each)
        assert self.source is not None
        return await self.source.read(run)


_DEFAULT = object()


def _is_values(node: exp.Anonymous) -> bool:
    """Whether it is the function ``VALUES(column)``, for which the server would have an alias of the row."""
    return node.name.upper() == "VALUES"


def _is_default(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column | exp.Var) and node.name.upper() == "DEFAULT"


class _Numbers:
    """The AUTO_INCREMENT values of one statement.

    Reserved ahead, what is over at the end is lost; or, in the traditional mode, one at a time, when its row is there.
    """

    def __init__(self, table: Table, expected: int, *, ahead: bool = True) -> None:
        self._table = table
        self._ahead = ahead
        self._expected = expected
        self._start = 0
        self._next = 0
        self._before = 0  # the next one before a row had a number of its own
        self._end = 0
        self._reservations = 0
        self._left = 0  # how many rows there are to come, as far as is known

    def take(self) -> int:
        """The next value."""
        if self._next >= self._end:
            if not self._left:
                self._left = self._expected if self._reservations == 0 and self._expected else 1 << self._reservations
            self._start = self._next = max(self._table.next_number, 1)
            self._end = self._next + (self._left if self._ahead else 1)
            if self._ahead:
                self._table.next_number = self._end
            self._reservations += 1
        self._next += 1
        return self._next - 1

    def tried(self, number: int, *, used: bool) -> None:
        """A row was tried; if it is not there, the next one gets what this one would have got."""
        self._left = max(self._left - 1, 0)
        if not used:
            self._next = number or self._before

    def changed(self, generated: int, number: int) -> None:
        """The row in the way of one with a ``generated`` value has been given a ``number`` instead.

        Raises:
            DatabaseError: it is a value that another row of the statement has, or may get (1869).
        """
        if number == generated:
            self._next = generated + 1
        elif self._start <= number < self._end:
            raise database_error(1869, "Auto-increment value in UPDATE conflicts with internally generated values")

    def passed(self, number: int) -> None:
        """A row has been given a number of its own; those behind it in this statement are greater."""
        self._before = self._next
        if self._end and number >= self._next:
            self._next = number + 1


class _Writing:
    """The rows of one INSERT, as they are written."""

    def __init__(self, insert: Insert, run: Execution, numbers: _Numbers) -> None:
        self._insert = insert
        self._run = run
        self._numbers = numbers
        self._table = insert.table
        self.beside: Sequence[Value] = ()  # what else was selected with the row, for ON DUPLICATE KEY UPDATE
        self._first = 0  # the first value taken for a row that is there now
        self._last = 0  # the number of the last row

    async def row(self, given: Sequence[tuple[int, Any]], number: int) -> None:
        """Write one."""
        insert, run, table = self._insert, self._run, self._table
        row, generates = self._complete(given, number)
        if not await self._related(row):
            return
        generated = 0
        if table.auto is not None:
            await run.session.take_numbers(table, bulk=insert.bulk)
            row, generated = self._numbered(row, number, generates=generates)
            self._last = cast("int", row[table.auto])
        await run.rows.lock_table(table, "IX")
        counted = await self._put(row, number, generated)
        if counted:
            run.answer.affected += counted
            self._count(row, generated)

    async def _put(self, row: tuple[Value, ...], number: int, generated: int) -> int:
        """Insert a row, and deal with those in its way; how often it counts, 0 if it is not there then."""
        replaced = 0
        while True:
            try:
                await self._run.rows.insert(self._table, row)
            except DuplicateError as duplicate:
                self._numbers.tried(generated, used=self._insert.replace)
                counted = await self._clash(duplicate, row, number, generated)
                if counted is not None:
                    return counted and counted + replaced
                replaced += 1
            else:
                self._numbers.tried(generated, used=True)
                return 1 + replaced

    async def _clash(
        self, duplicate: DuplicateError, row: tuple[Value, ...], number: int, generated: int
    ) -> int | None:
        """What is done about a row in the way: how often the new one counts for it, None if it is to be tried again."""
        insert, table = self._insert, self._table
        if table.auto is not None and (insert.replace or insert.source is not None):
            table.numbered(cast("int", row[table.auto]))
        if insert.updates is not None:
            await self._update(duplicate, row, number, generated)
            return 0
        if insert.replace:
            return await self._replaced(duplicate, row)
        if not insert.ignore:
            raise database_error(1062, str(duplicate)) from duplicate
        self._run.warn(1062, str(duplicate))
        return 0

    def _count(self, row: tuple[Value, ...], generated: int) -> None:
        if self._table.auto is not None:
            self._table.numbered(cast("int", row[self._table.auto]))
            self._first = self._first or generated

    def finish(self) -> None:
        """Say which number the statement took."""
        session, answer = self._run.session, self._run.answer
        if self._first:
            session.last_insert_id = answer.insert_id = self._first
        elif session.named_insert_id is not None:
            answer.insert_id = session.named_insert_id
        elif answer.affected:
            answer.insert_id = self._last

    def _complete(self, given: Sequence[tuple[int, Any]], number: int) -> tuple[tuple[Value, ...], bool]:
        """A row with everything but its number, and whether it is to have one."""
        table = self._table
        said = dict(given)
        rest = [(at, _DEFAULT) for at in range(len(table.columns)) if at not in said]
        row: list[Value] = [None] * len(table.columns)
        generates = False
        for at, value in (*given, *rest):
            if at == table.auto and (value is _DEFAULT or value is None or value == 0):
                row[at] = 0
                generates = True
            elif at == table.hidden:
                row[at] = table.next_row_id
                table.next_row_id += 1
            else:
                row[at] = self._stored(table.columns[at], value, number)
        check_constraints(table, row)
        return tuple(row), generates

    def _numbered(self, row: tuple[Value, ...], number: int, *, generates: bool) -> tuple[tuple[Value, ...], int]:
        """A row with its number, and that if it was generated; a row refused before this has used up none."""
        at = self._table.auto
        assert at is not None
        if not generates:
            self._numbers.passed(cast("int", row[at]))
            return row, 0
        generated = self._numbers.take()
        return (*row[:at], self._stored(self._table.columns[at], generated, number), *row[at + 1 :]), generated

    def _stored(self, column: Column, value: Any, number: int) -> Value:
        if value is _DEFAULT:
            if not column.has_default:
                return self._complain(1364, f"Field '{column.name}' doesn't have a default value", column.type.zero)
            return column.default() if callable(column.default) else column.default
        return stored_value(column, value, number, self._complain if self._insert.ignore else None)

    def _complain(self, errno: int, message: str, instead: Value) -> Value:
        if not self._insert.ignore:
            raise database_error(errno, message)
        self._run.warn(errno, message)
        return instead

    async def _fetch(self, duplicate: DuplicateError) -> Hit:
        """The row that is in the way, locked by its key."""
        span = Range(duplicate.key, duplicate.key, exact=True)
        path = AccessPath(self._table, duplicate.index, (span,), access="const")
        hit = await Scan(self._run.rows, path, Reading("X")).next()
        assert hit is not None, "a row that is locked has gone"
        return hit

    async def _update(self, duplicate: DuplicateError, wanted: tuple[Value, ...], number: int, generated: int) -> None:
        """ON DUPLICATE KEY UPDATE."""
        insert, run, table = self._insert, self._run, self._table
        hit = await self._fetch(duplicate)
        env = run.env(1)
        env.inserted = wanted
        env.rows[0] = hit.row
        env.rows += insert.rows_beside(self.beside)
        assert insert.updates is not None
        row = apply_assignments(insert.updates, table, env, number)
        if table.auto is not None:
            self._last = cast("int", row[table.auto])
            if generated and table.auto in {at for at, _ in insert.updates}:
                self._numbers.changed(generated, self._last)
        if row == hit.row:
            return
        if not await self._related(row, hit.row):
            return
        try:
            await run.rows.update(table, hit.record, row)
        except DuplicateError as other:
            if not insert.ignore:
                raise database_error(1062, str(other)) from other
            run.warn(1062, str(other))
            return
        run.answer.affected += 2
        if table.auto is not None:
            table.numbered(cast("int", row[table.auto]))

    async def _related(self, row: Sequence[Value], before: Sequence[Value] | None = None) -> bool:
        """Whether a row may be written as far as its foreign keys go; IGNORE makes a warning of what is against it."""
        rows, table = self._run.rows, self._table
        try:
            if before is not None and not await apply_to_children(rows, table, before, row):
                return False
            await check_parents(rows, table, row, before)
        except DatabaseError as error:
            if not self._insert.ignore or error.errno not in (1451, 1452):
                raise
            self._run.warn(error.errno, error.message)
            return False
        return True

    async def _replaced(self, duplicate: DuplicateError, row: tuple[Value, ...]) -> int | None:
        """REPLACE: the row in the way is changed if nothing else can be in the way, else deleted.

        Returns:
            2 if it was changed, 1 if there was nothing to change, None if it is gone and there is room, 0 if it has to
            stay.
        """
        table, rows = self._table, self._run.rows
        hit = await self._fetch(duplicate)
        behind = table.indexes[table.indexes.index(duplicate.index) + 1 :]
        if not any(each.definition.unique for each in behind) and not table.children:
            if table.hidden is not None:
                row = (*row[: table.hidden], hit.row[table.hidden])
            if row == hit.row:
                return 1
            await rows.update(table, hit.record, row)
            return 2
        if not await apply_to_children(rows, table, hit.row, row, deleted=True):
            return 0
        if not hit.record.deleted:
            await rows.delete(table, hit.record)
        return None
