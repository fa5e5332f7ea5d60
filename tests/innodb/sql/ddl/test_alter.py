"""ALTER TABLE, CREATE INDEX, DROP INDEX, RENAME TABLE: what becomes of rows, keys and constraints."""

import pytest

from tests.engine_sessions import alone, outcome, play

ALL_COLUMNS = "You can't delete all columns with ALTER TABLE; use DROP TABLE instead"
TWICE = "1062: Duplicate entry '1' for key"
PARENT = "CREATE TABLE p (id INT PRIMARY KEY, x INT, KEY kx (x))"
CHILD = "CREATE TABLE k (id INT PRIMARY KEY, p INT, CONSTRAINT f FOREIGN KEY (p) REFERENCES p (x) ON DELETE CASCADE)"


@pytest.mark.parametrize(
    ("actions", "rows"),
    [
        ("ADD b INT NOT NULL", [(1, 10, 0), (2, 20, 0), (3, 30, 0)]),
        ("ADD b INT DEFAULT 7 FIRST", [(7, 1, 10), (7, 2, 20), (7, 3, 30)]),
        ("ADD b VARCHAR(5) DEFAULT (CONCAT('x', 'y')) AFTER id", [(1, "xy", 10), (2, "xy", 20), (3, "xy", 30)]),
        ("DROP COLUMN a", [(1,), (2,), (3,)]),
        ("DROP COLUMN id", [(10,), (20,), (30,)]),
        ("MODIFY a VARCHAR(5)", [(1, "10"), (2, "20"), (3, "30")]),
        ("CHANGE a b BIGINT FIRST", [(10, 1), (20, 2), (30, 3)]),
        ("DROP COLUMN a, ADD COLUMN a INT DEFAULT 5", [(1, 5), (2, 5), (3, 5)]),
        ("ADD b INT AS (a + 1), ADD KEY (b)", [(1, 10, 11), (2, 20, 21), (3, 30, 31)]),
        ("ADD b INT INVISIBLE DEFAULT 7", [(1, 10), (2, 20), (3, 30)]),
        ("DROP PRIMARY KEY, ADD PRIMARY KEY (a DESC)", [(3, 30), (2, 20), (1, 10)]),
        ("ADD n INT AUTO_INCREMENT, ADD KEY (n)", [(1, 10, 1), (2, 20, 2), (3, 30, 3)]),
    ],
)
def test_rows_have_the_new_columns(actions, rows):
    order = "" if "DROP COLUMN id" in actions else " FORCE INDEX (PRIMARY)"
    _, found = alone(f"ALTER TABLE t {actions}", f"SELECT * FROM t{order}")
    assert found == rows


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("ALTER TABLE t ADD a INT", "1060: Duplicate column name 'a'"),
        ("ALTER TABLE t DROP COLUMN b", "1091: Can't DROP 'b'; check that column/key exists"),
        ("ALTER TABLE t DROP KEY b", "1091: Can't DROP 'b'; check that column/key exists"),
        ("ALTER TABLE t DROP FOREIGN KEY b", "1091: Can't DROP 'b'; check that column/key exists"),
        ("ALTER TABLE t MODIFY b INT", "1054: Unknown column 'b' in 't'"),
        ("ALTER TABLE t RENAME COLUMN b TO c", "1054: Unknown column 'b' in 't'"),
        ("ALTER TABLE t RENAME COLUMN a TO id", "1060: Duplicate column name 'id'"),
        ("ALTER TABLE t ADD c INT AFTER b", "1054: Unknown column 'b' in 't'"),
        ("ALTER TABLE t ADD PRIMARY KEY (a)", "1068: Multiple primary key defined"),
        ("ALTER TABLE t ADD KEY a (id)", "1061: Duplicate key name 'a'"),
        ("ALTER TABLE t ADD KEY (b)", "1072: Key column 'b' doesn't exist in table"),
        ("ALTER TABLE t RENAME INDEX b TO c", "1176: Key 'b' doesn't exist in table 't'"),
        ("ALTER TABLE t ALTER INDEX b INVISIBLE", "1176: Key 'b' doesn't exist in table 't'"),
        ("ALTER TABLE t ALTER COLUMN b SET DEFAULT 1", "1054: Unknown column 'b' in 't'"),
        (
            "ALTER TABLE t DROP a, DROP id",
            "1090: You can't delete all columns with ALTER TABLE; use DROP TABLE instead",
        ),
        ("ALTER TABLE t ADD CHECK (a > 10)", "3819: Check constraint 't_chk_1' is violated."),
        ("ALTER TABLE t MODIFY a TINYINT UNSIGNED, ADD b INT CHECK (b > 1)", 3),
        ("ALTER TABLE u ADD b INT", "1146: Table 'u' doesn't exist"),
        ("RENAME TABLE t TO u, x TO y", "1146: Table 'x' doesn't exist"),
        ("RENAME TABLE t TO t", "1050: Table 't' already exists"),
        ("CREATE INDEX a ON t (id)", "1061: Duplicate key name 'a'"),
        ("DROP INDEX b ON t", "1091: Can't DROP 'b'; check that column/key exists"),
    ],
)
def test_a_change_that_is_not_possible_is_refused_and_the_rows_are_as_they_were(sql, refusal):
    told, rows = alone(sql, "SELECT id, a FROM t")
    assert told == refusal
    assert rows == [(1, 10), (2, 20), (3, 30)]


