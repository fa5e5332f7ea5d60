"""Python's garbage collection, where many objects live long: connections, sessions, callers."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

__all__ = ["passed_over", "short_pauses"]

_PERIOD = 60.0
_NEVER = 2**31 - 1


@contextmanager
def passed_over() -> Iterator[None]:
    """Collect once, and have later collections pass over all objects that there are now.

    Nothing, where collection is switched off. Where the caller has frozen objects of its own, these stay frozen, and no
    others are: Python can only unfreeze all. See https://docs.python.org/3/library/gc.html#gc.freeze.
    """
    if not gc.isenabled():
        yield
        return
    frozen = gc.get_freeze_count()
    gc.collect()
    if not frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()


@asynccontextmanager
async def short_pauses() -> AsyncIterator[None]:
    """Collect the oldest generation once a minute only, and without what is there already.

    A full collection looks at all objects, and everybody waits for it: with thousands of connections it takes a tenth
    of a second, and Python would make one whenever their number has grown by a quarter. Connections leave no reference
    cycles behind, so there is little to collect.
    """
    before = gc.get_threshold()
    with passed_over():
        gc.set_threshold(*before[:2], _NEVER)
        collecting = asyncio.create_task(_collect())
        try:
            yield
        finally:
            collecting.cancel()
            gc.set_threshold(*before)


async def _collect() -> None:
    while True:
        await asyncio.sleep(_PERIOD)
        gc.collect()
