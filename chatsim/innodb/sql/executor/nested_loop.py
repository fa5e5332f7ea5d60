"""The nested-loop join (manual, "Nested-Loop Join Algorithms"). It also filters, groups, sorts and limits the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from chatsim.innodb.sql.executor.clauses import all_true, sorted_rows
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.execution import Execution
from chatsim.innodb.sql.executor.union import distinct_rows
from chatsim.innodb.sql.expressions import Env, Function
from chatsim.innodb.sql.optimizer.plan import AccessPlan
from chatsim.innodb.storage.column_types import place
from chatsim.innodb.storage.index_merge import Merge, RowIterator
from chatsim.innodb.storage.scan import AccessPath, Reading
from chatsim.innodb.storage.values import Value

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
        self._count = 0
        self._seen: set[tuple[object, ...]] = set()
        self._ordered = False
        self._skipped = False  # the last row found is one that OFFSET leaves out
        self._known: set[int] = set()
        self.examined = 0

    async def read_min_max(self) -> bool:
        """Read MIN() and MAX() from the ends of indexes; False if that can't be done."""
        select, env = self._select, self._env
        if not select.min_max_columns:
            return False
        paths = select.min_max_paths(env)
        if not all(paths):
            return False
        states = [each.start() for _, each in select.aggregates]
        wanted = [function for _, function in select.filters]
        for at, (_, aggregate) in enumerate(select.aggregates):
            for path in paths[at]:
                scan = await self._open(path)
                hit = await scan.next()
                self.examined += scan.examined
                if hit is not None:
                    env.rows[0] = hit.row
                    if all_true(wanted, env):
                        states[at] = aggregate.add(states[at], env)
                        break
        self._groups[()] = states, [(None,) * len(select.scope.tables[0][1].columns)]
        return True

    async def join(self, level: int) -> bool:
        """Read one table of the sequence, and for each of its rows the next; True when no more rows are wanted."""
        select = self._select
        if level == len(select.sequence):
            return await self._row_found()
        at, conditions = select.sequence[level]
        self._known.add(at)
        ready = [
            function
            for tables, function in select.filters
            if tables <= self._known and (at in tables or (level == 0 and not tables))
        ]
        if isinstance(conditions.table, Derived):
            matched = await self._read_derived(conditions.table, at=at, level=level, ready=ready)
        else:
            plan = select.access_plan(at, conditions, self._env, self._rows_wanted, self._run.rows.trx.view)
            matched = await self._read_table(plan, at=at, level=level, ready=ready)
        if at in select.matches and not matched:
            await self._null_complement(at, level, ready)
        self._known.discard(at)
        return self._has_enough()

    async def _open(self, path: AccessPath | Merge) -> RowIterator:
        """An iterator of the rows of a path, its table locked for it. Raises as `Scan` does, before that."""
        scan = path.open(self._run.rows, self._reading)
        if (mode := self._reading.mode) is not None:
            await self._run.rows.lock_table(path.table, "IX" if mode == "X" else "IS")
        return scan

    async def _read_derived(self, table: Derived, *, at: int, level: int, ready: Sequence[Function]) -> bool:
        """Read the rows of a derived table; whether any matched."""
        select, env = self._select, self._env
        matches = select.matches.get(at, ())
        matched = False
        for row in await table.read(self._run):
            self.examined += 1
            env.rows[at] = row
            if all_true(matches, env):
                matched = True
                if all_true(ready, env) and await self.join(level + 1):
                    break
        return matched

    async def _read_table(
        self,
        plan: AccessPlan,
        *,
        at: int,
        level: int,
        ready: Sequence[Function],
    ) -> bool:
        """Read the rows along a table's access path; whether any row matched."""
        select, env, path = self._select, self._env, plan.path
        if path is None:
            return False
        self._ordered = plan.ordered and len(select.sequence) == 1 and not self._grouped and select.ordering is not None
        scan = await self._open(path)
        matches = select.matches.get(at, ())
        matched = False
        while (hit := await scan.next()) is not None:
            env.rows[at] = hit.row
            wanted = all_true(matches, env)
            matched = matched or wanted
            if not (wanted and all_true(ready, env)):
                if path.access != "const":  # a const table was read before the conditions were checked
                    scan.unlock_row()
            elif await self.join(level + 1):
                break
            elif self._skipped and path.access != "const":
                scan.unlock_row()
        self.examined += scan.examined
        return matched

    async def _null_complement(self, at: int, level: int, ready: Sequence[Function]) -> None:
        """Go on with a row of NULLs for the inner table of a left join that has no row that matches."""
        self._env.rows[at] = (None,) * len(self._select.scope.tables[at][1].columns)
        if all_true(ready, self._env):
            await self.join(level + 1)

    @property
    def _rows_wanted(self) -> int | None:
        """How many rows LIMIT and OFFSET want to be found; None without a LIMIT."""
        return None if self._limit is None else self._limit + self._offset

    def _has_enough(self) -> bool:
        stops = self._limit is not None and not self._grouped and (self._ordered or not self._select.order)
        return stops and self._count >= cast("int", self._rows_wanted)

    async def _row_found(self) -> bool:
        select, env = self._select, self._env
        if self._grouped:
            key = tuple(function(env) for function in select.groups or ())
            states, _ = self._groups.setdefault(key, ([each.start() for _, each in select.aggregates], list(env.rows)))
            for at, (_, aggregate) in enumerate(select.aggregates):
                states[at] = aggregate.add(states[at], env)
            return False
        if select.node.args.get("distinct") and not self._is_new():
            return False
        self._count += 1
        streams = not select.node.args.get("distinct") and (self._ordered or not select.order)
        self._skipped = streams and self._count <= self._offset
        if self._each is None or select.node.args.get("distinct") or (select.order and not self._ordered):
            self._keep()
        elif self._count > self._offset:
            await self._each(tuple(output(env) for output in select.outputs))
        return self._has_enough()

    def _is_new(self) -> bool:
        """Whether DISTINCT has not seen the row yet."""
        row = tuple(
            place(output(self._env), kind)
            for output, kind in zip(self._select.outputs, self._select.kinds, strict=True)
        )
        known = row in self._seen
        self._seen.add(row)
        return not known

    def _keep(self) -> None:
        env, select = self._env, self._select
        given = tuple(output(env) for output in select.outputs)
        self._rows.append((tuple(function(env) for function in select.order), given))

    def result(self) -> list[tuple[Value, ...]]:
        """The rows, grouped, sorted and limited."""
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
                    self._keep()
        rows = self._rows
        if select.order and not self._ordered:
            rows = sorted_rows(rows, select.directions, lambda each: each[0])
        given = [each for _, each in rows]
        if select.node.args.get("distinct"):
            given = distinct_rows(given, select.kinds)
        return given[self._offset : None if self._limit is None else self._offset + self._limit]
