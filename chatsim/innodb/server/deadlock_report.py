"""The report about a deadlock, as ``SHOW ENGINE INNODB STATUS`` has it under LATEST DETECTED DEADLOCK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatsim.db.deadlock import SUPREMUM, Deadlock, Lock, LockKind, Participant
from chatsim.innodb.server.performance_schema import ObservedSession, lock_data
from chatsim.innodb.storage.structures import Record, RecordLock, TableLock, Transaction

__all__ = ["report", "requested"]


def report(cycle: Sequence[Transaction], victim: Transaction, sessions: Mapping[int, ObservedSession]) -> Deadlock:
    """The report of a deadlock.

    Args:
        cycle: its transactions, each of which waits for the next one, the last one for the first.
        victim: the one that is rolled back.
        sessions: the open sessions, by number.
    """
    participants = tuple(
        _participant(number, trx, cycle[number - 2], sessions.get(trx.session))
        for number, trx in enumerate(cycle, start=1)
    )
    number = list(cycle).index(victim) + 1
    lines = [line for each in participants for line in _lines(each)]
    lines.append(f"*** WE ROLL BACK TRANSACTION ({number})")
    return Deadlock(participants, number, "\n".join(lines))


def _participant(number: int, trx: Transaction, before: Transaction, session: ObservedSession | None) -> Participant:
    """One transaction of a cycle, with the lock that it waits for and those that ``before`` waits for."""
    waits, wanted = trx.locks.wait_lock, before.locks.wait_lock
    assert waits is not None
    holds: tuple[Lock, ...] = ()
    if isinstance(wanted, RecordLock):
        (record,) = wanted.records
        held = [
            lock
            for lock in record.locks
            if lock.trx is trx and not lock.waiting and lock.kind is not LockKind.INSERT_INTENTION
        ]
        holds = tuple(_lock_on(record, lock) for lock in reversed(held))
    statement = session.statement if session is not None else ""
    return Participant(number, trx.session, statement, holds, requested(waits), trx.weight, changes=len(trx.undo_log))


def requested(lock: RecordLock | TableLock) -> Lock:
    """A lock that a transaction waits for."""
    if isinstance(lock, TableLock):
        return Lock(lock.queue.table, "", lock.mode, LockKind.TABLE, "")
    (record,) = lock.records
    return _lock_on(record, lock)


def _lock_on(record: Record, lock: RecordLock) -> Lock:
    data = SUPREMUM if record.is_supremum else f"({lock_data(record)})"
    return Lock(lock.page.index.definition.table, lock.page.index.definition.name, lock.mode, lock.kind, data)


def _lines(one: Participant) -> list[str]:
    lines = [
        f"*** ({one.number}) TRANSACTION:",
        f"MySQL thread id {one.connection_id}, weight {one.weight}",
        one.statement,
    ]
    roles = [*(("HOLDS", lock) for lock in one.holds or ()), ("WAITS FOR", one.waits)]
    lines += [
        f"*** ({one.number}) {role} {lock.mode} {lock.words()} of {lock.place}"
        for role, lock in roles
        if lock is not None
    ]
    return lines
