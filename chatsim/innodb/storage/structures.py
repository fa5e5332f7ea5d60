"""The data structures of the storage engine: indexes and records, lock structures, versions, transactions.

They refer to each other in every direction (a record has locks, a lock has a transaction, a transaction has undo
records, an undo record has a record), so they are declared together, and every other module imports them from here.
What is done with them is elsewhere: `locks`, `mvcc`, `undo`, `purge`, `scan`, `rows`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, TypeAlias

from sortedcontainers import SortedDict

from chatsim.db.deadlock import LockKind, Mode
from chatsim.db.session import Isolation
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.values import HIGHEST, NULL, Key, Value

__all__ = [
    "EntryChange",
    "Index",
    "LockState",
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

TableMode: TypeAlias = Literal["IS", "IX", "AUTO_INC"]
"""The modes of table locks that statements about rows need."""

# -- indexes and records


class Record:
    """A record of an index: a row of the clustered index, an entry of a secondary index, or the supremum.

    Attributes:
        index: the index that it is in.
        key: its place in the index; empty for the supremum.
        row: a clustered record's columns; an entry's columns, those of the primary key at the end.
        writer: the transaction that changed it last; None when that was before the history that is kept.
        deleted: it is delete-marked: gone for new readers, in the index until purge removes it.
        older: the version of a clustered record before its writer's.
        locks: the queue of locks on it, granted ones first.
        heap: its number in the order in which the records of the index were inserted.
        gone: it has been removed from the index.
        following: the next record in key order; behind the last one the supremum.
        previous: the record before it; before the first one the supremum.
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
        """Whether it stands behind all records of its index."""
        return self is self.index.supremum

    def __repr__(self) -> str:
        return f"{self.index.definition.name}{'(supremum)' if self.is_supremum else self.key}"


class Index:
    """One index of a table: its records in key order; the clustered index is the table itself.

    The records are a linked list, so that a scan moves on in one step; the sorted keys beside it find where to start.

    Args:
        definition: its name and columns.
        columns: the columns of its table.

    Attributes:
        lock_structures: how many lock structures there are on it.
        reads: how many of its records scans have examined.
        made: the transaction that created it; None if every read view sees the index.
        supremum: stands behind the last record; the linked list closes there.
    """

    def __init__(self, definition: IndexDefinition, columns: Sequence[Column] = ()) -> None:
        self.definition: Final = definition
        self._columns = columns
        self._key_parts = [(at, columns[at].type.order) for at in definition.place] if columns else []
        self._records: SortedDict[Key, Record] = SortedDict()
        self._heap = 0
        self.lock_structures = 0
        self.reads = 0
        self.made: Transaction | None = None
        self.supremum: Final = Record(self, (), (), None, -1)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """The records in order, delete-marked ones among them."""
        return iter(self._records.values())

    def key_of(self, row: Sequence[Value]) -> Key:
        """The place of a table's row in the index."""
        return tuple([NULL if (value := row[at]) is None else order(value) for at, order in self._key_parts])

    def entry_of(self, row: Sequence[Value]) -> Sequence[Value]:
        """The columns of a table's row that the index keeps."""
        return row if self.definition.clustered else tuple(row[at] for at in self.definition.place)

    def changes_size(self, old: Sequence[Value], new: Sequence[Value]) -> bool:
        """Whether a row of the table takes another amount of room in some column after an update."""
        columns = zip(self._columns, old, new, strict=True)
        return any(column.type.stored(before) != column.type.stored(after) for column, before, after in columns)

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
        """Put a record in its place; there must not be one with that key."""
        record = Record(self, key, row, writer, self._heap)
        self._heap += 1
        record.following = self.at_or_after(key)
        record.previous = record.following.previous
        record.previous.following = record.following.previous = record
        self._records[key] = record
        return record

    def remove(self, record: Record) -> None:
        """Remove a record. Its own pointers stay, for scans that stand on it."""
        del self._records[record.key]
        record.previous.following = record.following
        record.following.previous = record.previous
        record.gone = True

    def _at(self, position: int) -> Record:
        return self._records.peekitem(position)[1] if position < len(self._records) else self.supremum


# -- locks


