"""A MySQL server with InnoDB: its tables, its sessions, its locks, its history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Protocol

from chatsim.db.deadlock import Deadlock
from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.innodb.server import deadlock_report, performance_schema
from chatsim.innodb.server.commit_log import CommitLog
from chatsim.innodb.server.durability import Durability
from chatsim.innodb.server.interruption import Interruption
from chatsim.innodb.server.metadata_locks import MetadataLocks
from chatsim.innodb.server.performance_schema import DataLock, DataLockWait, ObservedBranch, ObservedSession
from chatsim.innodb.server.prepared import StatementCache
from chatsim.innodb.server.process import Process
from chatsim.innodb.server.user_level_locks import UserLevelLocks
from chatsim.innodb.sql.executor.views import ViewDefinition, with_views
from chatsim.innodb.sql.session_syntax import Xid
from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.purge import History
from chatsim.innodb.storage.structures import Index, Transaction
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.undo import roll_back

__all__ = ["Engine", "ServerSession"]

_NO_BINARY_LOG = Durability(log_bin=0)

_PURGE_PAUSE = 0.01  # seconds between a commit and the purge of what it leaves


class ServerSession(ObservedSession, Protocol):
    """What the server does to a session.

    Attributes:
        works: whether it executes a statement.
    """

    works: bool

    @property
    def interruption(self) -> Interruption:
        """What KILL does to its statement."""
        ...

    def interrupt(self, error: DatabaseError) -> None:
        """End what its statement waits for, with an error."""
        ...

    def close(self) -> None:
        """End it: its transaction is rolled back."""
        ...

    def take_effect(self) -> None:
        """Commit its transaction, which is on disk."""
        ...


class Engine:
    """The server.

    Args:
        clock: seconds since the epoch, in UTC.
        autoinc_lock_mode: ``innodb_autoinc_lock_mode``.
        durability: the settings of its logs.
        purges: whether it purges by itself, soon after each commit. If not, `purge` has to be called.

    Attributes:
        log: the redo log and the binary log.
        tables: by their names.
        views: by their names.
        find: gives a table or a view by its name, or raises a `DatabaseError`.
        prepared: the prepared statements.
        locks: those on rows and tables.
        user_locks: GET_LOCK's.
        metadata_locks: which sessions use which table.
        history: the history list: committed transactions that have not been purged.
        statements: how many have ended well.
        examined: how many records have been looked at.
        deadlock: the latest one.
        deadlock_at: when it was detected.
        on_deadlock: called with each deadlock; None if nobody wants to know of all.
        sessions: the open ones, by number.
        process: the server's process.
        schema: the name of its one schema, once a session has used a name.
        branches: the branches of distributed transactions, by their names.
        chance: draws what RAND() and UUID() give.
        after_record: awaited after each record that a statement has met, so that other sessions and the purge can run
            before it goes on; None if a statement goes on until it has to wait.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        autoinc_lock_mode: int = 2,
        durability: Durability = _NO_BINARY_LOG,
        purges: bool = True,
    ) -> None:
        self._clock = clock
        self._purges = purges
        self._purging: asyncio.TimerHandle | None = None
        self.autoinc_lock_mode = autoinc_lock_mode
        self.tables: dict[str, Table] = {}
        self.views: dict[str, ViewDefinition] = {}
        self.find = with_views(self.table, self.views.get)
        self.prepared = StatementCache(self.tables, self.views, self.find)
        self.schema = ""
        self.process = Process()
        self.after_record: Callable[[], Awaitable[None]] | None = None
        self._durability = durability
        self.forget()

    def forget(self) -> None:
        """Be without sessions, locks and logs, as at the beginning. Tables and prepared statements stay."""
        self.log = CommitLog(self._durability, self._numbers)
        self.locks = LockSystem(self._report)
        self.user_locks = UserLevelLocks()
        self.metadata_locks = MetadataLocks()
        self.history = History()
        self.statements = 0
        self.examined = 0
        self.deadlock: Deadlock | None = None
        self.deadlock_at: datetime | None = None
        self.on_deadlock: Callable[[Deadlock], None] | None = None
        self.sessions: dict[int, ServerSession] = {}
        self.opened = 0
        self.branches: dict[Xid, Any] = {}
        self.chance = Random("RAND()")  # noqa: S311 - every server draws the same numbers, so that a run repeats itself

    async def crash(self, *, host: bool = False) -> None:
        """End as by ``kill -9``, and leave what recovery makes of that.

        What had not been committed, or is in no log, is rolled back (see `commit_log`). Sessions and all their locks
        are gone, statements under way fail (2013). AUTO_INCREMENT values are given again unless the log has a row with
        them.

        Args:
            host: whether the whole host dies, as by a power cut, and not only the process.
        """
        if any(each.trx is not None for each in self.branches.values()):
            raise NotImplementedError("the model has no recovery of prepared branches of distributed transactions")
        recovery = self.log.recover(host=host)
        await self.process.kill()
        for trx in recovery.commit:
            self.sessions[trx.session].take_effect()
        for session in list(self.sessions.values()):
            session.close()
        for trx in recovery.undo:
            roll_back(trx, 0, self.locks, self.history.purged, partial=False)
            self.history.forget(trx)
        if self._purging is not None:
            self._purging.cancel()
            self._purging = None
        for name, table in self.tables.items():
            table.next_number = table.logged_number = recovery.numbers.get(name, table.logged_number)

    def restart(self) -> None:
        """Accept sessions again."""
        self.process.start()
        self._purge_later()

    def _numbers(self) -> dict[str, int]:
        return {name: table.logged_number for name, table in self.tables.items()}

    def now(self, *, exact: bool = False) -> datetime:
        """The moment, in UTC, to the second, or to the microsecond."""
        seconds = self._clock()
        return datetime.fromtimestamp(seconds if exact else int(seconds), UTC).replace(tzinfo=None)

    # -- tables

    @property
    def has_triggers(self) -> bool:
        """Whether some table has triggers."""
        return any(table.triggers for table in self.tables.values())

    def table(self, name: str) -> Table:
        """A table by its name. Raises a `DatabaseError`."""
        found = self.tables.get(name)
        if found is None:
            raise database_error(1146, f"Table '{name}' doesn't exist")
        return found

    def altered(self, table: Table, session: int) -> None:
        """Note that the columns of a table have changed: older read views can't read it any more."""
        table.altered = self._committed_now(session)

    def made(self, indexes: Iterable[Index], session: int) -> None:
        """Note that indexes, or all of those of a table, have been created: older read views do not see them."""
        maker = self._committed_now(session)
        for index in indexes:
            index.made = maker

    def _committed_now(self, session: int) -> Transaction:
        """A transaction of a change of definitions: it is in no older read view."""
        trx = Transaction(session, Isolation.READ_COMMITTED, active=False)
        self.history.commit(trx)
        return trx

    # -- commits and purge

    def committed(self, trx: Transaction) -> None:
        """A transaction with changes has committed."""
        self.history.commit(trx)
        self._purge_later()

    def _purge_later(self) -> None:
        if self._purges and self._purging is None and self.process.up:
            self._purging = asyncio.get_running_loop().call_later(_PURGE_PAUSE, self._purge_now)

    def purge(self) -> bool:
        """Purge everything that no read view needs, nor recovery. Returns whether there was anything to purge."""
        return self.history.purge(self.locks, self.log.unsafe)

    def _purge_now(self) -> None:
        self._purging = None
        self.purge()
        if self.log.unsafe is not None:
            self._purge_later()

    # -- locks, as performance_schema shows them

    def data_locks(self) -> list[DataLock]:
        """All locks on tables and records, held and waited for."""
        return performance_schema.data_locks([*self.sessions.values(), *self._prepared_branches()])

    def transactions(self) -> list[Transaction]:
        """Those that have begun: of the sessions, and of prepared branches."""
        observed: list[ObservedSession] = [*self.sessions.values(), *self._prepared_branches()]
        return [each.trx for each in observed if each.trx is not None]

    def _prepared_branches(self) -> list[ObservedBranch]:
        return [ObservedBranch(each.trx.session, each.trx) for each in self.branches.values() if each.trx is not None]

    def data_lock_waits(self) -> list[DataLockWait]:
        """The sessions that wait, and the sessions that they wait for."""
        sessions = self.sessions.values()
        return performance_schema.data_lock_waits(sessions, self.locks, self.user_locks, self.metadata_locks)

    def _report(self, cycle: Sequence[Transaction], victim: Transaction) -> None:
        self.deadlock = deadlock_report.report(cycle, victim, self.sessions, self.schema)
        self.deadlock_at = self.now()
        if self.on_deadlock is not None:
            self.on_deadlock(self.deadlock)
