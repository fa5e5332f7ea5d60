"""The report about a deadlock, as ``SHOW ENGINE INNODB STATUS`` has it under LATEST DETECTED DEADLOCK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatsim.db.deadlock import SUPREMUM, Deadlock, Lock, LockKind, Participant
from chatsim.innodb.server.lock_printing import HEAP, LockPrinter, thread_line
from chatsim.innodb.server.performance_schema import ObservedSession, lock_data
from chatsim.innodb.server.transaction_numbers import number_of_session
from chatsim.innodb.storage.structures import Record, RecordLock, TableLock, Transaction

__all__ = ["report", "requested"]


def report(
    cycle: Sequence[Transaction], victim: Transaction, sessions: Mapping[int, ObservedSession], schema: str
) -> Deadlock:
    """The report of a deadlock.

    Args:
        cycle: its transactions, each of which waits for the next one, the last one for the first.
        victim: the one that is rolled back.
        sessions: the open sessions, by number.
        schema: the name of the tables' schema; empty if it has none.
    """
    participants = tuple(
        _participant(number, trx, cycle[number - 2], sessions.get(trx.session))
        for number, trx in enumerate(cycle, start=1)
    )
    number = list(cycle).index(victim) + 1
    printer = LockPrinter(schema)
    lines = [line for each in participants for line in _lines(each, printer)]
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


def _lines(one: Participant, printer: LockPrinter) -> list[str]:
    """The section of a transaction, in the form in which a server prints it."""
    assert one.weight is not None
    assert one.changes is not None
    assert one.waits is not None
    trx = number_of_session(one.connection_id)
    changes = f", undo log entries {one.changes}" if one.changes else ""
    lines = [
        f"*** ({one.number}) TRANSACTION:",
        f"TRANSACTION {trx}, ACTIVE 0 sec starting index read",
        "mysql tables in use 1, locked 1",
        f"LOCK WAIT {one.weight - one.changes} lock struct(s), heap size {HEAP}{changes}",
        thread_line(one.connection_id),
        one.statement,
        "",
        f"*** ({one.number}) HOLDS THE LOCK(S):",
    ]
    for lock in one.holds or ():
        lines += printer.lines(lock, trx, waits=False)
    lines += ["", f"*** ({one.number}) WAITING FOR THIS LOCK TO BE GRANTED:"]
    return [*lines, *printer.lines(one.waits, trx, waits=True)]
