"""Locks in a Redis, and what a world does with them."""

import asyncio
import secrets
import threading
import time
from urllib.parse import urlsplit

import pytest
import redis.asyncio

from chatsim.chat.ports import LocksError, LocksTimeoutError
from chatsim.worlds.common import locks as polling
from chatsim.worlds.mysql.redis_locks import RedisLocks
from chatsim.worlds.mysql.servers import ladder, private
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError


async def eventually(ask, seconds=10):
    """Wait, within bounds, until ``ask`` gives something true; returns that."""
    deadline = time.monotonic() + seconds
    while not (answer := await ask()):
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)
    return answer


# locks in a Redis


@pytest.fixture
async def store(redis_url):
    """The Redis itself."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def two(redis_url):
    """Locks as two servers have them, each with its own connections."""
    both = RedisLocks(redis_url), RedisLocks(redis_url)
    yield both
    for locks in both:
        await locks.close()


@pytest.fixture
def name():
    return secrets.token_hex(6)


async def test_a_lock_is_held_by_one_at_a_time(two, store, name):
    events = []
    holding, leave = asyncio.Event(), asyncio.Event()

    async def first():
        async with two[0].hold(name):
            holding.set()
            await leave.wait()
            events.append("the first leaves")

    async def second():
        async with two[1].hold(name):
            events.append("the second is in")

    async def tries():
        return (await store.info("commandstats"))["cmdstat_set"]["calls"]

    async def has_tried():
        return await tries() >= before + 3

    tasks = [asyncio.create_task(first())]
    await holding.wait()
    before = await tries()
    tasks.append(asyncio.create_task(second()))
    await eventually(has_tried)
    leave.set()
    await asyncio.gather(*tasks)
    assert events == ["the first leaves", "the second is in"]


async def test_locks_of_different_names_do_not_wait_for_each_other(two, name):
    async with asyncio.timeout(2), two[0].hold(name), two[1].hold(f"{name}-other"):
        pass


async def test_a_lock_expires_should_its_holder_die(two, store, name):
    async with two[0].hold(name):
        assert 0 < await store.pttl(f"lock:{name}") <= 10_000
    assert not await store.exists(f"lock:{name}")


async def test_a_lock_is_released_when_the_body_raises(two, store, name):
    with pytest.raises(ZeroDivisionError):
        async with two[0].hold(name):
            raise ZeroDivisionError
    assert not await store.exists(f"lock:{name}")


async def test_a_lock_is_released_only_by_its_holder(two, store, name):
    async with two[0].hold(name):
        await store.set(f"lock:{name}", "of another, after this one's had expired")
    assert await store.get(f"lock:{name}") == b"of another, after this one's had expired"


async def test_a_lock_that_can_not_be_had_in_time_is_an_error_and_stays_its_holders(two, store, name, monkeypatch):
    monkeypatch.setattr(polling, "_PATIENCE_SECONDS", 0.05)
    async with two[0].hold(name):
        held = await store.get(f"lock:{name}")
        with pytest.raises(LocksTimeoutError, match=f"lock:{name} was held by others"):
            async with two[1].hold(name):
                pytest.fail("two hold one lock")
        assert await store.get(f"lock:{name}") == held


async def test_each_of_many_waiters_keeps_its_patience(two, store, name, monkeypatch):
    """On Python 3.11 a socket timeout of redis-py's own made one in a few of them wait until the lock expired."""
    monkeypatch.setattr(polling, "_PATIENCE_SECONDS", 0.01)
    await store.set(f"lock:{name}", "for good")

    async def wait():
        async with two[0].hold(name):
            pass

    for _ in range(10):
        async with asyncio.timeout(5):
            outcomes = await asyncio.gather(*(wait() for _ in range(8)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [LocksTimeoutError] * 8
    await store.delete(f"lock:{name}")


async def test_a_world_has_one_set_of_locks_and_closes_it(world, redis_url, name):
    locks = await world.locks(1)
    assert await world.locks(1) is locks
    async with locks.hold(name):
        pass


async def test_a_redis_that_can_not_be_had_is_a_world_error(mysql_url):
    nobody = f"redis://127.0.0.1:{private.free_port()}"
    async with MySQLWorld(Servers(redis_url=nobody)) as world:
        with pytest.raises(WorldError, match=f"Redis at {nobody} can't be used: "):
            await world.locks(1)


async def test_a_redis_that_has_gone_is_a_lock_that_can_not_be_had(mysql_url):
    with Servers(redis_url="").redis() as own:
        locks = RedisLocks(own.url)
        await locks.open(2)
    with pytest.raises(LocksError, match="Redis can't be used"):
        async with locks.hold("a"):
            pass
    await locks.close()


async def test_so_many_connections_to_redis_are_open_before_they_are_used(world, redis_url):
    await world.locks(3)
    async with redis.asyncio.Redis.from_url(redis_url) as watcher:
        before = (await watcher.info("clients"))["connected_clients"]
        assert before >= 4
        locks = await world.locks(3)
        async with locks.hold("a"), locks.hold("b"), locks.hold("c"):
            assert (await watcher.info("clients"))["connected_clients"] == before


async def test_costs_that_the_server_does_not_tell_are_none(admin, mysql_url):
    name = f"guest_{secrets.token_hex(4)}"
    await admin.script(f"CREATE USER {name} IDENTIFIED BY 'sesame'; GRANT ALL ON `chatsim\\_%`.* TO {name}")
    parts = urlsplit(mysql_url)
    try:
        async with MySQLWorld(Servers(mysql_url=f"mysql://{name}:sesame@{parts.hostname}:{parts.port}")) as world:
            assert (await world.costs()).rows_examined is None
            assert await world.deadlock() is None
    finally:
        await admin.execute(f"DROP USER {name}")


async def test_a_server_whose_start_is_interrupted_is_ended_all_the_same(monkeypatch):
    starting, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(_):
        starting.set()
        go_on.wait()
        return ladder.Server("mysql://nobody@127.0.0.1:1", "container", own=True, close=ended.set)

    monkeypatch.setattr(Servers, "mysql", slow)
    entering = asyncio.create_task(MySQLWorld().__aenter__())
    await asyncio.to_thread(starting.wait)
    entering.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert ended.is_set()
