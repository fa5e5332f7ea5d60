"""What every database gives: leased sessions that run statements, and what comes of one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

__all__ = ["Database", "Isolation", "Rows", "Session"]


class Isolation(StrEnum):
    """A transaction isolation level, spelled as ``SET TRANSACTION ISOLATION LEVEL`` wants it."""

    READ_UNCOMMITTED = "READ UNCOMMITTED"
    READ_COMMITTED = "READ COMMITTED"
    REPEATABLE_READ = "REPEATABLE READ"
    SERIALIZABLE = "SERIALIZABLE"


@dataclass(frozen=True, slots=True)
class Rows:
    """The outcome of one statement.

    Attributes:
        rows: what it read, one tuple per row, in the order of the select list.
        affected: how many rows it changed; MySQL counts an updated row twice in ``ON DUPLICATE KEY UPDATE``.
        last_id: the first AUTO_INCREMENT value it took, or the argument of its ``LAST_INSERT_ID(x)``; else 0.
    """

    rows: Sequence[tuple[object, ...]] = ()
    affected: int = 0
    last_id: int = 0

    def scalar(self) -> int | None:
        """The first column of the first row as an integer, or None when nothing (or NULL) was read."""
        if not self.rows or self.rows[0][0] is None:
            return None
        return int(str(self.rows[0][0]))


class Session(Protocol):
    """One leased connection. In autocommit until `begin`. ``?`` marks an argument's place in the SQL."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, as far as the server has said."""
        ...

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement in one round trip. Raises a `DatabaseError`."""
        ...

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        """Run several statements, separated by ``;``, in one round trip; the first error ends it and is raised."""
        ...

    async def begin(self, isolation: Isolation | None = None) -> None:
        """Open a transaction, at another isolation level than the session's if one is named."""
        ...

    async def commit(self) -> None:
        """Commit. A `ConnectionLostError` here leaves the outcome unknown."""
        ...

    async def rollback(self) -> None:
        """Roll back; harmless when no transaction is open."""
        ...


class Database(Protocol):
    """A node's pool of connections to the one database."""

    def session(self, isolation: Isolation | None = None) -> AbstractAsyncContextManager[Session]:
        """Lease a connection, its sessions' level set to ``isolation`` (the server's default when None).

        A connection that comes back with an open transaction is closed, never handed on.
        """
        ...
