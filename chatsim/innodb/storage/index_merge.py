"""Index merge: several indexes are scanned for one table; its rows are those that all of them have, or any of them.

A child of a merge reads only the keys of rows from its index, and locks what a scan of that index locks. The row itself
is looked up by its key later. Children that are scanned side by side are handles of their own in the server, which do
not know of NOWAIT and SKIP LOCKED: they wait. A row that is skipped when it is looked up ends the whole search.

Sources: MySQL manual, "Index Merge Optimization"; tests/conformance/schedules/index-merge.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeAlias, TypeVar

from chatsim.innodb.storage.locks import WaitPolicy
from chatsim.innodb.storage.partitioned_scan import PartitionedScan
from chatsim.innodb.storage.rows import RowOperations
from chatsim.innodb.storage.scan import AccessPath, Hit, Range, Reading, Scan
from chatsim.innodb.storage.structures import Record
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import Key

__all__ = ["Intersection", "Merge", "MergeScan", "SortedUnion", "Union"]


@dataclass(frozen=True)
class Intersection:
    """The rows that all indexes have; these are scanned side by side, each in the order of the rows' keys.

    Attributes:
        table: the table.
        paths: one for each index.
        within: ranges of the clustered index that the rows have to be in; none if there is no such condition.
        covering: the indexes together have all columns that are read: no row is looked up.
        access: what EXPLAIN calls it.
    """

    table: Table
    paths: Sequence[AccessPath]
    within: Sequence[Range] = ()
    covering: bool = False
    access: str = "index_merge"

    @property
    def columns(self) -> set[int]:
        """The columns that it searches by."""
        return _columns(self.paths)

    def open(self, rows: RowOperations, reading: Reading) -> MergeScan:
        """An iterator over its rows. Raises as `Scan` does."""
        if not self.covering:
            return _RowLookup(self.keys(rows, reading), rows, self.table, reading)
        first, *others = self.paths  # the first uses the statement's own handle, since it looks up no row
        children = [_keys(first, rows, reading), *(_keys(path, rows, _patient(reading)) for path in others)]
        return _RowIdIntersection(children, self.within, reading)

    def keys(self, rows: RowOperations, reading: Reading) -> _RowIdIntersection:
        """An iterator over the keys of its rows alone."""
        return _RowIdIntersection([_keys(path, rows, _patient(reading)) for path in self.paths], self.within, reading)


@dataclass(frozen=True)
class Union:
    """The rows that any of the children has; these are scanned side by side, each in the order of the rows' keys.

    Attributes:
        table: the table.
        parts: the children.
        access: what EXPLAIN calls it.
    """

    table: Table
    parts: Sequence[AccessPath | Intersection]
    access: str = "index_merge"

    @property
    def columns(self) -> set[int]:
        """The columns that it searches by."""
        return set().union(*(_columns([part]) if isinstance(part, AccessPath) else part.columns for part in self.parts))

    def open(self, rows: RowOperations, reading: Reading) -> MergeScan:
        """An iterator over its rows. Raises as `Scan` does."""
        children = [
            _keys(part, rows, _patient(reading)) if isinstance(part, AccessPath) else part.keys(rows, reading)
            for part in self.parts
        ]
        return _RowLookup(_RowIdUnion(children), rows, self.table, reading)


@dataclass(frozen=True)
class SortedUnion:
    """The rows that any index has: one after the other is scanned to its end, and the keys are sorted.

    Attributes:
        table: the table.
        paths: one for each secondary index.
        clustered: a path in the clustered index, scanned at the end; its rows are left out before.
        access: what EXPLAIN calls it.
    """

    table: Table
    paths: Sequence[AccessPath]
    clustered: AccessPath | None = None
    access: str = "index_merge"

    @property
    def columns(self) -> set[int]:
        """The columns that it searches by."""
        return _columns([*self.paths, *([self.clustered] if self.clustered else [])])

    def open(self, rows: RowOperations, reading: Reading) -> MergeScan:
        """An iterator over its rows. Raises as `Scan` does."""
        passed = self.clustered.ranges if self.clustered else ()
        last = self.clustered.open(rows, _child(reading)) if self.clustered else None
        keys = _SortedRowIds([_keys(path, rows, reading, in_order=path.in_order) for path in self.paths], passed)
        return _RowLookup(keys, rows, self.table, reading, last)


Merge: TypeAlias = Intersection | Union | SortedUnion

_AnyScan: TypeAlias = Scan | PartitionedScan

W = TypeVar("W", bound="_AnyScan | _RowIdIntersection")


def _columns(paths: Sequence[AccessPath]) -> set[int]:
    return {column for path in paths for column in path.index.definition.place}


def _child(reading: Reading) -> Reading:
    return replace(reading, semi_consistent=False)


def _patient(reading: Reading) -> Reading:
    return replace(reading, policy=WaitPolicy.WAIT)


def _keys(path: AccessPath, rows: RowOperations, reading: Reading, *, in_order: bool = True) -> _AnyScan:
    """A scan of the keys of an index; of a table with partitions in the order of their rows' keys, if ``in_order``."""
    return replace(path, covering=True, pushed=None, in_order=in_order).open(rows, _child(reading))


