"""Turns: each user has a bounded number of them, and gets them in the order in which they were asked for."""

import asyncio
import functools
import inspect
import math

import pytest

from chatsim.chat.server.turns import Turns
from chatsim.simulation.loop import run

ANN, BOB = 1, 2


class Taking:
    """Takes turns, each until it is told to end.

    Attributes:
        had: the names of those who have had their turn, in that order.
    """

    def __init__(self, each):
        self.turns = Turns(each)
        self.had = []
        self._ends = {}
        self._tasks = {}

    async def want(self, uid, *names):
        for name in names:
            self._ends[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._take(uid, name))
        await asyncio.sleep(1)

    async def end(self, *names):
        for name in names:
            self._ends[name].set()
        await asyncio.sleep(1)

    async def cancel(self, name):
        self._tasks[name].cancel()
        await asyncio.sleep(1)

    async def _take(self, uid, name):
        async with self.turns.of(uid):
            self.had.append(name)
            await self._ends[name].wait()


def taking(each):
    """A test in virtual time, where all that can happen has happened when a second is over."""

    def decorate(body):
        @functools.wraps(body)
        def test(**given):
            run(body(Taking(each), **given))

        first, *others = inspect.signature(body).parameters.values()
        assert first.name == "there"
        test.__signature__ = inspect.Signature(others)
        return test

    return decorate


@taking(2)
async def test_who_wants_more_than_their_turns_waits_and_the_others_do_not(there):
    await there.want(ANN, "a1", "a2", "a3")
    await there.want(BOB, "b1")
    assert there.had == ["a1", "a2", "b1"]
    await there.end("b1")
    assert there.had == ["a1", "a2", "b1"]
    await there.end("a2")
    assert there.had == ["a1", "a2", "b1", "a3"]


@taking(1)
async def test_turns_are_had_in_the_order_in_which_they_were_wanted_also_by_one_who_comes_back_at_once(there):
    await there.want(ANN, "a1", "a2", "a3")
    there._ends["a1"].set()
    await there.want(ANN, "a1 again")
    await there.end("a2")
    await there.end("a3")
    assert there.had == ["a1", "a2", "a3", "a1 again"]


@taking(1)
async def test_one_who_gives_up_waiting_is_left_out(there):
    await there.want(ANN, "a1", "a2", "a3")
    await there.cancel("a2")
    await there.end("a1")
    assert there.had == ["a1", "a3"]


@pytest.mark.parametrize("steps", range(6))
@taking(1)
async def test_one_who_is_cancelled_about_when_the_turn_becomes_theirs_hands_it_on(there, steps):
    await there.want(ANN, "a1", "a2", "a3")
    there._ends["a1"].set()
    for _ in range(steps):
        await asyncio.sleep(0)
    await there.cancel("a2")
    assert there.had[-1] == "a3"


@taking(1)
async def test_a_turn_that_ends_by_an_exception_is_free_again(there):
    with pytest.raises(KeyError):
        async with there.turns.of(ANN):
            raise KeyError
    await there.want(ANN, "a1")
    assert there.had == ["a1"]


@taking(math.inf)
async def test_there_may_be_no_bound(there):
    names = [f"a{number}" for number in range(100)]
    await there.want(ANN, *names)
    assert there.had == names


@taking(1)
async def test_nothing_is_kept_of_users_who_want_no_turn(there):
    await there.want(ANN, "a1", "a2")
    await there.want(BOB, "b1")
    await there.cancel("a2")
    await there.end("a1", "b1")
    assert there.turns._users == {}
