"""Coroutines in processes of their own, whose processor time is measured."""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

__all__ = ["Child", "ChildError", "Ended", "Prepare"]

T = TypeVar("T")

Prepare = Callable[..., Awaitable[Callable[[asyncio.Event], Awaitable[T]]]]
"""Gets ready, and returns what runs until an event is set, or until it ends by itself."""

_SPAWN = multiprocessing.get_context("spawn")
_PATIENCE = 60.0
_PACE_SECONDS = 0.05


class ChildError(Exception):
    """A child has failed. The message has its traceback."""


@dataclass(frozen=True)
class Ended(Generic[T]):
    """What came of a child.

    Attributes:
        value: what its coroutine returned.
        cpu: the seconds of processor time that it took while it ran, in the program and in the kernel.
        seconds: how long it ran.
        pace: how it took them: some of the seconds since its start, and the processor time that it had taken by then.
    """

    value: T
    cpu: float
    seconds: float
    pace: tuple[list[float], list[float]] = ([0.0], [0.0])


class Child(Generic[T]):
    """A coroutine in a process of its own.

    Args:
        prepare: a function of a module, called in the process with ``args``.
        args: what can be pickled.
    """

    def __init__(self, prepare: Prepare[T], *args: Any) -> None:
        self._pipe, there = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_live, args=(there, prepare, args), daemon=True)
        self._process.start()
        there.close()

    async def ready(self) -> None:
        """Wait until it has got ready. Raises `ChildError`."""
        await self._heard()

    def go(self) -> None:
        """Let it run."""
        self._pipe.send("go")

    def stop(self) -> None:
        """Tell it to end."""
        with suppress(BrokenPipeError):  # it has ended by itself
            self._pipe.send("stop")

    async def ended(self) -> Ended[T]:
        """Wait for its end. Raises `ChildError`."""
        ended: Ended[T] = await self._heard()
        await asyncio.to_thread(self._process.join)
        return ended

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join(_PATIENCE)

    async def _heard(self) -> Any:
        try:
            heard = await asyncio.to_thread(self._pipe.recv)
        except EOFError:
            raise ChildError("it has died") from None
        if isinstance(heard, str):
            raise ChildError(heard)
        return heard


def _live(pipe: Connection, prepare: Prepare[Any], args: tuple[Any, ...]) -> None:
    try:
        asyncio.run(_run(pipe, prepare, args))
    except Exception:  # noqa: BLE001 - the parent is told
        pipe.send(traceback.format_exc())


async def _run(pipe: Connection, prepare: Prepare[Any], args: tuple[Any, ...]) -> None:
    stop = asyncio.Event()
    run = await prepare(*args)
    pipe.send(None)
    await asyncio.to_thread(pipe.recv)
    loop = asyncio.get_running_loop()

    def told() -> None:
        loop.remove_reader(pipe.fileno())
        stop.set()

    loop.add_reader(pipe.fileno(), told)
    begun, before = time.monotonic(), _cpu()
    seconds, taken = [0.0], [0.0]

    async def note() -> None:
        while True:
            await asyncio.sleep(_PACE_SECONDS)
            seconds.append(time.monotonic() - begun)
            taken.append(_cpu() - before)

    noting = asyncio.create_task(note())
    value = await run(stop)
    noting.cancel()
    seconds.append(time.monotonic() - begun)
    taken.append(_cpu() - before)
    pipe.send(Ended(value, taken[-1], seconds[-1], (seconds, taken)))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
