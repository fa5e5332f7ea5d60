"""The latest deadlock of a MySQL server.

``SHOW ENGINE INNODB STATUS`` has only the latest deadlock. ``innodb_print_all_deadlocks=ON`` would write each one to
the error log, but printing is slow: a race for one gap ran at a third to a half of its rate (``docs/findings.md``). And
``performance_schema.error_log`` has only the headings of a report; the locks are written directly into the file.
"""

from __future__ import annotations

from chatsim.db.deadlock import Deadlock
from chatsim.db.deadlock_report.reader import find_deadlocks
from chatsim.db.errors import DatabaseError
from chatsim.db.session import Session

__all__ = ["key_columns", "latest"]

_ACCESS_DENIED = 1227
"""The error number for a missing privilege, here PROCESS (Server Error Message Reference)."""

_HEADING = "LATEST DETECTED DEADLOCK"
"""What the status has if there was a deadlock."""


async def key_columns(session: Session) -> dict[tuple[str, str, str], int]:
    """The number of columns of each index that the session's user may see."""
    found = await session.execute(
        "SELECT table_schema, table_name, index_name, COUNT(*) FROM information_schema.statistics"
        " WHERE table_schema NOT IN ('mysql', 'sys') GROUP BY table_schema, table_name, index_name"
    )
    return {(str(row[0]), str(row[1]), str(row[2])): int(str(row[3])) for row in found.rows}


async def latest(session: Session) -> Deadlock | None:
    """The server's latest deadlock in any schema; None if there was none, or if PROCESS is not granted."""
    try:
        status = await session.execute("SHOW ENGINE INNODB STATUS")
    except DatabaseError as error:
        if error.errno == _ACCESS_DENIED:
            return None
        raise
    text = _text(status.rows[0][2])
    if _HEADING not in text:
        return None
    found = find_deadlocks(text, await key_columns(session))
    return found[-1] if found else None


def _text(value: object) -> str:
    """The text of a result. A binary one (LOAD_FILE, SHOW in some drivers) is UTF-8."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
