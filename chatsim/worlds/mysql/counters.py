"""What the server counts by itself: rows examined, lock waits, rows read by index.

A server that does not count, or a user who may not read the counts, gives None.
"""

from __future__ import annotations

from chatsim.db.errors import ConnectionLostError, DatabaseError
from chatsim.db.session import Session
from chatsim.worlds.world import Reads

__all__ = ["flushes", "lock_waits", "reads", "rows_examined"]


async def rows_examined(session: Session, schema: str) -> int | None:
    """How many rows the server has read to answer the statements in a schema."""
    examined, before = await _rows_examined(session, schema), None
    while examined != before:  # the server counts a statement a little after it has answered
        examined, before = await _rows_examined(session, schema), examined
    return examined


async def _rows_examined(session: Session, schema: str) -> int | None:
    return await _counter(
        session,
        "SELECT SUM(SUM_ROWS_EXAMINED) FROM performance_schema.events_statements_summary_by_digest"
        " WHERE SCHEMA_NAME = ?",
        schema,
    )


async def lock_waits(session: Session) -> int | None:
    """How often statements have waited for a row lock, on the whole server."""
    return await _counter(
        session,
        "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Innodb_row_lock_waits'",
    )


async def flushes(session: Session) -> int | None:
    """How often the whole server has flushed its redo log."""
    return await _counter(
        session,
        "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Innodb_os_log_fsyncs'",
    )


async def reads(session: Session, schema: str) -> Reads:
    """Rows read in a schema, by index, and rows that its connections have written into temporary tables."""
    try:
        found = await session.execute(
            "SELECT CONCAT(OBJECT_NAME, COALESCE(CONCAT('.', INDEX_NAME), ' by position')), COUNT_FETCH"
            " FROM performance_schema.table_io_waits_summary_by_index_usage"
            " WHERE OBJECT_SCHEMA = ? AND COUNT_FETCH > 0",
            (schema,),
        )
        # of the connections themselves: a query on one of them would count, too
        aside = await session.execute(
            "SELECT CAST(SUM(VARIABLE_VALUE) AS UNSIGNED) FROM performance_schema.status_by_thread"
            " JOIN performance_schema.threads USING (THREAD_ID)"
            " WHERE PROCESSLIST_DB = ? AND PROCESSLIST_ID <> CONNECTION_ID() AND VARIABLE_NAME = 'Handler_write'",
            (schema,),
        )
    except ConnectionLostError:
        raise
    except DatabaseError:
        return Reads(None, None)
    return Reads({str(name): int(str(count)) for name, count in found.rows}, aside.scalar())


async def _counter(session: Session, sql: str, *args: object) -> int | None:
    """A counter of the server, or None if the server has none or the user may not see it."""
    try:
        return (await session.execute(sql, args)).scalar()
    except ConnectionLostError:
        raise
    except DatabaseError:
        return None
