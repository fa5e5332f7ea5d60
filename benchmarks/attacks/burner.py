"""A process that only burns processor time, beside which innocent users are measured, too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

__all__ = ["prepare"]

_SLICE = 0.01


async def prepare(share: float) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Get ready to burn ``share`` of one core, at most all of it, in slices of 10 ms."""
    burnt_in_a_slice = _SLICE * min(share, 1.0)

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            until = time.monotonic() + _SLICE
            enough = time.process_time() + burnt_in_a_slice
            while time.process_time() < enough:
                pass
            await asyncio.sleep(max(0.0, until - time.monotonic()))

    return run
