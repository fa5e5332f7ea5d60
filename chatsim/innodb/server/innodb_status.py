"""SHOW ENGINE INNODB STATUS: the latest deadlock and the transactions, in the server's form.

Source: MySQL manual, "InnoDB Standard Monitor and Lock Monitor Output". The model has no threads, no
files and no buffer pool, so the other sections are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatsim.innodb.server.deadlock_report import requested
from chatsim.innodb.server.engine import Engine, ServerSession
from chatsim.innodb.server.lock_printing import HEAP, LockPrinter, thread_line
from chatsim.innodb.server.transaction_numbers import transaction_number
from chatsim.innodb.storage.structures import RecordLock, TableLock, Transaction

__all__ = ["innodb_status"]


def innodb_status(engine: Engine, schema: str) -> str:
    """The text of the status."""
    lines = ["", "=" * 37, f"{engine.now()} 0 INNODB MONITOR OUTPUT", "=" * 37]
    if engine.deadlock is not None:
        lines += [*_heading("LATEST DETECTED DEADLOCK"), f"{engine.deadlock_at} 0", engine.deadlock.raw.rstrip()]
    lines += _heading("TRANSACTIONS")
    lines.append("LIST OF TRANSACTIONS FOR EACH SESSION:")
    for session in engine.sessions.values():
        if session.trx is not None:
            lines += _transaction(session, session.trx, schema)
    return "\n".join([*lines, "-" * 28, "END OF INNODB MONITOR OUTPUT", "=" * 28, ""])


def _heading(title: str) -> list[str]:
    return ["-" * len(title), title, "-" * len(title)]


def _transaction(session: ServerSession, trx: Transaction, schema: str) -> Iterator[str]:
    number, locks, waits = transaction_number(trx), trx.locks.structures, trx.locks.wait_lock
    yield f"---TRANSACTION {number}, ACTIVE 0 sec{' starting index read' if waits is not None else ''}"
    if session.works:
        yield f"mysql tables in use 1, locked {int(bool(locks))}"
    rows = sum(len(each.records) for each in locks if isinstance(each, RecordLock))
    tables = sum(isinstance(each, TableLock) for each in locks)
    structures = tables + len({id(each) for each in locks if isinstance(each, RecordLock)})
    undone = f", undo log entries {len(trx.undo_log)}" if trx.undo_log else ""
    wait = "LOCK WAIT " if waits is not None else ""
    yield f"{wait}{structures} lock struct(s), heap size {HEAP}, {rows} row lock(s){undone}"
    yield thread_line(session.connection_id)
    if session.works:
        yield session.statement
    if waits is not None:
        yield "------- TRX HAS BEEN WAITING 0 SEC FOR THIS LOCK TO BE GRANTED:"
        yield from LockPrinter(schema).lines(requested(waits), number, waits=True)
        yield "------------------"
