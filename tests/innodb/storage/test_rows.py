"""Rows that are inserted, updated and deleted: what is locked on the way, and what is left when that fails."""

import asyncio

import pytest
from index_state import consistent, nothing_is_locked, there

from chatsim.db.errors import LockWaitTimeoutError
from chatsim.innodb.server.session import EngineSession

AT_READ_COMMITTED = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"


async def values(session, sql):
    (answer,) = await session.run(sql)
    return answer.rows


def test_a_duplicate_that_is_rolled_back_leaves_a_lock_on_its_gap_also_at_read_committed():
    async def body(engine, admin):
        first, second = EngineSession(engine), EngineSession(engine)
        for session in (first, second):
            await session.run(f"{AT_READ_COMMITTED}; BEGIN")
        await first.run("INSERT INTO t VALUES (9, 9, 9, 9)")
        insert = asyncio.create_task(second.run("INSERT INTO t VALUES (9, NULL, 0, 0)"))
        await asyncio.sleep(0.001)
        assert not insert.done()
        await first.run("ROLLBACK")
        await insert
        locks = [(each.index, each.mode, each.data) for each in engine.data_locks() if each.index]
        assert locks == [("PRIMARY", "S", "supremum pseudo-record"), ("PRIMARY", "S,GAP", "9")]

    there(body)


PARENT = "CREATE TABLE p (id INT PRIMARY KEY)"
CHILD = """
    CREATE TABLE c (
        id INT PRIMARY KEY, p INT, k INT, KEY by_k (k), FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE
    )
"""
FAMILY = "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, 7)"


def test_a_cascade_that_waits_too_long_for_an_entry_leaves_the_child_as_it_was():
    async def body(engine, admin):
        for sql in (PARENT, CHILD, FAMILY):
            await admin.run(sql)
        holder, deleter = EngineSession(engine), EngineSession(engine)
        await holder.run("BEGIN; SELECT k FROM c FORCE INDEX (by_k) WHERE k = 7 FOR SHARE")
        await deleter.run("SET innodb_lock_wait_timeout = 2; BEGIN; DELETE FROM p WHERE id = 1")
        assert await values(deleter, "SELECT * FROM p") == [(1,)]
        assert await values(deleter, "SELECT * FROM c") == [(1, 1, 7)]
        assert consistent(engine)
        await holder.run("COMMIT")
        await deleter.run("COMMIT")
        assert await values(admin, "SELECT * FROM c") == [(1, 1, 7)]
        assert nothing_is_locked(engine)

    there(body)


@pytest.mark.parametrize(
    "sql",
    ["DELETE FROM t WHERE id = 1", "UPDATE t SET k = 8 WHERE id = 1", "UPDATE t SET id = 8 WHERE id = 1"],
)
def test_a_change_that_waits_too_long_for_an_entry_changes_nothing(sql):
    async def body(engine, admin):
        holder, writer = EngineSession(engine), EngineSession(engine)
        await holder.run("BEGIN; SELECT k FROM t FORCE INDEX (by_k) WHERE k = 1 FOR SHARE")
        await writer.run("SET innodb_lock_wait_timeout = 2; BEGIN")
        with pytest.raises(LockWaitTimeoutError):
            await writer.run(sql)
        assert await values(writer, "SELECT id, k FROM t WHERE id IN (1, 8)") == [(1, 1)]
        assert consistent(engine)
        await writer.run("COMMIT")
        await holder.run("COMMIT")
        assert nothing_is_locked(engine)

    there(body)
