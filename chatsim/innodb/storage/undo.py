"""Undo: what a transaction has changed, so that it can be taken back, or purged once nobody wants the old versions."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from chatsim.innodb.storage.mvcc import ReadView, Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatsim.innodb.storage.dictionary import Table
    from chatsim.innodb.storage.index import Record
    from chatsim.innodb.storage.locks import Locks
    from chatsim.innodb.storage.mvcc import Transaction
    from chatsim.innodb.storage.values import Value

__all__ = ["Act", "Change", "History", "take_back", "write"]


class Act(Enum):
    """What was done to an entry of a secondary index."""

    PUT = "put there, or brought back"
    MARKED = "delete-marked"


@dataclass(slots=True)
class Change:
    """One undo record.

    Attributes:
        table: of the row.
        record: the row's clustered record.
        before: what it was; None if it was not there.
        entries: what was done to secondary entries, in order, and who had changed each before.
    """

    table: Table
    record: Record
    before: Version | None
    entries: list[tuple[Record, Act, Transaction | None]] = field(default_factory=list)


def write(
    table: Table, record: Record, trx: Transaction, locks: Locks, row: Sequence[Value], *, deleted: bool
) -> Version:
    """Make a clustered record something else; what it was is kept behind it, and returned."""
    before = Version(record.row, record.writer, record.deleted, record.older)
    _put(table, record, locks, row)
    record.writer, record.deleted, record.older = trx, deleted, before
    return before


def _put(table: Table, record: Record, locks: Locks, row: Sequence[Value]) -> None:
    if any(lock.waiting for lock in record.locks) and table.resized(record.row, row):
        locks.replaced(record)
    record.row = row


def take_back(trx: Transaction, since: int, locks: Locks, purged: int, *, partial: bool) -> None:
    """Undo a transaction's changes, newest first, back to the number ``since``.

    If the transaction goes on, at REPEATABLE READ, what is undone stays locked: the implicit locks on it become
    explicit, and those on records that go are handed on to the gap.

    Args:
        trx: whose.
        since: how many of its changes to leave.
        locks: the server's.
        purged: commits up to this number have been purged.
        partial: the transaction goes on.
    """
    protect = partial and trx.locks_gaps
    while len(trx.changes) > since:
        change = trx.changes.pop()
        _restore_entries(change, locks, protect=protect)
        record, before = change.record, change.before
        if protect:
            locks.make_explicit(record)
        if before is not None:
            _put(change.table, record, locks, before.row)
            record.writer, record.deleted, record.older = before.writer, before.deleted, before.older
        writer = record.writer
        forgotten = writer is None or (not writer.active and writer.serial <= purged)
        if before is None or (before.deleted and forgotten):
            record.index.remove(record)
            locks.removed(record)


def _restore_entries(change: Change, locks: Locks, *, protect: bool) -> None:
    """Undo what a change did to secondary entries.

    Of a row that was not there before, every entry goes, also one that a deleted row had left and that this row's
    insertion had not come to yet: nobody else would take it away.
    """
    table, record, before = change.table, change.record, change.before
    put = {entry: writer for entry, act, writer in change.entries if act is Act.PUT}
    if before is None or before.deleted:
        found = (index.get(table.key(index, record.row)) for index in table.secondary)
        put |= {entry: entry.writer for entry in found if entry is not None and entry not in put}
    for entry, writer in reversed(put.items()):
        if protect and not entry.deleted:
            locks.make_explicit(entry)
        if before is not None and _wanted(table, record, entry, current=False):
            entry.deleted, entry.writer = True, writer
        else:
            entry.index.remove(entry)
            locks.removed(entry)
    for entry, act, writer in change.entries:
        if act is Act.MARKED and before is not None:
            entry.row, entry.deleted, entry.writer = table.entry(entry.index, before.row), False, writer


def _purge(trx: Transaction, locks: Locks) -> None:
    """Take away what a committed transaction deleted, and the versions that it replaced: nobody wants either."""
    for change in trx.changes:
        table, record = change.table, change.record
        _forget(record, trx)
        for entry, act, _ in change.entries:
            if (
                act is Act.MARKED
                and not entry.gone
                and entry.deleted
                and not _wanted(table, record, entry, current=True)
            ):
                entry.index.remove(entry)
                locks.removed(entry)
        if record.deleted and record.writer is None and not record.gone:
            record.index.remove(record)
            locks.removed(record)
    trx.changes.clear()


def _wanted(table: Table, record: Record, entry: Record, *, current: bool) -> bool:
    """Whether a version of the row that is not deleted has that entry; the current one too, if ``current``."""
    if current and not record.gone and not record.deleted and table.key(entry.index, record.row) == entry.key:
        return True
    version = record.older
    while version is not None:
        if not version.deleted and table.key(entry.index, version.row) == entry.key:
            return True
        version = version.older
    return False


def _forget(record: Record, trx: Transaction) -> None:
    """Everybody sees what ``trx`` made of a row: what it was before is of no use, nor is who did it."""
    version: Record | Version | None = record
    while version is not None:
        if version.writer is trx:
            version.writer = version.older = None
            return
        version = version.older


class History:
    """What has been committed and not been purged, oldest first, and the views that keep it from being purged.

    Attributes:
        committed: the number of the last commit.
        purged: commits up to this number have been purged.
        views: the open read views.
    """

    def __init__(self) -> None:
        self._unpurged: deque[Transaction] = deque()
        self.views: dict[ReadView, None] = {}
        self.committed = 0
        self.purged = 0

    def view(self, owner: Transaction) -> ReadView:
        """A view of this moment, open until it is closed."""
        view = ReadView(owner, self.committed)
        self.views[view] = None
        return view

    def close(self, view: ReadView) -> None:
        """Nobody reads by that view any more."""
        del self.views[view]

    def commit(self, trx: Transaction) -> None:
        """A transaction with changes has committed."""
        self.committed += 1
        trx.serial = self.committed
        self._unpurged.append(trx)

    def purge(self, locks: Locks) -> bool:
        """Purge what no view wants; whether there was anything."""
        limit = min((view.committed for view in self.views), default=self.committed)
        found = False
        while self._unpurged and self._unpurged[0].serial <= limit:
            trx = self._unpurged.popleft()
            self.purged = trx.serial
            _purge(trx, locks)
            found = True
        return found
