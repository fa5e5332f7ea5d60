"""INSERT and REPLACE: what is put in, what it counts as, which numbers it takes, and what is done about duplicates."""

from decimal import Decimal

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
TABLE = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(5), UNIQUE KEY ua (a), UNIQUE KEY ub (b))"
STRICT = "CREATE TABLE s (id INT PRIMARY KEY, n TINYINT NOT NULL, d DECIMAL(4,2), e ENUM('x','y'), c VARCHAR(3))"
ALL = "SELECT * FROM t ORDER BY id"


async def outcome(session, statement):
    """The rows; of a change, how many were changed and which number it took; or the refusal as text."""
    sql, *args = [statement] if isinstance(statement, str) else statement
    try:
        *_, answer = await session.run(sql, args)
    except DatabaseError as error:
        return f"{error.errno}: {error.message}"
    except NotImplementedError as error:
        return str(error)
    return (answer.affected, answer.insert_id) if answer.rows is None else answer.rows


def play(*statements, setup=(TABLE,), **engine):
    """What becomes of each statement, one after the other."""

    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False, **engine))
        for each in setup:
            await session.run(each)
        return [await outcome(session, each) for each in statements]

    return run(main())


def warnings(sql, *setup):
    """How many rows are changed, and the warnings."""

    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        for each in setup:
            await session.run(each)
        (answer,) = await session.run(sql)
        return answer.affected, answer.warnings

    return run(main())


FILLED = (TABLE, "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'), (3, 'z')")


# --- what is put in


@pytest.mark.parametrize(
    ("sql", "row"),
    [
        ("INSERT INTO t VALUES (5, 6, 'c')", (5, 6, "c")),
        ("INSERT INTO t (b, a) VALUES ('c', 6)", (1, 6, "c")),
        ("INSERT INTO t SET b = 'c', a = 6", (1, 6, "c")),
        ("INSERT INTO t (a) VALUES (2 + 3)", (1, 5, None)),
        ("INSERT INTO t VALUES (DEFAULT, 6, DEFAULT)", (1, 6, None)),
        ("INSERT INTO t () VALUES ()", (1, None, None)),
        ("INSERT INTO t VALUES ()", (1, None, None)),
        ("INSERT INTO t (a, b) SELECT 6, 'c'", (1, 6, "c")),
        ("INSERT INTO t (id, a) VALUES ('7', '8')", (7, 8, None)),
        ("INSERT INTO t (b) VALUES (12)", (1, None, "12")),
        (("INSERT INTO t (a, b) VALUES (?, ?)", 6, "c"), (1, 6, "c")),
    ],
)
def test_a_row_is_put_in_however_it_is_said(sql, row):
    assert play(sql, ALL) == [(1, row[0]), [row]]


def test_several_rows_are_put_in_at_once():
    assert play("INSERT INTO t (a) VALUES (1), (2), (NULL)", "SELECT a FROM t ORDER BY id") == [
        (3, 1),
        [(1,), (2,), (None,)],
    ]


def test_rows_are_put_in_that_are_read_elsewhere_or_in_the_table_itself():
    assert play(
        "INSERT INTO t (a) SELECT a + 10 FROM t WHERE a < 3 ORDER BY id",
        "SELECT id, a FROM t WHERE a > 9 ORDER BY id",
        setup=FILLED,
    ) == [
        (2, 4),
        [(4, 11), (5, 12)],
    ]
    assert play("INSERT INTO t (a) SELECT a FROM t WHERE a > 99", setup=FILLED) == [(0, 0)]
    assert play("INSERT INTO t (a) SELECT 5 UNION ALL SELECT 6", "SELECT COUNT(*) FROM t") == [(2, 1), [(2,)]]


def test_null_is_a_duplicate_of_nothing():
    assert play("INSERT INTO t (a, b) VALUES (NULL, NULL), (NULL, NULL)") == [(2, 1)]


# --- numbers


def test_a_number_that_is_not_given_is_taken_null_and_0_being_none():
    told = play(
        *(
            f"INSERT INTO t (id, a) VALUES ({given}, 1{at})"
            for at, given in enumerate(["NULL", "0", "DEFAULT", "9", "NULL"])
        )
    )
    assert told == [(1, 1), (1, 2), (1, 3), (1, 9), (1, 10)]


