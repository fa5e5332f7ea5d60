"""A simulation in a thread of its own, beside an event loop in real time. It can be stopped, whatever it does."""

import asyncio
import threading
import time
from functools import partial

import pytest

from chatsim.simulation.loop import run
from chatsim.simulation.thread import in_thread


def simulated(main):
    return run(main())


def names():
    return [thread.name for thread in threading.enumerate()]


async def cancelled(main, **grace):
    """Run ``main``, cancel it once it has called what it is given, and return the seconds until it has ended."""
    reached = threading.Event()
    task = asyncio.create_task(in_thread(simulated, partial(main, reached.set), **grace))
    await asyncio.to_thread(reached.wait)
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - begun


async def test_it_returns_the_result_and_the_event_loop_goes_on_meanwhile():
    turns = []

    async def count():
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def main():
        await asyncio.sleep(3600)
        while len(turns) < 10:
            time.sleep(0.001)  # noqa: ASYNC251 - in real time
        return asyncio.get_running_loop().time()

    counting = asyncio.create_task(count())
    assert await in_thread(simulated, main) == 3600
    counting.cancel()
    assert "simulation" not in names()


async def test_its_error_is_raised():
    async def main():
        raise KeyError("who")

    with pytest.raises(KeyError, match="who"):
        await in_thread(simulated, main)


async def test_when_it_is_cancelled_main_ends_in_order():
    ends = []

    async def main(reached):
        try:
            while True:
                await asyncio.sleep(1)
                reached()
        finally:
            await asyncio.sleep(1)
            ends.append(True)

    await cancelled(main)
    assert ends == [True]
    assert "simulation" not in names()


async def test_cancelled_before_it_begins_it_does_not_begin():
    begun, go = [], threading.Event()

    async def main():
        begun.append(True)

    def later(main):
        go.wait()
        return run(main())

    task = asyncio.create_task(in_thread(later, main))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not begun
    assert "simulation" not in names()


async def test_code_that_never_waits_is_interrupted():
    async def main(reached):
        reached()
        while True:
            pass

    assert await cancelled(main, grace_s=(0.01, 5, 5)) < 5
    assert "simulation" not in names()


async def test_code_that_sleeps_in_the_thread_is_left_behind_with_a_warning(caplog):
    go = threading.Event()

    async def main(reached):
        reached()
        go.wait()

    await cancelled(main, grace_s=(0.01, 0.01))
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "simulation"]
    assert [record.getMessage() for record in caplog.records] == [
        "a simulation can't be stopped, as something in it sleeps in its thread; it goes on"
    ]
    go.set()
    await asyncio.to_thread(thread.join)
