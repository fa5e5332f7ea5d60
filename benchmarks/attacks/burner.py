"""A process that only burns processor time, beside which innocent users are measured, too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import numpy as np

__all__ = ["prepare"]

_SLICE = 0.01


async def prepare(seconds: list[float], burnt: list[float]) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Get ready to burn ``burnt`` seconds of processor time by each of ``seconds`` after the start, on one core.

    What it could not burn in time, since others had the processor, it burns afterwards.
    """

    async def run(stop: asyncio.Event) -> None:
        begun, before = time.monotonic(), time.process_time()
        while not stop.is_set():
            until = time.monotonic() + _SLICE
            due = before + float(np.interp(until - begun, seconds, burnt))
            enough = min(due, time.process_time() + _SLICE)
            while time.process_time() < enough:
                pass
            await asyncio.sleep(max(0.0, until - time.monotonic()))

    return run
