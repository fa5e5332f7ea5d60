"""The report about a deadlock, as ``SHOW ENGINE INNODB STATUS`` has it under LATEST DETECTED DEADLOCK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatsim.db.deadlock import SUPREMUM, Deadlock, Lock, LockKind, Participant
from chatsim.innodb.server.performance_schema import ObservedSession, lock_data
from chatsim.innodb.storage.structures import Record, RecordLock, TableLock, Transaction

__all__ = ["report", "requested"]

_COVERS = {
    LockKind.RECORD: " locks rec but not gap",
    LockKind.GAP: " locks gap before rec",
    LockKind.NEXT_KEY: "",
    LockKind.INSERT_INTENTION: " locks gap before rec insert intention",
}
"""What a report says of the part of the index that a lock covers."""


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
    spots: dict[tuple[str, str], int] = {}
    lines = [line for each in participants for line in _lines(each, spots)]
    lines.append(f"*** WE ROLL BACK TRANSACTION ({number})")
    return Deadlock(participants, number, "\n".join([*lines, ""]))


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


def _lines(one: Participant, spots: dict[tuple[str, str], int]) -> list[str]:
    """The section of a transaction, in the form in which a server prints it.

    A record has its key in place of its bytes. ``spots`` numbers the records, since the model has no heap numbers.
    """
    assert one.weight is not None
    assert one.changes is not None
    structs = f"{one.weight - one.changes} lock struct(s), heap size 1128"
    changes = f", undo log entries {one.changes}" if one.changes else ""
    lines = [
        f"*** ({one.number}) TRANSACTION:",
        f"TRANSACTION {one.connection_id}, ACTIVE 0 sec",
        f"LOCK WAIT {structs}{changes}",
        f"MySQL thread id {one.connection_id}, query id 0 localhost",
        one.statement,
        "",
    ]
    if one.holds is not None:
        lines.append(f"*** ({one.number}) HOLDS THE LOCK(S):")
        lines += [line for lock in one.holds for line in _lock_lines(one, lock, spots, waiting=False)]
    assert one.waits is not None
    lines.append(f"*** ({one.number}) WAITING FOR THIS LOCK TO BE GRANTED:")
    return [*lines, *_lock_lines(one, one.waits, spots, waiting=True)]


def _lock_lines(one: Participant, lock: Lock, spots: dict[tuple[str, str], int], *, waiting: bool) -> list[str]:
    place, owner = f"table `{lock.table}`", f"trx id {one.connection_id} lock mode"
    state = " waiting" if waiting else ""
    if lock.kind is LockKind.TABLE:
        return [f"TABLE LOCK {place} {owner} {lock.mode.replace('_', '-')}{state}", ""]
    number = 1 if lock.record == SUPREMUM else spots.setdefault(lock.spot, len(spots) + 2)
    where = f"space id 0 page no 0 n bits 72 index {lock.index} of {place}"
    covers = f"{_COVERS[lock.kind]}{state}"
    return [f"RECORD LOCKS {where} {owner} {lock.mode}{covers}", f"Record lock, heap no {number} key {lock.record}", ""]
