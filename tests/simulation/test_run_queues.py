"""Shared cores: threads wait in queues of cores, and take as long as queueing theory says."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.simulation.loop import run
from chatsim.simulation.run_queues import COLD_AFTER, Interpreter, SharedCPU, Waking


class OnCore:
    """Draws of cores that are known beforehand."""

    def __init__(self, *cores):
        self._cores = list(cores)

    def integers(self, _):
        return self._cores.pop(0)


def now():
    return asyncio.get_running_loop().time()


def ends(cpu, *pieces):
    """When each piece of work ends: pairs of when it begins and of how long it takes alone."""

    async def one(begin, seconds):
        await asyncio.sleep(begin)
        await cpu.work(seconds)
        return now()

    return asyncio.gather(*(one(*piece) for piece in pieces))


def test_work_alone_takes_its_time():
    async def main():
        cpu = SharedCPU(1, np.random.default_rng(1))
        return await ends(cpu, (1.0, 2.0)), cpu.busy_seconds

    assert run(main()) == ([3.0], 2.0)


def test_no_work_takes_no_time():
    async def main():
        return await ends(SharedCPU(1, np.random.default_rng(1)), (1.0, 0.0))

    assert run(main()) == [1.0]


def test_on_one_core_one_thread_runs_after_the_other():
    async def main():
        cpu = SharedCPU(1, np.random.default_rng(1))
        return await ends(cpu, (0.0, 2.0), (1.0, 2.0), (0.5, 1.0)), cpu.busy_seconds

    assert run(main()) == ([2.0, 5.0, 3.0], 5.0)


def test_a_thread_waits_for_its_core_while_another_is_idle():
    async def main():
        return await ends(SharedCPU(2, OnCore(0, 0, 1)), (0.0, 2.0), (0.5, 1.0), (0.5, 1.0))

    assert run(main()) == [2.0, 3.0, 1.5]


def test_a_thread_with_more_to_do_goes_on_before_others_on_the_same_core():
    async def main():
        cpu = SharedCPU(2, OnCore(0, 0))

        async def twice():
            await cpu.work(1.0)
            await cpu.work(1.0)
            return now()

        return await asyncio.gather(twice(), ends(cpu, (0.5, 1.0)))

    assert run(main()) == [2.0, [3.0]]


def test_a_thread_that_has_slept_is_put_into_a_queue_again():
    async def main():
        cpu = SharedCPU(2, OnCore(0, 0, 1))

        async def twice():
            await cpu.work(1.0)
            await asyncio.sleep(0.25)
            await cpu.work(1.0)
            return now()

        return await asyncio.gather(twice(), ends(cpu, (0.5, 1.0)))

    assert run(main()) == [2.25, [2.0]]


def test_work_that_goes_ahead_interrupts_what_runs_and_that_goes_on_behind_it():
    async def main():
        cpu = SharedCPU(1, np.random.default_rng(1))

        async def ahead():
            await asyncio.sleep(0.5)
            await cpu.work(1.0, ahead=True)
            return now()

        return await asyncio.gather(ahead(), ends(cpu, (0.0, 2.0), (0.25, 1.0))), cpu.busy_seconds

    assert run(main()) == ([1.5, [3.0, 4.0]], 4.0)


def test_work_that_was_interrupted_and_is_cancelled_is_not_done():
    async def main():
        cpu = SharedCPU(1, np.random.default_rng(1))
        other = asyncio.create_task(cpu.work(5.0))
        await asyncio.sleep(0.5)
        ahead = asyncio.create_task(cpu.work(1.0, ahead=True))
        await asyncio.sleep(0.5)
        other.cancel()
        await ahead
        await cpu.work(1.0)
        return now(), cpu.busy_seconds

    assert run(main()) == (2.5, 2.5)


def test_work_that_is_cancelled_while_it_runs_makes_room():
    async def main():
        cpu = SharedCPU(1, np.random.default_rng(1))
        other = asyncio.create_task(cpu.work(10.0))
        mine = asyncio.create_task(cpu.work(2.0))
        await asyncio.sleep(1.0)
        other.cancel()
        await mine
        return now(), cpu.busy_seconds

    assert run(main()) == (3.0, 3.0)


@settings(max_examples=60, deadline=None)
@given(
    cores=st.integers(1, 4),
    pieces=st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 3), st.booleans()), min_size=1, max_size=8),
)
def test_all_work_is_done_and_no_core_rests_while_its_queue_has_some(cores, pieces):
    async def main():
        cpu = SharedCPU(cores, np.random.default_rng(1))

        async def one(begin, seconds, ahead):
            await asyncio.sleep(begin)
            await cpu.work(seconds, ahead=ahead)
            return now()

        return await asyncio.gather(*(one(*piece) for piece in pieces)), cpu.busy_seconds

    found, busy = run(main())
    whole = sum(seconds for _, seconds, _ in pieces)
    assert busy == pytest.approx(whole)
    assert all(end >= begin + seconds - 1e-9 for end, (begin, seconds, _) in zip(found, pieces, strict=True))
    assert max(found) <= max(begin for begin, *_ in pieces) + whole + 1e-9


@pytest.mark.parametrize(
    ("draw", "square"),
    [(lambda chance: chance.exponential(1.0), 2.0), (lambda _: 1.0, 1.0)],
    ids=["exponential", "constant"],
)
def test_the_mean_time_on_one_core_is_that_of_a_queue(draw, square):
    """M/G/1: the mean time is E[S] + λ E[S²] / 2(1 - ρ) (Kleinrock, "Queueing Systems", volume 1, 5.6)."""
    chance = np.random.default_rng(3)

    async def main():
        cpu, took = SharedCPU(1, np.random.default_rng(1)), []

        async def one():
            begun = now()
            await cpu.work(draw(chance))
            took.append(now() - begun)

        async with asyncio.TaskGroup() as group:
            for _ in range(30_000):
                group.create_task(one())
                await asyncio.sleep(chance.exponential(2.0))
        return np.mean(took)

    assert run(main()) == pytest.approx(1.0 + 0.5 * square / (2 * 0.5), rel=0.04)


@pytest.mark.parametrize(("idle", "part"), [(COLD_AFTER / 4, 0.25), (COLD_AFTER, 1.0), (3 * COLD_AFTER, 1.0)])
def test_the_longer_an_interpreter_was_idle_the_colder_it_is_up_to_a_time(idle, part):
    async def main():
        interpreter = Interpreter(SharedCPU(1, np.random.default_rng(1)), Waking(wake=0.5, cold=2.0))
        await interpreter.work(1.0)
        await asyncio.sleep(idle)
        before = interpreter.busy_seconds
        await interpreter.work(1.0)
        return interpreter.busy_seconds - before

    assert run(main()) == pytest.approx(1.0 + 0.5 + 2.0 * part)


def test_an_interpreter_that_goes_on_at_once_was_not_idle():
    async def main():
        interpreter = Interpreter(SharedCPU(1, np.random.default_rng(1)), Waking(wake=0.5, cold=2.0))
        await asyncio.sleep(1.0)
        await asyncio.gather(interpreter.work(1.0), interpreter.work(1.0))
        return interpreter.busy_seconds

    assert run(main()) == 0.5 + 2.0 + 1.0 + 1.0


def test_an_interpreter_does_one_thing_after_the_other_however_many_cores_there_are():
    async def main():
        interpreter = Interpreter(SharedCPU(4, np.random.default_rng(1)))
        await asyncio.gather(*(interpreter.work(1.0) for _ in range(3)))
        return now(), interpreter.busy_seconds

    assert run(main()) == pytest.approx((3.0, 3.0))


def test_an_interpreter_can_go_on_without_waking_up():
    async def main():
        interpreter = Interpreter(SharedCPU(1, np.random.default_rng(1)), Waking(wake=0.5, cold=2.0))
        await asyncio.sleep(1.0)
        await interpreter.go_on(1.0)
        await interpreter.go_on(0.0)
        return now(), interpreter.busy_seconds

    assert run(main()) == (2.0, 1.0)


def test_an_interpreter_goes_ahead_of_other_threads():
    async def main():
        cpu = SharedCPU(1, np.random.default_rng(1))
        interpreter = Interpreter(cpu)
        thread = asyncio.create_task(cpu.work(10.0))
        await interpreter.work(1.0)
        ended = now()
        await thread
        return ended, now()

    assert run(main()) == pytest.approx((1.0, 11.0))
