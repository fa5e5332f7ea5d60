"""A session of the server: its transaction, its variables, its statements one after the other."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from chatsim.db.errors import DatabaseError, DeadlockError
from chatsim.db.mysql import database_error
from chatsim.db.session import Isolation
from chatsim.db.text import fill, placeholders
from chatsim.innodb.server.named_locks import CycleError
from chatsim.innodb.sql import ddl
from chatsim.innodb.sql.executor.execution import Answer, Execution
from chatsim.innodb.sql.executor.statements import Statement
from chatsim.innodb.sql.expressions import Env, Scope, unsupported
from chatsim.innodb.sql.parser import Analyze, Do, Release, Savepoint
from chatsim.innodb.storage.rows import Rows
from chatsim.innodb.storage.structures import Transaction
from chatsim.innodb.storage.values import as_number, as_text

if TYPE_CHECKING:
    from chatsim.db.deadlock import Mode
    from chatsim.innodb.server.engine import Engine
    from chatsim.innodb.storage.structures import ReadView
    from chatsim.innodb.storage.tables import Table
    from chatsim.innodb.storage.values import Value

__all__ = ["EngineSession"]

_CYCLE = (
    "Deadlock found when trying to get user-level lock;"
    " try rolling back transaction/releasing locks and restarting lock acquisition."
)
_SWITCH = {"1": True, "on": True, "true": True, "0": False, "off": False, "false": False}

_NO_SNAPSHOT = (
    "InnoDB: WITH CONSISTENT SNAPSHOT was ignored because this phrase"
    " can only be used with REPEATABLE READ isolation level."
)


class EngineSession:
    """One connection, as the server sees it: in autocommit, at REPEATABLE READ.

    Args:
        engine: the server.
        durable: awaited before a commit with changes takes effect: until its log is on disk.

    Raises:
        ConnectionLostError: the server is down.

    Attributes:
        connection_id: its number.
        trx: its transaction, when it has one.
        in_transaction: one was begun and has not ended.
        isolation: the level of its transactions.
        lock_wait_timeout: in seconds.
        variables: its ``@variables``.
        last_insert_id: what LAST_INSERT_ID() gives.
        named_insert_id: what the statement under way has said LAST_INSERT_ID() is to give.
    """

    def __init__(self, engine: Engine, durable: Callable[[Transaction], Awaitable[None]] | None = None) -> None:
        if not engine.process.up:
            raise database_error(2013, "Can't connect to MySQL server")
        engine.opened += 1
        self.engine = engine
        self._durable = durable
        self.connection_id = engine.opened
        engine.sessions[self.connection_id] = self
        self.trx: Transaction | None = None
        self.in_transaction = False
        self.autocommit = True
        self.isolation = Isolation.REPEATABLE_READ
        self._next_isolation: Isolation | None = None
        self.lock_wait_timeout = 50.0
        self.variables: dict[str, Value] = {}
        self.last_insert_id = 0
        self.named_insert_id: int | None = None
        self._read_only = False  # the transaction under way
        self._running: tuple[exp.Expr, Sequence[Any]] | None = None
        self._savepoints: dict[str, int | None] = {}
        self._numbered: list[Table] = []  # whose AUTO-INC lock the statement has
        self._statement_view: ReadView | None = None
        self._used: set[str] = set()  # tables of the transaction
        self._written: set[str] = set()  # those of them that it has a right to write

    # -- statements

    async def run(self, sql: str, args: Sequence[Any] = ()) -> list[Answer]:
        """Run the statements of a text, in order.

        Raises:
            DatabaseError: one of them failed; those behind it have not been run.
            NotImplementedError: it has something that the model does not understand; the message names it.
        """
        return [await self.step(sql, at, args) for at in range(self.engine.count(sql))]

    async def step(self, sql: str, at: int, args: Sequence[Any] = ()) -> Answer:
        """Run the ``at``-th statement of a text; raises as `run` does."""
        if self.closed:
            raise database_error(2006, "MySQL server has gone away")
        if len(args) != (wanted := placeholders(sql)):
            raise ValueError(f"{len(args)} arguments for {wanted} placeholders in: {sql.strip()}")
        with self.engine.process.working():
            return await self._step(sql, at, args)

    async def _step(self, sql: str, at: int, args: Sequence[Any]) -> Answer:
        try:
            for name in self.engine.names(sql, at):
                await self._use(name, writes=self.engine.writes(sql, at))
            node, statement = self.engine.prepare(sql, at)
        except BaseException:
            if not self.open:
                self._let_go()
            raise
        self._running = node, args
        self.named_insert_id = None
        answer = await self._one(node, statement, args)
        self.engine.statements += 1
        return answer

    async def _one(self, node: exp.Expr, statement: Statement | None, args: Sequence[Any]) -> Answer:
        if statement is None:
            return await self._control(node, args)
        if self._read_only and statement.writes:
            raise database_error(1792, "Cannot execute statement in a READ ONLY transaction.")
        for table, times in Counter(statement.tables).items():
            table.opened(self.connection_id, times)
        trx = self._transaction()
        rows = self._rows(statement.duplicates)
        run = Execution(self, rows, args)
        since = len(trx.undo_log)
        try:
            answer = await statement.run(run)
        except DeadlockError:
            self._abort()
            raise
        except DatabaseError:
            rows.undo(since)
            self._end_statement(trx)
            if not self.open:
                self._abort()
            raise
        except BaseException:
            self._abort()  # the connection is lost, or the model has a bug: nothing is left half done
            raise
        self._end_statement(trx)
        self.engine.examined += answer.examined
        if not self.open:
            await self.commit()
        return answer

    @property
    def statement(self) -> str:
        """The text of the statement under way, with its arguments in their places."""
        if self._running is None:
            return ""
        node, args = self._running
        numbers = sorted(each.meta["number"] for each in node.find_all(exp.Placeholder))
        return fill(node.meta["text"], [_literal(args[number]) for number in numbers])

    @property
    def open(self) -> bool:
        """Whether a transaction goes on after a statement."""
        return self.in_transaction or not self.autocommit

    @property
    def closed(self) -> bool:
        """Whether it is no more: the client has gone, or the server has died."""
        return not self.engine.process.up or self.connection_id not in self.engine.sessions

    @property
    def _under_way(self) -> bool:
        return self.in_transaction or self.trx is not None

    def _transaction(self) -> Transaction:
        if self.trx is None:
            level = self._next_isolation or self.isolation
            self.trx = Transaction(self.connection_id, level)
        return self.trx

    def _rows(self, duplicates: Mode = "S") -> Rows:
        trx = self._transaction()
        return Rows(trx, self.engine.locks, self.engine.history, self.lock_wait_timeout, duplicates=duplicates)

    def _end_statement(self, trx: Transaction) -> None:
        trx.locks.inherit_all = False
        for table in self._numbered:
            self.engine.locks.release_auto_inc(trx, table.locks)
        self._numbered.clear()
        if self._statement_view is not None:
            self.engine.history.close_view(self._statement_view)
            self._statement_view = None

    # -- what statements ask of it

    @property
    def reads_lock(self) -> bool:
        """Whether plain reads lock."""
        return self.open and self._transaction().isolation is Isolation.SERIALIZABLE

    def view(self) -> ReadView | None:
        """What plain reads see; None for the newest."""
        trx = self._transaction()
        if trx.isolation in (Isolation.READ_UNCOMMITTED, Isolation.READ_COMMITTED):
            if self._statement_view is None:
                self._statement_view = self.engine.history.open_view(trx)
            uncommitted = trx.isolation is Isolation.READ_UNCOMMITTED  # a view is opened, which purge minds
            return None if uncommitted else self._statement_view
        if trx.view is None:
            trx.view = self.engine.history.open_view(trx)
        return trx.view

    @property
    def reads_whole_rows(self) -> bool:
        """Whether a row that is written is read whole before: the binary log has it so (row format, full images)."""
        return self.engine.log_bin

    @property
    def numbers_ahead(self) -> bool:
        """Whether AUTO_INCREMENT values are reserved before their rows are there."""
        return self.engine.autoinc_lock_mode != 0

    async def take_numbers(self, table: Table, *, bulk: bool) -> None:
        """Take the right to AUTO_INCREMENT values until the statement ends, where the mode asks for it."""
        mode = self.engine.autoinc_lock_mode
        if table not in self._numbered and (mode == 0 or (mode == 1 and (bulk or table.locks.auto_inc))):
            self._numbered.append(table)
            await self._rows().lock_table(table, "AUTO_INC")

    def now(self) -> datetime:
        """The moment."""
        return self.engine.now()

    def system_variable(self, name: str) -> Value:
        """The value of ``@@name``. Raises a `DatabaseError`."""
        known: dict[str, Value] = {
            "autocommit": int(self.autocommit),
            "transaction_isolation": self.isolation.replace(" ", "-"),
            "innodb_lock_wait_timeout": int(self.lock_wait_timeout),
            "innodb_autoinc_lock_mode": self.engine.autoinc_lock_mode,
        }
        if name not in known:
            raise database_error(1193, f"Unknown system variable '{name}'")
        return known[name]

    async def get_lock(self, name: Value, seconds: Value) -> Value:
        """GET_LOCK."""
        wait = 0.0 if seconds is None else float(as_number(seconds))
        try:
            got = await self.engine.user_locks.acquire(
                _lock_name(name), self.connection_id, seconds=None if wait < 0 else wait
            )
        except CycleError:
            raise database_error(3058, _CYCLE) from None
        return int(got)

    def advisory(self, function: str, arguments: Sequence[Value]) -> Value:
        """RELEASE_LOCK, RELEASE_ALL_LOCKS, IS_FREE_LOCK, IS_USED_LOCK."""
        locks = self.engine.user_locks
        if function == "RELEASE_ALL_LOCKS":
            return locks.release_all(self.connection_id)
        name = _lock_name(arguments[0])
        holder = locks.holder(name)
        if function == "RELEASE_LOCK":
            return None if holder is None else int(locks.release(name, self.connection_id))
        return int(holder is None) if function == "IS_FREE_LOCK" else holder

    # -- transactions

    async def begin(self, isolation: Isolation | None = None) -> None:
        """Open a transaction; one that is open is committed."""
        to_come = None if self._under_way else self._next_isolation
        await self.commit()
        self._next_isolation = isolation or to_come
        self.in_transaction = True

    async def commit(self) -> None:
        """Commit what there is."""
        trx = self.trx
        if trx is not None and trx.undo_log and self._durable is not None:
            await self._durable(trx)
        self._close(trx)

    def _close(self, trx: Transaction | None) -> None:
        self.in_transaction = self._read_only = False
        self._next_isolation = None
        self._savepoints.clear()
        if trx is not None:
            self._end(trx)
        self._let_go()

    def _let_go(self) -> None:
        """Let go of the tables' definitions."""
        for name in sorted(self._used):
            self.engine.metadata_locks.release(name, self.connection_id, wholly=True)
        self._used.clear()
        self._written.clear()

    def _end(self, trx: Transaction) -> None:
        self.trx = None
        if trx.view is not None:
            self.engine.history.close_view(trx.view)
            trx.view = None
        trx.active = False
        if trx.undo_log:
            self.engine.committed(trx)
        self.engine.locks.release_all(trx)

    def rollback(self) -> None:
        """Take back what there is."""
        if self.trx is not None:
            self._rows().roll_back()
        self._close(self.trx)

    def _abort(self) -> None:
        trx = self.trx
        if trx is not None:
            self._end_statement(trx)
        self.rollback()

    def close(self) -> None:
        """The connection has gone: roll back, and let go of everything."""
        self._abort()
        self.engine.user_locks.release_all(self.connection_id)
        self.engine.sessions.pop(self.connection_id, None)

    async def _use(self, name: str, *, writes: bool) -> None:
        if name not in self._used or (writes and name not in self._written):
            await self._take(name, shared=True)
        if writes:
            self._written.add(name)

    async def _take(self, name: str, *, shared: bool = False) -> None:
        """Have a table's definition, until the transaction ends."""
        more = shared and name in self._used
        try:
            await self.engine.metadata_locks.acquire(name, self.connection_id, shared=shared, more=more)
        except CycleError:
            self._abort()
            raise database_error(1213, "Deadlock found when trying to get lock; try restarting transaction") from None
        self._used.add(name)

    # -- statements that are not about rows

    @singledispatchmethod
    async def _control(self, node: exp.Expr, _: Sequence[Any]) -> Answer:
        raise unsupported(node)

    @_control.register(exp.Transaction)
    async def _begin(self, node: exp.Transaction, _: Sequence[Any]) -> Answer:
        await self.begin()
        modes = node.args.get("modes") or []
        self._read_only = "READ ONLY" in modes
        if modes != ["WITH CONSISTENT SNAPSHOT"]:
            return Answer()
        if self._transaction().isolation is Isolation.REPEATABLE_READ:
            self.view()
            return Answer()
        return Answer(warnings=[(138, _NO_SNAPSHOT)])

    @_control.register(exp.Commit)
    async def _commit(self, _: exp.Commit, __: Sequence[Any]) -> Answer:
        await self.commit()
        return Answer()

    @_control.register(exp.Rollback)
    async def _rollback(self, node: exp.Rollback, _: Sequence[Any]) -> Answer:
        savepoint = node.args.get("savepoint")
        if savepoint is None:
            self.rollback()
            return Answer()
        since = self._savepoint(savepoint)
        if since is not None:
            self._rows().undo(since)
        elif self.trx is not None:
            self._rows().roll_back()
            self._end(self.trx)
        names = list(self._savepoints)
        for name in names[names.index(savepoint.name.lower()) + 1 :]:
            del self._savepoints[name]
        return Answer()

    @_control.register(Savepoint)
    async def _set_savepoint(self, node: Savepoint, _: Sequence[Any]) -> Answer:
        if self.open:
            name = node.this.name.lower()
            self._savepoints.pop(name, None)
            self._savepoints[name] = None if self.trx is None else len(self.trx.undo_log)
        return Answer()

    @_control.register(Release)
    async def _release(self, node: Release, _: Sequence[Any]) -> Answer:
        self._savepoint(node.this)
        names = list(self._savepoints)
        for name in names[names.index(node.this.name.lower()) :]:
            del self._savepoints[name]
        return Answer()

    def _savepoint(self, node: exp.Expr) -> int | None:
        """How many changes there were then; None: there was no transaction yet, as far as InnoDB knew."""
        if node.name.lower() not in self._savepoints:
            raise database_error(1305, f"SAVEPOINT {node.name} does not exist")
        return self._savepoints[node.name.lower()]

    @_control.register(Do)
    async def _do(self, node: Do, args: Sequence[Any]) -> Answer:
        for each in node.expressions:
            await self._value(each, args)
        return Answer()

    async def _value(self, node: exp.Expr, args: Sequence[Any]) -> Value:
        """An expression of no table, locks by name waited for."""
        scope, env = Scope(), Env(self, args)
        for each in node.find_all(exp.Anonymous):
            if each.name.upper() == "GET_LOCK":
                name, *seconds = [scope.compile(part)(env) for part in each.expressions]
                env.found[id(each)] = await self.get_lock(name, seconds[0] if seconds else None)
        return scope.compile(node)(env)  # type: ignore[no-any-return]

    @_control.register(exp.Set)
    async def _set(self, node: exp.Set, args: Sequence[Any]) -> Answer:
        for item in node.expressions:
            await self._set_item(item, args)
        return Answer()

    async def _set_item(self, item: exp.SetItem, args: Sequence[Any]) -> None:
        kind = item.args.get("kind")
        known = kind in (None, "SESSION", "TRANSACTION", "NAMES")
        if not known or item.args.get("global_") or item.args.get("collate"):
            raise unsupported(item)
        if kind == "TRANSACTION":
            self._set_characteristics(item)
            return
        if kind == "NAMES" and item.this.name.lower() == "utf8mb4":
            return  # the model has no other
        if not isinstance(item.this, exp.EQ):
            raise unsupported(item)
        target, source = item.this.left, item.this.right
        if isinstance(target, exp.Parameter):
            self.variables[target.name.lower()] = await self._value(source, args)
            return
        of = target.args.get("kind") if isinstance(target, exp.SessionParameter) else "SESSION"
        if str(of or "").upper() not in ("", "SESSION", "LOCAL"):
            raise unsupported(item)
        value = source.name if isinstance(source, exp.Column | exp.Var) else await self._value(source, args)
        await self._set_system(target.name.lower(), value, once=of is None)

    def _set_characteristics(self, item: exp.SetItem) -> None:
        words = [each.name.upper() for each in item.expressions]
        if len(words) != 1 or not words[0].startswith("ISOLATION LEVEL "):
            raise unsupported(item)
        once = "SESSION" not in self.statement.upper()
        self._set_level(Isolation(words[0].removeprefix("ISOLATION LEVEL ")), once=once)

    def _set_level(self, level: Isolation, *, once: bool) -> None:
        """Set the level of the session's transactions, or ``once`` of the next one."""
        if not once:
            self.isolation = level
        elif self._under_way:
            message = "Transaction characteristics can't be changed while a transaction is in progress"
            raise database_error(1568, message)
        else:
            self._next_isolation = level

    async def _set_system(self, name: str, value: Value, *, once: bool) -> None:
        """Set a system variable; ``SET @@transaction_isolation`` means the next transaction only, ``once``."""
        refusal = f"Variable '{name}' can't be set to the value of '{'NULL' if value is None else as_text(value)}'"
        match name:
            case "autocommit":
                on = _SWITCH.get(as_text(value).lower())
                if on is None:
                    raise database_error(1231, refusal)
                if on and not self.autocommit:
                    await self.commit()
                self.autocommit = on
            case "transaction_isolation":
                words = as_text(value).upper()
                level = next((each for each in Isolation if each.value.replace(" ", "-") == words), None)
                if level is None:
                    raise database_error(1231, refusal)
                self._set_level(level, once=once)
            case "innodb_lock_wait_timeout":
                if not isinstance(value, int):
                    raise database_error(1232, f"Incorrect argument type to variable '{name}'")
                self.lock_wait_timeout = float(value)
            case "sql_mode" | "time_zone" | "character_set_client":
                pass  # the model has one of each
            case _:
                raise database_error(1193, f"Unknown system variable '{name}'")

    # -- definitions

    async def _define(self, plan: Callable[[], Callable[[], None]], *names: str) -> None:
        """Commit, and change definitions, with the named tables to oneself.

        Args:
            plan: looks whether it can be done, and changes nothing; what it gives does it.
            names: of the tables.
        """
        with contextlib.suppress(DatabaseError):  # an error comes after the commit
            plan()  # what the model has not is refused before it
        await self.commit()
        try:
            for name in sorted({each.lower() for each in names}):
                await self._take(name)
            plan()()
        finally:
            self.engine.redefined()
            self._close(None)

    @_control.register(exp.Create)
    async def _create(self, node: exp.Create, _: Sequence[Any]) -> Answer:
        if node.args.get("kind") == "INDEX":
            name = node.this.args["table"].name
            await self._define(lambda: self._indexed(self.engine.table(name), node), name)
            return Answer()
        if node.args.get("kind") != "TABLE":
            raise unsupported(node)
        name = node.find(exp.Table).name  # type: ignore[union-attr]
        if node.args.get("exists") and name.lower() in self.engine.tables:
            await self.commit()
            return Answer(warnings=[(1050, f"Table '{name}' already exists")])
        await self._define(lambda: self._made(name, ddl.create_table(node, self.engine.tables, self)))
        return Answer()

    def _made(self, name: str, change: Callable[[], None]) -> Callable[[], None]:
        """A change after which a table is there anew."""

        def do() -> None:
            change()
            self.engine.made(self.engine.table(name).indexes, self.connection_id)

        return do

    def _indexed(self, table: Table, node: exp.Create) -> Callable[[], None]:
        """A change after which a table has one more index."""
        change = ddl.create_index(table, node)

        def do() -> None:
            before = set(table.indexes)
            change()
            self.engine.made(set(table.indexes) - before, self.connection_id)

        return do

    @_control.register(exp.Drop)
    async def _drop(self, node: exp.Drop, _: Sequence[Any]) -> Answer:
        if node.args.get("kind") != "TABLE":
            raise unsupported(node)
        names = [each.name for each in node.args["tables"]]
        exists = bool(node.args.get("exists"))
        await self._define(lambda: ddl.drop_tables(names, self.engine.tables, exists=exists), *names)
        return Answer()

    @_control.register(exp.TruncateTable)
    async def _truncate(self, node: exp.TruncateTable, _: Sequence[Any]) -> Answer:
        (target,) = node.expressions
        name = target.name
        await self._define(lambda: self._made(name, ddl.truncate(self.engine.table(name))), name)
        return Answer()

    @_control.register(exp.Alter)
    async def _alter(self, node: exp.Alter, _: Sequence[Any]) -> Answer:
        name = node.this.name

        def plan() -> Callable[[], None]:
            table = self.engine.table(name)
            change = ddl.add_columns(table, node, self)

            def do() -> None:
                change()
                self.engine.altered(table, self.connection_id)

            return do

        await self._define(plan, name)
        return Answer()

    @_control.register(Analyze)
    async def _analyze(self, node: Analyze, _: Sequence[Any]) -> Answer:
        tables = [self.engine.table(each.name) for each in node.expressions]
        for table in tables:
            table.analyze()
        return Answer(rows=[(table.name, "analyze", "status", "OK") for table in tables])


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def _lock_name(name: Value) -> str:
    if name is None or not 0 < len(as_text(name)) <= 64:
        shown = "NULL" if name is None else as_text(name)
        raise database_error(3057, f"Incorrect user-level lock name '{shown}'.")
    return as_text(name).lower()
