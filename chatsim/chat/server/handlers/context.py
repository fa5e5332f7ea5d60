"""The context of a handler: what it may use of its node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chatsim.chat.ports import Files
from chatsim.chat.protocol import ErrorCode
from chatsim.chat.server.fanout import FanOut
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.stats import Stats
from chatsim.chat.server.store.texts import Texts
from chatsim.chat.server.turns import Turns
from chatsim.db.errors import ConnectionLostError
from chatsim.db.session import Session

__all__ = ["HandlerContext", "Transact"]

T = TypeVar("T")


class Transact(Protocol):
    """Runs a transaction under the node's retry policy; see `NodeDatabase.transact`."""

    async def __call__(self, uid: int, work: Callable[[Session], Awaitable[T]]) -> T:
        """Run ``work`` on a connection leased for the user who asks. Returns its result."""
        ...


@dataclass(frozen=True)
class HandlerContext:
    """The context of all handlers of one node.

    Attributes:
        node: the node's name, for the log.
        lease: leases a connection for the user who asks, to read in one round trip.
        transact: runs a transaction for the user who asks, several times if the node's retry policy says so.
        create: creates the private chat of two users, or finds it. Returns its thread.
        texts: how messages are stored in the schema.
        fan_out: pushes notices to the devices of users.
        limits: the limits of sessions.
        stats: the node's counts.
        check_token: raises `TokenError` or `RegistryError` unless the token belongs to the user.
        log_in: makes a session the user's. Raises `RegistryError` if presence can't be reached.
        files: the bytes of attachments; None if the node takes none.
        new_file: draws the name of a new file.
        checking: the turns of users to have an upload checked.
    """

    node: str
    lease: Callable[[int], AbstractAsyncContextManager[Session]]
    transact: Transact
    create: Callable[[int, int], Awaitable[int]]
    texts: Texts
    fan_out: FanOut
    limits: Limits
    stats: Stats
    check_token: Callable[[int, str], Awaitable[None]]
    log_in: Callable[[ClientSession, int], Awaitable[None]]
    files: Files | None
    new_file: Callable[[], str]
    checking: Turns

    async def store(self, uid: int, work: Callable[[Session], Awaitable[T]]) -> tuple[T, bool]:
        """Like ``transact``. Also returns whether an earlier try may have committed: its connection was lost.

        What such a try has stored is not new to the try after it, but nobody has been told about it yet.
        """
        unsure = False

        async def once(tx: Session) -> T:
            nonlocal unsure
            try:
                return await work(tx)
            except ConnectionLostError:
                unsure = True
                raise

        return await self.transact(uid, once), unsure

    def require_numbers(self) -> None:
        """Raise `RefusalError` if messages have no numbers in this schema."""
        if not self.texts.numbered:
            raise RefusalError(ErrorCode.NOT_IN_THIS_SCHEMA, "the source's messages have no numbers")
