"""Locks: what they cover, who conflicts with whom, who waits, who is let go first, who dies in a deadlock.

A record lock is one structure for any number of records of an index, of one mode and kind (InnoDB keeps a bitmap for a
page; here an index is one page). The queue on a record has the granted ones first, the newest at the front, then those
that wait, in the order they came. Sources: MySQL manual, "InnoDB Locking", "Deadlock Detection", "Transaction
Scheduling".
"""

from __future__ import annotations

import itertools
from bisect import insort
from collections import Counter
from enum import Enum
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from chatsim.db.deadlock import LockKind, Mode
from chatsim.db.mysql import database_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from chatsim.innodb.storage.dictionary import Table
    from chatsim.innodb.storage.index import Index, Record
    from chatsim.innodb.storage.mvcc import Transaction

__all__ = ["Grant", "Locks", "NotGrantedError", "Patience", "RecordLock", "TableLock", "TableMode"]

TableMode: TypeAlias = Literal["IS", "IX", "AUTO_INC"]

NEXT_KEY, RECORD, GAP, INSERT = LockKind.NEXT_KEY, LockKind.RECORD, LockKind.GAP, LockKind.INSERT_INTENTION

_PLACE = attrgetter("place")


class Patience(Enum):
    """What a request does when it can't be granted at once."""

    WAIT = "wait"
    NOWAIT = "nowait"
    SKIP_LOCKED = "skip locked"


class Grant(Enum):
    """What became of a request that does not wait."""

    NEW = "new"
    HELD = "held"


class NotGrantedError(Exception):
    """A request that does not wait was not granted."""


class RecordLock:
    """Records of one index that a transaction has locked in one mode and kind, or waits to lock.

    Attributes:
        trx: whose.
        index: where.
        mode: S or X.
        kind: what it covers of each record; on the supremum there is only the gap before it.
        records: which; just one while it waits.
        waiting: not granted yet.
        place: in the queues: below 0 when granted, the newest lowest; above 0 while it waits.
    """

    __slots__ = ("index", "kind", "mode", "place", "records", "trx", "waiting")

    def __init__(self, trx: Transaction, index: Index, mode: Mode, kind: LockKind, place: int) -> None:
        self.trx: Final = trx
        self.index: Final = index
        self.mode: Final[Mode] = mode
        self.kind: Final = kind
        self.records: dict[Record, None] = {}
        self.waiting = place > 0
        self.place = place


class TableLock:
    """A table that a transaction has locked: its intention (IS, IX), or the right to take AUTO_INCREMENT values."""

    __slots__ = ("mode", "table", "trx", "waiting")

    def __init__(self, trx: Transaction, table: Table, mode: TableMode) -> None:
        self.trx: Final = trx
        self.table: Final = table
        self.mode: Final[TableMode] = mode
        self.waiting = False