class RecordLock:
    """A lock structure: records of one index that a transaction has locked in one mode and kind, or waits to lock.

    InnoDB keeps such a structure, with a bitmap of records, for each page; here an index is one page.

    Attributes:
        trx: the transaction.
        index: the index of the records.
        mode: S or X.
        kind: what it covers of each record; on the supremum there is only the gap before it.
        records: the locked records; just one while it waits.
        waiting: it has not been granted yet.
        queue_position: the order in the records' queues: below 0 when granted, the newest lowest; above 0 when waiting.
    """

    __slots__ = ("index", "kind", "mode", "queue_position", "records", "trx", "waiting")

    def __init__(self, trx: Transaction, index: Index, mode: Mode, kind: LockKind, queue_position: int) -> None:
        self.trx: Final = trx
        self.index: Final = index
        self.mode: Final[Mode] = mode
        self.kind: Final = kind
        self.records: dict[Record, None] = {}
        self.waiting = queue_position > 0
        self.queue_position = queue_position


class TableLock:
    """A lock on a table: an intention to lock rows (IS, IX), or the AUTO-INC lock."""

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
        granted: by transaction and mode.
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
        similar: its newest granted record lock of each index, mode and kind: further records are added to that one.
        wait_lock: the lock that it waits for.
        blocking_trx: the transaction that it waits for; of several the one found first.
        reservation_no: the number of its wait, in the order in which waits began.
        inherit_all: a uniqueness check of the current statement needs its locks on removed records to be inherited by
            the gap, at READ COMMITTED as well.
        wait_event: what it sleeps on.
        wait_error: how the wait ended, when it ended with an error before the transaction slept.
    """

    structures: list[RecordLock | TableLock] = field(default_factory=list)
    similar: dict[tuple[Index, Mode, LockKind], RecordLock] = field(default_factory=dict)
    wait_lock: RecordLock | TableLock | None = None
    blocking_trx: Transaction | None = None
    reservation_no: int = 0
    inherit_all: bool = False
    wait_event: asyncio.Future[None] | None = None
    wait_error: BaseException | None = None

    async def wait(self, lock: RecordLock | TableLock, seconds: float) -> bool:
        """Wait until a request is granted, or is to be made again; False if it still waits after so many seconds.

        Raises:
            DeadlockError: the transaction was chosen as the victim of a deadlock; the request is gone.
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
        writer: the transaction that wrote it; None when that was before the history that is kept.
        deleted: the row was deleted then.
        older: the version before it.
    """

    row: Sequence[Value]
    writer: Transaction | None
    deleted: bool
    older: Version | None


class EntryChange(Enum):
    """What was done to an entry of a secondary index."""

    INSERTED = "inserted, or its delete mark removed"
    DELETE_MARKED = "delete-marked"


@dataclass(slots=True)
class UndoRecord:
    """What is needed to take back one change of a row, and to purge what it replaced.

    Attributes:
        indexes: those of the row's table, the clustered one first.
        record: the row's clustered record.
        before: its version before; None if the row was not there.
        entries: what was done to secondary entries, in order, and who had written each before.
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
        isolation: its level.
        active: it has neither committed nor been rolled back.
        serial: the number of its commit, in the order of commits.
        view: what its plain reads see, at REPEATABLE READ and above from the first of them on.
        undo_log: what it has changed, oldest first.
        locks: its locks.
    """

    session: int
    isolation: Isolation
    active: bool = True
    serial: int = 0
    view: ReadView | None = None
    undo_log: list[UndoRecord] = field(default_factory=list)
    locks: LockState = field(default_factory=LockState)

    @property
    def locks_gaps(self) -> bool:
        """Whether its searches lock gaps."""
        return self.isolation in (Isolation.REPEATABLE_READ, Isolation.SERIALIZABLE)

    @property
    def weight(self) -> int:
        """By what the victim of a deadlock is chosen: the number of its lock structures and undo records."""
        return len(self.locks.structures) + len(self.undo_log)


class ReadView:
    """What a consistent read sees: what had been committed when the view was opened, and its own changes.

    Args:
        owner: the transaction that reads.
        committed: the number of the last commit.
    """

    __slots__ = ("committed", "owner")

    def __init__(self, owner: Transaction, committed: int) -> None:
        self.owner = owner
        self.committed = committed

    def sees(self, writer: Transaction | None) -> bool:
        """Whether what ``writer`` did is visible."""
        return writer is None or writer is self.owner or (not writer.active and writer.serial <= self.committed)
