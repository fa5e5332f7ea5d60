"""The data structures of the storage engine: indexes and records, lock structures, versions, transactions.

They refer to each other (a record has locks, a lock has a transaction, a transaction has undo records, an undo record
has a record), so they are declared together, and all other modules import them from here. The operations on them are in
`locks`, `mvcc`, `undo`, `purge`, `scan` and `rows`.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from sortedcontainers import SortedDict

from chatsim.db.deadlock import LockKind, Mode
from chatsim.db.session import Isolation
from chatsim.innodb.storage.column_types import TypedArray
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.record_size import record_size
from chatsim.innodb.storage.values import HIGHEST, NULL, ArrayValue, Key, Value, descending

__all__ = [
    "EntryChange",
    "Index",
    "LockState",
    "Page",
    "ReadView",
    "Record",
    "RecordLock",
    "TableLock",
    "TableLocks",
    "TableMode",
    "Transaction",
    "UndoRecord",
    "Version",
]

TableMode: TypeAlias = Literal["IS", "IX", "S", "X", "AUTO_INC"]
"""The modes of table locks that statements about rows need."""

# -- indexes and records


class Record:
    """A record of an index: a row of the clustered index, an entry of a secondary index, or the supremum of a page.

    Attributes:
        index: the index that it is in.
        page: the page that it is on.
        key: its key in the index; empty for a supremum.
        row: the columns of a row; or the columns of an entry, with those of the primary key at the end.
        writer: the transaction that changed it last; None if that has been purged.
        deleted: whether it is delete-marked: new readers do not see it; it stays in the index until the purge.
        older: the version before the writer's, in a clustered record.
        locks: the queue of locks on it, granted ones first.
        heap: its number in the order in which the records came to the page.
        gone: whether it has been removed from the index.
        following: the next record in key order; after the last one of a page, its supremum, and then the next page.
        previous: the record before it; before the first one, the last supremum.
    """

    __slots__ = (
        *("deleted", "following", "gone", "heap", "index", "key"),
        *("locks", "older", "page", "previous", "row", "writer"),
    )

    def __init__(self, page: Page, key: Key, row: Sequence[Value], writer: Transaction | None, heap: int) -> None:
        self.index: Final = page.index
        self.page = page
        self.key = key
        self.row = row
        self.writer = writer
        self.deleted = False
        self.older: Version | None = None
        self.locks: list[RecordLock] = []
        self.heap = heap
        self.gone = False
        self.following: Record = self
        self.previous: Record = self

    @property
    def is_supremum(self) -> bool:
        """Whether it is a supremum, after all records of its page."""
        return self is self.page.supremum

    def __repr__(self) -> str:
        return f"{self.index.definition.name}{'(supremum)' if self.is_supremum else self.key}"


class Page:
    """A page of an index: some records that follow each other, and the supremum behind them.

    The pages above these leaves, by which a search finds the page of a key, are not modelled. A new index is one page,
    the root, which is a leaf then. `pages` says when a page is split and when it is merged with another one.

    Attributes:
        index: the index.
        supremum: the record behind its last one.
        structures: the lock structures on it.
        count: the number of its records.
        used: the bytes that they take.
        heap: the number of the next record that comes to it.
        last_insert: the record that was inserted last, if none has been removed since.
        is_root: whether it is the root.
    """

    __slots__ = ("count", "heap", "index", "is_root", "last_insert", "structures", "supremum", "used")

    def __init__(self, index: Index, *, is_root: bool = False) -> None:
        self.index: Final = index
        self.is_root = is_root
        self.structures: dict[RecordLock, None] = {}
        self.count = self.used = self.heap = 0
        self.last_insert: Record | None = None
        self.supremum: Final = Record(self, (), (), None, -1)


class Index:
    """One index of a table: its records in key order. The clustered index is the table itself.

    The records and the suprema are a linked list, so that a scan moves on in one step. A sorted list of keys finds
    where to start.

    Args:
        definition: its name and columns.
        columns: the columns of its table.

    Attributes:
        home: the partition that it is of; None if its table has no partitions.
        is_shared: whether sessions share it, so that its records are locked: not that of a temporary table.
        reads: the number of its records that scans have examined.
        made: the transaction that created it; None if every read view sees the index.
        pages: its pages, in the order of their records.
        lows: the least key that a search looks for on each page but the first.
        supremum: the supremum of the last page. The linked list closes there.
    """

    def __init__(self, definition: IndexDefinition, columns: Sequence[Column] = ()) -> None:
        self.definition = definition
        self._columns = columns
        self._key_parts = [(at, columns[at].type.order) for at in definition.place] if columns else []
        self._plain = not definition.lengths and not definition.descending
        self._records: SortedDict[Key, Record] = SortedDict()
        self.home: Any = None
        self.is_shared = True
        self.reads = 0
        self.made: Transaction | None = None
        self.pages: list[Page]
        self.lows: list[Key]
        self.supremum: Record
        self.empty()

    @property
    def original(self) -> Index:
        """The index itself; of a view of some partitions, the index with all of them."""
        return self

    @cached_property
    def size_of(self) -> Callable[[Sequence[Value]], int]:
        """Gives the bytes that a record takes on a page, for its columns."""
        return record_size(self.definition, self._columns)

    def empty(self) -> None:
        """Remove all records, and pages, at once, as if there had been none."""
        self._records.clear()
        self.pages = [Page(self, is_root=True)]
        self.lows = []
        self.supremum = self.pages[0].supremum

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """The records in order, including delete-marked ones."""
        return iter(self._records.values())

    def key_of(self, row: Sequence[Value]) -> Key:
        """The key of a row in the index."""
        key = tuple([NULL if (value := row[at]) is None else order(value) for at, order in self._key_parts])
        return key if self._plain else self.own_key(key)

    def own_key(self, key: Key) -> Key:
        """A key in the index, from the sort keys of its first columns: cut off, or turned round, as it has them."""
        return key if self._plain else tuple(self.own_part(part, each) for part, each in enumerate(key))

    def prefix_order(self, column: int, key: object, length: int) -> object:
        """The sort key of a prefix of a column's value, from the sort key of the value."""
        return self._columns[column].type.prefix_order(key, length)

    def own_part(self, part: int, key: object) -> object:
        """A part of a key in the index, from the sort key of its column."""
        column = self.definition.place[part]
        if (length := self.definition.length(part)) and key is not NULL:
            key = self.prefix_order(column, key, length)
        return descending(key) if column in self.definition.descending else key

    def entry_of(self, row: Sequence[Value]) -> Sequence[Value]:
        """The columns of a row that the index has."""
        definition = self.definition
        if definition.clustered:
            return row
        if not definition.lengths:
            return tuple(row[at] for at in definition.place)
        parts = zip(definition.place, definition.lengths, strict=True)
        return tuple(self._cut(at, row[at], length) if length else row[at] for at, length in parts)

    def parts_of(self, row: Sequence[Value]) -> Sequence[Sequence[Value]]:
        """A row as each of its entries has it: once; in a multi-valued index, with each element of its array.

        An empty array has no element, so that there is no entry. NULL has one.
        """
        at = self.definition.array
        if at is None or not isinstance(array := row[at], ArrayValue):
            return (row,)
        return [(*row[:at], element, *row[at + 1 :]) for element in array.elements]

    def part_at(self, key: Key, row: Sequence[Value]) -> Sequence[Value] | None:
        """A row as its entry with a key has it; None if the row has no entry with this key."""
        if self.definition.array is None:
            return row if self.key_of(row) == key else None
        return next((part for part in self.parts_of(row) if self.key_of(part) == key), None)

    def _cut(self, column: int, value: Value, length: int) -> Value:
        return None if value is None else self._columns[column].type.prefix(value, length)

    def shown(self, column: int, value: Value) -> str:
        """A value of a column of the table as ``data_locks`` shows it."""
        return "NULL" if value is None else self._columns[column].type.shown(value)

    def shown_duplicate(self, row: Sequence[Value]) -> list[Value]:
        """The values of a row that error 1062 shows."""
        width, found = len(self.definition.columns), list(self.entry_of(row))
        if self.definition.clustered:
            return [row[at] for at in self.definition.columns]
        for part, at in enumerate(self.definition.columns):
            if isinstance(array := found[part], ArrayValue) and isinstance(kind := self._columns[at].type, TypedArray):
                found[part] = kind.in_error(array)
        return found[:width]

    def changes_size(self, old: Sequence[Value], new: Sequence[Value]) -> bool:
        """Whether an update changes the size of some column of a row."""
        columns = zip(self._columns, old, new, strict=True)
        return any(column.type.stored(before) != column.type.stored(after) for column, before, after in columns)

    def get(self, key: Key) -> Record | None:
        """The record with exactly this key, or None."""
        return self._records.get(key)

    def first_at(self, key: Key) -> Record:
        """The first record that begins with ``key`` or is after it; the last supremum if there is none."""
        return self._at(self._records.bisect_left(key))

    def at_or_after(self, key: Key) -> Record:
        """Where a search for ``key`` and what follows begins: `first_at`, or a supremum before it.

        A search looks for a key, or what begins with it, on the last page whose least key is less.
        """
        record = self._at(self._records.bisect_left(key))
        return self._on_page(record, bisect_left(self.lows, key)) if self.lows else record

    def after(self, key: Key) -> Record:
        """Where a search for what follows all that begin with ``key`` begins."""
        end = (*key, HIGHEST)
        record = self._at(self._records.bisect_left(end))
        return self._on_page(record, bisect_left(self.lows, end)) if self.lows else record

    def successor(self, key: Key) -> Record:
        """The record before which a new one with this key is inserted, on the same page."""
        record = self._at(self._records.bisect_right(key))
        return self._on_page(record, bisect_right(self.lows, key)) if self.lows else record

    def page_of(self, key: Key) -> Page:
        """The page on which a record with this key is, or would be."""
        return self.pages[bisect_right(self.lows, key)]

    def _on_page(self, record: Record, number: int) -> Record:
        page = self.pages[number]
        return record if record.page is page else page.supremum

    def count(self, low: Key | None, high: Key | None, *, low_included: bool, high_included: bool) -> int:
        """The number of records between two prefixes. The optimizer uses it for an index dive."""
        first, last = 0, len(self._records)
        if low is not None:
            first = self._records.bisect_left(low if low_included else (*low, HIGHEST))
        if high is not None:
            last = self._records.bisect_left((*high, HIGHEST) if high_included else high)
        return max(last - first, 0)

    def insert(self, key: Key, row: Sequence[Value], writer: Transaction | None) -> Record:
        """Insert a record. There must be no record with this key."""
        return self.insert_before(self.successor(key), key, row, writer, self.size_of(row))

    def insert_before(
        self, following: Record, key: Key, row: Sequence[Value], writer: Transaction | None, size: int
    ) -> Record:
        """Insert a record of some bytes before its successor."""
        page = following.page
        record = Record(page, key, row, writer, page.heap)
        page.heap += 1
        page.count += 1
        page.used += size
        page.last_insert = record
        record.following, record.previous = following, following.previous
        record.previous.following = following.previous = record
        self._records[key] = record
        return record

    def remove(self, record: Record) -> None:
        """Remove a record. Its own pointers remain, for scans that are at it."""
        del self._records[record.key]
        page = record.page
        page.count -= 1
        page.used -= self.size_of(record.row)
        page.last_insert = None
        record.previous.following = record.following
        record.following.previous = record.previous
        record.gone = True

    @property
    def lock_structures(self) -> int:
        """The number of lock structures on its pages."""
        return sum(len(page.structures) for page in self.pages)

    def _at(self, position: int) -> Record:
        return self._records.peekitem(position)[1] if position < len(self._records) else self.supremum


