"""A session: what it has open, at which level, what a failure takes back, what it remembers, what it lets go of."""

import asyncio

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.db.session import Isolation
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT UNIQUE)"
FILLED = "INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)"
LEVELS = [*Isolation]


async def told(session, sql, *args):
    """The rows, how many were changed, or the refusal as text."""
    try:
        *_, answer = await session.run(sql, args)
    except DatabaseError as error:
        return f"{error.errno}: {error.message}"
    except NotImplementedError as error:
        return str(error)
    return answer.affected if answer.rows is None else answer.rows


def play(body, *, sessions=2):
    """Run ``body`` with an engine that has the table, and some sessions."""

    async def main():
        engine = Engine(lambda: NOW + asyncio.get_running_loop().time(), purges=False)
        await EngineSession(engine).run(f"{TABLE}; {FILLED}")
        return await body(engine, *(EngineSession(engine) for _ in range(sessions)))

    return run(main())


def alone(*statements):
    """What one session is told by each statement."""

    async def body(_, session):
        return [await told(session, each) for each in statements]

    return play(body, sessions=1)


def interleaved(*steps):
    """What two sessions are told; each step is ``A`` or ``B`` and a statement."""

    async def body(_, a, b):
        return [await told(a if who == "A" else b, sql) for who, sql in (step.split(": ", 1) for step in steps)]

    return play(body)


# --- transactions


def test_each_statement_is_a_transaction_of_its_own_until_one_is_begun():
    async def body(_, a, b):
        await a.run("UPDATE t SET a = 11 WHERE id = 1")
        assert (a.trx, a.in_transaction) == (None, False)
        assert await told(b, "SELECT a FROM t WHERE id = 1") == [(11,)]

    play(body)


@pytest.mark.parametrize(("end", "value"), [("COMMIT", 11), ("ROLLBACK", 10), ("BEGIN", 11), ("START TRANSACTION", 11)])
@pytest.mark.parametrize("begin", ["BEGIN", "START TRANSACTION", "SET autocommit = 0"])
def test_others_see_what_a_transaction_did_when_it_has_ended(begin, end, value):
    outcome = interleaved(
        *(f"A: {begin}", "A: UPDATE t SET a = 11 WHERE id = 1", "B: SELECT a FROM t WHERE id = 1"),
        *("A: SELECT a FROM t WHERE id = 1", f"A: {end}", "B: SELECT a FROM t WHERE id = 1"),
    )
    assert outcome[2:] == [[(10,)], [(11,)], 0, [(value,)]]


def test_autocommit_that_is_turned_on_again_commits():
    outcome = interleaved("A: SET autocommit = 0", "A: DELETE FROM t", "A: SET autocommit = 1", "B: SELECT * FROM t")
    assert outcome[-1] == []


def test_a_rollback_takes_back_all_rows_of_all_kinds_of_changes():
    before, *_, after = alone(
        *("SELECT * FROM t ORDER BY id", "BEGIN", "INSERT INTO t VALUES (4, 40)", "UPDATE t SET a = 41 WHERE id = 4"),
        *("UPDATE t SET id = 9 WHERE id = 1", "DELETE FROM t WHERE id = 2", "REPLACE INTO t VALUES (3, 41)"),
        *("ROLLBACK", "SELECT * FROM t ORDER BY id"),
    )
    assert before == after


def test_a_statement_that_fails_takes_back_its_own_changes_and_the_transaction_goes_on():
    outcome = alone(
        "BEGIN",
        "INSERT INTO t VALUES (4, 40)",
        "INSERT INTO t VALUES (5, 50), (6, 10)",
        "COMMIT",
        "SELECT id FROM t ORDER BY id",
    )
    assert outcome[2:] == ["1062: Duplicate entry '10' for key 't.a'", 0, [(1,), (2,), (3,), (4,)]]


def test_a_text_of_several_statements_stops_at_the_one_that_fails():
    assert alone(
        "UPDATE t SET a = 11 WHERE id = 1; SELECT nope; UPDATE t SET a = 22 WHERE id = 2",
        "SELECT a FROM t WHERE id < 3 ORDER BY id",
    ) == [
        "1054: Unknown column 'nope' in 'field list'",
        [(11,), (20,)],
    ]


def test_a_text_without_a_statement_is_refused():
    assert alone("", " ; ") == ["1065: Query was empty"] * 2


