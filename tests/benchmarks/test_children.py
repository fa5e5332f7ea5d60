"""A coroutine in a process of its own: what it returns, the processor time that it took, and what it fails with."""

import asyncio
import time

import pytest
from attacks import burner
from attacks.children import Child, ChildError


async def waiting(answer):
    """Wait for the end, and return ``answer``."""

    async def run(stop):
        await stop.wait()
        return answer

    return run


async def busy(seconds):
    """Take that much processor time, and end."""

    async def run(stop):
        until = time.process_time() + seconds
        while time.process_time() < until:
            pass

    return run


async def failing_at_once():
    """Fail before it is ready."""
    raise ValueError("at once")


async def failing_later():
    """Fail after it is ready."""

    async def run(stop):
        raise ValueError("later")

    return run


async def test_it_runs_until_it_is_stopped_and_returns_a_value():
    child = Child(waiting, 42)
    await child.ready()
    child.go()
    child.stop()
    assert (await child.ended()).value == 42


async def test_its_processor_time_is_measured_while_it_runs():
    child = Child(busy, 0.2)
    await child.ready()
    child.go()
    ended = await child.ended()
    child.stop()  # it may be told although it has ended
    assert ended.cpu >= 0.2
    assert ended.seconds > 0


async def test_its_failure_is_raised_with_its_traceback():
    child = Child(failing_later)
    await child.ready()
    child.go()
    with pytest.raises(ChildError, match="ValueError: later"):
        await child.ended()


async def test_a_failure_before_it_is_ready_too():
    with pytest.raises(ChildError, match="ValueError: at once"):
        await Child(failing_at_once).ready()


async def test_one_that_is_killed_is_said_to_have_died():
    child = Child(waiting, 0)
    await child.ready()
    child.kill()
    with pytest.raises(ChildError, match="it has died"):
        await child.ended()


async def test_its_pace_tells_when_it_took_its_processor_time():
    child = Child(busy, 0.2)
    await child.ready()
    child.go()
    ended = await child.ended()
    seconds, taken = ended.pace
    assert (seconds[0], taken[0]) == (0, 0)
    assert (seconds[-1], taken[-1]) == (ended.seconds, ended.cpu)
    assert seconds == sorted(seconds)
    assert taken == sorted(taken)


async def test_the_burner_burns_as_much_as_it_is_told_also_if_it_is_late():
    run = await burner.prepare([0.0, 0.01, 0.02], [0.0, 0.0, 0.05])  # 0.05 s of processor time don't fit into 0.01 s
    stop = asyncio.Event()
    before = time.process_time()
    burning = asyncio.create_task(run(stop))
    while time.process_time() - before < 0.05:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    stop.set()
    await burning
