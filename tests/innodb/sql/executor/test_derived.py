"""A query in FROM or WITH is a table for the length of its statement: its rows are read once, and locked as it says."""

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.db.session import Isolation
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

CHATS = (
    "CREATE TABLE private (id INT PRIMARY KEY, low INT, high INT, KEY (low), KEY (high))",
    "CREATE TABLE member (id INT, user INT, PRIMARY KEY (id, user))",
    "INSERT INTO private VALUES (1, 7, 8), (4, 5, 7), (6, 8, 9), (9, 7, 9)",
    "INSERT INTO member VALUES (2, 7), (2, 8), (5, 7), (8, 9)",
)
PAGE = """
    WITH all_threads AS (
      SELECT id, 'private' AS type, low, high FROM private WHERE (low = ? OR high = ?) AND id > ?
      UNION ALL
      SELECT id, 'group', 0, 0 FROM member WHERE user = ? AND id > ?)
    SELECT id, type, low, high FROM all_threads ORDER BY id LIMIT ? OFFSET ?"""


async def opened():
    session = EngineSession(Engine(lambda: 0.0, purges=False))
    for each in CHATS:
        await session.run(each)
    return session


def rows(sql, *args):
    async def main():
        session = await opened()
        try:
            (answer,) = await session.run(sql, args)
        except DatabaseError as error:
            return f"{error.errno}: {error.message}"
        return answer.rows

    return run(main())


def locked(sql, isolation=Isolation.REPEATABLE_READ):
    """The records that a statement locks."""

    async def main():
        session = await opened()
        session.isolation = isolation
        await session.run(f"BEGIN; {sql}")
        return sorted((each.table, each.mode, each.data) for each in session.engine.data_locks() if each.data)

    return run(main())


def test_the_sources_page_of_threads_is_read_as_it_stands():
    assert rows(PAGE, 7, 7, 0, 7, 0, 3, 0) == [(1, "private", 7, 8), (2, "group", 0, 0), (4, "private", 5, 7)]
    assert rows(PAGE, 7, 7, 4, 7, 4, 3, 1) == [(9, "private", 7, 9)]


def test_a_query_in_parentheses_is_a_table():
    assert rows("SELECT x.id, low FROM (SELECT id, low FROM private WHERE high = 9) x WHERE x.id > 6") == [(9, 7)]
    assert rows("SELECT MAX(n) FROM (SELECT COUNT(*) n FROM member GROUP BY id) x") == [(2,)]


def test_columns_can_be_given_other_names():
    assert rows("WITH x (a, b) AS (SELECT 1, 2) SELECT b, a FROM x") == [(2, 1)]
    assert rows("SELECT b FROM (SELECT 1, 2) x (a, b)") == [(2,)]


def test_the_newest_are_joined_with_their_rows_by_key_wherever_they_stand():
    newest = "(SELECT id FROM private ORDER BY id DESC LIMIT 2) x"
    expected = [(9, 7, 9), (6, 8, 9)]
    assert rows(f"SELECT p.* FROM {newest} JOIN private p ON p.id = x.id ORDER BY p.id DESC") == expected
    assert rows(f"SELECT p.* FROM private p JOIN {newest} ON p.id = x.id ORDER BY p.id DESC") == expected


def test_what_is_joined_from_the_left_may_be_missing():
    joined = (
        "SELECT p.id, n FROM private p LEFT JOIN (SELECT id, COUNT(*) n FROM member GROUP BY id) x ON x.id = p.id + 1"
    )
    assert rows(f"{joined} ORDER BY 1") == [(1, 2), (4, 1), (6, None), (9, None)]


def test_texts_keep_their_collation_through_a_query():
    assert rows("SELECT 1 FROM (SELECT 'Ann' name) x WHERE name = 'ANN'") == [(1,)]


def test_one_with_may_name_those_before_it_and_hides_tables_of_its_name():
    assert rows("WITH a AS (SELECT 1 n), b AS (SELECT n + 1 m FROM a) SELECT n, m FROM a JOIN b") == [(1, 2)]
    assert rows("WITH member AS (SELECT 5 n) SELECT n FROM member") == [(5,)]


def test_a_query_is_run_once_however_often_it_is_named():
    async def main():
        session = await opened()
        query = "SELECT id FROM member LIMIT 9"
        both = await session.run(f"WITH x AS ({query}) SELECT COUNT(*) FROM x JOIN x y ON y.id = x.id")
        alone = await session.run(query)
        return both[0].rows, both[0].examined, alone[0].examined

    assert run(main()) == ([(6,)], 4 + 4 + 4, 4)


def test_the_lock_of_a_statement_is_not_that_of_a_query_in_it():
    newest = "SELECT id FROM private ORDER BY id DESC LIMIT 1"
    assert locked(f"SELECT * FROM ({newest}) x FOR UPDATE") == []
    assert locked(f"SELECT * FROM ({newest} FOR UPDATE) x") == [
        ("private", "X", "9"),
        ("private", "X", "supremum pseudo-record"),
    ]


def test_where_plain_reads_lock_those_of_a_query_do_too():
    union = "SELECT id FROM private WHERE id = 4 UNION ALL SELECT id FROM member WHERE id = 8 AND user = 9"
    expected = [("member", "S,REC_NOT_GAP", "8, 9"), ("private", "S,REC_NOT_GAP", "4")]
    assert locked(f"SELECT * FROM ({union}) x", Isolation.SERIALIZABLE) == expected
    assert locked(f"INSERT INTO member SELECT id + 50, 1 FROM ({union}) x") == expected
    assert locked(f"INSERT INTO member SELECT id + 50, 1 FROM ({union}) x", Isolation.READ_COMMITTED) == []


def test_what_is_inserted_can_come_from_a_query_and_meet_rows_that_are_there():
    async def main():
        session = await opened()
        copied = await session.run(
            "INSERT INTO private SELECT id, user, 0 FROM (SELECT id + 2 AS id, user FROM member) x"
            " ON DUPLICATE KEY UPDATE low = x.user + private.low, high = VALUES(high)"
        )
        after = await session.run("SELECT * FROM private WHERE id < 9 ORDER BY id")
        return copied[0].affected, after[0].rows

    assert run(main()) == (6, [(1, 7, 8), (4, 20, 0), (6, 8, 9), (7, 7, 0)])


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("SELECT 1 FROM (SELECT 1)", "1248: Every derived table must have its own alias"),
        ("SELECT 1 FROM (SELECT 1 a, 2 A) x", "1060: Duplicate column name 'a'"),
        ("WITH x AS (SELECT 1), x AS (SELECT 2) SELECT 1", "1066: Not unique table/alias: 'x'"),
        ("SELECT a FROM (SELECT 1 b) x", "1054: Unknown column 'a' in 'field list'"),
    ],
)
def test_a_query_that_makes_no_table_is_refused(sql, refusal):
    assert rows(sql) == refusal


def test_names_must_be_as_many_as_columns():
    assert rows("WITH x (a) AS (SELECT 1, 2) SELECT a FROM x").startswith("1353: ")
