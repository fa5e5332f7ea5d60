"""Transactions of a session: begun, committed, rolled back, at which level, with which savepoints."""

import pytest
from engine_sessions import alone, interleaved, outcome, play

from chatsim.db.session import Isolation

LEVELS = [*Isolation]


# --- transactions


def test_each_statement_is_a_transaction_of_its_own_until_one_is_begun():
    async def body(_, a, b):
        await a.run("UPDATE t SET a = 11 WHERE id = 1")
        assert (a.trx, a.in_transaction) == (None, False)
        assert await outcome(b, "SELECT a FROM t WHERE id = 1") == [(11,)]

    play(body)


@pytest.mark.parametrize(("end", "value"), [("COMMIT", 11), ("ROLLBACK", 10), ("BEGIN", 11), ("START TRANSACTION", 11)])
@pytest.mark.parametrize("begin", ["BEGIN", "START TRANSACTION", "SET autocommit = 0"])
def test_others_see_what_a_transaction_did_when_it_has_ended(begin, end, value):
    outcomes = interleaved(
        *(f"A: {begin}", "A: UPDATE t SET a = 11 WHERE id = 1", "B: SELECT a FROM t WHERE id = 1"),
        *("A: SELECT a FROM t WHERE id = 1", f"A: {end}", "B: SELECT a FROM t WHERE id = 1"),
    )
    assert outcomes[2:] == [[(10,)], [(11,)], 0, [(value,)]]


def test_autocommit_that_is_turned_on_again_commits():
    outcomes = interleaved("A: SET autocommit = 0", "A: DELETE FROM t", "A: SET autocommit = 1", "B: SELECT * FROM t")
    assert outcomes[-1] == []


def test_a_rollback_takes_back_all_rows_of_all_kinds_of_changes():
    before, *_, after = alone(
        *("SELECT * FROM t ORDER BY id", "BEGIN", "INSERT INTO t VALUES (4, 40)", "UPDATE t SET a = 41 WHERE id = 4"),
        *("UPDATE t SET id = 9 WHERE id = 1", "DELETE FROM t WHERE id = 2", "REPLACE INTO t VALUES (3, 41)"),
        *("ROLLBACK", "SELECT * FROM t ORDER BY id"),
    )
    assert before == after


def test_a_statement_that_fails_takes_back_its_own_changes_and_the_transaction_goes_on():
    outcomes = alone(
        "BEGIN",
        "INSERT INTO t VALUES (4, 40)",
        "INSERT INTO t VALUES (5, 50), (6, 10)",
        "COMMIT",
        "SELECT id FROM t ORDER BY id",
    )
    assert outcomes[2:] == ["1062: Duplicate entry '10' for key 't.a'", 0, [(1,), (2,), (3,), (4,)]]


# --- savepoints


def test_going_back_to_a_savepoint_takes_back_what_came_after_it():
    insert = "INSERT INTO t VALUES ({0}, {0}0)"
    outcomes = alone(
        *("BEGIN", insert.format(4), "SAVEPOINT s", insert.format(5), "ROLLBACK TO s", insert.format(6)),
        *("ROLLBACK TO SAVEPOINT S", "COMMIT", "SELECT id FROM t WHERE id > 3"),
    )
    assert outcomes[-1] == [(4,)]


@pytest.mark.parametrize(
    ("statements", "gone"),
    [
        (("SAVEPOINT a", "RELEASE SAVEPOINT a"), "a"),
        (("SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a"), "b"),
        (("SAVEPOINT a", "SAVEPOINT b", "RELEASE SAVEPOINT a"), "b"),
        (("SAVEPOINT a", "COMMIT", "BEGIN"), "a"),
        (("SAVEPOINT a", "ROLLBACK", "BEGIN"), "a"),
        ((), "a"),
    ],
)
def test_a_savepoint_that_is_not_there_any_more_is_refused_by_name(statements, gone):
    refusal = f"1305: SAVEPOINT {gone} does not exist"
    assert alone("BEGIN", *statements, f"ROLLBACK TO {gone}", f"RELEASE SAVEPOINT {gone}")[-2:] == [refusal] * 2


def test_a_savepoint_of_the_same_name_takes_the_place_of_the_older_one():
    outcomes = alone(
        "BEGIN",
        "SAVEPOINT s",
        "DELETE FROM t WHERE id = 1",
        "SAVEPOINT s",
        "DELETE FROM t",
        "ROLLBACK TO s",
        "SELECT id FROM t ORDER BY id",
    )
    assert outcomes[-1] == [(2,), (3,)]


# --- levels


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_set_for_the_session_by_its_variable(level):
    dashed = level.replace(" ", "-")
    for name, value in (("transaction_isolation", dashed), ("@@session.transaction_isolation", dashed.lower())):
        assert alone(f"SET {name} = '{value}'", "SELECT @@transaction_isolation") == [0, [(dashed,)]]


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_level_is_set_for_the_session_in_words(level):
    outcomes = alone(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}", "SELECT @@transaction_isolation")
    assert outcomes == [0, [(level.replace(" ", "-"),)]]


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_set_for_one_transaction_that_is_begun_with_it(level):
    async def body(_, session):
        await session.begin(level)
        await session.run("SELECT * FROM t")
        assert session.trx.isolation is level
        await session.commit()
        await session.begin()
        await session.run("SELECT * FROM t")
        assert session.trx.isolation is Isolation.REPEATABLE_READ

    play(body, sessions=1)


@pytest.mark.parametrize(
    ("level", "first", "second"),
    [("READ-UNCOMMITTED", 11, 11), ("READ-COMMITTED", 10, 11), ("REPEATABLE-READ", 10, 10)],
)
def test_what_a_reader_sees_of_others_depends_on_its_level(level, first, second):
    read = "B: SELECT a FROM t WHERE id = 1"
    outcomes = interleaved(
        *(f"B: SET transaction_isolation = '{level}'", "B: BEGIN", "A: BEGIN"),
        *("A: UPDATE t SET a = 11 WHERE id = 1", read, "A: COMMIT", read, "B: COMMIT", read),
    )
    assert (outcomes[4], outcomes[6], outcomes[8]) == ([(first,)], [(second,)], [(11,)])


def test_a_snapshot_is_taken_by_the_first_read_or_at_once_if_that_is_asked_for():
    for begin, seen in (("BEGIN", 11), ("START TRANSACTION WITH CONSISTENT SNAPSHOT", 10)):
        outcomes = interleaved(f"B: {begin}", "A: UPDATE t SET a = 11 WHERE id = 1", "B: SELECT a FROM t WHERE id = 1")
        assert outcomes[-1] == [(seen,)]


def test_at_serializable_a_plain_read_in_a_transaction_locks():
    async def body(engine, session):
        for statement, locked in (
            ("SELECT 1", 0),
            ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", 0),
            ("BEGIN", 2),
        ):
            await session.run(statement)
            await session.run("SELECT * FROM t WHERE id = 1")
            assert len(engine.data_locks()) == locked

    play(body, sessions=1)


def test_the_level_of_the_next_transaction_outlives_its_begin_and_is_not_set_within_one():
    said = alone(
        "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"
    )
    assert said[-1].startswith("1568: ")

    async def body(_, session):
        await session.run("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; BEGIN; SELECT * FROM t")
        return session.trx.isolation

    assert play(body, sessions=1) is Isolation.READ_UNCOMMITTED
