"""What SQLite answers, as the `LocalStore` port tells it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from chatsim.db.session import Rows

__all__ = ["ERRORS", "outcome"]

ERRORS = (sqlite3.Error, OverflowError, UnicodeEncodeError)
"""What the library raises: for the database, for a number, for a text that it can't take."""


def outcome(sql: str, rows: Iterable[Iterable[object]], rowcount: int, lastrowid: int | None) -> Rows:
    """The outcome of a statement; only one that inserts has a last id, though the cursor always tells one."""
    inserts = sql.lstrip()[:6].upper() in {"INSERT", "REPLAC"}
    return Rows([tuple(row) for row in rows], max(rowcount, 0), (lastrowid or 0) if inserts else 0)
