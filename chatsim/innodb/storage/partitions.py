"""Partitions of a table: each has indexes of its own, with a supremum and locks of their own (manual, "Partitioning").

To the optimizer an index of a partitioned table is one, whose rows it counts; a scan goes through the partitions, one
after the other, or through all at once where an order is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.structures import Index, Record, TableLocks, Transaction
from chatsim.innodb.storage.values import Key, Value

__all__ = ["MAXVALUE", "Partition", "PartitionedIndex", "Partitioning", "column_place"]

MAXVALUE = (2,)
"""The place of MAXVALUE among the values of a column."""


def column_place(key: object) -> tuple[Any, ...]:
    """The place of a value of a column among the bounds of partitions of several columns, by its sort key or None."""
    return (0,) if key is None else (1, key)


@dataclass(eq=False)
class Partition:
    """A part of a table's rows.

    Attributes:
        name: its name.
        indexes: its indexes, the clustered one first.
        locks: the locks on it; `data_locks` shows them as locks on the table.
    """

    name: str
    indexes: list[Index]
    locks: TableLocks

    @property
    def clustered(self) -> Index:
        """The rows, in the order of the primary key."""
        return self.indexes[0]

    @property
    def secondary(self) -> Sequence[Index]:
        """The other indexes."""
        return self.indexes[1:]


@dataclass(eq=False)
class Partitioning:
    """How a table is divided.

    Attributes:
        kind: HASH, KEY, RANGE or LIST.
        columns: the columns that decide about the partition of a row.
        number_of: gives the number of the partition for values of these columns. Raises a `DatabaseError` (1526).
        strictly: whether the partitions follow the order of the only column, which is an integer or a date (RANGE), so
            that neighbours of a value are in the same one or the next.
        monotonic: whether they follow the order of an expression that grows with the column.
        listed: the values of each partition of LIST; of several columns the places of rows, with its number.
        bounds: the sort keys of the upper bounds of RANGE, if it goes by the column itself; of several columns the
            places of rows.
        partitions: the partitions.
        key: an index of these columns, which has no records: it is only for range analysis.
    """

    kind: str
    columns: tuple[int, ...]
    number_of: Callable[[Sequence[Value]], int]
    strictly: bool = False
    monotonic: bool = False
    listed: Sequence[Any] = ()
    bounds: Sequence[Any] = ()
    partitions: list[Partition] = field(default_factory=list)
    key: Index = field(init=False)

    def home(self, row: Sequence[Value]) -> Partition:
        """The partition of a row. Raises a `DatabaseError` (1526) if there is none."""
        return self.partitions[self.number_of([row[at] for at in self.columns])]


class PartitionedIndex(Index):
    """An index of a partitioned table, as the optimizer sees it: the indexes of some partitions.

    Args:
        definition: its name and columns.
        columns: the columns of its table.
        parts: the indexes, one for each partition.
        original: the index with all partitions, of which this is a part.
    """

    def __init__(
        self,
        definition: IndexDefinition,
        columns: Sequence[Column],
        parts: Sequence[Index],
        original: PartitionedIndex | None = None,
    ) -> None:
        self._maker: Transaction | None = None
        self._original = original
        super().__init__(definition, columns)
        self.parts = tuple(parts)
        self._views: dict[frozenset[int], PartitionedIndex] = {}

    @property
    def original(self) -> Index:
        """The index with all partitions."""
        return self._original or self

    @property
    def made(self) -> Transaction | None:
        """The transaction that created it."""
        return self._maker if self._original is None else self._original.made

    @made.setter
    def made(self, maker: Transaction | None) -> None:
        self._maker = maker

    def among(self, used: Collection[int]) -> PartitionedIndex:
        """The index with some partitions only."""
        key = frozenset(used)
        if len(key) == len(self.parts):
            return self
        if key not in self._views:
            parts = [self.parts[at] for at in sorted(key)]
            self._views[key] = PartitionedIndex(self.definition, self._columns, parts, self)
        return self._views[key]

    def __len__(self) -> int:
        return sum(len(each) for each in self.parts)

    def __iter__(self) -> Iterator[Record]:
        return chain.from_iterable(self.parts)

    def count(self, low: Key | None, high: Key | None, *, low_included: bool, high_included: bool) -> int:
        """The number of records between two prefixes, in all its partitions."""
        return sum(each.count(low, high, low_included=low_included, high_included=high_included) for each in self.parts)
