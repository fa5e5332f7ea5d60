"""An index read from group to group: the groups that all rows have, and no more locks than its searches take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import current_loop, run

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, c INT, KEY by_a_b (a, b))"
EIGHT = [(n, n % 2, n // 2, 0) for n in range(1, 9)]
ROW_BY_ROW = "t IGNORE INDEX (by_a_b)"
CONDITIONS = (
    "1 = 1",
    "a < 2",
    "a IN (0, 3)",
    "a IS NULL",
    "b > 1",
    "b BETWEEN 1 AND 2",
    "b < 1 OR b > 2",
    "b = 1",
    "a = 1 AND b <> 1",
)
VALUE = st.none() | st.integers(0, 3)
ROWS = st.lists(st.tuples(VALUE, VALUE), max_size=24)


def there(body, rows=EIGHT):
    """Run a test with a session in a transaction that reads the table; gives what the test gives."""

    async def main():
        engine = Engine(current_loop().time, purges=False)
        admin = EngineSession(engine)
        await admin.run(TABLE)
        if rows:
            await admin.run("INSERT INTO t VALUES " + ", ".join(map(_literal, rows)))
            await admin.run("ANALYZE TABLE t")
        await admin.run("BEGIN")
        return await body(engine, admin)

    return run(main())


def _literal(row):
    return "(" + ", ".join("NULL" if value is None else str(value) for value in row) + ")"


async def rows_of(session, sql):
    (answer,) = await session.run(sql)
    return [tuple(row) for row in answer.rows]


async def way(session, sql):
    """The last column of EXPLAIN."""
    return (await rows_of(session, f"EXPLAIN {sql}"))[0][-1] or ""


def locked(sql):
    """The entries of the index that a statement locks, and the end of it, in their order."""

    async def body(engine, session):
        assert "Using index for group-by" in await way(session, sql)
        await session.run(sql)
        return sorted(lock.data for lock in engine.data_locks() if lock.index == "by_a_b")

    return there(body)


class TestTheGroups:
    @given(ROWS, st.sampled_from(CONDITIONS))
    def test_they_are_those_of_all_rows(self, pairs, condition):
        rows = [(number, *pair, 0) for number, pair in enumerate(pairs)]
        wanted = "SELECT a, MIN(b), MAX(b) FROM {} WHERE " + condition + " GROUP BY a ORDER BY a"

        async def body(engine, session):
            return await rows_of(session, wanted.format("t")), await rows_of(session, wanted.format(ROW_BY_ROW))

        skipped, every = there(body, rows)
        assert skipped == every

    @given(ROWS, st.sampled_from(CONDITIONS[:4]))
    def test_those_of_distinct_are_those_of_all_rows(self, pairs, condition):
        rows = [(number, *pair, 0) for number, pair in enumerate(pairs)]
        wanted = "SELECT DISTINCT a FROM {} WHERE " + condition + " ORDER BY a DESC"

        async def body(engine, session):
            return await rows_of(session, wanted.format("t")), await rows_of(session, wanted.format(ROW_BY_ROW))

        skipped, every = there(body, rows)
        assert skipped == every

    def test_a_table_without_rows_has_none(self):
        async def body(engine, session):
            return await rows_of(session, "SELECT DISTINCT a FROM t FOR UPDATE")

        assert there(body, []) == []

    def test_null_is_the_least_value_only_of_a_group_without_others(self):
        async def body(engine, session):
            return await rows_of(session, "SELECT a, MIN(b) FROM t GROUP BY a")

        rows = [(1, 1, None, 0), (2, 1, 5, 0), (3, 2, None, 0), *((n, 3, n, 0) for n in range(4, 20))]
        assert there(body, rows) == [(1, 5), (2, None), (3, 4)]


END = "supremum pseudo-record"


class TestTheLocks:
    def test_of_distinct_are_the_first_entry_of_each_group_and_the_last_of_all(self):
        assert locked("SELECT DISTINCT a FROM t FOR SHARE") == ["0, 1, 2", "1, 0, 1", "1, 3, 7", END]

    def test_a_greatest_value_is_searched_from_the_end_of_its_group(self):
        first_of_next = "1, 0, 1"  # once as the place behind the group, once as the beginning of the next one
        wanted = ["0, 1, 2", "0, 4, 8", first_of_next, first_of_next, "1, 3, 7", END]
        assert locked("SELECT a, MAX(b) FROM t GROUP BY a FOR SHARE") == wanted

    def test_a_limit_of_groups_asks_for_no_further_row(self):
        assert locked("SELECT a, MIN(b) FROM t GROUP BY a LIMIT 1 FOR SHARE") == ["0, 1, 2", "1, 3, 7", END]


def test_a_virtual_column_is_read_row_by_row():
    async def body(engine, session):
        await session.run("COMMIT; ALTER TABLE t ADD COLUMN g INT AS (a * 2), ADD KEY by_g (g)")
        return await way(session, "SELECT DISTINCT g FROM t")

    assert "group-by" not in there(body)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a, COUNT(b) FROM t GROUP BY a",
        "SELECT a, MIN(b), MIN(a) FROM t GROUP BY a",
        "SELECT b, MIN(a) FROM t GROUP BY b",
        "SELECT a, MIN(c) FROM t GROUP BY a",
        "SELECT a + 1, MIN(b) FROM t GROUP BY a + 1",
        "SELECT a, MIN(b) FROM t GROUP BY a WITH ROLLUP",
        "SELECT a, MIN(b) FROM t WHERE b IN (1, 2) GROUP BY a",
        "SELECT a, MIN(b) FROM t WHERE b + 1 > 2 GROUP BY a",
        "SELECT a, MIN(b) FROM t WHERE a = 1 OR b = 1 GROUP BY a",
    ],
)
def test_rows_are_read_one_by_one_where_no_search_finds_the_groups(sql):
    async def body(engine, session):
        return await way(session, sql)

    assert "group-by" not in there(body)
