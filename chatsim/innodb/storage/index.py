"""An index: records in key order, with a supremum behind the last; the clustered index is the table itself.

Records hang together in a list, so that a scan moves on in one step; the sorted keys beside it find the place to start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sortedcontainers import SortedDict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chatsim.innodb.storage.dictionary import IndexDefinition
    from chatsim.innodb.storage.locks import RecordLock
    from chatsim.innodb.storage.mvcc import Transaction, Version
    from chatsim.innodb.storage.values import Key, Value

__all__ = ["HIGHEST", "Index", "Record"]


class Record:
    """A place in an index that locks can be on: a row, an entry of a secondary index, or the supremum.

    Attributes:
        index: which.
        key: where in it; empty for the supremum.
        row: a clustered record's columns; an entry's columns, the primary key's at the end.
        writer: who changed it last; None when that was before the history that is kept.
        deleted: delete-marked: gone for new readers, there until purge takes it away.
        older: what a clustered record was before its writer.
        locks: the queue on it, granted ones first.
        heap: counts the records of an index as they came.
        gone: it has been taken out.
    """

    __slots__ = ("deleted", "following", "gone", "heap", "index", "key", "locks", "older", "previous", "row", "writer")

    def __init__(self, index: Index, key: Key, row: Sequence[Value], writer: Transaction | None, heap: int) -> None:
        self.index: Final = index
        self.key = key
        self.row = row
        self.writer = writer
        self.deleted = False
        self.older: Version | None = None
        self.locks: list[RecordLock] = []
        self.heap: Final = heap
        self.gone = False
        self.following: Record = self
        self.previous: Record = self

    @property
    def is_supremum(self) -> bool:
        """Whether it stands behind all records."""
        return self is self.index.supremum

    def __repr__(self) -> str:
        return f"{self.index.definition.name}{'(supremum)' if self.is_supremum else self.key}"


class Index:
    """One index of a table.

    Args:
        definition: its name and columns.

    Attributes:
        structures: how many lock structures there are on it.
        reads: how many of its records have been looked at.
        made: who made it; None if all see that it is there.
        supremum: stands behind the last record; the list closes there, so the record before the first is it, too.
    """

    def __init__(self, definition: IndexDefinition) -> None:
        self.definition: Final = definition
        self._records: SortedDict[Key, Record] = SortedDict()
        self._heap = 0
        self.structures = 0
        self.reads = 0
        self.made: Transaction | None = None
        self.supremum: Final = Record(self, (), (), None, -1)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """The records in order, those that are delete-marked among them."""
        return iter(self._records.values())

    def get(self, key: Key) -> Record | None:
        """The record with exactly that key."""
        return self._records.get(key)

    def at_or_after(self, key: Key) -> Record:
        """The first record that is not before ``key``; of a prefix, the first that begins with it or comes after."""
        return self._at(self._records.bisect_left(key))

    def after(self, key: Key) -> Record:
        """The first record behind all that begin with ``key``."""
        return self._at(self._records.bisect_left((*key, HIGHEST)))

    def count(self, low: Key | None, high: Key | None, *, low_included: bool, high_included: bool) -> int:
        """How many records there are between two prefixes: what the optimizer's dive into an index finds."""
        first, last = 0, len(self._records)
        if low is not None:
            first = self._records.bisect_left(low if low_included else (*low, HIGHEST))
        if high is not None:
            last = self._records.bisect_left((*high, HIGHEST) if high_included else high)
        return max(last - first, 0)

    def insert(self, key: Key, row: Sequence[Value], writer: Transaction | None) -> Record:
        """Put a record in its place, where there must not be one with that key."""
        record = Record(self, key, row, writer, self._heap)
        self._heap += 1
        record.following = self.at_or_after(key)
        record.previous = record.following.previous
        record.previous.following = record.following.previous = record
        self._records[key] = record
        return record

    def remove(self, record: Record) -> None:
        """Take a record out. Its own pointers stay, for who stands on it."""
        del self._records[record.key]
        record.previous.following = record.following
        record.following.previous = record.previous
        record.gone = True

    def _at(self, position: int) -> Record:
        return self._records.peekitem(position)[1] if position < len(self._records) else self.supremum


class _Highest:
    """Behind every value of a key's column."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return False

    def __gt__(self, other: object) -> bool:
        return True

    def __le__(self, other: object) -> bool:
        return other is self

    def __ge__(self, other: object) -> bool:
        return True


HIGHEST = _Highest()
"""What stands behind every value."""
