"""A session: several statements in a text, waits, refusals, how it ends."""

import asyncio

import pytest
from engine_sessions import alone, interleaved, outcome, play


def test_a_text_without_a_statement_is_refused():
    assert alone("", " ; ") == ["1065: Query was empty"] * 2


def test_a_text_of_several_statements_stops_at_the_one_that_fails():
    assert alone(
        "UPDATE t SET a = 11 WHERE id = 1; SELECT nope; UPDATE t SET a = 22 WHERE id = 2",
        "SELECT a FROM t WHERE id < 3 ORDER BY id",
    ) == [
        "1054: Unknown column 'nope' in 'field list'",
        [(11,), (20,)],
    ]


# --- waiting


def test_a_wait_for_a_lock_ends_in_time_and_only_the_statement_is_lost():
    async def body(engine, a, b):
        await a.run("BEGIN; UPDATE t SET a = 11 WHERE id = 1")
        await b.run("SET innodb_lock_wait_timeout = 3; BEGIN; UPDATE t SET a = 22 WHERE id = 2")
        began = asyncio.get_running_loop().time()
        assert (
            await outcome(b, "DELETE FROM t WHERE id <> 2")
            == "1205: Lock wait timeout exceeded; try restarting transaction"
        )
        assert asyncio.get_running_loop().time() - began == 3
        assert b.in_transaction
        assert engine.data_lock_waits() == []
        await a.run("ROLLBACK")
        assert await outcome(b, "COMMIT; SELECT a FROM t ORDER BY id") == [(10,), (22,), (30,)]

    play(body)


def test_a_lock_that_cannot_be_had_at_once_is_refused_or_left_out_as_asked():
    outcomes = interleaved(
        "A: BEGIN",
        "A: DELETE FROM t WHERE id = 1",
        "B: SELECT id FROM t WHERE id = 1 FOR UPDATE NOWAIT",
        "B: SELECT id FROM t FORCE INDEX (PRIMARY) ORDER BY id FOR UPDATE SKIP LOCKED",
    )
    assert outcomes[2].startswith("3572: ")
    assert outcomes[3] == [(2,), (3,)]


# --- refusals, and the end


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW CREATE VIEW t",
        "SHOW CREATE PROCEDURE t",
        "SHOW ENGINE INNODB MUTEX",
        "EXPLAIN FORMAT=JSON SELECT 1",
        "SHOW STATUS",
        "SELECT * FROM information_schema.TABLES",
        "HANDLER t OPEN",
        "CHECK TABLE t",
        "CALL p()",
        "GRANT ALL ON t TO x",
        "SET PASSWORD = 'x'",
        "SET PASSWORD FOR root = 'x'",
        "SET ROLE x",
        "SELECT * INTO OUTFILE '/x' FROM t",
        "SELECT * FROM t INTO DUMPFILE '/x'",
    ],
)
def test_a_statement_of_another_kind_is_refused_by_name_and_the_transaction_goes_on(sql):
    outcomes = alone("BEGIN", "UPDATE t SET a = 11 WHERE id = 1", sql, "ROLLBACK", "SELECT a FROM t WHERE id = 1")
    assert outcomes[2].startswith("the model's SQL has no ")
    assert outcomes[4] == [(10,)]


def test_closing_rolls_back_and_lets_go_of_everything():
    async def body(engine, a, b):
        await a.run("DO GET_LOCK('name', 0); BEGIN; UPDATE t SET a = 11 WHERE id = 1")
        a.close()
        assert engine.data_locks() == []
        assert a.connection_id not in engine.sessions
        assert await outcome(b, "SELECT GET_LOCK('name', 0), IS_USED_LOCK('name') = CONNECTION_ID()") == [(1, 1)]
        assert await outcome(b, "ALTER TABLE t ADD COLUMN b INT; SELECT a FROM t WHERE id = 1") == [(10,)]

    play(body)


def test_a_statement_that_is_cancelled_while_it_waits_takes_its_transaction_with_it():
    async def body(engine, a, b):
        await a.run("BEGIN; UPDATE t SET a = 11 WHERE id = 1")
        await b.run("BEGIN; UPDATE t SET a = 22 WHERE id = 2")
        waits = asyncio.ensure_future(b.run("DELETE FROM t WHERE id = 1"))
        await asyncio.sleep(1)
        waits.cancel()
        await asyncio.wait([waits])
        assert not b.in_transaction
        assert {each.session for each in engine.data_locks()} == {a.connection_id}
        assert await outcome(b, "SELECT a FROM t WHERE id = 2") == [(20,)]

    play(body)


def test_arguments_are_counted():
    with pytest.raises(ValueError, match="1 arguments for 2 placeholders"):
        play(lambda _, session: session.run("SELECT ?, ?", [1]), sessions=1)


@pytest.mark.parametrize("sql", ["SELECT nope FROM t", "SELECT id FROM t HAVING id > 1", "CREATE INDEX i ON t (nope)"])
def test_a_refused_statement_keeps_no_table(sql):
    assert interleaved(f"A: {sql}", "B: DROP TABLE t", "B: CREATE TABLE t (a INT)")[1:] == [0, 0]


def test_a_snapshot_is_too_old_for_a_column_that_came_later():
    said = interleaved(
        *("A: START TRANSACTION WITH CONSISTENT SNAPSHOT", "B: ALTER TABLE t ADD COLUMN c INT"),
        *("A: SELECT * FROM t", "A: COMMIT", "A: SELECT c FROM t WHERE id = 1"),
    )
    assert said[2].startswith("1412: ")
    assert said[-1] == [(None,)]


# --- its statement, as a report of a deadlock shows it


def test_the_text_of_its_statement_has_the_arguments_in_their_places():
    async def body(_, session):
        await session.run("SELECT 1; SELECT '?', a + ? /* ? */ FROM t WHERE id = ?", (1, "it's"))
        return session.statement

    assert play(body, sessions=1) == "SELECT '?', a + 1 /* ? */ FROM t WHERE id = 'it''s'"
