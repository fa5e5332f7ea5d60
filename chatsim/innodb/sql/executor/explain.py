"""EXPLAIN: the plan of a statement, with the values of its arguments known; nothing is locked and nothing is changed.

Plans are chosen as they are when the statement runs. The row of a ``const`` table is looked at, as the server does; the
plan for a table that depends on the rows of another is the one for some row of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.clauses import all_true, limit_value
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.execution import Answer, Execution
from chatsim.innodb.sql.executor.insert import Insert
from chatsim.innodb.sql.executor.select import Select
from chatsim.innodb.sql.executor.union import UnionQuery
from chatsim.innodb.sql.executor.update import Delete, Update
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.explain import explain_access
from chatsim.innodb.sql.optimizer.key_length import key_length
from chatsim.innodb.sql.optimizer.plan import AccessPlan, Plan, PlanRow
from chatsim.innodb.storage.column_types import ColumnType
from chatsim.innodb.storage.scan import AccessPath

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.sql.executor.execution import Query
    from chatsim.innodb.storage.structures import Record
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["ExplainStatement", "Explained", "explain"]

Explained = Select | UnionQuery | Insert | Update | Delete
"""What can be explained."""


class ExplainStatement:
    """EXPLAIN of a statement about rows."""

    duplicates: Mode = "S"
    writes = False

    def __init__(self, statement: Explained) -> None:
        self._statement = statement

    @property
    def tables(self) -> Sequence[Table]:
        """Those that the statement names."""
        return self._statement.tables

    async def run(self, run: Execution) -> Answer:
        """Give the rows of the plan."""
        run.answer.rows = list(explain(self._statement, run).values())
        return run.answer


def explain(statement: Explained, run: Execution) -> Plan:
    """The plan of a statement. Raises a `DatabaseError`, as running it may."""
    return Plan(tuple(_Explainer(run).statement(statement)))


class _Explainer:
    """Explains one statement: its SELECTs are numbered."""

    def __init__(self, run: Execution) -> None:
        self._run = run
        self._numbers = count(1)
        self._derived: dict[Table, int] = {}

    def statement(self, statement: Explained) -> Iterator[PlanRow]:
        """The rows of a statement."""
        match statement:
            case Insert():
                yield from self._insert(statement)
            case Update():
                yield self._change(statement, "UPDATE", statement.written)
            case Delete():
                yield self._change(statement, "DELETE", None)
            case _:
                yield from self._query(statement)

    def _insert(self, insert: Insert) -> Iterator[PlanRow]:
        yield PlanRow(select_type="REPLACE" if insert.replace else "INSERT", table=insert.table.name, type="ALL")
        if insert.source is not None:
            kept = insert.table in insert.source.tables  # all rows are read before the first is written
            yield from self._query(insert.source, extra=("Using temporary",) if kept else ())

    def _change(self, statement: Update | Delete, select_type: str, written: set[int] | None) -> PlanRow:
        target, env = statement.target, self._run.env(1)
        plan = target.access_plan(env, written, limit_value(target.limit, env), self._run.rows.trx.view)
        if plan.path is None:
            return explain_access(plan, (), select_type=select_type)
        row = explain_access(plan, target.conditions.conjuncts, select_type=select_type)
        primary = target.table.clustered.definition
        if row.type == "ALL" and written is not None and primary.name == "PRIMARY":  # so the server says of an UPDATE
            length = key_length(target.table, primary.columns)
            row = replace(row, type="index", key=primary.name, key_len=str(length))
        if target.sorts(plan, env):
            row = replace(row, extra=(*row.extra, "Using filesort"))
        elif written is not None and target.finds_first(plan, written, env):
            row = replace(row, extra=(*row.extra, "Using temporary"))
        elif written is None and target.is_everything:
            row = replace(row, extra=("Deleting all rows",))
        return row

    def _query(
        self, query: Query, select_type: str = "SIMPLE", number: int | None = None, extra: Sequence[str] = ()
    ) -> Iterator[PlanRow]:
        """The rows of a query: of its ``number``-th SELECT, if that is known."""
        if isinstance(query, UnionQuery):
            yield from self._union(query, "PRIMARY" if select_type == "SIMPLE" else select_type, number)
        elif isinstance(query, Select):
            yield from self._select(query, select_type, number or next(self._numbers), extra)

    def _union(self, union: UnionQuery, first: str, number: int | None) -> Iterator[PlanRow]:
        """The queries, and what puts their rows together, where that is more than one behind the other."""
        known = []
        for at, part in enumerate(union.parts):
            rows = list(self._query(part, "UNION" if at else first, None if at else number))
            known.append(rows[0].id)
            yield from rows
        if union.distinct or union.order:
            extra = ("Using temporary", *(("Using filesort",) if union.order else ()))
            name = f"<union{','.join(map(str, known))}>"
            yield PlanRow(
                id=next(self._numbers), select_type="UNION RESULT", table=name, type="ALL", key=None, extra=extra
            )

    def _select(self, select: Select, select_type: str, number: int, extra: Sequence[str]) -> Iterator[PlanRow]:
        """The tables of a SELECT, in the order that they are read, and the queries whose rows it reads."""
        tables = [table for _, table in select.scope.tables]
        derived = [each for each in dict.fromkeys(tables) if isinstance(each, Derived) and each not in self._derived]
        self._derived |= {each: next(self._numbers) for each in derived}
        if select_type == "SIMPLE" and any(isinstance(each, Derived) for each in tables):
            select_type = "PRIMARY"
        yield from _SelectExplainer(select, self._run, select_type, number, self._derived).rows(extra)
        for each in derived:
            yield from self._query(each.query, "DERIVED", self._derived[each])


class _SelectExplainer:
    """Explains the tables of one SELECT."""

    def __init__(
        self, select: Select, run: Execution, select_type: str, number: int, derived: Mapping[Table, int]
    ) -> None:
        self._select = select
        self._view = run.rows.trx.view
        self._type = select_type
        self._number = number
        self._derived = derived
        self._env = run.env(len(select.scope.tables))
        self._constants: set[int] = set()  # tables of which the one row is known

    def rows(self, extra: Sequence[str]) -> list[PlanRow]:
        """A row for each table, ``extra`` in that of the first; only one, where no table is read."""
        select, env = self._select, self._env
        if not select.scope.tables:
            return [self._nothing("No tables used")]
        if (paths := select.min_max_paths(env)) and all(paths):
            return [self._nothing("Select tables optimized away")]
        limit = limit_value(select.limit, env)
        wanted = None if limit is None else limit + (limit_value(select.offset, env) or 0)
        found: list[PlanRow] = []
        ordered = True
        for level, (at, conditions) in enumerate(select.sequence):
            attached = self._attached(level)
            if isinstance(conditions.table, Derived):
                found.append(self._of_derived(conditions, attached))
                ordered = False
            else:
                plan = select.access_plan(at, conditions, env, wanted, self._view)
                found.append(self._of_table(at, plan, attached))
                ordered = ordered and plan.ordered
            if found[-1].table is None:
                return found[-1:]
        return self._with_sorting(found, extra, ordered=ordered)

    def _nothing(self, why: str) -> PlanRow:
        return PlanRow(id=self._number, select_type=self._type, extra=(why,))

    def _attached(self, level: int) -> list[exp.Expr]:
        """The conditions that are looked at when a row of a table is read."""
        select = self._select
        at, known = select.sequence[level][0], {at for at, _ in select.sequence[: level + 1]}
        where = [each for each in select.conjuncts if at in (named := select.named(each)) and named <= known]
        return [*select.outer.get(at, ()), *where]

    def _of_derived(self, conditions: Conditions, attached: Sequence[exp.Expr]) -> PlanRow:
        self._env.rows[conditions.at] = _row_of_zeros(conditions.table)
        return PlanRow(
            id=self._number,
            select_type=self._type,
            table=f"<derived{self._derived[conditions.table]}>",
            type="ALL",
            extra=("Using where",) if attached else (),
        )

    def _of_table(self, at: int, plan: AccessPlan, attached: Sequence[exp.Expr]) -> PlanRow:
        """The row for a table. One of its rows is used as an example for the tables after it."""
        env, table = self._env, plan.conditions.table
        others = set(range(len(self._select.scope.tables))) - {at}
        wanted = self._select.outer.get(at, self._select.conjuncts)
        row = explain_access(
            *(plan, attached),
            select_id=self._number,
            select_type=self._type,
            constants=self._constants,
            joined_by=Conditions(self._select.scope, at, others, wanted).columns if others else (),
        )
        if row.type != "const" or not isinstance(plan.path, AccessPath):
            env.rows[at] = _some_row(table)
            return row
        self._constants.add(at)
        record = _record(plan.path)
        if record is None and at in self._select.outer:
            env.rows[at] = (None,) * len(table.columns)
            return row
        if record is None:
            return self._nothing("no matching row in const table")
        env.rows[at] = table.row_of(record).row
        if not all_true([self._select.scope.compile(each) for each in attached], env):
            return self._nothing("Impossible WHERE noticed after reading const tables")
        return row

    def _with_sorting(self, found: list[PlanRow], extra: Sequence[str], *, ordered: bool) -> list[PlanRow]:
        """Add what is done with all rows (sorting, a temporary table) to the first table that is read row by row."""
        select = self._select
        temporary = (select.groups is not None and not (ordered and select.grouping)) or bool(
            select.node.args.get("distinct")
        )
        alone = len(found) == 1
        sorts = bool(select.order) and not (alone and ordered and not select.grouped and select.ordering is not None)
        temporary = temporary or (sorts and not alone)
        done = [*extra, *(["Using temporary"] if temporary else []), *(["Using filesort"] if sorts else [])]
        at = next((at for at, row in enumerate(found) if row.type != "const"), None)
        if at is not None:
            found[at] = replace(found[at], extra=(*found[at].extra, *dict.fromkeys(done)))
        return found


def _record(path: AccessPath) -> Record | None:
    """The record that a unique key finds, if it is there."""
    key = path.ranges[0].low or ()
    record = path.index.at_or_after(key)
    return None if record.key[: len(key)] != key or record.deleted else record


def _some_row(table: Table) -> Sequence[Value]:
    """A row of a table, as an example for planning the access to the next table."""
    row = next((record.row for record in table.clustered if not record.deleted), ())
    zeros = _row_of_zeros(table)
    return [zero if value is None else value for value, zero in zip(row, zeros, strict=True)] if row else zeros


def _row_of_zeros(table: Table) -> Sequence[Value]:
    return [column.type.zero if type(column.type) is not ColumnType else 0 for column in table.columns]
