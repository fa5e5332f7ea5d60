"""Machines: cores that work takes time on."""

from __future__ import annotations

import asyncio
from collections import deque

from simpy.resources.resource import Request, Resource

from chatsim.simulation.loop import current_loop

__all__ = ["Machine"]


class _Turns(deque[Request]):
    """Who waits for a core. SimPy takes the first off a list, which moves all the others: a crowd costs its square."""

    def pop(self, at: int) -> Request:  # type: ignore[override]  # as a list's, which is what SimPy calls
        if at != 0:
            raise IndexError(f"only the first is let in, not number {at}")
        return self.popleft()


class _Cores(Resource):
    PutQueue = _Turns


class Machine:
    """A number of cores; work waits for one of them, first come, first served.

    Args:
        cores: how many.

    Attributes:
        worked: the seconds of work done so far, by all cores.
    """

    def __init__(self, cores: int) -> None:
        self._loop = current_loop()
        self._cores = _Cores(self._loop.env, cores)
        self.worked = 0.0

    async def work(self, seconds: float) -> None:
        """Have one core busy for so long."""
        with self._cores.request() as turn:
            await self._loop.wait(turn)
            await asyncio.sleep(seconds)
            self.worked += seconds