class Locks:
    """All locks of a server.

    Args:
        on_deadlock: told of each cycle, in the order of its waits, and of the one that dies, before it does.

    Attributes:
        requests: how many record locks have been asked for.
        waits: how many requests had to wait.
        deadlocks: how many cycles were broken.
    """

    def __init__(self, on_deadlock: Callable[[Sequence[Transaction], Transaction], None]) -> None:
        self._serial = itertools.count(1)
        self._reservations = 0
        self._waiting: dict[Transaction, None] = {}
        self._moved: list[Transaction] = []  # whose waits have changed since the last look for cycles
        self._on_deadlock = on_deadlock
        self.requests = 0
        self.waits = 0
        self.deadlocks = 0

    # -- tables

    def table(self, trx: Transaction, table: Table, mode: TableMode) -> Grant | TableLock:
        """Ask for a table; the lock itself is returned when it has to wait."""
        if (trx, mode) in table.holders or (mode == "IS" and (trx, "IX") in table.holders):
            return Grant.HELD
        lock = TableLock(trx, table, mode)
        trx.locks.insert(0, lock)
        other = next((each for each in table.queue if each.trx is not trx), None) if mode == "AUTO_INC" else None
        if mode == "AUTO_INC":
            table.queue.append(lock)
        if other is None:
            table.holders[trx, mode] = lock
            return Grant.NEW
        lock.waiting = True
        self._suspend(lock, other.trx)
        return lock

    def release_auto_inc(self, trx: Transaction, table: Table) -> None:
        """Give up the right to take AUTO_INCREMENT values: a statement has ended."""
        lock = table.holders.get((trx, "AUTO_INC"))
        if lock is not None:
            trx.locks.remove(lock)
            self._dequeue_table(lock)
            self._look()

    # -- records

    def record(
        self,
        trx: Transaction,
        record: Record,
        mode: Mode,
        kind: LockKind,
        *,
        patience: Patience = Patience.WAIT,
        implicit: bool = False,
    ) -> Grant | RecordLock:
        """Ask for a record; the lock itself is returned when it has to wait.

        Args:
            trx: who asks.
            record: for what.
            mode: S or X.
            kind: what of it.
            patience: what to do if it can't be granted.
            implicit: who changes a record needs no lock on it: that it is the writer is enough, as long as nobody asks.

        Raises:
            NotGrantedError: it would have to wait, and ``patience`` says not to.
        """
        self.requests += 1
        supremum = record.is_supremum
        if not supremum and (not implicit or record.index.definition.clustered):
            self.make_explicit(record)  # who changes an entry has changed its row: nobody else can have
        wanted = RECORD if kind is NEXT_KEY and not supremum else kind
        alone = trx.shapes.get((record.index, mode, kind)) if supremum and record.index.structures == 1 else None
        if alone is not None and kind is GAP:  # the one structure of a page takes in what is like it as it is
            _include(alone, record)
            return Grant.NEW
        held = _held(trx, record, mode, wanted)
        if held is not None:
            if wanted is not kind and held.kind is RECORD and _held(trx, record, mode, GAP) is None:
                self._add(trx, record, mode, GAP)
            return Grant.HELD
        other, bypassed = _conflicting(trx, record, mode, kind)
        if other is not None:
            if patience is not Patience.WAIT:
                raise NotGrantedError
            return self._enqueue(trx, record, mode, kind, other)
        if not implicit or bypassed:
            self._add(trx, record, mode, kind)
            return Grant.NEW
        return Grant.HELD

    def insertion(self, trx: Transaction, successor: Record) -> RecordLock | None:
        """Ask to insert before ``successor``; leaves no lock unless it has to wait."""
        self.requests += 1
        if not successor.locks:
            return None
        other, _ = _conflicting(trx, successor, "X", INSERT)
        return None if other is None else self._enqueue(trx, successor, "X", INSERT, other)

    def make_explicit(self, record: Record) -> None:
        """Give the transaction that has changed a record and not ended the lock that this stands for."""
        writer = record.writer
        if writer is not None and writer.active and _held(writer, record, "X", RECORD) is None:
            self._add(writer, record, "X", RECORD)

    def unlock(self, trx: Transaction, record: Record, mode: Mode) -> None:
        """Give up a record that did not match after all (READ COMMITTED)."""
        for lock in record.locks:
            if lock.trx is trx and lock.mode == mode and lock.kind is RECORD and not lock.waiting:
                record.locks.remove(lock)
                del lock.records[record]
                self._grant(record, trx)
                break
        self._look()

    def inserted(self, record: Record) -> None:
        """A record has come: who has locked the gap that it is in has locked both halves."""
        successor = record.following
        for lock in list(successor.locks):
            if lock.kind is not INSERT and (successor.is_supremum or lock.kind is not RECORD):
                self._add(lock.trx, record, lock.mode, GAP)

    def removed(self, record: Record) -> None:
        """A record has gone: locks on it go to the gap that it leaves, and who waits for it tries again."""
        heir = record.following
        for lock in list(record.locks):
            if lock.kind is not INSERT and (lock.trx.locks_gaps or lock.trx.heir_to_all):
                self._add(lock.trx, heir, lock.mode, GAP)
        for lock in list(record.locks):
            if lock.waiting:
                self.cancel(lock)
            else:
                del lock.records[record]
        record.locks.clear()
        self._look()

    def replaced(self, record: Record) -> None:
        """A record has been taken out of its page and put back, as it takes more room now, or less.

        Who waits for it has been moved with it, out and back, each time to a new structure; the two old ones stay with
        the transaction, empty, and weigh.
        """
        for lock in record.locks:
            if lock.waiting:
                lock.trx.locks += [RecordLock(lock.trx, record.index, lock.mode, lock.kind, 0) for _ in range(2)]
                record.index.structures += 2

    # -- ends

    def release_all(self, trx: Transaction) -> None:
        """A transaction has ended."""
        if trx.waiting is not None:
            self.cancel(trx.waiting)
        while trx.locks:
            lock = trx.locks.pop()
            if isinstance(lock, TableLock):
                self._dequeue_table(lock)
                continue
            lock.index.structures -= 1
            records = sorted(lock.records, key=attrgetter("heap")) if len(lock.records) > 1 else list(lock.records)
            for record in records:
                record.locks.remove(lock)
            for record in records:
                self._grant(record, trx)
        trx.shapes.clear()
        self._look()

    def cancel(self, lock: RecordLock | TableLock, error: Exception | None = None) -> None:
        """Take back a request that waits; its transaction wakes to the error, or to try again."""
        trx = lock.trx
        trx.locks.remove(lock)
        if isinstance(lock, TableLock):
            lock.table.queue.remove(lock)
            self._wake(trx, error)
            return
        (record,) = lock.records
        record.locks.remove(lock)
        record.index.structures -= 1
        lock.records.clear()
        self._wake(trx, error)
        self._grant(record, trx)
        self._look()

    # -- what there is to see

    def waiting_for(self, trx: Transaction) -> list[Transaction]:
        """Everybody whom a transaction waits for, not only the one found first."""
        lock = trx.waiting
        if lock is None:
            return []
        if isinstance(lock, TableLock):
            ahead = itertools.takewhile(lambda each: each is not lock, lock.table.queue)
            return [each.trx for each in ahead]
        (record,) = lock.records
        return list(dict.fromkeys(other.trx for other in _in_the_way(lock, record)))

    # -- within

    def _add(self, trx: Transaction, record: Record, mode: Mode, kind: LockKind) -> None:
        """Note a granted lock; records of one index share a structure."""
        if record.is_supremum and kind is not INSERT:
            kind = NEXT_KEY
        lock = trx.shapes.get((record.index, mode, kind))
        if lock is None:
            lock = RecordLock(trx, record.index, mode, kind, -next(self._serial))
            record.index.structures += 1
            trx.shapes[record.index, mode, kind] = lock
            trx.locks.append(lock)
        _include(lock, record)

    def _enqueue(self, trx: Transaction, record: Record, mode: Mode, kind: LockKind, other: RecordLock) -> RecordLock:
        lock = RecordLock(trx, record.index, mode, kind, next(self._serial))
        lock.records[record] = None
        record.index.structures += 1
        record.locks.append(lock)
        trx.locks.append(lock)
        self._suspend(lock, other.trx)
        return lock

    def _suspend(self, lock: RecordLock | TableLock, blocker: Transaction) -> None:
        self.waits += 1
        self._reservations += 1
        trx = lock.trx
        trx.waiting, trx.blocker, trx.reservation = lock, blocker, self._reservations
        self._waiting[trx] = None
        self._moved.append(trx)
        self._look()

    def _wake(self, trx: Transaction, error: Exception | None = None) -> None:
        trx.waiting = trx.blocker = None
        self._waiting.pop(trx, None)
        if trx.wakeup is not None and not trx.wakeup.done():
            if error is None:
                trx.wakeup.set_result(None)
            else:
                trx.wakeup.set_exception(error)
        elif error is not None:
            trx.doom = error

    def _dequeue_table(self, lock: TableLock) -> None:
        table = lock.table
        table.holders.pop((lock.trx, lock.mode), None)
        if lock.mode != "AUTO_INC":
            return
        table.queue.remove(lock)
        if table.queue and table.queue[0].waiting:
            first = table.queue[0]
            first.waiting = False
            table.holders[first.trx, first.mode] = first
            self._wake(first.trx)

    def _grant(self, record: Record, releasing: Transaction) -> None:
        """Let go, the weightiest first, who waited for ``releasing`` and need not wait for those who hold it now."""
        candidates = [lock for lock in record.locks if lock.waiting and lock.trx.blocker is releasing]
        if not candidates:
            return
        if len(candidates) > 1:
            weights = self._weights()
            candidates.sort(key=lambda lock: -weights[lock.trx])
        granted = [lock for lock in record.locks if not lock.waiting]
        before = len(granted)
        for lock in candidates:
            other = next(
                (each for each in (*reversed(granted[:before]), *granted[before:]) if _waits_for(lock, each, record)),
                None,
            )
            if other is None:
                self._let_go(lock, record)
                granted.append(lock)
            elif lock.trx.blocker is not other.trx:
                lock.trx.blocker = other.trx
                self._moved.append(lock.trx)

    def _let_go(self, lock: RecordLock, record: Record) -> None:
        record.locks.remove(lock)
        lock.waiting = False
        lock.place = -next(self._serial)
        record.locks.insert(0, lock)
        lock.trx.shapes[lock.index, lock.mode, lock.kind] = lock
        self._wake(lock.trx)

    def _weights(self) -> Counter[Transaction]:
        """Of each that waits: how many do so because of it, itself included; more if it was passed over for long."""
        patience = 2 * len(self._waiting)
        boost = len(self._waiting)
        weights: Counter[Transaction] = Counter()
        blocked = Counter(trx.blocker for trx in self._waiting if trx.blocker in self._waiting)
        leaves = []
        for trx in self._waiting:
            weights[trx] += boost if trx.reservation + patience < self._reservations else 1
            if not blocked[trx]:
                leaves.append(trx)
        while leaves:
            trx = leaves.pop()
            blocker = trx.blocker
            if blocker is not None and blocker in self._waiting:
                weights[blocker] += weights[trx]
                blocked[blocker] -= 1
                if not blocked[blocker]:
                    leaves.append(blocker)
        return weights

    # -- deadlocks

    def _look(self) -> None:
        """Break every cycle that the waits drawn since the last look have closed."""
        while self._moved:
            start = self._moved.pop()
            path = [start]
            while (following := path[-1].blocker) is not None and following not in path:
                path.append(following)
            if following is not None:
                self._break(path[path.index(following) :])

    def _break(self, cycle: list[Transaction]) -> None:
        """Of the lightest the last dies, going along the waits from the one whom the latest to wait waits for."""
        latest = max(range(len(cycle)), key=lambda place: cycle[place].reservation)
        order = cycle[latest + 1 :] + cycle[: latest + 1]
        least = min(trx.weight for trx in order)
        victim = next(trx for trx in reversed(order) if trx.weight == least)
        self.deadlocks += 1
        self._on_deadlock(order, victim)
        assert victim.waiting is not None
        message = "Deadlock found when trying to get lock; try restarting transaction"
        self.cancel(victim.waiting, database_error(1213, message))


