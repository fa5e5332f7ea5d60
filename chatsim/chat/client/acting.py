"""The base of those classes that have a part of a messenger's methods each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chatsim.chat.client.cache import Cache
from chatsim.chat.client.connection import Client
from chatsim.chat.client.event import Event
from chatsim.chat.protocol import Message

__all__ = ["Acting"]

R = TypeVar("R", bound=Message)


class Acting:
    """What the methods of a messenger need of it.

    Attributes:
        cache: the user's local data.
    """

    cache: Cache
    _changed: Callable[[Event], None]

    def _online(self) -> Client:
        """The connection. Raises `DisconnectedError` if there is none."""
        raise NotImplementedError

    async def _ask(self, request: Message, reply: type[R]) -> R:
        """Send a request, and wait for its reply. Raises `ClientError`."""
        return await self._online().request(request, reply)
