"""Purge: removing the versions and records that committed transactions have replaced or deleted (trx0purge).

They are removed when no read view needs them any more.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.mvcc import has_version_with_entry
from chatsim.innodb.storage.pages import remove_record
from chatsim.innodb.storage.structures import EntryChange, ReadView, Record, Transaction, UndoRecord, Version

__all__ = ["History"]


class History:
    """The history list: committed transactions that have not been purged, oldest first; and the open read views.

    Attributes:
        unpurged: the transactions of the list.
        committed: the number of the last commit.
        purged: commits up to this number have been purged.
        views: the open read views.
        changes: how many index entries each session has changed so far, by its number.
        undone: how many of these changes were undone.
        rolled_back: how many transactions with changes each session has rolled back.
    """

    def __init__(self) -> None:
        self.unpurged: deque[Transaction] = deque()
        self.views: dict[ReadView, None] = {}
        self.committed = 0
        self.purged = 0
        self.changes: Counter[int] = Counter()
        self.undone: Counter[int] = Counter()
        self.rolled_back: Counter[int] = Counter()

    def open_view(self, owner: Transaction) -> ReadView:
        """Open a read view of the present state."""
        view = ReadView(owner, self.committed)
        self.views[view] = None
        return view

    def close_view(self, view: ReadView) -> None:
        """Close a read view."""
        del self.views[view]

    def commit(self, trx: Transaction) -> None:
        """Add a committed transaction that has changes."""
        self.committed += 1
        trx.serial = self.committed
        self.unpurged.append(trx)

    def forget(self, trx: Transaction) -> None:
        """Take out a transaction that recovery has undone."""
        self.unpurged.remove(trx)

    def purge(self, locks: LockSystem, keep: Transaction | None = None) -> bool:
        """Purge everything that no read view needs, before ``keep``. Returns whether there was anything to purge."""
        limit = min((view.committed for view in self.views), default=self.committed)
        if keep is not None:
            limit = min(limit, keep.serial - 1)
        found = False
        while self.unpurged and self.unpurged[0].serial <= limit:
            trx = self.unpurged.popleft()
            self.purged = trx.serial
            _purge(trx, locks)
            found = True
        return found


def _purge(trx: Transaction, locks: LockSystem) -> None:
    """Remove the records that a committed transaction has deleted, and the versions that it has replaced."""
    purge_changes(trx.undo_log, trx, locks)
    trx.undo_log.clear()


def purge_changes(changes: Iterable[UndoRecord], trx: Transaction, locks: LockSystem) -> None:
    """Remove what some changes of a transaction have replaced, which nobody will see again."""
    for undo in changes:
        record = undo.record
        _forget_older(record, trx)
        for entry, change, _ in undo.entries:
            if (
                change is EntryChange.DELETE_MARKED
                and not entry.gone
                and entry.deleted
                and not has_version_with_entry(record, entry, current=True)
            ):
                remove_record(entry, locks)
        if record.deleted and record.writer is None and not record.gone:
            remove_record(record, locks)


def _forget_older(record: Record, trx: Transaction) -> None:
    """Drop the versions of a row before the one of ``trx``, and its writer, since every read view sees this version."""
    version: Record | Version | None = record
    while version is not None:
        if version.writer is trx:
            version.writer = version.older = None
            return
        version = version.older
