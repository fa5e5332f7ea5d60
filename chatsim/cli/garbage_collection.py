"""Python's garbage collection, in a process that serves many connections."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["short_pauses"]

_PERIOD = 60.0
_NEVER = 2**31 - 1


@asynccontextmanager
async def short_pauses() -> AsyncIterator[None]:
    """Collect the oldest generation once a minute only, and without what is there already.

    A full collection looks at all objects, and everybody waits for it: with thousands of connections it takes a tenth
    of a second, and Python would make one whenever their number has grown by a quarter. Connections leave no reference
    cycles behind, so there is little to collect. See https://docs.python.org/3/library/gc.html#gc.freeze.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*before[:2], _NEVER)
    collecting = asyncio.create_task(_collect())
    try:
        yield
    finally:
        collecting.cancel()
        gc.set_threshold(*before)
        gc.unfreeze()


async def _collect() -> None:
    while True:
        await asyncio.sleep(_PERIOD)
        gc.collect()
