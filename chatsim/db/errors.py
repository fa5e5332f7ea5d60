"""What a database refuses, each error a class of its own kind."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ConnectionLostError",
    "DatabaseError",
    "DeadlockError",
    "DuplicateKeyError",
    "LockNotAvailableError",
    "LockWaitTimeoutError",
    "database_error",
]


class DatabaseError(Exception):
    """What a database refused, by MySQL's error number. `database_error` picks the subclass."""

    title: ClassVar[str] = ""

    def __init__(self, errno: int, message: str) -> None:
        super().__init__(errno, message)
        self.errno = errno
        self.message = message

    def __str__(self) -> str:
        return f"{self.errno}{self.title and f' ({self.title})'}: {self.message}"


class DeadlockError(DatabaseError):
    """1213: this transaction was the victim and is gone, all of it."""

    title = "deadlock"


class LockWaitTimeoutError(DatabaseError):
    """1205: the statement is gone; the transaction and its other locks are still there."""

    title = "lock wait timeout"


class DuplicateKeyError(DatabaseError):
    """1062: a unique index has that key already; only the statement is gone."""

    title = "duplicate key"


class LockNotAvailableError(DatabaseError):
    """3572: NOWAIT met a lock; only the statement is gone."""

    title = "lock not available"


class ConnectionLostError(DatabaseError):
    """2006, 2013: the connection is gone; whether a commit in flight took effect is unknown. 2003: there is none."""

    title = "connection lost"
    errnos: ClassVar = frozenset({2003, 2006, 2013})


_BY_ERRNO: dict[int, type[DatabaseError]] = {
    1062: DuplicateKeyError,
    1205: LockWaitTimeoutError,
    1213: DeadlockError,
    **dict.fromkeys(ConnectionLostError.errnos, ConnectionLostError),
    3572: LockNotAvailableError,
}


def database_error(errno: int, message: str) -> DatabaseError:
    """The error class for MySQL's ``errno`` (Server Error Message Reference; 20xx: Client Error Message Reference)."""
    return _BY_ERRNO.get(errno, DatabaseError)(errno, message)