# -- locks


class RecordLock:
    """A lock structure: the records of one page that a transaction has locked in one mode and kind, or waits to lock.

    Attributes:
        trx: the transaction.
        page: the page of the records.
        mode: S or X.
        kind: the part of each record that it covers. On the supremum it is only the gap.
        records: the locked records; only one while it waits.
        waiting: whether it has not been granted yet.
        queue_position: the order in the queues of records: negative if granted, the newest one lowest; positive if
            waiting.
    """

    __slots__ = ("kind", "mode", "page", "queue_position", "records", "trx", "waiting")

    def __init__(self, trx: Transaction, page: Page, mode: Mode, kind: LockKind, queue_position: int) -> None:
        self.trx: Final = trx
        self.page = page
        self.mode: Final[Mode] = mode
        self.kind: Final = kind
        self.records: dict[Record, None] = {}
        self.waiting = queue_position > 0
        self.queue_position = queue_position


class TableLock:
    """A lock on a table: an intention to lock rows (IS, IX), the AUTO-INC lock, or a lock of LOCK TABLES (S, X).

    The last never has to wait here, for the table's definition is locked before.
    """

    __slots__ = ("mode", "queue", "trx", "waiting")

    def __init__(self, trx: Transaction, queue: TableLocks, mode: TableMode) -> None:
        self.trx: Final = trx
        self.queue: Final = queue
        self.mode: Final[TableMode] = mode
        self.waiting = False


