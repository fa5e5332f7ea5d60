"""Processors that are shared: all work goes on at the same time, slower the more of it there is.

This is what an operating system's time slices come to, if they are short (L. Kleinrock, "Queueing Systems", volume 2,
chapter 4). A `CPU` finishes one piece of work after the other instead.
"""

from __future__ import annotations

import asyncio
import heapq

from chatsim.simulation.loop import current_loop

__all__ = ["Interpreter", "Share", "SharedCPU"]


class SharedCPU:
    """A number of cores for any number of threads. Each thread has a core, or its fair share of them.

    Args:
        cores: how many.

    Attributes:
        cores: as given.
        busy_seconds: how long the cores have worked so far, all cores added up.
    """

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self._loop = current_loop()
        self._clock = self._loop.time
        self._busy_seconds = 0.0
        self._attained = 0.0  # the work that a thread would have got that has been here from the beginning
        self._since = 0.0  # when that was worked out
        self._threads: list[tuple[float, int, asyncio.Future[None]]] = []  # by what is attained when they are finished
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def busy_seconds(self) -> float:
        """See the class."""
        self._catch_up()
        return self._busy_seconds

    async def work(self, seconds: float) -> None:
        """Work for ``seconds`` of a core. It takes longer if more threads work than there are cores."""
        if seconds <= 0:
            return
        self._catch_up()
        self._count += 1
        done: asyncio.Future[None] = self._loop.create_future()
        entry = (self._attained + seconds, self._count, done)
        heapq.heappush(self._threads, entry)
        self._set_timer()
        try:
            await done
        except asyncio.CancelledError:
            if entry in self._threads:
                self._catch_up()
                self._threads.remove(entry)
                heapq.heapify(self._threads)
                self._set_timer()
            raise

    def _rate(self) -> float:
        """The seconds of a core that each thread gets in a second."""
        return min(1.0, self.cores / len(self._threads)) if self._threads else 0.0

    def _catch_up(self) -> None:
        now = self._clock()
        attained = (now - self._since) * self._rate()
        self._attained += attained
        self._busy_seconds += attained * len(self._threads)
        self._since = now

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._threads:
            left = max(0.0, self._threads[0][0] - self._attained)
            self._timer = self._loop.call_at(self._since + left / self._rate(), self._finish)

    def _finish(self) -> None:
        """End the work of the thread that is finished first, and of all that are finished with it."""
        self._timer = None
        self._catch_up()
        first = self._threads[0][0]
        self._attained = max(self._attained, first)  # else rounding might leave it a little below
        while self._threads and self._threads[0][0] <= first:
            _, _, done = heapq.heappop(self._threads)
            if not done.done():
                done.set_result(None)
        self._set_timer()


class Share:
    """What one program has of shared cores: any number of threads.

    Args:
        cpu: the cores of its machine.

    Attributes:
        cores: those of the machine.
        busy_seconds: how much work it has had done so far.
    """

    def __init__(self, cpu: SharedCPU) -> None:
        self.cores = cpu.cores
        self.busy_seconds = 0.0
        self._cpu = cpu

    async def work(self, seconds: float) -> None:
        """Work for ``seconds`` of a core."""
        await self._cpu.work(seconds)
        self.busy_seconds += seconds


class Interpreter:
    """The one thread of an event loop: pieces of work of all its tasks, first come, first served, on shared cores.

    Args:
        cpu: the cores of its machine.

    Attributes:
        cores: 1.
        busy_seconds: how much work it has done so far.
    """

    cores = 1

    def __init__(self, cpu: SharedCPU) -> None:
        self.busy_seconds = 0.0
        self._cpu = cpu
        self._turn = asyncio.Lock()  # serves who has come first

    async def work(self, seconds: float) -> None:
        """Work for ``seconds`` of a core, in turn."""
        if seconds <= 0:
            return
        async with self._turn:
            await self._cpu.work(seconds)
            self.busy_seconds += seconds
