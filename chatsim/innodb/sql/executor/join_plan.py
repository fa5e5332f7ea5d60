"""How the joined tables of a statement are read, decided once for each execution.

First the tables are read that can have only one row, by values that are constant. With these rows known, the cheapest
order of the others is looked for (`chatsim.innodb.sql.optimizer.join_order`); then the first of them may be read in the
wanted order, and others once, into a join buffer (manual, "Hash Join Optimization").
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.constant_tables import constant_path, missing_row, row_path
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.join_order_by import deciding_columns
from chatsim.innodb.sql.executor.join_steps import JoinPlan, NestStep, Order, Step, TableStep, WeedoutStep
from chatsim.innodb.sql.executor.joined_tables import Filter
from chatsim.innodb.sql.executor.null_checks import check_for_null
from chatsim.innodb.sql.executor.subqueries import all_hold, evaluated
from chatsim.innodb.sql.expressions.queries import SubqueryValue
from chatsim.innodb.sql.optimizer.access_path import access_by, choose_access, request_access
from chatsim.innodb.sql.optimizer.equalities import IMPLIED
from chatsim.innodb.sql.optimizer.join_access import Lookup, TableEstimate
from chatsim.innodb.sql.optimizer.join_order import JoinSearch, Position, Semijoin, Strategy
from chatsim.innodb.sql.optimizer.order_and_limit import expected_rows
from chatsim.innodb.sql.optimizer.plan import AccessPlan
from chatsim.innodb.sql.optimizer.scan_access import index_scan
from chatsim.innodb.storage.group_skip import GroupSkip
from chatsim.innodb.storage.scan import AccessPath

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Execution
    from chatsim.innodb.sql.executor.from_clause import Nest
    from chatsim.innodb.sql.executor.joined_tables import JoinedTables
    from chatsim.innodb.sql.expressions import Env, Function
    from chatsim.innodb.sql.optimizer.access_request import AccessRequest
    from chatsim.innodb.storage.structures import ReadView
    from chatsim.innodb.storage.values import Value

__all__ = ["JoinPlanner"]

ReadOne = Callable[[int, "AccessPath | None"], Awaitable["Sequence[Value] | None"]]
"""Reads the one row of a table along a path, or of a derived table; None if there is none."""


class JoinPlanner:
    """Plans one execution of a join.

    Args:
        joined: the joined tables.
        run: the run of the statement.
        env: where the rows of constant tables are put.
        view: the read view of the transaction.
        read_one: reads the row of a constant table.
    """

    def __init__(
        self, joined: JoinedTables, run: Execution, env: Env, view: ReadView | None, read_one: ReadOne
    ) -> None:
        self._joined = joined
        self._run = run
        self._env = env
        self._view = view
        self._read_one = read_one
        self._plan = JoinPlan()
        self._constants: set[int] = set()
        self._missing: set[int] = set()  # tables of outer joins that can't have a row
        self._estimates: dict[int, TableEstimate] = {}
        self._attached: set[int] = set()
        self._checked: set[int] = set()  # the conditions that are checked, for whichever of the equal columns
        self._semijoins: dict[Nest, Semijoin] = {}
        self._parts: dict[int, Filter] = {}  # of an OR, the latest part that is checked
        self._takes_parts = True
        self._ranges: dict[int, tuple[int, ...]] = {}  # of a table, those up to which duplicates are weeded out

    async def plan(self, order: Order, *, early: bool = False) -> JoinPlan:
        """The plan; constant tables have been read then, with ``early`` also if there is only one table."""
        plan = self._plan
        allowed = await self._joined.fixed.allow(self._run, self._env)
        if not allowed or not await all_hold(self._run, self._without_tables(), self._env):
            plan.none = "Impossible WHERE"
            return plan
        alone = self._joined.count == 1 and not self._joined.changed
        if alone and not self._joined.nests and not self._joined.conditions(0, ()).has_outer:
            plan = await evaluated(self._run, lambda: self._plan_alone(order))
            if not (early and _is_constant(plan)):
                return plan
            plan = self._plan = JoinPlan()
        if not await all_hold(self._run, self._ready(None), self._env):
            plan.none = "Impossible WHERE"
            return plan
        await self._read_constants()
        able = await evaluated(self._run, self._estimate)  # also if a constant table has no row: it asks subqueries
        if plan.none or not able:
            plan.none = plan.none or "no matching row in const table"
            return plan
        if not await all_hold(self._run, self._ready(None), self._env):
            plan.none = "Impossible WHERE noticed after reading const tables"
            return plan
        positions = await evaluated(self._run, lambda: self._search(order))
        plan.rows = positions[-1].rows if positions else 1.0
        self._choose_semijoins(positions)
        steps = await evaluated(self._run, lambda: self._accesses(positions, order))
        plan.steps = self._level(steps, None, None, set(self._constants))
        before = [1.0, *(each.rows for each in positions)]
        self._note_times(
            plan.steps, {each.at: each.fetched * rows for each, rows in zip(positions, before, strict=False)}
        )
        return plan

    def _note_times(self, steps: Iterable[Step], times: Mapping[int, float]) -> float:
        """Note how often the subqueries of conditions are expected to be asked; returns that of the last table."""
        latest = 1.0
        for step in steps:
            latest = times.get(step.at, 1.0) if isinstance(step, TableStep) else self._note_times(step.steps, times)
            for node in (part for each in step.filters for part in each.node.find_all(SubqueryValue)):
                self._env.found[self._joined.scope.subqueries[node.args["number"]], "times"] = latest
        return latest

    async def read_constants(self) -> bool:
        """Read the constant tables only; whether there may be rows."""
        if not await self._joined.fixed.allow(self._run, self._env):
            return False
        await self._read_constants()
        return not self._plan.none

    def estimate(self, order: Order) -> tuple[float, float]:
        """What the optimizer expects that the join costs, and how many rows it has."""
        if not self._joined.count or not self._estimate():
            return 0.0, 0.0
        positions = self._search(order)
        if not positions:
            return 0.0, 1.0
        sorts = order.tables - self._constants
        return positions[-1].cost + (positions[-1].rows if sorts else 0.0), positions[-1].rows

    def _plan_alone(self, order: Order) -> JoinPlan:
        """The plan for a single table."""
        joined, plan = self._joined, self._plan
        step = TableStep(0, None, joined.filters[None])
        plan.steps = [step]
        if not isinstance(joined.table(0), Derived):
            request = self._request(0)
            ordering = [(column, down) for _, column, down in order.columns or ()]
            step.access = (
                request
                if isinstance(request, AccessPlan)
                else choose_access(
                    request, ordering=ordering, limit=order.limit, grouped=order.grouped, grouping=order.grouping
                )
            )
            if step.access.path is None and (path := row_path(joined, 0, self._constants, self._env)) and path.ranges:
                step.access = AccessPlan(joined.conditions(0, ()), path)
            if step.access.candidate is not None and step.access.request is not None:
                self._note_times([step], {0: expected_rows(step.access.request, step.access.candidate)})
            if isinstance(step.access.path, GroupSkip):
                plan.per_group = max(step.access.path.least + step.access.path.greatest, 1)
            plan.none = step.access.why_none
            plan.ordered = step.access.ordered and order.columns is not None
        return plan

    def _without_tables(self) -> list[Function]:
        """The conditions with subqueries that are about no table, and the same for all rows."""
        filters = self._joined.filters[None]
        return [each.holds for each in filters if not each.tables and each.node.find(SubqueryValue)]

    def _ready(self, nest: Nest | None) -> list[Function]:
        """The conditions of a nest that only constant tables are needed for, and that have not been given before."""
        found = []
        for each in self._joined.filters[nest]:
            if id(each) in self._attached:
                continue
            if each.tables <= self._constants:
                self._attached.add(id(each))
                found.append(each.holds)
            elif (part := self._new_part(each, self._constants)) is not None:
                found.append(part.holds)
        return found

    def _new_part(self, condition: Filter, known: Collection[int]) -> Filter | None:
        """What an OR says of the tables whose rows are known, if that is more than what has been checked of it."""
        part = self._joined.part_of(condition, frozenset(known)) if self._takes_parts else None
        if part is None or self._parts.get(id(condition)) is part:
            return None
        self._parts[id(condition)] = part
        return part

    # -- constants

    async def _read_constants(self) -> None:
        for _, table in self._joined.scope.tables:
            if isinstance(table, Derived) and not table.needs and await self._has_one_row(table):
                await table.read(self._run, self._env)  # as the server does before it plans, wherever it stands
        again = True
        while again:
            again = False
            for at in range(self._joined.count):
                if at not in self._constants and self._may_be_constant(at):
                    again = await self._try_constant(at) or again

    async def _has_one_row(self, table: Derived) -> bool:
        """Whether it is known of a derived table that it has one row at most, or none: its conditions exclude all."""
        query, run = table.query, self._run
        if table.needs or query.has_one_row(run):
            return query.has_one_row(run)
        return not await evaluated(run, lambda: query.estimate(run)[1])

    def _may_be_constant(self, at: int) -> bool:
        joined = self._joined
        if isinstance(joined.table(at), Derived) and joined.nests_of(at):
            return False
        nest = joined.nest_of(at)
        alone = nest is None or (nest.tables == {at} and nest.kind == "outer" and nest.within is None)
        return alone and joined.after.get(at, frozenset()) <= self._constants

    async def _try_constant(self, at: int) -> bool:
        """Read a table if it can have only one row; whether that was so."""
        joined, env = self._joined, self._env
        table = joined.table(at)
        path: AccessPath | None = None
        if isinstance(table, Derived):
            if not await self._has_one_row(table):
                return False
        else:
            path = await evaluated(self._run, lambda: constant_path(joined, at, self._constants, env, self._request))
            if path is None:
                return False
        nest = joined.nest_of(at)
        row = await self._read_one(at, path) if path is None or path.ranges else None
        self._constants.add(at)
        self._plan.constants.append(at)
        if row is not None:
            env.rows[at] = row
            if nest is not None and not await all_hold(self._run, self._ready(nest), env):
                row = None
        if row is None:
            if nest is None:
                self._plan.none = "no matching row in const table"
            env.rows[at] = await evaluated(self._run, lambda: missing_row(joined, at, env))
        return True

    def _request(self, at: int) -> AccessRequest | AccessPlan:
        joined = self._joined
        return request_access(
            *(joined.conditions(at, self._constants), self._env, joined.hints[at]),
            touched=joined.touched(at),
            view=self._view,
            changes=self._run.changes,
            joined=joined.count > 1,
            whole_rows=at in joined.changed,
            deletes=joined.changed.get(at) == set(),
            alone=joined.count == 1 and not joined.counts and not joined.scope.subqueries,
            pushes=self._run.pushes and at not in joined.changed,
        )

    # -- the order

    def _estimate(self) -> bool:
        """Estimate the tables that are left; False if one of them can't have rows that are wanted."""
        joined = self._joined
        for at in range(joined.count):
            if at in self._constants:
                continue
            conditions, table = joined.conditions(at, self._constants), joined.table(at)
            filters = joined.filtering(at, self._constants)
            if isinstance(table, Derived):
                rows = table.estimated_rows(self._run)
                self._estimates[at] = TableEstimate(conditions, None, joined.equalities(at), filters, rows)
                continue
            request = self._request(at)
            if not isinstance(request, AccessPlan):
                self._estimates[at] = TableEstimate(conditions, request, joined.equalities(at), filters)
                continue
            outer = joined.nests_of(at)
            if not outer:
                return False
            self._missing |= outer[-1].tables
        for at in self._missing:
            self._env.rows[at] = (None,) * len(joined.table(at).columns)
        self._constants |= self._missing
        self._plan.constants += sorted(self._missing)
        return True

    def _search(self, order: Order) -> tuple[Position, ...]:
        joined = self._joined
        tables = [each for at, each in self._estimates.items() if at not in self._constants]
        search = JoinSearch(
            *(tables, frozenset(self._constants), joined.after),
            together=[frozenset(each.tables) for each in joined.nests if each.kind != "semi"],
            filters=joined.filtering,
            sorts_by=self._sorts_by(order),
            limit=order.limit,
            semijoins=[joined.semijoin(each, self._constants) for each in self._joined_subqueries],
        )
        return search.best()

    @property
    def _joined_subqueries(self) -> list[Nest]:
        """The nests of subqueries that have tables to be joined."""
        nests = (each for each in self._joined.nests if each.kind != "outer")
        return [each for each in nests if each.tables - self._constants]

    def _choose_semijoins(self, positions: tuple[Position, ...]) -> None:
        """Note how the duplicates of each subquery are removed: the last decision about a table counts."""
        nests = self._joined_subqueries
        at = len(positions) - 1
        while at >= 0:
            found = positions[at].semijoin
            if found is None:
                at -= 1
                continue
            self._semijoins[nests[found.number]] = found
            if found.strategy is Strategy.WEEDOUT:
                tables = tuple(each.at for each in positions[found.start : at + 1])
                self._ranges[tables[0]] = tables
                at = found.start - 1
            else:
                at -= 1

    def _sorts_by(self, order: Order) -> int | None:
        """The table that alone decides the order."""
        tables = order.tables - self._constants
        return next(iter(tables)) if len(tables) == 1 else None

    # -- how each is read

    def _accesses(self, positions: Sequence[Position], order: Order) -> list[TableStep]:
        joined = self._joined
        steps = []
        may_buffer = joined.buffers and not self._is_forced_order(positions, order)
        buffers = any(each.buffered and may_buffer and not self._is_dynamic(each) for each in positions[1:])
        for number, position in enumerate(positions):
            access: AccessPlan | Lookup | None = position.lookup
            if position.lookup is not None and position.lookup.request is not None:
                access = replace(position.lookup, request=self._request_of(position))
            buffered = False
            if position.table.request is None:
                buffered = bool(number) and position.buffered and may_buffer and not self._is_dynamic(position)
            elif number == 0 and (position.lookup is None or not position.lookup.outer):
                access = self._first(positions, order, sorted_later=buffers)
            elif position.lookup is None and self._is_dynamic(position):
                access = None
            elif position.lookup is None:
                assert position.table.scan is not None
                access = access_by(self._request_of(position), position.table.scan)
                buffered = may_buffer
            known = frozenset(self._constants | {each.at for each in positions[:number]})
            steps.append(TableStep(position.at, access, buffered=buffered, position=position, known=known))
        check_for_null(joined, steps, self._semijoins)
        if steps and not buffers and not self._plan.ordered:
            steps[0].sorted_by = self._sorts_first(positions[0].at, order)
            self._plan.ordered = bool(steps[0].sorted_by)
        return steps

    def _request_of(self, position: Position) -> AccessRequest:
        """The request for a table; if it is read for a subquery whose rows are kept, that is a join of its own."""
        request, kept = position.table.request, {Strategy.LOOKUP, Strategy.SCAN}
        assert request is not None
        alone = any(position.at in nest.tables and own.strategy in kept for nest, own in self._semijoins.items())
        return replace(request, guarded=False) if alone else request

    def _is_forced_order(self, positions: Sequence[Position], order: Order) -> bool:
        """Whether FORCE INDEX of the first table asks for the order of its index, so that no rows are kept after it."""
        request = positions[0].table.request if positions else None
        return request is not None and request.forced and (order.grouped or bool(order.tables - self._constants))

    def _first(self, positions: Sequence[Position], order: Order, *, sorted_later: bool) -> AccessPlan:
        """The access to the first table, in the wanted order where that is cheaper."""
        first, joined = positions[0], self._joined
        request = self._request_of(first)
        if request.deletes and first.lookup is None and first.table.scan is not None:
            return access_by(request, first.table.scan)
        named = None if order.columns is None else deciding_columns(order.columns, positions, self._constants, joined)
        simple = named is not None and all(at == first.at for at, _, _ in named)
        if sorted_later or not simple:
            limit = None if order.columns or order.columns is None else order.limit
            return choose_access(request, limit=None if order.grouped else limit)
        assert named is not None
        limit = order.limit
        if limit is not None and named:
            fanout = prod(each.fetched * each.filter for each in positions[1:])
            limit = 1 if limit < fanout else int(limit / fanout) if fanout else limit
        plan = choose_access(
            request,
            ordering=[(column, down) for _, column, down in named],
            limit=limit,
            grouped=order.grouped and bool(named),
        )
        if len(positions) > 1 and order.grouped and self._is_slow_order(plan, request, order):
            plan = choose_access(request)
        self._plan.ordered = plan.ordered
        return plan

    def _is_slow_order(self, plan: AccessPlan, request: AccessRequest, order: Order) -> bool:
        """Whether all rows would be read in the order of an index, in place of a scan with join buffers behind it.

        In the server: ``test_if_skip_sort_order`` ("filesort() and join cache are usually faster").
        """
        path = plan.path
        if not isinstance(path, AccessPath) or path.access != "index" or path.covering or request.forced:
            return False
        index = path.index
        if index.definition.clustered:
            return False
        of_a_group = request.table.statistics.rows_per_key(index, len(order.columns or ()))
        return order.groups is None or order.groups * of_a_group >= request.rows

    def _sorts_first(self, first: int, order: Order) -> Sequence[tuple[Function, bool]]:
        """What the rows of the first table are sorted by before they are joined, if it alone decides the order."""
        if order.grouped or self._joined.count == 1 or order.tables - self._constants != {first}:
            return ()
        return order.by

    def _is_dynamic(self, position: Position) -> bool:
        """Whether it is read anew for each row of those before it ("Range checked for each record", or LATERAL)."""
        table = position.table
        derived = self._joined.table(table.at)
        if isinstance(derived, Derived) and derived.needs:
            return True
        if position.lookup is not None or table.request is None or table.is_range:
            return False
        others = frozenset(range(self._joined.count)) - {table.at}
        asked = (
            self._joined.conditions(table.at, others).columns
            - self._joined.conditions(table.at, self._constants).columns
        )
        compared = {each.column for each in table.equalities}
        return any(each.definition.columns[0] in asked - compared for each in table.request.searchable)

    # -- nests and filters

    def _level(
        self, steps: Sequence[TableStep], within: Nest | None, source: Nest | None, known: set[int]
    ) -> list[Step]:
        """The steps of one level, with the conditions that are checked at each.

        Args:
            steps: the tables.
            within: the nest that they are in.
            source: the nest whose conditions they have to meet; None for those of the statement.
            known: the tables whose rows are known, to which those of the level are added.
        """
        found: list[Step] = []
        rest = list(steps)
        while rest:
            first = rest[0].at
            step: Step
            if (tables := self._ranges.pop(first, None)) is not None:
                own = [each for each in rest if each.at in tables]
                inner = {at for each in self._joined.nests if each.kind != "outer" for at in each.tables}
                step = WeedoutStep(self._level(own, within, source, known), [at for at in tables if at not in inner])
            elif (nest := self._nest_below(first, within)) is not None:
                own = [each for each in rest if each.at in nest.tables]
                step = self._nest_step(own, nest, source, known)
                step.filters = self._now(source, known)
            else:
                own = rest[:1]
                step = rest[0]
                known.add(first)
                step.filters = [*self._now(source, known), *step.filters]
            rest = [each for each in rest if each not in own]
            found.append(step)
        return found

    def _nest_below(self, at: int, within: Nest | None) -> Nest | None:
        """The nest of a table that is directly within another; those whose duplicates are weeded out are none."""
        nests = [each for each in self._joined.nests_of(at) if not self._is_weeded(each)]
        above = nests.index(within) + 1 if within in nests else 0
        return nests[above] if len(nests) > above else None

    def _is_weeded(self, nest: Nest) -> bool:
        found = self._semijoins.get(nest)
        return nest.kind == "semi" and (found is None or found.strategy is Strategy.WEEDOUT)

    def _nest_step(self, steps: Sequence[TableStep], nest: Nest, source: Nest | None, known: set[int]) -> NestStep:
        """The tables of a nest. Those of a subquery whose rows are kept are read without those of other tables."""
        semijoin = self._semijoins.get(nest)
        own = source if nest.kind == "semi" else nest
        if semijoin is None or semijoin.strategy is Strategy.FIRST_MATCH:
            outside = known if nest.kind == "semi" else set(range(self._joined.count)) - nest.tables | self._constants
            not_exists = self._not_exists(nest) and (nest.kind == "anti" or known > self._constants)
            step = NestStep(nest, self._level(steps, nest, own, set(outside)), not_exists=not_exists)
            known |= nest.tables
            return step
        if semijoin.strategy is Strategy.LOOSE_SCAN:
            return self._loose_step(steps[0], nest, own, known)
        checked, self._checked = self._checked, set()
        self._takes_parts = False
        inside = self._level(self._accesses(semijoin.inner, Order()), nest, own, set(self._constants))
        self._checked, self._takes_parts = checked, True
        known |= nest.tables
        joining = self._now(own, set(range(self._joined.count))) if own is nest else []
        compared = [
            each for each in self._joined.filters[own] if each.tables & nest.tables and each.tables - nest.tables
        ]
        return NestStep(
            nest,
            inside,
            not_exists=self._not_exists(nest),
            kept=semijoin.strategy,
            joining=joining,
            distinct=self._columns_within(compared, nest),
            keys=self._keys_within(compared, nest),
        )

    def _loose_step(self, step: TableStep, nest: Nest, source: Nest | None, known: set[int]) -> NestStep:
        """The table of a subquery, read in the order of an index."""
        joined = self._joined
        compared = joined.semijoin(nest, self._constants).compared
        assert compared is not None
        assert step.position is not None
        table = step.position.table
        loose = table.loose_scan(compared, leads=not self._semijoins[nest].start)
        assert loose is not None
        assert table.request is not None
        ranges = [each for each in table.ranges if each.path.index is loose.index and table.is_range]
        scan = loose.ranges or next(iter(ranges), index_scan(table.request, loose.index))
        access = access_by(table.request, scan)
        if isinstance(access.path, AccessPath) and table.request.used is not None:
            access = replace(access, path=replace(access.path, in_order=True))  # so that equal values come together
        step.access = access
        known.add(step.at)
        step.filters = [*self._now(source, set(self._constants) | {step.at}), *step.filters]
        distinct = [(step.at, column) for column in loose.index.definition.columns[: len(compared)]]
        return NestStep(nest, [step], kept=Strategy.LOOSE_SCAN, distinct=distinct)

    def _columns_within(self, filters: Iterable[Filter], nest: Nest) -> list[tuple[int, int]]:
        """The columns of a nest that conditions name."""
        named = {self._joined.scope.column(each) for one in filters for each in one.node.find_all(exp.Column)}
        return sorted((at, column) for at, column in named if at in nest.tables)

    def _keys_within(self, filters: Iterable[Filter], nest: Nest) -> list[Function]:
        """What equalities compare with other tables, of a nest."""
        sides = [side for one in filters for side in (one.node.args["this"], one.node.args["expression"])]
        scope = self._joined.scope
        return [scope.place(each) for each in sides if (named := scope.tables_of(each)) and named <= nest.tables]

    def _now(self, nest: Nest | None, known: set[int]) -> list[Filter]:
        """The conditions that can be checked now, and not before."""
        found = []
        for each in self._joined.filters[nest]:
            if id(each) in self._attached:
                continue
            if not each.tables <= known:
                part = self._new_part(each, known)
                found += [part] if part is not None else []
            else:
                self._attached.add(id(each))
                said = each.node.meta.get(IMPLIED, id(each.node))
                if said not in self._checked and not self._is_said_within(said, each):
                    self._checked.add(said)
                    found.append(each)
        return found

    def _is_said_within(self, said: int, implied: Filter) -> bool:
        """Whether a condition is said of the tables of a subquery whose rows are kept, and implied for others."""
        filters = (each for found in self._joined.filters.values() for each in found if id(each.node) == said)
        own = next(filters, implied).tables
        kept = (nest.tables for nest, found in self._semijoins.items() if found.inner)
        return any(own <= tables and not implied.tables & tables for tables in kept)

    def _not_exists(self, nest: Nest) -> bool:
        """Whether rows of an outer join are wanted only if they have no match."""
        above: Iterable[Filter] = self._joined.filters[nest.within]
        return nest.kind == "anti" or any(self._joined.is_null_of(each.node, nest) for each in above)


def _is_constant(plan: JoinPlan) -> bool:
    """Whether the only table of a plan has one row at most."""
    (step,) = plan.steps
    access = step.access if isinstance(step, TableStep) else None
    return isinstance(access, AccessPlan) and isinstance(access.path, AccessPath) and access.path.access == "const"
