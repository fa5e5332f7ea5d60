"""A strategy that blocks the event loop is named, with the line; a busy machine is not mistaken for one."""

import asyncio
import re
import time

import pytest

from chatsim.chat.strategies import StrategyError
from chatsim.experiments.blocking import watched


async def sleeper(seconds):
    await asyncio.sleep(0)
    time.sleep(seconds)  # noqa: ASYNC251 - that is what is looked for
    await asyncio.sleep(0)
    return 7


async def test_it_returns_and_raises_what_the_function_does():
    async def fails():
        await asyncio.sleep(0)
        raise KeyError("x")

    assert await watched("sleeper", sleeper)(0) == 7
    with pytest.raises(KeyError, match="x"):
        await watched("fails", fails)()


async def test_the_fifth_call_that_blocks_is_an_error_with_the_line_after_which_it_did():
    call = watched("sleeper", sleeper, allowed_s=0.01)
    for _ in range(4):
        assert await call(0.02) == 7
    line = sleeper.__code__.co_firstlineno + 1
    sentence = r"strategy 'sleeper' blocks everybody: it ran for \d+ ms without awaiting anything, as time\.sleep does;"
    with pytest.raises(
        StrategyError, match=f"^{sentence} use await asyncio.sleep {re.escape(f'({__file__}, after line {line})')}$"
    ):
        await call(0.02)


async def test_a_few_slow_calls_among_many_are_those_of_a_busy_machine():
    call = watched("sleeper", sleeper, allowed_s=0.01)
    for _ in range(30):
        await call(0)
    for _ in range(6):
        assert await call(0.02) == 7


async def test_a_long_wait_is_no_block():
    async def waits():
        await asyncio.sleep(0.02)

    call = watched("waits", waits, allowed_s=0.01)
    for _ in range(6):
        await call()


async def test_it_can_be_cancelled_and_ends_in_order():
    ended = []

    async def waits():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    task = asyncio.create_task(watched("waits", waits)())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
