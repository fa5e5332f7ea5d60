"""One run of a SELECT: the rows of its join are grouped, sorted and limited."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatsim.innodb.sql.executor.clauses import sorted_rows
from chatsim.innodb.sql.executor.group_levels import grouping_values
from chatsim.innodb.sql.executor.join import Join
from chatsim.innodb.sql.executor.subqueries import all_hold, evaluated
from chatsim.innodb.sql.executor.union import distinct_rows
from chatsim.innodb.sql.executor.window_frames import Snapshot
from chatsim.innodb.sql.executor.windows import window_values
from chatsim.innodb.sql.expressions.waiting import Needed
from chatsim.innodb.storage.column_types import place

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.aggregate import GroupFunction
    from chatsim.innodb.sql.executor.execution import Execution
    from chatsim.innodb.sql.executor.join_steps import JoinPlan
    from chatsim.innodb.sql.executor.select import Each, Select
    from chatsim.innodb.sql.expressions import Env, Function
    from chatsim.innodb.sql.optimizer.min_max import IndexEnd
    from chatsim.innodb.storage.values import Value

__all__ = ["SelectRun"]


class SelectRun:
    """One run of a SELECT.

    Args:
        select: the SELECT.
        run: the run of the statement.
        env: where the rows at hand are put.
        join: reads the rows.
        limit: how many rows are wanted; None is all.
        offset: how many rows are left out before.
        each: is called with each row that need not be sorted or grouped; returns whether no more are wanted.
    """

    def __init__(
        self,
        select: Select,
        run: Execution,
        env: Env,
        join: Join,
        *,
        limit: int | None,
        offset: int,
        each: Each | None,
    ) -> None:
        self._select = select
        self._run = run
        self._env = env
        self._join = join
        self._limit = limit
        self._offset = offset
        self._rows: list[tuple[tuple[Value, ...], tuple[Value, ...]]] = []  # what to sort by, what to give
        self._groups: dict[tuple[Any, ...], tuple[list[Any], list[Sequence[Value]]]] = {}
        self._grouped = select.grouped
        self._each = each
        self._count = 0
        self._seen: set[tuple[object, ...]] = set()
        self._ordered = False
        self._streams_groups = False
        self._reads_on = False  # DISTINCT is read as groups: only the first row of another one ends the last one
        self._group: tuple[Any, ...] | None = None  # the current one, if they come one after the other
        self._rows_of_group = 0
        self._plan: JoinPlan | None = None
        self._has_min_max = False
        self._snapshots: list[Snapshot] = []

    async def begin(self, *, early: bool = False) -> None:
        """Read what is read before the plan is made: constant tables, and the ends of indexes for MIN() and MAX()."""
        if self._limit == 0:  # nothing is read, and nothing is locked
            return
        self._has_min_max = await self._read_min_max()
        if not self._has_min_max and self._select.joined.count:
            self._plan = await self._join.plan(self._select.order_wanted(self._rows_wanted), early=early)

    async def read_ahead(self) -> None:
        """Read the constant tables, and the ends of indexes, where no row of a query around this one is needed."""
        if self._limit == 0:
            return
        joined = self._select.joined
        correlated = any(joined.conditions(at, ()).has_outer for at in range(joined.count))
        has_min_max = not correlated and await self._read_min_max()
        if not has_min_max and await self._join.planner.read_constants():
            await self._join.read_ahead()

    async def read(self) -> list[tuple[Value, ...]]:
        """Its rows."""
        if self._limit == 0:
            return []
        if self._plan is None and not self._has_min_max:
            await self.begin()
        if not self._has_min_max:
            select, plan = self._select, self._plan
            if plan is not None:
                self._ordered = plan.ordered and not self._grouped and not select.windows
                self._streams_groups = plan.ordered and select.gives_groups_in_order
                as_groups = bool(select.order) and select.distinct_columns is not None
                self._reads_on = plan.ordered and as_groups and not plan.per_group
                await self._join.read(plan, self._row_found)
            elif await all_hold(self._run, [each.holds for each in select.joined.filters[None]], self._env):
                await self._row_found()
            elif not self._grouped or select.groups is not None:
                return []
        return await self._result()

    async def _read_min_max(self) -> bool:
        """Read MIN() and MAX() from the ends of indexes; False if that can't be done.

        After the first for which no row meets the conditions, no more is read.
        """
        select, env = self._select, self._env
        if not select.min_max_columns:
            return False
        ends = [each for each in select.index_ends(env) if each is not None]
        if len(ends) < len(select.min_max_columns) or not await select.joined.fixed.allow(self._run, env):
            return False
        states = [each.start() for _, each in select.aggregates]
        wanted = [each.holds for each in select.joined.filters[None]]
        for at, (_, aggregate) in enumerate(select.aggregates):
            if (row := await self._row_at(ends[at])) is None:
                break
            env.rows[0] = row
            if not await all_hold(self._run, wanted, env):
                break
            states[at] = aggregate.add(states[at], env)
        self._groups[()] = states, [(None,) * len(select.scope.tables[0][1].columns)]
        return True

    async def _row_at(self, end: IndexEnd) -> Sequence[Value] | None:
        """The row that has MIN() or MAX(), whether it meets the conditions or not; None if the group has no row."""
        for path in end.paths:
            scan = await self._join.open(0, path)
            hit = await scan.next()
            self._join.examined += scan.examined
            if hit is not None and end.has(hit.row):
                return hit.row
        return None

    @property
    def _rows_wanted(self) -> int | None:
        """How many rows LIMIT and OFFSET want to be found; None without a LIMIT."""
        return None if self._limit is None else self._limit + self._offset

    def _has_enough(self) -> bool:
        wanted = self._rows_wanted
        streams = not self._grouped and (self._ordered or not self._select.order)
        return streams and wanted is not None and self._count >= wanted

    async def _row_found(self) -> bool:
        """Take a row of the join; True if no more are wanted."""
        select, env = self._select, self._env
        if self._grouped:
            return await self._row_of_group(await self._evaluated(select.groups) if select.groups else ())
        if select.having and not await all_hold(self._run, select.having, env):
            self._join.rejected = True
            return False
        if select.windows:
            self._snapshots.append(Snapshot(list(env.rows), {}))
            return False
        if select.distinct and not await self._is_new():
            return False
        if self._reads_on and self._has_enough():
            return True
        self._count += 1
        streams = not select.distinct and (self._ordered or not select.order)
        self._join.rejected = streams and self._count <= self._offset
        enough = False
        if self._each is None or select.distinct or (select.order and not self._ordered):
            await self._keep()
        elif self._count > self._offset and self._limit != 0:
            row = await self._evaluated(select.outputs)
            enough = await self._each(row)
            self._join.rejected = self._join.rejected or (select.notes_nulls and None in row)
        return enough or (self._has_enough() and not self._reads_on)

    async def _row_of_group(self, key: tuple[Any, ...]) -> bool:
        """Take a row of a group; True if no more groups are wanted."""
        select, streams = self._select, self._streams_groups
        if streams and key != self._group:
            if self._group is not None and await self._end_group(self._group):
                return True
            self._group, self._rows_of_group = key, 0
        for group in self._with_super_groups(key):
            started = [each.start() for _, each in select.aggregates]
            states, _ = self._groups.setdefault(group, (started, self._members(len(group))))
            for at, (_, aggregate) in enumerate(select.aggregates):
                states[at] = await self._added(aggregate, states[at])
        self._rows_of_group += 1
        whole = streams and self._plan is not None and self._rows_of_group == self._plan.per_group
        return whole and await self._end_group(key)

    async def _end_group(self, key: tuple[Any, ...]) -> bool:
        """A group has all its rows: keep what is selected of it; True if no more groups are wanted."""
        select, env = self._select, self._env
        if key not in self._groups:  # it was known to be whole after its last row
            return False
        states, members = self._groups.pop(key)
        rows, env.rows = env.rows, list(members)
        found = {
            number: aggregate.end(state) for (number, aggregate), state in zip(select.aggregates, states, strict=True)
        }
        if select.rolls_up:
            found.update(grouping_values(select.grouping_places, len(key)))
        env.found.update(found)
        if await all_hold(self._run, select.having, env):
            if select.windows:
                self._snapshots.append(Snapshot(env.rows, found))
            else:
                await self._keep()
        env.rows = rows
        wanted = None if select.windows else self._rows_wanted
        return self._streams_groups and wanted is not None and len(self._rows) >= wanted

    def _with_super_groups(self, key: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """The group of a row, and with ROLLUP those that it is a part of."""
        return [key[:width] for width in range(len(key), -1, -1)] if self._select.rolls_up else [key]

    def _members(self, width: int) -> list[Sequence[Value]]:
        """The rows at hand, as they stand for a group; the columns by which a super-group does not group are NULL."""
        rows = list(self._env.rows)
        for at, column in [each for columns in self._select.group_columns[width:] for each in columns]:
            row = list(rows[at])
            row[column] = None
            rows[at] = row
        return rows

    def _groups_in_order(self) -> list[tuple[Any, ...]]:
        """The keys of groups; sorted, if an aggregate can't be kept in a temporary table, or with super-groups."""
        keys, width = list(self._groups), len(self._select.group_columns)
        if self._select.rolls_up:
            return sorted_rows(keys, [False] * (2 * width), lambda key: _rolled_up(key, width))
        comes_sorted = bool(self._select.grouping) and self._plan is not None and self._plan.ordered
        if self._select.sorts_groups and not comes_sorted:
            return sorted_rows(keys, [False] * width, lambda key: key)
        return keys

    async def _added(self, aggregate: GroupFunction, state: Any) -> Any:
        """The state of an aggregate with the current row."""
        return await evaluated(self._run, lambda: aggregate.add(state, self._env))

    async def _is_new(self) -> bool:
        """Whether DISTINCT has not seen the row yet."""
        values = await self._evaluated(self._select.outputs)
        row = tuple([place(value, kind) for value, kind in zip(values, self._select.kinds, strict=True)])
        known = row in self._seen
        self._seen.add(row)
        return not known

    async def _keep(self) -> None:
        select = self._select
        given = await self._evaluated(select.outputs)
        self._rows.append((await self._evaluated(select.order) if select.order else (), given))

    async def _evaluated(self, functions: Sequence[Function]) -> tuple[Value, ...]:
        env = self._env
        try:
            return tuple([function(env) for function in functions])
        except Needed as needed:
            return await evaluated(self._run, lambda: tuple([function(env) for function in functions]), needed)

    async def _result(self) -> list[tuple[Value, ...]]:
        """The rows, grouped, sorted and limited."""
        select, env = self._select, self._env
        if self._grouped:
            if not self._groups and select.groups is None:
                self._groups[()] = (
                    [each.start() for _, each in select.aggregates],
                    [(None,) * len(table.columns) for _, table in select.scope.tables],
                )
            for key in self._groups_in_order():
                await self._end_group(key)
        for (rows_of_tables, found), values in window_values(select.windows, self._snapshots, env):
            env.rows = rows_of_tables
            env.found.update(found | values)
            await self._keep()
        rows = self._rows
        if select.order and not self._ordered:
            rows = sorted_rows(rows, select.directions, lambda each: each[0])
        given = [each for _, each in rows]
        if select.distinct:
            given = distinct_rows(given, select.kinds)
        return given[self._offset : None if self._limit is None else self._offset + self._limit]


def _rolled_up(key: tuple[Any, ...], width: int) -> list[Any]:
    """The sort key of a group of a ROLLUP: what is not grouped by comes last."""
    found: list[Any] = []
    for at in range(width):
        found += [int(at >= len(key)), key[at] if at < len(key) else None]
    return found
