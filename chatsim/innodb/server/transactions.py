"""Transaction control: beginning, committing and rolling back, savepoints, and metadata locks."""

from __future__ import annotations

from collections.abc import Awaitable

from chatsim.db.deadlock import Mode
from chatsim.db.errors import DatabaseError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.innodb.server.commit_log import Commit
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.interruption import Interruption
from chatsim.innodb.server.metadata_locks import LockCycleError, SessionMetadataLocks
from chatsim.innodb.server.settings import SessionSettings
from chatsim.innodb.storage.rows import RowOperations
from chatsim.innodb.storage.structures import ReadView, Transaction
from chatsim.innodb.storage.tables import Table

__all__ = ["SessionTransaction", "end_transaction"]

WRITES, COMMITS = "(writes)", "(commits)"
"""The metadata locks that statements that write, and commits, share; they are no names of tables."""


def end_transaction(engine: Engine, trx: Transaction) -> None:
    """End a transaction: its changes are visible then, its locks released."""
    if trx.view is not None:
        engine.history.close_view(trx.view)
        trx.view = None
    trx.active = False
    if trx.undo_log:
        engine.committed(trx)
    engine.locks.release_all(trx)


class SessionTransaction(SessionSettings):
    """The transaction of a session, one after the other: in autocommit, at REPEATABLE READ.

    Args:
        engine: the server.
        connection_id: the number of the session.
        waits: whether its commits take time; those of other sessions are on disk at once.

    Attributes:
        connection_id: the number of the session.
        trx: the transaction in the storage engine, when there is one.
        in_transaction: one was begun and has not ended.
        read_only: it was begun READ ONLY.
        reads_all: it has stopped all writers (FLUSH TABLES WITH READ LOCK).
        isolation: the level of the session's transactions.
        unanswered: the commits that have taken effect since the latest answer, if they take time.
    """

    def __init__(self, engine: Engine, connection_id: int, *, waits: bool) -> None:
        super().__init__(engine)
        self.connection_id = connection_id
        self.unanswered: list[Commit] = []
        self._waits = waits
        self.reads_all = False
        self.interruption = Interruption()
        self._metadata_locks = SessionMetadataLocks(engine.metadata_locks, connection_id)
        self.trx: Transaction | None = None
        self.in_transaction = False
        self.read_only = False
        self.isolation = Isolation.REPEATABLE_READ
        self._next_read_only: bool | None = None
        self._next_isolation: Isolation | None = None
        self._savepoints: dict[str, int | None] = {}
        self._auto_inc_locked: list[Table] = []  # by the current statement
        self._statement_view: ReadView | None = None

    @property
    def open(self) -> bool:
        """Whether a transaction goes on after a statement."""
        return self.in_transaction or not self.autocommit

    @property
    def under_way(self) -> bool:
        """Whether a transaction has begun, as the server tells its clients."""
        return self.in_transaction or self.trx is not None

    # -- begin and end

    async def begin(self, isolation: Isolation | None = None, *, read_only: bool | None = None) -> None:
        """Open a transaction; one that is open is committed. None is the session's."""
        next_isolation = None if self.under_way else self._next_isolation
        next_read_only = None if self.under_way else self._next_read_only
        await self.commit()
        self._next_isolation = isolation or next_isolation or self.isolation  # SET SESSION is for later ones
        self._next_read_only = next_read_only if read_only is None else read_only
        self.read_only = self.only_reads
        self.in_transaction = True

    async def commit(self) -> None:
        """Commit the transaction, if there is one."""
        trx = self.trx
        if trx is not None and trx.undo_log and self.engine.metadata_locks.holder(COMMITS) is not None:
            await self._write_beside(COMMITS)
            self.engine.metadata_locks.release(COMMITS, self.connection_id)
        if trx is None or not trx.undo_log:
            self._close(trx)
        elif self._waits:
            self.unanswered.append(await self.engine.log.commit(trx, self.take_effect))
        else:
            self._close(trx)
            self.engine.log.force()

    def take_effect(self) -> None:
        """Make the changes of the transaction visible, and release its locks."""
        self._close(self.trx)

    def rollback(self) -> None:
        """Roll back the transaction, if there is one."""
        if self.trx is not None:
            self.rows().roll_back()
        self._close(self.trx)

    def abort(self) -> None:
        """Roll back the transaction, if there is one, together with the current statement."""
        if self.trx is not None:
            self.end_statement(self.trx)
        self.rollback()

    def _close(self, trx: Transaction | None) -> None:
        self.in_transaction = self.read_only = False
        self._next_isolation = self._next_read_only = None
        self._savepoints.clear()
        if trx is not None:
            self._end(trx)
        self._metadata_locks.release_all()

    def _end(self, trx: Transaction) -> None:
        self.trx = None
        end_transaction(self.engine, trx)

    def detach(self) -> tuple[Transaction | None, SessionMetadataLocks]:
        """Give the transaction away, with the definitions that it keeps; the session has none then."""
        trx, self.trx = self.trx, None
        if trx is not None and trx.view is not None:
            self.engine.history.close_view(trx.view)
            trx.view = None
        if trx is not None:
            trx.prepared = True
        kept = self._metadata_locks.moved_to(-self.connection_id)
        self._close(None)
        return trx, kept

    # -- within

    def transaction(self) -> Transaction:
        """The transaction in the storage engine; it begins when it is first needed."""
        if self.trx is None:
            self.trx = Transaction(self.connection_id, self._next_isolation or self.isolation)
        return self.trx

    def rows(self, duplicates: Mode = "S") -> RowOperations:
        """Changes the rows of the transaction. Duplicates of an insert are locked in mode ``duplicates``."""
        trx = self.transaction()
        return RowOperations(
            *(trx, self.engine.locks, self.engine.history, self.lock_wait_timeout),
            duplicates=duplicates,
            checks_foreign_keys=self.checks_foreign_keys,
            after_record=self.engine.after_record,
        )

    def end_statement(self, trx: Transaction) -> None:
        """Release the locks that a transaction holds only for the current statement."""
        trx.locks.inherit_all = False
        for table in self._auto_inc_locked:
            self.engine.locks.release_auto_inc(trx, table.locks)
        self._auto_inc_locked.clear()
        if self._statement_view is not None:
            self.engine.history.close_view(self._statement_view)
            self._statement_view = None

    def set_isolation(self, level: Isolation, *, once: bool) -> None:
        """Set the level of the session's transactions, or ``once`` of the next one. Raises a `DatabaseError` (1568)."""
        if not once:
            self.isolation = level
        else:
            self._check_none_under_way()
            self._next_isolation = level

    def set_read_only(self, only: bool, *, once: bool) -> None:  # noqa: FBT001
        """Say whether transactions are READ ONLY, or ``once`` the next one. Raises a `DatabaseError` (1568)."""
        if not once:
            self.reads_only = only
        else:
            self._check_none_under_way()
            self._next_read_only = only

    def _check_none_under_way(self) -> None:
        if self.under_way:
            message = "Transaction characteristics can't be changed while a transaction is in progress"
            raise database_error(1568, message)

    @property
    def only_reads(self) -> bool:
        """Whether the transaction that is open, or the one that the next statement begins, is READ ONLY."""
        if self.in_transaction:
            return self.read_only
        return self.reads_only if self._next_read_only is None else self._next_read_only

    # -- what statements need of it

    @property
    def reads_lock(self) -> bool:
        """Whether plain reads lock."""
        return self.open and self.transaction().isolation is Isolation.SERIALIZABLE

    def view(self) -> ReadView | None:
        """What plain reads see; None for the newest."""
        trx = self.transaction()
        if trx.isolation in (Isolation.READ_UNCOMMITTED, Isolation.READ_COMMITTED):
            if self._statement_view is None:
                self._statement_view = self.engine.history.open_view(trx)
            # at READ UNCOMMITTED the view is not read by; but purge waits for it
            return None if trx.isolation is Isolation.READ_UNCOMMITTED else self._statement_view
        if trx.view is None:
            trx.view = self.engine.history.open_view(trx)
        return trx.view

    async def take_numbers(self, table: Table, *, bulk: bool) -> None:
        """Lock AUTO_INCREMENT values until the statement ends, where ``innodb_autoinc_lock_mode`` asks for it."""
        mode = self.engine.autoinc_lock_mode
        if table not in self._auto_inc_locked and (mode == 0 or (mode == 1 and (bulk or table.locks.auto_inc))):
            self._auto_inc_locked.append(table)
            await self.rows().lock_table(table, "AUTO_INC")

    # -- savepoints

    def set_savepoint(self, name: str) -> None:
        """Set a savepoint, if a transaction is open; one of the same name is gone."""
        if self.open:
            self._savepoints.pop(name.lower(), None)
            self._savepoints[name.lower()] = None if self.trx is None else len(self.trx.undo_log)

    def rollback_to(self, name: str) -> None:
        """Roll back to a savepoint; those set after it are gone. Raises a `DatabaseError` (1305)."""
        changes = self._savepoint(name)
        if changes is not None:
            self.rows().undo(changes)
        elif self.trx is not None:  # there was no transaction in the storage engine yet
            self.rows().roll_back()
            self._end(self.trx)
        for each in self._since(name)[1:]:
            del self._savepoints[each]

    def release_savepoint(self, name: str) -> None:
        """Forget a savepoint and those set after it. Raises a `DatabaseError` (1305)."""
        self._savepoint(name)
        for each in self._since(name):
            del self._savepoints[each]

    def _savepoint(self, name: str) -> int | None:
        """How many changes there were then; None: there was no transaction in the storage engine yet."""
        if name.lower() not in self._savepoints:
            raise database_error(1305, f"SAVEPOINT {name} does not exist")
        return self._savepoints[name.lower()]

    def _since(self, name: str) -> list[str]:
        names = list(self._savepoints)
        return names[names.index(name.lower()) :]

    # -- metadata locks

    async def use_table(self, name: str, *, writes: bool) -> None:
        """Keep a table's definition until the transaction ends.

        Raises:
            DatabaseError: `DeadlockError`, `LockWaitTimeoutError`, or the statement was interrupted (1317, 2013).
        """
        await self._got(self._metadata_locks.use(name, writes=writes, seconds=self.metadata_lock_timeout))

    async def change_table(self, name: str, *, upgrades: bool = False) -> None:
        """Have a table's definition alone until the transaction ends. Raises as `use_table`.

        Args:
            name: of the table.
            upgrades: the change is prepared while others use the table.
        """
        await self._got(self._metadata_locks.change(name, self.metadata_lock_timeout, upgrades=upgrades))

    async def keep_table(self, name: str, *, writes: bool) -> None:
        """LOCK TABLES: have a table until `give_tables_back`. Raises as `use_table`."""
        await self._got(self._metadata_locks.keep(name, writes=writes, seconds=self.metadata_lock_timeout))

    async def _got(self, lock: Awaitable[bool]) -> None:
        """Take a metadata lock."""
        try:
            with self.interruption.possible():
                got = await lock
        except LockCycleError:
            raise self._deadlocked() from None
        if not got:
            raise database_error(1205, "Lock wait timeout exceeded; try restarting transaction")

    def interrupt(self, error: DatabaseError) -> None:
        """End what the statement under way waits for, with an error."""
        if self.trx is not None and self.trx.locks.wait_lock is not None:
            self.engine.locks.cancel(self.trx.locks.wait_lock, error)
        else:
            self.interruption.come(error)

    def call_kept_table(self, table: str, name: str | None) -> None:
        """LOCK TABLES: a table that is kept has another name now; None: it is gone."""
        self._metadata_locks.call_otherwise(table, name)

    def give_tables_back(self) -> None:
        """UNLOCK TABLES."""
        self._metadata_locks.give_back()

    async def stop_writers(self) -> None:
        """FLUSH TABLES WITH READ LOCK: nobody writes or commits until `let_writers_go`."""
        for name in (WRITES, COMMITS):
            await self.engine.metadata_locks.acquire(name, self.connection_id, mode="read only")
        self.reads_all = True

    def let_writers_go(self) -> None:
        """Give the global read lock back."""
        for name in (WRITES, COMMITS):
            self.engine.metadata_locks.release(name, self.connection_id)
        self.reads_all = False

    async def begin_to_write(self) -> bool:
        """Wait until nobody reads all tables. Returns whether `end_to_write` has to be called.

        Raises:
            DatabaseError: it is this session itself that has stopped all writers (1223).
        """
        if self.reads_all:
            raise database_error(1223, "Can't execute the query because you have a conflicting read lock")
        if self.engine.metadata_locks.holder(WRITES) is None:
            return False
        await self._write_beside(WRITES)
        return True

    def end_to_write(self) -> None:
        """A statement that writes has ended."""
        self.engine.metadata_locks.release(WRITES, self.connection_id)

    async def _write_beside(self, name: str) -> None:
        try:
            await self.engine.metadata_locks.acquire(name, self.connection_id, mode="write")
        except LockCycleError:
            raise self._deadlocked() from None

    def leave_tables(self) -> None:
        """Release the tables of a statement that has failed, unless a transaction is open."""
        if not self.open:
            self._metadata_locks.release_all()

    def _deadlocked(self) -> Exception:
        self.abort()
        return database_error(1213, "Deadlock found when trying to get lock; try restarting transaction")
