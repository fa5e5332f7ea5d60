"""Partitions of a table: their indexes together, and the order in which a scan locks their rows."""

import pytest

from tests.engine_sessions import play

TABLE = "CREATE TABLE u (id INT PRIMARY KEY, x INT, y INT, KEY kx (x)) PARTITION BY HASH (id) PARTITIONS 2"
ROWS = "INSERT INTO u VALUES (2, 1, 1), (4, 2, 2), (6, 3, 3), (1, 1, 1), (3, 2, 2), (5, 3, 3)"


def locked(sql, *, before="", isolation="READ COMMITTED"):
    """The keys of the rows that a statement has locked, in order of locking, and its rows or its number of rows."""

    async def body(engine, session):
        await session.run(f"{TABLE}; {ROWS}")
        await session.run(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}; BEGIN; {before or 'DO 1'}; {sql}")
        rows = [each for each in engine.data_locks() if each.index == "PRIMARY"]
        return [each.data for each in rows]

    return play(body, sessions=1)


def test_an_index_of_a_partitioned_table_has_the_records_of_all_partitions():
    async def body(engine, session):
        await session.run(f"{TABLE}; {ROWS}")
        index = engine.table("u").indexes[1]
        some = index.among({1})
        counted = index.count((1,), (2,), low_included=True, high_included=True)
        return len(index), len(some), counted, some.original is index, index.among({0, 1}) is index

    assert play(body, sessions=1) == (6, 3, 4, True, True)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT id FROM u ORDER BY id LIMIT 1 FOR UPDATE", {"1", "2"}),  # the first of each partition
        ("SELECT id FROM u LIMIT 1 FOR UPDATE", {"2"}),
        ("SELECT id FROM u WHERE id = 3 FOR UPDATE", {"3"}),
        ("SELECT id FROM u WHERE id IN (3, 4) FOR UPDATE", {"3", "4"}),
        ("DELETE FROM u WHERE id < 4 LIMIT 1", {"1", "2"}),
        ("SELECT MAX(id) FROM u FOR UPDATE", {"5", "6"}),
    ],
)
def test_a_scan_locks_the_first_row_of_every_partition_where_an_order_is_wanted(sql, found):
    assert set(locked(sql)) == found


@pytest.mark.parametrize(
    ("sql", "ids"),
    [
        ("SELECT id FROM u FORCE INDEX (PRIMARY)", [2, 4, 6, 1, 3, 5]),
        ("SELECT id FROM u ORDER BY id", [1, 2, 3, 4, 5, 6]),
        ("SELECT id FROM u ORDER BY id DESC", [6, 5, 4, 3, 2, 1]),
        ("SELECT id FROM u WHERE x >= 2 ORDER BY x, id", [3, 4, 5, 6]),
        ("SELECT id FROM u WHERE x IN (3, 1) ORDER BY x DESC, id", [5, 6, 1, 2]),
    ],
)
def test_rows_come_by_partitions_or_in_the_order_that_is_wanted(sql, ids):
    async def body(_, session):
        *_, answer = await session.run(f"{TABLE}; {ROWS}; {sql}")
        return [row[0] for row in answer.rows]

    assert play(body, sessions=1) == ids


def test_only_partitions_that_are_used_are_locked():
    async def body(engine, session):
        await session.run(f"{TABLE}; {ROWS}; BEGIN; INSERT INTO u VALUES (8, 1, 1)")
        first = [bool(each.locks.granted) for each in engine.table("u").partitioning.partitions]
        await session.run("UPDATE u SET y = 2 WHERE id = 1")
        return first, [bool(each.locks.granted) for each in engine.table("u").partitioning.partitions]

    assert play(body, sessions=1) == ([True, False], [True, True])
