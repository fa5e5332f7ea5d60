"""Locks on records and tables: what conflicts, what is granted, what is inherited by a gap (InnoDB's lock0lock).

The queue of a record has the granted locks first, the newest in front, then the waiting ones in the order of their
requests. `lock_wait` resolves deadlocks, and says who is granted first. Sources: MySQL manual, "InnoDB Locking",
"Transaction Scheduling".
"""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from operator import attrgetter

from chatsim.db.deadlock import LockKind, Mode
from chatsim.innodb.storage.lock_wait import LockWaits
from chatsim.innodb.storage.structures import (
    Page,
    Record,
    RecordLock,
    TableLock,
    TableLocks,
    TableMode,
    Transaction,
)

__all__ = ["Grant", "LockSystem", "NotGrantedError", "WaitPolicy"]

NEXT_KEY, RECORD, GAP, INSERT = LockKind.NEXT_KEY, LockKind.RECORD, LockKind.GAP, LockKind.INSERT_INTENTION

_QUEUE_POSITION = attrgetter("queue_position")


class WaitPolicy(Enum):
    """What a request does if it can't be granted at once."""

    WAIT = "wait"
    NOWAIT = "nowait"
    SKIP_LOCKED = "skip locked"


class Grant(Enum):
    """The result of a request that does not wait."""

    NEW = "new"
    HELD = "held"


class NotGrantedError(Exception):
    """A request that does not wait was not granted."""


_COVERING: Mapping[TableMode, tuple[TableMode, ...]] = {
    "IS": ("IX", "S", "X"),
    "IX": ("X",),
    "S": ("X",),
    "X": (),
    "AUTO_INC": (),
}
"""The modes of a table's locks that allow what another one does."""


