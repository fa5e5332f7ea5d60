"""Record locks without statements: an index with a few records, and transactions that lock them."""

import itertools

from chatsim.db.deadlock import LockKind
from chatsim.db.session import Isolation
from chatsim.innodb.storage.column_types import Integer
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.structures import Index, RecordLock, Transaction
from chatsim.innodb.storage.tables import Table

__all__ = ["GAP", "INSERT", "NEXT_KEY", "RECORD", "LockedIndex"]

RECORD, GAP, NEXT_KEY, INSERT = LockKind.RECORD, LockKind.GAP, LockKind.NEXT_KEY, LockKind.INSERT_INTENTION


class LockedIndex:
    """The locks of one index with a few records, and what deadlocks there were."""

    def __init__(self, *keys):
        self.deadlocks = []
        self.locks = LockSystem(lambda cycle, victim: self.deadlocks.append((list(cycle), victim)))
        definition = IndexDefinition("PRIMARY", (0,), unique=True, clustered=True, place=(0,))
        self.index = Index(definition)
        self.table = Table("t", [Column("id", Integer(4, 0, 99), nullable=False)], [self.index])
        for key in keys or (10, 20, 30):
            self.index.insert((key,), (key,), None)
        self._numbers = itertools.count(1)

    def __getitem__(self, key):
        return self.index.supremum if key is None else self.index.get((key,))

    def trx(self, weight=0, level=Isolation.REPEATABLE_READ):
        trx = Transaction(next(self._numbers), level)
        trx.undo_log += [None] * weight
        return trx

    def ask(self, trx, key, mode, kind):
        """Whether it is granted at once."""
        if kind is INSERT:
            return self.locks.lock_for_insert(trx, self[key]) is None
        return not isinstance(self.locks.lock_record(trx, self[key], mode, kind), RecordLock)

    def held(self, trx):
        """What a transaction has, as mode, kind and key."""
        return {
            (lock.mode, lock.kind.value, record.key[0] if record.key else None)
            for lock in trx.locks.structures
            for record in lock.records
            if not lock.waiting
        }

    def clear(self):
        """No lock is left anywhere."""
        record = self.index.supremum
        while not record.locks and not (record := record.following).is_supremum:
            pass
        return not record.locks and not self.locks.waits.waiting and not self.locks.waits._unchecked
