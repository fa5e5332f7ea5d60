"""What a handler may use of its node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chatsim.chat.protocol import ErrorCode
from chatsim.chat.server.fanout import FanOut
from chatsim.chat.server.limits import Limits
from chatsim.chat.server.refusal import RefusalError
from chatsim.chat.server.session import ClientSession
from chatsim.chat.server.store.texts import Texts
from chatsim.db.session import Session

__all__ = ["Context", "Transact"]

T = TypeVar("T")


class Transact(Protocol):
    """Runs a transaction under the node's retry policy; see `NodeDatabase.transact`."""

    async def __call__(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Do ``work`` on a leased connection; return what it returns."""
        ...


@dataclass(frozen=True)
class Context:
    """What the handlers of one node have in common.

    Attributes:
        node: the node's name, for the log.
        lease: leases a connection, for what is read in one round trip.
        transact: runs a transaction, again if the node's retry policy says so.
        create: creates the private chat of two users, or finds it; returns its thread.
        texts: how the schema keeps messages.
        fan_out: pushes notices to the devices of users.
        limits: what sessions may do.
        check_token: raises a `TokenError` or a `RegistryError` unless the token is the user's.
        log_in: notes whose session it is from now on; raises a `RegistryError` when nobody can be told.
    """

    node: str
    lease: Callable[[], AbstractAsyncContextManager[Session]]
    transact: Transact
    create: Callable[[int, int], Awaitable[int]]
    texts: Texts
    fan_out: FanOut
    limits: Limits
    check_token: Callable[[int, str], Awaitable[None]]
    log_in: Callable[[ClientSession, int], Awaitable[None]]

    def require_numbers(self) -> None:
        """Raise a `RefusalError` where messages have no numbers."""
        if not self.texts.numbered:
            raise RefusalError(ErrorCode.NOT_IN_THIS_SCHEMA, "the seed's messages have no numbers")
