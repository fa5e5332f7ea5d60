"""Purge: what committed transactions replaced and deleted is removed when no read view needs it (trx0purge)."""

from __future__ import annotations

from collections import deque

from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.mvcc import has_version_with_entry
from chatsim.innodb.storage.structures import EntryChange, ReadView, Record, Transaction, Version

__all__ = ["History"]


class History:
    """The history list: what has been committed and not been purged, oldest first; and the read views that need it.

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

    def open_view(self, owner: Transaction) -> ReadView:
        """A read view of this moment, open until it is closed."""
        view = ReadView(owner, self.committed)
        self.views[view] = None
        return view

    def close_view(self, view: ReadView) -> None:
        """Nobody reads by that view any more."""
        del self.views[view]

    def commit(self, trx: Transaction) -> None:
        """A transaction with changes has committed."""
        self.committed += 1
        trx.serial = self.committed
        self._unpurged.append(trx)

    def purge(self, locks: LockSystem) -> bool:
        """Purge what no view needs; whether there was anything."""
        limit = min((view.committed for view in self.views), default=self.committed)
        found = False
        while self._unpurged and self._unpurged[0].serial <= limit:
            trx = self._unpurged.popleft()
            self.purged = trx.serial
            _purge(trx, locks)
            found = True
        return found


def _purge(trx: Transaction, locks: LockSystem) -> None:
    """Remove what a committed transaction deleted, and the versions that it replaced."""
    for undo in trx.undo_log:
        record = undo.record
        _forget_older(record, trx)
        for entry, change, _ in undo.entries:
            if (
                change is EntryChange.DELETE_MARKED
                and not entry.gone
                and entry.deleted
                and not has_version_with_entry(record, entry, current=True)
            ):
                entry.index.remove(entry)
                locks.record_removed(entry)
        if record.deleted and record.writer is None and not record.gone:
            record.index.remove(record)
            locks.record_removed(record)
    trx.undo_log.clear()


def _forget_older(record: Record, trx: Transaction) -> None:
    """Every view sees what ``trx`` made of a row: older versions are needed no more, nor who the writer was."""
    version: Record | Version | None = record
    while version is not None:
        if version.writer is trx:
            version.writer = version.older = None
            return
        version = version.older
