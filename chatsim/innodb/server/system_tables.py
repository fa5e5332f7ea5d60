"""Tables that show the server's state: ``performance_schema.data_locks`` and the like, made when they are read.

A statement that reads one is prepared with the rows of this moment in its place. Numbers of transactions and locks are
the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from chatsim.innodb.server.engine import Engine, ServerSession
from chatsim.innodb.server.performance_schema import rows_of
from chatsim.innodb.server.transaction_numbers import transaction_number
from chatsim.innodb.sql.expressions import unsupported
from chatsim.innodb.storage.structures import RecordLock, TableLock
from chatsim.innodb.storage.values import Value

__all__ = ["with_rows"]

Row = tuple[Value, ...]

_LOCKS = (
    *("ENGINE", "ENGINE_LOCK_ID", "ENGINE_TRANSACTION_ID", "THREAD_ID", "EVENT_ID", "OBJECT_SCHEMA", "OBJECT_NAME"),
    *("PARTITION_NAME", "SUBPARTITION_NAME", "INDEX_NAME", "OBJECT_INSTANCE_BEGIN", "LOCK_TYPE", "LOCK_MODE"),
    *("LOCK_STATUS", "LOCK_DATA"),
)
_WAITS = (
    *("ENGINE", "REQUESTING_ENGINE_LOCK_ID", "REQUESTING_ENGINE_TRANSACTION_ID", "REQUESTING_THREAD_ID"),
    *("REQUESTING_EVENT_ID", "REQUESTING_OBJECT_INSTANCE_BEGIN", "BLOCKING_ENGINE_LOCK_ID"),
    *("BLOCKING_ENGINE_TRANSACTION_ID", "BLOCKING_THREAD_ID", "BLOCKING_EVENT_ID", "BLOCKING_OBJECT_INSTANCE_BEGIN"),
)
_TRANSACTIONS = (
    *("TRX_ID", "TRX_STATE", "TRX_STARTED", "TRX_REQUESTED_LOCK_ID", "TRX_WAIT_STARTED", "TRX_WEIGHT"),
    *("TRX_MYSQL_THREAD_ID", "TRX_QUERY", "TRX_TABLES_LOCKED", "TRX_LOCK_STRUCTS", "TRX_ROWS_LOCKED"),
    *("TRX_ROWS_MODIFIED", "TRX_ISOLATION_LEVEL"),
)
_THREADS = ("THREAD_ID", "PROCESSLIST_ID", "PROCESSLIST_USER", "PROCESSLIST_INFO")


def _lock_id(lock: RecordLock | TableLock) -> str:
    return f"{transaction_number(lock.trx)}:{lock.trx.locks.structures.index(lock)}"


def _locks(engine: Engine, schema: str) -> list[Row]:
    found: list[Row] = []
    for trx in engine.transactions():
        for lock in trx.locks.structures:
            for shown in rows_of(lock, trx.session):
                kind, status = "RECORD" if shown.index else "TABLE", "GRANTED" if shown.granted else "WAITING"
                found.append((
                    *("INNODB", _lock_id(lock), transaction_number(trx), trx.session, 1, schema, shown.table),
                    *(None, None, shown.index, 0, kind, shown.mode, status, shown.data),
                ))  # fmt: skip
    return found


def _waits(engine: Engine, _: str) -> list[Row]:
    found: list[Row] = []
    for session in engine.sessions.values():
        trx = session.trx
        if trx is None or trx.locks.wait_lock is None:
            continue
        for other in engine.locks.blocking(trx):
            held = other.locks.structures[0]
            found.append((
                *("INNODB", _lock_id(trx.locks.wait_lock), transaction_number(trx), trx.session, 1, 0),
                *(_lock_id(held), transaction_number(other), other.session, 1, 0),
            ))  # fmt: skip
    return found


def _transactions(engine: Engine, _: str) -> list[Row]:
    found: list[Row] = []
    for session in engine.sessions.values():
        trx = session.trx
        if trx is None:
            continue
        locks, waits = trx.locks.structures, trx.locks.wait_lock
        rows = sum(len(each.records) for each in locks if isinstance(each, RecordLock))
        tables = sum(isinstance(each, TableLock) for each in locks)
        found.append((
            *(transaction_number(trx), "LOCK WAIT" if waits else "RUNNING", None),
            *(_lock_id(waits) if waits else None, None),
            *(len(locks) + len(trx.undo_log), trx.session, _text(session), tables, len(locks), rows),
            *(len(trx.undo_log), trx.isolation.value),
        ))  # fmt: skip
    return found


def _text(session: ServerSession) -> str | None:
    """The text of the statement that a session executes."""
    return session.statement if session.works else None


def _threads(engine: Engine, _: str) -> list[Row]:
    return [(each.connection_id, each.connection_id, "root", _text(each)) for each in engine.sessions.values()]


_TABLES: Mapping[tuple[str, str], tuple[Sequence[str], Callable[[Engine, str], list[Row]]]] = {
    ("performance_schema", "data_locks"): (_LOCKS, _locks),
    ("performance_schema", "data_lock_waits"): (_WAITS, _waits),
    ("performance_schema", "threads"): (_THREADS, _threads),
    ("information_schema", "innodb_trx"): (_TRANSACTIONS, _transactions),
}
"""The tables, with their columns and what makes their rows."""


def with_rows(node: exp.Expr, engine: Engine, schema: str) -> exp.Expr:
    """A statement with the rows of this moment in the place of tables of the server's state.

    Raises:
        NotImplementedError: the model does not have such a table.
    """
    made = node.copy()
    for table in list(made.find_all(exp.Table)):
        if not table.db:
            continue
        found = _TABLES.get((table.db.lower(), table.name.lower()))
        if found is None:
            raise unsupported(f"table {table.db}.{table.name}")
        columns, rows = found
        table.replace(_query(columns, rows(engine, schema)).subquery(table.alias_or_name))
    return made


def _query(columns: Sequence[str], rows: Sequence[Row]) -> exp.Query:
    """A query that gives some rows."""
    if not rows:
        return _select(columns, [None] * len(columns)).limit(0)
    made: Any = _select(columns, rows[0])
    for row in rows[1:]:
        made = exp.Union(this=made, expression=_select(columns, row), distinct=False)
    return made  # type: ignore[no-any-return]


def _select(columns: Sequence[str], values: Sequence[Value]) -> exp.Select:
    return exp.select(*(exp.alias_(_literal(each), name) for name, each in zip(columns, values, strict=True)))


def _literal(value: Value) -> exp.Expr:
    if value is None:
        return exp.Null()
    if isinstance(value, int | float):
        return exp.Literal.number(value)
    return exp.Literal.string(value if isinstance(value, str) else str(value))
