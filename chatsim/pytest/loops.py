"""Event loops in threads of their own: a test calls into them, whether it is an ordinary or an async one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Protocol, Self, TypeVar

__all__ = ["Loop", "RealTime", "VirtualTime", "in_no_loop"]

T = TypeVar("T")


class Loop(Protocol):
    """An event loop that is open for the length of a test."""

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        """What a coroutine function returns, which runs in the loop. The caller is blocked meanwhile."""
        ...


class RealTime:
    """A loop of asyncio's, which runs all the time until the end of the block."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._work, name="chatsim in real time", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _work(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.get_loop().run_forever()

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        """What a coroutine function returns, which runs in the loop."""
        return asyncio.run_coroutine_threadsafe(_awaited(main), self._loop).result()


class VirtualTime:
    """A loop of the simulation's, until the end of the block. Its time moves on only while something runs in it."""

    def __enter__(self) -> Self:
        from chatsim.simulation.loop import SimPyEventLoop

        self._loop = SimPyEventLoop()  # type: ignore[abstract]  # what is missing needs the real world
        self._runner = asyncio.Runner(loop_factory=lambda: self._loop)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chatsim in virtual time")
        return self

    def __exit__(self, *_: object) -> None:
        with self._thread:
            self._thread.submit(self._end).result()

    def _end(self) -> None:
        with self._runner:
            self._loop.cancel_all()

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        """What a coroutine function returns, which runs in the loop."""
        return self._thread.submit(lambda: self._runner.run(_awaited(main))).result()


async def _awaited(main: Callable[[], Awaitable[T]]) -> T:
    return await main()


def in_no_loop(work: Callable[[], T]) -> T:
    """What a function returns, which needs a thread in which no event loop runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    with ThreadPoolExecutor(1, thread_name_prefix="chatsim") as thread:
        return thread.submit(work).result()
