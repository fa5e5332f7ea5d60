"""The interface of a database: sessions that run statements, and the outcome of a statement."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

__all__ = ["Database", "Isolation", "Rows", "Session"]


class Isolation(StrEnum):
    """A transaction isolation level, in the spelling of ``SET TRANSACTION ISOLATION LEVEL``.

    Raises:
        ValueError: there is no such level; the message names those there are.
    """

    READ_UNCOMMITTED = "READ UNCOMMITTED"
    READ_COMMITTED = "READ COMMITTED"
    REPEATABLE_READ = "REPEATABLE READ"
    SERIALIZABLE = "SERIALIZABLE"

    @classmethod
    def _missing_(cls, value: object) -> Isolation:
        raise ValueError(f"unknown isolation level {value!r}; there are: {', '.join(cls)}")


@dataclass(frozen=True, slots=True)
class Rows:
    """The outcome of one statement.

    Attributes:
        rows: the rows that it read, one tuple for each, in the order of the select list.
        affected: the number of changed rows. MySQL counts an updated row twice in ``ON DUPLICATE KEY UPDATE``.
        last_id: the first AUTO_INCREMENT value that it took, or the argument of its ``LAST_INSERT_ID(x)``, or 0.
    """

    rows: Sequence[tuple[object, ...]] = ()
    affected: int = 0
    last_id: int = 0

    def scalar(self) -> int | None:
        """The first column of the first row as an integer; None if there is no row, or if it is NULL."""
        if not self.rows or self.rows[0][0] is None:
            return None
        return int(str(self.rows[0][0]))


class Session(Protocol):
    """A leased connection, in autocommit until `begin`. ``?`` in the SQL is the place of an argument."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, by the server's last answer."""
        ...

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement in one round trip. Raises `DatabaseError`."""
        ...

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        """Run several statements, separated by ``;``, in one round trip. The first error ends it, and is raised."""
        ...

    async def begin(self, isolation: Isolation | None = None) -> None:
        """Begin a transaction, at ``isolation`` if it is given, or else at the session's isolation level."""
        ...

    async def commit(self) -> None:
        """Commit. After a `ConnectionLostError` the outcome is unknown."""
        ...

    async def rollback(self) -> None:
        """Roll back. It does nothing if no transaction is open."""
        ...


class Database(Protocol):
    """A pool of connections to a database."""

    def session(self, isolation: Isolation | None = None) -> AbstractAsyncContextManager[Session]:
        """Lease a connection with the isolation level ``isolation``; None is the server's default.

        A connection that is returned with an open transaction is closed and not leased again.
        """
        ...
