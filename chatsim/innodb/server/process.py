"""A process that can be killed: its running work then ends at once."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chatsim.db.mysql import database_error

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Process"]


class _Work:
    """A piece of work of a task."""

    def __init__(self, task: asyncio.Task[object]) -> None:
        self.task = task
        self.killed = False


class Process:
    """A server's process, which works for tasks that are not its own: those of its clients.

    Attributes:
        up: it runs.
    """

    def __init__(self) -> None:
        self.up = True
        self._works: dict[_Work, None] = {}

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run the block as work of the process, for the current task. Raises `ConnectionLostError` if it is killed."""
        task = asyncio.current_task()
        assert task is not None
        work = _Work(task)
        self._works[work] = None
        try:
            yield
        except asyncio.CancelledError:
            if work.killed and not task.uncancel():  # otherwise the task was also cancelled for another reason
                raise database_error(2013, "Lost connection to MySQL server during query") from None
            raise
        finally:
            del self._works[work]

    async def kill(self) -> None:
        """Kill it. When this returns, all of its work has ended."""
        self.up = False
        innermost = {work.task: work for work in self._works}  # what a task does within other work began later
        for task, work in innermost.items():
            work.killed = True
            task.cancel()
        while self._works:  # noqa: ASYNC110 - they end within this instant
            await asyncio.sleep(0)

    def start(self) -> None:
        """Run again."""
        self.up = True
