"""How the joined tables of a statement are read, decided once for each execution.

First the tables are read that can have only one row, by values that are constant. With these rows known, the cheapest
order of the others is looked for (`chatsim.innodb.sql.optimizer.join_order`); then the first of them may be read in the
wanted order, and others once, into a join buffer (manual, "Hash Join Optimization").
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING

from sqlglot import exp

from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.joined_tables import Filter
from chatsim.innodb.sql.executor.subqueries import all_hold, evaluated
from chatsim.innodb.sql.optimizer.access_path import access_by, choose_access, request_access
from chatsim.innodb.sql.optimizer.join_access import Lookup, TableEstimate
from chatsim.innodb.sql.optimizer.join_order import JoinSearch, Position
from chatsim.innodb.sql.optimizer.plan import AccessPlan
from chatsim.innodb.storage.scan import AccessPath

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Execution
    from chatsim.innodb.sql.executor.from_clause import Nest
    from chatsim.innodb.sql.executor.joined_tables import JoinedTables
    from chatsim.innodb.sql.expressions import Env, Function
    from chatsim.innodb.sql.optimizer.access_request import AccessRequest
    from chatsim.innodb.storage.structures import ReadView
    from chatsim.innodb.storage.values import Value

__all__ = ["JoinPlan", "JoinPlanner", "NestStep", "Order", "TableStep"]

ReadOne = Callable[[int, "AccessPath | None"], Awaitable["Sequence[Value] | None"]]
"""Reads the one row of a table along a path, or of a derived table; None if there is none."""


@dataclass(frozen=True)
class Order:
    """The order in which rows are wanted, and how many of them.

    Attributes:
        columns: the columns of the order, each with its table and whether it is descending; None if it has others.
        limit: how many rows are wanted, if they are given as they come, or in this order.
        grouped: whether the order is for GROUP BY.
    """

    columns: Sequence[tuple[int, int, bool]] | None = ()
    limit: int | None = None
    grouped: bool = False


@dataclass
class TableStep:
    """A table that is read.

    Attributes:
        at: its number.
        access: how it is read; None for a derived table, or where it is planned for each row of the tables before it.
        filters: the conditions that are checked on each row of it.
        own: those of them that need no row of another table.
        buffered: whether it is read once, and the rows before it are kept.
        position: where the optimizer has put it; None for a single table.
        known: the tables whose rows are known when it is read, if it is planned then.
        sorted_by: the columns by which its rows are sorted before other tables are read, and which are descending.
    """

    at: int
    access: AccessPlan | Lookup | None
    filters: list[Filter] = field(default_factory=list)
    buffered: bool = False
    position: Position | None = None
    known: frozenset[int] = frozenset()
    sorted_by: Sequence[tuple[int, bool]] = ()


@dataclass
class NestStep:
    """The tables of a nest.

    Attributes:
        nest: the nest.
        steps: how its tables are read.
        filters: the conditions that are checked on the rows with those of the nest.
        not_exists: only rows without a match are wanted, so that the first match is enough.
    """

    nest: Nest
    steps: list[TableStep | NestStep]
    filters: list[Filter] = field(default_factory=list)
    not_exists: bool = False


@dataclass
class JoinPlan:
    """How a join is executed.

    Attributes:
        steps: the tables in their order, those of a nest as one step.
        constants: the tables of which the one row has been read, in order.
        ordered: whether the rows come in the wanted order.
        none: why there are no rows; empty if there may be some.
        rows: the estimated number of rows.
    """

    steps: list[TableStep | NestStep] = field(default_factory=list)
    constants: list[int] = field(default_factory=list)
    ordered: bool = False
    none: str = ""
    rows: float = 1.0


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

    async def plan(self, order: Order) -> JoinPlan:
        """The plan; constant tables have been read then."""
        plan = self._plan
        if self._joined.count == 1 and not self._joined.nests:
            return await evaluated(self._run, lambda: self._plan_alone(order))
        if not await all_hold(self._run, self._ready(None), self._env):
            plan.none = "Impossible WHERE"
            return plan
        await self._read_constants()
        if not plan.none and not await all_hold(self._run, self._ready(None), self._env):
            plan.none = "Impossible WHERE noticed after reading const tables"
        if plan.none or not await evaluated(self._run, self._estimate):
            plan.none = plan.none or "no matching row in const table"
            return plan
        positions = await evaluated(self._run, lambda: self._search(order))
        plan.rows = positions[-1].rows if positions else 1.0
        steps = await evaluated(self._run, lambda: self._accesses(positions, order))
        plan.steps = self._nested(steps, None)
        return plan

    def estimated_rows(self) -> float:
        """How many rows the optimizer expects of the join."""
        if not self._estimate():
            return 0.0
        positions = self._search(Order(None))
        return positions[-1].rows if positions else 1.0

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
                else choose_access(request, ordering=ordering, limit=order.limit, grouped=order.grouped)
            )
            plan.none = step.access.why_none
            plan.ordered = step.access.ordered
        return plan

    def _ready(self, nest: Nest | None) -> list[Function]:
        """The conditions of a nest that only constant tables are needed for, and that have not been given before."""
        found = []
        for each in self._joined.filters[nest]:
            if each.tables <= self._constants and id(each) not in self._attached:
                self._attached.add(id(each))
                found.append(each.holds)
        return found

    # -- constants

    async def _read_constants(self) -> None:
        again = True
        while again:
            again = False
            for at in range(self._joined.count):
                if at not in self._constants and not self._plan.none and self._may_be_constant(at):
                    again = await self._try_constant(at) or again

    def _may_be_constant(self, at: int) -> bool:
        nest = self._joined.nest_of(at)
        alone = nest is None or (nest.tables == {at} and nest.kind == "outer" and nest.within is None)
        return alone and self._joined.after.get(at, frozenset()) <= self._constants

    async def _try_constant(self, at: int) -> bool:
        """Read a table if it can have only one row; whether that was so."""
        joined, env = self._joined, self._env
        table = joined.table(at)
        path: AccessPath | None = None
        if isinstance(table, Derived):
            if not table.query.has_one_row(self._run):
                return False
        else:
            path = await evaluated(self._run, lambda: self._constant_path(at))
            if path is None:
                return False
        nest = joined.nest_of(at)
        row = await self._read_one(at, path)
        self._constants.add(at)
        self._plan.constants.append(at)
        if row is not None:
            env.rows[at] = row
            if nest is not None and not await all_hold(self._run, self._ready(nest), env):
                row = None
        if row is None:
            if nest is None:
                self._plan.none = "no matching row in const table"
                return True
            env.rows[at] = (None,) * len(table.columns)
        return True

    def _constant_path(self, at: int) -> AccessPath | None:
        """The path to the only row of a table, by constants and the rows of constant tables."""
        joined, table = self._joined, self._joined.table(at)
        values = {each.column for each in joined.equalities(at) if each.needs <= self._constants and not each.null_safe}
        if not any(each.definition.unique and values >= set(each.definition.columns) for each in table.indexes):
            return None
        request = self._request(at)
        plan = request if isinstance(request, AccessPlan) else choose_access(request)
        return plan.path if isinstance(plan.path, AccessPath) and plan.path.access == "const" else None

    def _request(self, at: int) -> AccessRequest | AccessPlan:
        joined = self._joined
        return request_access(
            *(joined.conditions(at, self._constants), self._env, joined.hints[at]),
            touched=joined.touched(at),
            view=self._view,
            whole_rows=at in joined.changed,
            pushes=joined.pushes,
        )

    # -- the order

    def _estimate(self) -> bool:
        """Estimate the tables that are left; False if one of them can't have rows that are wanted."""
        joined = self._joined
        for at in range(joined.count):
            if at in self._constants:
                continue
            conditions, table = joined.conditions(at, self._constants), joined.table(at)
            if isinstance(table, Derived):
                rows = table.query.estimated_rows(self._run)
                self._estimates[at] = TableEstimate(conditions, None, joined.equalities(at), rows)
                continue
            request = self._request(at)
            if not isinstance(request, AccessPlan):
                self._estimates[at] = TableEstimate(conditions, request, joined.equalities(at))
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
        if len(tables) == 1:
            order = Order(None, order.limit)
        search = JoinSearch(
            *(tables, frozenset(self._constants), joined.after),
            together=[frozenset(each.tables) for each in joined.nests],
            conditions=joined.conditions,
            sorts_by=self._sorts_by(order),
            limit=order.limit,
        )
        return search.best()

    def _sorts_by(self, order: Order) -> int | None:
        """The table that alone decides the order."""
        tables = {at for at, _, _ in order.columns or () if at not in self._constants}
        return tables.pop() if len(tables) == 1 else None

    # -- how each is read

    def _accesses(self, positions: Sequence[Position], order: Order) -> list[TableStep]:
        joined = self._joined
        steps = []
        buffers = False
        for number, position in enumerate(positions):
            if number and position.buffered and joined.buffers and not self._is_dynamic(position):
                buffers = True
        for number, position in enumerate(positions):
            access: AccessPlan | Lookup | None = position.lookup
            buffered = False
            if position.table.request is None:
                access = position.lookup
                buffered = bool(number) and position.buffered and joined.buffers
            elif number == 0:
                access = self._first(positions, order, sorted_later=buffers)
            elif position.lookup is None and self._is_dynamic(position):
                access = None
            elif position.lookup is None:
                assert position.table.scan is not None
                access = access_by(position.table.request, position.table.scan)
                buffered = joined.buffers
            known = frozenset(self._constants | {each.at for each in positions[:number]})
            steps.append(TableStep(position.at, access, buffered=buffered, position=position, known=known))
        self._reject_null(steps)
        if steps and not buffers and not self._plan.ordered:
            steps[0].sorted_by = self._sorts_first(positions[0].at, order)
            self._plan.ordered = bool(steps[0].sorted_by)
        return steps

    def _first(self, positions: Sequence[Position], order: Order, *, sorted_later: bool) -> AccessPlan:
        """The access to the first table, in the wanted order where that is cheaper."""
        first = positions[0]
        request = first.table.request
        assert request is not None
        named = None if order.columns is None else [each for each in order.columns if each[0] not in self._constants]
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
        self._plan.ordered = plan.ordered
        return plan

    def _reject_null(self, steps: Sequence[TableStep]) -> None:
        """Check at a table that a column by which a later one is looked up is not NULL: it would find nothing."""
        joined = self._joined
        by_table = {each.at: each for each in steps}
        for step in steps:
            if not isinstance(step.access, Lookup):
                continue
            for each in step.access.equalities:
                if each.null_safe or not isinstance(each.node, exp.Column):
                    continue
                at, column = joined.scope.column(each.node)
                before = by_table.get(at)
                nullable = joined.table(at).columns[column].nullable
                if before is not None and nullable and joined.nest_of(at) is joined.nest_of(step.at):
                    node = exp.Not(this=exp.Is(this=each.node.copy(), expression=exp.Null()))
                    before.filters.append(Filter(node, frozenset((at,)), joined.scope.compile(node)))

    def _sorts_first(self, first: int, order: Order) -> list[tuple[int, bool]]:
        """The columns by which the rows of the first table are sorted, before they are joined."""
        named = [each for each in order.columns or () if each[0] not in self._constants]
        if order.grouped or self._joined.count == 1 or any(at != first for at, _, _ in named):
            return []
        return [(column, down) for _, column, down in named]

    def _is_dynamic(self, position: Position) -> bool:
        """Whether a range is looked for with each row of the tables before it ("Range checked for each record")."""
        table = position.table
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

    def _nested(self, steps: Sequence[TableStep], nest: Nest | None) -> list[TableStep | NestStep]:
        """The steps of one level, with the conditions that are checked at each."""
        joined = self._joined
        known = set(self._constants)
        if nest is not None:
            known |= set(range(joined.count)) - nest.tables
        found: list[TableStep | NestStep] = []
        rest = list(steps)
        while rest:
            inner = [each for each in joined.nests_of(rest[0].at) if each.within is nest]
            step: TableStep | NestStep
            if not inner:
                step = rest.pop(0)
                known.add(step.at)
            else:
                own = [each for each in rest if each.at in inner[0].tables]
                rest = [each for each in rest if each.at not in inner[0].tables]
                step = NestStep(inner[0], self._nested(own, inner[0]), not_exists=self._not_exists(inner[0]))
                known |= inner[0].tables
            step.filters = [*self._now(nest, known), *step.filters]
            found.append(step)
        return found

    def _now(self, nest: Nest | None, known: set[int]) -> list[Filter]:
        """The conditions that can be checked now, and not before."""
        found = []
        for each in self._joined.filters[nest]:
            if each.tables <= known and id(each) not in self._attached:
                self._attached.add(id(each))
                found.append(each)
        return found

    def _not_exists(self, nest: Nest) -> bool:
        """Whether rows of an outer join are wanted only if they have no match."""
        above: Iterable[Filter] = self._joined.filters[nest.within]
        return nest.kind == "anti" or any(self._joined.is_null_of(each.node, nest) for each in above)
