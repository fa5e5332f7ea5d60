"""Telling the states of a modelled server apart: a form that is equal for two states just when they go on alike.

`RELEVANT` names the attributes that decide about what follows, for each class whose objects change. What depends on
these alone, and what only counts or describes, is in `IRRELEVANT`. A test compares both with the classes, so that a new
attribute is in neither until somebody has thought about it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chatsim.exploration.suspended import Plans, UnknownPartError, knowledge
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.ddl.table_printing import printed_table
from chatsim.innodb.storage.structures import (
    Index,
    LockState,
    ReadView,
    Record,
    RecordLock,
    TableLock,
    Transaction,
    UndoRecord,
    Version,
)
from chatsim.innodb.storage.tables import Table

if TYPE_CHECKING:
    from chatsim.innodb.server.engine import Engine

__all__ = ["IRRELEVANT", "RELEVANT", "Form", "session_form"]

RELEVANT: Mapping[type, tuple[str, ...]] = {
    Record: ("row", "writer", "deleted", "older", "locks", "heap", "page", "gone", "index"),
    Version: ("row", "writer", "deleted", "older"),
    RecordLock: ("trx", "page", "mode", "kind", "records", "waiting"),
    TableLock: ("trx", "queue", "mode", "waiting"),
    LockState: ("structures", "wait_lock", "blocking_trx", "reservation_no", "inherit_all", "wait_error"),
    Transaction: ("session", "isolation", "active", "serial", "view", "undo_log", "locks", "prepared"),
    ReadView: ("committed", "owner"),
    UndoRecord: ("record", "before", "entries"),
}
"""What `form` looks at, of each class whose objects change."""

IRRELEVANT: Mapping[type, tuple[str, ...]] = {
    Record: ("key", "following", "previous"),  # by the row, and by the order in the index
    RecordLock: ("queue_position",),  # by the order in the queue
    LockState: ("similar", "wait_event"),  # by the structures; by the wait
    UndoRecord: ("indexes",),  # by the record
}
"""What follows from the rest, or describes only."""

_SESSION = (
    *("in_transaction", "read_only", "reads_all", "isolation", "_next_read_only", "_next_isolation", "_savepoints"),
    *("autocommit", "reads_only", "lock_wait_timeout", "metadata_lock_timeout", "checks_foreign_keys", "sql_mode"),
    *("strict", "database", "fixed_time", "settings", "last_insert_id", "variables", "written", "made_temporary"),
    *("failed", "row_count", "rows_found", "locked_tables", "warnings", "max_execution_time", "named_insert_id"),
)
"""The attributes of a session that decide about what its next statement does."""


def session_form(session: EngineSession) -> tuple[Any, ...]:
    """What decides about what the next statement of a session does, beside its transaction."""
    own = (sorted(session.temporary), sorted((name, repr(each.node)) for name, each in session.statements.items()))
    return (*(_plain(getattr(session, name)) for name in _SESSION), *map(_plain, own))


class Form:
    """What decides about what follows, as nested tuples of plain values.

    Args:
        engine: the server, between two steps.
        label: what a session, by its number, is called. Only the names in the form depend on it, and not its order.
        plans: what the server's statements have been prepared to.
        callers: how many sessions there will be at the same time.
        redefined: whether tables, views or triggers have been created, dropped or changed since the beginning.

    Attributes:
        suffices: whether what every statement under way knows could be told so far. Of others it is only known what
            the server was like before.
    """

    def __init__(
        self, engine: Engine, label: Callable[[int], object], plans: Plans, *, callers: int, redefined: bool
    ) -> None:
        self._engine = engine
        self._plans = plans
        self._patience = 2 * callers + 1  # LockWaits.schedule_weights: who has waited for longer is as patient as that
        self._redefined = redefined
        self._label = label
        self.suffices = True
        views = {view.committed for view in engine.history.views}
        self._moments = sorted({0, *views, *(trx.serial for trx in engine.history.unpurged)})
        self._records: dict[Record, tuple[int, int]] = {}
        self._structures: dict[RecordLock | TableLock, tuple[object, int]] = {}
        self._indexes: list[Index] = []

    def knowledge(self, statement: object, sql: str) -> object:
        """What a statement under way knows, by its coroutine and its text. Raises `UnknownPartError`."""
        try:
            return knowledge(statement, self._plans.parts(sql), self._name)
        except UnknownPartError:
            self.suffices = False
            raise

    def _name(self, value: object) -> object:
        """The name of an object of the server; None if it has none. Raises `UnknownPartError`."""
        name = _NAMES.get(type(value))
        return self._parts_of_server.get(id(value)) if name is None else name(self, value)

    def _known_record(self, record: Record) -> object:
        if record not in self._records:
            raise UnknownPartError(record)
        return ("record", self._records[record])

    def _known_lock(self, lock: RecordLock | TableLock) -> object:
        return ("lock", self._structures.get(lock))

    def _known_transaction(self, trx: Transaction) -> object:
        return ("transaction", self._writer(trx))

    def _known_view(self, view: ReadView) -> object:
        return ("view", self._label(view.owner.session), self._moment(view.committed))

    def _known_index(self, index: Index) -> object:
        return ("index", self._indexes.index(index))

    def _own_locks(self, _: LockState) -> object:
        return "locks"

    def _session(self, session: EngineSession) -> object:
        if session._causes:  # noqa: SLF001 - they are told apart by nothing that lasts
            raise UnknownPartError(session)
        tables = [table.name for table in session._auto_inc_locked]  # noqa: SLF001
        view = session._statement_view  # noqa: SLF001
        seen = None if view is None else self._moment(view.committed)
        return ("session", self._label(session.connection_id), _plain(session.noted), _plain(tables), seen)

    @cached_property
    def _parts_of_server(self) -> dict[int, str]:
        engine = self._engine
        parts = {id(value): name for name, value in vars(engine).items() if type(value) not in _PLAIN}
        return {**parts, id(engine): "server", id(engine.locks.waits): "waits"}

    def whole(self) -> tuple[Any, ...]:
        """The form of the server."""
        engine = self._engine
        tables = [*engine.tables.values()] if self._redefined else _used(engine)
        tables += self._temporary()
        self._indexes = [index for table in tables for index in table.stored]
        for number, index in enumerate(self._indexes):
            records = [*index, *(page.supremum for page in index.pages)]
            self._records.update((record, (number, at)) for at, record in enumerate(records))
        active = engine.transactions()
        for trx in active:
            for at, lock in enumerate(trx.locks.structures):
                self._structures[lock] = (self._label(trx.session), at)
        waits = engine.locks.waits
        return (
            tuple(map(self._table, tables)),
            tuple(map(self._index, self._indexes)),
            tuple(sorted(((repr(self._label(trx.session)), self._transaction(trx)) for trx in active), key=repr)),
            tuple(self._label(trx.session) for trx in waits.waiting),
            tuple(self._purgeable(trx) for trx in engine.history.unpurged),
            self._users(engine.metadata_locks.users()),
            self._definitions() if self._redefined else (),
            engine.schema,
            hash(engine.chance.getstate()[1]),
            tuple(
                (
                    name,
                    sorted((repr(self._label(owner)), times) for owner, times in holders),
                    [*map(self._label, queue)],
                )
                for name, (holders, queue) in sorted(engine.user_locks.users().items())
            ),
        )

    def _temporary(self) -> list[Table]:
        sessions = [each for each in self._engine.sessions.values() if isinstance(each, EngineSession)]
        sessions.sort(key=lambda each: repr(self._label(each.connection_id)))
        return [each.temporary[name] for each in sessions for name in sorted(each.temporary)]

    def _definitions(self) -> tuple[Any, ...]:
        """What the tables and views are, and which read views are too old for them."""
        tables = tuple(
            (
                *(name, _printed(table)),
                tuple((each.name, each.timing, each.event, repr(each.steps)) for each in table.triggers),
                None if table.altered is None else bisect_left(self._moments, table.altered.serial),
                tuple(each.made and bisect_left(self._moments, each.made.serial) for each in table.stored),
            )
            for name, table in self._engine.tables.items()
        )
        return (tables, tuple(map(repr, self._engine.views.values())))

    def _users(self, locks: Mapping[str, tuple[list[tuple[int, Any]], list[tuple[int, Any]]]]) -> tuple[Any, ...]:
        label = self._label
        return tuple(
            (
                name,
                tuple(sorted((repr(label(owner)), mode) for owner, mode in holders)),
                tuple((label(owner), mode) for owner, mode in queue),
            )
            for name, (holders, queue) in sorted(locks.items())
        )

    def _table(self, table: Table) -> tuple[Any, ...]:
        statistics = table.statistics
        opened = tuple(sorted((repr(self._label(each)), times) for each, times in statistics.open.items() if times))
        queue = table.locks
        return (
            *(table.name, table.next_number, table.logged_number, table.next_row_id),
            *(statistics.rows, tuple(sorted(statistics.rows_of.items())), statistics.rows_when_opened),
            *(opened, tuple(statistics.distinct.values())),
            tuple(self._structures.get(lock) for lock in queue.auto_inc),
        )

    def _index(self, index: Index) -> tuple[Any, ...]:
        pages = [
            (page.count, page.used, page.last_insert and self._records.get(page.last_insert)) if index.lows else ()
            for page in index.pages
        ]
        return (
            tuple(map(self._record, index)),
            tuple(self._queue(page.supremum) for page in index.pages),
            tuple(pages),
        )

    def _record(self, record: Record) -> tuple[Any, ...]:
        row = tuple(map(_plain, record.row))
        return (row, self._writer(record.writer), record.deleted, self._version(record.older), self._queue(record))

    def _version(self, version: Version | None) -> tuple[Any, ...] | None:
        if version is None:
            return None
        row = tuple(map(_plain, version.row))
        return (row, self._writer(version.writer), version.deleted, self._version(version.older))

    def _writer(self, trx: Transaction | None) -> object:
        if trx is None:
            return None
        return ("of", self._label(trx.session)) if trx.active else self._moment(trx.serial)

    def _moment(self, serial: int) -> int:
        """The place of a commit among those that a view, or the purge, tells apart."""
        return self._moments.index(serial) if serial in self._moments else -1

    def _queue(self, record: Record) -> tuple[Any, ...]:
        return tuple(self._structures.get(lock) for lock in record.locks)

    def _lock(self, lock: RecordLock | TableLock) -> tuple[Any, ...]:
        if isinstance(lock, TableLock):
            return (lock.queue.table, lock.mode, lock.waiting)
        page = next((each.pages.index(lock.page) for each in self._indexes if lock.page in each.pages), -1)
        records = sorted(lock.records, key=lambda each: each.heap)
        return (page, lock.mode, lock.kind.value, lock.waiting, tuple(self._records.get(each) for each in records))

    def _transaction(self, trx: Transaction) -> tuple[Any, ...]:
        state, waits = trx.locks, self._engine.locks.waits
        return (
            *(trx.isolation.value, trx.prepared),
            None if trx.view is None else self._moment(trx.view.committed),
            tuple(map(self._undo, trx.undo_log)),
            tuple(map(self._lock, state.structures)),
            None if state.wait_lock is None else self._structures.get(state.wait_lock),
            None if state.blocking_trx is None else self._label(state.blocking_trx.session),
            min(waits.started - state.reservation_no, self._patience) if state.wait_lock is not None else 0,
            *(state.inherit_all, state.wait_error is not None),
        )

    def _undo(self, undo: UndoRecord) -> tuple[Any, ...]:
        entries = tuple((self._records.get(entry), change.value) for entry, change, _ in undo.entries)
        return (self._records.get(undo.record), undo.before is None, entries)

    def _purgeable(self, trx: Transaction) -> tuple[Any, ...]:
        return (self._moment(trx.serial), tuple(map(self._undo, trx.undo_log)))


_NAMES: Mapping[type, Callable[[Form, Any], object]] = {
    Record: Form._known_record,  # noqa: SLF001 - of this module
    RecordLock: Form._known_lock,  # noqa: SLF001
    TableLock: Form._known_lock,  # noqa: SLF001
    Transaction: Form._known_transaction,  # noqa: SLF001
    ReadView: Form._known_view,  # noqa: SLF001
    Index: Form._known_index,  # noqa: SLF001
    Table: lambda _, table: ("table", table.name),
    EngineSession: Form._session,  # noqa: SLF001
    LockState: Form._own_locks,  # noqa: SLF001
}
"""How the objects of a server are called in what a statement knows."""


def _used(engine: Engine) -> list[Table]:
    """The tables that sessions have opened, and those that their foreign keys lead to: the others are as at first."""
    found = {table.name: table for table in engine.tables.values() if table.statistics.open}
    left = [*found.values()]
    while left:
        table = left.pop()
        for key in (*table.parents, *table.children):
            for other in (key.parent, key.child):
                if other.name not in found:
                    found[other.name] = other
                    left.append(other)
    return [found[name] for name in sorted(found)]


def _printed(table: Table) -> str:
    try:
        return printed_table(table)
    except NotImplementedError:  # of some clause
        return repr((table.declared, [column.name for column in table.columns]))


_PLAIN = (int, str, bytes, float, bool, type(None))


def _plain(value: object) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, dict):
        return tuple(sorted((str(key), _plain(each)) for key, each in value.items()))
    if isinstance(value, set | frozenset):
        return tuple(sorted(map(str, value)))
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return repr(value)
