"""Callers: what is run in every order, and what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import Enum

from chatsim.db.errors import (
    ConnectionLostError,
    DatabaseError,
    DeadlockError,
    DuplicateKeyError,
    LockWaitTimeoutError,
)
from chatsim.db.session import Isolation, Session

__all__ = ["RETRIED", "Caller", "Ended", "Program", "Status"]

Program = Callable[[Session], Awaitable[object]]
"""What a caller does in one try, over a session in autocommit. What it returns is compared and shown.

It must do the same whenever the session answers the same. A `DatabaseError` that it raises is a refusal.
"""

RETRIED = (DeadlockError, LockWaitTimeoutError, DuplicateKeyError, ConnectionLostError)
"""The refusals after which another try may succeed."""


@dataclass(frozen=True)
class Caller:
    """A caller.

    Attributes:
        name: its name, as steps show it.
        program: what it does.
        isolation: the isolation level of its session.
        alike: callers for whom this is equal do the same, so that it does not matter which of them is where; None: it
            is like no other.
    """

    name: str
    program: Program
    isolation: Isolation = Isolation.REPEATABLE_READ
    alike: Hashable = None


class Status(Enum):
    """Where a caller is."""

    ASKS = "asks"
    """It has a statement that can be executed."""
    WAITS = "waits"
    """Its statement waits for a lock."""
    PAUSES = "pauses"
    """Its statement has met a record, and could go on."""
    ENDED = "ended"
    """It has returned, or was refused for good."""
    DIED = "died"
    """Its connection is gone, and so is it."""


@dataclass(frozen=True)
class Ended:
    """What became of a caller.

    Attributes:
        name: of the caller.
        value: what it returned; None if it was refused, or has not ended.
        refusals: the errors that its tries met, in order. The last one is its answer if it was refused for good.
        refused: whether it was refused for good.
        died: whether its connection was gone before it could end.
        unknown: whether a reply of a try that could have taken effect was lost.
    """

    name: str
    value: object = None
    refusals: Sequence[DatabaseError] = ()
    refused: bool = False
    died: bool = False
    unknown: bool = False

    @property
    def outcome(self) -> str:
        """In a few words."""
        if self.died:
            return "died"
        return f"refused: {self.refusals[-1].kind}" if self.refused else "ok"
