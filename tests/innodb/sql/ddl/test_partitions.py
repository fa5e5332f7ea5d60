"""PARTITION BY: in which partition a row is, and which declarations are refused."""

import pytest

from tests.engine_sessions import alone, play


def homes(declaration, *rows, columns="a INT"):
    """The names of the partitions of some rows."""

    async def body(engine, session):
        await session.run(f"CREATE TABLE u ({columns}) PARTITION BY {declaration}")
        for row in rows:
            await session.run(f"INSERT INTO u VALUES ({row})")
        partitions = engine.table("u").partitioning.partitions
        return {each.name: [record.row[0] for record in each.clustered] for each in partitions}

    return play(body, sessions=1)


@pytest.mark.parametrize(
    ("declaration", "found"),
    [
        ("HASH (a) PARTITIONS 3", {"p0": [3], "p1": [1, -4], "p2": [2]}),
        ("HASH (a + 1) PARTITIONS 2", {"p0": [1, 3], "p1": [2, -4]}),
        ("KEY (a) PARTITIONS 4", {"p0": [1], "p1": [], "p2": [3], "p3": [2, -4]}),
        (
            "RANGE (a) (PARTITION x VALUES LESS THAN (2), PARTITION y VALUES LESS THAN MAXVALUE)",
            {"x": [1, -4], "y": [2, 3]},
        ),
        ("LIST (a) (PARTITION x VALUES IN (1, 3), PARTITION y VALUES IN (2, -4))", {"x": [1, 3], "y": [2, -4]}),
        ("HASH (a)", {"p0": [1, 2, 3, -4]}),
        ("LINEAR HASH (a) PARTITIONS 3", {"p0": [-4], "p1": [1, 3], "p2": [2]}),
    ],
)
def test_a_row_is_in_the_partition_of_its_values(declaration, found):
    told = homes(declaration, 1, 2, 3, -4)
    assert {name: sorted(rows, key=[1, 2, 3, -4].index) for name, rows in told.items()} == found


def test_null_is_in_the_first_partition_or_in_the_one_that_lists_it():
    assert homes("HASH (a) PARTITIONS 2", "NULL")["p0"] == [None]
    assert homes("RANGE (a) (PARTITION x VALUES LESS THAN (-5))", "NULL")["x"] == [None]
    lists = "LIST (a) (PARTITION x VALUES IN (1), PARTITION y VALUES IN (NULL))"
    assert homes(lists, "NULL")["y"] == [None]


@pytest.mark.parametrize(
    ("row", "partition"),
    [("4, 9", "x"), ("5, NULL", "x"), ("5, 2", "x"), ("5, 3", "y"), ("5, 99", "y"), ("6, 0", "z"), ("NULL, 9", "x")],
)
def test_rows_are_compared_column_by_column(row, partition):
    declared = (
        "RANGE COLUMNS (a, b) (PARTITION x VALUES LESS THAN (5, 3), PARTITION y VALUES LESS THAN (5, MAXVALUE),"
        " PARTITION z VALUES LESS THAN (MAXVALUE, MAXVALUE))"
    )
    found = homes(declared, row, columns="a INT, b INT")
    assert [name for name, rows in found.items() if rows] == [partition]


@pytest.mark.parametrize(
    ("sql", "errno"),
    [
        ("(a INT PRIMARY KEY, b INT) PARTITION BY HASH (b)", 1503),
        ("(a INT, b INT, UNIQUE KEY (a)) PARTITION BY HASH (b)", 1503),
        ("(a INT) PARTITION BY KEY (b)", 1488),
        ("(a INT) PARTITION BY RANGE (a) (PARTITION x VALUES LESS THAN (2), PARTITION y VALUES LESS THAN (2))", 1493),
        ("(a INT) PARTITION BY LIST (a) (PARTITION x VALUES IN (1), PARTITION y VALUES IN (1))", 1495),
        ("(id INT, KEY (id), FOREIGN KEY (id) REFERENCES t (id)) PARTITION BY HASH (id)", 1506),
        ("(a INT) PARTITION BY HASH (b)", 1054),
        ("(a INT, b INT) PARTITION BY RANGE COLUMNS (a, b) (PARTITION x VALUES LESS THAN (2))", 1064),
        (
            "(a INT, b INT) PARTITION BY LIST COLUMNS (a, b) (PARTITION x VALUES IN ((1)), PARTITION y VALUES IN (2))",
            1064,
        ),
        ("(a INT, b INT) PARTITION BY LIST COLUMNS (a, b) (PARTITION x VALUES IN ((1, 2), (1, 2)))", 1495),
    ],
)
def test_a_declaration_that_can_not_be_is_refused(sql, errno):
    (told,) = alone(f"CREATE TABLE u {sql}")
    assert told.startswith(f"{errno}: ")


@pytest.mark.parametrize(
    ("columns", "declaration", "named"),
    [
        ("a VARCHAR(5)", "KEY (a)", "KEY of a column of type Text"),
        ("a INT", "HASH (a) SUBPARTITION BY KEY (a)", "SUBPARTITION"),
    ],
)
def test_what_the_model_has_not_is_refused_by_name(columns, declaration, named):
    (told,) = alone(f"CREATE TABLE u ({columns}) PARTITION BY {declaration}")
    assert told.startswith("the model's SQL has no ")
    assert named in told


def test_a_row_that_has_no_partition_is_refused_and_may_not_move_there():
    *_, inserted, moved, rows = alone(
        "CREATE TABLE u (a INT) PARTITION BY LIST (a) (PARTITION x VALUES IN (1), PARTITION y VALUES IN (2))",
        "INSERT INTO u VALUES (1)",
        "INSERT INTO u VALUES (3)",
        "UPDATE u SET a = 3",
        "SELECT * FROM u",
    )
    assert inserted == moved == "1526: Table has no partition for value 3"
    assert rows == [(1,)]


def test_a_row_moves_to_another_partition_and_back_when_that_is_rolled_back():
    *_, moved, back = alone(
        "CREATE TABLE u (a INT, b INT, KEY (b)) PARTITION BY HASH (a) PARTITIONS 2",
        "INSERT INTO u VALUES (1, 5)",
        "BEGIN",
        "UPDATE u SET a = 2",
        "SELECT * FROM u PARTITION (p0)",
        "ROLLBACK",
        "SELECT * FROM u PARTITION (p1) WHERE b = 5",
    )[-3:]
    assert moved == 0
    assert back == [(1, 5)]


def test_only_partitions_that_there_are_can_be_chosen():
    *_, unknown, none = alone(
        "CREATE TABLE u (a INT) PARTITION BY HASH (a)", "SELECT * FROM u PARTITION (q)", "SELECT * FROM t PARTITION (p)"
    )
    assert unknown == "1735: Unknown partition 'q' in table 'u'"
    assert none == "1747: PARTITION () clause on non partitioned table"


def test_truncate_empties_every_partition():
    *_, rows = alone(
        "CREATE TABLE u (a INT) PARTITION BY HASH (a) PARTITIONS 2",
        "INSERT INTO u VALUES (1), (2)",
        "TRUNCATE TABLE u",
        "INSERT INTO u VALUES (4)",
        "SELECT * FROM u",
    )
    assert rows == [(4,)]
