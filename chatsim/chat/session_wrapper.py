"""A session that hands everything on to another one, for subclasses that change a part of it."""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.db.session import Isolation, Rows, Session

__all__ = ["SessionWrapper"]


class SessionWrapper(Session):
    """Hands everything on to another session; a subclass overrides what it changes.

    Args:
        tx: the other session.
    """

    def __init__(self, tx: Session) -> None:
        self.tx = tx

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.tx.in_transaction

    async def execute(self, sql: str, args: Sequence[object] = ()) -> Rows:
        """Run one statement."""
        return (await self.script(sql, args))[0]

    async def script(self, sql: str, args: Sequence[object] = ()) -> list[Rows]:
        """Run several statements."""
        return await self.tx.script(sql, args)

    async def begin(self, isolation: Isolation | None = None) -> None:
        """Open a transaction."""
        await self.tx.begin(isolation)

    async def commit(self) -> None:
        """Commit."""
        await self.tx.commit()

    async def rollback(self) -> None:
        """Roll back."""
        await self.tx.rollback()
