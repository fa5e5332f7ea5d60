"""Scans of partitioned tables: partition by partition, or merged in the order of the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chatsim.db.mysql import database_error
from chatsim.innodb.storage.partitions import PartitionedIndex
from chatsim.innodb.storage.rows import RowOperations
from chatsim.innodb.storage.scan import AccessPath, Hit, Range, Reading, Scan
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.values import Key, Value, has_null

__all__ = ["PartitionedScan"]


class PartitionedScan:
    """One scan along an access path of a partitioned table. It has the methods of `Scan`.

    In an order, the first row of every partition is read, and locked, before the first one is given.

    Args:
        rows: takes the locks of the transaction.
        path: the access path.
        reading: how it reads.

    Raises:
        DatabaseError: the index was made after the snapshot of the transaction (1412).
    """

    def __init__(self, rows: RowOperations, path: AccessPath, reading: Reading) -> None:
        index = path.index
        assert isinstance(index, PartitionedIndex)
        if rows.trx.view is not None and not rows.trx.view.sees(index.made):
            raise database_error(1412, "Table definition has changed, please retry transaction")
        self._rows, self._path, self._reading, self._index = rows, path, reading, index
        self._ranges = iter(path.ranges)
        self._scans: list[Scan] | None = None  # of the range, which have not ended
        self._heads: dict[Scan, Hit] = {}  # the next row of each, in an order
        self._current: Scan | None = None  # the one that has given the latest row
        self._ended = 0
        self._begun: set[Index] = set()

    @property
    def examined(self) -> int:
        """How many records it has examined."""
        return self._ended + sum(each.examined for each in self._scans or ())

    async def next(self) -> Hit | None:
        """The next row, or None at the end. Raises as `Scan.next` does."""
        while True:
            if self._scans is None:
                span = next(self._ranges, None)
                if span is None:
                    return None
                self._scans = [self._scan(part, span) for part in self._parts(span)]
                self._current = None
                ordered = self._path.in_order and len(self._scans) > 1
                self._heads = {}
                if ordered:
                    for scan in list(self._scans):
                        await self._advance(scan)
            hit = await (self._least() if self._path.in_order else self._following())
            if hit is not None:
                return hit
            self._scans = None

    async def reread(self) -> Hit | None:
        """The row of a semi-consistent read, now locked; or the next row, if it no longer exists."""
        assert self._current is not None
        return await self._current.reread() or await self.next()

    def unlock_row(self) -> None:
        """Release the lock of the last row, which does not match the condition, at READ COMMITTED."""
        if self._current is not None:
            self._current.unlock_row()

    def _scan(self, part: Index, span: Range) -> Scan:
        return Scan(self._rows, replace(self._path, index=part, ranges=[span]), self._reading)

    def _parts(self, span: Range) -> Sequence[Index]:
        """The indexes in which there may be rows of a range: of one value there is only one."""
        partitioning = self._path.table.partitioning
        assert partitioning is not None
        place, key = self._index.definition.place, span.low or ()
        exact = span.exact and not has_null(key) and not self._index.definition.descending
        if not exact or not {*partitioning.columns} <= {*place[: len(key)]}:
            return self._index.parts
        home = partitioning.partitions[partitioning.number_of(_values(key, place, partitioning.columns))]
        return [each for each in self._index.parts if each.home is home]

    async def _following(self) -> Hit | None:
        """The next row of the partitions, one after the other."""
        assert self._scans is not None
        while self._scans:
            self._current = self._scans[0]
            hit = await self._read(self._current)
            if hit is not None:
                return hit
            self._end(self._current)
        return None

    async def _least(self) -> Hit | None:
        """The next row in the order of the index, of all partitions."""
        assert self._scans is not None
        if len(self._scans) == 1 and not self._heads:
            return await self._following()
        if self._current is not None:
            await self._advance(self._current)
        if not self._heads:
            return None
        keys = {scan: self._index.key_of(hit.row) for scan, hit in self._heads.items()}
        choose = max if self._path.descending else min
        self._current = choose(keys, key=lambda scan: keys[scan])
        return self._heads.pop(self._current)

    async def _advance(self, scan: Scan) -> None:
        """Read the next row of a partition."""
        hit = await self._read(scan)
        if scan.stop_found:
            for each in self._scans or ():  # the server notes it for all partitions that are read together
                each.stop_found = True
        if hit is None:
            self._end(scan)
        else:
            self._heads[scan] = hit

    async def _read(self, scan: Scan) -> Hit | None:
        index = scan.index
        if index not in self._begun:
            self._begun.add(index)
            if self._reading.mode is not None:
                await self._rows.lock_partition(index.home, "IX" if self._reading.mode == "X" else "IS")
        return await scan.next()

    def _end(self, scan: Scan) -> None:
        assert self._scans is not None
        self._scans.remove(scan)
        self._ended += scan.examined


def _values(key: Key, place: Sequence[int], columns: Sequence[int]) -> list[Value]:
    """The values of columns in a key of numbers and times, whose sort keys are the values."""
    return [key[place.index(at)] for at in columns]  # type: ignore[misc]
