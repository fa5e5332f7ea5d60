"""Shared processors: all work goes on at once, and takes as long as queueing theory says."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.simulation.loop import run
from chatsim.simulation.processor_sharing import Interpreter, SharedCPU


def now():
    return asyncio.get_running_loop().time()


def ends(cores, pieces):
    """When each piece of work ends: pairs of when it begins and of how long it takes alone."""

    async def one(cpu, begin, seconds):
        await asyncio.sleep(begin)
        await cpu.work(seconds)
        return now()

    async def main():
        cpu = SharedCPU(cores)
        found = await asyncio.gather(*(one(cpu, *piece) for piece in pieces))
        return found, cpu.busy_seconds

    return run(main())


def test_work_alone_takes_its_time():
    assert ends(1, [(1.0, 2.0)]) == ([3.0], 2.0)


def test_two_pieces_on_one_core_take_twice_as_long_while_both_are_there():
    found, busy = ends(1, [(0.0, 2.0), (1.0, 2.0)])
    assert found == pytest.approx([3.0, 4.0])
    assert busy == pytest.approx(4.0)


def test_as_many_pieces_as_cores_do_not_slow_each_other():
    found, busy = ends(3, [(0.0, 1.0), (0.0, 2.0), (0.5, 1.0)])
    assert found == pytest.approx([1.0, 2.0, 1.5])
    assert busy == pytest.approx(4.0)


def test_three_pieces_share_two_cores():
    found, _ = ends(2, [(0.0, 2.0)] * 3)
    assert found == pytest.approx([3.0] * 3)


def test_no_work_takes_no_time():
    assert ends(1, [(1.0, 0.0)]) == ([1.0], 0.0)


@settings(max_examples=60, deadline=None)
@given(
    cores=st.integers(1, 4),
    pieces=st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 3)), min_size=1, max_size=8),
)
def test_it_is_what_a_slow_step_by_step_calculation_says(cores, pieces):
    left = {number: seconds for number, (_, seconds) in enumerate(pieces)}
    moment, expected = 0.0, {}
    while left:
        here = [number for number in left if pieces[number][0] <= moment + 1e-12]
        coming = [pieces[number][0] for number in left if number not in here]
        rate = min(1.0, cores / len(here)) if here else 0.0
        first = min((left[number] / rate for number in here), default=np.inf)
        step = min(first, min(coming, default=np.inf) - moment)
        for number in here:
            left[number] -= step * rate
            if left[number] <= 1e-9:
                expected[number] = moment + step
                del left[number]
        moment += step
    found, busy = ends(cores, pieces)
    assert found == pytest.approx([expected[number] for number in range(len(pieces))], abs=1e-6)
    assert busy == pytest.approx(sum(seconds for _, seconds in pieces), abs=1e-6)


def test_work_that_is_cancelled_slows_nobody_from_then_on():
    async def main():
        cpu = SharedCPU(1)
        other = asyncio.create_task(cpu.work(10.0))
        mine = asyncio.create_task(cpu.work(2.0))
        await asyncio.sleep(1.0)  # half a second of work for each
        other.cancel()
        await mine
        return now(), cpu.busy_seconds

    assert run(main()) == pytest.approx((2.5, 2.5))


@pytest.mark.parametrize(
    "draw", [lambda chance: chance.exponential(1.0), lambda _: 1.0], ids=["exponential", "constant"]
)
def test_the_mean_time_does_not_depend_on_how_work_is_distributed(draw):
    """M/G/1 with processor sharing: the mean time is the mean work / (1 - utilisation) (Kleinrock, 4.4)."""
    chance = np.random.default_rng(3)

    async def main():
        cpu, took = SharedCPU(1), []

        async def one():
            begun = now()
            await cpu.work(draw(chance))
            took.append(now() - begun)

        async with asyncio.TaskGroup() as group:
            for _ in range(30_000):
                group.create_task(one())
                await asyncio.sleep(chance.exponential(2.0))
        return np.mean(took)

    assert run(main()) == pytest.approx(2.0, rel=0.04)


def test_an_interpreter_does_one_thing_after_the_other_however_many_cores_there_are():
    async def main():
        interpreter = Interpreter(SharedCPU(4))
        await asyncio.gather(*(interpreter.work(1.0) for _ in range(3)))
        return now(), interpreter.busy_seconds

    assert run(main()) == pytest.approx((3.0, 3.0))


def test_an_interpreter_shares_its_core_with_other_threads():
    async def main():
        cpu = SharedCPU(1)
        interpreter = Interpreter(cpu)
        thread = asyncio.create_task(cpu.work(10.0))
        await interpreter.work(1.0)
        await interpreter.work(1.0)
        ended = now()
        await thread
        return ended, now()

    assert run(main()) == pytest.approx((4.0, 12.0))
