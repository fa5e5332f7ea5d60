"""INSERT and REPLACE, and what is done about duplicates: IGNORE, ON DUPLICATE KEY UPDATE, REPLACE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from sqlglot import exp

from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.assignment import (
    Assignments,
    apply_assignments,
    check_constraints,
    compile_assignments,
    completed,
    default_of,
    generate,
    is_default,
    refuse_generated,
    stored_value,
)
from chatsim.innodb.sql.executor.auto_increment import AutoIncrement
from chatsim.innodb.sql.executor.chosen_partitions import check_home
from chatsim.innodb.sql.executor.clauses import refuse, value_rows
from chatsim.innodb.sql.executor.execution import Answer, Execution, Find
from chatsim.innodb.sql.executor.from_clause import FromClause
from chatsim.innodb.sql.executor.names import Names
from chatsim.innodb.sql.executor.query import outermost_query, query
from chatsim.innodb.sql.executor.select import Each, Select
from chatsim.innodb.sql.executor.subqueries import Subquery, evaluated
from chatsim.innodb.sql.executor.triggers import fire, fires
from chatsim.innodb.sql.executor.union import UnionQuery
from chatsim.innodb.sql.executor.values_query import ValuesQuery
from chatsim.innodb.sql.expressions import Env, Function, Scope, unsupported
from chatsim.innodb.sql.optimizer.index_hints import partitions_named
from chatsim.innodb.sql.optimizer.optimizer_hints import OF_SESSION, refuse_hints
from chatsim.innodb.storage.foreign_keys import apply_to_children, check_parents
from chatsim.innodb.storage.rows import DuplicateError
from chatsim.innodb.storage.scan import AccessPath, Hit, Range, Reading, Scan
from chatsim.innodb.storage.values import ArrayValue

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["Insert"]


class Insert:
    """INSERT and REPLACE, of values or of the rows of a SELECT."""

    writes = True

    def __init__(self, node: exp.Insert, find: Find) -> None:
        refuse(node, "returning", "where", "partition", "with_")
        refuse_hints(node, "of an INSERT", but=OF_SESSION)
        target, names = node.this, None
        if isinstance(target, exp.Schema):
            target, names = target.this, [each.name for each in target.expressions]
        self.table = table = find(target.name)
        self.partitions = partitions_named(table, target)
        if self.partitions is not None and table.auto is not None:
            raise unsupported("INSERT … PARTITION of a table with AUTO_INCREMENT")
        self.columns = _columns_named(table, names)
        self.replace = bool(node.args.get("replace"))
        self.ignore = bool(node.args.get("ignore"))
        self.source: Select | UnionQuery | ValuesQuery | None = None
        self.values: list[list[Function | None]] = []
        self.subqueries: list[Subquery] = []
        self._names_columns = False
        self.delayed = bool(node.args.get("delayed"))
        source = node.expression
        if isinstance(source, exp.Values):
            clause = FromClause(exp.Table(this=exp.to_identifier(table.name, quoted=True)), (), lambda _: table, query)
            scope = Scope(clause.tables, strict=not self.ignore)
            own = Names(clause, scope, find, query, merges_within=False)
            for number, each in enumerate(value_rows(source), start=1):
                if len(each) != len(self.columns) and each:
                    raise database_error(1136, f"Column count doesn't match value count at row {number}")
                self.values.append([None if is_default(part) else scope.compile(own.resolve(part)) for part in each])
            self.subqueries += scope.subqueries
            self._names_columns = bool(scope.read)
        else:
            self.source = outermost_query(source, find, strict=not self.ignore)
            if len(self.source.names) != len(self.columns):
                raise database_error(1136, "Column count doesn't match value count at row 1")
        self._refuse_generated()
        renamed = self._names_of_values(source)
        self.updates: Assignments | None = None
        self.selected: list[tuple[int, int]] = []
        if (conflict := node.args.get("conflict")) is not None:
            self._prepare_updates(conflict, renamed, find, source.alias if isinstance(source, exp.Values) else "")
        if any(table in each.query.direct_tables for each in self.subqueries):
            raise database_error(1093, f"You can't specify target table '{table.name}' for update in FROM clause")
        deletes = self.replace and fires(self.table, "DELETE")  # then the row is found before it is deleted
        self.duplicates: Mode = "X" if (self.replace and not deletes) or self.updates is not None else "S"

    def _prepare_updates(self, conflict: exp.Expr, renamed: Mapping[str, str], find: Find, alias: str) -> None:
        """Prepare ON DUPLICATE KEY UPDATE, in which ``alias`` names the inserted row."""
        selected = self.source.scope.tables if isinstance(self.source, Select) else ()
        clause = FromClause(exp.Table(this=exp.to_identifier(self.table.name, quoted=True)), (), find, query)
        scope = Scope([*clause.tables, *selected], inserted=alias, strict=not self.ignore)
        names = Names(clause, scope, find, query, merges_within=False)
        updates = [names.resolve(self._of_source(each, scope, renamed)) for each in conflict.expressions]
        self.updates = compile_assignments(scope, self.table, updates)
        self.subqueries += scope.subqueries
        self.selected = sorted((at, column) for at, column in scope.read if at)
        if isinstance(self.source, Select):
            self.source.add_outputs((at - 1, column) for at, column in self.selected)

    def _refuse_generated(self) -> None:
        """Refuse values for generated columns, but DEFAULT. Raises a `DatabaseError`."""
        for part, at in enumerate(self.columns):
            if self.source is not None or any(values and values[part] is not None for values in self.values):
                refuse_generated(self.table, at)

    def _names_of_values(self, source: exp.Expr) -> dict[str, str]:
        """The columns that ``VALUES … AS row(name, …)`` names otherwise than the table does."""
        alias = source.args.get("alias") if isinstance(source, exp.Values) else None
        given = [each.name.lower() for each in alias.columns] if alias is not None else []
        if given and len(given) != len(self.columns):
            raise database_error(1353, "The number of columns of the alias and of the inserted row differ")
        return {name: self.table.columns[at].name for name, at in zip(given, self.columns, strict=False)}

    def _of_source(self, node: exp.Expr, scope: Scope, renamed: Mapping[str, str]) -> exp.Expr:
        """An assignment of ON DUPLICATE KEY UPDATE, with the names of the inserted row and of the SELECT resolved."""
        source, own = self.source, self.table.numbers
        if not isinstance(node, exp.EQ):
            return node
        target = ("", self.table.name, scope.inserted)

        def meant(part: exp.Expr) -> exp.Expr:
            if not isinstance(part, exp.Column):
                return part
            name, of = part.name.lower(), part.table
            if name in renamed and (of == scope.inserted or (not of and name not in own)):
                return exp.column(renamed[name], table=scope.inserted)
            if not isinstance(source, Select) or (of in target and name in own):
                return part
            return source.resolved(part)

        return exp.EQ(this=node.this, expression=node.expression.transform(meant))

    @property
    def bulk(self) -> bool:
        """Whether it is a bulk insert: how many rows there will be is not known beforehand."""
        return self.source is not None

    @property
    def tables(self) -> Sequence[Table]:
        """The tables that it reads and writes."""
        inner = [table for each in self.subqueries for table in each.query.tables]
        return [self.table, *inner, *(self.source.tables if self.source else ())]

    async def run(self, run: Execution) -> Answer:
        """Insert."""
        numbers = AutoIncrement(self.table, len(self.values), ahead=run.session.numbers_ahead)
        writer = _RowWriter(self, run, numbers)
        run.shares = run.changes = True
        if self.source is None:
            env = run.env(1)
            for number, functions in enumerate(self.values, start=1):
                if number > 1 and run.rows.after_record is not None:
                    await run.rows.after_record()
                given = await evaluated(run, partial(self._given, functions, env))
                await writer.row(given, number)
        else:

            async def write(row: tuple[Value, ...]) -> bool:
                writer.selected = row[len(self.columns) :]
                await writer.row(list(zip(self.columns, row, strict=False)), run.answer.affected + 1)
                return False

            for row in await self._read(run, None if self.table in self.source.tables else write):
                await write(row)
        writer.finish()
        if self.delayed:
            run.warn(3005, f"{self._word} DELAYED is no longer supported. The statement was converted to {self._word}.")
        return run.answer

    @property
    def _word(self) -> str:
        return "REPLACE" if self.replace else "INSERT"

    def _given(self, functions: Sequence[Function | None], env: Env) -> list[tuple[int, Any]]:
        """The values of a row of VALUES, each with its column. An expression sees those before it, and defaults."""
        if not self._names_columns:
            return [(at, each(env) if each else _DEFAULT) for at, each in zip(self.columns, functions, strict=False)]
        table, columns = self.table, self.table.columns
        row: list[Value] = [
            default_of(table, at, env.session) if each.has_default else each.type.zero
            for at, each in enumerate(columns)
        ]
        env.rows[0] = row
        found: list[tuple[int, Any]] = []
        for at, each in zip(self.columns, functions, strict=False):
            value: Any = each(env) if each else _DEFAULT
            found.append((at, value))
            if value is not _DEFAULT and value is not None:
                row[at] = stored_value(self.table, at, value, 1, lambda *_: None, strict=False)
            elif value is None:
                row[at] = None
        return found

    def selected_rows(self, values: Sequence[Value]) -> list[list[Value]]:
        """Rows of the tables that it reads, as far as ON DUPLICATE KEY UPDATE names their columns."""
        assert self.source is None or isinstance(self.source, Select) or not values
        tables = self.source.scope.tables if isinstance(self.source, Select) else ()
        rows: list[list[Value]] = [[None] * len(table.columns) for _, table in tables]
        for (at, column), value in zip(self.selected, values, strict=True):
            rows[at - 1][column] = value
        return rows

    async def _read(self, run: Execution, each: Each | None) -> list[tuple[Value, ...]]:
        """The rows of the SELECT: read with shared locks where the transaction locks gaps, else consistently."""
        run.shares = run.rows.trx.locks_gaps
        if isinstance(self.source, Select):
            return await self.source.read(run, each)
        assert self.source is not None
        return await self.source.read(run)


_DEFAULT = object()


def _columns_named(table: Table, names: Sequence[str] | None) -> Sequence[int]:
    """The columns that get values; without names all that are shown. Raises a `DatabaseError` (1054)."""
    for name in names or ():
        if name.lower() not in table.numbers:
            raise database_error(1054, f"Unknown column '{name}' in 'field list'")
    return table.shown if names is None else [table.numbers[name.lower()] for name in names]


class _RowWriter:
    """The rows of one INSERT, as they are written."""

    def __init__(self, insert: Insert, run: Execution, numbers: AutoIncrement) -> None:
        self._insert = insert
        self._run = run
        self._numbers = numbers
        self._table = insert.table
        self.selected: Sequence[Value] = ()  # what else was selected with the row, for ON DUPLICATE KEY UPDATE
        self._first = 0  # the first value taken for a row that is there now
        self._last = 0  # the number of the last row

    async def row(self, given: Sequence[tuple[int, Any]], number: int) -> None:
        """Write one row."""
        insert, run, table = self._insert, self._run, self._table
        row, generates = self._fill_defaults(given, number)
        if table.triggers:
            row = self._completed(await fire(run, table, "BEFORE", "INSERT", new=row), number)
            generates = generates and row[cast("int", table.auto)] == 0
        if not await self._check_foreign_keys(row):
            return
        generated = 0
        if table.auto is not None:
            await run.session.take_numbers(table, bulk=insert.bulk)
            row, generated = self._with_number(row, number, generates=generates)
            self._last = cast("int", row[table.auto])
        await run.rows.lock_table(table, "IX")
        try:
            check_home(table, row, insert.partitions)
        except DatabaseError as error:
            if not insert.ignore or error.errno != 1748:
                raise
            run.warn(error.errno, error.message)
            return
        counted = await self._put(row, number, generated)
        if counted:
            run.answer.affected += counted
            self._count(row, generated)

    async def _put(self, row: tuple[Value, ...], number: int, generated: int) -> int:
        """Insert a row, and resolve duplicates; how many affected rows that counts, 0 if it was not inserted."""
        replaced = 0
        while True:
            try:
                await self._run.rows.insert(self._table, row)
            except DuplicateError as duplicate:
                self._numbers.tried(generated, used=self._insert.replace)
                counted = await self._resolve_duplicate(duplicate, row, number, generated)
                if counted is not None:
                    return counted and counted + replaced
                replaced += 1
            else:
                self._numbers.tried(generated, used=True)
                if self._table.triggers:
                    await fire(self._run, self._table, "AFTER", "INSERT", new=row)
                return 1 + replaced

    def _completed(self, row: tuple[Value, ...], number: int) -> tuple[Value, ...]:
        return completed(self._table, row, number, self._run.warn, strict=self._strict)

    async def _resolve_duplicate(
        self, duplicate: DuplicateError, row: tuple[Value, ...], number: int, generated: int
    ) -> int | None:
        """Resolve a duplicate: how many affected rows that counts, None if the row is to be inserted again."""
        insert, table = self._insert, self._table
        if table.auto is not None and (insert.replace or insert.source is not None):
            table.numbered(cast("int", row[table.auto]))
        if insert.updates is not None:
            await self._update_duplicate(duplicate, row, number, generated)
            return 0
        if insert.replace:
            return await self._replace(duplicate, row)
        if not insert.ignore:
            raise database_error(1062, str(duplicate)) from duplicate
        self._run.warn(1062, str(duplicate))
        return 0

    def _count(self, row: tuple[Value, ...], generated: int) -> None:
        if self._table.auto is not None:
            self._table.numbered(cast("int", row[self._table.auto]))
            self._first = self._first or generated

    def finish(self) -> None:
        """Tell the session and the client which AUTO_INCREMENT value the statement took."""
        session, answer = self._run.session, self._run.answer
        if self._first:
            session.last_insert_id = answer.insert_id = self._first
        elif session.named_insert_id is not None:
            answer.insert_id = session.named_insert_id
        elif answer.affected:
            answer.insert_id = self._last

    def _fill_defaults(self, given: Sequence[tuple[int, Any]], number: int) -> tuple[tuple[Value, ...], bool]:
        """A row with its defaults but without an AUTO_INCREMENT value, and whether it is to get one."""
        table = self._table
        named = dict(given)
        rest = [(at, _DEFAULT) for at in range(len(table.columns)) if at not in named]
        row: list[Value] = [None] * len(table.columns)
        generates = False
        for at, value in (*given, *rest):
            if at == table.auto and self._asks_for_number(value):
                row[at] = 0
                generates = True
            elif at == table.hidden:
                row[at] = table.next_row_id
                table.next_row_id += 1
            else:
                row[at] = self._stored(at, value, number)
        generate(table, row, number, self._run.warn, strict=self._strict)
        check_constraints(table, row)
        return tuple(row), generates

    def _asks_for_number(self, value: Any) -> bool:
        """Whether a value of the AUTO_INCREMENT column is a request for a new one."""
        return value is _DEFAULT or value is None or (value == 0 and not self._run.session.zero_is_a_number)

    def _with_number(self, row: tuple[Value, ...], number: int, *, generates: bool) -> tuple[tuple[Value, ...], int]:
        """A row with its AUTO_INCREMENT value, and that value if it was generated, else 0."""
        at = self._table.auto
        assert at is not None
        if not generates:
            self._numbers.passed(cast("int", row[at]))
            return row, 0
        generated = self._numbers.take()
        return (*row[:at], self._stored(at, generated, number), *row[at + 1 :]), generated

    def _stored(self, at: int, value: Any, number: int) -> Value:
        if value is _DEFAULT:
            column = self._table.columns[at]
            if column.generated is not None:
                return None
            if not column.has_default:
                return self._warn_or_raise(
                    1364, f"Field '{column.name}' doesn't have a default value", column.type.zero
                )
            return column.default(self._run.session) if callable(column.default) else column.default
        strict = self._strict or (value is None and not self._insert.ignore and len(self._insert.values) == 1)
        return stored_value(self._table, at, value, number, self._run.warn, strict=strict)

    @property
    def _strict(self) -> bool:
        """Whether a value that a column can't store is an error."""
        return self._run.session.strict and not self._insert.ignore

    def _warn_or_raise(self, errno: int, message: str, instead: Value) -> Value:
        if self._strict:
            raise database_error(errno, message)
        self._run.warn(errno, message)
        return instead

    async def _lock_duplicate(self, duplicate: DuplicateError, row: Sequence[Value]) -> Hit:
        """The row that has the key already, locked by that key.

        In a multi-valued index the server looks for the last element of the array, whichever is the duplicate. Raises a
        `DatabaseError` if there is none (1032).
        """
        key, array = duplicate.key, duplicate.index.definition.array
        if array is not None and isinstance(values := row[array], ArrayValue):
            key = duplicate.index.key_of((*row[:array], values.last, *row[array + 1 :]))[: len(key)]
        span = Range(key, key, exact=True)
        path = AccessPath(self._table, duplicate.index, (span,), access="const")
        hit = await Scan(self._run.rows, path, Reading("X")).next()
        if hit is None:
            assert array is not None, "a row that is locked has gone"
            raise database_error(1032, f"Can't find record in '{self._table.name}'")
        return hit

    async def _update_duplicate(
        self, duplicate: DuplicateError, wanted: tuple[Value, ...], number: int, generated: int
    ) -> None:
        """ON DUPLICATE KEY UPDATE."""
        insert, run, table = self._insert, self._run, self._table
        hit = await self._lock_duplicate(duplicate, wanted)
        env = run.env(1)
        env.inserted = wanted
        env.rows[0] = hit.row
        env.rows += insert.selected_rows(self.selected)
        assert insert.updates is not None
        updates = insert.updates
        row = await evaluated(
            run, lambda: apply_assignments(updates, table, env, number, run.warn, strict=self._strict)
        )
        if table.auto is not None:
            self._last = cast("int", row[table.auto])
            if generated and table.auto in {at for at, _ in insert.updates}:
                self._numbers.changed(generated, self._last)
        if table.triggers:
            row = self._completed(await fire(run, table, "BEFORE", "UPDATE", old=hit.row, new=row), number)
        if row != hit.row and not await self._update(hit, row):
            return
        if table.triggers:
            await fire(run, table, "AFTER", "UPDATE", old=hit.row, new=row)

    async def _update(self, hit: Hit, row: tuple[Value, ...]) -> bool:
        """Change a row, and count it; False if it has to stay."""
        insert, run, table = self._insert, self._run, self._table
        if not await self._check_foreign_keys(row, hit.row):
            return False
        check_home(table, row, insert.partitions)
        try:
            await run.rows.update(table, hit.record, row)
        except DuplicateError as other:
            if not insert.ignore:
                raise database_error(1062, str(other)) from other
            run.warn(1062, str(other))
            return False
        run.answer.affected += 2
        if table.auto is not None:
            table.numbered(cast("int", row[table.auto]))
        return True

    async def _check_foreign_keys(self, row: Sequence[Value], before: Sequence[Value] | None = None) -> bool:
        """Whether foreign keys allow a row; with IGNORE a violation is a warning."""
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

    async def _replace(self, duplicate: DuplicateError, row: tuple[Value, ...]) -> int | None:
        """REPLACE: the duplicate is updated, if no other unique index can have one, else deleted.

        Returns:
            2 if it was changed, 1 if there was nothing to change, None if it is gone and there is room, 0 if it has to
            stay.
        """
        table, rows = self._table, self._run.rows
        hit = await self._lock_duplicate(duplicate, row)
        definitions = [each.definition for each in table.indexes]
        behind = definitions[definitions.index(duplicate.index.definition) + 1 :]
        if not any(each.unique for each in behind) and not table.children and not fires(table, "DELETE"):
            if table.hidden is not None:
                row = (*row[: table.hidden], hit.row[table.hidden])
            if row == hit.row:
                return 1
            await rows.update(table, hit.record, row)
            return 2
        if table.triggers:
            await fire(self._run, table, "BEFORE", "DELETE", old=hit.row)
        if not await apply_to_children(rows, table, hit.row, row, deleted=True):
            return 0
        if not hit.record.deleted:
            await rows.delete(table, hit.record)
        if table.triggers:
            await fire(self._run, table, "AFTER", "DELETE", old=hit.row)
        return None
