"""The order in which the tables of a join are read, and how each is read: the cheapest of all that are possible.

Sources: manual, "The Optimizer Cost Model", "Nested-Loop Join Algorithms", "Controlling Query Plan Evaluation"; in the
server, ``Optimize_table_order``. The search goes through all orders, and gives up one that has become dearer than the
best known one, or that is neither cheaper nor has fewer rows than another order of as many tables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import inf

from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.cost_model import PAGE, ROW
from chatsim.innodb.sql.optimizer.join_access import Lookup, LookupCost, TableEstimate

__all__ = ["JoinSearch", "Position", "Semijoin", "SemijoinNest", "Strategy"]

_NO_TABLE = -1  # whatever is read first, the rows have to be sorted
_CREATE = 1.0  # a temporary table in memory
_JOIN_BUFFER = 1 << 18  # join_buffer_size, in bytes
_ROUNDING = 0.001  # what a plan must cost less than the best known one


@dataclass(frozen=True)
class Position:
    """A table in a join order.

    Attributes:
        table: what is expected of it.
        lookup: the lookup by which it is read; None for a range or a scan.
        fetched: the estimated rows that are read for each row of the tables before it.
        read_cost: the estimated cost of reading them, for all rows of the tables before it.
        filter: the estimated part of them that meets the conditions.
        buffered: whether it is read once, and the rows of the tables before it are kept in a join buffer.
        cost: the estimated cost of the join so far.
        rows: the estimated rows of the join so far.
        semijoin: how the duplicates are removed that the tables of a subquery up to this one make, if that is here.
        open: the numbers of the subqueries whose duplicates have not been removed yet.
    """

    table: TableEstimate
    lookup: Lookup | None
    fetched: float
    read_cost: float
    filter: float
    buffered: bool
    cost: float
    rows: float
    semijoin: Semijoin | None = None
    open: frozenset[int] = frozenset()

    @property
    def at(self) -> int:
        """The number of the table."""
        return self.table.at


@dataclass(frozen=True)
class Semijoin:
    """How the tables of a subquery are joined, so that none of its rows makes a duplicate.

    Attributes:
        strategy: the strategy.
        number: the number of the subquery.
        start: the first position that it is about.
        inner: how the tables of the subquery are read, if their rows are kept.
    """

    strategy: Strategy
    number: int
    start: int
    inner: tuple[Position, ...] = ()


class Strategy(Enum):
    """The strategies for IN and EXISTS (manual, "Optimizing Subqueries with Semijoin and Antijoin Transformations")."""

    FIRST_MATCH = "FirstMatch"
    LOOKUP = "materialized, looked up"
    SCAN = "materialized, scanned"
    WEEDOUT = "duplicate weedout"
    LOOSE_SCAN = "LooseScan"


@dataclass(frozen=True)
class SemijoinNest:
    """The tables of a subquery that is joined.

    Attributes:
        tables: their numbers.
        depends: the tables outside of it that its conditions name.
        anti: only rows without a match are wanted.
        materializes: whether its rows may be kept: the others are only compared with them for equality.
        compared: the columns of its only table that are compared with the others; None if there is more to compare.
        strategies: those that hints permit; duplicate weedout is used where none of them can be.
    """

    tables: frozenset[int]
    depends: frozenset[int]
    anti: bool
    materializes: bool
    compared: frozenset[int] | None = None
    strategies: frozenset[Strategy] = frozenset(Strategy)


@dataclass
class JoinSearch:
    """The search for the best order of some tables.

    Attributes:
        tables: the tables, without those of which the one row is known.
        constants: the numbers of those.
        after: of each table, those that have to be read before it.
        together: sets of tables that are read one directly after the other.
        filters: gives the conditions by which fewer rows of a table are expected, when the rows of others are known;
            None if all are.
        sorts_by: the table whose columns alone ORDER BY or GROUP BY names, if there is one.
        limit: the number of wanted rows, if it is limited.
        semijoins: the subqueries that are joined.
    """

    tables: Sequence[TableEstimate]
    constants: frozenset[int]
    after: dict[int, frozenset[int]]
    together: Sequence[frozenset[int]]
    filters: Callable[[int, frozenset[int]], Conditions | None]
    sorts_by: int | None = None
    limit: int | None = None
    semijoins: Sequence[SemijoinNest] = ()

    def __post_init__(self) -> None:
        self._best: tuple[Position, ...] = ()
        self._best_cost = inf
        self._sorts = self.sorts_by
        self._depends = {each.at: _depends(each) for each in self.tables}
        self._kept: dict[int, tuple[tuple[Position, ...], float]] = {}

    def best(self) -> tuple[Position, ...]:
        """The cheapest order."""
        if not self.tables:
            return ()
        order = sorted(self.tables, key=lambda each: each.found)
        ordered: list[TableEstimate] = []
        while order:  # those that others can be looked up by come first, as the server begins
            free = [each for each in order if not self._waits(each, order)]
            ordered.append(next(iter(free), order[0]))
            order.remove(ordered[-1])
        self._extend((), ordered)
        return self._best

    def _waits(self, table: TableEstimate, rest: Collection[TableEstimate]) -> bool:
        others = {each.at for each in rest if each is not table}
        if self.after.get(table.at, frozenset()) & others:
            return True
        return any(other in self._depends[table.at] and table.at not in self._depends[other] for other in others)

    def _extend(self, prefix: tuple[Position, ...], rest: Sequence[TableEstimate]) -> None:
        """Try each of the tables that are left as the next one."""
        placed = self.constants | {each.at for each in prefix}
        best_rows = best_cost = inf
        extended = frozenset[int]()
        for table in rest:
            if table.at in extended or not self._allowed(table, placed, rest):
                continue
            position = self._removing(prefix, self._position(table, prefix, placed))
            if position.cost >= self._best_cost:
                continue
            sorts = not prefix and table.at == self._sorts
            if not (best_rows > position.rows or best_cost > position.cost or sorts):
                continue
            blocked = self._depends[table.at] & {each.at for each in rest if each is not table}
            if best_rows >= position.rows and best_cost >= position.cost and (not blocked or position.fetched < 2):
                best_rows, best_cost = position.rows, position.cost
            order = (*prefix, position)
            left = [each for each in rest if each is not table]
            if not left:
                self._consider(order)
            elif position.lookup is None or position.fetched > 1:
                self._extend(order, left)
            elif not extended:  # the first table with one row at most stands for all of them
                extended = self._extend_alike(order, left) | {table.at}
                if len(extended) == len(rest):
                    return

    def _extend_alike(self, prefix: tuple[Position, ...], rest: Sequence[TableEstimate]) -> frozenset[int]:
        """Go on with tables that are looked up at the cost of the last one, in the first order that is found.

        In the server: ``eq_ref_extension_by_limited_search``. Returns the numbers of these tables.
        """
        placed, last = self.constants | {each.at for each in prefix}, prefix[-1]
        for table in rest:
            if not self._depends[table.at] & (placed - self.constants) or not self._allowed(table, placed, rest):
                continue
            position = self._position(table, prefix, placed)
            alike = _alike(position.read_cost, last.read_cost) and _alike(position.fetched, last.fetched)
            if position.lookup is None or not alike:
                continue
            position = self._removing(prefix, position)
            left = [each for each in rest if each is not table]
            if position.cost >= self._best_cost:
                return frozenset((table.at,))
            if left:
                return self._extend_alike((*prefix, position), left) | {table.at}
            self._consider((*prefix, position))
            return frozenset((table.at,))
        self._extend(prefix, rest)
        return frozenset()

    def _allowed(self, table: TableEstimate, placed: frozenset[int], rest: Sequence[TableEstimate]) -> bool:
        if not self.after.get(table.at, frozenset()) <= placed:
            return False
        left = {each.at for each in rest}
        return all(table.at in each or not (each & placed and each & left) for each in self.together)

    def _consider(self, order: tuple[Position, ...]) -> None:
        """Keep an order if it is the cheapest so far."""
        cost = order[-1].cost
        if self._sorts is not None and order[0].at != self._sorts:
            cost += order[-1].rows
        if cost < self._best_cost:
            self._best, self._best_cost = order, cost - _ROUNDING

    def _position(self, table: TableEstimate, prefix: tuple[Position, ...], placed: frozenset[int]) -> Position:
        """The cheapest way to read a table next."""
        rows = prefix[-1].rows if prefix else 1.0
        best = self._best_lookup(table, prefix, placed, rows)
        scan: tuple[float, float] | None = None
        if best is None or self._may_scan(table, best):
            read, left = _scan_cost(table, rows, prefix)
            if best is None or read + rows * left * ROW < best[1] + rows * best[0].rows * ROW:
                scan = read, left
        conditions = self.filters(table.at, placed)
        if scan is not None:
            read, fetched = scan
            lookup = None
            whole = table.filter(conditions, None)
            kept = min(1.0, table.found * whole / fetched) if fetched else 1.0
            if not prefix and table.at == self._sorts and (self.limit is None or self.limit >= fetched):
                self._sorts = _NO_TABLE
        else:
            assert best is not None
            lookup, fetched, read = best[0].lookup, best[0].rows, best[1]
            kept = table.filter(conditions, lookup)
        joined = rows * fetched
        before = prefix[-1].cost if prefix else 0.0
        return Position(
            *(table, lookup, fetched, read, kept),
            buffered=scan is not None and bool(prefix),
            cost=before + read + joined * ROW,
            rows=joined * kept,
        )

    # -- subqueries

    def _removing(self, prefix: tuple[Position, ...], position: Position) -> Position:
        """A position with the cheapest way to remove the duplicates of subqueries that are complete with it."""
        if not self.semijoins:
            return position
        order = (*prefix, position)
        placed = self.constants | {each.at for each in order}
        before = prefix[-1].open if prefix else frozenset[int]()
        now = before | {at for at, each in enumerate(self.semijoins) if position.at in each.tables}
        best: tuple[float, float, Semijoin] | None = None
        for number in sorted(now):
            nest = self.semijoins[number]
            if not nest.tables <= placed or not nest.depends <= placed:
                continue
            ways = list(self._ways(order, number, nest))
            permitted = [each for each in ways if each[2].strategy in nest.strategies]
            for cost, rows, found in permitted or ways[-1:]:
                if best is None or cost < best[0]:
                    best = cost, rows, found
        if best is None:
            return replace(position, open=now)
        cost, rows, found = best
        done = {at for at in now if self.semijoins[at].tables <= placed and self.semijoins[at].depends <= placed}
        return replace(position, cost=cost, rows=rows, semijoin=found, open=now - done)

    def _ways(
        self, order: tuple[Position, ...], number: int, nest: SemijoinNest
    ) -> Iterator[tuple[float, float, Semijoin]]:
        """The ways to remove the duplicates of a subquery: the cost and the rows of the join then."""
        first = next(at for at, each in enumerate(order) if each.at in nest.tables)
        last = max(at for at, each in enumerate(order) if each.at in nest.tables)
        outside = self.constants | {each.at for each in order[:first]}
        contiguous = last - first + 1 == len(nest.tables)
        behind = nest.depends <= outside and last == len(order) - 1
        cost, rows = (order[first - 1].cost, order[first - 1].rows) if first else (0.0, 1.0)
        if contiguous and behind:
            yield order[-1].cost, rows, Semijoin(Strategy.FIRST_MATCH, number, first)
            if nest.materializes:
                inner, kept = self._materialized(number, nest)
                once = (inner[-1].cost if inner else 0.0) + _CREATE + kept * ROW
                yield cost + once + rows * ROW, rows, Semijoin(Strategy.LOOKUP, number, first, inner)
        if contiguous and not behind and nest.materializes and not nest.anti:
            yield from self._loose(order, number, nest, first)
            yield self._scanned(order, number, nest, first, last)
        if not nest.anti:
            yield self._weeded(order, number, first)

    def _materialized(self, number: int, nest: SemijoinNest) -> tuple[tuple[Position, ...], float]:
        """How the tables of a subquery are read alone, and how many rows they have."""
        if number not in self._kept:
            tables = [each for each in self.tables if each.at in nest.tables]
            after = {at: others & nest.tables for at, others in self.after.items()}
            inner = JoinSearch(tables, self.constants, after, (), self.filters).best()
            self._kept[number] = inner, inner[-1].rows if inner else 1.0
        return self._kept[number]

    def _scanned(
        self, order: tuple[Position, ...], number: int, nest: SemijoinNest, first: int, last: int
    ) -> tuple[float, float, Semijoin]:
        """The rows of a subquery are kept, and those of other tables looked up for each."""
        inner, kept = self._materialized(number, nest)
        cost, rows = (order[first - 1].cost, order[first - 1].rows) if first else (0.0, 1.0)
        cost += (inner[-1].cost if inner else 0.0) + _CREATE + kept * ROW + rows * kept * ROW
        prefix = (*order[:last], replace(order[last], cost=cost, rows=rows * kept))
        placed = self.constants | {each.at for each in prefix}
        fanout = 1.0
        for each in order[last + 1 :]:
            position = self._position(each.table, prefix, placed)
            prefix, placed = (*prefix, position), placed | {each.at}
            fanout *= position.fetched * position.filter
        return prefix[-1].cost, rows * fanout, Semijoin(Strategy.SCAN, number, first, inner)

    def _loose(
        self, order: tuple[Position, ...], number: int, nest: SemijoinNest, first: int
    ) -> Iterator[tuple[float, float, Semijoin]]:
        """The table of a subquery is read in the order of an index, one row for each value."""
        loose = None if nest.compared is None else order[first].table.loose_scan(nest.compared, leads=not first)
        if loose is None:
            return
        placed = self.constants | {each.at for each in order[:first]}
        cost, rows = (order[first - 1].cost, order[first - 1].rows) if first else (0.0, 1.0)
        table = order[first].table
        joined = rows * loose.rows
        left = joined * table.filter(self.filters(table.at, placed), None)
        cost += loose.cost + joined * ROW
        prefix = (*order[:first], replace(order[first], lookup=None, fetched=loose.rows, cost=cost, rows=left))
        for each in order[first + 1 :]:
            position = each
            if each.buffered:
                placed = self.constants | {one.at for one in prefix}
                position = self._position(each.table, prefix, placed)
            joined = prefix[-1].rows * position.fetched
            cost += position.read_cost + joined * ROW
            rows *= position.fetched * position.filter
            prefix = (*prefix, replace(position, cost=cost, rows=joined * position.filter))
        yield cost, rows, Semijoin(Strategy.LOOSE_SCAN, number, first)

    def _weeded(self, order: tuple[Position, ...], number: int, first: int) -> tuple[float, float, Semijoin]:
        """The rows that come up again are dropped."""
        inner = outer = 1.0
        tables = frozenset[int]().union(*(each.tables for each in self.semijoins))
        for each in order[first:]:
            kept = each.fetched * each.filter
            if each.at in tables:
                inner *= kept
                continue
            if inner > 1:  # rows of the subquery stand for rows of the table, as many as it has
                most = each.table.rows * each.filter
                kept, inner = min(inner * kept, most), max(1.0, inner * kept / most) if most else inner
            outer *= kept
        rows = order[first - 1].rows if first else 1.0
        cost = order[-1].cost + _CREATE + rows * outer * ROW + rows * inner * outer * ROW
        return cost, rows * outer, Semijoin(Strategy.WEEDOUT, number, first)

    def _best_lookup(
        self, table: TableEstimate, prefix: tuple[Position, ...], placed: frozenset[int], rows: float
    ) -> tuple[LookupCost, float] | None:
        """The cheapest lookup, and what all its lookups cost."""
        best: tuple[LookupCost, float] | None = None
        for each in table.lookups(placed):
            index = each.lookup.index
            if index is not None and index.definition.clustered and each.lookup.unique:
                return each, min(_distinct(prefix, each.lookup.needs), rows) * PAGE  # no other is looked at
            times = min(_distinct(prefix, each.lookup.needs), rows) if each.lookup.unique else rows
            read = times * (PAGE if each.lookup.unique else each.once)
            if best is None or read + rows * each.rows * ROW < best[1] + rows * best[0].rows * ROW:
                best = each, read
        return best

    def _may_scan(self, table: TableEstimate, best: tuple[LookupCost, float]) -> bool:
        """Whether a scan or range is looked at, too, where there is a lookup."""
        found, read = best
        if found.rows < table.found and read <= table.scan_cost:
            return False
        if table.request is None:
            return True
        same = [each for each in table.ranges if each.path.index is found.lookup.index]
        assert table.scan is not None
        if table.is_range and table.scan in same and len(found.lookup.equalities) >= table.scan.parts:
            return False
        if table.covered and not table.is_range:
            return False
        return not table.request.forced or table.is_range


def _scan_cost(table: TableEstimate, rows: float, prefix: Sequence[Position]) -> tuple[float, float]:
    """The cost of reading a table whole for each row before it, and the rows that are left of it.

    Behind another table it is read once for each join buffer that the rows before it fill.
    """
    left = table.found * table.const_filter
    if table.is_range:
        return rows * (table.scan_cost + (table.found - left) * ROW), left
    once = table.whole_cost + (table.rows - left) * ROW
    if not prefix:
        return rows * once, left
    buffers = 1 + rows * sum(each.table.kept_length for each in prefix) / _JOIN_BUFFER
    return buffers * once, left


def _alike(one: float, other: float) -> bool:
    """Whether two estimates differ by no more than a tenth."""
    return other * 0.9 <= one <= other * 1.1


def _distinct(prefix: tuple[Position, ...], needs: frozenset[int]) -> float:
    """How many different lookups there are (in the server: ``prev_record_reads``)."""
    found = 1.0
    for each in reversed(prefix):
        if each.at in needs:
            needs |= each.lookup.needs if each.lookup is not None else frozenset()
            found *= each.fetched or 1.0
    return found


def _depends(table: TableEstimate) -> frozenset[int]:
    """The tables by whose rows it could be looked up."""
    indexed = {column for index in table.table.indexes for column in index.definition.columns}
    # what equals a constant is looked up by it; in the server, IS NULL and <=> do not go into an `Item_equal`
    known = {each.column for each in table.equalities if not (each.needs or each.null_safe)}
    usable = (each for each in table.equalities if each.column in indexed or table.request is None)
    keyed = (each.needs for each in usable if each.column not in known)
    return frozenset[int]().union(*keyed) - {table.at}
