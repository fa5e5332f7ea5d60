"""Running several coroutines at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable

__all__ = ["side_by_side"]


async def side_by_side(coroutines: Iterable[Coroutine[object, object, object]]) -> None:
    """Run coroutines at the same time. The first one that fails ends the others, and its error is raised."""
    first: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)
    except BaseExceptionGroup as errors:
        first = errors.exceptions[0]
    if first is not None:
        raise first  # not within the block above: the group would be its context, and shown with it
