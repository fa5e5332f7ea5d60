"""What machines promise: queues as by the textbook."""

import asyncio
import heapq
import math

import numpy as np
import pytest

from chatsim.simulation.cpu import CPU
from chatsim.simulation.loop import run


def now():
    return asyncio.get_running_loop().time()


# What queueing theory says of Poisson arrivals, exponential work with a mean of 1, and so many cores: `offered` is the
# load in cores. Erlang's formula C, from his B, which is a recursion.


def waiting_probability(cores, offered):
    blocked = 1.0
    for core in range(1, cores + 1):
        blocked = offered * blocked / (core + offered * blocked)
    utilisation = offered / cores
    return blocked / (1 - utilisation * (1 - blocked))


def mean_wait(cores, offered):
    return waiting_probability(cores, offered) / (cores - offered)


def recursion(cores, gaps, work):
    """How long each customer waits, by Kiefer and Wolfowitz: he takes the core that is free first."""
    free, arrival, waits = [0.0] * cores, 0.0, []
    for gap, seconds in zip(gaps, work, strict=True):
        arrival += gap
        begin = max(arrival, free[0])
        heapq.heapreplace(free, begin + seconds)
        waits.append(begin - arrival)
    return waits


def recursions(cores, offered, customers, runs, seed):
    """The same with many independent runs at once: the waits, a row for each customer after the first few hundred."""
    rng, warm_up = np.random.default_rng(seed), 300
    free, waits = np.zeros((runs, cores)), np.empty((customers, runs))
    for customer in range(-warm_up, customers):
        free = np.maximum(free - rng.exponential(1 / offered, (runs, 1)), 0.0)
        free.sort(axis=1)
        waits[customer] = free[:, 0]  # those of the warm-up are overwritten
        free[:, 0] += rng.exponential(1.0, runs)
    return waits


def served(cores, gaps, work):
    """What customers see on a `CPU`: their waits, the mean number there, and the share of time a core works."""

    async def main():
        cpu, loop = CPU(cores), asyncio.get_running_loop()
        waits, here, area, since = [], 0, 0.0, 0.0

        def count(change):
            nonlocal here, area, since
            area += here * (now() - since)
            here, since = here + change, now()

        async def customer(number, seconds):
            arrived = now()
            count(+1)
            await cpu.work(seconds)
            count(-1)
            waits[number] = now() - arrived - seconds

        tasks = []
        for number, (gap, seconds) in enumerate(zip(gaps, work, strict=True)):
            await asyncio.sleep(gap)
            waits.append(math.nan)
            tasks.append(loop.create_task(customer(number, seconds)))
        await asyncio.wait(tasks)
        return np.array(waits), area / now(), cpu.busy_seconds / cores / now()

    return run(main())


def even_exponentials(rng, mean, number):
    """Exponential numbers in random order, whose distribution is as even as can be: their mean is not up to chance."""
    return (-mean * np.log1p(-(np.arange(number) + 0.5) / number))[rng.permutation(number)].tolist()


class TestQueue:
    """Waits are those of a recursion, customer by customer, and the recursion's mean is Erlang's.

    Directly it would take some million customers, and minutes, to have a mean within 1 %.
    """

    CASES = pytest.mark.parametrize(("cores", "offered"), [(1, 0.6), (2, 1.2), (4, 2.8)])

    @CASES
    def test_the_waits_are_as_theory_says(self, cores, offered):
        rng, number = np.random.default_rng(cores), 20_000
        gaps, work = even_exponentials(rng, 1 / offered, number), even_exponentials(rng, 1.0, number)
        waits, there, utilisation = served(cores, gaps, work)
        by_recursion = np.array(recursion(cores, gaps, work))
        assert waits == pytest.approx(by_recursion, abs=1e-6)

        reference = recursions(cores, offered, customers=1500, runs=4000, seed=cores)
        expected = mean_wait(cores, offered)
        assert reference.mean() == pytest.approx(expected, rel=0.01)
        assert (reference > 0).mean() == pytest.approx(waiting_probability(cores, offered), rel=0.01)
        corrected = waits.mean() - by_recursion.mean() + reference.mean()
        assert corrected == pytest.approx(expected, rel=0.01)

        # Little's law, for the run itself: those who wait, and those who are served
        assert there == pytest.approx(offered * (waits.mean() + 1), rel=0.01)
        assert utilisation == pytest.approx(offered / cores, rel=0.01)

    def test_erlangs_formula_for_one_core_is_the_textbooks(self):
        assert waiting_probability(1, 0.6) == pytest.approx(0.6)
        assert mean_wait(1, 0.6) == pytest.approx(0.6 / 0.4)
        assert waiting_probability(2, 1.0) == pytest.approx(1 / 3)


