"""Turns: a bound on what one user may use or wait for at the same time, so that nobody starves the others."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

__all__ = ["Turns"]


@dataclass
class _OfUser:
    free: asyncio.Semaphore
    wanted: int = 0  # turns that are taken or waited for


class Turns:
    """Gives each user a number of turns. Who asks for more waits until one of the same user's has ended.

    Those who wait are served in the order in which they have asked.

    Args:
        each: the number of turns of each user; infinity is no bound.
    """

    def __init__(self, each: float) -> None:
        self._each = sys.maxsize if each == math.inf else int(each)
        self._users: dict[int, _OfUser] = {}

    @asynccontextmanager
    async def of(self, uid: int) -> AsyncIterator[None]:
        """Take one of the user's turns for the block."""
        user = self._users.get(uid)
        if user is None:
            user = self._users[uid] = _OfUser(asyncio.Semaphore(self._each))
        user.wanted += 1
        try:
            async with user.free:
                yield
        finally:
            user.wanted -= 1
            if not user.wanted:
                del self._users[uid]
