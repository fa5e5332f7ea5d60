"""EXPLAIN: the plan of a statement, with the values of its arguments known; nothing is locked and nothing is changed.

Plans are chosen as they are when the statement runs. The row of a ``const`` table is looked at, as the server does; the
plan for a table that depends on the rows of another is the one for some row of that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chatsim.innodb.sql.executor.clauses import limit_value
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.execution import Answer, Execution
from chatsim.innodb.sql.executor.explain_join import JoinExplainer, record_of
from chatsim.innodb.sql.executor.insert import Insert
from chatsim.innodb.sql.executor.join_steps import Order
from chatsim.innodb.sql.executor.multi_table import MultiTableDelete, MultiTableUpdate
from chatsim.innodb.sql.executor.select import Select
from chatsim.innodb.sql.executor.subqueries import Subquery, all_hold, evaluated
from chatsim.innodb.sql.executor.union import UnionQuery
from chatsim.innodb.sql.executor.update import Delete, Update
from chatsim.innodb.sql.expressions import Env, Scope, unsupported
from chatsim.innodb.sql.optimizer.explain import explain_access
from chatsim.innodb.sql.optimizer.key_length import key_length
from chatsim.innodb.sql.optimizer.plan import Plan, PlanRow

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.sql.executor.execution import Query
    from chatsim.innodb.storage.tables import Table

__all__ = ["ExplainStatement", "Explained"]

Explained = Select | UnionQuery | Insert | Update | Delete | MultiTableUpdate | MultiTableDelete
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
    """Explains one statement: its SELECTs are numbered in the order of its text."""

    def __init__(self, run: Execution) -> None:
        self._run = run
        self._derived: dict[Table, int] = {}
        self._last = 1

    async def statement(self, statement: Explained) -> AsyncIterator[PlanRow]:
        """The rows of a statement."""
        match statement:
            case Insert():
                rows = self._insert(statement)
            case Update():
                rows = self._change(statement, "UPDATE", statement.written)
            case Delete():
                rows = self._change(statement, "DELETE", None)
            case MultiTableUpdate() | MultiTableDelete():
                rows = self._change_of_several(statement)
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
        elif insert.subqueries:
            raise unsupported("EXPLAIN of an INSERT of values of subqueries")

    async def _change(
        self, statement: Update | Delete, select_type: str, written: set[int] | None
    ) -> AsyncIterator[PlanRow]:
        target, env, run = statement.target, self._run.env(1), self._run
        limit, view = limit_value(target.limit, env), run.rows.trx.view
        plan = await evaluated(run, lambda: target.access_plan(env, written, limit, view))
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
        for each in await self._inner(target.scope, env):
            yield each

    async def _change_of_several(self, statement: MultiTableUpdate | MultiTableDelete) -> AsyncIterator[PlanRow]:
        """The tables of an UPDATE or DELETE of several tables, in the order that they are read."""
        joined, word = statement.joined, "UPDATE" if isinstance(statement, MultiTableUpdate) else "DELETE"
        self._number_derived(statement.scope)
        env = self._run.env(joined.count)
        other = "PRIMARY" if statement.scope.subqueries or self._derived else "SIMPLE"
        self._run.pushes = statement.alone
        join = JoinExplainer(
            *(joined, self._run, env),
            number=1,
            type_of=lambda at: word if at in joined.changed else other,
            derived=self._derived,
        )
        plan = await join.plan(Order())
        if plan.none:
            yield PlanRow(select_type=word, extra=(plan.none,))
        for row in [] if plan.none else [*join.rows(plan), *join.kept]:
            yield row
        for row in await self._inner(statement.scope, env):
            yield row

    async def _query(
        self, query: Query, select_type: str = "SIMPLE", extra: Sequence[str] = (), outer: Env | None = None
    ) -> AsyncIterator[PlanRow]:
        """The rows of a query."""
        if isinstance(query, UnionQuery):
            rows = self._union(query, "PRIMARY" if select_type == "SIMPLE" else select_type, outer)
        else:
            assert isinstance(query, Select)
            rows = self._select(query, select_type, extra, outer)
        async for row in rows:
            yield row

    async def _union(self, union: UnionQuery, first: str, outer: Env | None) -> AsyncIterator[PlanRow]:
        """The queries, and what puts their rows together, where that is more than one behind the other."""
        if outer is not None:
            raise unsupported("EXPLAIN of a UNION in a subquery")
        known = []
        for at, part in enumerate(union.parts):
            rows = [row async for row in self._query(part, "UNION" if at else first)]
            known.append(rows[0].id)
            for row in rows:
                yield row
        if union.distinct or union.order:
            extra = ("Using temporary", *(("Using filesort",) if union.order else ()))
            name = f"<union{','.join(map(str, known))}>"
            yield PlanRow(id=self._last + 1, select_type="UNION RESULT", table=name, type="ALL", key=None, extra=extra)

    async def _select(
        self, select: Select, select_type: str, extra: Sequence[str], outer: Env | None
    ) -> AsyncIterator[PlanRow]:
        """The tables of a SELECT, in the order that they are read, and the queries whose rows it reads."""
        select.check_groups(self._run)
        derived = self._number_derived(select.scope)
        if select_type == "SIMPLE" and (derived or any(map(_has_tables, select.scope.subqueries))):
            select_type = "PRIMARY"
        number = self._number(select)
        explainer = _SelectExplainer(select, self._run, select_type, number, derived=self._derived, outer=outer)
        for row in await explainer.rows(extra):
            yield row
        for row in await self._inner(select.scope, explainer.env, derived):
            yield row

    def _number(self, query: Query) -> int:
        """The number of a query: of the first SELECT in it."""
        while isinstance(query, UnionQuery):
            query = query.parts[0]
        node = query.node if isinstance(query, Select) else None
        number: int = self._last if node is None else node.meta.get("number", self._last)
        self._last = max(self._last, number)
        return number

    def _number_derived(self, scope: Scope) -> list[Derived]:
        """Number the derived tables among some that have no number yet."""
        found = [each for _, each in scope.tables if isinstance(each, Derived) and each not in self._derived]
        self._derived |= {each: self._number(each.query) for each in found}
        return list(dict.fromkeys(found))

    async def _inner(self, scope: Scope, env: Env, derived: Iterable[Derived] = ()) -> list[PlanRow]:
        """The rows of subqueries and derived tables: those that stand last in the text come first."""
        for at, (_, table) in enumerate(scope.tables):
            env.rows[at] = env.rows[at] or (None,) * len(table.columns)
        found = [(self._derived[each], [row async for row in self._query(each.query, "DERIVED")]) for each in derived]
        found += [(self._number(each.query), await self._subquery(each, env)) for each in scope.subqueries]
        return [row for _, rows in sorted(found, key=lambda each: -each[0]) for row in rows]

    async def _subquery(self, subquery: Subquery, env: Env) -> list[PlanRow]:
        looks = bool(subquery.variants) and not await evaluated(self._run, lambda: subquery.keeps_rows(self._run, env))
        query = subquery.variants[0] if looks else subquery.query
        assert query is not None
        depends = looks or bool(subquery.outer)
        kind = "UNCACHEABLE SUBQUERY" if subquery.random else "DEPENDENT SUBQUERY" if depends else "SUBQUERY"
        if not _has_tables(subquery):
            return []  # it is a value
        rows = [row async for row in self._query(query, kind, outer=env if depends else None)]
        if looks and len(rows) == 1 and rows[0].type in _LOOKUPS and subquery.quantifier == "any":
            rows = [replace(rows[0], type=_LOOKUPS[rows[0].type])]
        return rows


def _has_tables(subquery: Subquery) -> bool:
    """Whether a subquery reads tables; one that does not is a value."""
    return not isinstance(subquery.query, Select) or bool(subquery.query.scope.tables)


_LOOKUPS = {"ref": "index_subquery", "eq_ref": "unique_subquery", "const": "unique_subquery"}
"""The types of access of a subquery that looks rows of its only table up by the value that IN compares."""


class _SelectExplainer:
    """Explains the tables of one SELECT."""

    def __init__(
        self,
        select: Select,
        run: Execution,
        select_type: str,
        number: int,
        *,
        derived: Mapping[Table, int],
        outer: Env | None,
    ) -> None:
        self._select = select
        self._run = run
        self._type = select_type
        self._number = number
        self._outer = outer
        self.env = run.env(len(select.scope.tables), outer)
        self._join = JoinExplainer(
            *(select.joined, run, self.env),
            number=number,
            type_of=lambda _: select_type,
            derived=derived,
            groups=select.columns_of_groups,
        )

    async def rows(self, extra: Sequence[str]) -> list[PlanRow]:
        """A row for each table, ``extra`` in that of the first; only one, where no table is read."""
        select, env = self._select, self.env
        if not select.scope.tables:
            return [self._nothing("No tables used")]
        if self._outer is None and (ends := select.index_ends(env)) and all(ends):
            return [self._nothing("Select tables optimized away")]
        limit = limit_value(select.limit, env)
        wanted = None if limit is None else limit + (limit_value(select.offset, env) or 0)
        plan = await self._join.plan(select.order_wanted(wanted))
        if plan.none and self._outer is not None:
            raise unsupported("EXPLAIN of a subquery of whose conditions some need a row of the query around it")
        if plan.none:
            return [self._nothing(plan.none)]
        found = self._join.rows(plan)
        if len(found) == 1 and found[0].type == "const" and found[0].table is not None:
            found = [await self._checked(found[0])]
        if found[-1].table is None:
            return found[-1:]
        return [*self._with_sorting(found, extra, ordered=plan.ordered), *self._join.kept]

    def _nothing(self, why: str) -> PlanRow:
        return PlanRow(id=self._number, select_type=self._type, extra=(why,))

    async def _checked(self, row: PlanRow) -> PlanRow:
        """The row of the only table, which has one row: that is looked at."""
        joined = self._select.joined
        path = self._join.paths.get(0)
        if path is None:
            return row
        record = record_of(path)
        if record is None:
            return self._nothing("no matching row in const table")
        self.env.rows[0] = joined.table(0).row_of(record).row
        if not await all_hold(self._run, [each.holds for each in joined.filters[None]], self.env):
            return self._nothing("Impossible WHERE noticed after reading const tables")
        return row

    def _with_sorting(self, found: list[PlanRow], extra: Sequence[str], *, ordered: bool) -> list[PlanRow]:
        """Add what is done with all rows (sorting, a temporary table) to the first table that is read row by row."""
        select = self._select
        comes_sorted = ordered and select.ordering is not None
        sorts = bool(select.order) and not (comes_sorted and (not select.grouped or select.gives_groups_in_order))
        temporary = select.groups is not None and (sorts or not (ordered and select.grouping))
        if (
            select.distinct and not select.is_distinct_anyway
        ):  # it is as good as GROUP BY where an index gives the order of its columns
            as_groups = select.distinct_columns is not None and (select.limit is None or bool(select.order))
            temporary = temporary or not (ordered and as_groups)
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
