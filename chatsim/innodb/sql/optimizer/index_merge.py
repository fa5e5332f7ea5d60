"""When several indexes are searched for one table, and what that is estimated to cost.

A search is *rowid-ordered* when its entries come in the order of their rows' primary keys: one value for each of the
index's columns, or any search of the clustered index.

* An intersection needs two rowid-ordered searches of all conditions. They are added the most selective first, as long
  as that makes it cheaper; the clustered index only filters rows. It costs the entries of all, and the pages of the
  rows that are left.
* A union needs an OR, and sides of it that have no index in common (`range_tree`): each is a child. It costs the
  entries of all children, the pages of the rows and the comparisons that it takes to merge them or, if a child is not
  rowid-ordered, to sort them.

Each has to be cheaper than the best path before it. Sources: MySQL manual, "Index Merge Optimization"; the figures in
the server's optimizer trace.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chatsim.innodb.sql.optimizer.cost_model import (
    COMPARE,
    PAGE,
    ROW,
    Candidate,
    PageReads,
    estimated_rows,
    records_in_range,
)
from chatsim.innodb.sql.optimizer.range_tree import RangeTree
from chatsim.innodb.sql.optimizer.ranges import ranges_of
from chatsim.innodb.storage.index_merge import Intersection, Merge, SortedUnion, Union
from chatsim.innodb.storage.scan import AccessPath, Range
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import Table

__all__ = ["IndexMerges"]


@dataclass(frozen=True)
class _Partial:
    """An intersection under construction.

    Attributes:
        candidates: the searches so far.
        left: the estimated number of rows that they leave.
        covered: the columns that are known then.
        entries: what the entries cost.
        pages: what the rows cost.
        within: ranges of the clustered index that rows have to be in; none if that is not asked.
    """

    candidates: tuple[Candidate[AccessPath], ...]
    left: float
    covered: frozenset[int]
    entries: float
    pages: float
    within: Sequence[Range] = ()

    @property
    def rows(self) -> int:
        """How many rows are left, one at least."""
        return max(int(self.left), 1)

    @property
    def cost(self) -> float:
        return self.entries + self.pages


class IndexMerges:
    """The index merges of a table.

    Args:
        table: the table.
        indexes: the indexes that may be searched.
        rows: the estimated number of rows of the table.
        pages: the costs of reading its pages.
        touched: the columns that the statement reads or writes.
        in_order: whether a range of several partitions is read in order.
    """

    def __init__(
        self,
        table: Table,
        indexes: Sequence[Index],
        rows: int,
        pages: PageReads,
        touched: set[int],
        *,
        in_order: bool = False,
    ) -> None:
        self._table = table
        self._indexes = indexes
        self._rows = rows
        self._pages = pages
        self._in_order = in_order
        # any entry has its row's key
        self._touched = frozenset(touched - set(table.clustered.definition.columns))

    # -- all conditions hold

    def intersection(self, ranges: Sequence[Candidate[AccessPath]], below: float) -> Candidate[Merge] | None:
        """The cheapest intersection, if it costs less than ``below``."""
        best = self._intersection(ranges, below)
        return None if best is None else Candidate(self._path(best), best.rows, best.cost, 1)

    def _path(self, partial: _Partial) -> Intersection:
        paths = [candidate.path for candidate in partial.candidates]
        return Intersection(self._table, paths, partial.within, covering=self._covers(partial))

    def _intersection(self, ranges: Sequence[Candidate[AccessPath]], below: float) -> _Partial | None:
        ordered = [candidate for candidate in ranges if _is_rowid_ordered(candidate.path)]
        clustered = next((candidate for candidate in ordered if candidate.path.index.definition.clustered), None)
        best = self._cheapest_intersection([candidate for candidate in ordered if candidate is not clustered])
        if len(ordered) < 2 or best is None or best.cost >= below:
            return None
        if clustered is not None and not self._covers(best):
            narrower = self._with_clustered(best, clustered)
            if narrower is not None and narrower.cost < best.cost:
                best = narrower
        return best if best.within or len(best.candidates) > 1 else None

    def _cheapest_intersection(self, candidates: list[Candidate[AccessPath]]) -> _Partial | None:
        """The cheapest intersection of secondary indexes, which are added one after the other."""
        now, best = _Partial((), self._rows, frozenset(), 0.0, 0.0), None
        while candidates and not (now.candidates and self._covers(now)):
            candidate = min(candidates, key=lambda each: (-len(self._new_columns(now, each)), each.rows))
            candidates.remove(candidate)
            selectivity = self._selectivity(now, candidate)
            if selectivity == 1:
                continue
            left = now.left * selectivity
            covered = now.covered | self._new_columns(now, candidate)
            entries = now.entries + self._pages.entries(candidate.path.index, candidate.rows)
            now = _Partial((*now.candidates, candidate), left, covered, entries, 0.0)
            if not self._covers(now):
                now = _Partial(now.candidates, left, covered, entries, self._pages.sweep(int(left)))
            if best is None or now.cost < best.cost:
                best = now
        return best

    def _with_clustered(self, so_far: _Partial, clustered: Candidate[AccessPath]) -> _Partial | None:
        """The intersection with ranges of the clustered index, which only filter rows: that costs comparisons."""
        selectivity = self._selectivity(so_far, clustered)
        if selectivity == 1:
            return None
        left = so_far.left * selectivity
        compared = sum(candidate.rows for candidate in so_far.candidates) * COMPARE
        pages = self._pages.sweep(int(left))
        entries = so_far.entries + compared
        return _Partial(so_far.candidates, left, so_far.covered, entries, pages, clustered.path.ranges)

    def _new_columns(self, so_far: _Partial, candidate: Candidate[AccessPath]) -> frozenset[int]:
        """The columns that a search would add to those that are covered."""
        return (self._touched & frozenset(candidate.path.index.definition.columns)) - so_far.covered

    def _covers(self, partial: _Partial) -> bool:
        return self._touched <= partial.covered

    def _selectivity(self, so_far: _Partial, candidate: Candidate[AccessPath]) -> float:
        """The part of the rows that a search leaves, given the columns that are covered already."""
        index, (span, *_) = candidate.path.index, candidate.path.ranges
        selectivity, known, before = 1.0, index.definition.columns[0] in so_far.covered, float(self._rows)
        for at, column in enumerate(index.definition.columns[: candidate.parts]):
            if (column in so_far.covered) != known:
                known = not known
                start = (span.low or ())[:at]
                records = float(records_in_range(index, Range(start, start, exact=True)))
                if known:
                    selectivity, before = selectivity * records / before, math.inf
                else:
                    before = records
        return selectivity if known else selectivity * candidate.rows / before

    # -- one of several conditions holds

    def union(self, sides: Sequence[RangeTree], below: float) -> Candidate[Merge] | None:
        """The union of the sides of an OR, if it costs less than ``below``."""
        children = [self._child(side, below) for side in sides]
        found = [child for child in children if child is not None]
        cost = sum(child.read_cost for child in found)
        if len(found) < len(children) or cost > below or self._too_many(found, below):
            return None
        if all(_is_rowid_ordered(child.path) for child in found):
            return self._rowid_ordered_union(sides, found, below)
        return self._sort_union(found, cost, below)

    def _side_ranges(self, side: RangeTree) -> list[Candidate[AccessPath]]:
        """The range searches of all indexes for one side; they read keys alone."""
        found = []
        for index in self._indexes:
            if index.definition.descending & set(index.definition.columns):
                continue  # the server merges no index with a column in descending order
            if (spans := ranges_of(side.by_index.get(index))) is not None:
                ranges, parts = spans
                rows = sum(estimated_rows(index, each) for each in ranges)
                clustered = index.definition.clustered
                pages = self._pages.clustered(len(ranges), rows) if clustered else self._pages.entries(index, rows)
                path = AccessPath(self._table, index, ranges, covering=True, access="range", in_order=self._in_order)
                found.append(Candidate(path, rows, pages + rows * ROW + 0.01, parts))
        return found

    def _child(self, side: RangeTree, below: float) -> Candidate[AccessPath] | None:
        best = min(self._side_ranges(side), key=lambda candidate: candidate.read_cost, default=None)
        return best if best is not None and best.read_cost < below else None

    def _too_many(self, children: Sequence[Candidate[AccessPath]], below: float) -> bool:
        return sum(child.rows for child in children) >= self._rows and below < math.inf

    def _rowid_ordered_union(
        self, sides: Sequence[RangeTree], children: Sequence[Candidate[AccessPath]], below: float
    ) -> Candidate[Merge] | None:
        """The union of children that are all rowid-ordered: they are read side by side."""
        parts: list[AccessPath | Intersection] = []
        cost, rows, shared = 0.0, 0, 1.0
        for side, child in zip(sides, children, strict=True):
            alone = PAGE * (1 + child.rows) + child.rows * ROW
            within = self._intersection(self._side_ranges(side), alone)
            if within is not None:
                parts.append(self._path(within))
                entries, count = within.entries, within.rows
            else:
                parts.append(child.path)
                entries, count = child.read_cost, child.rows
            cost, rows, shared = cost + entries, rows + count, shared * count / self._rows
        rows -= int(shared * self._rows)
        cost += self._pages.sweep(rows) + COMPARE * rows * math.log2(len(parts))
        return Candidate(Union(self._table, parts), rows, cost, 1) if cost < below else None

    def _sort_union(
        self, children: Sequence[Candidate[AccessPath]], cost: float, below: float
    ) -> Candidate[Merge] | None:
        """The union with children that are not rowid-ordered: the keys of their rows are sorted."""
        clustered = next((child for child in children if child.path.index.definition.clustered), None)
        others = [child for child in children if child is not clustered]
        rows = sum(child.rows for child in others)
        cost += (COMPARE * rows if clustered else 0.0) + self._pages.sweep(rows)
        cost += COMPARE * 2 * _log2_factorial(rows + 1)
        if cost >= below:
            return None
        path = SortedUnion(self._table, [child.path for child in others], clustered.path if clustered else None)
        return Candidate(path, sum(child.rows for child in children), cost, 1)


def _is_rowid_ordered(path: AccessPath) -> bool:
    """Whether it is rowid-ordered: its entries come in the order of their rows' primary keys."""
    definition = path.index.definition
    if definition.clustered:
        return True
    if definition.descending & set(definition.columns) or definition.array is not None:
        return False
    span, *others = path.ranges
    low, high, count = span.low or (), span.high or (), len(definition.columns)
    if any(definition.lengths[: len(definition.columns)]):  # values that differ behind a prefix are mixed
        return False
    return not others and len(low) >= count and low[:count] == high[:count]


def _log2_factorial(n: int) -> float:
    """The binary logarithm of n factorial, by Stirling's formula."""
    return (math.log(2 * math.pi * n) / 2 + n * math.log(n / math.e)) / math.log(2)
