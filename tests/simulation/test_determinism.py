"""Two runs of the same are the same, or the first callback that differs is named."""

import asyncio
import itertools

import pytest

from chatsim.simulation.determinism import DivergenceError, run_twice


async def pause(seconds):
    await asyncio.sleep(seconds)


def test_what_repeats_itself_returns_what_it_returns():
    async def main():
        async with asyncio.TaskGroup() as group:
            for seconds in (3, 1, 2):
                group.create_task(pause(seconds))
        return asyncio.get_running_loop().time()

    assert run_twice(main) == 3


def test_another_time_is_named_with_both_and_ends_the_second_run():
    runs = itertools.count(1)
    went_on = []

    async def main():
        number = next(runs)
        await pause(1)
        await asyncio.create_task(pause(number), name="the culprit")
        went_on.append(number)

    with pytest.raises(DivergenceError) as caught:
        run_twice(main)
    (first_time, first), (second_time, second) = caught.value.first, caught.value.second
    assert (first_time, second_time) == (2.0, 3.0)
    assert went_on == [1]
    assert f"event {caught.value.number} was {first} at 2 s in the first run, and {second} at 3 s in the second" == str(
        caught.value
    )


def test_another_order_is_named_by_the_tasks_and_where_they_were():
    runs = itertools.count(1)

    async def main():
        names = ["one", "other"][:: 1 if next(runs) == 1 else -1]
        await asyncio.gather(*(asyncio.create_task(pause(1), name=name) for name in names))

    with pytest.raises(DivergenceError, match=r"was one at pause \(.*\) at 0 s .*, and other at pause \(.*\) at 0 s"):
        run_twice(main)


@pytest.mark.parametrize("pauses", [(1, 2), (2, 1)])
def test_a_run_that_is_shorter_is_a_divergence_too(pauses):
    left = iter(pauses)

    async def main():
        for _ in range(next(left)):
            await asyncio.sleep(0)

    with pytest.raises(DivergenceError):
        run_twice(main)


def test_nothing_that_the_program_catches_keeps_it_from_stopping():
    runs = itertools.count(1)

    async def stubborn(seconds):
        try:
            await asyncio.sleep(seconds)
        except Exception:  # noqa: BLE001 - as programs do
            await asyncio.sleep(1_000_000)

    async def main():
        await stubborn(next(runs))

    with pytest.raises(DivergenceError):
        run_twice(main)
