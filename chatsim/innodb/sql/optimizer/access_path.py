"""Which path a statement takes to a table's rows: a stated rule, since it decides what is locked.

The rule, after the manual's "Optimizing SELECT Statements" and "The Optimizer Cost Model", on exact counts. Reading a
page costs 1/4, looking at a row 1/10. An index is *covering* when it has all columns that a SELECT reads; for UPDATE
and DELETE none is.

1. Only indexes that FORCE INDEX or USE INDEX names are looked at, and none that IGNORE INDEX does. One that was made
   after the transaction's snapshot is not searched unless it is forced, which is an error then (1412).
2. A unique index of whose columns each equals one value (not NULL) finds the row at once: `const`. PRIMARY goes first.
   In an UPDATE or DELETE it is a range like others, and has to be the cheapest.
3. The cheapest `range` of an index is a candidate if it is cheaper than a scan of the shortest covering index; where
   there is none, than one of the table with 2.1 put on top, or with FORCE INDEX at any cost. A range costs a page for
   each of its intervals and each row; by PRIMARY for each interval and the pages that the rows fill; by a covering
   index for the pages that the entries fill. Its rows are counted in the index; where only one index is forced, an
   equality has as many as ANALYZE TABLE said (`statistics`), a unique key one, an interval one.
4. Equalities on an index's first columns (`ref`) are a candidate in a SELECT, if no range of that index goes by more
   columns. They cost a page a row, but at most a tenth of the table's rows, and two at least. The cheaper candidate is
   taken; a scan of the table before a `ref`, if it costs less.
5. A LIMIT below the rows expected makes a range cheaper than a scan of the table, in a SELECT if it gives the wanted
   order, and if it is cheaper than a scan of the shortest covering index.
6. If the path does not give the wanted order (or, if there is none, that of the groups), the shortest index that does
   and begins with the columns that the path searches by is searched instead. Else one that gives it is walked, or its
   range searched if that is cheaper than a scan (3, 5): a covering one, or for groups any, instead of a scan; else one
   that costs less to read until the LIMIT is likely to be reached. UPDATE and DELETE do that only with a LIMIT and
   instead of a scan.
7. MIN() and MAX() are read from the end of the first index that has the column behind others that equal one value
   each (`extreme`), if nothing else is asked; then before all other rules.

Before 4, several indexes may be searched together, if that is cheaper still (`merging`); no order is looked for then. A
value or NULL is an equality too: the value is looked up first (`ref_or_null`). The server also knows to skip through an
index: not this rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from itertools import takewhile

from sqlglot import exp

from chatsim.db.mysql import database_error
from chatsim.innodb.sql.expressions import Env, is_true
from chatsim.innodb.sql.optimizer.column_range import ColumnRange
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.cost_model import (
    PAGE,
    ROW,
    Candidate,
    PageReads,
    expected,
    is_unique,
    searchable,
    width,
)
from chatsim.innodb.sql.optimizer.index_merge import IndexMerges
from chatsim.innodb.sql.optimizer.intervals import after
from chatsim.innodb.sql.optimizer.range_tree import RangeTree
from chatsim.innodb.sql.optimizer.ranges import bound, ranges_of
from chatsim.innodb.storage.index_merge import Merge
from chatsim.innodb.storage.scan import Path, Range
from chatsim.innodb.storage.structures import Index, ReadView
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import NULL, Key, Value

__all__ = ["Hints", "choose", "extreme"]

_SCAN = 2.1  # what the server puts on top of a scan of a table
_LEAST_LEFT = 0.05  # of a row: what conditions leave at the least


@dataclass(frozen=True)
class Hints:
    """Which indexes may be used: None is any.

    Attributes:
        forced: a scan of the table is to be avoided at any cost.
    """

    allowed: frozenset[str] | None = None
    ignored: frozenset[str] = frozenset()
    forced: bool = False

    @classmethod
    def of(cls, table: Table, node: exp.Table) -> Hints:
        """Those of a table in a statement. Raises a `DatabaseError` when there is no such index."""
        known = {each.definition.name.lower(): each.definition.name for each in table.indexes}
        allowed: frozenset[str] | None = None
        ignored: frozenset[str] = frozenset()
        forced = False
        for hint in node.args.get("hints") or ():
            names = [each.name for each in hint.expressions]
            for name in names:
                if name.lower() not in known:
                    raise database_error(1176, f"Key '{name}' doesn't exist in table '{table.name}'")
            found = frozenset(known[name.lower()] for name in names)
            if str(hint.this).upper() == "IGNORE":
                ignored |= found
            else:
                allowed = found | (allowed or frozenset())
                forced = forced or str(hint.this).upper() == "FORCE"
        return cls(allowed, ignored, forced)

    def permits(self, index: Index) -> bool:
        """Whether an index may be looked at."""
        name = index.definition.name
        return name not in self.ignored and (self.allowed is None or name in self.allowed)


def choose(
    conditions: Conditions,
    env: Env,
    hints: Hints,
    *,
    read: set[int],
    ordering: Sequence[tuple[int, bool]] = (),
    limit: int | None = None,
    pushes: bool = True,
    grouped: bool = False,
    intersects: bool = True,
    view: ReadView | None = None,
) -> tuple[Path | Merge, bool] | None:
    """The path to the rows, and whether it gives them in the wanted order; None when there can be none.

    Args:
        conditions: what is asked.
        env: the values known now.
        hints: of the statement.
        read: the columns that the statement reads or writes.
        ordering: the wanted order: columns, and whether from high to low.
        limit: how many rows are wanted.
        pushes: it is a SELECT: a condition may be looked at in the index.
        grouped: the order is wanted for groups.
        intersects: several indexes may be searched for what all of them have; not for DELETE.
        view: the snapshot of the transaction.
    """
    spans = conditions.column_ranges(env)
    indexes = [each for each in conditions.table.indexes if hints.permits(each)]
    if spans is None or any(span.equal and span.points == () for span in spans.values()):
        return None
    searches = conditions.range_tree(env, indexes)
    if searches.impossible:
        return None
    order = [(column, down) for column, down in ordering if column not in spans or spans[column].point is None]
    wanted = _Wanted(
        *(spans, searches, conditions.selectivity, read if pushes else None, read, order, limit),
        grouped=grouped,
        intersects=intersects,
    )
    known = [each for each in indexes if hints.forced or view is None or view.sees(each.made)]
    chooser = _Chooser(conditions.table, indexes, known, wanted, forced=hints.forced)
    way = chooser.of_select() if pushes else chooser.of_change()
    direction = chooser.direction(way)
    path = way.path
    if isinstance(path, Merge):
        return path, direction is not None
    if direction is _Direction.BACKWARD:
        path = _backward(path, {column for column, _ in ordering})
    if pushes and way.parts and not path.covering and path.access != "const":
        path = replace(path, pushed=_pushed(conditions, path, env))
    return path, direction is not None


def extreme(conditions: Conditions, env: Env, hints: Hints, of: tuple[int, bool], read: set[int]) -> list[Path]:
    """The paths of which the first row of one has the least or the greatest value; empty if no index begins with it.

    It is not said where they have to stop, as they stop at the first row, wanted or not; the second path is for rows
    that have nothing but NULL.

    Args:
        conditions: what is asked.
        env: the values known now.
        hints: of the statement.
        of: the column, and whether its greatest value is wanted.
        read: the columns that the statement reads.
    """
    column, greatest = of
    spans = conditions.column_ranges(env) if conditions.simple else None
    if spans is None or any(span.points == () for span in spans.values()):
        return []
    for index in filter(hints.permits, conditions.table.indexes):
        definition = index.definition
        before = tuple(takewhile(lambda each: each != column, definition.place))
        if before == definition.place or set(spans) - {*before, column}:
            continue
        points = tuple(spans.get(each, ColumnRange()).point for each in before)
        if None in points:
            continue
        span = spans.get(column, ColumnRange())
        skips_nulls = span.is_open_below and span.points is None and conditions.table.columns[column].nullable
        low, low_included = bound(points, after(NULL) if skips_nulls else span.first, 0)
        high, high_included = bound(points, span.last, -1)
        if greatest:
            ranges = [Range(None, high or None, high_included=high_included)]
        else:
            ranges = [Range(low or None, None, low_included=low_included)]
            ranges += [Range(low, low, exact=True)] if skips_nulls and points and column not in spans else []
        covering = definition.clustered or read <= set(definition.place)
        path = Path(conditions.table, index, [], descending=greatest, covering=covering, access="range")
        return [replace(path, ranges=[each]) for each in ranges]
    return []


class _Direction(Enum):
    """How an index is walked to give the wanted order."""

    FORWARD = 1
    BACKWARD = -1


@dataclass(frozen=True)
class _Wanted:
    """What a statement wants of a table.

    Attributes:
        spans: what the conditions leave of its columns.
        searches: what they leave of its indexes.
        selectivity: which part of so many rows they are taken to leave, those on some columns apart.
        read: the columns that are read; None where no index may do instead of the row.
        touched: those that are read or written.
        order: the wanted order, without columns that have one value only.
        limit: how many rows are wanted.
        grouped: the order is wanted for groups.
        intersects: several indexes may be searched for what all of them have.
    """

    spans: dict[int, ColumnRange]
    searches: RangeTree
    selectivity: Callable[[int, Collection[int]], float]
    read: set[int] | None
    touched: set[int]
    order: Sequence[tuple[int, bool]]
    limit: int | None
    grouped: bool
    intersects: bool


class _Chooser:
    """The rule, for one table of a statement.

    Args:
        table: which.
        indexes: those that may be looked at.
        known: those of them that may be searched.
        wanted: of the table.
        forced: a scan of the table is to be avoided at any cost.
    """

    def __init__(
        self, table: Table, indexes: Sequence[Index], known: Sequence[Index], wanted: _Wanted, *, forced: bool
    ) -> None:
        self._table = table
        self._indexes = indexes
        self._searched_by = known
        self._spans = wanted.spans
        self._searches = wanted.searches
        self._selectivity = wanted.selectivity
        self._read = wanted.read
        self._order = wanted.order
        self._limit = wanted.limit
        self._grouped = wanted.grouped
        self._intersects = wanted.intersects
        self._forced = forced
        self._rows = max(table.statistics.rows, 1)
        self._touched = wanted.touched
        self._ranges: list[Candidate[Path]] = []

    @cached_property
    def _pages(self) -> PageReads:
        return PageReads(self._table, self._rows)

    @cached_property
    def _merges(self) -> IndexMerges:
        return IndexMerges(self._table, self._searched_by, self._rows, self._pages, self._touched)

    # -- 2

    def const(self) -> Candidate[Path] | None:
        """The one row that a unique index finds."""
        for index in self._indexes:
            columns = index.definition.columns
            points = self._equal(columns)
            if index.definition.unique and len(points) == len(columns) and NULL not in points:
                path = Path(self._table, index, [Range(points, points, exact=True)], covering=self._covers(index))
                return Candidate(replace(path, access="const"), 1, 0.0, len(columns))
        return None

    # -- the rule for each kind of statement

    def of_select(self) -> Candidate[Path | Merge]:
        """The way of a SELECT."""
        if (const := self.const()) is not None:
            return const
        self._ranges = self._all_ranges()
        scan = self._scan()
        way = self._searched(scan)
        if way.path.access != "ref":
            way = self._limited(way)
        return self._ordered(way)

    def of_change(self) -> Candidate[Path | Merge]:
        """The way of an UPDATE or DELETE."""
        self._ranges = self._all_ranges()
        scan = self._table_scan()
        limited = self._limit is not None and self._limit < self._rows
        best = self._best(self._limited_cost if limited else self._avoided(scan))
        if best is not None:
            const = self.const()
            return const if const and isinstance(best.path, Path) and best.path.index is const.path.index else best
        return scan if self._limit is None else self._ordered(scan)

    # -- 3

    def _scan(self) -> Candidate[Path]:
        """The shortest covering index, or the whole table."""
        index = self._shortest()
        if index is None:
            return self._table_scan()
        path = Path(self._table, index, [Range()], covering=True, access="index")
        return Candidate(path, self._rows, self._pages.entries(index, self._rows))

    def _table_scan(self) -> Candidate[Path]:
        clustered = self._table.clustered
        return Candidate(Path(self._table, clustered, [Range()], covering=True), self._rows, self._pages.whole)

    def _avoided(self, scan: Candidate[Path]) -> float:
        """What a scan of the table is said to cost when there are ranges."""
        return math.inf if self._forced else scan.cost + _SCAN

    def _shortest(self) -> Index | None:
        """The shortest covering index; the clustered one, which has whole rows, if there is no other."""
        covering = [each for each in self._indexes if self._covers(each, entry=True)]
        others = [each for each in covering if not each.definition.clustered]
        if others:
            return min(others, key=lambda each: width(self._table, each.definition.columns))
        return covering[0] if covering else None

    def _all_ranges(self) -> list[Candidate[Path]]:
        return [way for index in self._searched_by if (way := self._range(index)) is not None]

    def _range(self, index: Index) -> Candidate[Path] | None:
        """What the conditions leave of an index, if they leave out any."""
        found = ranges_of(self._searches.by.get(index))
        if found is None:
            return None
        ranges, parts = found
        rows = sum(self._within(index, each) for each in ranges)
        path = Path(self._table, index, ranges, covering=self._covers(index), access="range")
        if index.definition.clustered:
            pages = self._pages.clustered(len(ranges), rows)
        elif self._covers(index):
            pages = self._pages.entries(index, rows)
        else:
            pages = (len(ranges) + rows) * PAGE
        return Candidate(path, rows, pages + rows * ROW + 0.01, parts)

    def _within(self, index: Index, span: Range) -> int:
        """How many rows a range is thought to have: the server looks, unless the one index is forced anyway."""
        looks = not self._forced or len(self._indexes) > 1 or self._read is None or NULL in (span.high or ())
        if looks or is_unique(index, span):
            return expected(index, span)
        return max(int(self._table.statistics.rows_per_key(index, len(span.low or ()))), 1) if span.exact else 1

    @staticmethod
    def _best_range(ranges: Sequence[Candidate[Path]], below: float) -> Candidate[Path] | None:
        best = min(ranges, key=lambda each: each.reading, default=None)
        return best if best is not None and best.reading < below else None

    # -- 4

    def _best(self, below: float) -> Candidate[Path | Merge] | None:
        """The cheapest of all searches but equalities, if it costs less than ``below``: a range, or several indexes."""
        best: Candidate[Path | Merge] | None = self._best_range(self._ranges, below)
        if self._intersects:
            best = self._merges.intersection(self._ranges, best.reading if best else below) or best
        for sides in self._searches.merges:
            best = self._merges.union(sides, best.reading if best else below) or best
        return best

    def _searched(self, scan: Candidate[Path]) -> Candidate[Path | Merge]:
        """The best of the ranges, the equalities, and the scan."""
        below = scan.cost if scan.path.access == "index" else self._avoided(scan)
        best = self._best(below)
        ref = self._ref()
        if ref is None:
            return best or scan
        if best is None:
            return ref if scan.path.access == "index" or self._forced else self._either(ref, scan)
        same = isinstance(best.path, Path) and best.path.index is ref.path.index
        return ref if same else self._either(ref, best)

    @staticmethod
    def _either(ref: Candidate[Path], other: Candidate[Path | Merge]) -> Candidate[Path | Merge]:
        if ref.rows < other.rows and ref.reading <= other.reading:
            return ref
        return other if other.cost < ref.cost else ref

    def _ref(self) -> Candidate[Path] | None:
        """The cheapest equalities on the first columns of an index, unless a range of it goes by more columns."""
        found = []
        for index in self._searched_by:
            keys = self._keys(searchable(index))
            parts = len(keys[0])
            if parts and not any(each.path.index is index and each.parts > parts for each in self._ranges):
                spans = [Range(points, points, exact=True) for points in keys]
                rows = sum(expected(index, span) for span in spans)
                path = Path(self._table, index, spans, covering=self._covers(index), access="ref")
                found.append(Candidate(path, rows, self._ref_pages(index, rows), parts))
        return min(found, key=lambda each: each.cost, default=None)

    def _ref_pages(self, index: Index, rows: int) -> float:
        if index.definition.clustered:
            return self._pages.clustered(1, rows)
        if self._covers(index):
            return self._pages.entries(index, rows)
        worst = max(min(self._rows / 10 * PAGE, 3 * self._pages.whole), 2 * PAGE)
        return min(rows * PAGE, worst)

    def _keys(self, columns: Sequence[int]) -> list[Key]:
        """The values of as many of the columns, from the first, as have one only; one of them may have NULL as well."""
        values = self._equal(columns)
        rest = columns[len(values) :]
        span = self._spans.get(rest[0]) if rest else None
        if span is None or not span.or_null or span.points is None:
            return [values]
        behind = self._equal(rest[1:])
        return [(*values, point, *behind) for point in reversed(span.points)]  # NULL comes last

    def _equal(self, columns: Sequence[int]) -> Key:
        """The values of as many of the columns, from the first, as have one only."""
        points: list[object] = []
        for column in columns:
            span = self._spans.get(column)
            if span is None or span.point is None:
                break
            points.append(span.point)
        return tuple(points)

    # -- 5

    @property
    def _limited_cost(self) -> float:
        """What the server says that a scan costs where it prefers not to have one."""
        return self._rows * (PAGE + ROW) + 2

    def _limited(self, way: Candidate[Path | Merge]) -> Candidate[Path | Merge]:
        """A range instead, where there is a LIMIT that is below what is expected."""
        if self._limit is None or self._limit >= self._left(way):
            return way
        scan = self._scan()
        if isinstance(way.path, Merge):
            return self._alone(way, scan)
        ranges = self._ranges
        if self._order:
            ranges = [each for each in ranges if each.rows < self._rows and self.direction(each) is not None]
        below = min(self._limited_cost, scan.cost) if scan.path.access == "index" else self._limited_cost
        return self._best_range(ranges, below) or way

    def _alone(self, merged: Candidate[Path | Merge], scan: Candidate[Path]) -> Candidate[Path | Merge]:
        """One index instead of several: the server looks again, at one in the wanted order, and takes what it finds."""
        one = [each for each in self._indexes if each in self._searches]
        if not any(self.direction(self._walk(each)) is not None for each in one):
            return merged
        ranges = [each for each in self._ranges if self.direction(each) is not None]
        return min(ranges, key=lambda each: (len(each.path.index.definition.columns), each.rows), default=scan)

    @property
    def _expected(self) -> int:
        """How many rows the narrowest range has."""
        return min((each.rows for each in self._ranges), default=self._rows)

    def _left(self, way: Candidate[Path | Merge]) -> float:
        """How many of its rows all conditions are thought to leave: what an index can tell, and guesses of the rest."""
        if isinstance(way.path, Merge):
            return way.rows
        told = set(way.path.index.definition.place[: way.parts])
        selectivity = 1.0
        for each in self._ranges:
            columns = {*each.path.index.definition.place[: each.parts]}
            if not columns & told:
                selectivity *= min(each.rows / self._rows, 1)
                told |= columns
        selectivity = max(selectivity * self._selectivity(self._rows, told), 1 / self._rows)
        return max(way.rows * selectivity, _LEAST_LEFT)

    # -- 6

    def direction(self, way: Candidate[Path | Merge]) -> _Direction | None:
        """How to walk a way to have the wanted order; None if it does not give it."""
        if not self._order or way.path.access == "const":
            return _Direction.FORWARD
        if isinstance(way.path, Merge) or way.path.access == "ALL" or _finds_null_last(way.path):
            return None
        if len({down for _, down in self._order}) > 1:
            return None
        place = [
            column
            for column in way.path.index.definition.place
            if (span := self._spans.get(column)) is None or span.point is None
        ]
        if place[: len(self._order)] != [column for column, _ in self._order]:
            return None
        return _Direction.BACKWARD if self._order[0][1] else _Direction.FORWARD

    def _ordered(self, way: Candidate[Path | Merge]) -> Candidate[Path | Merge]:
        """An index that gives the wanted order instead, where it is cheaper to stop early than to sort."""
        path = way.path
        if self.direction(way) is not None or isinstance(path, Merge) or _finds_null_last(path):
            return way
        knows = {column for column, _ in self._order} <= path.columns | {*self._table.clustered.definition.columns}
        if not knows and (like := self._like_it(path, way)) is not None:
            return like
        found = [each for index in self._indexes if (each := self._in_order(index, way)) is not None]
        if not found:
            return way
        return min(found, key=lambda each: (not each.path.covering, len(each.path.index.definition.columns)))

    def _like_it(self, path: Path, way: Candidate[Path | Merge]) -> Candidate[Path] | None:
        """A search by the same columns of another index that gives the wanted order; the shortest such index."""
        by = path.index.definition.columns[: way.parts]
        if len(by) < max(way.parts, 1):
            return None
        found = [
            each
            for index in self._searched_by
            if index.definition.columns[: len(by)] == by and (self._covers(index) or not path.covering)
            if (each := self._search(index, path, way)) is not None and self.direction(each) is not None
        ]
        return min(found, key=lambda each: width(self._table, each.path.index.definition.columns), default=None)

    def _search(self, index: Index, like: Path, way: Candidate[Path | Merge]) -> Candidate[Path] | None:
        """How an index is searched instead of another: its range, if the other has one or it goes by more columns."""
        ranges = [each for each in self._ranges if each.path.index is index]
        if like.access != "ref":
            return self._best_range(ranges, self._worth_a_range)
        longer = [each for each in ranges if each.parts > way.parts]
        path = replace(like, index=index, covering=self._covers(index))
        return next(iter(longer), Candidate(path, way.rows, way.reading, way.parts))

    def _walk(self, index: Index) -> Candidate[Path]:
        """All of an index, from one end to the other."""
        path = Path(self._table, index, [Range()], covering=self._covers(index), access="index")
        return Candidate(path, self._rows, 0.0)

    def _in_order(self, index: Index, instead: Candidate[Path | Merge]) -> Candidate[Path] | None:
        covering = self._covers(index)
        other = self._walk(index)
        scans = not instead.parts
        welcome = scans and (covering or self._forced or self._grouped)
        if not self._order or self.direction(other) is None or not (welcome or covering or self._limit is not None):
            return None
        likely = instead.rows if instead.path.access == "ref" or self._read is None else self._expected
        needed = self._rows
        if self._limit is not None and self._limit <= likely:
            needed = self._limit * self._rows // likely
        searches = isinstance(instead.path, Path) and not scans and self._covers(instead.path.index, entry=True)
        if covering and searches and likely < needed:
            return None
        per_key = self._table.statistics.rows_per_key(index, len(index.definition.columns))
        pages = needed / per_key * min(per_key * PAGE, self._pages.whole)
        reading = self._pages.whole if scans else instead.reading
        if self._read is not None and instead.path.access != "ref":  # what is read in vain is looked at too
            reading += (instead.rows - self._left(instead)) * ROW
        if not welcome and pages >= reading:
            return None
        ranges = [each for each in self._ranges if each.path.index is index]
        return self._best_range(ranges, self._worth_a_range) or other

    @property
    def _worth_a_range(self) -> float:
        """What a range must be cheaper than, with the LIMIT that there is."""
        scan = self._scan()
        cost = self._avoided(scan) if self._limit is None or self._limit >= self._rows else self._limited_cost
        return min(cost, scan.cost) if scan.path.access == "index" else cost

    # -- pages

    def _covers(self, index: Index, *, entry: bool = False) -> bool:
        """Whether an index has all columns that are read: the clustered one has, in its key alone or in the rows."""
        definition = index.definition
        if definition.clustered and not entry:
            return True
        columns = definition.columns if definition.clustered else definition.place
        return self._read is not None and self._read <= set(columns)


def _finds_null_last(path: Path) -> bool:
    """Whether it looks up a value and then NULL, which is no index's order."""
    return path.access == "ref" and len(path.ranges) > 1


def _backward(path: Path, order: set[int]) -> Path:
    """A path walked from its end: the server goes on to what is beyond, unless a range is one row's key."""
    definition = path.index.definition
    whole = order <= set(definition.columns)  # a secondary index has the primary key behind these
    ranges = tuple(
        each if whole and len(each.low or ()) >= len(definition.columns) else replace(each, exact=False)
        for each in reversed(path.ranges)
    )
    return replace(path, descending=True, ranges=ranges)


def _pushed(conditions: Conditions, path: Path, env: Env) -> Callable[[Sequence[Value]], bool] | None:
    """The conditions that can be told from the index alone; None if there are none but what the search went by."""
    functions = conditions.within(path.index, beside=len(path.ranges[0].low or ()) if path.access == "ref" else 0)
    if not functions:
        return None

    def holds(row: Sequence[Value]) -> bool:
        before = env.rows[conditions.at]
        env.rows[conditions.at] = row
        try:
            return all(is_true(function(env)) for function in functions)
        finally:
            env.rows[conditions.at] = before

    return holds
