"""Outcomes and errors of SQLite, in the form of the `LocalStore` port."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from chatsim.chat.ports import LocalStoreError, LocalStoreUnavailableError
from chatsim.db.session import Rows

__all__ = ["ERRORS", "outcome", "store_error"]

ERRORS = (sqlite3.Error, OverflowError, UnicodeEncodeError)
"""The exceptions of the library: an error of the database, a number that is too large, an invalid text."""


_UNAVAILABLE = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL),  # another process has it
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM),  # the disk is full, or does not answer
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM),  # somebody may put it right
}
"""The result codes after which a later try may succeed (sqlite.org: Result and Error Codes)."""


def store_error(path: str, error: Exception) -> LocalStoreError:
    """The error of the port for one of `ERRORS`."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without what extends it
    kind = LocalStoreUnavailableError if code in _UNAVAILABLE else LocalStoreError
    return kind(f"{path}: {error}")


def outcome(sql: str, rows: Iterable[Iterable[object]], rowcount: int, lastrowid: int | None) -> Rows:
    """The outcome of a statement. Only an INSERT has a last id, although the cursor always has one."""
    inserts = sql.lstrip()[:6].upper() in {"INSERT", "REPLAC"}
    return Rows([tuple(row) for row in rows], max(rowcount, 0), (lastrowid or 0) if inserts else 0)
