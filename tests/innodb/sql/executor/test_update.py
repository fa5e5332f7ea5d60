"""UPDATE and DELETE: which rows they change, how many that are, and that a refused one has changed nothing."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
FILLED = (
    "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(3) NOT NULL, KEY ka (a), UNIQUE KEY ub (b))",
    "INSERT INTO t VALUES (1, 10, 'x'), (2, NULL, 'y'), (3, 30, 'z'), (4, 10, 'w')",
)
ALL = "SELECT * FROM t ORDER BY id"


async def outcome(session, sql, args=()):
    """The rows, how many were changed, or the refusal as text."""
    try:
        *_, answer = await session.run(sql, args)
    except DatabaseError as error:
        return f"{error.errno}: {error.message}"
    except NotImplementedError as error:
        return str(error)
    return answer.affected if answer.rows is None else answer.rows


def play(*statements, setup=FILLED):
    """What becomes of each statement, one after the other."""

    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        for each in setup:
            await session.run(each)
        return [await outcome(session, each) for each in statements]

    return run(main())


def column(sql, name="a"):
    """How many rows a statement changes, and the values of a column then, in the order of the key."""
    affected, rows = play(sql, f"SELECT {name} FROM t ORDER BY id")
    return affected, [value for (value,) in rows]


def examined(sql):
    """How many rows a statement examines."""

    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        for each in FILLED:
            await session.run(each)
        before = session.engine.examined
        await session.run(sql)
        return session.engine.examined - before

    return run(main())


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("UPDATE t FORCE INDEX (ka) SET b = 'q' WHERE a = 30", 1),
        ("UPDATE t FORCE INDEX (ka) SET a = 7 WHERE a IN (10, 30)", 3 + 3),
        ("UPDATE t SET a = 7 ORDER BY b LIMIT 2", 4 + 2),
        ("DELETE FROM t ORDER BY b LIMIT 2", 4 + 2),
        ("DELETE FROM t FORCE INDEX (ka) WHERE a = 10", 2),
    ],
)
def test_rows_that_are_all_found_first_are_read_twice(sql, number):
    """As MySQL 9.7 counts them in ROWS_EXAMINED."""
    assert examined(sql) == number


# --- UPDATE


@pytest.mark.parametrize(
    ("sql", "affected", "values"),
    [
        ("UPDATE t SET a = 7", 4, [7, 7, 7, 7]),
        ("UPDATE t SET a = 7 WHERE a = 10", 2, [7, None, 30, 7]),
        ("UPDATE t SET a = 10 WHERE id IN (1, 2)", 1, [10, 10, 30, 10]),
        ("UPDATE t SET a = a + 1", 3, [11, None, 31, 11]),
        ("UPDATE t SET a = a + 1 WHERE a > 5", 3, [11, None, 31, 11]),
        ("UPDATE t SET a = a", 0, [10, None, 30, 10]),
        ("UPDATE t SET a = NULL WHERE b = 'X'", 1, [None, None, 30, 10]),
        ("UPDATE t SET a = '7' WHERE id = 3", 1, [10, None, 7, 10]),
        ("UPDATE t SET a = 5 / 2 WHERE id = 3", 1, [10, None, 3, 10]),
        ("UPDATE t SET a = IF(a IS NULL, 0, -a)", 4, [-10, 0, -30, -10]),
        ("UPDATE t SET a = 7 WHERE id > 99", 0, [10, None, 30, 10]),
        ("UPDATE t SET a = 7 LIMIT 0", 0, [10, None, 30, 10]),
        ("UPDATE t SET a = 7 ORDER BY id DESC LIMIT 2", 2, [10, None, 7, 7]),
        ("UPDATE t SET a = 7 ORDER BY a DESC, id LIMIT 2", 2, [7, None, 7, 10]),
        ("UPDATE t AS x SET x.a = 7 WHERE x.id = 1", 1, [7, None, 30, 10]),
        ("UPDATE t FORCE INDEX (ka) SET a = a + 20 WHERE a >= 10", 3, [30, None, 50, 30]),
    ],
)
def test_rows_that_are_meant_are_changed_and_those_that_were_so_already_do_not_count(sql, affected, values):
    assert column(sql) == (affected, values)


def test_assignments_are_made_one_after_the_other_each_seeing_those_before_it():
    assert play("UPDATE t SET a = a + 1, b = a WHERE id = 1", "SELECT a, b FROM t WHERE id = 1") == [1, [(11, "11")]]
    assert play("UPDATE t SET a = 1, a = a + 1 WHERE id = 1", "SELECT a FROM t WHERE id = 1") == [1, [(2,)]]


def test_keys_can_be_moved_in_an_order_that_leaves_none_in_the_way():
    assert column("UPDATE t SET id = id + 1 ORDER BY id DESC", "id") == (4, [2, 3, 4, 5])
    assert column("UPDATE t SET id = id + 1", "id") == ("1062: Duplicate entry '2' for key 't.PRIMARY'", [1, 2, 3, 4])


def test_a_moved_row_is_found_in_every_index_at_its_new_place_only():
    told = play(
        *("UPDATE t SET id = 9, a = 99, b = 'q' WHERE id = 1", "SELECT id FROM t FORCE INDEX (ka) WHERE a IN (10, 99)"),
        *("SELECT id FROM t FORCE INDEX (ub) WHERE b IN ('x', 'q')", "SELECT a FROM t WHERE id IN (1, 9)"),
    )
    assert told == [1, [(4,), (9,)], [(9,)], [(99,)]]


def test_a_moment_moves_on_when_another_column_changes_and_only_then():
    table = "CREATE TABLE m (id INT PRIMARY KEY, a INT, at DATETIME DEFAULT '2000-01-01' ON UPDATE CURRENT_TIMESTAMP)"
    then, now = datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2023-11-14 22:13:20")
    for change, moment in (("a = 1", then), ("a = 2", now), ("a = 2, at = at", then)):
        told = play(f"UPDATE m SET {change}", "SELECT at FROM m", setup=(table, "INSERT INTO m (id, a) VALUES (1, 1)"))
        assert told[1] == [(moment,)]


# --- DELETE


@pytest.mark.parametrize(
    ("sql", "affected", "left"),
    [
        ("DELETE FROM t", 4, []),
        ("DELETE FROM t WHERE a = 10", 2, [2, 3]),
        ("DELETE FROM t WHERE a IS NULL", 1, [1, 3, 4]),
        ("DELETE FROM t WHERE b IN ('X', 'z', 'nobody')", 2, [2, 4]),
        ("DELETE FROM t WHERE id > 99", 0, [1, 2, 3, 4]),
        ("DELETE FROM t LIMIT 0", 0, [1, 2, 3, 4]),
        ("DELETE FROM t ORDER BY id DESC LIMIT 1", 1, [1, 2, 3]),
        ("DELETE FROM t WHERE a IS NOT NULL ORDER BY a DESC, id LIMIT 2", 2, [2, 4]),
        ("DELETE FROM t AS x WHERE x.id = 4", 1, [1, 2, 3]),
    ],
)
def test_rows_that_are_meant_are_gone(sql, affected, left):
    assert column(sql, "id") == (affected, left)


def test_what_was_deleted_can_be_put_in_again():
    assert play("DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (1, 11, 'x')", ALL)[1:] == [
        1,
        [(1, 11, "x"), (2, None, "y"), (3, 30, "z"), (4, 10, "w")],
    ]


def test_a_table_without_a_key_loses_and_changes_one_of_two_rows_that_are_alike():
    setup = ("CREATE TABLE n (a INT, b INT, KEY (a))", "INSERT INTO n VALUES (1, 1), (1, 1)")
    told = play("UPDATE n SET b = 9 LIMIT 1", "DELETE FROM n WHERE b = 1 LIMIT 1", "SELECT * FROM n", setup=setup)
    assert told == [1, 1, [(1, 9)]]


# --- refusals


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("UPDATE nope SET a = 1", "1146: Table 'nope' doesn't exist"),
        ("UPDATE t SET nope = 1", "1054: Unknown column 'nope' in 'field list'"),
        ("UPDATE t SET a = nope", "1054: Unknown column 'nope' in 'field list'"),
        ("UPDATE t SET b = NULL WHERE id = 1", "1048: Column 'b' cannot be null"),
        ("UPDATE t SET b = 'abcd' WHERE id = 1", "1406: Data too long for column 'b' at row 1"),
        ("UPDATE t SET a = 'abc' WHERE id = 1", "1366: Incorrect integer value: 'abc' for column 'a' at row 1"),
        ("UPDATE t SET a = 99999999999 WHERE id = 1", "1264: Out of range value for column 'a' at row 1"),
        ("UPDATE t SET id = 2 WHERE id = 1", "1062: Duplicate entry '2' for key 't.PRIMARY'"),
        ("UPDATE t SET b = 'Y' WHERE id = 1", "1062: Duplicate entry 'Y' for key 't.ub'"),
        ("UPDATE t SET a = 5, b = 'same'", "1406: Data too long for column 'b' at row 1"),
        ("UPDATE t SET a = 5, b = 'new'", "1062: Duplicate entry 'new' for key 't.ub'"),
        ("DELETE FROM nope", "1146: Table 'nope' doesn't exist"),
        ("DELETE x FROM t", "1109: Unknown table 'x' in MULTI DELETE"),
        ("DELETE FROM t USING t AS x", "1109: Unknown table 't' in MULTI DELETE"),
        ("DELETE t, t FROM t", "1066: Not unique table/alias: 't'"),
        ("UPDATE t, t AS x SET t.a = 1 LIMIT 1", "1221: Incorrect usage of UPDATE and LIMIT"),
        ("UPDATE t JOIN t AS x SET t.a = 1 ORDER BY t.id", "1221: Incorrect usage of UPDATE and ORDER BY"),
        ("UPDATE t JOIN t SET t.a = 1", "1066: Not unique table/alias: 't'"),
        ("UPDATE t JOIN (SELECT 1 AS n) x SET x.n = 2", "1288: The target table x of the UPDATE is not updatable"),
        (
            "UPDATE t SET a = (SELECT MAX(a) FROM t)",
            "1093: You can't specify target table 't' for update in FROM clause",
        ),
        (
            "DELETE FROM t WHERE id IN (SELECT id FROM t)",
            "1093: You can't specify target table 't' for update in FROM clause",
        ),
        (
            "UPDATE t SET a = SUM(1) OVER () WHERE id = 1",
            "3593: You cannot use the window function 'sum' in this context.'",
        ),
    ],
)
def test_a_wrong_change_is_refused_with_the_culprit_and_has_changed_no_row(sql, refusal):
    before, told, after = play(ALL, sql, ALL)
    assert before == after
    assert told == refusal


def test_a_refused_change_leaves_what_the_transaction_did_before():
    told = play("BEGIN", "UPDATE t SET a = 1 WHERE id = 1", "UPDATE t SET b = 'new'", "SELECT a FROM t WHERE id = 1")
    assert told[2:] == ["1062: Duplicate entry 'new' for key 't.ub'", [(1,)]]


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("DELETE FROM t RETURNING id", "RETURNING"),
    ],
)
def test_what_the_model_has_not_is_refused_by_name_and_has_changed_no_row(sql, named):
    before, told, after = play(ALL, sql, ALL, setup=(*FILLED, "CREATE TABLE u (id INT PRIMARY KEY)"))
    assert told.startswith("the model's SQL has no ")
    assert named in told
    assert before == after


# --- every index says the same


CHANGES = st.one_of(
    st.builds(
        "INSERT INTO t VALUES ({}, {}, '{}')".format, st.integers(1, 9), st.integers(1, 4), st.sampled_from("abcdXY")
    ),
    st.builds(
        "REPLACE INTO t VALUES ({}, {}, '{}')".format, st.integers(1, 9), st.integers(1, 4), st.sampled_from("abcdXY")
    ),
    st.builds("UPDATE t SET a = {} WHERE id > {}".format, st.integers(1, 4), st.integers(0, 9)),
    st.builds("UPDATE t SET a = a + 1 WHERE a >= {}".format, st.integers(1, 4)),
    st.builds("UPDATE t SET id = id + {} WHERE a = {}".format, st.integers(1, 3), st.integers(1, 4)),
    st.builds("UPDATE t SET b = '{}' WHERE id = {}".format, st.sampled_from("abcd"), st.integers(1, 9)),
    st.builds("DELETE FROM t WHERE a = {}".format, st.integers(1, 4)),
    st.builds("DELETE FROM t ORDER BY id LIMIT {}".format, st.integers(0, 2)),
    st.sampled_from(["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s"]),
)


WAYS = ("(PRIMARY) WHERE id > -9", "(ka) WHERE a > -9", "(ub) WHERE b >= ''")


@settings(max_examples=150)
@given(st.lists(CHANGES, max_size=15))
def test_after_any_changes_every_index_has_the_same_rows_before_and_after_the_purge(changes):
    async def main():
        engine = Engine(lambda: NOW, purges=False)
        session = EngineSession(engine)
        for each in (*FILLED, "DELETE FROM t WHERE a IS NULL"):
            await session.run(each)
        for each in changes:
            await outcome(session, each)
        found = [await outcome(session, f"SELECT * FROM t FORCE INDEX {way} ORDER BY id") for way in WAYS]
        await session.commit()
        while engine.purge():
            pass
        return found + [await outcome(session, f"SELECT * FROM t FORCE INDEX {way} ORDER BY id") for way in WAYS]

    first, *others = run(main())
    assert others == [first] * 5


def test_a_row_that_a_trigger_has_changed_has_new_generated_columns_and_is_checked():
    setup = (
        "CREATE TABLE t (id INT PRIMARY KEY, v INT, twice INT AS (v * 2), KEY by_twice (twice), CHECK (v < 9))",
        "INSERT INTO t (id, v) VALUES (1, 1), (2, 2)",
        "CREATE TRIGGER raised BEFORE UPDATE ON t FOR EACH ROW SET NEW.v = NEW.v + 5",
    )
    assert play(
        "UPDATE t SET id = id WHERE id = 1",
        "SELECT id FROM t WHERE twice = 12",
        "UPDATE t SET v = v + 2 WHERE id = 2",
        setup=setup,
    ) == [1, [(1,)], "3819: Check constraint 't_chk_1' is violated."]
