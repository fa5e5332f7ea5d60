"""The server as it can be looked at: who has locked what, who waits for whom, what a deadlock was, what it counts."""

import asyncio

import pytest

from chatsim.db.deadlock import SUPREMUM, LockKind
from chatsim.db.errors import ConnectionLostError, DatabaseError, DeadlockError
from chatsim.innodb.server.engine import DataLock, Engine, Wait
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
        assert engine.data_lock_waits() == [Wait(c.connection_id, "lock", (b.connection_id,))]
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
            Wait(b.connection_id, "user_lock", (a.connection_id,)),
            Wait(c.connection_id, "metadata_lock", (a.connection_id,)),
        ]
        a.close()
        await asyncio.gather(named, table)
        assert engine.data_lock_waits() == []

    play(body, sessions=3)


# --- deadlocks


def update(number, value):
    return f"UPDATE t SET name = '{value}' WHERE id = {number}"


async def in_a_circle(sessions):
    """Each locks a row and then wants the next one's; the errnos that they get."""
    numbers = [10, 20, 30][: len(sessions)]
    for session, number in zip(sessions, numbers, strict=True):
        await session.run("BEGIN")
        await session.run(update(number, "mine"))
    tasks = [
        await sent(session, update(number, "yours"))
        for session, number in zip(sessions, [*numbers[1:], numbers[0]], strict=True)
    ]
    died = [at for at, task in enumerate(tasks) if task.done() and isinstance(task.exception(), DeadlockError)]
    for at, session in enumerate(sessions):
        if at not in died:
            session.close()
    await asyncio.gather(*tasks, return_exceptions=True)
    return died


@pytest.mark.parametrize("size", [2, 3])
def test_of_a_circle_of_waits_one_dies_and_the_report_goes_round_it(size):
    async def body(engine, *sessions):
        (died,) = await in_a_circle(sessions)
        deadlock = engine.deadlock
        by_number = {each.number: each for each in deadlock.participants}
        assert list(by_number) == list(range(1, size + 1))
        assert by_number[deadlock.victim].connection_id == sessions[died].connection_id
        assert {each.connection_id for each in deadlock.participants} == {each.connection_id for each in sessions}
        assert engine.locks.waits.deadlocks == 1
        for waiter, holder, wanted in deadlock.waits_for():
            assert (wanted.place, wanted.mode, wanted.kind) == ("t.PRIMARY", "X", LockKind.RECORD)
            assert wanted.spot in [lock.spot for lock in by_number[holder].holds]
            assert by_number[waiter].statement == update(wanted.record.strip("()").split(",")[0], "yours")
        assert deadlock.explain().count("\n") == size

    play(body, sessions=size)


@pytest.mark.parametrize("size", [2, 3])
def test_the_raw_report_names_each_transaction_its_statement_its_locks_and_the_victim(size):
    async def body(engine, *sessions):
        await in_a_circle(sessions)
        lines = engine.deadlock.raw.splitlines()
        for number, each in enumerate(engine.deadlock.participants, start=1):
            at = lines.index(f"*** ({number}) TRANSACTION:")
            assert lines[at + 1 : at + 3] == [
                f"MySQL thread id {each.connection_id}, weight {each.weight}",
                each.statement,
            ]
            assert lines[at + 3].startswith(f"*** ({number}) HOLDS X record (")
            assert lines[at + 4].startswith(f"*** ({number}) WAITS FOR X record (")
        assert lines[-1] == f"*** WE ROLL BACK TRANSACTION ({engine.deadlock.victim})"

    play(body, sessions=size)


def test_the_victim_is_the_one_that_weighs_least_and_has_lost_its_transaction():
    async def body(engine, a, b):
        await a.run("BEGIN; UPDATE t SET a = a + 1 WHERE id IN (20, 30)")
        await b.run("BEGIN; UPDATE t SET name = 'b' WHERE id = 10")
        kept = await sent(a, update(10, "a"))
        with pytest.raises(DeadlockError) as caught:
            await b.run(update(20, "b"))
        assert caught.value.errno == 1213
        assert not b.in_transaction
        await kept
        await a.run("COMMIT")
        (answer,) = await b.run("SELECT name FROM t ORDER BY id")
        assert answer.rows == [("a",), ("y",), ("z",)]

    play(body, sessions=2)


def test_a_deadlock_about_a_gap_says_that_it_is_one():
    async def body(engine, a, b):
        for session, number in ((a, 40), (b, 50)):
            await session.run(f"BEGIN; SELECT * FROM t WHERE id = {number} FOR UPDATE")
        waits = await sent(a, "INSERT INTO t VALUES (40, 1, 'a')")
        with pytest.raises(DeadlockError):
            await b.run("INSERT INTO t VALUES (50, 1, 'b')")
        await waits
        assert {(each.waits.kind, each.waits.record) for each in engine.deadlock.participants} == {
            (LockKind.INSERT_INTENTION, SUPREMUM)
        }

    play(body, sessions=2)


# --- statements that are prepared


