"""Outcomes and errors of SQLite, in the form of the `LocalStore` port."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from chatsim.db.session import Rows

__all__ = ["ERRORS", "outcome"]

ERRORS = (sqlite3.Error, OverflowError, UnicodeEncodeError)
"""The exceptions of the library: an error of the database, a number that is too large, an invalid text."""


def outcome(sql: str, rows: Iterable[Iterable[object]], rowcount: int, lastrowid: int | None) -> Rows:
    """The outcome of a statement. Only an INSERT has a last id, although the cursor always has one."""
    inserts = sql.lstrip()[:6].upper() in {"INSERT", "REPLAC"}
    return Rows([tuple(row) for row in rows], max(rowcount, 0), (lastrowid or 0) if inserts else 0)
