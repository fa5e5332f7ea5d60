"""UPDATE and DELETE of joined tables: manual, "UPDATE Statement", "DELETE Statement".

The rows of the first table in the join order are changed as they are found, if that can't lead to meeting them again.
Those of the other tables are noted, and changed when all have been found: updated in the order in which they were
found, deleted in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.assignment import Assignments, apply_assignments, compile_assignments
from chatsim.innodb.sql.executor.changes import RowChanges
from chatsim.innodb.sql.executor.chosen_partitions import check_home
from chatsim.innodb.sql.executor.clauses import refuse
from chatsim.innodb.sql.executor.derived import Derived, base_tables, with_queries
from chatsim.innodb.sql.executor.execution import Answer, Execution, Find
from chatsim.innodb.sql.executor.from_clause import FromClause
from chatsim.innodb.sql.executor.join import Join
from chatsim.innodb.sql.executor.join_steps import JoinPlan, Order
from chatsim.innodb.sql.executor.joined_tables import JoinedTables
from chatsim.innodb.sql.executor.locking_clause import Locking
from chatsim.innodb.sql.executor.names import Names
from chatsim.innodb.sql.executor.query import query
from chatsim.innodb.sql.executor.recursive import recursive_table
from chatsim.innodb.sql.executor.semijoin import SubqueryJoiner
from chatsim.innodb.sql.executor.subqueries import evaluated
from chatsim.innodb.sql.executor.triggers import fires
from chatsim.innodb.sql.expressions import Env, Scope, unsupported
from chatsim.innodb.sql.optimizer.conjuncts import conjuncts
from chatsim.innodb.sql.optimizer.join_access import Lookup
from chatsim.innodb.sql.optimizer.optimizer_hints import apply_hints, kept_tables
from chatsim.innodb.storage.scan import AccessPath, Reading, read_again

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.scan import Hit
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["MultiTableDelete", "MultiTableUpdate"]


class _MultiTable:
    """The joined tables of an UPDATE or DELETE, and its WHERE.

    Args:
        node: the statement.
        first: the first table, or the only one.
        find: finds a table by its name.
        alone: whether it is written as a statement about one table, and joins those of its subqueries.
    """

    duplicates: Mode = "S"
    writes = True

    def __init__(self, node: exp.Update | exp.Delete, first: exp.Expr, find: Find, *, alone: bool) -> None:
        word = type(node).__name__.upper()
        for part in ("order", "limit"):
            if node.args.get(part):
                shown = {"order": "ORDER BY", "limit": "LIMIT"}[part]
                if word == "DELETE":
                    raise database_error(1064, f"You have an error in your SQL syntax near '{shown}'")
                raise database_error(1221, f"Incorrect usage of {word} and {shown}")
        refuse(node, "from_", "returning", "cluster")
        if node.args.get("with_"):
            find = with_queries(node.args["with_"], find, query, recursive_table)
        self.alone = alone
        self.clause = FromClause(first, first.args.get("joins") or (), find, query, kept=kept_tables(node))
        apply_hints(node, self.clause)
        self.scope = Scope(self.clause.tables, strict=not node.args.get("ignore"))
        self.scope.read |= self.clause.read_by_lateral
        self.names = Names(self.clause, self.scope, find, query, merges_within=False)
        self.names.resolve_joins()
        own = len(self.clause.tables)
        joiner = SubqueryJoiner(self.clause, self.names, find, query, merges=False)
        wanted = joiner.resolved(conjuncts(node.args.get("where")))
        self._inner = [table for _, table in self.scope.tables[own:]]
        self.joined = JoinedTables(self.scope, self.clause, [*wanted, *self.clause.wanted])
        self.joined.buffers = False
        self.locking = Locking.of(exp.Select(), self.clause)
        self._direct = [
            table
            for (_, table), called in zip(self.scope.tables, self.clause.called, strict=True)
            if called is None and not isinstance(table, Derived)
        ]
        self.ignore = bool(node.args.get("ignore"))
        self._reads_consistently = alone and isinstance(node, exp.Update)

    @property
    def tables(self) -> Sequence[Table]:
        """The tables of the schema that it uses."""
        own = base_tables(table for _, table in self.scope.tables)
        return [*own, *(table for each in self.scope.subqueries for table in each.query.tables)]

    def target(self, at: int) -> int:
        """A table that is to be changed. Raises a `DatabaseError` if that can't be."""
        called, table = self.scope.tables[at]
        if isinstance(table, Derived) or self.clause.called[at] is None:
            raise database_error(1288, f"The target table {called} of the {self._word} is not updatable")
        self.joined.changed[at] = set()
        return at

    def check_target(self, at: int) -> None:
        """Raise a `DatabaseError` if a subquery reads a table that is to be changed."""
        called, table = self.scope.tables[at]
        inner = [*self._inner, *(other for each in self.scope.subqueries for other in each.query.direct_tables)]
        if table in inner or (self.alone and table in self._direct):
            raise database_error(1093, f"You can't specify target table '{called}' for update in FROM clause")

    @property
    def _word(self) -> str:
        return "UPDATE" if isinstance(self, MultiTableUpdate) else "DELETE"

    def readings(self, run: Execution) -> list[Reading]:
        """How each table is read: those that are changed with exclusive locks, the others with shared ones."""
        run.pushes, run.changes = self.alone, True
        run.shares = run.rows.trx.locks_gaps or not self._reads_consistently
        found = []
        for at, (own, policy) in enumerate(zip(self.locking.modes, self.locking.policies, strict=True)):
            mode: Mode | None = "X" if at in self.joined.changed else own or run.mode
            found.append(Reading(mode, None, policy))
        return found

    def is_read_once(self, at: int) -> bool:
        """Whether no other of the tables is the same."""
        table = self.joined.table(at)
        return sum(other is table for _, other in self.scope.tables) == 1

    def first_read(self, plan: JoinPlan) -> int | None:
        """The table that is read first."""
        if plan.constants:
            return plan.constants[0]
        return getattr(plan.steps[0], "at", None) if plan.steps else None