@dataclass(eq=False)
class TableLocks:
    """The locks on one table.

    Attributes:
        table: its name.
        granted: the granted locks, by transaction and mode.
        auto_inc: the AUTO-INC locks, granted and waiting, in order.
    """

    table: str
    granted: dict[tuple[Transaction, TableMode], TableLock] = field(default_factory=dict)
    auto_inc: deque[TableLock] = field(default_factory=deque)


@dataclass(eq=False, slots=True)
class LockState:
    """The locks of one transaction, and its wait for one (InnoDB's ``trx_lock_t``).

    Attributes:
        structures: the lock structures that it holds or waits for, oldest first.
        similar: its newest granted record lock for each page, mode and kind. Further records are added to this one.
        wait_lock: the lock that it waits for.
        blocking_trx: the transaction that it waits for; the first one found, if there are several.
        reservation_no: the number of its wait, in the order in which waits began.
        inherit_all: whether the gap inherits its locks on removed records at READ COMMITTED too, for a uniqueness check
            of the current statement.
        wait_event: the event that ends its wait.
        wait_error: the error of a wait that has ended before the transaction slept.
    """

    structures: list[RecordLock | TableLock] = field(default_factory=list)
    similar: dict[tuple[Page, Mode, LockKind], RecordLock] = field(default_factory=dict)
    wait_lock: RecordLock | TableLock | None = None
    blocking_trx: Transaction | None = None
    reservation_no: int = 0
    inherit_all: bool = False
    wait_event: asyncio.Future[None] | None = None
    wait_error: BaseException | None = None

    async def wait(self, lock: RecordLock | TableLock, seconds: float) -> bool:
        """Wait until a request is granted, or must be made again. Returns False if it still waits after ``seconds``.

        Raises:
            DeadlockError: the transaction was chosen as the victim of a deadlock. The request was cancelled.
        """
        if self.wait_lock is lock:
            event = self.wait_event = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait([event], timeout=seconds)
            finally:
                self.wait_event = None
                if event.done():
                    self.wait_error = event.exception() or self.wait_error
            if not event.done():
                return False
        if (error := self.wait_error) is not None:
            self.wait_error = None
            raise error
        return True