class LockSystem:
    """All locks of a server.

    Args:
        on_deadlock: called for each deadlock, before the rollback, with its transactions, in the order of their waits,
            and with the victim.

    Attributes:
        requests: the number of requests for record locks.
        waits: the waiting transactions.
    """

    def __init__(self, on_deadlock: Callable[[Sequence[Transaction], Transaction], None]) -> None:
        self._serial = itertools.count(1)
        self.requests = 0
        self.waits = LockWaits(self.cancel, on_deadlock)

    # -- tables

    def lock_table(self, trx: Transaction, queue: TableLocks, mode: TableMode) -> Grant | TableLock:
        """Request a lock on a table. If it has to wait, the waiting lock is returned."""
        if (trx, mode) in queue.granted or any((trx, each) in queue.granted for each in _COVERING[mode]):
            return Grant.HELD
        lock = TableLock(trx, queue, mode)
        trx.locks.structures.insert(0, lock)
        blocking = None
        if mode == "AUTO_INC":
            blocking = next((each for each in queue.auto_inc if each.trx is not trx), None)
            queue.auto_inc.append(lock)
        if blocking is None:
            queue.granted[trx, mode] = lock
            return Grant.NEW
        lock.waiting = True
        self.waits.start(lock, blocking.trx)
        return lock

    def release_auto_inc(self, trx: Transaction, queue: TableLocks) -> None:
        """Release the AUTO-INC lock of a table at the end of a statement."""
        lock = queue.granted.get((trx, "AUTO_INC"))
        if lock is not None:
            trx.locks.structures.remove(lock)
            self._dequeue_table(lock)
            self.waits.detect_deadlocks()

    def _dequeue_table(self, lock: TableLock) -> None:
        queue = lock.queue
        queue.granted.pop((lock.trx, lock.mode), None)
        if lock.mode != "AUTO_INC":
            return
        queue.auto_inc.remove(lock)
        for waiting in (each for each in queue.auto_inc if each.waiting):
            first = queue.auto_inc[0]
            if waiting is first:
                waiting.waiting = False
                queue.granted[waiting.trx, waiting.mode] = waiting
                self.waits.end(waiting.trx)
            else:
                self.waits.change_blocking(waiting.trx, first.trx)

    # -- records

    def lock_record(
        self,
        trx: Transaction,
        record: Record,
        mode: Mode,
        kind: LockKind,
        *,
        policy: WaitPolicy = WaitPolicy.WAIT,
        implicit: bool = False,
    ) -> Grant | RecordLock:
        """Request a lock on a record. If it has to wait, the waiting lock is returned.

        Args:
            trx: the transaction that requests it.
            record: the record.
            mode: S or X.
            kind: the part of the record: the record, the gap before it, or both.
            policy: what to do if it can't be granted.
            implicit: whether the transaction is about to change the record. As its writer it then has an implicit lock,
                until another transaction requests one.

        Raises:
            NotGrantedError: it would have to wait, and ``policy`` does not allow that.
        """
        if not record.index.is_shared:
            return Grant.HELD
        self.requests += 1
        supremum = record.is_supremum
        if not supremum and (not implicit or record.index.definition.clustered):
            self.make_explicit(record)  # who changes an entry has changed its row: nobody else can have
        wanted = RECORD if kind is NEXT_KEY and not supremum else kind
        if supremum and kind is GAP and len(record.page.structures) == 1:
            alone = trx.locks.similar.get((record.page, mode, kind))
            if alone is not None:  # the one structure of a page takes in what is like it as it is
                _add_record(alone, record)
                return Grant.NEW
        held = _explicit_lock(trx, record, mode, wanted)
        if held is not None:
            if wanted is not kind and held.kind is RECORD and _explicit_lock(trx, record, mode, GAP) is None:
                self._add_granted(trx, record, mode, GAP)
            return Grant.HELD
        conflicting, bypassed = _first_conflict(trx, record, mode, kind)
        if conflicting is not None:
            if policy is not WaitPolicy.WAIT:
                raise NotGrantedError
            return self._enqueue(trx, record, mode, kind, conflicting)
        if not implicit or bypassed:
            self._add_granted(trx, record, mode, kind)
            return Grant.NEW
        return Grant.HELD

    def lock_for_insert(self, trx: Transaction, successor: Record) -> RecordLock | None:
        """Request an insert before ``successor``. It leaves no lock, unless it has to wait."""
        self.requests += 1
        if not successor.locks:
            return None
        conflicting, _ = _first_conflict(trx, successor, "X", INSERT)
        return None if conflicting is None else self._enqueue(trx, successor, "X", INSERT, conflicting)

    def make_explicit(self, record: Record) -> None:
        """Convert the implicit lock of a record's writer, if it is active, to an explicit lock."""
        writer = record.writer
        if not record.index.is_shared:
            return
        if writer is not None and writer.active and _explicit_lock(writer, record, "X", RECORD) is None:
            self._add_granted(writer, record, "X", RECORD)

    def unlock(self, trx: Transaction, record: Record, mode: Mode) -> None:
        """Release the lock on a record that does not match the condition of the statement (READ COMMITTED)."""
        for lock in record.locks:
            if lock.trx is trx and lock.mode == mode and lock.kind is RECORD and not lock.waiting:
                record.locks.remove(lock)
                del lock.records[record]
                self._grant_waiting(record, trx)
                break
        self.waits.detect_deadlocks()

    # -- records that are inserted, removed and moved

    def record_inserted(self, record: Record) -> None:
        """After the insert of a record: the gap before it inherits the locks on the gap that it splits."""
        for lock in list(record.following.locks):
            if lock.kind not in (INSERT, RECORD):
                self._add_granted(lock.trx, record, lock.mode, GAP)

    def record_removed(self, record: Record) -> None:
        """After the removal of a record: the gap inherits its locks, and waiting requests are made again."""
        self.inherit(record.following, record)
        self.reset(record)

    def inherit(self, heir: Record, record: Record) -> None:
        """Lock the gap before ``heir`` for those who have locked a record."""
        for lock in list(record.locks):
            if lock.kind is not INSERT and (lock.trx.locks_gaps or lock.trx.locks.inherit_all):
                self._add_granted(lock.trx, heir, lock.mode, GAP)

    def reset(self, record: Record) -> None:
        """Take all locks from a record. Waiting requests are made again."""
        for lock in list(record.locks):
            if lock.waiting:
                self.cancel(lock)
            else:
                del lock.records[record]
        record.locks.clear()
        self.waits.detect_deadlocks()

    def record_moved(self, record: Record) -> None:
        """After a record was taken out of its page and put back, because its size has changed.

        Waiting requests for it have been moved with it, out and back, each time to a new lock structure.
        """
        for lock in record.locks:
            if lock.waiting:
                self._leave_empty(lock)
                self._leave_empty(lock)

    def records_moved(self, records: Sequence[Record], page: Page) -> None:
        """After records went to another page: their locks have followed, into structures of that page."""
        locks = {lock: None for record in records for lock in record.locks}
        for lock in sorted(locks, key=_QUEUE_POSITION):
            for record in [each for each in records if each in lock.records]:
                self._move(lock, record, record, page)

    def supremum_moved(self, supremum: Record, to: Record) -> None:
        """After the last records of a page went to another one: the locks on the gap behind them have followed."""
        for lock in list(supremum.locks):
            self._move(lock, supremum, to, to.page)

    def _move(self, lock: RecordLock, record: Record, to: Record, page: Page) -> None:
        if lock.waiting:
            if lock.page is not page:
                self._leave_empty(lock)
                del lock.page.structures[lock]
                page.structures[lock] = None
                lock.page = page
            if to is not record:
                record.locks.remove(lock)
                to.locks.append(lock)
                del lock.records[record]
                lock.records[to] = None
            return
        record.locks.remove(lock)
        del lock.records[record]
        self._add_granted(lock.trx, to, lock.mode, lock.kind)

    def _leave_empty(self, lock: RecordLock) -> None:
        """Leave an empty structure where a request was: it stays with the transaction, and counts for its weight."""
        empty = RecordLock(lock.trx, lock.page, lock.mode, lock.kind, 0)
        lock.page.structures[empty] = None
        structures = lock.trx.locks.structures
        structures.insert(structures.index(lock), empty)

    def page_discarded(self, page: Page) -> None:
        """After a page was given back: its lock structures, which are empty, have gone."""
        for lock in list(page.structures):
            lock.trx.locks.structures.remove(lock)
            if lock.trx.locks.similar.get((page, lock.mode, lock.kind)) is lock:
                del lock.trx.locks.similar[page, lock.mode, lock.kind]
        page.structures.clear()

    # -- ends

    def release_all(self, trx: Transaction) -> None:
        """Release the locks of a transaction that has ended."""
        state = trx.locks
        if state.wait_lock is not None:
            self.cancel(state.wait_lock)
        while state.structures:
            lock = state.structures.pop()
            if isinstance(lock, TableLock):
                self._dequeue_table(lock)
                continue
            del lock.page.structures[lock]
            records = sorted(lock.records, key=attrgetter("heap")) if len(lock.records) > 1 else list(lock.records)
            for record in records:
                record.locks.remove(lock)
            for record in records:
                self._grant_waiting(record, trx)
        state.similar.clear()
        self.waits.detect_deadlocks()

    def cancel(self, lock: RecordLock | TableLock, error: Exception | None = None) -> None:
        """Cancel a waiting request. Its transaction wakes up with the error, or makes the request again."""
        trx = lock.trx
        trx.locks.structures.remove(lock)
        if isinstance(lock, TableLock):
            lock.queue.auto_inc.remove(lock)
            self.waits.end(trx, error)
            return
        (record,) = lock.records
        record.locks.remove(lock)
        del lock.page.structures[lock]
        lock.records.clear()
        self.waits.end(trx, error)
        self._grant_waiting(record, trx)
        self.waits.detect_deadlocks()

    def blocking(self, trx: Transaction) -> list[Transaction]:
        """All transactions that a transaction waits for, and not only the first one found."""
        lock = trx.locks.wait_lock
        if lock is None:
            return []
        if isinstance(lock, TableLock):
            ahead = itertools.takewhile(lambda each: each is not lock, lock.queue.auto_inc)
            return [each.trx for each in ahead]
        (record,) = lock.records
        return list(dict.fromkeys(other.trx for other in _blocking_locks(lock, record)))

    # -- the queue of a record

    def _add_granted(self, trx: Transaction, record: Record, mode: Mode, kind: LockKind) -> None:
        """Add a granted lock to the queue of a record; similar locks on records of one page share a structure."""
        if record.is_supremum and kind is not INSERT:
            kind = NEXT_KEY
        page = record.page
        lock = trx.locks.similar.get((page, mode, kind))
        if lock is None:
            lock = RecordLock(trx, page, mode, kind, -next(self._serial))
            page.structures[lock] = None
            trx.locks.similar[page, mode, kind] = lock
            trx.locks.structures.append(lock)
        _add_record(lock, record)

    def _enqueue(
        self, trx: Transaction, record: Record, mode: Mode, kind: LockKind, conflicting: RecordLock
    ) -> RecordLock:
        lock = RecordLock(trx, record.page, mode, kind, next(self._serial))
        lock.records[record] = None
        record.page.structures[lock] = None
        record.locks.append(lock)
        trx.locks.structures.append(lock)
        self.waits.start(lock, conflicting.trx)
        return lock

    def _grant_waiting(self, record: Record, releasing: Transaction) -> None:
        """Grant the requests that waited for ``releasing`` and have no conflict any more, the heaviest one first."""
        candidates = [lock for lock in record.locks if lock.waiting and lock.trx.locks.blocking_trx is releasing]
        if not candidates:
            return
        if len(candidates) > 1:
            weights = self.waits.schedule_weights()
            candidates.sort(key=lambda lock: -weights[lock.trx])
        granted = [lock for lock in record.locks if not lock.waiting]
        before = len(granted)
        for lock in candidates:
            conflicting = next(
                (each for each in (*reversed(granted[:before]), *granted[before:]) if _has_to_wait(lock, each, record)),
                None,
            )
            if conflicting is None:
                self._grant(lock, record)
                granted.append(lock)
            elif lock.trx.locks.blocking_trx is not conflicting.trx:
                self.waits.change_blocking(lock.trx, conflicting.trx)

    def _grant(self, lock: RecordLock, record: Record) -> None:
        record.locks.remove(lock)
        lock.waiting = False
        lock.queue_position = -next(self._serial)
        record.locks.insert(0, lock)
        lock.trx.locks.similar[lock.page, lock.mode, lock.kind] = lock
        self.waits.end(lock.trx)


