"""Tables made, changed and dropped by statements; what declares none is refused, and nothing has changed."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.storage.column_types import Integer
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT)"


async def outcome(session, sql):
    """The rows, how many were changed, or the refusal as text."""
    try:
        *_, answer = await session.run(sql)
    except DatabaseError as error:
        return f"{error.errno}: {error.message}"
    except NotImplementedError as error:
        return str(error)
    return answer.affected if answer.rows is None else answer.rows


def play(*statements):
    """What becomes of each statement, one after the other, on a new server."""

    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        return [await outcome(session, each) for each in statements]

    return run(main())


def last(*statements):
    return play(*statements)[-1]


def tables(*statements):
    """The tables that are there afterwards."""

    async def main():
        engine = Engine(lambda: NOW, purges=False)
        session = EngineSession(engine)
        for each in statements:
            await outcome(session, each)
        return engine.tables

    return run(main())


def indexes(*statements):
    return [(each.definition.name, each.definition.unique) for each in tables(*statements)["t"].indexes]


# --- columns


@pytest.mark.parametrize(
    ("declared", "low", "high"),
    [
        ("TINYINT", -128, 127),
        ("TINYINT UNSIGNED", 0, 255),
        ("SMALLINT", -32768, 32767),
        ("MEDIUMINT UNSIGNED", 0, 2**24 - 1),
        ("INT", -(2**31), 2**31 - 1),
        ("INTEGER", -(2**31), 2**31 - 1),
        ("BIGINT", -(2**63), 2**63 - 1),
        ("BIGINT UNSIGNED", 0, 2**64 - 1),
        ("BOOLEAN", -128, 127),
    ],
)
def test_an_integer_column_has_the_bounds_of_its_type(declared, low, high):
    (column, *_) = tables(f"CREATE TABLE t (a {declared})")["t"].columns
    assert isinstance(column.type, Integer)
    assert (column.type.low, column.type.high) == (low, high)


@pytest.mark.parametrize(
    ("declared", "value", "kept"),
    [
        ("VARCHAR(3)", "'abc'", "abc"),
        ("CHAR(3)", "'ab'", "ab"),
        ("TEXT", "'long enough'", "long enough"),
        ("VARBINARY(3)", "'ab'", b"ab"),
        ("DECIMAL(5,2)", "1.5", Decimal("1.50")),
        ("DECIMAL(5)", "2", Decimal(2)),
        ("DOUBLE", "1.5", 1.5),
        ("DATE", "'2024-01-02'", date(2024, 1, 2)),
        ("DATETIME", "'2024-01-02 03:04:05'", datetime.fromisoformat("2024-01-02 03:04:05")),
        ("DATETIME(3)", "'2024-01-02 03:04:05.678'", datetime.fromisoformat("2024-01-02 03:04:05.678")),
        ("TIMESTAMP NULL", "'2024-01-02 03:04:05'", datetime.fromisoformat("2024-01-02 03:04:05")),
        ("ENUM('x','y')", "'Y'", "y"),
        ("VARCHAR(3) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT 'a code'", "'abc'", "abc"),
    ],
)
def test_a_column_gives_back_what_its_type_keeps(declared, value, kept):
    assert last(f"CREATE TABLE t (a {declared})", f"INSERT INTO t VALUES ({value})", "SELECT a FROM t") == [(kept,)]


@pytest.mark.parametrize(
    ("declared", "default"),
    [
        ("INT", None),
        ("INT DEFAULT 5", 5),
        ("INT NOT NULL DEFAULT '7'", 7),
        ("INT DEFAULT -3", -3),
        ("INT DEFAULT NULL", None),
        ("VARCHAR(5) NOT NULL DEFAULT ''", ""),
        ("DECIMAL(4,1) DEFAULT 2.5", Decimal("2.5")),
        ("ENUM('a','b') DEFAULT 'b'", "b"),
        ("DATE DEFAULT '2024-02-29'", date(2024, 2, 29)),
        ("DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP", datetime.fromisoformat("2023-11-14 22:13:20")),
        ("DATETIME NOT NULL DEFAULT NOW()", datetime.fromisoformat("2023-11-14 22:13:20")),
    ],
)
def test_a_column_of_which_nothing_is_said_has_its_default(declared, default):
    assert last(f"CREATE TABLE t (id INT, a {declared})", "INSERT INTO t (id) VALUES (1)", "SELECT a FROM t") == [
        (default,)
    ]


@pytest.mark.parametrize(
    "declared", ["INT DEFAULT 'x'", "TINYINT DEFAULT 1000", "VARCHAR(2) DEFAULT 'abc'", "ENUM('x') DEFAULT 'y'"]
)
def test_a_default_that_its_column_cannot_keep_is_refused(declared):
    assert play(f"CREATE TABLE t (a {declared})", "SELECT 1 FROM t") == [
        "1067: Invalid default value for 'a'",
        "1146: Table 't' doesn't exist",
    ]


# --- keys


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        ("id INT PRIMARY KEY", [("PRIMARY", True)]),
        ("id INT, PRIMARY KEY (id)", [("PRIMARY", True)]),
        ("id INT PRIMARY KEY, a INT UNIQUE", [("PRIMARY", True), ("a", True)]),
        ("id INT PRIMARY KEY, a INT, UNIQUE (a), KEY (a)", [("PRIMARY", True), ("a", True), ("a_2", False)]),
        ("id INT PRIMARY KEY, a INT, INDEX i (a, id)", [("PRIMARY", True), ("i", False)]),
        ("id INT PRIMARY KEY, a INT, CONSTRAINT c UNIQUE (a)", [("PRIMARY", True), ("c", True)]),
        ("a INT", [("GEN_CLUST_INDEX", True)]),
    ],
)
def test_indexes_have_the_names_that_they_are_given_or_that_of_their_first_column(declared, found):
    assert indexes(f"CREATE TABLE t ({declared})") == found


def test_a_primary_key_is_not_null_whether_that_is_said_or_not():
    assert last("CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, b))", "INSERT INTO t VALUES (1, NULL)") == (
        "1048: Column 'b' cannot be null"
    )


def test_numbers_begin_where_the_declaration_says():
    declared = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT) ENGINE=InnoDB AUTO_INCREMENT=100"
    assert last(declared, "INSERT INTO t (a) VALUES (1), (2)", "SELECT id FROM t") == [(100,), (101,)]


@pytest.mark.parametrize(
    ("declared", "refusal"),
    [
        ("a INT, KEY (nope)", "1072: Key column 'nope' doesn't exist in table"),
        ("a INT, PRIMARY KEY (a, nope)", "1072: Key column 'nope' doesn't exist in table"),
        ("a INT, FOREIGN KEY (a) REFERENCES nope (id)", "1824: Failed to open the referenced table 'nope'"),
    ],
)
def test_a_key_of_what_is_not_there_is_refused_by_name(declared, refusal):
    assert play(f"CREATE TABLE t ({declared})", "SELECT 1 FROM t") == [refusal, "1146: Table 't' doesn't exist"]


def test_two_columns_of_one_name_are_refused():
    assert last("CREATE TABLE t (a INT, A INT)").startswith("1060: Duplicate column name")


def test_a_foreign_key_needs_an_index_of_the_parent_and_the_constraint_is_named():
    refusal = last(
        "CREATE TABLE p (id INT PRIMARY KEY, x INT)", "CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES p (x))"
    )
    assert refusal == (
        "1822: Failed to add the foreign key constraint."
        " Missing index for constraint 't_ibfk_1' in the referenced table 'p'"
    )


# --- checks


CHECKED = "CREATE TABLE t (a INT, b INT, CHECK (a > 0), CONSTRAINT small CHECK (b < 10 OR b IS NULL))"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("1, 5", 1),
        ("NULL, NULL", 1),
        ("0, 5", "3819: Check constraint 't_chk_1' is violated."),
        ("1, 10", "3819: Check constraint 'small' is violated."),
    ],
)
def test_a_check_holds_for_every_row_null_counts_as_yes(values, said):
    *_, inserted, rows = play(CHECKED, f"INSERT INTO t VALUES ({values})", "SELECT COUNT(*) FROM t")
    assert (inserted, rows) == (said, [(int(said == 1),)])


def test_a_check_holds_for_changed_rows_too():
    assert play(CHECKED, "INSERT INTO t VALUES (1, 1)", "UPDATE t SET a = -1", "SELECT a FROM t")[2:] == [
        "3819: Check constraint 't_chk_1' is violated.",
        [(1,)],
    ]


# --- tables


def test_a_table_is_made_once_or_if_it_is_not_there():
    assert play(TABLE, TABLE.replace("(id", "(other"), "CREATE TABLE IF NOT EXISTS t (x INT)", "SELECT id FROM t")[
        1:
    ] == [
        "1050: Table 't' already exists",
        0,
        [],
    ]


def test_a_dropped_table_is_gone_and_one_that_is_not_there_is_refused_or_not_as_asked():
    assert play(TABLE, "DROP TABLE t", "SELECT id FROM t", "DROP TABLE t", "DROP TABLE IF EXISTS t", TABLE) == [
        0,
        0,
        "1146: Table 't' doesn't exist",
        "1051: Unknown table 't'",
        0,
        0,
    ]


def test_a_truncated_table_is_empty_and_numbered_from_the_start():
    declared = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, a INT UNIQUE)"
    insert = "INSERT INTO t (a) VALUES (5), (6)"
    assert play(declared, insert, "TRUNCATE TABLE t", "SELECT * FROM t", insert, "SELECT * FROM t", "TRUNCATE nope")[
        2:
    ] == [
        0,
        [],
        2,
        [(1, 5), (2, 6)],
        "1146: Table 'nope' doesn't exist",
    ]


@pytest.mark.parametrize("sql", ["CREATE INDEX i ON t (a)", "CREATE UNIQUE INDEX i ON t (a)"])
def test_an_index_that_comes_later_has_the_rows_that_are_there(sql):
    told = play(
        *(TABLE, "INSERT INTO t VALUES (1, 30), (2, 10), (3, NULL)", "DELETE FROM t WHERE id = 2", sql),
        *("INSERT INTO t VALUES (4, 20)", "SELECT id FROM t FORCE INDEX (i) WHERE a > 0 ORDER BY a"),
    )
    assert told[-1] == [(4,), (1,)]


def test_a_unique_index_that_comes_later_refuses_what_is_there_twice_from_then_on():
    told = play(TABLE, "INSERT INTO t VALUES (1, 30)", "CREATE UNIQUE INDEX i ON t (a)", "INSERT INTO t VALUES (2, 30)")
    assert told[-1] == "1062: Duplicate entry '30' for key 't.i'"


def test_a_unique_index_that_comes_later_stands_before_those_that_are_not():
    assert indexes(TABLE, "CREATE INDEX k ON t (a)", "CREATE UNIQUE INDEX u ON t (a)") == [
        ("PRIMARY", True),
        ("u", True),
        ("k", False),
    ]


@pytest.mark.parametrize(
    ("declared", "value"),
    [("INT", None), ("INT NOT NULL", 0), ("INT NOT NULL DEFAULT 5", 5), ("VARCHAR(3) NOT NULL", "")],
)
def test_the_rows_that_are_there_have_the_default_in_a_column_that_comes_later(declared, value):
    told = play(TABLE, "INSERT INTO t VALUES (1, 1)", f"ALTER TABLE t ADD COLUMN b {declared}", "SELECT * FROM t")
    assert told[-1] == [(1, 1, value)]


def test_several_columns_come_later_at_once():
    told = play(
        TABLE, "ALTER TABLE t ADD b INT, ADD c INT DEFAULT 9", "INSERT INTO t (id, b) VALUES (1, 2)", "SELECT * FROM t"
    )
    assert told[-1] == [(1, None, 2, 9)]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE u (id INT)",
        "TRUNCATE TABLE t",
        "CREATE INDEX i ON t (a)",
        "ALTER TABLE t ADD b INT",
        "DROP TABLE IF EXISTS u",
    ],
)
def test_a_definition_commits_what_is_open(sql):
    told = play(TABLE, "INSERT INTO t VALUES (1, 1)", "BEGIN", "UPDATE t SET a = 2", sql, "ROLLBACK", "SELECT a FROM t")
    assert told[-1] == ([] if sql.startswith("TRUNCATE") else [(2,)])


# --- what the model has not


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("CREATE TABLE t (a POINT)", "POINT"),
        ("CREATE TABLE t (a INT, SPATIAL KEY (a))", "SPATIAL"),
        ("CREATE TABLE t (a VARCHAR(10) COLLATE utf8mb4_tr_0900_ai_ci)", "utf8mb4_tr_0900_ai_ci"),
        ("CREATE TABLE t (a VARCHAR(10) CHARACTER SET koi8r)", "koi8r"),
        (
            "CREATE TABLE t (i INT, a JSON, KEY k ((CAST(a AS UNSIGNED ARRAY)))) PARTITION BY HASH (i)",
            "multi-valued index of a table with partitions",
        ),
        ("CREATE TABLE t (a INT) PARTITION BY HASH (a) SUBPARTITION BY KEY (a)", "SUBPARTITION"),
        ("CREATE TABLE t (a INT) DATA DIRECTORY = '/x'", "DATA"),
        ("CREATE TABLE s.t (a INT)", "schemas"),
        ("CREATE TABLE t (a INT) ENGINE=MyISAM", "MyISAM"),
    ],
)
def test_a_declaration_of_what_the_model_has_not_is_refused_by_name_and_makes_no_table(sql, named):
    refusal, after = play(sql, "SELECT 1 FROM t")
    assert refusal.startswith("the model's SQL has no ")
    assert named in refusal
    assert after == "1146: Table 't' doesn't exist"


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t CONVERT TO CHARACTER SET latin1",
        "ALTER TABLE t ORDER BY a",
        "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u",
        "CREATE VIEW IF NOT EXISTS v AS SELECT 1",
    ],
)
def test_a_definition_of_another_kind_is_refused_with_its_text_and_the_tables_are_as_they_were(sql):
    *_, refusal, rows = play(TABLE, "INSERT INTO t VALUES (1, 2)", sql, "SELECT * FROM t")
    assert refusal.startswith("the model's SQL has no ")
    assert sql.split()[0] in refusal
    assert rows == [(1, 2)]
    assert list(tables(TABLE, sql)) == ["t"]


PARENT = ("CREATE TABLE p (id INT PRIMARY KEY, x INT)", "CREATE TABLE k (id INT, FOREIGN KEY (id) REFERENCES p (id))")


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        ("TRUNCATE TABLE p", 1701),
        ("DROP TABLE p", 3730),
        ("DROP TABLE k, nope", 1051),
        ("CREATE INDEX i ON p (nope)", 1072),
        ("CREATE INDEX `PRIMARY` ON p (x)", 1061),
        ("CREATE UNIQUE INDEX i ON p (x)", 1062),
        ("CREATE TABLE n (x INT, FOREIGN KEY (x) REFERENCES p (nope))", 3734),
        ("CREATE TABLE n (x INT, FOREIGN KEY (nope) REFERENCES p (id))", 1072),
        ("CREATE TABLE n (a INT PRIMARY KEY, b INT, PRIMARY KEY (b))", 1068),
        ("CREATE TABLE n (a INT AUTO_INCREMENT)", 1075),
        ("CREATE TABLE n (a INT AUTO_INCREMENT PRIMARY KEY, b INT AUTO_INCREMENT, KEY (b))", 1075),
        ("CREATE TABLE n (a INT, KEY i (a), KEY I (a))", 1061),
        ("CREATE TABLE n (a TEXT, KEY (a))", 1170),
        ("ALTER TABLE p ADD COLUMN X INT", 1060),
    ],
)
def test_a_definition_that_cannot_be_has_mysqls_number_and_changes_nothing(sql, errno):
    filled = (*PARENT, "INSERT INTO p VALUES (1, 5), (2, 5)")
    *_, said, there, name = play(*filled, sql, "SELECT COUNT(*) FROM p", "SELECT COUNT(*) FROM k")
    assert said.startswith(f"{errno}: ")
    assert (there, name) == ([(2,)], [(0,)])
    assert sorted(tables(*filled, sql)) == ["k", "p"]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE n (a INT, SPATIAL KEY i (a))",
        "ALTER TABLE t ADD SPATIAL KEY c (a)",
        "ALTER TABLE t ADD COLUMN c POINT",
    ],
)
def test_a_refused_definition_does_not_commit(sql):
    said = play(TABLE, "BEGIN", "INSERT INTO t VALUES (1, 1)", sql, "ROLLBACK", "SELECT * FROM t")
    assert "the model's SQL has no" in said[3]
    assert said[-1] == []


def test_an_enum_that_must_have_a_value_has_its_first_member():
    assert last(
        "CREATE TABLE t (a INT, e ENUM('q', 'r') NOT NULL)", "INSERT INTO t (a) VALUES (1)", "SELECT e FROM t"
    ) == [("q",)]


def test_a_child_that_was_truncated_still_has_its_parent():
    said = play(*PARENT, "INSERT INTO p VALUES (1, 1)", "TRUNCATE TABLE k", "INSERT INTO k VALUES (1)", "DELETE FROM p")
    assert said[-1].startswith("1451: ")
