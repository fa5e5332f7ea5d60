"""Pushes to the members of groups, in portions: other work of the node has its turn in between."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from chatsim.chat.protocol import Message
from chatsim.chat.server.push_queue import MOST_WAITING, PORTION
from chatsim.chat.server.repeated_warning import RepeatedWarning
from chatsim.chat.server.session import ClientSession

__all__ = ["GroupQueue"]

_log = logging.getLogger(__name__)


class GroupQueue:
    """Notices for the members of groups. Groups take turns, portion by portion.

    A notice goes to all members before the next notice of the group does, so that a member gets them in their order. A
    notice that is one too many is dropped: the members get what it tells with their next catch-up.

    Args:
        node: this node's name.
        push: pushes a notice to the devices of a user, except one session.
        spawn: runs a coroutine as a task.
    """

    def __init__(
        self,
        node: str,
        push: Callable[[int, Message, ClientSession | None], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._node = node
        self._push = push
        self._spawn = spawn
        self._waiting: dict[int, deque[tuple[Sequence[int], Message, ClientSession | None]]] = {}
        self._turn = asyncio.Lock()  # however many groups there are, only one portion is pushed at a time
        self._warning = RepeatedWarning(_log)

    def push(self, thread: int, uids: Sequence[int], notice: Message, but: ClientSession | None) -> None:
        """Push a notice of the group ``thread`` to these users, after all earlier notices of the group."""
        waiting = self._waiting.get(thread)
        if waiting is None:
            waiting = self._waiting[thread] = deque()
            self._spawn(self._run(thread, waiting))
        if len(waiting) == MOST_WAITING:
            self._warning("%s: %d notices wait for group %d; one more is dropped", self._node, MOST_WAITING, thread)
            return
        waiting.append((uids, notice, but))

    async def _run(self, thread: int, waiting: deque[tuple[Sequence[int], Message, ClientSession | None]]) -> None:
        try:
            while waiting:
                uids, notice, but = waiting.popleft()
                for at in range(0, len(uids), PORTION):
                    async with self._turn:
                        await asyncio.gather(*(self._push(uid, notice, but) for uid in uids[at : at + PORTION]))
                        await asyncio.sleep(0)
        finally:
            del self._waiting[thread]
