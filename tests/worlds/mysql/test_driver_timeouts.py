"""A pool whose sessions have timeouts: what a process that stands still has locked is free again, soon."""

import asyncio
import os
import signal
import sys

import pytest
from driver_sessions import asked, eventually, nowait

from chatsim.db.errors import LockWaitTimeoutError
from chatsim.worlds.mysql.driver import MySQLDatabase
from chatsim.worlds.world import SessionTimeouts

SOON = SessionTimeouts(silence=1, lock_wait=1)
HOLDS_A_LOCK = """
import asyncio, sys
from chatsim.worlds.mysql.driver import MySQLDatabase
from chatsim.worlds.world import SessionTimeouts

async def main(url, schema):
    async with MySQLDatabase(url, schema, 1, timeouts=SessionTimeouts(1, 1)) as database, database.session() as tx:
        await tx.script("BEGIN; UPDATE t SET v = 9 WHERE id = 1")
        print("locked", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main(*sys.argv[1:]))
"""
OF_SESSION = "SELECT @@SESSION.wait_timeout, @@SESSION.innodb_lock_wait_timeout"


async def test_the_open_transaction_of_a_process_that_has_stopped_is_rolled_back(mysql_url, schema, sessions):
    (other,) = await sessions(1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDS_A_LOCK, mysql_url, schema), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await process.stdout.readline() == b"locked\n"
        os.kill(process.pid, signal.SIGSTOP)
        # this waits for the lock as long as the server's default says, 50 s
        assert (await other.execute("SELECT v FROM t WHERE id = 1 FOR UPDATE")).scalar() == 0
    finally:
        process.kill()
        await process.wait()


async def test_a_session_waits_for_a_lock_no_longer_than_its_timeout_says(mysql_url, schema, sessions):
    (holder,) = await sessions(1)
    await holder.script("BEGIN; UPDATE t SET v = 9 WHERE id = 1")
    async with MySQLDatabase(mysql_url, schema, 1, timeouts=SOON) as database, database.session() as session:
        with pytest.raises(LockWaitTimeoutError):
            await session.execute("SELECT v FROM t WHERE id = 1 FOR UPDATE")
    await holder.rollback()
    assert await nowait(holder, 1)


async def test_connections_have_the_timeouts_also_those_that_are_opened_later(mysql_url, schema):
    timeouts = SessionTimeouts(silence=7, lock_wait=3)
    async with MySQLDatabase(mysql_url, schema, 1, timeouts=timeouts) as database:
        async with database.session() as session:
            assert (await session.execute(OF_SESSION)).rows == ((7, 3),)
            await session.begin()  # so that the connection is not used again
        async with database.session() as session:
            assert (await session.execute(OF_SESSION)).rows == ((7, 3),)


async def test_a_pool_without_timeouts_has_those_of_the_server(mysql_url, schema, sessions):
    (other,) = await sessions(1)
    async with MySQLDatabase(mysql_url, schema, 1) as database, database.session() as session:
        assert (await session.execute(OF_SESSION)).rows == (await other.execute(OF_SESSION)).rows


async def test_idle_connections_are_pinged_so_that_the_server_does_not_close_them(mysql_url, schema, sessions):
    (observer,) = await sessions(1)
    pings = """
        SELECT MIN(s.COUNT_STAR) >= 6 FROM performance_schema.events_statements_summary_by_thread_by_event_name s
          JOIN performance_schema.threads t ON t.THREAD_ID = s.THREAD_ID
         WHERE s.EVENT_NAME = 'statement/com/Ping' AND t.PROCESSLIST_ID IN (?, ?)"""
    async with MySQLDatabase(mysql_url, schema, 2, timeouts=SOON) as database:
        async with database.session() as one, database.session() as two:
            before = {one.connection_id, two.connection_id}
        await eventually(lambda: asked(observer.execute(pings, (*before,))))
        async with database.session() as one, database.session() as two:
            assert {one.connection_id, two.connection_id} == before
