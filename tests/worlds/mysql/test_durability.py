"""What a killed server has kept. The model does the same: see ``tests/worlds/model/test_durability.py``.

Only the process can be killed here, not the host.
"""

import asyncio

import pytest

from chatsim.db.errors import ConnectionLostError
from chatsim.worlds.mysql import driver
from chatsim.worlds.mysql.settings import Servers
from chatsim.worlds.mysql.world import MySQLWorld

ROWS = 20

pytestmark = [pytest.mark.needs("apt"), pytest.mark.slow, pytest.mark.timeout(600)]


def private(profile, flush):
    settings = (("innodb_flush_log_at_trx_commit", str(flush)), ("innodb_flush_log_at_timeout", "2700"))
    return MySQLWorld(Servers(mysql_via="unpacked", mysql_url=None, profile=profile, settings=settings))


@pytest.mark.parametrize("profile", ["durable", "quick"])  # with a binary log, and without
@pytest.mark.parametrize(("flush", "kept"), [(0, 0), (1, ROWS), (2, ROWS)])
async def test_a_killed_process_costs_acknowledged_commits_only_if_they_are_not_written(profile, flush, kept):
    async with private(profile, flush) as world:
        await world.admin.execute("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)")
        for value in range(ROWS):
            await world.admin.execute("INSERT INTO t (v) VALUES (?)", (value,))
        await world.crash(0)
        assert (await world.admin.execute("SELECT COUNT(*) FROM t")).scalar() == kept
        again = await world.admin.execute("INSERT INTO t (v) VALUES (99)")
        assert again.last_id == kept + 1  # the numbers of lost rows are given again


async def test_a_killed_process_leaves_commits_that_it_has_not_answered():
    async with private("durable", 1) as world:
        await world.admin.execute("CREATE TABLE t (id INT PRIMARY KEY)")
        session = await driver.connect(world.url, world.schema)
        # the whole text is one request: it is answered when it has ended, and its INSERT is committed long before
        asking = asyncio.create_task(session.script("INSERT INTO t VALUES (1); SELECT SLEEP(600)"))
        while not (await world.admin.execute("SELECT COUNT(*) FROM t")).scalar():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await world.crash(0)
        with pytest.raises(ConnectionLostError):
            await asking
        assert (await world.admin.execute("SELECT COUNT(*) FROM t")).scalar() == 1


@pytest.mark.parametrize(
    "request_", ["UPDATE t SET v = v + 1 WHERE id = 1", "BEGIN; UPDATE t SET v = v + 1 WHERE id = 1; COMMIT"]
)
async def test_a_request_that_has_arrived_is_committed_though_its_client_has_gone(mysql_url, request_):
    async with MySQLWorld() as world:
        await world.admin.script("CREATE TABLE t (id INT PRIMARY KEY, v INT); INSERT INTO t VALUES (1, 0)")
        await world.admin.script("BEGIN; UPDATE t SET v = 10 WHERE id = 1")
        session = await driver.connect(world.url, world.schema)
        number = session.connection_id
        asking = asyncio.create_task(session.script(request_))
        waits = (
            "SELECT COUNT(*) FROM performance_schema.data_lock_waits w JOIN performance_schema.threads t"
            " ON t.THREAD_ID = w.REQUESTING_THREAD_ID WHERE t.PROCESSLIST_ID = ?"
        )
        while not (await world.admin.execute(waits, (number,))).scalar():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.wait([asking])
        await world.admin.commit()
        gone = "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_ID = ?"
        while (await world.admin.execute(gone, (number,))).scalar():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert (await world.admin.execute("SELECT v FROM t WHERE id = 1")).scalar() == 11
