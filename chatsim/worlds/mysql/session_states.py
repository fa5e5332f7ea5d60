"""What the connections to a schema have in them that a later user of a connection would meet.

The server tells it of all connections at once (performance_schema), so that none of them runs a statement for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from chatsim.db.errors import ConnectionLostError, DatabaseError
from chatsim.db.session import Session

__all__ = ["session_states"]

_OTHERS = "PROCESSLIST_DB = DATABASE() AND PROCESSLIST_ID <> CONNECTION_ID()"
_IDLE = f"""{_OTHERS} AND PROCESSLIST_COMMAND = 'Sleep' AND threads.THREAD_ID NOT IN
       (SELECT THREAD_ID FROM performance_schema.events_transactions_current WHERE STATE = 'ACTIVE')"""
_BUSY = f"SELECT COUNT(*) FROM performance_schema.threads WHERE {_OTHERS} AND PROCESSLIST_COMMAND <> 'Sleep'"

_THEIR_OWN = (
    *("error_count", "gtid_next", "identity", "insert_id", "last_insert_id", "proxy_user", "pseudo_thread_id"),
    *("rand_seed1", "rand_seed2", "resultset_metadata", "statement_id", "timestamp", "warning_count"),
)
"""The variables that differ from connection to connection, or from statement to statement."""

_STATES = f"""
    SELECT CONCAT(VARIABLE_NAME, ' = ', VARIABLE_VALUE), COUNT(*)
      FROM performance_schema.variables_by_thread JOIN performance_schema.threads USING (THREAD_ID)
     WHERE {_IDLE} AND VARIABLE_NAME NOT IN ({", ".join(f"'{name}'" for name in _THEIR_OWN)})
     GROUP BY VARIABLE_NAME, VARIABLE_VALUE;
    SELECT CONCAT('the user variable @', VARIABLE_NAME), COUNT(*)
      FROM performance_schema.user_variables_by_thread JOIN performance_schema.threads USING (THREAD_ID)
     WHERE {_IDLE} AND VARIABLE_VALUE IS NOT NULL
     GROUP BY VARIABLE_NAME;
    SELECT CONCAT('the prepared statement ', STATEMENT_NAME), COUNT(*)
      FROM performance_schema.prepared_statements_instances
      JOIN performance_schema.threads ON THREAD_ID = OWNER_THREAD_ID
     WHERE {_IDLE} AND STATEMENT_NAME IS NOT NULL
     GROUP BY STATEMENT_NAME;
    SELECT CASE WHEN OBJECT_TYPE = 'USER LEVEL LOCK' THEN CONCAT('the advisory lock ', OBJECT_NAME)
                WHEN LOCK_TYPE IN ('SHARED_NO_READ_WRITE', 'SHARED_READ_ONLY') THEN CONCAT('LOCK TABLES ', OBJECT_NAME)
                WHEN OBJECT_TYPE = 'TABLE' THEN CONCAT('a transaction or handler open on the table ', OBJECT_NAME)
                ELSE CONCAT('a lock on ', LOWER(OBJECT_TYPE)) END AS held, COUNT(*)
      FROM performance_schema.metadata_locks JOIN performance_schema.threads ON THREAD_ID = OWNER_THREAD_ID
     WHERE {_IDLE} AND LOCK_STATUS = 'GRANTED' AND (OBJECT_TYPE = 'TABLE' OR LOCK_DURATION = 'EXPLICIT')
     GROUP BY held"""

_TEMPORARY = f"""
    SELECT 'a temporary table', COUNT(*) FROM information_schema.INNODB_TEMP_TABLE_INFO info
      JOIN performance_schema.threads
        ON PROCESSLIST_ID = CONV(SUBSTRING_INDEX(SUBSTRING_INDEX(info.NAME, '_', 2), '_', -1), 16, 10)
     WHERE {_IDLE}
    HAVING COUNT(*) > 0"""
"""A temporary table is called ``#sql<process>_<connection>_<number>``, in hexadecimal digits."""

_LOOKS, _PAUSE = 20, 0.005  # a statement ends a little after its answer: how often it is looked whether all have ended


async def session_states(session: Session) -> Mapping[str, int] | None:
    """The states of the idle connections to the session's schema, with the number of connections with each.

    A connection whose statement or transaction has not ended is left out: somebody still uses it. None if the user may
    not see this. Temporary tables need the privilege PROCESS, and are left out without it.
    """
    try:
        for _ in range(_LOOKS):
            if not (await session.execute(_BUSY)).scalar():
                break
            await asyncio.sleep(_PAUSE)
        found = await session.script(_STATES)
    except ConnectionLostError:
        raise
    except DatabaseError:
        return None
    try:
        found.append(await session.execute(_TEMPORARY))
    except ConnectionLostError:
        raise
    except DatabaseError:
        pass
    return Counter({str(state): int(str(count)) for rows in found for state, count in rows.rows})