# --- savepoints


def test_going_back_to_a_savepoint_takes_back_what_came_after_it():
    insert = "INSERT INTO t VALUES ({0}, {0}0)"
    outcome = alone(
        *("BEGIN", insert.format(4), "SAVEPOINT s", insert.format(5), "ROLLBACK TO s", insert.format(6)),
        *("ROLLBACK TO SAVEPOINT S", "COMMIT", "SELECT id FROM t WHERE id > 3"),
    )
    assert outcome[-1] == [(4,)]


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
    outcome = alone(
        "BEGIN",
        "SAVEPOINT s",
        "DELETE FROM t WHERE id = 1",
        "SAVEPOINT s",
        "DELETE FROM t",
        "ROLLBACK TO s",
        "SELECT id FROM t ORDER BY id",
    )
    assert outcome[-1] == [(2,), (3,)]


# --- levels


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_is_set_for_the_session_by_its_variable(level):
    dashed = level.replace(" ", "-")
    for name, value in (("transaction_isolation", dashed), ("@@session.transaction_isolation", dashed.lower())):
        assert alone(f"SET {name} = '{value}'", "SELECT @@transaction_isolation") == [0, [(dashed,)]]


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_level_is_set_for_the_session_in_words(level):
    outcome = alone(f"SET SESSION TRANSACTION ISOLATION LEVEL {level}", "SELECT @@transaction_isolation")
    assert outcome == [0, [(level.replace(" ", "-"),)]]


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
    outcome = interleaved(
        *(f"B: SET transaction_isolation = '{level}'", "B: BEGIN", "A: BEGIN"),
        *("A: UPDATE t SET a = 11 WHERE id = 1", read, "A: COMMIT", read, "B: COMMIT", read),
    )
    assert (outcome[4], outcome[6], outcome[8]) == ([(first,)], [(second,)], [(11,)])


def test_a_snapshot_is_taken_by_the_first_read_or_at_once_if_that_is_asked_for():
    for begin, seen in (("BEGIN", 11), ("START TRANSACTION WITH CONSISTENT SNAPSHOT", 10)):
        outcome = interleaved(f"B: {begin}", "A: UPDATE t SET a = 11 WHERE id = 1", "B: SELECT a FROM t WHERE id = 1")
        assert outcome[-1] == [(seen,)]


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


# --- waiting


def test_a_wait_for_a_lock_ends_in_time_and_only_the_statement_is_lost():
    async def body(engine, a, b):
        await a.run("BEGIN; UPDATE t SET a = 11 WHERE id = 1")
        await b.run("SET innodb_lock_wait_timeout = 3; BEGIN; UPDATE t SET a = 22 WHERE id = 2")
        began = asyncio.get_running_loop().time()
        assert (
            await told(b, "DELETE FROM t WHERE id <> 2")
            == "1205: Lock wait timeout exceeded; try restarting transaction"
        )
        assert asyncio.get_running_loop().time() - began == 3
        assert b.in_transaction
        assert engine.data_lock_waits() == []
        await a.run("ROLLBACK")
        assert await told(b, "COMMIT; SELECT a FROM t ORDER BY id") == [(10,), (22,), (30,)]

    play(body)


def test_a_lock_that_cannot_be_had_at_once_is_refused_or_left_out_as_asked():
    outcome = interleaved(
        "A: BEGIN",
        "A: DELETE FROM t WHERE id = 1",
        "B: SELECT id FROM t WHERE id = 1 FOR UPDATE NOWAIT",
        "B: SELECT id FROM t FORCE INDEX (PRIMARY) ORDER BY id FOR UPDATE SKIP LOCKED",
    )
    assert outcome[2].startswith("3572: ")
    assert outcome[3] == [(2,), (3,)]


# --- what a session remembers


def test_a_variable_is_null_until_it_is_set_and_its_name_is_the_same_in_any_case():
    assert alone("SELECT @a", "SET @A = 5, @b = 'x'", "SELECT @a, @B", "SET @a := NULL", "SELECT @a") == [
        *([(None,)], 0, [(5, "x")]),
        *(0, [(None,)]),
    ]


def test_variables_are_a_sessions_own_and_outlive_a_rollback():
    assert interleaved("A: BEGIN", "A: SET @a = 5", "A: ROLLBACK", "A: SELECT @a", "B: SELECT @a")[3:] == [
        [(5,)],
        [(None,)],
    ]


