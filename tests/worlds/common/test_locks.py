"""What `Locks` promises: one body, played on a real Redis in real time and on the model's in virtual time."""

import asyncio
import secrets

import pytest

from chatsim.chat.ports import LocksTimeoutError
from chatsim.simulation.loop import run
from chatsim.worlds.common import locks as polling
from chatsim.worlds.model.costs import ModelCosts
from chatsim.worlds.model.platform import ModelPlatform
from chatsim.worlds.mysql.redis_locks import RedisLocks


@pytest.fixture(params=["redis", "model"])
def play(request):
    """Plays a body that is given the locks of two servers."""

    async def on_redis(body, url):
        both = RedisLocks(url), RedisLocks(url)
        try:
            await body(*both)
        finally:
            for locks in both:
                await locks.close()

    async def on_model(body):
        platform = ModelPlatform(ModelCosts.read(), seed=1, database=None)
        await body(await platform.locks(1, "node1"), await platform.locks(1, "node2"))

    def playing(body):
        if request.param == "model":
            run(on_model(body))
        else:
            asyncio.run(on_redis(body, request.getfixturevalue("redis_url")))

    return playing


@pytest.fixture
def name():
    return secrets.token_hex(6)


def test_a_lock_is_held_by_one_at_a_time_and_handed_on(play, name):
    async def body(one, other):
        events = []

        async def hold(locks, who):
            async with locks.hold(name):
                events.append(f"{who} in")
                await asyncio.sleep(0.02)
                events.append(f"{who} out")

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(hold((one, other)[number % 2], number))
        assert len(events) == 12
        for entered, left in zip(events[::2], events[1::2], strict=True):
            assert entered.split()[0] == left.split()[0]

    play(body)


def test_locks_of_different_names_do_not_wait_for_each_other(play, name):
    async def body(one, other):
        async with one.hold(name), other.hold(f"{name}-other"):
            pass

    play(body)


def test_a_lock_is_released_when_the_body_raises(play, name):
    async def body(one, other):
        with pytest.raises(ZeroDivisionError):
            async with one.hold(name):
                raise ZeroDivisionError
        async with other.hold(name):
            pass

    play(body)


def test_a_lock_that_can_not_be_had_in_time_is_an_error_and_stays_its_holders(play, name, monkeypatch):
    monkeypatch.setattr(polling, "_PATIENCE_SECONDS", 0.05)

    async def body(one, other):
        async with one.hold(name):
            for _ in range(2):
                with pytest.raises(LocksTimeoutError, match=f"lock:{name} was held by others for 0.05 s"):
                    async with other.hold(name):
                        pytest.fail("two hold one lock")
        async with other.hold(name):
            pass

    play(body)


def test_a_lock_that_was_waited_for_in_vain_is_not_left_behind(play, name):
    async def body(one, other):
        async with one.hold(name):
            waiting = asyncio.create_task(other.hold(name).__aenter__())
            await asyncio.sleep(0.02)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with one.hold(name), other.hold(f"{name}-other"):
            pass

    play(body)
