"""What can be seen of locks: which session has locked what, and which waits for which."""

import asyncio

import pytest

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.performance_schema import DataLock, DataLockWait
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT, name VARCHAR(9), KEY ka (a))"
FILLED = "INSERT INTO t VALUES (10, 1, 'x'), (20, 2, 'y'), (30, NULL, 'z')"
AT_READ_COMMITTED = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"


def play(body, *, sessions=1, **settings):
    """Run ``body`` with an engine that has the table, and some sessions."""

    async def main():
        engine = Engine(lambda: NOW + asyncio.get_running_loop().time(), **{"purges": False} | settings)
        loader = EngineSession(engine)
        await loader.run(f"{TABLE}; {FILLED}")
        loader.close()
        return await body(engine, *(EngineSession(engine) for _ in range(sessions)))

    return run(main())


async def begun(session, sql):
    """Begin, and send a statement that may have to wait."""
    await session.run("BEGIN")
    return await sent(session, sql)


async def sent(session, sql):
    task = asyncio.ensure_future(session.run(sql))
    await asyncio.sleep(1e-3)
    return task


def locks(*statements):
    """The locks of one session after some statements in a transaction: index, mode, data."""

    async def body(engine, session):
        for each in statements:
            await session.run(each)
        return [(each.index, each.mode, each.data) for each in engine.data_locks()]

    return play(body)


# --- who has locked what


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT * FROM t", []),
        ("SELECT * FROM t WHERE id = 10 FOR SHARE", [(None, "IS", None), ("PRIMARY", "S,REC_NOT_GAP", "10")]),
        ("SELECT * FROM t WHERE id = 10 FOR UPDATE", [(None, "IX", None), ("PRIMARY", "X,REC_NOT_GAP", "10")]),
        ("DELETE FROM t WHERE id = 15", [(None, "IX", None), ("PRIMARY", "X,GAP", "20")]),
        (
            "SELECT * FROM t WHERE id > 20 FOR UPDATE",
            [(None, "IX", None), ("PRIMARY", "X", "30"), ("PRIMARY", "X", "supremum pseudo-record")],
        ),
        (
            "UPDATE t SET name = 'w' WHERE a = 2",
            [
                *((None, "IX", None), ("ka", "X", "2, 20"), ("ka", "X", "supremum pseudo-record")),
                ("PRIMARY", "X,REC_NOT_GAP", "20"),
            ],
        ),
        ("INSERT INTO t VALUES (15, 5, 'n')", [(None, "IX", None)]),
    ],
)
def test_the_locks_of_a_statement_are_seen_with_their_index_mode_and_key(sql, found):
    assert locks("BEGIN", sql) == found


def test_at_read_committed_no_gap_is_locked():
    assert locks(AT_READ_COMMITTED, "BEGIN", "SELECT * FROM t WHERE id > 20 FOR UPDATE") == [
        (None, "IX", None),
        ("PRIMARY", "X,REC_NOT_GAP", "30"),
    ]


def test_texts_in_a_key_are_quoted_and_null_is_shown():
    created = "CREATE TABLE k (name VARCHAR(9) PRIMARY KEY, a INT, KEY ka (a)); INSERT INTO k VALUES ('x', NULL)"
    seen = locks(created, "BEGIN", "SELECT * FROM k FORCE INDEX (ka) WHERE a IS NULL FOR UPDATE")
    assert ("ka", "X", "NULL, 'x'") in seen
    assert ("PRIMARY", "X,REC_NOT_GAP", "'x'") in seen


def test_locks_say_whose_they_are_and_go_when_the_transaction_ends():
    async def body(engine, a, b):
        for session in (a, b):
            await session.run("BEGIN; SELECT * FROM t WHERE id = 10 FOR SHARE")
        assert [(each.session, each.table, each.granted) for each in engine.data_locks()] == [
            *[(a.connection_id, "t", True)] * 2,
            *[(b.connection_id, "t", True)] * 2,
        ]
        await a.run("COMMIT")
        assert {each.session for each in engine.data_locks()} == {b.connection_id}
        await b.run("ROLLBACK")
        assert engine.data_locks() == []

    play(body, sessions=2)


# --- who waits for whom


def test_a_request_that_waits_is_seen_with_those_in_its_way():
    async def body(engine, a, b, c):
        for session in (a, b):
            await session.run("BEGIN; SELECT * FROM t WHERE id = 10 FOR SHARE")
        waits = await begun(c, "DELETE FROM t WHERE id = 10")
        (found,) = engine.data_lock_waits()
        assert (found.session, found.on, set(found.by)) == (c.connection_id, "lock", {a.connection_id, b.connection_id})
        assert (
            DataLock(c.connection_id, "t", "PRIMARY", "X,REC_NOT_GAP", granted=False, data="10") in engine.data_locks()
        )
        await a.run("COMMIT")
        assert engine.data_lock_waits() == [DataLockWait(c.connection_id, "lock", (b.connection_id,))]
        await b.run("COMMIT")
        await waits
        assert engine.data_lock_waits() == []

    play(body, sessions=3)


def test_who_waits_to_insert_into_a_gap_says_so():
    async def body(engine, a, b):
        await a.run("BEGIN; DELETE FROM t WHERE id = 15; DELETE FROM t WHERE id = 35")
        for number, mode, data in (
            (16, "X,GAP,INSERT_INTENTION", "20"),
            (36, "X,INSERT_INTENTION", "supremum pseudo-record"),
        ):
            waits = await begun(b, f"INSERT INTO t VALUES ({number}, 1, 'n')")
            assert [(each.mode, each.data) for each in engine.data_locks() if not each.granted] == [(mode, data)]
            waits.cancel()
            await asyncio.wait([waits])

    play(body, sessions=2)


def test_waits_for_a_name_and_for_a_table_are_seen_too():
    async def body(engine, a, b, c):
        await a.run("DO GET_LOCK('n', 0); BEGIN; SELECT * FROM t")
        named = await sent(b, "SELECT GET_LOCK('n', 9)")
        table = await sent(c, "DROP TABLE t")
        assert engine.data_lock_waits() == [
            DataLockWait(b.connection_id, "user_lock", (a.connection_id,)),
            DataLockWait(c.connection_id, "metadata_lock", (a.connection_id,)),
        ]
        a.close()
        await asyncio.gather(named, table)
        assert engine.data_lock_waits() == []

    play(body, sessions=3)