def test_the_first_number_taken_is_what_the_session_remembers():
    assert play(
        "INSERT INTO t (a) VALUES (1), (2)",
        "SELECT LAST_INSERT_ID()",
        "INSERT INTO t (id) VALUES (9)",
        "SELECT LAST_INSERT_ID()",
    ) == [
        (2, 1),
        [(1,)],
        (1, 9),
        [(1,)],
    ]


def test_the_numbers_of_rows_that_were_refused_or_rolled_back_are_lost():
    told = play("INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (1)", "INSERT INTO t (a) VALUES (2)")
    assert told == [(1, 1), "1062: Duplicate entry '1' for key 't.ua'", (1, 3)]
    told = play("BEGIN", "INSERT INTO t (a) VALUES (1)", "ROLLBACK", "INSERT INTO t (a) VALUES (1)")
    assert told[1::2] == [(1, 1), (1, 2)]


@pytest.mark.parametrize(("mode", "number"), [(0, 5), (1, 6), (2, 6)])
def test_rows_read_elsewhere_take_numbers_in_growing_portions_but_in_the_traditional_mode(mode, number):
    told = play(
        "INSERT INTO t (a) SELECT a + 10 FROM t",
        "INSERT INTO t (a) VALUES (99)",
        setup=(TABLE, "INSERT INTO t (a) VALUES (1), (2)"),
        autoinc_lock_mode=mode,
    )
    assert told == [(2, 3), (1, number)]


# --- refusals


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("INSERT INTO nope VALUES (1)", "1146: Table 'nope' doesn't exist"),
        ("INSERT INTO t (nope) VALUES (1)", "1054: Unknown column 'nope' in 'field list'"),
        ("INSERT INTO t (a) VALUES (1, 2)", "1136: Column count doesn't match value count at row 1"),
        ("INSERT INTO t (a, b) VALUES (7, 'q'), (8)", "1136: Column count doesn't match value count at row 2"),
        ("INSERT INTO t VALUES (1)", "1136: Column count doesn't match value count at row 1"),
        ("INSERT INTO t (a) SELECT 1, 2", "1136: Column count doesn't match value count at row 1"),
        ("INSERT INTO t (a) VALUES (nope)", "1054: Unknown column 'nope' in 'field list'"),
        ("INSERT INTO t (a) VALUES (9), (2)", "1062: Duplicate entry '2' for key 't.ua'"),
        ("INSERT INTO t (id, a) VALUES (2, 2)", "1062: Duplicate entry '2' for key 't.PRIMARY'"),
        ("INSERT INTO t (a, b) VALUES (9, 'X')", "1062: Duplicate entry 'X' for key 't.ub'"),
        ("INSERT INTO t (a) VALUES (9), ('abc')", "1366: Incorrect integer value: 'abc' for column 'a' at row 2"),
        ("INSERT INTO t (b) VALUES ('abcdef')", "1406: Data too long for column 'b' at row 1"),
        (
            "INSERT INTO t (a, b) VALUES (1, 'q') ON DUPLICATE KEY UPDATE nope = 1",
            "1054: Unknown column 'nope' in 'field list'",
        ),
        (
            "INSERT INTO t (a, b) VALUES (1, 'q') ON DUPLICATE KEY UPDATE b = 'y'",
            "1062: Duplicate entry 'y' for key 't.ub'",
        ),
        ("REPLACE INTO t (nope) VALUES (1)", "1054: Unknown column 'nope' in 'field list'"),
    ],
)
def test_a_wrong_insert_is_refused_with_the_culprit_and_puts_in_nothing(sql, refusal):
    before, told, after = play(ALL, sql, ALL, setup=FILLED)
    assert told == refusal
    assert before == after


@pytest.mark.parametrize(
    ("values", "refusal"),
    [
        ("1, NULL, 1, 'x', 'c'", "1048: Column 'n' cannot be null"),
        ("1, 128, 1, 'x', 'c'", "1264: Out of range value for column 'n' at row 1"),
        ("1, 1, 100, 'x', 'c'", "1264: Out of range value for column 'd' at row 1"),
        ("1, 1, 1, 'z', 'c'", "1265: Data truncated for column 'e' at row 1"),
        ("1, 1, 1, 3, 'c'", "1265: Data truncated for column 'e' at row 1"),
        ("1, 1, 1, 'x', 'cccc'", "1406: Data too long for column 'c' at row 1"),
        ("1, DEFAULT, 1, 'x', 'c'", "1364: Field 'n' doesn't have a default value"),
    ],
)
def test_a_value_that_a_column_cannot_keep_is_refused(values, refusal):
    assert play(f"INSERT INTO s VALUES ({values})", "SELECT * FROM s", setup=(STRICT,)) == [refusal, []]


