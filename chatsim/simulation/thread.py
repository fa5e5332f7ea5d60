"""Running a simulation in a thread of its own, beside an event loop in real time, and stopping it from there."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Generic, TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")

_GRACE_S = (1.5, 0.25, 0.25, 0.25, 0.25, 0.25)
"""How long a run that is stopped may take to end, in seconds: after it was cancelled, and after each interrupt."""

_log = logging.getLogger(__name__)


async def in_thread(
    run: Callable[[Callable[..., Awaitable[Any]]], T],
    main: Callable[..., Awaitable[Any]],
    grace_s: tuple[float, ...] = _GRACE_S,
) -> T:
    """Call ``run(main)`` in a thread of its own, and return its result.

    If this is cancelled, ``main`` is cancelled, too. If it does not end soon, as ``while True: pass`` does not, it is
    interrupted as by Ctrl-C. Only code that sleeps in the thread itself is left behind, with a warning in the log.

    Args:
        run: runs the coroutine function that it is given in virtual time, once or several times.
        main: the coroutine function.
        grace_s: how long it may take to end, in seconds, after it was cancelled, and after each interrupt.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    simulation: _Simulation[T] = _Simulation(run, main)

    def work() -> None:
        simulation.run()
        with suppress(RuntimeError):  # the loop is closed, as nobody waits any more
            loop.call_soon_threadsafe(ended.set_result, None)

    thread = threading.Thread(target=copy_context().run, args=(work,), name="simulation", daemon=True)
    thread.start()
    try:
        await asyncio.shield(ended)
    except asyncio.CancelledError:
        await _stop(simulation, thread, ended, grace_s)
        raise
    thread.join()
    return simulation.result()


async def _stop(
    simulation: _Simulation[T], thread: threading.Thread, ended: asyncio.Future[None], grace_s: tuple[float, ...]
) -> None:
    simulation.cancel()
    for seconds in grace_s:
        with suppress(asyncio.CancelledError):  # somebody is in a hurry
            await asyncio.wait([ended], timeout=seconds)
        if ended.done():
            thread.join()
            return
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(KeyboardInterrupt)
        )
    _log.warning("a simulation can't be stopped, as something in it sleeps in its thread; it goes on")


class _Simulation(Generic[T]):
    """A run in another thread, with its outcome."""

    def __init__(self, run: Callable[[Callable[..., Awaitable[Any]]], T], main: Callable[..., Awaitable[Any]]) -> None:
        self._run = run
        self._main = main
        self._task: asyncio.Task[Any] | None = None
        self._is_cancelled = False
        self._value: T
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._run(self._begin)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
            self._error = error

    async def _begin(self, *args: Any) -> Any:
        self._task = asyncio.current_task()
        if self._is_cancelled:
            raise asyncio.CancelledError
        return await self._main(*args)

    def cancel(self) -> None:
        """Cancel the main task. Another thread may call it, at any time."""
        self._is_cancelled = True
        if (task := self._task) is not None:
            with suppress(RuntimeError):  # its loop is closed: it has ended
                task.get_loop().call_soon_threadsafe(task.cancel)

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value
