"""What makes a server slower than it is by itself: purge that lags, old transactions, other connections at work.

Each of these can hold the purge of old versions or take the processor (manual, "Purge Configuration" and "The
INFORMATION_SCHEMA INNODB_TRX Table"). A user who may not see them, without the privilege PROCESS, gets no warning.
"""

from __future__ import annotations

from chatsim.db.errors import ConnectionLostError, DatabaseError
from chatsim.db.session import Session

__all__ = ["LONG_HISTORY", "OLD_TRANSACTION", "warnings"]

LONG_HISTORY = 10_000
"""The number of transactions whose old versions are not purged, above which a run is warned."""

OLD_TRANSACTION = 10
"""The age of somebody else's transaction, in seconds, above which a run is warned."""

_HISTORY = "SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len'"
_TRANSACTIONS = """
    SELECT COUNT(*), MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())) FROM information_schema.INNODB_TRX
      JOIN performance_schema.threads ON PROCESSLIST_ID = trx_mysql_thread_id
     WHERE NOT PROCESSLIST_DB <=> DATABASE() AND trx_started < NOW() - INTERVAL ? SECOND"""
_STATEMENTS = """
    SELECT COUNT(*) FROM performance_schema.threads
     WHERE TYPE = 'FOREGROUND' AND PROCESSLIST_COMMAND = 'Query' AND NOT PROCESSLIST_DB <=> DATABASE()"""


async def warnings(session: Session) -> list[str]:
    """What slows the server of a session down at this moment, other than connections to its own schema, in sentences.

    Raises:
        ConnectionLostError: the connection is lost.
    """
    found = []
    try:
        history = (await session.execute(_HISTORY)).scalar() or 0
        if history > LONG_HISTORY:
            found.append(f"purge lags: old versions of {history:,} transactions are still there (history list length)")
        ((count, oldest),) = (await session.execute(_TRANSACTIONS, (OLD_TRANSACTION,))).rows
        if count:
            found.append(f"{count:,} other transactions hold purge and locks, the oldest for {oldest:,} s")
        if statements := (await session.execute(_STATEMENTS)).scalar():
            found.append(f"other connections are running {statements:,} statements")
    except ConnectionLostError:
        raise
    except DatabaseError:
        return found
    return found
