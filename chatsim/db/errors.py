"""What a database refuses, each error a class of its own kind; `chatsim.db.mysql` has the numbers."""

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
]


class Kind(StrEnum):
    """What an error means, whatever number the engine gives it."""

    DEADLOCK = "deadlock"
    LOCK_TIMEOUT = "lock wait timeout"
    DUPLICATE_KEY = "duplicate key"
    LOCK_NOT_AVAILABLE = "lock not available"
    CONNECTION_LOST = "connection lost"
    NODE_LOST = "node lost"
    OTHER = "other"


class DatabaseError(Exception):
    """What a database refused.

    Attributes:
        kind: what it means.
        errno: the engine's number; None where no engine has said it.
        message: the engine's text.
    """

    kind: ClassVar[Kind] = Kind.OTHER

    def __init__(self, errno: int | None, message: str) -> None:
        super().__init__(errno, message)
        self.errno = errno
        self.message = message

    def __str__(self) -> str:
        if self.errno is None:
            return f"{self.kind}: {self.message}"
        return f"{self.errno}{f' ({self.kind})' if self.kind is not Kind.OTHER else ''}: {self.message}"


class DeadlockError(DatabaseError):
    """This transaction was the victim and is gone, all of it."""

    kind = Kind.DEADLOCK


class LockWaitTimeoutError(DatabaseError):
    """The statement is gone; the transaction and its other locks are still there."""

    kind = Kind.LOCK_TIMEOUT


class DuplicateKeyError(DatabaseError):
    """A unique index has that key already; only the statement is gone."""

    kind = Kind.DUPLICATE_KEY


class LockNotAvailableError(DatabaseError):
    """NOWAIT met a lock; only the statement is gone."""

    kind = Kind.LOCK_NOT_AVAILABLE


class ConnectionLostError(DatabaseError):
    """The connection is gone, or there is none; whether a commit in flight took effect is unknown."""

    kind = Kind.CONNECTION_LOST
