"""Several indexes walked for one table: each row once, in its order, and locked as each of them locks."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.db.errors import DatabaseError
from chatsim.db.session import Isolation
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import current_loop, run

RR, RC = Isolation.REPEATABLE_READ, Isolation.READ_COMMITTED
TABLE = "CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, c INT, KEY by_a (a), KEY by_b (b))"
TEN = [(n, n % 4, n % 3, n % 2) for n in range(1, 11)]
INTERSECTION, UNION, SORTED = "a = 3 AND b = 1", "a = 1 OR b = 2", "a > 2 OR b = 2"


def there(body, rows=TEN):
    """Run a test with an engine that has the table, in virtual time; gives what the test gives."""

    async def main():
        engine = Engine(current_loop().time, purges=False)
        admin = EngineSession(engine)
        await admin.run(TABLE)
        if rows:
            await admin.run("INSERT INTO t VALUES " + ", ".join(map(_literal, rows)))
            await admin.run("ANALYZE TABLE t")
        return await body(engine, admin)

    return run(main())


def _literal(row):
    return "(" + ", ".join("NULL" if value is None else str(value) for value in row) + ")"


async def rows_of(session, sql):
    (answer,) = await session.run(sql)
    return [tuple(row) for row in answer.rows]


def locked(sql, level=RR):
    """Index and first column of all that a statement leaves locked, gaps left out."""

    async def body(engine, admin):
        session = EngineSession(engine)
        session.isolation = level
        await session.run("BEGIN")
        await session.run(sql)
        return {
            (lock.index, int(lock.data.split(",")[0]), int(lock.data.split(",")[-1]))
            for lock in engine.data_locks()
            if lock.index is not None and "GAP" not in lock.mode.replace("REC_NOT_GAP", "") and lock.data[0].isdigit()
        }

    return there(body)


def searched(sql):
    """The indexes that a statement has read entries of."""

    async def body(engine, admin):
        before = {index.definition.name: index.reads for index in engine.tables["t"].indexes}
        await admin.run(sql)
        return {i.definition.name for i in engine.tables["t"].indexes if i.reads > before[i.definition.name]}

    return there(body)


# --- what is found


@pytest.mark.parametrize("lock", ["", " FOR SHARE", " FOR UPDATE"])
@pytest.mark.parametrize(("where", "found"), [(UNION, [1, 2, 5, 8, 9]), (SORTED, [2, 3, 5, 7, 8])])
def test_rows_of_any_index_come_once_and_in_the_order_of_their_keys(where, found, lock):
    async def body(engine, admin):
        return [row[0] for row in await rows_of(admin, f"SELECT * FROM t WHERE {where}{lock}")]

    assert there(body) == found
    assert searched(f"SELECT * FROM t WHERE {where}") == {"PRIMARY", "by_a", "by_b"}


def test_rows_that_the_clustered_index_has_come_last_when_the_others_are_sorted():
    async def body(engine, admin):
        return [row[0] for row in await rows_of(admin, "SELECT * FROM t WHERE a > 2 OR id = 2")]

    assert there(body) == [3, 7, 2]


def test_of_an_intersection_only_rows_are_looked_up_that_all_indexes_have():
    async def body(engine, admin):
        before = engine.tables["t"].clustered.reads
        found = await rows_of(admin, "SELECT * FROM t WHERE a = 3 AND b = 1")
        return found, engine.tables["t"].clustered.reads - before

    assert there(body, [(n, n % 4, n % 3, 0) for n in range(1, 21)]) == ([(7, 3, 1, 0), (19, 3, 1, 0)], 2)


def test_a_plain_read_by_indexes_that_have_all_it_wants_sees_its_snapshot():
    async def body(engine, admin):
        session = EngineSession(engine)
        await session.run("BEGIN")
        sql = "SELECT a, b, id FROM t WHERE a = 3 AND b = 1"
        before = await rows_of(session, sql)
        await admin.run("UPDATE t SET a = 2, b = 2 WHERE id = 7")
        return before, await rows_of(session, sql), await rows_of(admin, sql)

    before, again, now = there(body, [(n, n % 4, n % 3, 0) for n in range(1, 21)])
    assert before == again == [(3, 1, 7), (3, 1, 19)]
    assert now == [(3, 1, 19)]


VALUE = st.none() | st.integers(0, 3)
HOLDS = {
    "= 1": lambda value: value == 1,
    "> 1": lambda value: value > 1,
    "< 2": lambda value: value < 2,
    "IN (0, 3)": lambda value: value in (0, 3),
    "BETWEEN 1 AND 2": lambda value: 1 <= value <= 2,
    "IS NULL": lambda value: value is None,
}
ASKED = st.tuples(st.sampled_from(["a", "b", "id"]), st.sampled_from([*HOLDS]))


def _holds(row, column, test):
    """Whether a condition is true of a row; compared with NULL it is not."""
    value = row[("id", "a", "b").index(column)]
    return HOLDS[test](value) if value is not None or test == "IS NULL" else False


@given(
    values=st.lists(st.tuples(VALUE, VALUE), max_size=14),
    one=ASKED,
    other=ASKED,
    word=st.sampled_from(["AND", "OR"]),
    how=st.sampled_from(["", " FOR SHARE", " FOR UPDATE", "delete", "update"]),
)
def test_whatever_is_asked_is_found_once_by_all_who_search(values, one, other, word, how):
    rows = [(number, a, b, 0) for number, (a, b) in enumerate(values, 1)]
    both = all if word == "AND" else any
    wanted = [row[0] for row in rows if both([_holds(row, *one), _holds(row, *other)])]
    where = f"{' '.join(one)} {word} {' '.join(other)}"

    async def body(engine, admin):
        if how == "delete":
            (answer,) = await admin.run(f"DELETE FROM t WHERE {where}")
            left = [row[0] for row in await rows_of(admin, "SELECT id FROM t ORDER BY id")]
            return answer.affected, sorted({row[0] for row in rows} - set(left))
        if how == "update":  # what it writes is what it searches by
            (answer,) = await admin.run(f"UPDATE t SET a = 1, b = 2, c = c + 1 WHERE {where}")
            return answer.affected, [row[0] for row in await rows_of(admin, "SELECT id FROM t WHERE c = 1 ORDER BY id")]
        found = [row[0] for row in await rows_of(admin, f"SELECT * FROM t WHERE {where}{how}")]
        return len(found), sorted(found)

    assert there(body, rows) == (len(wanted), wanted)


# --- what is locked


def test_each_index_locks_the_entries_that_it_meets_and_their_rows():
    by_a, by_b = {("by_a", 1, n) for n in (1, 5, 9)}, {("by_b", 2, n) for n in (2, 5, 8)}
    rows = {("PRIMARY", n, n) for n in (1, 2, 5, 8, 9)}
    assert locked(f"SELECT * FROM t WHERE {UNION} FOR UPDATE") == by_a | by_b | rows


def test_at_read_committed_what_not_all_indexes_have_is_let_go_again():
    kept = locked("UPDATE t SET c = 9 WHERE a = 1 AND b = 1", RC)
    assert kept == {("by_a", 1, 1), ("by_b", 1, 1), ("PRIMARY", 1, 1)}
    assert locked("UPDATE t SET c = 9 WHERE a = 1 AND b = 1") > kept


def beside(sql, locked):
    """What comes of a statement while somebody else has rows locked, and of the locks when it is over."""

    async def body(engine, admin):
        await admin.run("BEGIN")
        await admin.run(f"SELECT * FROM t WHERE {locked} FOR UPDATE")
        session = EngineSession(engine)
        await session.run("BEGIN")
        asked = asyncio.create_task(rows_of(session, sql))
        await asyncio.sleep(1)
        waits = not asked.done()
        await admin.run("COMMIT")
        (found,) = await asyncio.gather(asked, return_exceptions=True)
        await session.run("ROLLBACK")
        assert list(engine.data_locks()) == []
        return waits, found.errno if isinstance(found, DatabaseError) else [row[0] for row in found]

    return there(body)


@pytest.mark.parametrize("how", ["NOWAIT", "SKIP LOCKED"])
def test_walked_side_by_side_they_wait_for_a_row_whatever_the_statement_says(how):
    assert beside(f"SELECT * FROM t WHERE {UNION} FOR UPDATE {how}", "id = 5") == (True, [1, 2, 5, 8, 9])


def test_a_row_that_is_looked_up_is_not_waited_for_and_skipped_is_the_end():
    assert beside(f"SELECT * FROM t WHERE {UNION} FOR SHARE NOWAIT", "id = 5") == (False, 3572)
    assert beside(f"SELECT * FROM t WHERE {UNION} FOR SHARE SKIP LOCKED", "id = 5") == (False, [1, 2])


def test_walked_one_after_the_other_they_skip_what_is_locked():
    assert beside(f"SELECT * FROM t WHERE {SORTED} FOR UPDATE SKIP LOCKED", "id = 5") == (False, [2, 3, 7, 8])