def test_the_last_number_is_a_sessions_own():
    outcome = interleaved(
        *(
            "A: CREATE TABLE n (id INT AUTO_INCREMENT PRIMARY KEY)",
            "A: INSERT INTO n VALUES ()",
            "B: INSERT INTO n VALUES ()",
        ),
        *("A: SELECT LAST_INSERT_ID()", "B: SELECT LAST_INSERT_ID()", "A: SELECT CONNECTION_ID() <> 0"),
    )
    assert outcome[3:] == [[(1,)], [(2,)], [(1,)]]


@pytest.mark.parametrize(
    ("sql", "name", "value"),
    [
        (None, "autocommit", 1),
        ("SET autocommit = 0", "autocommit", 0),
        ("SET innodb_lock_wait_timeout = 7", "innodb_lock_wait_timeout", 7),
        ("SET SESSION innodb_lock_wait_timeout = 7", "session.innodb_lock_wait_timeout", 7),
        (None, "innodb_lock_wait_timeout", 50),
        (None, "innodb_autoinc_lock_mode", 2),
        (None, "transaction_isolation", "REPEATABLE-READ"),
    ],
)
def test_a_system_variable_is_as_it_was_set(sql, name, value):
    assert alone(*([sql] if sql else []), f"SELECT @@{name}")[-1] == [(value,)]


def test_a_system_variable_that_there_is_not_is_refused_by_name():
    assert alone("SELECT @@nope", "SET nope = 1") == ["1193: Unknown system variable 'nope'"] * 2


# --- refusals, and the end


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES",
        "SHOW WARNINGS",
        "EXPLAIN FORMAT=JSON SELECT 1",
        "DESCRIBE t",
        "USE other",
        "KILL 1",
        "LOCK TABLES t READ",
        "CALL p()",
        "GRANT ALL ON t TO x",
        "SET TRANSACTION READ ONLY",
    ],
)
def test_a_statement_of_another_kind_is_refused_by_name_and_the_transaction_goes_on(sql):
    outcome = alone("BEGIN", "UPDATE t SET a = 11 WHERE id = 1", sql, "ROLLBACK", "SELECT a FROM t WHERE id = 1")
    assert outcome[2].startswith("the model's SQL has no ")
    assert outcome[4] == [(10,)]


def test_closing_rolls_back_and_lets_go_of_everything():
    async def body(engine, a, b):
        await a.run("DO GET_LOCK('name', 0); BEGIN; UPDATE t SET a = 11 WHERE id = 1")
        a.close()
        assert engine.data_locks() == []
        assert a.connection_id not in engine.sessions
        assert await told(b, "SELECT GET_LOCK('name', 0), IS_USED_LOCK('name') = CONNECTION_ID()") == [(1, 1)]
        assert await told(b, "ALTER TABLE t ADD COLUMN b INT; SELECT a FROM t WHERE id = 1") == [(10,)]

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
        assert await told(b, "SELECT a FROM t WHERE id = 2") == [(20,)]

    play(body)


def test_the_level_of_the_next_transaction_outlives_its_begin_and_is_not_set_within_one():
    said = alone(
        "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "BEGIN", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"
    )
    assert said[-1].startswith("1568: ")

    async def body(_, session):
        await session.run("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; BEGIN; SELECT * FROM t")
        return session.trx.isolation

    assert play(body, sessions=1) is Isolation.READ_UNCOMMITTED


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SET transaction_isolation = 'nope'", "1231: "),
        ("SET autocommit = 2", "1231: "),
        ("SET innodb_lock_wait_timeout = 'a'", "1232: "),
        ("SET GLOBAL autocommit = 0", "the model's SQL has no"),
        ("SET @@GLOBAL.autocommit = 0", "the model's SQL has no"),
        ("SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE", "the model's SQL has no"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(sql, said):
    assert alone(sql)[0].startswith(said)


def test_switches_and_names_are_set_in_words():
    assert alone("SET autocommit = OFF", "SET NAMES utf8mb4", "SELECT @@autocommit")[-1] == [(0,)]


def test_several_values_go_into_several_variables():
    assert alone("SELECT 1, 2 INTO @a, @b", "SELECT @a, @b")[-1] == [(1, 2)]


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
