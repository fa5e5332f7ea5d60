"""Undo: what is rolled back was never there, and leaves nothing behind."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_state import consistent, ignoring_errors, nothing_is_locked, shape, state, there

from chatsim.db.errors import DatabaseError
from chatsim.db.session import Isolation
from chatsim.innodb.server.session import EngineSession

# --- taken back


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO t VALUES (9, 9, 9, 9)",
        "UPDATE t SET v = 9",
        "UPDATE t SET u = u + 10, k = 7",
        "UPDATE t SET id = id + 10",
        "UPDATE t SET k = 5 WHERE id = 1; UPDATE t SET k = 1 WHERE id = 1",
        "DELETE FROM t",
        "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 1, 1, 1)",
        "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 7, 7, 7); DELETE FROM t WHERE id = 1",
        "REPLACE INTO t VALUES (1, 2, 3, 4)",
        "INSERT INTO t VALUES (9, 1, 0, 0) ON DUPLICATE KEY UPDATE id = 8",
    ],
)
@pytest.mark.parametrize("level", [Isolation.REPEATABLE_READ, Isolation.READ_COMMITTED])
def test_a_rollback_leaves_every_index_as_it_was_and_no_lock(change, level):
    async def body(engine, admin):
        session, before = EngineSession(engine), state(engine)
        session.isolation = level
        await session.run(f"BEGIN; {change}")
        assert state(engine) != before
        await session.run("ROLLBACK")
        assert state(engine) == before
        assert nothing_is_locked(engine)
        assert not engine.purge()

    there(body)


def test_back_to_a_savepoint_what_came_before_it_stays():
    async def body(engine, admin):
        await admin.run("BEGIN; UPDATE t SET u = 11 WHERE id = 1; SAVEPOINT s")
        before = state(engine)
        await admin.run("UPDATE t SET u = 12, k = 9 WHERE id = 1; DELETE FROM t WHERE id = 2; ROLLBACK TO s")
        assert state(engine) == before
        await admin.run("COMMIT")
        (answer,) = await admin.run("SELECT u FROM t ORDER BY id")
        assert [u for (u,) in answer.rows] == [11, 2, 3, None]

    there(body)


def test_a_savepoint_can_be_gone_back_to_again_and_those_set_after_it_are_gone():
    async def body(engine, admin):
        await admin.run("BEGIN; SAVEPOINT a")
        before = state(engine)
        for _ in range(2):
            await admin.run("DELETE FROM t WHERE id = 1; SAVEPOINT b; DELETE FROM t WHERE id = 2; ROLLBACK TO a")
            assert state(engine) == before
        with pytest.raises(DatabaseError, match=r"SAVEPOINT b does not exist") as caught:
            await admin.run("ROLLBACK TO b")
        assert caught.value.errno == 1305

    there(body)


def test_a_statement_that_fails_in_the_middle_leaves_none_of_its_rows_and_all_of_those_before_it():
    async def body(engine, admin):
        await admin.run("BEGIN; INSERT INTO t VALUES (8, 8, 8, 8)")
        before = state(engine)
        for sql in ("INSERT INTO t VALUES (5, 5, 5, 5), (6, 1, 6, 6)", "UPDATE t SET u = 8 WHERE id < 3"):
            with pytest.raises(DatabaseError, match=r"Duplicate entry .* for key 't.by_u'"):
                await admin.run(sql)
            assert state(engine) == before
        assert len(admin.trx.undo_log) == 1

    there(body)


@pytest.mark.parametrize(("level", "left"), [("REPEATABLE READ", ["X,GAP 3", "X,GAP 3"]), ("READ COMMITTED", [])])
def test_what_is_taken_back_stays_locked_as_a_gap_at_repeatable_read(level, left):
    async def body(engine, admin):
        await admin.run("DELETE FROM t WHERE id = 2")
        engine.purge()
        session = EngineSession(engine)
        session.isolation = Isolation(level)
        await session.run("BEGIN; SELECT * FROM t WHERE id = 1 FOR SHARE; SAVEPOINT s")
        await session.run("INSERT INTO t VALUES (2, 2, 7, 2); ROLLBACK TO s")
        locks = [f"{each.mode} {each.data.split(',')[0]}" for each in engine.data_locks() if each.index]
        assert [each for each in locks if "GAP 3" in each] == left

    there(body)


STATEMENTS = st.one_of(
    st.builds(
        "INSERT INTO t VALUES ({0}, {1}, {2}, {3})".format, *[st.sampled_from([*range(1, 6), "NULL"])] * 4
    ).filter(lambda sql: "(NULL" not in sql),
    st.builds("INSERT IGNORE INTO t VALUES ({0}, {1}, 1, 1), ({2}, {3}, 2, 2)".format, *[st.integers(1, 6)] * 4),
    st.builds("REPLACE INTO t VALUES ({0}, {1}, {2}, 0)".format, *[st.integers(1, 6)] * 3),
    st.builds(
        "INSERT INTO t VALUES ({0}, {1}, 1, 1) ON DUPLICATE KEY UPDATE u = {2}, k = {3}".format,
        *[st.integers(1, 6)] * 4,
    ),
    st.builds("UPDATE t SET u = {0}, v = v + 1 WHERE id = {1}".format, *[st.integers(1, 6)] * 2),
    st.builds("UPDATE t SET k = {0} WHERE k >= {1}".format, st.sampled_from([1, 2, "NULL"]), st.integers(1, 3)),
    st.builds("UPDATE t SET id = {0} WHERE u = {1}".format, *[st.integers(1, 6)] * 2),
    st.builds("DELETE FROM t WHERE id = {0}".format, st.integers(1, 6)),
    st.builds("DELETE FROM t WHERE k = {0}".format, st.integers(1, 2)),
    st.sampled_from(["SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a", "ROLLBACK TO b", "RELEASE SAVEPOINT a"]),
)
LEVELS = st.sampled_from([Isolation.REPEATABLE_READ, Isolation.READ_COMMITTED])


@settings(max_examples=100)
@given(
    history=st.lists(STATEMENTS, max_size=5),
    kept=st.booleans(),
    undone=st.lists(STATEMENTS, min_size=1, max_size=8),
    level=LEVELS,
)
def test_a_rollback_restores_everything_whatever_was_done_and_whatever_is_not_purged(history, kept, undone, level):
    async def body(engine, admin):
        if kept:
            await EngineSession(engine).run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        for sql in history:
            await ignoring_errors(admin, sql)
        engine.purge()
        before, session = state(engine), EngineSession(engine)
        session.isolation = level
        await session.run("BEGIN")
        for sql in undone:
            await ignoring_errors(session, sql)
            assert consistent(engine)
        await session.run("ROLLBACK")
        assert state(engine) == before
        assert nothing_is_locked(engine)

    there(body)


@settings(max_examples=100)
@given(done=st.lists(st.tuples(STATEMENTS, st.booleans()), max_size=12), level=LEVELS)
def test_when_all_is_purged_only_the_rows_are_left(done, level):
    async def body(engine, admin):
        admin.isolation = level
        for sql, together in done:
            if together and not admin.in_transaction:
                await admin.run("BEGIN")
            await ignoring_errors(admin, sql)
            if not together:
                await admin.run("COMMIT")
        await admin.run("COMMIT")
        (answer,) = await admin.run("SELECT * FROM t ORDER BY id")
        engine.purge()
        found = state(engine)
        assert found["t", "PRIMARY"] == [((row[0],), [(row, None, False)]) for row in answer.rows]
        assert [len(each) for each in found.values()] == [len(answer.rows)] * 3
        assert consistent(engine)
        assert nothing_is_locked(engine)

    there(body)


def test_an_entry_of_a_row_that_came_back_and_went_again_before_it_had_the_entry_is_not_left():
    async def body(engine, admin):
        keeper, holder, inserter = (EngineSession(engine) for _ in range(3))
        await keeper.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        await admin.run("DELETE FROM t WHERE id = 2")
        await holder.run("BEGIN; SELECT * FROM t WHERE u = 2 FOR UPDATE")
        inserter.lock_wait_timeout = 1
        inserting = asyncio.create_task(inserter.run("INSERT INTO t VALUES (2, 2, 5, 5)"))
        await asyncio.sleep(0.5)
        await keeper.run("COMMIT")
        engine.purge()
        with pytest.raises(DatabaseError, match="Lock wait timeout"):
            await inserting
        await holder.run("COMMIT")
        engine.purge()
        assert shape(engine) == {"PRIMARY": ["1", "3", "4"], "by_u": ["NULL", "1", "3"], "by_k": ["NULL", "1", "2"]}
        (answer,) = await admin.run("SELECT id FROM t FORCE INDEX (by_u) WHERE u > 0")
        assert answer.rows == [(1,), (3,)]

    there(body)


def test_an_entry_is_spelled_again_as_it_was():
    async def body(engine, admin):
        await admin.run(
            "CREATE TABLE w (id INT PRIMARY KEY, k VARCHAR(5), KEY by_k (k)); INSERT INTO w VALUES (1, 'a')"
        )
        engine.purge()
        before = state(engine)
        await admin.run("BEGIN; UPDATE w SET k = 'b'; UPDATE w SET k = 'A'; ROLLBACK")
        assert state(engine) == before

    there(body)


# --- rows that take another amount of room


@pytest.mark.parametrize(("name", "structures"), [("zz", 0), ("longer", 2), ("z", 2), ("NULL", 2)])
@pytest.mark.parametrize("waits", [True, False])
def test_a_row_that_changes_its_size_is_moved_and_a_request_that_waits_for_it_leaves_two_structures(
    name, structures, waits
):
    async def body(engine, admin):
        await admin.run(
            "CREATE TABLE w (id INT PRIMARY KEY, name VARCHAR(9)); INSERT INTO w VALUES (1, 'xx'), (2, 'xx')"
        )
        writer, other = EngineSession(engine), EngineSession(engine)
        await writer.run("BEGIN; SELECT * FROM w WHERE id = 1 FOR UPDATE")
        await other.run("BEGIN")
        request = asyncio.create_task(other.run(f"DELETE FROM w WHERE id = {1 if waits else 2}"))
        await asyncio.sleep(0.001)
        before = other.trx.weight
        on_the_index = engine.table("w").clustered.lock_structures
        await writer.run("UPDATE w SET name = ? WHERE id = 1", (None if name == "NULL" else name,))
        added = structures if waits else 0
        assert other.trx.weight - before == added
        assert engine.table("w").clustered.lock_structures - on_the_index == added
        await writer.run("ROLLBACK")
        assert other.trx.weight - before == 2 * added  # it is moved back
        await request
        other.close()
        assert nothing_is_locked(engine)
        assert engine.table("w").clustered.lock_structures == 0

    there(body)
