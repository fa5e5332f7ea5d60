"""What of the Python interpreter is changed for the length of a run: the running event loop, the garbage collector."""

from __future__ import annotations

import asyncio
import gc
from asyncio.events import _get_running_loop, _set_running_loop
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["rare_collections", "running_loop_set_aside"]

_YOUNG_OBJECTS = 400_000  # new objects before a collection of the youngest generation; Python's default is 700 or 2,000
_COLLECTIONS = 100  # collections of one generation before the next older one is collected; the default is 10


@contextmanager
def rare_collections() -> Iterator[None]:
    """Run the garbage collector less often. With ten thousand clients it took as long as everything else."""
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG_OBJECTS, _COLLECTIONS, _COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class running_loop_set_aside:  # noqa: N801 - it is used as a function, as those of `contextlib` are
    """Let another loop run in this thread. A notebook's cell is itself a task of a running loop.

    It is no generator: one that is left behind would be closed by the garbage collector, in any thread.
    """

    def __enter__(self) -> None:
        self._loop = _get_running_loop()
        self._task = asyncio.current_task() if self._loop else None
        if self._loop and self._task:
            _leave_task(self._loop, self._task)
        _set_running_loop(None)

    def __exit__(self, *_: object) -> None:
        _set_running_loop(self._loop)
        if self._loop and self._task:
            _enter_task(self._loop, self._task)
