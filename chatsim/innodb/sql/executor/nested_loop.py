"""The nested-loop join: manual, "Nested-Loop Join Algorithms". Its rows are filtered, grouped, sorted and cut here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from chatsim.innodb.sql.executor.clauses import all_true, sorted_rows
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.execution import Execution
from chatsim.innodb.sql.executor.union import distinct_rows
from chatsim.innodb.sql.expressions import Env, Function
from chatsim.innodb.sql.optimizer.plan import AccessPlan
from chatsim.innodb.storage.index_merge import Merge, RowIterator
from chatsim.innodb.storage.scan import AccessPath, Reading
from chatsim.innodb.storage.values import Value, place

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.select import Each, Select

__all__ = ["NestedLoop"]


class NestedLoop:
    """One run of a SELECT through its tables."""

    def __init__(
        self,
        select: Select,
        run: Execution,
        env: Env,
        reading: Reading,
        *,
        limit: int | None,
        offset: int,
        each: Each | None,
    ) -> None:
        self._select = select
        self._run = run
        self._env = env
        self._reading = reading
        self._limit = limit
        self._offset = offset
        self._rows: list[tuple[tuple[Value, ...], tuple[Value, ...]]] = []  # what to sort by, what to give
        self._groups: dict[tuple[Any, ...], tuple[list[Any], list[Sequence[Value]]]] = {}
        self._grouped = select.grouped
        self._each = each
        self._given = 0
        self._different: set[tuple[object, ...]] = set()
        self._ordered = False
        self._passed_over = False  # the row found last was before the OFFSET, and is not kept for anything
        self._known: set[int] = set()
        self.examined = 0

    async def extremes(self) -> bool:
        """Read the least and the greatest values that are wanted from the end of an index; whether that can be done."""
        select, env = self._select, self._env
        if not select.extremes:
            return False
        paths = select.min_max_paths(env)
        if not all(paths):
            return False
        states = [each.start() for _, each in select.aggregates]
        wanted = [function for _, function in select.filters]
        for at, (_, aggregate) in enumerate(select.aggregates):
            for path in paths[at]:
                scan = await self._opened(path)
                hit = await scan.next()
                self.examined += scan.examined
                if hit is not None:
                    env.rows[0] = hit.row
                    if all_true(wanted, env):
                        states[at] = aggregate.add(states[at], env)
                        break
        self._groups[()] = states, [(None,) * len(select.scope.tables[0][1].columns)]
        return True

    async def table(self, level: int) -> bool:
        """Read one table, and those behind it for each of its rows; True when no more rows are wanted."""
        select = self._select
        if level == len(select.sequence):
            return await self._found()
        at, conditions = select.sequence[level]
        self._known.add(at)
        ready = [
            function
            for tables, function in select.filters
            if tables <= self._known and (at in tables or (level == 0 and not tables))
        ]
        if isinstance(conditions.table, Derived):
            matched = await self._all(conditions.table, at=at, level=level, ready=ready)
        else:
            plan = select.access_plan(at, conditions, self._env, self._rows_wanted, self._run.rows.trx.view)
            matched = await self._scan(plan, at=at, level=level, ready=ready)
        if at in select.matches and not matched:
            await self._without(at, level, ready)
        self._known.discard(at)
        return self._enough()

    async def _opened(self, path: AccessPath | Merge) -> RowIterator:
        """A walk along a path, its table locked for it. Raises as `Scan` does, before that."""
        scan = path.open(self._run.rows, self._reading)
        if (mode := self._reading.mode) is not None:
            await self._run.rows.lock_table(path.table, "IX" if mode == "X" else "IS")
        return scan

    async def _all(self, table: Derived, *, at: int, level: int, ready: Sequence[Function]) -> bool:
        """Go through the rows that a query has made; whether any matched."""
        select, env = self._select, self._env
        matches = select.matches.get(at, ())
        matched = False
        for row in await table.read(self._run):
            self.examined += 1
            env.rows[at] = row
            if all_true(matches, env):
                matched = True
                if all_true(ready, env) and await self.table(level + 1):
                    break
        return matched

    async def _scan(
        self,
        plan: AccessPlan,
        *,
        at: int,
        level: int,
        ready: Sequence[Function],
    ) -> bool:
        """RowIterator along a table's path; whether any row matched."""
        select, env, path = self._select, self._env, plan.path
        if path is None:
            return False
        self._ordered = plan.ordered and len(select.sequence) == 1 and not self._grouped and select.ordering is not None
        scan = await self._opened(path)
        matches = select.matches.get(at, ())
        matched = False
        while (hit := await scan.next()) is not None:
            env.rows[at] = hit.row
            wanted = all_true(matches, env)
            matched = matched or wanted
            if not (wanted and all_true(ready, env)):
                if path.access != "const":  # that was read before the conditions were looked at
                    scan.unlock_row()
            elif await self.table(level + 1):
                break
            elif self._passed_over and path.access != "const":
                scan.unlock_row()
        self.examined += scan.examined
        return matched

    async def _without(self, at: int, level: int, ready: Sequence[Function]) -> None:
        """Go on with NULL for the columns of a table that is joined from the left and has no row that matches."""
        self._env.rows[at] = (None,) * len(self._select.scope.tables[at][1].columns)
        if all_true(ready, self._env):
            await self.table(level + 1)

    @property
    def _rows_wanted(self) -> int | None:
        """After how many rows a LIMIT ends it; None if there is none."""
        return None if self._limit is None else self._limit + self._offset

    def _enough(self) -> bool:
        stops = self._limit is not None and not self._grouped and (self._ordered or not self._select.order)
        return stops and self._given >= cast("int", self._rows_wanted)

    async def _found(self) -> bool:
        select, env = self._select, self._env
        if self._grouped:
            key = tuple(function(env) for function in select.groups or ())
            states, _ = self._groups.setdefault(key, ([each.start() for _, each in select.aggregates], list(env.rows)))
            for at, (_, aggregate) in enumerate(select.aggregates):
                states[at] = aggregate.add(states[at], env)
            return False
        if select.node.args.get("distinct") and not self._is_new():
            return False
        self._given += 1
        streams = not select.node.args.get("distinct") and (self._ordered or not select.order)
        self._passed_over = streams and self._given <= self._offset
        if self._each is None or select.node.args.get("distinct") or (select.order and not self._ordered):
            self._give()
        elif self._given > self._offset:
            await self._each(tuple(output(env) for output in select.outputs))
        return self._enough()

    def _is_new(self) -> bool:
        """Whether no row given before is the same."""
        row = tuple(
            place(output(self._env), kind)
            for output, kind in zip(self._select.outputs, self._select.kinds, strict=True)
        )
        known = row in self._different
        self._different.add(row)
        return not known

    def _give(self) -> None:
        env, select = self._env, self._select
        given = tuple(output(env) for output in select.outputs)
        self._rows.append((tuple(function(env) for function in select.order), given))

    def result(self) -> list[tuple[Value, ...]]:
        """The rows, grouped, sorted and cut."""
        select, env = self._select, self._env
        if self._grouped:
            if not self._groups and select.groups is None:
                self._groups[()] = (
                    [each.start() for _, each in select.aggregates],
                    [(None,) * len(table.columns) for _, table in select.scope.tables],
                )
            for states, members in self._groups.values():
                env.rows = list(members)
                for (number, aggregate), state in zip(select.aggregates, states, strict=True):
                    env.found[number] = aggregate.end(state)
                if all_true(select.having, env):
                    self._give()
        rows = self._rows
        if select.order and not self._ordered:
            rows = sorted_rows(rows, select.directions, lambda each: each[0])
        given = [each for _, each in rows]
        if select.node.args.get("distinct"):
            given = distinct_rows(given, select.kinds)
        return given[self._offset : None if self._limit is None else self._offset + self._limit]