def _include(lock: RecordLock, record: Record) -> None:
    if record not in lock.records:
        lock.records[record] = None
        insort(record.locks, lock, key=_PLACE)


def _held(trx: Transaction, record: Record, mode: Mode, kind: LockKind) -> RecordLock | None:
    """A granted lock of ``trx`` that is at least as strong, and covers as much."""
    if not trx.shapes:
        return None
    supremum = record.is_supremum
    for lock in record.locks:
        if lock.waiting:
            return None
        if (
            lock.trx is trx
            and lock.kind is not INSERT
            and (lock.mode == "X" or mode == "S")
            and (supremum or lock.kind in (kind, NEXT_KEY))
        ):
            return lock
    return None


def _in_the_way(lock: RecordLock, record: Record) -> Iterator[RecordLock]:
    """The locks ahead of one that waits which it has to wait for."""
    for other in record.locks:
        if other is lock:
            return
        if _waits_for(lock, other, record):
            yield other


def _waits_for(lock: RecordLock, other: RecordLock, record: Record) -> bool:
    return _conflict(lock.trx, record, lock.mode, lock.kind, other) is _Conflict.WAIT


class _Conflict(Enum):
    NONE = 0
    BYPASS = 1
    WAIT = 2


def _conflicting(trx: Transaction, record: Record, mode: Mode, kind: LockKind) -> tuple[RecordLock | None, bool]:
    """The first lock in the way, and whether the request passes one that waits for its own transaction."""
    bypassed = False
    for other in record.locks:
        conflict = _conflict(trx, record, mode, kind, other)
        if conflict is _Conflict.WAIT:
            return other, bypassed
        bypassed = bypassed or conflict is _Conflict.BYPASS
    return None, bypassed


def _conflict(trx: Transaction, record: Record, mode: Mode, kind: LockKind, other: RecordLock) -> _Conflict:
    """Whether a request has to wait for another's lock, granted or itself waiting, on the same record."""
    if other.trx is trx or (mode == "S" and other.mode == "S"):
        return _Conflict.NONE
    if other.kind is INSERT:
        return _Conflict.NONE  # nobody waits for an intention
    if kind is INSERT:
        # an intention minds whatever covers the gap, and passes nobody
        return _Conflict.NONE if other.kind is RECORD else _Conflict.WAIT
    if kind is GAP or record.is_supremum or other.kind is GAP:
        return _Conflict.NONE  # gaps are shared, in any mode
    if other.waiting and mode == other.mode == "X" and _held(trx, record, "S", RECORD) is not None:
        return _Conflict.BYPASS  # that one waits for this transaction anyway
    return _Conflict.WAIT
