"""A processor: work takes time on one of its cores, and waits for a free one. It is a SimPy `Resource`."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from simpy.resources.resource import Request, Resource

from chatsim.simulation.loop import current_loop

__all__ = ["CPU", "Processor"]


class Processor(Protocol):
    """Something that does work, in virtual time.

    Attributes:
        cores: how many pieces of work it can do at once.
    """

    @property
    def cores(self) -> int:
        """See the class."""
        ...

    @property
    def busy_seconds(self) -> float:
        """How long it has worked so far, all cores added up."""
        ...

    async def work(self, seconds: float) -> None:
        """Do ``seconds`` of work."""
        ...


class _Queue(deque[Request]):
    """The queue for a core. SimPy removes the first from a list, which moves all others: n waiters cost n² steps."""

    def pop(self, at: int) -> Request:  # type: ignore[override]  # as a list's, which is what SimPy calls
        if at != 0:
            raise IndexError(f"only the first is taken from the queue, not number {at}")
        return self.popleft()


class _Cores(Resource):
    PutQueue = _Queue


class CPU:
    """A number of cores. Work waits for one of them, first come, first served.

    Args:
        cores: how many.

    Attributes:
        cores: as given.
        busy_seconds: how long the cores have worked so far, all cores added up.
    """

    def __init__(self, cores: int) -> None:
        self._loop = current_loop()
        self.cores = cores
        self._cores = _Cores(self._loop.env, cores)
        self.busy_seconds = 0.0

    async def work(self, seconds: float) -> None:
        """Keep one core busy for ``seconds``, once one is free."""
        with self._cores.request() as request:
            await self._loop.wait(request)
            await asyncio.sleep(seconds)
            self.busy_seconds += seconds