@pytest.mark.parametrize(
    ("before", "sql", "refusal"),
    [
        ("UPDATE t SET a = 200 WHERE id = 2", "MODIFY a TINYINT", "1264: Out of range value for column 'a' at row 2"),
        ("UPDATE t SET a = NULL WHERE id = 2", "MODIFY a INT NOT NULL", "1138: Invalid use of NULL value"),
        ("ALTER TABLE t ADD b INT", "ADD UNIQUE KEY ub (b)", 0),
        ("ALTER TABLE t ADD b INT DEFAULT 1", "ADD UNIQUE KEY ub (b)", f"{TWICE} 't.ub'"),
        (
            "ALTER TABLE t ADD b INT DEFAULT 1",
            "DROP PRIMARY KEY, ADD PRIMARY KEY (b)",
            f"{TWICE} 't.PRIMARY'",
        ),
    ],
)
def test_rows_that_do_not_fit_keep_the_table_as_it_was(before, sql, refusal):
    _, told, count = alone(before, f"ALTER TABLE t {sql}", "SELECT COUNT(*) FROM t")
    assert (told, count) == (refusal, [(3,)])


def test_a_table_goes_on_numbering_behind_its_rows():
    *_, rows = alone(
        "ALTER TABLE t MODIFY id INT AUTO_INCREMENT",
        "INSERT INTO t (a) VALUES (40)",
        "ALTER TABLE t AUTO_INCREMENT = 100",
        "INSERT INTO t (a) VALUES (50)",
        "SELECT id FROM t WHERE a > 30",
    )
    assert rows == [(4,), (100,)]


def test_an_index_that_is_dropped_is_searched_no_more_and_a_renamed_one_by_its_new_name():
    _, missing, _, found = alone(
        "ALTER TABLE t RENAME INDEX a TO b",
        "SELECT id FROM t FORCE INDEX (a) WHERE a = 10",
        "CREATE INDEX c ON t (a, id)",
        "SELECT id FROM t FORCE INDEX (b) WHERE a = 10",
    )
    assert missing == "1176: Key 'a' doesn't exist in table 't'"
    assert found == [(1,)]


def test_a_renamed_table_has_its_locks_and_its_messages_under_its_new_name():
    async def body(engine, session):
        await session.run("ALTER TABLE t RENAME TO u")
        await session.run("BEGIN; SELECT * FROM u WHERE id = 1 FOR UPDATE")
        return {each.table for each in engine.data_locks()}

    assert play(body, sessions=1) == {"u"}
    _, told = alone("RENAME TABLE t TO u", "INSERT INTO u VALUES (1, 1)")
    assert told == "1062: Duplicate entry '1' for key 'u.PRIMARY'"


def test_foreign_keys_go_along_with_the_tables_that_they_join():
    *_, refusal, _, left = alone(
        PARENT,
        CHILD,
        "INSERT INTO p VALUES (1, 5)",
        "INSERT INTO k VALUES (1, 5)",
        "ALTER TABLE p ADD COLUMN y INT FIRST",
        "ALTER TABLE k ADD COLUMN z INT FIRST",
        "RENAME TABLE p TO q",
        "INSERT INTO k VALUES (0, 2, 9)",
        "DELETE FROM q WHERE id = 1",
        "SELECT COUNT(*) FROM k",
    )
    assert refusal.startswith("1452: ")
    assert "REFERENCES `q`" in refusal
    assert left == [(0,)]


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        ("ALTER TABLE p DROP KEY kx", 1553),
        ("ALTER TABLE p DROP COLUMN x", 1829),
        ("ALTER TABLE k DROP KEY f", 1553),
        ("ALTER TABLE k DROP COLUMN p", 1828),
    ],
)
def test_what_a_foreign_key_needs_stays(sql, errno):
    *_, told = alone(PARENT, CHILD, sql)
    assert told.startswith(f"{errno}: ")


def test_an_older_snapshot_does_not_read_a_table_that_was_copied():
    async def body(_, a, b):
        await a.run("BEGIN; CREATE TABLE u (id INT)")
        await a.run("BEGIN; SELECT * FROM u")
        await b.run("ALTER TABLE t MODIFY a BIGINT")
        return await outcome(a, "SELECT * FROM t")

    assert play(body).startswith("1412: ")


def test_disabling_keys_is_taken_with_a_note():
    async def body(_, session):
        (answer,) = await session.run("ALTER TABLE t DISABLE KEYS")
        return answer.warnings

    assert play(body, sessions=1) == [(1031, "Table storage engine for 't' doesn't have this option")]
