"""EXPLAIN: the plan of a statement, with the values of its arguments known; nothing is locked and nothing is changed.

Plans are chosen as they are when the statement runs. The row of a ``const`` table is looked at, as the server does; the
plan for a table that depends on the rows of another is the one for some row of that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.clauses import all_true, limit_value
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.execution import Answer, Execution
from chatsim.innodb.sql.executor.insert import Insert
from chatsim.innodb.sql.executor.join_plan import JoinPlanner
from chatsim.innodb.sql.executor.join_steps import NestStep, Step, TableStep, WeedoutStep
from chatsim.innodb.sql.executor.select import Select
from chatsim.innodb.sql.executor.union import UnionQuery
from chatsim.innodb.sql.executor.update import Delete, Update
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.optimizer.access_path import plan_access
from chatsim.innodb.sql.optimizer.explain import explain_access, explain_lookup
from chatsim.innodb.sql.optimizer.join_access import Lookup
from chatsim.innodb.sql.optimizer.key_length import key_length
from chatsim.innodb.sql.optimizer.plan import AccessPlan, Plan, PlanRow
from chatsim.innodb.storage.partitions import PartitionedIndex
from chatsim.innodb.storage.scan import AccessPath

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.sql.executor.execution import Query
    from chatsim.innodb.storage.structures import Record
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["ExplainStatement", "Explained"]

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
        rows = [row async for row in _Explainer(run).statement(self._statement)]
        run.answer.rows = list(Plan(tuple(rows)).values())
        return run.answer


class _Explainer:
    """Explains one statement: its SELECTs are numbered."""

    def __init__(self, run: Execution) -> None:
        self._run = run
        self._numbers = count(1)
        self._derived: dict[Table, int] = {}

    async def statement(self, statement: Explained) -> AsyncIterator[PlanRow]:
        """The rows of a statement."""
        match statement:
            case Insert():
                rows = self._insert(statement)
            case Update():
                rows = self._change(statement, "UPDATE", statement.written)
            case Delete():
                rows = self._change(statement, "DELETE", None)
            case _:
                rows = self._query(statement)
        async for row in rows:
            yield row

    async def _insert(self, insert: Insert) -> AsyncIterator[PlanRow]:
        yield PlanRow(select_type="REPLACE" if insert.replace else "INSERT", table=insert.table.name, type="ALL")
        if insert.source is not None:
            kept = insert.table in insert.source.tables  # all rows are read before the first is written
            async for row in self._query(insert.source, extra=("Using temporary",) if kept else ()):
                yield row

    async def _change(
        self, statement: Update | Delete, select_type: str, written: set[int] | None
    ) -> AsyncIterator[PlanRow]:
        target, env = statement.target, self._run.env(1)
        plan = target.access_plan(env, written, limit_value(target.limit, env), self._run.rows.trx.view)
        if plan.path is None:
            yield explain_access(plan, (), select_type=select_type)
            return
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
        yield row

    async def _query(
        self, query: Query, select_type: str = "SIMPLE", number: int | None = None, extra: Sequence[str] = ()
    ) -> AsyncIterator[PlanRow]:
        """The rows of a query: of its ``number``-th SELECT, if that is known."""
        if isinstance(query, UnionQuery):
            rows = self._union(query, "PRIMARY" if select_type == "SIMPLE" else select_type, number)
        else:
            assert isinstance(query, Select)
            rows = self._select(query, select_type, number or next(self._numbers), extra)
        async for row in rows:
            yield row

    async def _union(self, union: UnionQuery, first: str, number: int | None) -> AsyncIterator[PlanRow]:
        """The queries, and what puts their rows together, where that is more than one behind the other."""
        known = []
        for at, part in enumerate(union.parts):
            rows = [row async for row in self._query(part, "UNION" if at else first, None if at else number)]
            known.append(rows[0].id)
            for row in rows:
                yield row
        if union.distinct or union.order:
            extra = ("Using temporary", *(("Using filesort",) if union.order else ()))
            name = f"<union{','.join(map(str, known))}>"
            yield PlanRow(
                id=next(self._numbers), select_type="UNION RESULT", table=name, type="ALL", key=None, extra=extra
            )

    async def _select(
        self, select: Select, select_type: str, number: int, extra: Sequence[str]
    ) -> AsyncIterator[PlanRow]:
        """The tables of a SELECT, in the order that they are read, and the queries whose rows it reads."""
        if select.scope.subqueries:
            raise unsupported("EXPLAIN of subqueries")
        tables = [table for _, table in select.scope.tables]
        derived = [each for each in dict.fromkeys(tables) if isinstance(each, Derived) and each not in self._derived]
        self._derived |= {each: next(self._numbers) for each in derived}
        if select_type == "SIMPLE" and any(isinstance(each, Derived) for each in tables):
            select_type = "PRIMARY"
        for row in await _SelectExplainer(select, self._run, select_type, number, self._derived).rows(extra):
            yield row
        for each in derived:
            async for row in self._query(each.query, "DERIVED", self._derived[each]):
                yield row


class _SelectExplainer:
    """Explains the tables of one SELECT."""

    def __init__(
        self, select: Select, run: Execution, select_type: str, number: int, derived: Mapping[Table, int]
    ) -> None:
        self._select = select
        self._run = run
        self._type = select_type
        self._number = number
        self._derived = derived
        self._env = run.env(len(select.scope.tables))
        self._paths: dict[int, AccessPath | None] = {}  # of the tables whose one row is known

    async def rows(self, extra: Sequence[str]) -> list[PlanRow]:
        """A row for each table, ``extra`` in that of the first; only one, where no table is read."""
        select, env = self._select, self._env
        if not select.scope.tables:
            return [self._nothing("No tables used")]
        if (paths := select.min_max_paths(env)) and all(paths):
            return [self._nothing("Select tables optimized away")]
        limit = limit_value(select.limit, env)
        wanted = None if limit is None else limit + (limit_value(select.offset, env) or 0)
        planner = JoinPlanner(select.joined, self._run, env, self._run.rows.trx.view, self._look_at)
        plan = await planner.plan(select.order_wanted(wanted))
        if plan.none:
            return [self._nothing(plan.none)]
        found = [self._constant(at) for at in plan.constants]
        found += [self._row(step) for step in _table_steps(plan.steps)]
        if len(found) == 1 and found[0].type == "const" and found[0].table is not None:
            found = [self._checked(found[0])]
        if found[-1].table is None:
            return found[-1:]
        return self._with_sorting(found, extra, ordered=plan.ordered)

    def _nothing(self, why: str) -> PlanRow:
        return PlanRow(id=self._number, select_type=self._type, extra=(why,))

    async def _look_at(self, at: int, path: AccessPath | None) -> Sequence[Value] | None:
        """The one row of a table, of which the server says the plan with its values known."""
        table = self._select.joined.table(at)
        if isinstance(table, Derived) or path is None:
            raise unsupported("EXPLAIN of a derived table with one row")
        self._paths[at] = path
        record = _record(path)
        return None if record is None else table.row_of(record).row

    def _checked(self, row: PlanRow) -> PlanRow:
        """The row of the only table, which has one row: that is looked at."""
        joined = self._select.joined
        path = self._paths.get(0)
        if path is None:
            return row
        record = _record(path)
        if record is None:
            return self._nothing("no matching row in const table")
        self._env.rows[0] = joined.table(0).row_of(record).row
        if not all_true([each.holds for each in joined.filters[None]], self._env):
            return self._nothing("Impossible WHERE noticed after reading const tables")
        return row

    def _constant(self, at: int) -> PlanRow:
        """The row for a table whose one row has been read."""
        joined = self._select.joined
        conditions = joined.conditions(at, [each for each in self._paths if each != at])
        plan = plan_access(conditions, self._env, joined.hints[at], touched=joined.touched(at))
        return self._access(at, plan, ())

    def _row(self, step: TableStep) -> PlanRow:
        """The row for a table of the join."""
        joined, attached = self._select.joined, [each.node for each in step.filters]
        buffered = ("Using join buffer (hash join)",) if step.buffered else ()
        if isinstance(joined.table(step.at), Derived):
            return self._of_derived(step, attached, buffered)
        if isinstance(step.access, Lookup):
            row = explain_lookup(
                step.access,
                step.position,
                attached,
                select_id=self._number,
                select_type=self._type,
                constants=set(self._paths),
                joined_by=self._joined_by(step.at),
            )
            return replace(row, extra=(*row.extra, *buffered))
        if step.access is None:
            raise unsupported("EXPLAIN of a range that is checked for each record")
        if joined.count == 1 and isinstance(step.access.path, AccessPath) and step.access.path.access == "const":
            self._paths[step.at] = step.access.path
        row = self._access(step.at, step.access, attached)
        if step.position is not None and joined.count > 1:
            filtered = round(100 * step.position.filter, 2) if step.position.filter < 1 else 100.0
            row = replace(row, filtered=filtered)
        return replace(row, extra=(*row.extra, *buffered))

    def _access(self, at: int, plan: AccessPlan, attached: Sequence[exp.Expr]) -> PlanRow:
        return explain_access(
            *(plan, attached),
            select_id=self._number,
            select_type=self._type,
            constants=set(self._paths),
            joined_by=self._joined_by(at),
        )

    def _joined_by(self, at: int) -> Collection[int]:
        """The columns of a table that are compared with others, also with those of later tables."""
        joined = self._select.joined
        others = set(range(joined.count)) - {at}
        return joined.conditions(at, others).columns if others else ()

    def _of_derived(self, step: TableStep, attached: Sequence[exp.Expr], extra: Sequence[str]) -> PlanRow:
        if isinstance(step.access, Lookup):
            raise unsupported("EXPLAIN of a lookup in a derived table")
        return PlanRow(
            id=self._number,
            select_type=self._type,
            table=f"<derived{self._derived[self._select.joined.table(step.at)]}>",
            type="ALL",
            extra=(*(("Using where",) if attached else ()), *extra),
        )

    def _with_sorting(self, found: list[PlanRow], extra: Sequence[str], *, ordered: bool) -> list[PlanRow]:
        """Add what is done with all rows (sorting, a temporary table) to the first table that is read row by row."""
        select = self._select
        temporary = (select.groups is not None and not (ordered and select.grouping)) or bool(
            select.node.args.get("distinct")
        )
        sorts = bool(select.order) and not (ordered and not select.grouped and select.ordering is not None)
        first = [at for at, row in enumerate(found) if row.type not in ("const", "system")]
        temporary = temporary or (sorts and len(first) > 1 and not self._sorts_first(found, first[0]))
        done = [*extra, *(["Using temporary"] if temporary else []), *(["Using filesort"] if sorts else [])]
        at = next((at for at, row in enumerate(found) if row.type != "const"), None)
        if at is not None:
            found[at] = replace(found[at], extra=(*found[at].extra, *dict.fromkeys(done)))
        return found

    def _sorts_first(self, found: Sequence[PlanRow], first: int) -> bool:
        """Whether the rows of the first table can be sorted before they are joined."""
        select = self._select
        tables = {select.scope.tables[at][0] for at, _, _ in select.ordering or ()}
        buffered = any("join buffer" in extra for row in found for extra in row.extra)
        return select.ordering is not None and tables == {found[first].table} and not buffered


def _record(path: AccessPath) -> Record | None:
    """The record that a unique key finds, if it is there."""
    key = path.ranges[0].low or ()
    parts = path.index.parts if isinstance(path.index, PartitionedIndex) else [path.index]
    found = (each.first_at(key) for each in parts)
    return next((each for each in found if each.key[: len(key)] == key and not each.deleted), None)


def _table_steps(steps: Sequence[Step]) -> Iterator[TableStep]:
    """The tables of a plan in the order in which they are read."""
    for step in steps:
        if isinstance(step, WeedoutStep) or (isinstance(step, NestStep) and step.nest.kind != "outer"):
            raise unsupported("EXPLAIN of subqueries")
        if isinstance(step, NestStep):
            yield from _table_steps(step.steps)
        else:
            yield step