def test_a_column_without_a_default_has_to_be_said():
    assert play("INSERT INTO s (id) VALUES (1)", setup=(STRICT,)) == ["1364: Field 'n' doesn't have a default value"]


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("INSERT INTO t (a) VALUES (9) RETURNING id", "RETURNING"),
        ("INSERT INTO t (a) VALUES (NOBODY_KNOWS())", "NOBODY_KNOWS"),
    ],
)
def test_what_the_model_has_not_is_refused_by_name_and_puts_in_nothing(sql, named):
    told, after = play(sql, "SELECT COUNT(*) FROM t", setup=FILLED)
    assert told.startswith("the model's SQL has no ")
    assert named in told
    assert after == [(3,)]


# --- IGNORE


def test_ignore_leaves_out_duplicates_and_warns_of_each():
    assert warnings("INSERT IGNORE INTO t (a) VALUES (1), (9), (2)", *FILLED) == (
        1,
        [(1062, "Duplicate entry '1' for key 't.ua'"), (1062, "Duplicate entry '2' for key 't.ua'")],
    )


@pytest.mark.parametrize(
    ("values", "row", "errno"),
    [
        ("1, 128, 1, 'x', 'c'", (1, 127, Decimal("1.00"), "x", "c"), 1264),
        ("1, 'abc', 1, 'x', 'c'", (1, 0, Decimal("1.00"), "x", "c"), 1366),
        ("1, 1, -100, 'x', 'c'", (1, 1, Decimal("-99.99"), "x", "c"), 1264),
        ("1, 1, 1, 'z', 'c'", (1, 1, Decimal("1.00"), "", "c"), 1265),
    ],
)
def test_ignore_keeps_the_nearest_value_and_warns(values, row, errno):
    sql = f"INSERT IGNORE INTO s VALUES ({values})"
    assert play(sql, "SELECT * FROM s", setup=(STRICT,))[1] == [row]
    assert [number for number, _ in warnings(sql, STRICT)[1]] == [errno]


def test_ignore_has_a_zero_where_a_column_has_no_default():
    sql = "INSERT IGNORE INTO s (id) VALUES (1)"
    assert play(sql, "SELECT id, n FROM s", setup=(STRICT,))[1] == [(1, 0)]
    assert warnings(sql, STRICT) == (1, [(1364, "Field 'n' doesn't have a default value")])


# --- ON DUPLICATE KEY UPDATE


@pytest.mark.parametrize(
    ("sql", "told", "rows"),
    [
        ("(9, 'q') ON DUPLICATE KEY UPDATE b = 'w'", (1, 4), [(1, "x"), (2, "y"), (3, "z"), (9, "q")]),
        ("(1, 'q') ON DUPLICATE KEY UPDATE b = 'w'", (2, 1), [(1, "w"), (2, "y"), (3, "z")]),
        ("(1, 'q') ON DUPLICATE KEY UPDATE b = VALUES(b)", (2, 1), [(1, "q"), (2, "y"), (3, "z")]),
        ("(1, 'q') AS new ON DUPLICATE KEY UPDATE b = new.b", (2, 1), [(1, "q"), (2, "y"), (3, "z")]),
        ("(1, 'q') ON DUPLICATE KEY UPDATE a = a + 10, b = CONCAT(b, a)", (2, 1), [(2, "y"), (3, "z"), (11, "x11")]),
        ("(7, 'Y') ON DUPLICATE KEY UPDATE a = 8", (2, 2), [(1, "x"), (3, "z"), (8, "y")]),
        ("(1, 'q'), (9, 'r') ON DUPLICATE KEY UPDATE b = 'w'", (3, 4), [(1, "w"), (2, "y"), (3, "z"), (9, "r")]),
        ("(1, 'y') ON DUPLICATE KEY UPDATE b = 'w'", (2, 1), [(1, "w"), (2, "y"), (3, "z")]),
    ],
)
def test_the_row_in_the_way_is_updated_instead_and_counts_twice(sql, told, rows):
    assert play(f"INSERT INTO t (a, b) VALUES {sql}", "SELECT a, b FROM t ORDER BY a", setup=FILLED) == [told, rows]


