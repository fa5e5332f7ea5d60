"""Inserting, updating and deleting rows: the order in which indexes are changed, and the locks that this takes.

The clustered index comes first, then the others. An insert checks each index for duplicates before it adds its entry.
Sources: MySQL manual, "Locks Set by Different SQL Statements in InnoDB"; docs/fidelity.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from chatsim.db.deadlock import LockKind, Mode
from chatsim.db.mysql import database_error
from chatsim.innodb.storage.locks import Grant, LockSystem, WaitPolicy
from chatsim.innodb.storage.pages import insert_record
from chatsim.innodb.storage.partitions import Partition
from chatsim.innodb.storage.purge import History, purge_changes
from chatsim.innodb.storage.structures import (
    EntryChange,
    Index,
    Record,
    RecordLock,
    TableLock,
    TableMode,
    Transaction,
    UndoRecord,
    Version,
)
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.undo import roll_back, write
from chatsim.innodb.storage.values import Key, Value, as_text, has_null

__all__ = ["DuplicateError", "RowOperations"]


class DuplicateError(Exception):
    """A unique index has that key already.

    Attributes:
        table: the table.
        index: the index.
        key: the key, without the primary key's columns.
        values: the values of its columns.
    """

    def __init__(self, table: Table, index: Index, key: Key, values: Sequence[Value]) -> None:
        super().__init__(table.name, index.definition.name)
        self.table = table
        self.index = index
        self.key = key
        self.values = values

    def __str__(self) -> str:
        shown = "-".join("NULL" if value is None else as_text(value) for value in self.values)
        return f"Duplicate entry '{shown}' for key '{self.table.name}.{self.index.definition.name}'"


class RowOperations:
    """The operations of one transaction on rows: locking, inserting, updating, deleting.

    Args:
        trx: the transaction.
        locks: the server's locks.
        history: the server's history list.
        lock_wait_timeout: the longest wait for a lock, in seconds.
        duplicates: the mode in which a duplicate is locked: X if it is going to be changed.
        checks_foreign_keys: whether foreign keys are obeyed.
        after_record: awaited after each record that a scan has met, and between the entries of a row that is written;
            None if a statement goes on at once.

    Attributes:
        fetched: how many rows were read because an entry of another index led to them.
    """

    def __init__(
        self,
        trx: Transaction,
        locks: LockSystem,
        history: History,
        lock_wait_timeout: float,
        *,
        duplicates: Mode = "S",
        checks_foreign_keys: bool = True,
        after_record: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.trx = trx
        self.after_record = after_record
        self.fetched = 0
        self.checks_foreign_keys = checks_foreign_keys
        self.locks = locks
        self._history = history
        self._lock_wait_timeout = lock_wait_timeout
        self._duplicates: Mode = duplicates

    def locking_duplicates(self, mode: Mode) -> RowOperations:
        """The same operations, which lock duplicates in another mode."""
        if mode == self._duplicates:
            return self
        return RowOperations(
            *(self.trx, self.locks, self._history, self._lock_wait_timeout),
            duplicates=mode,
            checks_foreign_keys=self.checks_foreign_keys,
            after_record=self.after_record,
        )

    # -- locks

    async def lock_table(self, table: Table, mode: TableMode) -> None:
        """Lock a table. Raises `DeadlockError`, `LockWaitTimeoutError`."""
        if table.temporary or table.partitioning is not None:  # whose partitions are locked when they are used
            return
        got = self.locks.lock_table(self.trx, table.locks, mode)
        if isinstance(got, TableLock):
            await self._wait(got)

    async def lock_partition(self, partition: Partition, mode: TableMode) -> None:
        """Lock a partition of a table. Raises as `lock_table` does."""
        got = self.locks.lock_table(self.trx, partition.locks, mode)
        if isinstance(got, TableLock):
            await self._wait(got)

    async def lock(
        self,
        record: Record,
        mode: Mode,
        kind: LockKind,
        *,
        policy: WaitPolicy = WaitPolicy.WAIT,
        implicit: bool = False,
    ) -> Grant | None:
        """Lock a record; None after a wait, when the record may have changed.

        Raises:
            DeadlockError, LockWaitTimeoutError: the wait ended so.
            NotGrantedError: it would have to wait, and ``policy`` says not to.
        """
        got = self.locks.lock_record(self.trx, record, mode, kind, policy=policy, implicit=implicit)
        if isinstance(got, RecordLock):
            await self._wait(got)
            return None
        return got

    async def _wait(self, lock: RecordLock | TableLock) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            if not await self.trx.locks.wait(lock, self._lock_wait_timeout):
                raise database_error(1205, "Lock wait timeout exceeded; try restarting transaction")
        finally:
            waited = clock() - begun
            self.locks.waits.seconds += waited
            self.locks.waits.longest = max(self.locks.waits.longest, waited)
            if self.trx.locks.wait_lock is lock:
                self.locks.cancel(lock)

    # -- rows

    async def insert(self, table: Table, row: Sequence[Value]) -> Record:
        """Insert a row into every index.

        Args:
            table: the table.
            row: its columns.

        Raises:
            DuplicateError: a unique index has its key; nothing of the row is left but locks.
        """
        since = len(self.trx.undo_log)
        try:
            table.logged(row)
            home = await self._home(table, row)
            undo = await self._insert_clustered(table, home, row)
            for index in home.secondary:
                if self.after_record is not None:
                    await self.after_record()
                for part in index.parts_of(row):
                    await self._insert_entry(undo, table, index, part, row)
        except Exception:
            self.undo(since)
            raise
        table.statistics.changed(1, home if isinstance(home, Partition) else None)
        self._settle(table, since)
        return undo.record

    async def update(self, table: Table, record: Record, row: Sequence[Value]) -> None:
        """Update a row, which is locked in X. Raises `DuplicateError`: nothing has changed then but locks."""
        since = len(self.trx.undo_log)
        old = record.row
        home = record.index.home or table
        if table.partitioning is not None and table.partitioning.home(row) is not home:
            await self._move(table, record, row)
            return
        try:
            if not _entry_changes(table.clustered, old, row):
                table.logged(row)
                deleted = inserted = self._write(table, record, row, deleted=False)
            else:
                deleted = self._write(table, record, old, deleted=True)
                table.logged(row)
                inserted = await self._insert_clustered(table, home, row)
            for index in home.secondary:
                if _entry_changes(index, old, row):
                    if self.after_record is not None:
                        await self.after_record()
                    gone, new = _changed_parts(index, old, row)
                    for part in gone:
                        await self._delete_mark_entry(deleted, index, index.key_of(part))
                    for part in new:
                        await self._insert_entry(inserted, table, index, part, row)
        except Exception:
            self.undo(since)
            raise
        self._settle(table, since)

    async def delete(self, table: Table, record: Record) -> None:
        """Delete-mark a row, which is locked in X, and its entries."""
        since = len(self.trx.undo_log)
        row = record.row
        try:
            undo = self._write(table, record, row, deleted=True)
            for index in (record.index.home or table).secondary:
                for part in index.parts_of(row):
                    await self._delete_mark_entry(undo, index, index.key_of(part))
        except Exception:
            self.undo(since)
            raise
        table.statistics.changed(-1, record.index.home)
        self._settle(table, since)

    async def _home(self, table: Table, row: Sequence[Value]) -> Table | Partition:
        """Where a new row goes: its partition, which is locked, or the table."""
        home = table.home(row)
        if isinstance(home, Partition):
            await self.lock_partition(home, "IX")
        return home

    async def _move(self, table: Table, record: Record, row: Sequence[Value]) -> None:
        """Insert a row into another partition, and delete it where it was."""
        await self.insert(table, row)
        try:
            await self.delete(table, record)
        except Exception:
            self.undo(len(self.trx.undo_log) - 1)
            raise

    def _settle(self, table: Table, since: int) -> None:
        """Make what was done after the first ``since`` changes final, in a table that knows no transactions."""
        if not table.transactional:
            changes = self.trx.undo_log[since:]
            del self.trx.undo_log[since:]
            purge_changes(changes, self.trx, self.locks)

    def undo(self, since: int) -> None:
        """Undo what the transaction did after its first ``since`` changes; its locks stay."""
        self._roll_back(since, partial=True)

    def roll_back(self) -> None:
        """Undo all that the transaction did: it has ended."""
        self._history.rolled_back[self.trx.session] += bool(self.trx.undo_log)
        self._roll_back(0, partial=False)

    # -- within

    def _roll_back(self, since: int, *, partial: bool) -> None:
        self._history.undone[self.trx.session] += sum(1 + len(undo.entries) for undo in self.trx.undo_log[since:])
        roll_back(self.trx, since, self.locks, self._history.purged, partial=partial)

    def _log(self, table: Table, record: Record, before: Version | None) -> UndoRecord:
        undo = UndoRecord((record.index.home or table).indexes, record, before)
        self.trx.undo_log.append(undo)
        self._history.changes[self.trx.session] += 1
        return undo

    def _log_entry(self, undo: UndoRecord, entry: Record, change: EntryChange, writer: Transaction | None) -> None:
        undo.entries.append((entry, change, writer))
        self._history.changes[self.trx.session] += 1

    def _write(self, table: Table, record: Record, row: Sequence[Value], *, deleted: bool) -> UndoRecord:
        before = write(record, self.trx, self.locks, row, deleted=deleted)
        return self._log(table, record, before)

    async def _insert_clustered(self, table: Table, home: Table | Partition, row: Sequence[Value]) -> UndoRecord:
        index = home.clustered
        key = index.key_of(row)
        while True:
            found = index.get(key)
            if found is None:
                successor = index.successor(key)
                waits = self.locks.lock_for_insert(self.trx, successor)
                if waits is not None:
                    await self._wait(waits)
                    continue
                record = insert_record(successor, key, row, self.trx, self.locks)
                return self._log(table, record, None)
            self.trx.locks.inherit_all = True
            if await self.lock(found, self._duplicates, LockKind.RECORD) is None:
                continue
            if not found.deleted:
                raise DuplicateError(table, index, key, [row[at] for at in index.definition.columns])
            if await self.lock(found, "X", LockKind.RECORD, implicit=True) is not None:
                return self._write(table, found, row, deleted=False)

    async def _insert_entry(
        self, undo: UndoRecord, table: Table, index: Index, part: Sequence[Value], row: Sequence[Value]
    ) -> None:
        """Insert an entry of a row: of a part of it, if the index has several of one row."""
        key = index.key_of(part)
        while True:
            if index.definition.unique and not await self._no_duplicate(table, index, key, row):
                continue
            found = index.get(key)
            if found is None:
                successor = index.successor(key)
                waits = self.locks.lock_for_insert(self.trx, successor)
                if waits is not None:
                    await self._wait(waits)
                    continue
                entry = insert_record(successor, key, index.entry_of(part), self.trx, self.locks)
                self._log_entry(undo, entry, EntryChange.INSERTED, None)
                return
            if await self.lock(found, "X", LockKind.RECORD, implicit=True) is not None:
                self._log_entry(undo, found, EntryChange.INSERTED, found.writer)
                entry_row = index.entry_of(part)
                found.writer = _marked_from(undo, found, self.trx) if found.row == entry_row else self.trx
                found.row, found.deleted = entry_row, False
                return

    async def _no_duplicate(self, table: Table, index: Index, key: Key, row: Sequence[Value]) -> bool:
        """Lock the entries of a unique index with the same key, and the gap after them. Returns False after a wait."""
        prefix: Key = key[: len(index.definition.columns)]
        if has_null(prefix) or not _begins(index.first_at(prefix), prefix):
            return True
        record = index.at_or_after(prefix)
        self.trx.locks.inherit_all = True
        while True:
            same = _begins(record, prefix)
            kind = LockKind.NEXT_KEY if same or record.is_supremum or self._duplicates == "X" else LockKind.GAP
            if await self.lock(record, self._duplicates, kind) is None:
                return False
            if not same and (not record.is_supremum or record is index.supremum):
                return True
            if same and not record.deleted:
                raise DuplicateError(table, index, prefix, index.shown_duplicate(row))
            record = record.following

    async def _delete_mark_entry(self, undo: UndoRecord, index: Index, key: Key) -> None:
        while True:
            entry = index.get(key)
            assert entry is not None, f"{index.definition.name} lacks {key}"
            if entry.deleted:
                return
            if await self.lock(entry, "X", LockKind.RECORD, implicit=True) is not None:
                break
        self._log_entry(undo, entry, EntryChange.DELETE_MARKED, entry.writer)
        entry.deleted, entry.writer = True, self.trx


def _marked_from(undo: UndoRecord, entry: Record, trx: Transaction) -> Transaction | None:
    """The writer of an entry that a change leaves as it was, though it deletes and inserts it: it has no implicit lock.

    That happens where a column changes behind a prefix. In the server: ``row_vers_impl_x_locked_low``.
    """
    own = (before for each, change, before in undo.entries if each is entry and change is EntryChange.DELETE_MARKED)
    return next(own, trx)


def _begins(record: Record, prefix: Key) -> bool:
    return not record.is_supremum and record.key[: len(prefix)] == prefix


_Parts: TypeAlias = Sequence[Sequence[Value]]


def _changed_parts(index: Index, old: Sequence[Value], new: Sequence[Value]) -> tuple[_Parts, _Parts]:
    """The parts of a row whose entries in an index go, and those whose entries come.

    If only the array of a multi-valued index changes, the elements that stay keep their entries.
    """
    before, after, array = index.parts_of(old), index.parts_of(new), index.definition.array
    if array is None or any(old[at] != new[at] for at in index.definition.place if at != array):
        return before, after
    keys, others = {index.key_of(each) for each in before}, {index.key_of(each) for each in after}
    return [each for each in before if index.key_of(each) not in others], [
        each for each in after if index.key_of(each) not in keys
    ]


def _entry_changes(index: Index, old: Sequence[Value], new: Sequence[Value]) -> bool:
    """Whether the entry of a row in an index changes, even if only in the case of a letter, or behind a prefix."""
    return any(old[at] != new[at] for at in index.definition.place)
