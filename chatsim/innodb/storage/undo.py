"""Undo: old versions of rows are kept when rows are written, and a rollback restores them (trx0undo, row0undo)."""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.mvcc import has_version_with_entry
from chatsim.innodb.storage.pages import remove_record, replace_row
from chatsim.innodb.storage.structures import EntryChange, Record, Transaction, UndoRecord, Version
from chatsim.innodb.storage.values import Value

__all__ = ["roll_back", "write"]


def write(record: Record, trx: Transaction, locks: LockSystem, row: Sequence[Value], *, deleted: bool) -> Version:
    """Write a new version of a clustered record. The version before is kept, and returned."""
    before = Version(record.row, record.writer, record.deleted, record.older)
    _replace(record, locks, row)
    record.writer, record.deleted, record.older = trx, deleted, before
    return before


def _replace(record: Record, locks: LockSystem, row: Sequence[Value]) -> None:
    if any(lock.waiting for lock in record.locks) and record.index.changes_size(record.row, row):
        locks.record_moved(record)
    replace_row(record, row, locks)


def roll_back(trx: Transaction, since: int, locks: LockSystem, purged: int, *, partial: bool) -> None:
    """Undo a transaction's changes, newest first, back to the number ``since``.

    If the transaction goes on, at REPEATABLE READ, the undone records stay locked: implicit locks become explicit, and
    the gap inherits the locks on records that are removed.

    Args:
        trx: the transaction.
        since: the number of its first changes that remain.
        locks: the server's locks.
        purged: commits up to this number have been purged.
        partial: whether the transaction goes on.
    """
    protect = partial and trx.locks_gaps
    while len(trx.undo_log) > since:
        undo = trx.undo_log.pop()
        _restore_entries(undo, locks, protect=protect)
        record, before = undo.record, undo.before
        if protect:
            locks.make_explicit(record)
        if before is not None:
            _replace(record, locks, before.row)
            record.writer, record.deleted, record.older = before.writer, before.deleted, before.older
        writer = record.writer
        forgotten = writer is None or (not writer.active and writer.serial <= purged)
        if before is None or (before.deleted and forgotten):
            remove_record(record, locks)


def _restore_entries(undo: UndoRecord, locks: LockSystem, *, protect: bool) -> None:
    """Undo the changes of secondary entries.

    If there was no row before, all its entries are removed, also an entry of an earlier deleted row that the insert had
    not reached yet: nothing else would remove it.
    """
    record, before = undo.record, undo.before
    inserted = {entry: writer for entry, change, writer in undo.entries if change is EntryChange.INSERTED}
    if before is None or before.deleted:
        found = (index.get(index.key_of(part)) for index in undo.indexes[1:] for part in index.parts_of(record.row))
        inserted |= {entry: entry.writer for entry in found if entry is not None and entry not in inserted}
    for entry, writer in reversed(inserted.items()):
        if protect and not entry.deleted:
            locks.make_explicit(entry)
        if before is not None and has_version_with_entry(record, entry, current=False):
            entry.deleted, entry.writer = True, writer
        else:
            remove_record(entry, locks)
    for entry, change, writer in undo.entries:
        if change is EntryChange.DELETE_MARKED and before is not None:
            part = entry.index.part_at(entry.key, before.row)
            assert part is not None
            entry.row, entry.deleted, entry.writer = entry.index.entry_of(part), False, writer