def _add_record(lock: RecordLock, record: Record) -> None:
    if record not in lock.records:
        lock.records[record] = None
        insort(record.locks, lock, key=_QUEUE_POSITION)


def _explicit_lock(trx: Transaction, record: Record, mode: Mode, kind: LockKind) -> RecordLock | None:
    """A granted lock of ``trx`` that is at least as strong and covers at least as much."""
    if not trx.locks.similar:
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


def _blocking_locks(lock: RecordLock, record: Record) -> Iterator[RecordLock]:
    """The locks ahead of a waiting one for which it has to wait."""
    for other in record.locks:
        if other is lock:
            return
        if _has_to_wait(lock, other, record):
            yield other


def _has_to_wait(lock: RecordLock, other: RecordLock, record: Record) -> bool:
    return _conflict(lock.trx, record, lock.mode, lock.kind, other) is _Conflict.HAS_TO_WAIT


class _Conflict(Enum):
    NO_CONFLICT = 0
    CAN_BYPASS = 1
    HAS_TO_WAIT = 2


def _first_conflict(trx: Transaction, record: Record, mode: Mode, kind: LockKind) -> tuple[RecordLock | None, bool]:
    """The first lock that a request has to wait for, and whether it bypasses one that waits for its transaction."""
    bypassed = False
    for other in record.locks:
        conflict = _conflict(trx, record, mode, kind, other)
        if conflict is _Conflict.HAS_TO_WAIT:
            return other, bypassed
        bypassed = bypassed or conflict is _Conflict.CAN_BYPASS
    return None, bypassed


def _conflict(trx: Transaction, record: Record, mode: Mode, kind: LockKind, other: RecordLock) -> _Conflict:
    """Whether a request has to wait for another transaction's lock, granted or waiting, on the same record."""
    if other.trx is trx or (mode == "S" and other.mode == "S"):
        return _Conflict.NO_CONFLICT
    if other.kind is INSERT:
        return _Conflict.NO_CONFLICT  # nobody waits for an insert intention
    if kind is INSERT:
        # an insert intention waits for whatever covers the gap, and bypasses nobody
        return _Conflict.NO_CONFLICT if other.kind is RECORD else _Conflict.HAS_TO_WAIT
    if kind is GAP or record.is_supremum or other.kind is GAP:
        return _Conflict.NO_CONFLICT  # gaps are shared, in any mode
    if other.waiting and mode == other.mode == "X" and _explicit_lock(trx, record, "S", RECORD) is not None:
        return _Conflict.CAN_BYPASS  # the other waits for this transaction anyway
    return _Conflict.HAS_TO_WAIT