@pytest.mark.parametrize(
    ("between", "after"),
    [
        ("ALTER TABLE t ADD COLUMN c INT DEFAULT 5", [(10, 1, "x", 5), (20, 2, "y", 5)]),
        ("TRUNCATE TABLE t", []),
        ("CREATE INDEX i ON t (name)", [(10, 1, "x"), (20, 2, "y")]),
        ("DROP TABLE t; CREATE TABLE t (a INT, id INT PRIMARY KEY); INSERT INTO t VALUES (7, 11)", [(7, 11)]),
    ],
)
def test_a_statement_that_was_prepared_is_prepared_anew_when_its_table_has_changed(between, after):
    async def body(_, a, b):
        sql = "SELECT * FROM t WHERE id < ?"
        assert (await a.run(sql, (25,)))[0].rows == [(10, 1, "x"), (20, 2, "y")]
        await b.run(between)
        assert (await a.run(sql, (25,)))[0].rows == after

    play(body, sessions=2)


def test_a_statement_that_was_prepared_is_refused_when_its_table_has_gone():
    async def body(_, a, b):
        await a.run("SELECT a FROM t")
        await b.run("DROP TABLE t")
        with pytest.raises(DatabaseError, match="Table 't' doesn't exist"):
            await a.run("SELECT a FROM t")
        await b.run("CREATE TABLE t (id INT)")
        with pytest.raises(DatabaseError, match="Unknown column 'a'"):
            await a.run("SELECT a FROM t")

    play(body, sessions=2)


def test_a_prepared_statement_has_new_arguments_each_time():
    async def body(_, session):
        for number, name in ((10, "x"), (20, "y"), (99, None)):
            (answer,) = await session.run("SELECT name FROM t WHERE id = ?", (number,))
            assert answer.rows == ([(name,)] if name else [])

    play(body)


# --- what it counts and knows


def test_statements_that_end_well_are_counted_and_so_are_the_records_looked_at():
    async def body(engine, session):
        statements, examined = engine.statements, engine.examined
        await session.run("SELECT * FROM t WHERE id = 10; SELECT * FROM t")
        with pytest.raises(DatabaseError):
            await session.run("SELECT nope FROM t")
        assert engine.statements == statements + 2
        assert engine.examined - examined == 4

    play(body)


def test_the_moment_is_the_clocks_to_the_second():
    async def body(engine, _):
        assert engine.now().isoformat() == "2023-11-14T22:13:20"
        await asyncio.sleep(1.9)
        assert engine.now().isoformat() == "2023-11-14T22:13:21"

    play(body)


def test_what_is_deleted_is_purged_when_nobody_can_see_it_any_more():
    async def body(engine, a, b):
        await a.run("BEGIN; SELECT * FROM t")
        await b.run("DELETE FROM t WHERE id = 10")
        engine.purge()
        assert len(engine.table("T").clustered) == 3
        await a.run("COMMIT")
        while engine.purge():
            pass
        assert len(engine.table("t").clustered) == 2

    play(body, sessions=2)


def test_a_server_that_purges_by_itself_does_so_soon_after_a_commit():
    async def body(engine, session):
        await session.run("DELETE FROM t")
        assert len(engine.table("t").clustered) == 3
        await asyncio.sleep(1)
        assert len(engine.table("t").clustered) == 0

    play(body, purges=True)


# --- crashes


def test_numbers_are_given_again_after_a_crash_unless_a_row_with_them_was_written():
    async def body(engine, session):
        await session.run("CREATE TABLE n (id INT AUTO_INCREMENT PRIMARY KEY, a INT UNIQUE)")
        await session.run("INSERT INTO n (a) VALUES (1), (2)")
        await session.run("BEGIN; INSERT INTO n (a) VALUES (3)")
        with pytest.raises(DatabaseError, match="Duplicate"):
            await session.run("INSERT INTO n (a) VALUES (1), (5)")  # the row of 4 was written; that of 5 was not
        await engine.crash()
        engine.restart()
        session = EngineSession(engine)
        await session.run("INSERT INTO n (a) VALUES (9)")
        return (await session.run("SELECT id FROM n ORDER BY id"))[0].rows

    assert play(body) == [(1,), (2,), (5,)]


def test_what_was_deleted_before_a_crash_is_purged_after_it():
    async def body(engine, session):
        await session.run("DELETE FROM t WHERE id = 20")
        await engine.crash()
        await asyncio.sleep(9)
        left = len(engine.table("t").clustered)
        engine.restart()
        await asyncio.sleep(9)
        return left, len(engine.table("t").clustered)

    assert play(body, purges=True) == (3, 2)


def test_a_session_of_a_server_that_is_down_is_refused():
    async def body(engine, session):
        await engine.crash()
        with pytest.raises(ConnectionLostError, match="Can't connect"):
            EngineSession(engine)
        with pytest.raises(ConnectionLostError, match="gone away"):
            await session.run("SELECT 1")
        return engine.sessions

    assert play(body) == {}
