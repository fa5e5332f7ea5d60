"""Loose index scan: of each group of an index only the entries are read that decide about it.

Each step is a search of its own, and locks what such a search locks: first for the last group, then for the beginning
of each group, and within it for the entries with the least and the greatest value.

Sources: MySQL manual, "GROUP BY Optimization" (Loose Index Scan); tests/conformance/schedules/loose-index-scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chatsim.innodb.storage.partitioned_scan import PartitionedScan
from chatsim.innodb.storage.rows import RowOperations
from chatsim.innodb.storage.scan import AccessPath, Hit, Range, Reading, Scan
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import NULL, Key

__all__ = ["GroupSkip", "GroupSkipScan"]


@dataclass(frozen=True)
class GroupSkip:
    """How the groups of a table are found in an index that has all columns that are read.

    Attributes:
        table: the table.
        index: the index. The groups are those of its first columns.
        width: how many columns these are.
        groups: the ranges in which the groups are, by these columns alone; none if all are wanted.
        infix: the values of the columns behind them, which are the same in all rows that are wanted.
        least: whether the least value of the next column is wanted.
        greatest: whether the greatest is.
        values: the ranges in which this column has to be, in order; none if it is not restricted.
        access: what EXPLAIN calls it.
    """

    table: Table
    index: Index
    width: int
    groups: Sequence[Range] = ()
    infix: Key = ()
    least: bool = False
    greatest: bool = False
    values: Sequence[Range] = ()
    access: str = "range"

    @property
    def columns(self) -> set[int]:
        """The columns that it searches by."""
        return {*self.index.definition.place}

    @property
    def searches_values(self) -> bool:
        """Whether a value is searched for in each group: a bound, or the first one after NULL."""
        if not self.values:
            place = self.index.definition.place
            return self.least and self.table.columns[place[self.width + len(self.infix)]].nullable
        above, below = self.values[-1].low is not None, self.values[0].high is not None
        return (self.least and above) or (self.greatest and below)

    def open(self, rows: RowOperations, reading: Reading) -> GroupSkipScan:
        """A scan. Raises as `Scan` does."""
        return GroupSkipScan(self, rows, reading)


class GroupSkipScan:
    """A scan that goes from group to group; it gives one row for each, or one with the least and one with the greatest.

    Args:
        skip: how the groups are found.
        rows: the operations of the transaction.
        reading: how it reads.

    Attributes:
        examined: how many records have been examined.
    """

    def __init__(self, skip: GroupSkip, rows: RowOperations, reading: Reading) -> None:
        self._skip = skip
        self._rows = rows
        self._reading = replace(reading, semi_consistent=False)
        self._ranges = iter(skip.groups or [Range()])
        self._range: Range | None = None
        self._group: Key | None = None  # the current one
        self._last: Key | None = None  # the last one of the index
        self._found: list[Hit] = []  # rows of the group that have not been given yet
        self._scan: Scan | PartitionedScan | None = None
        self._done = False
        self.examined = 0

    async def next(self) -> Hit | None:
        """The next row; None at the end. Raises as `Scan.next` does."""
        if self._last is None and not self._done:
            last = await self._search(Range(), down=True)
            self._last = None if last is None else self._key(last)[: self._skip.width]
            self._done = last is None
        while not self._found and not self._done:
            first = await self._next_group()
            if first is None:
                self._done = True
                break
            self._group = self._key(first)[: self._skip.width]
            self._found = await self._rows_of_group(first)
            self._done = not self._found and self._group == self._last
        return self._found.pop(0) if self._found else None

    async def reread(self) -> Hit | None:
        """The next row: no read is semi-consistent."""
        return await self.next()

    def unlock_row(self) -> None:
        """Release the lock of the record that was read last."""
        if self._scan is not None:
            self._scan.unlock_row()

    async def _next_group(self) -> Hit | None:
        """The first row of the next group."""
        while True:
            if self._range is None:
                self._range = next(self._ranges, None)
                if self._range is None:
                    return None
                hit = await self._search(self._start_of(self._range))
            else:
                assert self._group is not None
                hit = await self._search(Range(self._group, low_included=False))
            if hit is not None and not self._range.ended(self._key(hit)):
                return hit
            self._range = None

    def _start_of(self, span: Range) -> Range:
        """Where a range of groups is entered."""
        return span if span.exact else Range(span.low, low_included=span.low_included)

    async def _rows_of_group(self, first: Hit) -> list[Hit]:
        """The rows that are wanted of the current group."""
        skip = self._skip
        prefix = (*(self._group or ()), *skip.infix)
        if not skip.least and not skip.greatest:
            found = [await self._search(Range(prefix, prefix, exact=True)) if skip.infix else first]
        elif skip.least:
            least = await self._least(first, prefix)
            found = [least, await self._greatest(prefix) if least is not None and skip.greatest else None]
        else:
            found = [await self._greatest(prefix)]
        return [each for each in found if each is not None]

    async def _least(self, first: Hit, prefix: Key) -> Hit | None:
        """The row with the least value: not NULL, unless all are."""
        at = len(prefix)
        if not self._skip.values:
            hit = await self._search(Range(prefix, prefix, exact=True)) if self._skip.infix else first
            if hit is None or self._key(hit)[at] is not NULL:
                return hit
            other = await self._search(Range(self._key(hit)[: at + 1], low_included=False))
            return other if other is not None and self._key(other)[:at] == prefix else hit
        null: Hit | None = None
        latest = first
        for number, span in enumerate(self._skip.values):
            if number and span.ended(self._part(latest, at)):
                continue
            whole = Range(prefix, prefix, exact=True)
            hit = await self._search(whole if span.low is None else self._start_of(_behind(prefix, span)))
            if hit is None:
                if span.exact:
                    continue
                break
            latest = hit
            if span.exact and span.low == (NULL,):
                null = hit
            elif span.exact or (self._key(hit)[:at] == prefix and not span.ended(self._part(hit, at))):
                return hit
        return null

    async def _greatest(self, prefix: Key) -> Hit | None:
        """The row with the greatest value."""
        at = len(prefix)
        if not self._skip.values:
            return await self._search(Range(prefix, prefix, exact=True), down=True)
        for span in reversed(self._skip.values):
            within = _behind(prefix, span)
            if span.exact:
                sought = within, False
            elif span.high is None:
                sought = Range(prefix, prefix, exact=True), True
            else:
                sought = Range(None, within.high, high_included=span.high_included), True
            hit = await self._search(sought[0], down=sought[1])
            if hit is None:
                if span.exact:
                    continue
                return None
            if span.exact or (self._key(hit)[:at] == prefix and span.begun(self._part(hit, at))):
                return hit
        return None

    async def _search(self, span: Range, *, down: bool = False) -> Hit | None:
        """The first row of a range; the last one, if it is searched ``down``."""
        access = "ref" if down and span.exact else "range"
        path = AccessPath(self._skip.table, self._skip.index, [span], down, covering=True, access=access, in_order=True)
        self._scan = path.open(self._rows, self._reading)
        hit = await self._scan.next()
        self.examined += self._scan.examined
        return hit

    def _key(self, hit: Hit) -> Key:
        return self._skip.index.key_of(hit.row)

    def _part(self, hit: Hit, at: int) -> Key:
        return self._key(hit)[at : at + 1]


def _behind(prefix: Key, span: Range) -> Range:
    """A range of the column behind some values."""
    low, high = ((*prefix, *(each or ())) for each in (span.low, span.high))
    return replace(span, low=low, high=high)