def test_a_row_in_the_way_that_is_so_already_counts_as_nothing():
    (affected, _), after = play(
        "INSERT INTO t (a, b) VALUES (1, 'q') ON DUPLICATE KEY UPDATE b = 'x'", ALL, setup=FILLED
    )
    assert affected == 0
    assert after[0] == (1, 1, "x")


def test_the_number_of_the_row_in_the_way_can_be_remembered():
    sql = "INSERT INTO t (a, b) VALUES (2, 'q') ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), b = 'w'"
    assert play(sql, "SELECT LAST_INSERT_ID()", setup=FILLED) == [(2, 2), [(2,)]]


# --- REPLACE


def test_replace_puts_a_row_in_where_none_is_in_the_way():
    assert play("REPLACE INTO t (a, b) VALUES (9, 'q')", "SELECT COUNT(*) FROM t", setup=FILLED) == [(1, 4), [(4,)]]


def test_replace_takes_the_place_of_every_row_in_the_way_and_counts_each():
    assert play("REPLACE INTO t (id, a, b) VALUES (1, 2, 'z')", ALL, setup=FILLED) == [(4, 1), [(1, 2, "z")]]


def test_what_replace_does_not_say_is_not_kept_but_has_its_default():
    told, after = play("REPLACE INTO t (id, b) VALUES (2, 'w')", ALL, setup=FILLED)
    assert told == (2, 2)
    assert after == [(1, 1, "x"), (2, None, "w"), (3, 3, "z")]


# --- without a key


def test_a_table_without_a_key_may_have_a_row_twice_and_shows_no_other_column():
    table = "CREATE TABLE n (a INT, b INT, KEY (a))"
    told = play(
        "INSERT INTO n VALUES (1, 1), (1, 1)",
        "INSERT INTO n SELECT * FROM n",
        "SELECT * FROM n",
        "INSERT INTO n VALUES (1, 2, 3)",
        setup=(table,),
    )
    assert told == [(2, 0), (2, 0), [(1, 1)] * 4, "1136: Column count doesn't match value count at row 1"]


def test_a_number_that_an_update_sets_is_no_matter_to_the_rows_behind_it():
    sql = "INSERT INTO t (a) VALUES (1), (9) ON DUPLICATE KEY UPDATE id = 5"
    assert play("INSERT INTO t (a) VALUES (1)", sql, "SELECT id FROM t ORDER BY id")[-1] == [(2,), (5,)]


def test_an_update_may_set_the_number_that_its_row_was_given_but_not_another_of_the_statement():
    given, another = (f"INSERT INTO t (a) VALUES (1), (9) ON DUPLICATE KEY UPDATE id = {id_}" for id_ in (2, 3))
    assert play("INSERT INTO t (a) VALUES (1)", given, "SELECT id FROM t ORDER BY id")[-1] == [(2,), (3,)]
    assert play("INSERT INTO t (a) VALUES (1)", another)[-1] == (
        "1869: Auto-increment value in UPDATE conflicts with internally generated values"
    )


def test_a_row_that_is_so_already_has_taken_no_number():
    sql = "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 1"
    assert play(sql, sql)[-1] == (0, 0)


def test_a_number_is_remembered_by_a_read_too():
    assert play("SELECT LAST_INSERT_ID(7)", "SELECT LAST_INSERT_ID()")[-1] == [(7,)]
    assert play("SET @x = LAST_INSERT_ID(9)", "SELECT LAST_INSERT_ID()")[-1] == [(9,)]


def test_columns_are_filled_in_the_order_in_which_the_statement_names_them():
    said = play("INSERT INTO s (c, n) VALUES ('long', 999)", setup=(STRICT,))
    assert said[0].startswith("1406: ")


def test_values_means_the_column_of_the_row_to_be_put_in_whatever_else_is_read():
    assert play(
        "INSERT INTO t (id, a) VALUES (1, 10), (2, 20)",
        "INSERT INTO t (id, a) SELECT u.id, u.id + 5 FROM t u WHERE u.id = 1 ON DUPLICATE KEY UPDATE a = VALUES(a)",
        "SELECT id, a FROM t ORDER BY id",
    )[-1] == [(1, 6), (2, 20)]
