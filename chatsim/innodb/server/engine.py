"""A MySQL server with InnoDB: its tables, its sessions, and what can be seen of its locks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from chatsim.db.deadlock import SUPREMUM, Deadlock, Lock, LockKind, Participant
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.innodb.server.named_locks import NamedLocks
from chatsim.innodb.server.process import Process
from chatsim.innodb.sql.executor.statements import Statement, prepare
from chatsim.innodb.sql.parser import parse
from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.purge import History
from chatsim.innodb.storage.structures import RecordLock, TableLock, Transaction
from chatsim.innodb.storage.values import as_text

if TYPE_CHECKING:
    from chatsim.innodb.storage.structures import Index, Record
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["DataLock", "Engine", "Wait"]

_PURGE_PAUSE = 0.01  # seconds between a commit and the purge of what it leaves

Prepared = tuple[Any, Statement | None]


@dataclass(frozen=True)
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
class Wait:
    """Who waits, on ``lock``, ``user_lock`` or ``metadata_lock``, for which sessions."""

    session: int
    on: str
    by: tuple[int, ...]


class Engine:
    """The server.

    Args:
        clock: seconds since the epoch, in UTC.
        autoinc_lock_mode: ``innodb_autoinc_lock_mode``.
        log_bin: whether there is a binary log, for which whole rows are read where they are written.
        purges: it purges by itself, soon after each commit; else `purge` has to be called.

    Attributes:
        tables: by their names in lower case.
        locks: those on rows and tables.
        user_locks: GET_LOCK's.
        metadata_locks: who uses which table.
        history: what has been committed and not purged.
        statements: how many have ended well.
        examined: how many records have been looked at.
        deadlock: the latest one.
        sessions: the open ones, by number.
        process: what it runs in.
    """

    def __init__(
        self, clock: Callable[[], float], *, autoinc_lock_mode: int = 2, log_bin: bool = False, purges: bool = True
    ) -> None:
        self._clock = clock
        self._purges = purges
        self._purging: asyncio.TimerHandle | None = None
        self._prepared: dict[str, list[Prepared]] = {}
        self._definitions = 0
        self.autoinc_lock_mode = autoinc_lock_mode
        self.log_bin = log_bin
        self.tables: dict[str, Table] = {}
        self.locks = LockSystem(self._died)
        self.user_locks = NamedLocks()
        self.metadata_locks = NamedLocks()
        self.history = History()
        self.statements = 0
        self.examined = 0
        self.deadlock: Deadlock | None = None
        self.sessions: dict[int, Any] = {}
        self.opened = 0
        self.process = Process()

    async def crash(self) -> None:
        """End as by ``kill -9``, and leave what recovery makes of that.

        What had not been committed is rolled back, sessions and all their locks are gone, statements under way fail
        (2013); AUTO_INCREMENT values are given again unless a row with them had been written.
        """
        await self.process.kill()
        for session in list(self.sessions.values()):
            session.close()
        if self._purging is not None:
            self._purging.cancel()
            self._purging = None
        for table in self.tables.values():
            table.next_number = table.logged_number

    def restart(self) -> None:
        """Be there again."""
        self.process.start()
        self._purge_later()

    def now(self) -> datetime:
        """The moment, in UTC, to the second."""
        return datetime.fromtimestamp(int(self._clock()), UTC).replace(tzinfo=None)

    # -- statements

    def count(self, sql: str) -> int:
        """How many statements a text has. Raises a `DatabaseError` when it is no SQL, or there is none."""
        found = self._prepared.get(sql)
        if found is None:
            found = self._prepared[sql] = [(node, None) for node in parse(sql)]
            if not found:
                raise database_error(1065, "Query was empty")
        return len(found)

    def names(self, sql: str, at: int) -> list[str]:
        """The tables that the ``at``-th statement of a text is about, if it is about rows."""
        self.count(sql)
        node, statement = self._prepared[sql][at]
        if statement is not None:
            return sorted({table.name.lower() for table in statement.tables})
        if not isinstance(node, exp.Query | exp.DML):
            return []
        return sorted({each.name.lower() for each in node.find_all(exp.Table)} & self.tables.keys())

    def writes(self, sql: str, at: int) -> bool:
        """Whether the ``at``-th statement of a text changes rows, or locks them as if it did."""
        self.count(sql)
        node, statement = self._prepared[sql][at]
        if statement is not None:
            return statement.writes
        if isinstance(node, exp.Query):
            return any(each.args.get("update") for each in node.find_all(exp.Lock))
        return isinstance(node, exp.DML)

    def prepare(self, sql: str, at: int) -> Prepared:
        """The ``at``-th statement of a text, prepared against the tables that there are now.

        Raises:
            DatabaseError: it makes no sense.
            NotImplementedError: it has something that the model does not understand; the message names it.
        """
        self.count(sql)  # which parses it anew if tables have changed since
        node, statement = self._prepared[sql][at]
        if statement is None:
            statement = prepare(node, self.table)
            self._prepared[sql][at] = (node, statement)
        return node, statement

    def table(self, name: str) -> Table:
        """A table by its name. Raises a `DatabaseError`."""
        found = self.tables.get(name.lower())
        if found is None:
            raise database_error(1146, f"Table '{name}' doesn't exist")
        return found

    def altered(self, table: Table, session: int) -> None:
        """A table has other columns than before: what was committed until now can't be read any more."""
        table.altered = Transaction(session, Isolation.READ_COMMITTED, active=False)
        self.history.commit(table.altered)

    def made(self, indexes: Iterable[Index], session: int) -> None:
        """Indexes are there anew, of a new table all: for older snapshots they are not."""
        maker = Transaction(session, Isolation.READ_COMMITTED, active=False)
        self.history.commit(maker)
        for index in indexes:
            index.made = maker

    def redefined(self) -> None:
        """Tables have come, gone or changed: what was prepared for them is of no use."""
        self._prepared.clear()

    # -- commits and purge

    def committed(self, trx: Transaction) -> None:
        """A transaction with changes has committed."""
        self.history.commit(trx)
        self._purge_later()

    def _purge_later(self) -> None:
        if self._purges and self._purging is None and self.process.up:
            self._purging = asyncio.get_running_loop().call_later(_PURGE_PAUSE, self._purge_now)

    def purge(self) -> bool:
        """Purge what no view wants; whether there was anything."""
        return self.history.purge(self.locks)

    def _purge_now(self) -> None:
        self._purging = None
        self.purge()

    # -- what there is to see

    def data_locks(self) -> list[DataLock]:
        """All locks on tables and records, held and waited for."""
        found = []
        for session in self.sessions.values():
            if session.trx is None:
                continue
            for lock in session.trx.locks.structures:
                if isinstance(lock, TableLock):
                    found.append(
                        DataLock(session.connection_id, lock.queue.table, None, lock.mode, not lock.waiting, None)
                    )
                    continue
                name = lock.index.definition.name
                found += [
                    DataLock(
                        session.connection_id,
                        lock.index.definition.table,
                        name,
                        _mode(lock, each),
                        not lock.waiting,
                        _data(each),
                    )
                    for each in lock.records
                ]
        return found

    def data_lock_waits(self) -> list[Wait]:
        """Who waits for whom."""
        found = []
        for session in self.sessions.values():
            if session.trx is not None and session.trx.locks.wait_lock is not None:
                others = self.locks.blocking(session.trx)
                found.append(Wait(session.connection_id, "lock", tuple(each.session for each in others)))
        for on, locks in (("user_lock", self.user_locks), ("metadata_lock", self.metadata_locks)):
            found += [Wait(owner, on, tuple(by)) for owner, (_, by) in locks.waits().items()]
        return found

    def _died(self, cycle: Sequence[Transaction], victim: Transaction) -> None:
        participants = []
        for number, trx in enumerate(cycle, start=1):
            before = cycle[number - 2]
            wanted = before.locks.wait_lock
            waits = trx.locks.wait_lock
            assert isinstance(waits, RecordLock | TableLock)
            holds: tuple[Lock, ...] = ()
            if isinstance(wanted, RecordLock):
                (spot,) = wanted.records
                held = [
                    lock
                    for lock in spot.locks
                    if lock.trx is trx and not lock.waiting and lock.kind is not LockKind.INSERT_INTENTION
                ]
                holds = tuple(self._told(lock, spot) for lock in reversed(held))
            session = self.sessions.get(trx.session)
            statement = session.statement if session is not None else ""
            participants.append(Participant(number, trx.session, statement, holds, self._asked(waits), trx.weight))
        lines = [line for each in participants for line in _report(each)]
        lines.append(f"*** WE ROLL BACK TRANSACTION ({list(cycle).index(victim) + 1})")
        self.deadlock = Deadlock(tuple(participants), list(cycle).index(victim) + 1, "\n".join(lines))

    def _asked(self, lock: RecordLock | TableLock) -> Lock:
        if isinstance(lock, TableLock):
            return Lock(lock.queue.table, "", "X", LockKind.RECORD, "AUTO_INC")
        (record,) = lock.records
        return self._told(lock, record)

    def _told(self, lock: RecordLock, record: Record) -> Lock:
        data = SUPREMUM if record.is_supremum else f"({_data(record)})"
        return Lock(lock.index.definition.table, lock.index.definition.name, lock.mode, lock.kind, data)