def _is_in(key: Key, ranges: Sequence[Range]) -> bool:
    return any(span.begun(key) and not span.ended(key) for span in ranges)


class _RowIdSources(Generic[W]):
    """An iterator over row keys that combines several iterators."""

    def __init__(self, children: Sequence[W]) -> None:
        self._children = children

    @property
    def examined(self) -> int:
        return sum(child.examined for child in self._children)


class _RowIdIntersection(_RowIdSources[_AnyScan]):
    """The keys that all children have: the child that is behind goes on until it has caught up."""

    def __init__(self, children: Sequence[_AnyScan], within: Sequence[Range], reading: Reading) -> None:
        super().__init__(children)
        self._within = within
        self._locks = reading.mode is not None

    async def next(self) -> Hit | None:
        at, there = 0, [self._children[0]]
        candidate = await self._next(self._children[0])
        while candidate is not None and len(there) < len(self._children):
            at = (at + 1) % len(self._children)
            child = self._children[at]
            found = await child.next()
            while found is not None and found.record.key < candidate.record.key:
                child.unlock_row()
                found = await child.next()
            if found is not None and found.record is candidate.record:
                there.append(child)
            else:
                for other in there:  # not all children have it
                    other.unlock_row()
                there = [child]
                candidate = await self._next(child, found) if found else None
        # a locked entry has some columns of a row that can't change; else it is the visible version of the row
        return Hit(candidate.record, candidate.record.row) if candidate and self._locks else candidate

    async def _next(self, child: _AnyScan, hit: Hit | None = None) -> Hit | None:
        """The next row of a child that is in the ranges, ``hit`` if that is."""
        hit = hit or await child.next()
        while hit is not None and self._within and not _is_in(hit.record.key, self._within):
            child.unlock_row()
            hit = await child.next()
        return hit

    async def reread(self) -> Hit | None:
        return await self.next()

    def unlock_row(self) -> None:
        self._children[0].unlock_row()


class _RowIdUnion(_RowIdSources["_AnyScan | _RowIdIntersection"]):
    """The keys that any child has, each once, in order."""

    def __init__(self, children: Sequence[_AnyScan | _RowIdIntersection]) -> None:
        super().__init__(children)
        self._heads: list[tuple[Key, int, _AnyScan | _RowIdIntersection, Hit]] = []
        self._advanced = 0
        self._last: Record | None = None

    async def next(self) -> Hit | None:
        if not self._advanced:
            for child in self._children:
                await self._advance(child)
        while self._heads:
            _, _, child, hit = heapq.heappop(self._heads)
            await self._advance(child)
            if hit.record is not self._last:
                self._last = hit.record
                return hit
        return None

    async def _advance(self, child: _AnyScan | _RowIdIntersection) -> None:
        self._advanced += 1
        if (hit := await child.next()) is not None:
            # of those with the same key the one that came last is the first
            heapq.heappush(self._heads, (hit.record.key, -self._advanced, child, hit))


class _SortedRowIds(_RowIdSources[_AnyScan]):
    """The keys that any child has, sorted when all have been scanned."""

    def __init__(self, children: Sequence[_AnyScan], passed: Sequence[Range]) -> None:
        super().__init__(children)
        self._passed = passed
        self._found: list[Hit] | None = None

    async def next(self) -> Hit | None:
        if self._found is None:
            found: dict[Key, Hit] = {}
            for child in self._children:
                while (hit := await child.next()) is not None:
                    if not _is_in(hit.record.key, self._passed):
                        found[hit.record.key] = hit
            self._found = [found[key] for key in sorted(found, reverse=True)]
        return self._found.pop() if self._found else None


class _RowLookup:
    """The rows of keys, each looked up; then those of a last scan."""

    def __init__(
        self,
        keys: _RowIdIntersection | _RowIdUnion | _SortedRowIds,
        rows: RowOperations,
        table: Table,
        reading: Reading,
        last: _AnyScan | None = None,
    ) -> None:
        self._keys = keys
        self._rows = rows
        self._table = table
        self._reading = _child(reading)
        self._last = last
        self._current: _AnyScan | None = None
        self._looked_up = 0
        self._done = False

    @property
    def examined(self) -> int:
        return self._keys.examined + self._looked_up + (self._last.examined if self._last else 0)

    async def next(self) -> Hit | None:
        while not self._done:
            hit = await self._keys.next()
            if hit is None:
                self._done = True
                break
            key = hit.record.key
            path = AccessPath(
                self._table, self._table.clustered, [Range(key, key, exact=True)], covering=True, access="const"
            )
            self._current = path.open(self._rows, self._reading)
            found = await self._current.next()
            self._looked_up += self._current.examined
            if found is not None:
                return found
            self._done = self._reading.policy is WaitPolicy.SKIP_LOCKED and not hit.record.deleted
        self._current = self._last
        return await self._last.next() if self._last else None

    async def reread(self) -> Hit | None:
        return await self.next()

    def unlock_row(self) -> None:
        if self._current is not None:
            self._current.unlock_row()


MergeScan: TypeAlias = _AnyScan | _RowIdIntersection | _RowLookup
"""What gives the rows of a merge, one by one."""
