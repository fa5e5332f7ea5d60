"""Where tasks are suspended, in words: for traces, and for a run in which nothing can happen any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import CoroutineType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["StalledError", "described", "suspended_at"]


class StalledError(RuntimeError):
    """No event is left, but tasks are still waiting.

    Attributes:
        now: the virtual time in seconds.
        waiting: the name of each task, and the calls in which it is suspended, outermost first.
    """

    def __init__(self, now: float, waiting: Sequence[tuple[str, str]]) -> None:
        super().__init__(now, waiting)
        self.now = now
        self.waiting = waiting

    def __str__(self) -> str:
        tasks = "".join(f"\n  {name}: {where}" for name, where in self.waiting)
        return f"at {self.now:g} s nothing is left to happen, and yet there wait:{tasks}"


def described(handle: asyncio.Handle) -> str:
    """The description of a handle: ``Task-7 at main (shop.py:12) > Queue.get (queues.py:158)``, or a name."""
    callback = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio has no other way
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return f"{owner.get_name()} at {suspended_at(owner)}"
    return str(getattr(callback, "__qualname__", callback))


def suspended_at(task: asyncio.Task[Any]) -> str:
    """The calls a task is suspended in: ``main (shop.py:12) > Queue.get (queues.py:158)``."""
    calls: list[str] = []
    awaited: object = task.get_coro()
    while isinstance(awaited, CoroutineType) and awaited.cr_frame is not None:
        file = Path(awaited.cr_frame.f_code.co_filename).name
        calls.append(f"{awaited.__qualname__} ({file}:{awaited.cr_frame.f_lineno})")
        awaited = getattr(awaited.cr_await, "wrapped", awaited.cr_await)  # of what wraps a coroutine to watch it
    return " > ".join(calls)
