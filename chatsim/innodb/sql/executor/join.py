"""Executing a join: the rows of its tables, put together.

The tables are read in the order of the plan, each for each row of those before it. A table that is read once keeps the
rows before it in a join buffer; of the inner side of an outer join, its own rows are kept instead.

Sources: manual, "Nested-Loop Join Algorithms", "Hash Join Optimization".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from chatsim.innodb.sql.executor.clauses import sorted_rows
from chatsim.innodb.sql.executor.derived import Derived
from chatsim.innodb.sql.executor.join_plan import JoinPlanner
from chatsim.innodb.sql.executor.join_steps import JoinPlan, NestStep, Order, Step, TableStep, WeedoutStep
from chatsim.innodb.sql.executor.subqueries import all_hold, evaluated
from chatsim.innodb.sql.optimizer.access_path import plan_access
from chatsim.innodb.sql.optimizer.join_access import Lookup
from chatsim.innodb.sql.optimizer.join_order import Strategy
from chatsim.innodb.storage.column_types import ColumnType, place
from chatsim.innodb.storage.scan import AccessPath

if TYPE_CHECKING:
    from chatsim.innodb.sql.executor.execution import Execution
    from chatsim.innodb.sql.executor.joined_tables import Filter, JoinedTables
    from chatsim.innodb.sql.expressions import Env, Function
    from chatsim.innodb.storage.scan import Hit, Reading
    from chatsim.innodb.storage.structures import ReadView
    from chatsim.innodb.storage.table_access import RowIterator, TableAccess
    from chatsim.innodb.storage.values import Value

__all__ = ["Found", "Join"]

Found = Callable[[], Awaitable[bool]]
"""Is called with each row that has been put together; returns whether no more are wanted."""


class _Unlocking(Protocol):
    """What has found a row."""

    def unlock_row(self) -> None:
        """Release the lock of the row."""
        ...


@dataclass
class _Lookup:
    """The latest lookup by a unique key (in the server: ``EQRefIterator``).

    Attributes:
        key: the key.
        scan: has found the row.
        hit: the row; None if there is none.
        uses: how many rows of the join it is a part of.
    """

    key: object
    scan: _Unlocking
    hit: Hit | None
    uses: int = 0

    def let_go(self) -> None:
        """Release the lock of the row, if it is a part of none."""
        if self.hit is not None and not self.uses:
            self.scan.unlock_row()


class Join:
    """One execution of a join.

    Args:
        joined: the joined tables.
        run: the run of the statement.
        env: where the rows at hand are put.
        readings: how each table is read; the read view of consistent reads is opened when the first row is read.
        view: the read view of the transaction.

    Attributes:
        examined: how many records have been examined.
        hits: where each row at hand was found; None for one of a derived table, or of NULLs.
        rejected: the last row that was found is not wanted after all, so that its lock may be released.
    """

    def __init__(
        self, joined: JoinedTables, run: Execution, env: Env, readings: list[Reading], view: ReadView | None
    ) -> None:
        self._joined = joined
        self._run = run
        self._env = env
        self._readings = readings
        self._view = view
        self.examined = 0
        self.hits: list[Hit | None] = [None] * joined.count
        self.rejected = False
        self._looked_up: dict[int, _Lookup] = run.looked_up.setdefault(joined, {})

    @property
    def planner(self) -> JoinPlanner:
        """A planner of the execution."""
        return JoinPlanner(self._joined, self._run, self._env, self._view, self._read_one)

    async def plan(self, order: Order, *, early: bool = False) -> JoinPlan:
        """The plan; constant tables have been read then, with ``early`` also if there is only one table."""
        plan = await self.planner.plan(order, early=early)
        if not plan.none:
            await self.read_ahead()
        return plan

    async def read_ahead(self) -> None:
        """Read the constant tables of subqueries, as the server does when it plans them, though no row may ask."""
        for each in self._joined.scope.subqueries:
            await each.read_ahead(self._run, self._env)

    async def read(self, plan: JoinPlan, found: Found) -> None:
        """Call ``found`` for each row, until it wants no more."""
        if not plan.none:
            await self._read(plan.steps, found)

    async def _hold(self, functions: Sequence[Function]) -> bool:
        return not functions or await all_hold(self._run, functions, self._env)

    # -- the steps of a plan

    async def _read(self, steps: Sequence[Step], found: Found) -> bool:
        if not steps:
            return await found()
        *before, last = steps
        match last:
            case TableStep(buffered=True) if before:
                return await self._hash(before, last, found)
            case TableStep():
                each = partial(self._table, last, last.filters, found)
            case WeedoutStep():
                each = partial(self._weedout, last, found)
            case NestStep(kept=Strategy.LOOSE_SCAN):
                each = partial(self._loose, last, found)
            case NestStep(kept=Strategy.SCAN):
                each = partial(self._scan_kept, last, self._kept_rows(last), found)
            case NestStep(kept=Strategy()):
                each = partial(self._look_up_kept, last, self._kept_rows(last), found)
            case NestStep(steps=[TableStep(buffered=True) as inner]):
                return await self._hash_outer(before, last, inner, found)
            case _:
                each = partial(self._nest, last, found)
        return await self._read(before, each)

    async def _hash(self, before: Sequence[Step], step: TableStep, found: Found) -> bool:
        """Keep the rows of the tables before, and read a table once."""
        env, hits = self._env, self.hits
        kept: list[tuple[list[Sequence[Value]], list[Hit | None]]] = []

        own, joining = self._split(step)
        sides = self._joined.sides(step.filters, outside=step.at)

        async def keep() -> bool:
            if all(side(env) is not None for side in sides):
                kept.append((list(env.rows), list(hits)))
            return False

        await self._read(before, keep)
        if not kept:
            return False

        async def probe() -> bool:
            row, hit = env.rows[step.at], hits[step.at]
            for rows, their_hits in reversed(kept):  # of the rows with one key, the last one comes first
                env.rows[:], hits[:] = rows, their_hits
                env.rows[step.at], hits[step.at] = row, hit
                if await self._hold(joining) and await found():
                    return True
                self.rejected = False
            return False

        return await self._table(step, own, probe)

    async def _hash_outer(self, before: Sequence[Step], nest: NestStep, step: TableStep, found: Found) -> bool:
        """Keep the rows of the inner table of an outer join, and look for matches of each row before it.

        The inner table is read when the first of these rows is there, and not if there is none; but first for IN.
        """
        env, hits, at = self._env, self.hits, step.at
        kept: list[tuple[Sequence[Value], Hit | None]] | None = None
        _, joining = self._split(step)
        where = [each.holds for each in nest.filters]
        one = nest.nest.kind != "outer" and not joining  # any row of the subquery is as good as all
        if nest.nest.kind == "semi":
            kept = await self._kept(step, one=one)
            sides = self._joined.sides(step.filters, within=at)
            if not any(self._has_key(row, at, sides) for row, _ in kept):
                return False

        async def probe() -> bool:
            nonlocal kept
            kept = await self._kept(step, one=one) if kept is None else kept
            matched = False
            for env.rows[at], hits[at] in reversed(kept):
                if not await self._hold(joining):
                    continue
                matched = True
                if nest.not_exists:
                    break
                if await self._hold(where) and await found():
                    return True
                self.rejected = False
                if nest.nest.kind == "semi":
                    return False
            return not matched and nest.nest.kind != "semi" and await self._complemented(nest, found)

        return await self._read(before, probe)

    async def _kept(self, step: TableStep, *, one: bool) -> list[tuple[Sequence[Value], Hit | None]]:
        """The rows of a table that meet the conditions on this table alone; with ``one``, only the first."""
        env, hits, at = self._env, self.hits, step.at
        kept: list[tuple[Sequence[Value], Hit | None]] = []

        async def keep() -> bool:
            kept.append((env.rows[at], hits[at]))
            return one

        await self._table(step, self._split(step)[0], keep)
        return kept

    def _has_key(self, row: Sequence[Value], at: int, sides: Sequence[Function]) -> bool:
        """Whether a row of a table can equal others: NULL equals nothing."""
        self._env.rows[at] = row
        return all(side(self._env) is not None for side in sides)

    def _split(self, step: TableStep) -> tuple[list[Filter], list[Function]]:
        """The conditions on a table that need no row of the others, and those that do."""
        planned = {step.at}
        own = [each for each in step.filters if each.tables <= planned]
        return own, [each.holds for each in step.filters if each not in own]

    async def _nest(self, step: NestStep, found: Found) -> bool:
        """Read the tables of a nest, or go on with rows of NULLs if no row matches."""
        matched = False
        enough = False
        where = [each.holds for each in step.filters]

        async def inner() -> bool:
            nonlocal matched, enough
            matched = True
            if step.not_exists:
                return True
            if not await self._hold(where):
                self.rejected = True
                return False
            enough = await found()
            return enough or step.nest.kind == "semi"

        await self._read(step.steps, inner)
        if enough:
            return True
        return not matched and step.nest.kind != "semi" and await self._complemented(step, found)

    async def _complemented(self, step: NestStep, found: Found) -> bool:
        """Go on with rows of NULLs for the tables of a nest."""
        env = self._env
        for at in step.nest.tables:
            env.rows[at] = (None,) * len(self._joined.table(at).columns)
            self.hits[at] = None
        if not await self._hold([each.holds for each in step.filters]):
            return False
        enough = await found()
        self.rejected = False
        return enough

    # -- subqueries

    async def _weedout(self, step: WeedoutStep, found: Found) -> bool:
        """Drop rows that come up again."""
        seen: set[tuple[object, ...]] = set()

        async def once() -> bool:
            key = tuple([self._identity(at) for at in step.tables])
            if key in seen:
                return False
            seen.add(key)
            return await found()

        return await self._read(step.steps, once)

    async def _loose(self, step: NestStep, found: Found) -> bool:
        """Go on with one row for each value of the columns by which an index is sorted."""
        latest: tuple[object, ...] | None = None

        async def next_value() -> bool:
            nonlocal latest
            key = tuple([place(self._env.rows[at][column], self._kind(at, column)) for at, column in step.distinct])
            if key == latest:
                return False
            latest = key
            return await self._hold([each.holds for each in step.filters]) and await found()

        return await self._read(step.steps, next_value)

    def _identity(self, at: int) -> object:
        hit = self.hits[at]
        return tuple(self._env.rows[at]) if hit is None else hit.record.key

    def _kept_rows(self, step: NestStep) -> Callable[[], Awaitable[list[list[Sequence[Value]]]]]:
        """Reads the rows of a subquery when they are first asked for, and keeps them, without duplicates and NULLs."""
        env = self._env
        tables = sorted(step.nest.tables)
        rows: dict[tuple[object, ...], list[Sequence[Value]]] = {}
        read = False

        async def keep() -> bool:
            key = tuple([function(env) for function in step.keys])
            if None in key:  # it equals nothing
                self.rejected = True
                return False
            rows.setdefault(key, [env.rows[at] for at in tables])
            return not step.keys  # one row is as good as many

        async def kept() -> list[list[Sequence[Value]]]:
            nonlocal read
            if not read:
                await self._read(step.steps, keep)
                read = True
            return list(rows.values())

        return kept

    def _kind(self, at: int, column: int) -> ColumnType:
        return self._joined.table(at).columns[column].type

    async def _scan_kept(
        self, step: NestStep, kept: Callable[[], Awaitable[list[list[Sequence[Value]]]]], found: Found
    ) -> bool:
        """Go on with each of the kept rows of a subquery."""
        for rows in await kept():
            self._put(step, rows)
            if await self._hold([each.holds for each in step.filters]) and await found():
                return True
        return False

    async def _look_up_kept(
        self, step: NestStep, kept: Callable[[], Awaitable[list[list[Sequence[Value]]]]], found: Found
    ) -> bool:
        """Go on if one of the kept rows of a subquery matches, or if none does, as it is wanted."""
        conditions = [each.holds for each in (*step.joining, *step.filters)]
        matched = False
        for rows in await kept():
            self._put(step, rows)
            if await self._hold(conditions):
                matched = True
                break
        return matched != step.not_exists and await found()

    def _put(self, step: NestStep, rows: Sequence[Sequence[Value]]) -> None:
        for at, row in zip(sorted(step.nest.tables), rows, strict=True):
            self._env.rows[at] = row
            self.hits[at] = None

    # -- a table

    async def _table(self, step: TableStep, filters: Sequence[Filter], found: Found) -> bool:
        """Read a table, and call ``found`` for each row that meets the conditions."""
        functions = [each.holds for each in filters]
        table = self._joined.table(step.at)
        if isinstance(table, Derived):
            return await self._derived(step.at, table, functions, found)
        path = await evaluated(self._run, lambda: self._path(step))
        if path is None:
            return False
        if step.sorted_by:
            return await self._sorted(step, path, functions, found)
        if isinstance(path, AccessPath) and path.access == "eq_ref":
            return await self._unique(step.at, path, functions, found)
        return await self._each(step.at, path, functions, found)

    async def _each(self, at: int, path: TableAccess, functions: Sequence[Function], found: Found) -> bool:
        """Read the rows along a path."""
        env, hits, releases = self._env, self.hits, path.access != "const"
        scan = await self.open(at, path)
        enough = False
        hit = await scan.next()
        while hit is not None:
            env.rows[at] = hit.row
            hits[at] = hit
            if not await self._hold(functions):
                if releases:  # a const table was read before the conditions were checked
                    scan.unlock_row()
            elif await found():
                enough = True
                break
            elif self.rejected:
                self.rejected = False
                if releases:
                    scan.unlock_row()
            elif hit.semi_consistent:  # the row is read again, and waited for, when it has met all conditions
                hit = await scan.reread()
                continue
            hit = await scan.next()
        self.examined += scan.examined
        return enough

    async def _unique(self, at: int, path: AccessPath, functions: Sequence[Function], found: Found) -> bool:
        """Look up the one row of a key. It is read again, or let go, only when another key is looked up."""
        key = path.ranges[0].low
        latest = self._looked_up.get(at)
        if latest is None or latest.key != key:
            if latest is not None:
                latest.let_go()
            scan = await self.open(at, path)
            latest = self._looked_up[at] = _Lookup(key, scan, await scan.next())
            self.examined += scan.examined
        hit = latest.hit
        if hit is None:
            return False
        latest.uses += 1
        self._env.rows[at] = hit.row
        self.hits[at] = hit
        if not await self._hold(functions):
            latest.uses -= 1
            return False
        enough = await found()
        if self.rejected and not enough:
            latest.uses -= 1
            self.rejected = False
        return enough

    async def _sorted(self, step: TableStep, path: TableAccess, functions: Sequence[Function], found: Found) -> bool:
        """Read a table whole and sort its rows, before the first of them is used."""
        env, at = self._env, step.at
        kept = []
        scan = await self.open(at, path)
        while (hit := await scan.next()) is not None:
            env.rows[at] = hit.row
            if await self._hold(functions):
                kept.append(hit)
            else:
                scan.unlock_row()
        self.examined += scan.examined
        functions = [function for function, _ in step.sorted_by]

        def keys(hit: Hit) -> list[object]:
            env.rows[at] = hit.row
            return [function(env) for function in functions]

        for hit in sorted_rows(kept, [down for _, down in step.sorted_by], keys):
            env.rows[at] = hit.row
            self.hits[at] = hit
            if await found():
                return True
            self.rejected = False
        return False

    def _path(self, step: TableStep) -> TableAccess | None:
        if isinstance(step.access, Lookup):
            return step.access.path(self._env)
        if step.access is not None:
            return step.access.path
        joined = self._joined
        return plan_access(
            *(joined.conditions(step.at, step.known), self._env, joined.hints[step.at]),
            touched=joined.touched(step.at),
            view=self._view,
        ).path

    async def _derived(self, at: int, table: Derived, functions: Sequence[Function], found: Found) -> bool:
        env = self._env
        for row in await table.read(self._run, env):
            self.examined += 1
            env.rows[at] = row
            if await self._hold(functions) and await found():
                return True
            self.rejected = False
        return False

    async def open(self, at: int, path: TableAccess) -> RowIterator:
        """An iterator of the rows of a path, its table locked for it. Raises as `Scan` does, before that."""
        reading = self._readings[at]
        if reading.mode is None and reading.view is None:  # a statement that reads no row opens no read view
            reading = self._readings[at] = replace(reading, view=self._run.session.view())
        scan = path.open(self._run.rows, reading)
        if (mode := reading.mode) is not None:
            await self._run.rows.lock_table(path.table, "IX" if mode == "X" else "IS")
        return scan

    async def _read_one(self, at: int, path: AccessPath | None) -> Sequence[Value] | None:
        """The one row of a table or of a derived table."""
        table = self._joined.table(at)
        if isinstance(table, Derived):
            rows = await table.read(self._run, self._env)
            self.examined += len(rows)
            return rows[0] if rows else None
        assert path is not None
        scan = await self.open(at, path)
        hit = await scan.next()
        self.examined += scan.examined
        self.hits[at] = hit
        return None if hit is None else hit.row
