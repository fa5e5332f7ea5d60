"""SHOW ENGINE INNODB STATUS: the latest deadlock and the transactions, in the server's form.

Source: MySQL manual, "InnoDB Standard Monitor and Lock Monitor Output". The model has no threads, no
files and no buffer pool, so the other sections are left out. The fields of records are shown as integers of four or
eight bytes, or as texts.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatsim.db.deadlock import SUPREMUM, Deadlock, Lock, LockKind, Participant
from chatsim.innodb.server.deadlock_report import requested
from chatsim.innodb.server.engine import Engine, ServerSession
from chatsim.innodb.server.system_tables import number_of_session, transaction_number
from chatsim.innodb.storage.structures import RecordLock, TableLock, Transaction

__all__ = ["innodb_status"]

_KINDS = {
    LockKind.RECORD: " locks rec but not gap",
    LockKind.GAP: " locks gap before rec",
    LockKind.INSERT_INTENTION: " insert intention",
}
_HEAP = 1128


def innodb_status(engine: Engine, schema: str) -> str:
    """The text of the status."""
    lines = ["", "=" * 37, f"{engine.now()} 0 INNODB MONITOR OUTPUT", "=" * 37]
    if engine.deadlock is not None:
        lines += [*_heading("LATEST DETECTED DEADLOCK"), f"{engine.deadlock_at} 0", *_deadlock(engine.deadlock, schema)]
    lines += _heading("TRANSACTIONS")
    lines.append("LIST OF TRANSACTIONS FOR EACH SESSION:")
    for session in engine.sessions.values():
        if session.trx is not None:
            lines += _transaction(session, session.trx, schema)
    return "\n".join([*lines, "-" * 28, "END OF INNODB MONITOR OUTPUT", "=" * 28, ""])


def _heading(title: str) -> list[str]:
    return ["-" * len(title), title, "-" * len(title)]


def _deadlock(deadlock: Deadlock, schema: str) -> Iterator[str]:
    for each in deadlock.participants:
        yield from _participant(each, schema)
    yield f"*** WE ROLL BACK TRANSACTION ({deadlock.victim})"


def _participant(one: Participant, schema: str) -> Iterator[str]:
    trx = str(number_of_session(one.connection_id))
    yield f"*** ({one.number}) TRANSACTION:"
    yield f"TRANSACTION {trx}, ACTIVE 0 sec starting index read"
    yield "mysql tables in use 1, locked 1"
    yield f"LOCK WAIT {one.weight} lock struct(s), heap size {_HEAP}"
    yield _thread(one.connection_id)
    yield one.statement
    for each in one.holds or ():
        yield f"\n*** ({one.number}) HOLDS THE LOCK(S):"
        yield from _lock(each, trx, schema)
    yield f"\n*** ({one.number}) WAITING FOR THIS LOCK TO BE GRANTED:"
    assert one.waits is not None
    yield from _lock(one.waits, trx, schema, waiting=" waiting")
    yield ""


def _thread(connection_id: int) -> str:
    return f"MySQL thread id {connection_id}, OS thread handle 0, query id 0 localhost root updating"


def _lock(lock: Lock, trx: str, schema: str, *, waiting: str = "") -> Iterator[str]:
    table = f"`{schema}`.`{lock.table}`"
    if not lock.index:
        mode = "AUTO-INC" if lock.mode == "AUTO_INC" else lock.mode
        yield f"TABLE LOCK table {table} trx id {trx} lock mode {mode}{waiting}"
        return
    kind = _KINDS.get(lock.kind, "")
    if lock.kind is LockKind.INSERT_INTENTION and lock.record != SUPREMUM:
        kind = f"{_KINDS[LockKind.GAP]}{kind}"
    yield (
        f"RECORD LOCKS space id 0 page no 4 n bits 72 index {lock.index} of table {table} trx id {trx}"
        f" lock_mode {lock.mode}{kind}{waiting}"
    )
    fields = ["supremum"] if lock.record == SUPREMUM else lock.record.strip("()").split(", ")
    number = 1 if lock.record == SUPREMUM else 2
    yield f"Record lock, heap no {number} PHYSICAL RECORD: n_fields {len(fields)}; compact format; info bits 0"
    for at, value in enumerate(fields):
        stored = _stored(value)
        shown = "".join(chr(each) if 32 <= each < 127 else " " for each in stored)
        yield f" {at}: len {len(stored)}; hex {stored.hex()}; asc {shown};;"
    yield ""


def _stored(value: str) -> bytes:
    """A field of a record as bytes: an integer with its sign turned, as InnoDB stores it."""
    if not value.lstrip("-").isdigit():
        return value.strip("'").encode()
    size = 4 if -(1 << 31) <= int(value) < 1 << 31 else 8
    return ((int(value) + (1 << (8 * size - 1))) % (1 << (8 * size))).to_bytes(size)


def _transaction(session: ServerSession, trx: Transaction, schema: str) -> Iterator[str]:
    number, locks, waits = str(transaction_number(trx)), trx.locks.structures, trx.locks.wait_lock
    yield f"---TRANSACTION {number}, ACTIVE 0 sec{' starting index read' if waits is not None else ''}"
    if session.works:
        yield f"mysql tables in use 1, locked {int(bool(locks))}"
    rows = sum(len(each.records) for each in locks if isinstance(each, RecordLock))
    tables = sum(isinstance(each, TableLock) for each in locks)
    structures = tables + len({id(each) for each in locks if isinstance(each, RecordLock)})
    undone = f", undo log entries {len(trx.undo_log)}" if trx.undo_log else ""
    wait = "LOCK WAIT " if waits is not None else ""
    yield f"{wait}{structures} lock struct(s), heap size {_HEAP}, {rows} row lock(s){undone}"
    yield _thread(session.connection_id)
    if session.works:
        yield session.statement
    if waits is not None:
        yield "------- TRX HAS BEEN WAITING 0 SEC FOR THIS LOCK TO BE GRANTED:"
        yield from _lock(requested(waits), number, schema, waiting=" waiting")
        yield "------------------"
