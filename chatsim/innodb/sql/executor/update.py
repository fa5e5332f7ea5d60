"""UPDATE and DELETE of one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.executor.assignment import apply_assignments, compile_assignments, completed
from chatsim.innodb.sql.executor.changes import RowChanges
from chatsim.innodb.sql.executor.chosen_partitions import check_home
from chatsim.innodb.sql.executor.clauses import compile_limit, limit_value, ordering_columns, refuse, sorted_rows
from chatsim.innodb.sql.executor.derived import Derived, with_queries
from chatsim.innodb.sql.executor.execution import Answer, Execution, Find
from chatsim.innodb.sql.executor.fixed_values import FixedValues
from chatsim.innodb.sql.executor.from_clause import FromClause
from chatsim.innodb.sql.executor.names import Names
from chatsim.innodb.sql.executor.query import query
from chatsim.innodb.sql.executor.recursive import recursive_table
from chatsim.innodb.sql.executor.subqueries import all_hold, evaluated
from chatsim.innodb.sql.executor.triggers import fire, fires, written_before
from chatsim.innodb.sql.expressions import Env, Scope, unsupported
from chatsim.innodb.sql.expressions.queries import SubqueryValue
from chatsim.innodb.sql.optimizer.access_path import plan_access
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.conjuncts import conjuncts
from chatsim.innodb.sql.optimizer.index_hints import IndexHints
from chatsim.innodb.sql.optimizer.optimizer_hints import apply_hints
from chatsim.innodb.sql.optimizer.plan import AccessPlan
from chatsim.innodb.storage.scan import AccessPath, Hit, Reading, read_again
from chatsim.innodb.storage.table_access import TableAccess

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.storage.structures import ReadView
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["Delete", "Update"]


class _Target:
    """The table of an UPDATE or DELETE, and its WHERE, ORDER BY and LIMIT."""

    def __init__(self, node: exp.Update | exp.Delete, find: Find) -> None:
        if node.args.get("with_"):
            find = with_queries(node.args["with_"], find, query, recursive_table)
        clause = FromClause(node.this, (), find, query)
        ((_, self.table),) = clause.tables
        if isinstance(self.table, Derived):
            word = type(node).__name__.upper()
            raise database_error(1288, f"The target table {node.this.name} of the {word} is not updatable")
        self.ignore = bool(node.args.get("ignore"))
        self.scope = Scope(clause.tables, strict=not self.ignore)
        self.names = Names(clause, self.scope, find, query, merges_within=False, materializes=False)
        apply_hints(node, clause)
        self.hints = IndexHints.of(self.table, clause.nodes[0])
        wanted = [self.names.resolve(each) for each in conjuncts(node.args.get("where"))]
        self.filters = [self.scope.truth(each) for each in wanted]
        asked = (each for each in wanted if each.find(SubqueryValue) and not self.scope.tables_of(each))
        self._without_rows = [self.scope.truth(each) for each in asked]  # they are evaluated before a row is read
        self.conditions = Conditions(self.scope, 0, (), wanted)
        self.fixed = FixedValues(self.scope, [self.conditions], wanted)
        order = node.args.get("order")
        by = [self.names.resolve(each.this) for each in order.expressions] if order else []
        down = [bool(each.args.get("desc")) for each in order.expressions] if order else []
        self.order = [(self.scope.place(each), descends) for each, descends in zip(by, down, strict=True)]
        self.ordering = ordering_columns(self.scope, by, down)
        self.limit = compile_limit(node.args.get("limit"), self.scope)

    @property
    def tables(self) -> Sequence[Table]:
        """The tables that the statement uses: its own first."""
        return [self.table, *(table for each in self.scope.subqueries for table in each.query.tables)]

    def check_subqueries(self) -> None:
        """Raise a `DatabaseError` if a subquery reads the table."""
        for each in self.scope.subqueries:
            if self.table in each.query.direct_tables:
                message = f"You can't specify target table '{self.scope.tables[0][0]}' for update in FROM clause"
                raise database_error(1093, message)

    async def each(self, run: Execution, act: Callable[[Hit], Any], written: set[int] | None = None) -> None:
        """Lock the rows and act on each.

        Args:
            run: the run of the statement.
            act: what is done with a row.
            written: the columns that an UPDATE sets; None for a DELETE.
        """
        env = run.env(1)
        self.scope.check_literals(run.session)
        limit = limit_value(self.limit, env)
        view = run.rows.trx.view
        if not await self.fixed.allow(run, env) or not await all_hold(run, self._without_rows, env):
            return
        plan = await evaluated(run, lambda: self.access_plan(env, written, limit, view))
        path = plan.path
        if path is None or limit == 0:
            return
        sorts = self.sorts(plan, env)
        semi_consistent = written is not None and not sorts and not run.rows.trx.locks_gaps
        later: list[Hit] | None = [] if sorts or self.finds_first(plan, written, env) else None
        if later is not None and not sorts:
            path = _by_index(path)
        scan = path.open(run.rows, Reading("X", semi_consistent=semi_consistent))
        await run.rows.lock_table(self.table, "IX")
        found_rows = 0
        hit = await scan.next()
        while hit is not None:
            env.rows[0] = hit.row
            if not await all_hold(run, self.filters, env):
                scan.unlock_row()
            elif hit.semi_consistent:
                hit = await scan.reread()
                continue
            else:
                found_rows += 1
                if later is None:
                    await act(hit)
                else:
                    later.append(hit)
                if found_rows == limit and not sorts:
                    break
            hit = await scan.next()
        run.answer.examined += scan.examined
        if later is not None:
            await self._act_later(run, self._in_order(later, env)[:limit] if sorts else later, act)

    def access_plan(self, env: Env, written: set[int] | None, limit: int | None, view: ReadView | None) -> AccessPlan:
        """The access plan of the table."""
        return plan_access(
            *(self.conditions, env, self.hints),
            touched={column for _, column in self.scope.read} | (written or set()),
            ordering=[(column, down) for _, column, down in self.ordering or ()],
            limit=limit,
            is_select=False,
            intersects=written is not None,
            view=view,
        )

    def finds_first(self, plan: AccessPlan, written: set[int] | None, env: Env) -> bool:
        """Whether an UPDATE finds all rows before it changes the first: it might meet a row again, or has an order."""
        assert plan.path is not None
        if written is None:
            return False
        several = isinstance(plan.path, AccessPath) and plan.path.index.definition.array is not None
        return several or bool(written & plan.path.columns) or self._orders(env)

    @property
    def is_everything(self) -> bool:
        """Whether there is no WHERE, ORDER BY or LIMIT."""
        return not self.filters and not self.order and self.limit is None

    def sorts(self, plan: AccessPlan, env: Env) -> bool:
        """Whether the rows found have to be sorted."""
        return self._orders(env) and (not plan.ordered or self.ordering is None)

    def _orders(self, env: Env) -> bool:
        """Whether ORDER BY names a column that has more than one value."""
        if self.ordering is None or not self.order:
            return bool(self.order)
        spans = self.conditions.column_ranges(env, ()) or {}
        return any(column not in spans or spans[column].point is None for _, column, _ in self.ordering)

    async def _act_later(self, run: Execution, hits: Sequence[Hit], act: Callable[[Hit], Any]) -> None:
        for each in hits:
            run.answer.examined += 1
            if (again := await read_again(run.rows, self.table, each.record)) is not None:
                await act(again)

    def _in_order(self, hits: list[Hit], env: Env) -> list[Hit]:
        def key(hit: Hit) -> list[Value]:
            env.rows[0] = hit.row
            return [function(env) for function, _ in self.order]

        return sorted_rows(hits, [down for _, down in self.order], key)


def _by_index(path: TableAccess) -> TableAccess:
    """How all rows are found before the first is changed: by a scan of the index, for partitions in its order, too."""
    return replace(path, in_order=True) if isinstance(path, AccessPath) and path.access == "ALL" else path


class Update:
    """UPDATE of one table."""

    duplicates: Mode = "S"
    writes = True

    def __init__(self, node: exp.Update, find: Find) -> None:
        refuse(node, "from_", "returning")
        self.target = _Target(node, find)
        if self.target.ignore and fires(self.target.table, "UPDATE"):
            raise unsupported("UPDATE IGNORE of a table with triggers")
        before = set(self.target.scope.read)
        assigned = [self.target.names.resolve(each) for each in node.expressions]
        self._assignments = compile_assignments(self.target.scope, self.target.table, assigned)
        self.target.check_subqueries()
        read = {at for _, at in self.target.scope.read | before}
        # a column that is only written is not read, so an equal value is not noticed
        self._comparable = {at for at, _ in self._assignments} <= read
        self.written = self.target.table.changed_with({at for at, _ in self._assignments})

    @property
    def tables(self) -> Sequence[Table]:
        """The tables that it uses."""
        return self.target.tables

    async def run(self, run: Execution) -> Answer:
        """Change rows."""
        target, table, env = self.target, self.target.table, run.env(1)
        run.shares, run.changes = run.rows.trx.locks_gaps, True
        changes = RowChanges(run, ignore=target.ignore)

        def changed() -> tuple[Value, ...]:
            number = run.answer.affected + 1
            return apply_assignments(
                self._assignments, table, env, number, run.warn, strict=run.session.strict and not target.ignore
            )

        async def act(hit: Hit) -> None:
            env.rows[0] = hit.row
            row = await evaluated(run, changed)
            if table.triggers:
                fired = await fire(run, table, "BEFORE", "UPDATE", old=hit.row, new=row)
                row = completed(table, fired, run.answer.affected + 1, run.warn, strict=run.session.strict)
            check_home(table, row, target.hints.partitions)
            if row != hit.row or not (self._comparable or run.session.reads_whole_rows):
                await changes.update(table, hit.record, hit.row, row, self.written)
            if table.triggers:
                await fire(run, table, "AFTER", "UPDATE", old=hit.row, new=row)

        written = self.written | written_before(table, "UPDATE") if table.triggers else self.written
        await target.each(run, act, written)
        run.answer.insert_id = run.session.named_insert_id or 0
        return run.answer


class Delete:
    """DELETE from one table."""

    duplicates: Mode = "S"
    writes = True

    def __init__(self, node: exp.Delete, find: Find) -> None:
        refuse(node, "tables", "returning", "using", "cluster")
        self.target = _Target(node, find)
        self.target.check_subqueries()

    @property
    def tables(self) -> Sequence[Table]:
        """The tables that it uses."""
        return self.target.tables

    async def run(self, run: Execution) -> Answer:
        """Delete rows."""
        run.shares = run.changes = True
        changes = RowChanges(run, ignore=self.target.ignore)

        async def act(hit: Hit) -> None:
            await changes.delete(self.target.table, hit.record, hit.row)

        await self.target.each(run, act)
        return run.answer
