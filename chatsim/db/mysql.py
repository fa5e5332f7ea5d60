"""MySQL's numbers for errors (Server Error Message Reference; 20xx: Client Error Message Reference)."""

from __future__ import annotations

from chatsim.db.errors import (
    ConnectionLostError,
    DatabaseError,
    DeadlockError,
    DuplicateKeyError,
    Kind,
    LockNotAvailableError,
    LockWaitTimeoutError,
)

__all__ = ["database_error", "kind_of"]

_BY_NUMBER: dict[int, type[DatabaseError]] = {
    1062: DuplicateKeyError,  # ER_DUP_ENTRY
    1205: LockWaitTimeoutError,  # ER_LOCK_WAIT_TIMEOUT
    1213: DeadlockError,  # ER_LOCK_DEADLOCK
    2003: ConnectionLostError,  # CR_CONN_HOST_ERROR
    2006: ConnectionLostError,  # CR_SERVER_GONE_ERROR
    2013: ConnectionLostError,  # CR_SERVER_LOST
    3572: LockNotAvailableError,  # ER_LOCK_NOWAIT
}


def database_error(errno: int, message: str) -> DatabaseError:
    """The error for one of MySQL's numbers, in the class of its kind."""
    return _BY_NUMBER.get(errno, DatabaseError)(errno, message)


def kind_of(errno: int | None) -> Kind:
    """The kind of one of MySQL's numbers; `Kind.OTHER` for a number that has none."""
    return DatabaseError.kind if errno is None else _BY_NUMBER.get(errno, DatabaseError).kind