def _mode(lock: RecordLock, record: Record) -> str:
    match lock.kind:
        case LockKind.RECORD:
            return f"{lock.mode},REC_NOT_GAP"
        case LockKind.GAP:
            return f"{lock.mode},GAP"
        case LockKind.INSERT_INTENTION:
            return f"{lock.mode},INSERT_INTENTION" if record.is_supremum else f"{lock.mode},GAP,INSERT_INTENTION"
    return lock.mode


def _data(record: Record) -> str:
    if record.is_supremum:
        return "supremum pseudo-record"
    definition = record.index.definition
    values = [record.row[at] for at in definition.columns] if definition.clustered else record.row
    return ", ".join(
        f"0x{int(str(value)):012X}" if at == definition.hidden else _shown(value)
        for at, value in zip(definition.place, values, strict=True)
    )


def _shown(value: Value) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else as_text(value)


def _report(one: Participant) -> list[str]:
    lines = [
        f"*** ({one.number}) TRANSACTION:",
        f"MySQL thread id {one.connection_id}, weight {one.weight}",
        one.statement,
    ]
    lines += [f"*** ({one.number}) HOLDS {lock.mode} {lock.words()} of {lock.place}" for lock in one.holds]
    lines.append(f"*** ({one.number}) WAITS FOR {one.waits.mode} {one.waits.words()} of {one.waits.place}")
    return lines
