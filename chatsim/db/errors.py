"""The errors of databases, a class for each kind. `chatsim.db.mysql` has MySQL's numbers."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

__all__ = [
    "ConnectionLostError",
    "DatabaseError",
    "DeadlockError",
    "DuplicateKeyError",
    "Kind",
    "LockNotAvailableError",
    "LockWaitTimeoutError",
    "WrongStatementError",
]


class Kind(StrEnum):
    """The meaning of an error, independent of the engine's number."""

    DEADLOCK = "deadlock"
    LOCK_TIMEOUT = "lock wait timeout"
    DUPLICATE_KEY = "duplicate key"
    LOCK_NOT_AVAILABLE = "lock not available"
    CONNECTION_LOST = "connection lost"
    NODE_LOST = "node lost"
    WRONG_STATEMENT = "wrong statement"
    OTHER = "other"


class DatabaseError(Exception):
    """The database has refused a statement.

    Attributes:
        kind: the meaning of the error.
        errno: the engine's number; None if the error is not from an engine.
        message: the engine's text.
        statement: the text that was sent; None if it is not known.
    """

    kind: ClassVar[Kind] = Kind.OTHER
    statement: str | None = None

    def __init__(self, errno: int | None, message: str) -> None:
        super().__init__(errno, message)
        self.errno = errno
        self.message = message

    def __str__(self) -> str:
        if self.errno is None:
            return f"{self.kind}: {self.message}"
        kind = "" if self.kind in (Kind.OTHER, Kind.WRONG_STATEMENT) else f" ({self.kind})"
        return f"{self.errno}{kind}: {self.message}"


class DeadlockError(DatabaseError):
    """The transaction was the victim of a deadlock. All of it was rolled back."""

    kind = Kind.DEADLOCK


class LockWaitTimeoutError(DatabaseError):
    """The statement has waited too long for a lock, and was rolled back. The transaction and its locks remain."""

    kind = Kind.LOCK_TIMEOUT


class DuplicateKeyError(DatabaseError):
    """A unique index has this key already. Only the statement was rolled back."""

    kind = Kind.DUPLICATE_KEY


class LockNotAvailableError(DatabaseError):
    """A statement with NOWAIT has met a lock. Only the statement was rolled back."""

    kind = Kind.LOCK_NOT_AVAILABLE


class ConnectionLostError(DatabaseError):
    """The connection is lost, or could not be opened. Whether a running commit took effect is unknown."""

    kind = Kind.CONNECTION_LOST


class WrongStatementError(DatabaseError):
    """The statement can't work, whatever is in the tables: its syntax is wrong, or it names what there is not."""

    kind = Kind.WRONG_STATEMENT
