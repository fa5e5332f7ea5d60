"""EXPLAIN of a join: a row for each table in the order in which they are read, also for those of joined subqueries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.join_plan import JoinPlanner
from chatsim.innodb.sql.executor.join_steps import JoinPlan, NestStep, Order, Step, TableStep, WeedoutStep
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.sql.optimizer.access_path import plan_access
from chatsim.innodb.sql.optimizer.explain import explain_access, explain_lookup
from chatsim.innodb.sql.optimizer.join_access import Lookup
from chatsim.innodb.sql.optimizer.join_order import Strategy
from chatsim.innodb.sql.optimizer.key_length import key_length
from chatsim.innodb.sql.optimizer.plan import AccessPlan, PlanRow
from chatsim.innodb.storage.partitions import PartitionedIndex
from chatsim.innodb.storage.scan import AccessPath

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Execution
    from chatsim.innodb.sql.executor.joined_tables import JoinedTables
    from chatsim.innodb.sql.expressions import Env
    from chatsim.innodb.storage.structures import Record
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["JoinExplainer", "record_of"]

_DISTINCT_KEY = "<auto_distinct_key>"


class JoinExplainer:
    """Explains the join of one SELECT, UPDATE or DELETE.

    Args:
        joined: the tables.
        run: the run of the statement.
        env: where the rows of constant tables are put.
        number: of the SELECT.
        type_of: the type of the statement that EXPLAIN names with a table, by its number.
        derived: the numbers of the SELECTs of derived tables.
        groups: the columns by which rows are grouped, with their tables.

    Attributes:
        paths: the paths of the tables whose one row is known.
        kept: the rows for tables of subqueries whose rows are kept.
    """

    def __init__(
        self,
        joined: JoinedTables,
        run: Execution,
        env: Env,
        *,
        number: int,
        type_of: Callable[[int], str],
        derived: Mapping[Table, int],
        groups: Collection[tuple[int, int]] = (),
    ) -> None:
        self._groups = groups
        self._joined = joined
        self._run = run
        self._env = env
        self._number = number
        self._type_of = type_of
        self._derived = derived
        self.paths: dict[int, AccessPath | None] = {}
        self.kept: list[PlanRow] = []
        self._scanned: dict[str, str] = {}  # the names of tables of a subquery whose kept rows are scanned

    async def plan(self, order: Order) -> JoinPlan:
        """The plan of the join. Raises a `DatabaseError`."""
        view = self._run.rows.trx.view
        return await JoinPlanner(self._joined, self._run, self._env, view, self._look_at).plan(order)

    def rows(self, plan: JoinPlan) -> list[PlanRow]:
        """A row for each table."""
        found = [self._constant(at) for at in plan.constants]
        return self._of_steps(plan.steps, found)

    def _of_steps(self, steps: Iterable[Step], before: Sequence[PlanRow]) -> list[PlanRow]:
        """The rows behind those that come before."""
        found = list(before)
        for step in steps:
            if isinstance(step, TableStep):
                found.append(self._row(step))
                continue
            at = len(found)
            if isinstance(step, NestStep) and step.kept in (Strategy.LOOKUP, Strategy.SCAN):
                found.append(self._of_kept(step, found))
                continue
            found = self._of_steps(step.steps, found)
            if isinstance(step, WeedoutStep):
                found[at] = _with(found[at], "Start temporary")
                found[-1] = _with(found[-1], "End temporary")
            elif step.kept is Strategy.LOOSE_SCAN:
                found[at] = _with(found[at], "LooseScan")
            elif step.nest.kind == "semi":
                found[-1] = _with(found[-1], f"FirstMatch({found[at - 1].table})" if at else "FirstMatch")
            elif step.nest.kind == "anti":
                if len(found) > at + 1:
                    raise unsupported("EXPLAIN of NOT IN and NOT EXISTS of several tables")
                extra = found[at].extra
                place = extra.index("Using where") + 1 if "Using where" in extra else 0
                found[at] = replace(found[at], extra=(*extra[:place], "Not exists", *extra[place:]))
        return found

    def _of_kept(self, step: NestStep, found: list[PlanRow]) -> PlanRow:
        """The row for the kept rows of a subquery; those for its tables come behind all others.

        In the rows ``found`` before it says that columns by which it is looked up may not be NULL.
        """
        joined, number = self._joined, step.nest.number
        name = f"<subquery{number}>"
        own = next(iter(step.nest.tables))
        kept = [replace(each, id=number, select_type="MATERIALIZED") for each in self._of_steps(step.steps, ())]
        self.kept += kept
        sides = [self._compared(at, column, step.nest.tables) for at, column in step.distinct]
        if step.kept is Strategy.SCAN:
            self._scanned |= {joined.scope.tables[at][0]: name for at in step.nest.tables}
            nullable = any(joined.table(at).columns[column].nullable for at, column in step.distinct)
            checks = ("Using where",) if nullable else ()
            kind = self._type_of(own)
            return PlanRow(id=self._number, select_type=kind, table=name, type="ALL", filtered=100.0, extra=checks)
        for each in sides:
            self._note_not_null(each, found)
        conditions = joined.conditions(own, ())
        kinds = [joined.table(at).columns[column].type for at, column in step.distinct]
        alike = all(joined.scope.kind(each) == kind for each, kind in zip(sides, kinds, strict=True))
        anti = step.nest.kind == "anti"
        extra = [*(["Using where"] if anti or not alike else []), *(["Not exists"] if anti else [])]
        return PlanRow(
            id=self._number,
            select_type=self._type_of(own),
            table=name,
            type="eq_ref",
            possible_keys=(_DISTINCT_KEY,),
            key=_DISTINCT_KEY,
            key_len=str(sum(key_length(joined.table(at), [column]) for at, column in step.distinct)),
            ref=tuple(conditions.source(each, set(self.paths)) for each in sides),
            rows=1,
            filtered=100.0,
            extra=tuple(extra),
        )

    async def _look_at(self, at: int, path: AccessPath | None) -> Sequence[Value] | None:
        """The one row of a table, of which the server says the plan with its values known."""
        table = self._joined.table(at)
        if isinstance(table, Derived) or path is None:
            raise unsupported("EXPLAIN of a derived table with one row")
        self.paths[at] = path
        record = record_of(path)
        return None if record is None else table.row_of(record).row

    def _constant(self, at: int) -> PlanRow:
        """The row for a table whose one row has been read."""
        joined = self._joined
        conditions = joined.conditions(at, [each for each in self.paths if each != at])
        plan = plan_access(conditions, self._env, joined.hints[at], touched=joined.touched(at))
        return self._access(at, plan, ())

    def _row(self, step: TableStep) -> PlanRow:
        """The row for a table of the join."""
        joined, attached = self._joined, [each.node for each in step.filters]
        buffered = ("Using join buffer (hash join)",) if step.buffered else ()
        if isinstance(joined.table(step.at), Derived):
            return self._of_derived(step, attached, buffered)
        if isinstance(step.access, Lookup):
            row = explain_lookup(
                step.access,
                step.position,
                attached,
                select_id=self._number,
                select_type=self._type_of(step.at),
                constants=set(self.paths),
                joined_by=self._joined_by(step.at),
                grouped_by=self._grouped_by(step.at),
                pushes=self._run.pushes and step.at not in joined.changed,
            )
            ref = tuple(self._renamed(each) for each in row.ref)
            return replace(row, ref=ref, extra=(*row.extra, *buffered))
        if step.access is None:
            raise unsupported("EXPLAIN of a range that is checked for each record")
        if joined.count == 1 and isinstance(step.access.path, AccessPath) and step.access.path.access == "const":
            self.paths[step.at] = step.access.path
        row = self._access(step.at, step.access, attached)
        if step.position is not None and joined.count > 1:
            kept = step.position.fetched * step.position.filter
            row = replace(row, filtered=round(min(100 * kept / row.rows, 100.0), 2) if row.rows else 100.0)
        return replace(row, extra=(*row.extra, *buffered))

    def _note_not_null(self, node: exp.Expr, found: list[PlanRow]) -> None:
        if not isinstance(node, exp.Column):
            return
        at, column = self._joined.scope.column(node)
        name, table = self._joined.scope.tables[at]
        for place, row in enumerate(found):
            if row.table == name and table.columns[column].nullable and "Using where" not in row.extra:
                pushed = row.extra[:1] if row.extra[:1] == ("Using index condition",) else ()
                found[place] = replace(row, extra=(*pushed, "Using where", *row.extra[len(pushed) :]))

    def _compared(self, at: int, column: int, inside: set[int]) -> exp.Expr:
        """What a column of a subquery is compared with outside of it."""
        for each in (each for group in self._joined.filters.values() for each in group):
            if not isinstance(each.node, exp.EQ) or not each.tables - inside:
                continue
            for inner, outer in ((each.node.left, each.node.right), (each.node.right, each.node.left)):
                own = isinstance(inner, exp.Column) and self._joined.scope.column(inner) == (at, column)
                if own and not self._joined.named(outer) & inside:
                    return outer
        raise unsupported("EXPLAIN of a subquery whose rows are kept, and compared by more than equality")

    def _renamed(self, source: str) -> str:
        """What a column is compared with; a column of kept rows by the name of these."""
        table, _, column = source.partition(".")
        return f"{self._scanned[table]}.{column}" if table in self._scanned else source

    def _access(self, at: int, plan: AccessPlan, attached: Sequence[exp.Expr]) -> PlanRow:
        return explain_access(
            *(plan, attached),
            select_id=self._number,
            select_type=self._type_of(at),
            constants=set(self.paths),
            joined_by=self._joined_by(at),
            grouped_by=self._grouped_by(at),
        )

    def _grouped_by(self, at: int) -> Collection[int]:
        """The columns of the groups, if they are all of one table."""
        return {column for _, column in self._groups} if {each for each, _ in self._groups} == {at} else ()

    def _joined_by(self, at: int) -> Collection[int]:
        """The columns of a table that are compared with others, also with those of later tables."""
        joined = self._joined
        others = set(range(joined.count)) - {at}
        return joined.conditions(at, others).columns if others else ()

    def _of_derived(self, step: TableStep, attached: Sequence[exp.Expr], extra: Sequence[str]) -> PlanRow:
        if isinstance(step.access, Lookup):
            raise unsupported("EXPLAIN of a lookup in a derived table")
        return PlanRow(
            id=self._number,
            select_type=self._type_of(step.at),
            table=f"<derived{self._derived[self._joined.table(step.at)]}>",
            type="ALL",
            extra=(*(("Using where",) if attached else ()), *extra),
        )


def _with(row: PlanRow, said: str) -> PlanRow:
    """A row that says one thing more, in front of what it says of a join buffer."""
    buffer = tuple(each for each in row.extra if "join buffer" in each)
    return replace(row, extra=(*(each for each in row.extra if each not in buffer), said, *buffer))


def record_of(path: AccessPath) -> Record | None:
    """The record that a unique key finds, if it is there."""
    key = path.ranges[0].low or ()
    parts = path.index.parts if isinstance(path.index, PartitionedIndex) else [path.index]
    found = (each.first_at(key) for each in parts)
    return next((each for each in found if each.key[: len(key)] == key and not each.deleted), None)
