"""Several things at once, in an experiment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable

__all__ = ["side_by_side"]


async def side_by_side(coroutines: Iterable[Coroutine[object, object, object]]) -> None:
    """Run them side by side; the first to fail ends the others, and its error is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors.exceptions[0].__cause__
