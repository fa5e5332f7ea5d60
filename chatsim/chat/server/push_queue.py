"""Pushes to users with many devices, in portions: other work of the node has its turn in between."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from chatsim.chat.ports import Device
from chatsim.chat.protocol import Message
from chatsim.chat.server.repeated_warning import RepeatedWarning

__all__ = ["MOST_WAITING", "PORTION", "PushQueue"]

_log = logging.getLogger(__name__)

PORTION = 16
"""The number of devices that are pushed to before other work has its turn."""

MOST_WAITING = 1_000
"""The number of notices that wait for one user."""


class PushQueue:
    """Notices for users with more than `PORTION` devices. These users take turns, device by device.

    A user's notices reach a device in their order. A notice that is one too many is dropped: the device gets what it
    tells with its next catch-up.

    Args:
        node: this node's name.
        push: pushes a notice to a device.
        spawn: runs a coroutine as a task.
    """

    def __init__(
        self,
        node: str,
        push: Callable[[Device, Message], object],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._node = node
        self._push = push
        self._spawn = spawn
        self._waiting: dict[int, deque[tuple[Message, Iterator[Device]]]] = {}  # whose turn is next is first
        self._runs = False
        self._warning = RepeatedWarning(_log)

    def push(self, uid: int, devices: Sequence[Device], notice: Message) -> None:
        """Push a notice to the devices of a user: at once if they are few, and nothing waits for the user."""
        waiting = self._waiting.get(uid)
        if waiting is None and len(devices) <= PORTION:
            for device in devices:
                self._push(device, notice)
            return
        if waiting is None:
            waiting = self._waiting[uid] = deque()
        if len(waiting) == MOST_WAITING:
            self._warning("%s: %d notices wait for user %d; one more is dropped", self._node, MOST_WAITING, uid)
            return
        waiting.append((notice, iter(devices)))
        if not self._runs:
            self._runs = True
            self._spawn(self._run())

    async def _run(self) -> None:
        try:
            while self._waiting:
                for _ in range(PORTION):
                    self._push_one()
                await asyncio.sleep(0)
        finally:
            self._runs = False

    def _push_one(self) -> None:
        """Push one notice to one device of the user whose turn it is."""
        if not self._waiting:
            return
        uid, waiting = next(iter(self._waiting.items()))
        notice, devices = waiting[0]
        if (device := next(devices, None)) is None:
            waiting.popleft()
        else:
            self._push(device, notice)
        del self._waiting[uid]
        if waiting:
            self._waiting[uid] = waiting
