"""The locks as ``data_locks`` and ``data_lock_waits`` of MySQL's ``performance_schema`` show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from chatsim.db.deadlock import LockKind
from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.structures import Record, RecordLock, TableLock, Transaction

__all__ = [
    "DataLock",
    "DataLockWait",
    "ObservedBranch",
    "ObservedSession",
    "data_lock_waits",
    "data_locks",
    "lock_data",
]


@dataclass(slots=True)
class DataLock:
    """A row of ``performance_schema.data_locks``.

    Attributes:
        session: whose it is.
        table: its table.
        index: its index; None for a lock on the table.
        mode: ``X``, ``X,GAP``, ``IX`` …
        granted: held, or waited for.
        data: the record's key, or the supremum; None for a lock on the table.
    """

    session: int
    table: str
    index: str | None
    mode: str
    granted: bool
    data: str | None


@dataclass(frozen=True)
class DataLockWait:
    """A session that waits, on ``lock``, ``user_lock`` or ``metadata_lock``, and the sessions that it waits for."""

    session: int
    on: str
    by: tuple[int, ...]


class ObservedSession(Protocol):
    """The part of a session that is shown."""

    @property
    def connection_id(self) -> int:
        """Its number."""
        ...

    @property
    def trx(self) -> Transaction | None:
        """Its transaction."""
        ...

    @property
    def statement(self) -> str:
        """The text of the current statement."""
        ...


@dataclass(frozen=True)
class ObservedBranch:
    """A prepared branch of a distributed transaction, which is shown as its session's was."""

    connection_id: int
    trx: Transaction | None
    statement: str = ""


class NamedLocks(Protocol):
    """User-level locks or metadata locks."""

    def waits(self) -> Mapping[int, tuple[str, list[int]]]:
        """The sessions that wait: for which lock, and for which sessions."""
        ...


def data_locks(sessions: Iterable[ObservedSession]) -> list[DataLock]:
    """All locks on tables and records, held and waited for."""
    return [
        row
        for session in sessions
        if session.trx is not None
        for lock in session.trx.locks.structures
        for row in rows_of(lock, session.connection_id)
    ]


def rows_of(lock: RecordLock | TableLock, session: int) -> Iterator[DataLock]:
    """A lock of a session as it is shown: a row for each record."""
    granted = not lock.waiting
    if isinstance(lock, TableLock):
        yield DataLock(session, lock.queue.table, None, lock.mode, granted, None)
        return
    definition = lock.page.index.definition
    mode = lock.mode + _SHOWN_KINDS[lock.kind]
    for record in lock.records:
        shown = f"{lock.mode},INSERT_INTENTION" if lock.kind is _INSERT and record.is_supremum else mode
        yield DataLock(session, definition.table, definition.name, shown, granted, lock_data(record))


_INSERT = LockKind.INSERT_INTENTION
_SHOWN_KINDS = {
    LockKind.NEXT_KEY: "",
    LockKind.RECORD: ",REC_NOT_GAP",
    LockKind.GAP: ",GAP",
    LockKind.INSERT_INTENTION: ",GAP,INSERT_INTENTION",
}
"""How each kind of lock is shown behind its mode."""


def lock_data(record: Record) -> str:
    """A record's key as ``LOCK_DATA`` shows it."""
    if record.is_supremum:
        return "supremum pseudo-record"
    definition = record.index.definition
    values = [record.row[at] for at in definition.columns] if definition.clustered else record.row
    return ", ".join(
        f"0x{int(str(value)):012X}" if at == definition.hidden else record.index.shown(at, value)
        for at, value in zip(definition.place, values, strict=True)
    )


def data_lock_waits(
    sessions: Iterable[ObservedSession], locks: LockSystem, user_locks: NamedLocks, metadata_locks: NamedLocks
) -> list[DataLockWait]:
    """The sessions that wait for others, by what they wait for: first for locks on tables and records."""
    found = [
        DataLockWait(session.connection_id, "lock", tuple(each.session for each in locks.blocking(session.trx)))
        for session in sessions
        if session.trx is not None and session.trx.locks.wait_lock is not None
    ]
    for on, named in (("user_lock", user_locks), ("metadata_lock", metadata_locks)):
        found += [DataLockWait(owner, on, tuple(by)) for owner, (_, by) in named.waits().items()]
    return found