# -- versions and transactions


@dataclass(slots=True)
class Version:
    """An older version of a row.

    Attributes:
        row: its columns.
        writer: the transaction that wrote it; None if that has been purged.
        deleted: whether the row was deleted in this version.
        older: the version before it.
    """

    row: Sequence[Value]
    writer: Transaction | None
    deleted: bool
    older: Version | None


class EntryChange(Enum):
    """A change of an entry of a secondary index."""

    INSERTED = "inserted, or its delete mark removed"
    DELETE_MARKED = "delete-marked"


@dataclass(slots=True)
class UndoRecord:
    """The data to undo one change of a row, and to purge what it has replaced.

    Attributes:
        indexes: the indexes of the row's table, the clustered one first.
        record: the row's clustered record.
        before: the version before; None if there was no row.
        entries: the changes of secondary entries, in order, each with its previous writer.
    """

    indexes: Sequence[Index]
    record: Record
    before: Version | None
    entries: list[tuple[Record, EntryChange, Transaction | None]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Transaction:
    """One transaction of a session.

    Attributes:
        session: the number of its session.
        isolation: its isolation level.
        active: whether it has neither been committed nor rolled back.
        serial: the number of its commit, in the order of commits.
        view: the read view of its consistent reads. At REPEATABLE READ and above it is opened by the first of them.
        undo_log: its changes, oldest first.
        locks: its locks.
        prepared: whether it is a prepared branch of a distributed transaction, which has left its session.
    """

    session: int
    isolation: Isolation
    active: bool = True
    serial: int = 0
    view: ReadView | None = None
    undo_log: list[UndoRecord] = field(default_factory=list)
    locks: LockState = field(default_factory=LockState)
    prepared: bool = False

    @property
    def locks_gaps(self) -> bool:
        """Whether its searches lock gaps."""
        return self.isolation in (Isolation.REPEATABLE_READ, Isolation.SERIALIZABLE)

    @property
    def weight(self) -> int:
        """The weight that decides about the victim of a deadlock: its lock structures plus its undo records."""
        return len(self.locks.structures) + len(self.undo_log)


class ReadView:
    """A read view: a consistent read sees what was committed when the view was opened, and its own changes.

    Args:
        owner: the transaction that reads.
        committed: the number of the last commit.
    """

    __slots__ = ("committed", "owner")

    def __init__(self, owner: Transaction, committed: int) -> None:
        self.owner = owner
        self.committed = committed

    def sees(self, writer: Transaction | None) -> bool:
        """Whether the changes of ``writer`` are visible."""
        return writer is None or writer is self.owner or (not writer.active and writer.serial <= self.committed)
