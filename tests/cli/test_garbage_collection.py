"""A process that serves is not stopped by full garbage collections, and has one from time to time."""

import asyncio
import gc
import weakref

import pytest

from chatsim.cli import garbage_collection
from chatsim.cli.garbage_collection import short_pauses


class Cycle:
    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before():
    before = gc.get_threshold()
    yield
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()


async def test_no_full_collection_happens_by_itself():
    collected = []

    def note(phase, info):
        if phase == "stop" and info["generation"] == 2:
            collected.append(info)

    async with short_pauses():
        gc.callbacks.append(note)
        try:
            kept = [[number] for number in range(500_000)]
        finally:
            gc.callbacks.remove(note)
    assert len(kept) == 500_000
    assert not collected


async def test_what_is_in_a_cycle_is_collected_after_a_while(monkeypatch):
    monkeypatch.setattr(garbage_collection, "_PERIOD", 0)
    async with short_pauses():
        old = Cycle()
        gc.collect()  # it is of the oldest generation now
        gone = weakref.ref(old)
        del old
        while gone() is not None:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_everything_is_as_before_after_an_error():
    with pytest.raises(RuntimeError):
        async with short_pauses():
            raise RuntimeError
