"""What a pool of a `Database` promises to those who share it: one body, played on MySQL and in the model."""

import asyncio
import functools
import inspect

import pytest

STEPS = 30
"""Turns of the loop in which everybody has come to wait who has to wait for a connection."""


def in_both_worlds(body):
    """Have a coroutine test be given a world with one table, ``t``, of two rows."""

    async def within_a_minute(there, given):
        async with asyncio.timeout(60):
            await body(there, **given)

    @pytest.mark.worlds
    @functools.wraps(body)
    def test(world, **given):
        world.apply("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 0), (2, 0)")
        world.in_world(lambda there: within_a_minute(there, given))

    test.__signature__ = inspect.signature(body)
    return test


async def steps(count=STEPS):
    for _ in range(count):
        await asyncio.sleep(0)


class Users:
    """Users of one pool, by name.

    Attributes:
        served: the names of those who have been given a connection, in that order.
    """

    def __init__(self, pool):
        self.served = []
        self.tasks = {}
        self._pool = pool
        self._ends = {}

    async def ask(self, name):
        """Have a user ask for a connection, and wait until they have it or stand in the queue."""
        self._ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._use(name))
        await steps()

    def end(self, name):
        """Have a user give the connection back."""
        self._ends[name].set()

    async def ended(self, *names):
        """Have users give their connections back, each when they have one; wait until they have."""
        for name in names:
            self.end(name)
        await asyncio.gather(*(self.tasks[name] for name in names))

    async def _use(self, name):
        async with self._pool.session() as session:
            self.served.append(name)
            await session.execute("SELECT 1")
            await self._ends[name].wait()


@in_both_worlds
async def test_who_has_come_first_is_served_first(world):
    async with world.database(1) as pool:
        users = Users(pool)
        for name in "abcd":
            await users.ask(name)
        await users.ended(*"abcd")
    assert users.served == [*"abcd"]


@in_both_worlds
async def test_who_gives_a_connection_back_and_asks_again_at_once_is_served_after_all_who_wait(world):
    served = []
    async with world.database(1) as pool:

        async def use(name):
            for _ in range(5):
                async with pool.session() as session:
                    served.append(name)
                    await session.execute("SELECT 1")

        async with pool.session():
            tasks = []
            for name in "abcdef":
                tasks.append(asyncio.create_task(use(name)))
                await steps()
        await asyncio.gather(*tasks)
    assert served == [*"abcdef"] * 5


@in_both_worlds
async def test_one_who_gives_up_waiting_is_left_out(world):
    async with world.database(1) as pool:
        users = Users(pool)
        for name in "abc":
            await users.ask(name)
        users.tasks["b"].cancel()
        await users.ended("a", "c")
        assert users.tasks["b"].cancelled()
    assert users.served == ["a", "c"]


@pytest.mark.parametrize("at", range(0, 12, 2))
@in_both_worlds
async def test_one_who_is_cancelled_about_when_the_connection_becomes_theirs_takes_it_from_nobody(world, at):
    async with world.database(1) as pool:
        users = Users(pool)
        for name in "abc":
            await users.ask(name)
        users.end("a")
        await steps(at)
        users.tasks["b"].cancel()
        await users.ended("a", "c")
        assert users.served[-1] == "c"


@in_both_worlds
async def test_no_more_than_its_size_have_a_connection_at_once(world):
    async with world.database(3) as pool:
        users = Users(pool)
        for name in "abcde":
            await users.ask(name)
        while len(users.served) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await steps()
        assert sorted(users.served) == [*"abc"]  # each sets its isolation level first
        await users.ended(*"abcde")


@in_both_worlds
async def test_the_next_in_the_queue_has_a_clean_connection_if_one_comes_back_within_a_transaction(world):
    async with world.database(1) as pool:
        found = []

        async def look():
            async with pool.session() as session:
                found.append((session.in_transaction, (await session.execute("SELECT v FROM t WHERE id = 1")).scalar()))

        async with pool.session() as session:
            await session.begin()
            await session.execute("UPDATE t SET v = 9 WHERE id = 1")
            looking = [asyncio.create_task(look()) for _ in range(2)]
            await steps()
        await asyncio.gather(*looking)
        assert found == [(False, 0)] * 2


@in_both_worlds
async def test_a_request_that_is_cancelled_leaves_the_pool_as_large_as_it_was(world):
    async with world.database(2) as pool:
        for _ in range(5):

            async def sleep():
                async with pool.session() as session:
                    await session.execute("SELECT v FROM t WHERE id = 1 FOR UPDATE")

            await world.admin.script("BEGIN; UPDATE t SET v = 1 WHERE id = 1")
            sleeping = asyncio.create_task(sleep())
            await steps(5)
            sleeping.cancel()
            await asyncio.wait([sleeping])
            await world.admin.rollback()
        async with pool.session() as one, pool.session() as other:
            assert one.connection_id != other.connection_id
            assert (await one.execute("SELECT 1")).scalar() == (await other.execute("SELECT 1")).scalar() == 1
