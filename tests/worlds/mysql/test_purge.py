"""Purge on a real server, seen by the delete-marked records that a lock on all of an index still meets."""

import types
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from chatsim.db.session import Rows
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.purge import Purge
from chatsim.worlds.mysql.purge_counter import counting_purges
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld
from chatsim.worlds.world import WorldError


@asynccontextmanager
async def opened(servers):
    """A world with a table, a session, and the purge."""
    async with MySQLWorld(servers) as world:
        await world.admin.execute("CREATE TABLE t (id INT PRIMARY KEY)")
        session, keeper = [await driver.connect(world.url, world.schema) for _ in range(2)]
        purge = Purge(keeper)
        async with counting_purges(keeper, world.url):
            await purge.prepare()
            yield world, session, purge
        await keeper.close()
        await session.close()


@pytest_asyncio.fixture
async def server(mysql_url):
    async with opened(Servers(mysql_url=mysql_url)) as server:
        yield server


async def met(world, session):
    """The records of ``t``, deleted ones too."""
    await session.script("BEGIN; SELECT * FROM t FOR UPDATE")
    locks = await world.admin.execute(
        "SELECT LOCK_DATA FROM performance_schema.data_locks WHERE OBJECT_SCHEMA = ? AND LOCK_TYPE = 'RECORD'",
        (world.schema,),
    )
    await session.script("ROLLBACK")
    return sorted(str(data) for (data,) in locks.rows if data != "supremum pseudo-record")


async def test_what_is_deleted_stays_while_the_purge_is_held_and_is_gone_after_it_has_run(server):
    world, session, purge = server
    await session.execute("INSERT INTO t VALUES (1), (2), (3)")
    await purge.hold()
    await session.execute("DELETE FROM t WHERE id = 2")
    other = Purge(session)
    await other.prepare()
    await other.run()
    assert await met(world, session) == ["1", "2", "3"]
    await purge.run()
    assert await met(world, session) == ["1", "3"]


async def test_each_time_all_is_gone(server):
    await come_and_go(*server, times=100)


@pytest.mark.needs("apt")
async def test_with_a_binary_log_it_is_gone_too():
    async with opened(Servers(mysql_via="unpacked", mysql_url=None, profile="durable")) as server:
        await come_and_go(*server, times=20)


async def come_and_go(world, session, purge, *, times):
    for number in range(times):
        await purge.hold()
        await session.script(f"INSERT INTO t VALUES ({number}); DELETE FROM t")
        await purge.run()
        assert await met(world, session) == []


async def test_what_another_session_may_still_read_stays(server):
    world, session, purge = server
    await session.execute("INSERT INTO t VALUES (1), (2)")
    reader = await driver.connect(world.url, world.schema)
    await session.execute("DELETE FROM t WHERE id = 1")
    await purge.run()
    await reader.script("BEGIN; SELECT * FROM t")
    await purge.hold()
    await session.execute("DELETE FROM t WHERE id = 2")
    await purge.run()
    assert await met(world, session) == ["2"]
    await reader.execute("ROLLBACK")
    await purge.run()
    assert await met(world, session) == []
    await reader.close()


async def test_it_may_run_without_having_been_held_and_twice(server):
    world, session, purge = server
    await session.script("INSERT INTO t VALUES (1); DELETE FROM t")
    await purge.run()
    await purge.run()
    assert await met(world, session) == []


async def test_a_server_that_does_not_purge_is_named():
    async def script(_):
        status = "Trx id counter 5\nPurge done for trx's n:o < 4 undo n:o < 0 state: stopped\nHistory list length 1"
        return [Rows(), Rows([(7,)]), Rows([("InnoDB", "", status)])]

    with pytest.raises(WorldError, match="its purge is stopped"):
        await Purge(types.SimpleNamespace(script=script)).run()