class MultiTableUpdate(_MultiTable):
    """UPDATE of joined tables."""

    def __init__(self, node: exp.Update, find: Find, *, alone: bool = False) -> None:
        super().__init__(node, node.this, find, alone=alone)
        self.assignments: dict[int, Assignments] = {}
        by_table: dict[int, list[exp.Expr]] = {}
        for each in node.expressions:
            if not isinstance(each, exp.EQ) or not isinstance(each.this, exp.Column):
                raise unsupported(each)
            target = self.names.resolve(each.this)
            at = self.scope.column(target)[0] if isinstance(target, exp.Column) else -1
            if at < 0:
                raise database_error(1348, f"Column '{each.this.name}' is not updatable")
            named = exp.EQ(this=target, expression=self.names.resolve(each.expression))
            by_table.setdefault(at, []).append(named)
        for at in sorted(by_table):
            self.target(at)
            if sum(self.clause.called[at] == self.clause.called[other] for other in by_table) > 1:
                view = self.clause.called[at]
                raise database_error(1393, f"Can not modify more than one base table through a join view '{view}'")
            if fires(self.joined.table(at), "UPDATE"):
                raise unsupported("UPDATE of several tables, of which one has triggers")
            self.assignments[at] = compile_assignments(self.scope, self.joined.table(at), by_table[at])
        for at, assignments in self.assignments.items():
            self.joined.changed[at] = {column for column, _ in assignments}
        self._check_keys()
        for at in self.assignments:
            self.check_target(at)
        self.written = {
            at: self.joined.table(at).changed_with({column for column, _ in assignments})
            for at, assignments in self.assignments.items()
        }

    def _check_keys(self) -> None:
        """Raise a `DatabaseError` if a table is changed by two names, and its rows might move."""
        for first, second in combinations(sorted(self.assignments), 2):
            table = self.joined.table(first)
            written = self.joined.changed[first] | self.joined.changed[second]
            if table is self.joined.table(second) and written & self._places(table):
                one, other = (self.scope.tables[at][0] for at in (first, second))
                message = "Primary key/partition key update is not allowed since the table is updated both as"
                raise database_error(1706, f"{message} '{one}' and '{other}'.")

    def _places(self, table: Table) -> set[int]:
        """The columns that say where a row of a table is: of the primary key, and of its partitions."""
        own = set() if table.hidden is not None else {*table.clustered.definition.columns}
        return own | (set() if table.partitioning is None else {*table.partitioning.columns})

    async def run(self, run: Execution) -> Answer:
        """Change rows."""
        self.scope.check_literals(run.session)
        env = run.env(self.joined.count)
        readings, changes = self.readings(run), RowChanges(run, ignore=self.ignore)
        join = Join(self.joined, run, env, readings, run.rows.trx.view)
        plan = await join.plan(Order())
        immediate = self._changed_at_once(plan, run, readings)
        noted: dict[int, dict[int, tuple[Hit, tuple[Value, ...]]]] = {at: {} for at in self.assignments}
        done: Hit | None = None

        async def found() -> bool:
            nonlocal done
            if immediate is not None and (hit := join.hits[immediate]) is not None and hit.semi_consistent:
                return False  # it is waited for, and found again
            for at, assignments in self.assignments.items():
                hit = join.hits[at]
                if hit is None or id(hit.record) in noted[at] or (at == immediate and hit is done):
                    continue
                table = self.joined.table(at)
                row = await evaluated(
                    run,
                    lambda at=at, assignments=assignments, table=table: self._changed(  # type: ignore[misc]
                        assignments, table, env, run, at
                    ),
                )
                check_home(table, row, self.joined.hints[at].partitions)
                if at != immediate:
                    noted[at][id(hit.record)] = hit, row
                    continue
                done = hit
                if row != tuple(hit.row):
                    await changes.update(table, hit.record, hit.row, row, self.written[at])
            return False

        await join.read(plan, found)
        run.answer.examined += join.examined
        await self._update_noted(run, changes, noted)
        run.answer.insert_id = run.session.named_insert_id or 0
        return run.answer

    async def _update_noted(
        self, run: Execution, changes: RowChanges, noted: dict[int, dict[int, tuple[Hit, tuple[Value, ...]]]]
    ) -> None:
        for at, rows in noted.items():
            table, written = self.joined.table(at), self.written[at]
            for hit, row in rows.values():
                if (again := await read_again(run.rows, table, hit.record)) is None:
                    continue
                now = again.row  # it may have been changed by another name
                new = tuple(row[column] if column in written else value for column, value in enumerate(now))
                if new != tuple(now):
                    await changes.update(table, again.record, now, new, written)

    def _changed_at_once(self, plan: JoinPlan, run: Execution, readings: list[Reading]) -> int | None:
        """The table whose rows are changed as they are found. The first table is read semi-consistently."""
        first = self.first_read(plan)
        if first is not None and not run.rows.trx.locks_gaps:
            readings[first] = replace(readings[first], semi_consistent=True)
        return first if first in self.assignments and self._is_safe(plan, first) else None

    def _changed(self, assignments: Assignments, table: Table, env: Env, run: Execution, at: int) -> tuple[Value, ...]:
        number = run.answer.affected + 1
        return apply_assignments(
            assignments, table, env, number, run.warn, strict=run.session.strict and not self.ignore, at=at
        )

    def _is_safe(self, plan: JoinPlan, at: int) -> bool:
        """Whether the rows of the first table may be changed as they are found."""
        if not self.is_read_once(at):
            return False
        if at in plan.constants:
            return True
        step = plan.steps[0]
        access = getattr(step, "access", None)
        if isinstance(access, Lookup):
            path = None if access.index is None else access.index.definition.place
            return access.unique or not self.written[at] & set(path or ())
        searched = access.path if access is not None else None
        if not isinstance(searched, AccessPath):
            return False
        return not self.written[at] & searched.columns if searched.access != "ALL" else not self._moves(at)

    def _moves(self, at: int) -> bool:
        """Whether rows change their place in the table."""
        return bool(self.written[at] & {*self.joined.table(at).clustered.definition.columns})


