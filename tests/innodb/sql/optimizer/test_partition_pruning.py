"""The partitions in which there may be rows for a condition."""

import pytest

from tests.engine_sessions import play


def partitions(declaration, condition, columns="a INT"):
    """The partitions that a search locks."""

    async def body(engine, session):
        await session.run(f"CREATE TABLE u ({columns}) PARTITION BY {declaration}")
        await session.run("BEGIN")
        await session.run(f"SELECT * FROM u WHERE {condition} FOR UPDATE")
        locked = engine.table("u").partitioning.partitions
        return [at for at, each in enumerate(locked) if each.locks.granted]

    return play(body, sessions=1)


@pytest.mark.parametrize(
    ("condition", "used"),
    [
        ("a = 4", [1]),
        ("a IN (3, 4)", [0, 1]),
        ("a IS NULL", [0]),
        ("a BETWEEN 1 AND 2", [1, 2]),
        ("a > 1 AND a < 3", [2]),
        ("a > 1", [0, 1, 2]),
        ("a = 1 OR a = 4", [1]),
        ("a = a", [0, 1, 2]),
    ],
)
def test_a_hash_of_numbers_is_pruned_by_single_values_and_short_intervals(condition, used):
    assert partitions("HASH (a) PARTITIONS 3", condition) == used


RANGE = "RANGE (a) (" + ", ".join(f"PARTITION p{at} VALUES LESS THAN ({at}0)" for at in (1, 2, 3)) + ")"


@pytest.mark.parametrize(
    ("condition", "used"),
    [
        ("a < 10", [0]),
        ("a <= 10", [0, 1]),
        ("a > 9", [1, 2]),
        ("a >= 9", [0, 1, 2]),
        ("a = 15", [1]),
        ("a > 40", []),
        ("a < 19.5", [0, 1]),
        ("a BETWEEN 12 AND 13", [1]),
        ("a < 10 OR a = 25", [0, 2]),
        ("a <> 5 AND (a = 5 OR a > 20)", [2]),
        ("a < 10 OR a IS NOT NULL", [0, 1, 2]),
        ("a = 5 AND a = 15 OR a = 25", [2]),
    ],
)
def test_ranges_are_pruned_by_the_ends_of_an_interval(condition, used):
    assert partitions(RANGE, condition) == used


@pytest.mark.parametrize(("condition", "used"), [("a > 1", [1]), ("a < 2", [0]), ("a = 7", []), ("a IS NULL", [1])])
def test_lists_are_pruned_by_their_values(condition, used):
    lists = "LIST (a) (PARTITION p VALUES IN (1), PARTITION q VALUES IN (2, NULL))"
    assert partitions(lists, condition) == used


def test_a_key_of_two_columns_is_pruned_if_both_are_known():
    columns = "a INT, b INT"
    assert len(partitions("KEY (a, b) PARTITIONS 4", "a = 1 AND b = 2", columns)) == 1
    assert len(partitions("KEY (a, b) PARTITIONS 4", "a = 1", columns)) == 4


ROWS = (
    "RANGE COLUMNS (a, b) (PARTITION p0 VALUES LESS THAN (5, 10), PARTITION p1 VALUES LESS THAN (5, MAXVALUE),"
    " PARTITION p2 VALUES LESS THAN (10, 0), PARTITION p3 VALUES LESS THAN (MAXVALUE, MAXVALUE))"
)


@pytest.mark.parametrize(
    ("condition", "used"),
    [
        ("a = 5", [0, 1]),
        ("a < 5", [0]),
        ("a <= 5", [0, 1]),
        ("a > 5", [2, 3]),
        ("a >= 5 AND b = 20", [1, 2, 3]),
        ("a = 5 AND b < 10", [0]),
        ("a = 10 AND b BETWEEN 0 AND 3", [3]),
        ("a IN (1, 10)", [0, 2, 3]),
        ("b = 3", [0, 1, 2, 3]),
    ],
)
def test_ranges_of_rows_are_pruned_by_their_beginnings(condition, used):
    assert partitions(ROWS, condition, columns="a INT, b INT") == used


@pytest.mark.parametrize(
    ("condition", "used"), [("a = 1", [0, 2]), ("a = 1 AND b > 2", [2]), ("a > 1", [1]), ("b = 1", [0, 1, 2])]
)
def test_lists_of_rows_are_pruned_by_their_beginnings(condition, used):
    lists = (
        "LIST COLUMNS (a, b) (PARTITION x VALUES IN ((1, 1), (1, 2)), PARTITION y VALUES IN ((2, 1)),"
        " PARTITION z VALUES IN ((1, 3)))"
    )
    assert partitions(lists, condition, columns="a INT, b INT") == used
