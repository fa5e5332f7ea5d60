"""Several things at once: all of them, or the error of the first that fails."""

import asyncio

import pytest

from chatsim.experiments.together import side_by_side


async def test_none_waits_for_another_to_end():
    met = asyncio.Barrier(3)
    await side_by_side(met.wait() for _ in range(3))


async def test_the_first_to_fail_ends_the_others_and_its_error_is_raised_as_it_is():
    ended = []

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def fail():
        await asyncio.sleep(0)
        raise ValueError("this one")

    with pytest.raises(ValueError, match=r"^this one$"):
        await side_by_side([forever(), fail(), forever()])
    assert ended == [True, True]
