"""What lives long is passed over; a process that serves has a full collection from time to time only."""

import asyncio
import gc
import weakref

import pytest

from chatsim import garbage_collection
from chatsim.garbage_collection import passed_over, short_pauses


class Cycle:
    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before(nothing_frozen):
    before = gc.get_threshold()
    yield
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()


def test_there_is_one_collection_and_what_was_there_is_passed_over():
    there = Cycle()
    gone = weakref.ref(there)
    lost = weakref.ref(Cycle())
    with passed_over():
        assert lost() is None, "it was collected before"
        del there
        gc.collect()
        assert gone() is not None
    gc.collect()
    assert gone() is None


def test_what_the_caller_has_frozen_stays_frozen_and_nothing_else_is():
    old = Cycle()
    kept = weakref.ref(old)
    gc.freeze()
    try:
        new = Cycle()
        gone = weakref.ref(new)
        with passed_over():
            del new
            gc.collect()
            assert gone() is None
        del old
        gc.collect()
        assert kept() is not None
    finally:
        gc.unfreeze()
    gc.collect()
    assert kept() is None


def test_nothing_is_collected_where_collection_is_switched_off():
    gone = weakref.ref(Cycle())
    gc.disable()
    try:
        with passed_over():
            assert not gc.get_freeze_count()
            assert gone() is not None
    finally:
        gc.enable()


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
