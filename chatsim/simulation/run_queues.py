"""Cores that several programs share, as an operating system shares them: each core has a queue of threads that can run.

A thread that wakes up is put into the queue of a core, and runs from its turn until it waits for something: a slice of
a few milliseconds is longer than nearly all that a chat server or a database does at once. Which core that is, is
drawn: a scheduler looks for an idle core, and still threads wait while another core has nothing to do, since they were
put where their waker runs, and are not moved for so short a time (J.-P. Lozi et al., "The Linux Scheduler: a Decade of
Wasted Cores", EuroSys 2016). A machine has as many cores as that for many threads, and fewer for two or three.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsim.simulation.loop import current_loop

if TYPE_CHECKING:
    import numpy as np

__all__ = ["COLD_AFTER", "Interpreter", "Share", "SharedCPU", "Waking"]

COLD_AFTER = 0.010
"""After so many seconds of idleness nothing of a program is in the processor's caches; after 30 ms it is no slower."""


class _Work:
    """A piece of work.

    Attributes:
        left: seconds of a core.
        thread: who does it.
        ahead: whether it goes ahead of others.
        begun: when it began to run.
        done: is set at its end.
    """

    __slots__ = ("ahead", "begun", "done", "left", "thread")

    def __init__(self, left: float, *, ahead: bool, done: asyncio.Future[None]) -> None:
        self.left = left
        self.ahead = ahead
        self.done = done
        self.thread = asyncio.current_task()
        self.begun = 0.0


class _Core:
    """One core.

    Attributes:
        running: what runs.
        queue: what waits.
        kept: the thread that has just run, which goes on here if it has more to do.
        busy_seconds: how long it has run, without what runs now.
    """

    def __init__(self) -> None:
        self.running: _Work | None = None
        self.queue: deque[_Work] = deque()
        self.kept: asyncio.Task[object] | None = None
        self.busy_seconds = 0.0
        self._loop = current_loop()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing runs on it."""
        return self.running is None and self.kept is None

    def add(self, work: _Work) -> None:
        """Run some work, in its turn."""
        if self.idle or (self.running is None and self.kept is work.thread):
            self._run(work)
        elif not work.ahead:
            self.queue.append(work)
        elif self.running is None or self.running.ahead:
            self.queue.appendleft(work)
        else:
            self.queue.appendleft(self.stop())
            self._run(work)

    def remove(self, work: _Work) -> None:
        """Do no more of some work, if it is here."""
        if work is self.running:
            self.stop()
            self._next()
        elif work in self.queue:
            self.queue.remove(work)

    def stop(self) -> _Work:
        """Interrupt what runs."""
        work = self.running
        assert work is not None
        assert self._timer is not None
        self._timer.cancel()
        ran = self._loop.time() - work.begun
        work.left -= ran
        self.busy_seconds += ran
        self.running = None
        return work

    def _run(self, work: _Work) -> None:
        self.kept = None
        self.running = work
        work.begun = self._loop.time()
        self._timer = self._loop.call_at(work.begun + work.left, self._finish)

    def _finish(self) -> None:
        work = self.stop()
        self.kept = work.thread
        if not work.done.done():
            work.done.set_result(None)
        self._loop.call_soon(self._next)  # after the thread, which may have more to do

    def _next(self) -> None:
        if self.running is None:
            self.kept = None
            if self.queue:
                self._run(self.queue.popleft())


class SharedCPU:
    """A number of cores for any number of threads. A thread is a task of asyncio.

    Args:
        cores: how many.
        rng: draws the core of a thread that wakes up.

    Attributes:
        cores: as given.
    """

    def __init__(self, cores: int, rng: np.random.Generator) -> None:
        self.cores = cores
        self._loop = current_loop()
        self._cores = [_Core() for _ in range(cores)]
        self._rng = rng

    @property
    def busy_seconds(self) -> float:
        """How long the cores have worked so far, all cores added up."""
        now = self._loop.time()
        return sum(
            core.busy_seconds + (0.0 if core.running is None else now - core.running.begun) for core in self._cores
        )

    async def work(self, seconds: float, *, ahead: bool = False) -> None:
        """Work for ``seconds`` of a core.

        Args:
            seconds: how long.
            ahead: whether it interrupts other work, and goes on at once.
        """
        if seconds <= 0:
            return
        work = _Work(seconds, ahead=ahead, done=self._loop.create_future())
        core = self._core_for(work)
        core.add(work)
        try:
            await work.done
        except asyncio.CancelledError:
            core.remove(work)
            raise

    def _core_for(self, work: _Work) -> _Core:
        for core in self._cores:
            if core.kept is work.thread is not None:
                return core
        return self._cores[int(self._rng.integers(self.cores))]


@dataclass(frozen=True)
class Waking:
    """How much longer a program's work takes when the program was idle.

    Attributes:
        wake: seconds of a core more, however short that was.
        cold: seconds of a core more if it was `COLD_AFTER` or longer, and a part of that if it was shorter: what it
            needs is no longer in the processor's caches.
    """

    wake: float = 0.0
    cold: float = 0.0

    def after(self, idle: float) -> float:
        """The seconds of a core, after so many seconds of idleness."""
        return (self.wake + self.cold * min(1.0, idle / COLD_AFTER)) if idle > 0 else 0.0


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

    It goes ahead of other threads: it has slept more than they have, for which a scheduler lets it run at once.

    Args:
        cpu: the cores of its machine.
        waking: how much longer its work takes when it was idle.

    Attributes:
        cores: 1.
        busy_seconds: how much work it has done so far.
    """

    cores = 1

    def __init__(self, cpu: SharedCPU, waking: Waking | None = None) -> None:
        self.busy_seconds = 0.0
        self._cpu = cpu
        self._waking = waking or Waking()
        self._turn = asyncio.Lock()  # serves who has come first
        self._clock = current_loop().time
        self._idle_since = -math.inf

    async def work(self, seconds: float) -> None:
        """Work for ``seconds`` of a core, in turn, and longer after idleness."""
        if seconds > 0:
            await self._work(seconds, wakes=True)

    async def go_on(self, seconds: float) -> None:
        """Work for ``seconds`` of a core, in turn: what it takes to wake up is in them."""
        if seconds > 0:
            await self._work(seconds, wakes=False)

    async def _work(self, seconds: float, *, wakes: bool) -> None:
        async with self._turn:
            if wakes:
                seconds += self._waking.after(self._clock() - self._idle_since)
            try:
                await self._cpu.work(seconds, ahead=True)
            finally:
                self._idle_since = self._clock()
            self.busy_seconds += seconds