class TestMachine:
    def test_work_on_a_free_core_takes_its_time(self):
        async def main():
            cpu = CPU(1)
            await cpu.work(2.5)
            assert (now(), cpu.busy_seconds) == (2.5, 2.5)

        run(main())

    @pytest.mark.parametrize(("cores", "ends"), [(1, [1, 2, 3, 4]), (2, [1, 1, 2, 2]), (4, [1, 1, 1, 1])])
    def test_so_many_work_at_once(self, cores, ends):
        async def main():
            cpu, seen = CPU(cores), []

            async def work():
                await cpu.work(1)
                seen.append(now())

            await asyncio.gather(*(work() for _ in range(4)))
            assert seen == ends
            assert cpu.busy_seconds == 4

        run(main())

    def test_who_comes_first_is_served_first(self):
        async def main():
            cpu, began = CPU(2), []

            async def work(number):
                await asyncio.sleep(number / 1000)
                await cpu.work((number * 7919 % 13 + 1) / 10)
                began.append((now() - (number * 7919 % 13 + 1) / 10, number))

            await asyncio.gather(*map(work, range(100)))
            assert [number for _, number in sorted((round(time, 9), number) for time, number in began)] == [*range(100)]

        run(main())

    def test_those_of_the_same_instant_are_served_as_they_asked(self):
        async def main():
            cpu, seen = CPU(1), []

            async def work(number):
                await cpu.work(1)
                seen.append(number)

            await asyncio.gather(*map(work, range(20)))
            assert seen == list(range(20))

        run(main())

    def test_work_given_up_frees_its_core_and_is_not_counted(self):
        async def main():
            cpu = CPU(1)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(cpu.work(100), 10)
            assert cpu.busy_seconds == 0
            await cpu.work(1)
            assert (now(), cpu.busy_seconds) == (11, 1)

        run(main())

    def test_the_next_begins_when_work_is_given_up(self):
        async def main():
            cpu = CPU(1)
            first = asyncio.create_task(cpu.work(100))
            second = asyncio.create_task(cpu.work(1))
            await asyncio.sleep(10)
            first.cancel()
            await second
            assert (now(), cpu.busy_seconds) == (11, 1)

        run(main())

    def test_who_gives_up_waiting_is_passed_over(self):
        async def main():
            cpu = CPU(1)
            first, second, third = (asyncio.create_task(cpu.work(1)) for _ in range(3))
            await asyncio.sleep(0.5)
            second.cancel()
            await asyncio.wait([first, second, third])
            assert (second.cancelled(), now(), cpu.busy_seconds) == (True, 2, 2)

        run(main())

    def test_who_gives_up_at_the_instant_of_his_turn_frees_the_core(self):
        async def main():
            cpu = CPU(1)
            first, second, third = (asyncio.create_task(cpu.work(1)) for _ in range(3))
            first.add_done_callback(lambda _: second.cancel())
            await asyncio.wait([first, second, third])
            assert (second.cancelled(), now(), cpu.busy_seconds) == (True, 2, 2)

        run(main())

    def test_machines_do_not_share_cores(self):
        async def main():
            await asyncio.gather(*(CPU(1).work(1) for _ in range(10)))
            assert now() == 1

        run(main())