class MultiTableDelete(_MultiTable):
    """DELETE of rows of joined tables."""

    def __init__(
        self, node: exp.Delete, first: exp.Expr, targets: Iterable[exp.Expr], find: Find, *, alone: bool = False
    ) -> None:
        super().__init__(node, first, find, alone=alone)
        self._targets: list[int] = []
        for each in targets:
            found = self.clause.named(each.alias_or_name)
            if not found:
                raise database_error(1109, f"Unknown table '{each.alias_or_name}' in MULTI DELETE")
            if len(found) > 1:
                raise database_error(1395, f"Can not delete from join view '{each.alias_or_name}'")  # noqa: S608
            (at,) = found
            if at in self._targets:
                raise database_error(1066, f"Not unique table/alias: '{each.alias_or_name}'")
            self._targets.append(self.target(at))
            self.check_target(at)

    async def run(self, run: Execution) -> Answer:
        """Delete rows."""
        self.scope.check_literals(run.session)
        env, view = run.env(self.joined.count), run.rows.trx.view
        join, changes = Join(self.joined, run, env, self.readings(run), view), RowChanges(run, ignore=self.ignore)
        plan = await join.plan(Order())
        first = self.first_read(plan)
        immediate = first if first in self._targets and self.is_read_once(first) else None
        noted: dict[int, dict[int, Hit]] = {at: {} for at in self._targets}

        async def found() -> bool:
            for at in self._targets:
                hit = join.hits[at]
                if hit is None:
                    continue
                if at == immediate:
                    await changes.delete(self.joined.table(at), hit.record, hit.row)
                else:
                    noted[at].setdefault(id(hit.record), hit)
            return False

        await join.read(plan, found)
        run.answer.examined += join.examined
        for at, hits in noted.items():
            for hit in sorted(hits.values(), key=lambda each: each.record.key):
                if (again := await read_again(run.rows, self.joined.table(at), hit.record)) is not None:
                    await changes.delete(self.joined.table(at), again.record, again.row)
        return run.answer
