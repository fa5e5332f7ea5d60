"""No clause of a statement is passed over: with it, something else comes out, or it is refused by its name."""

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
SETUP = (
    "CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(9), KEY ka (a))",
    "INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'y'), (3, 20, 'z'), (4, 40, 'w')",
    "CREATE TABLE u (id INT PRIMARY KEY, c INT)",
    "INSERT INTO u VALUES (1, 1), (3, 3)",
)


def play(sql):
    """What comes of a statement: its rows or counts, the locks, both tables; or the refusal."""

    async def body():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        for each in SETUP:
            await session.run(each)
        await session.run("BEGIN")
        try:
            (answer,) = await session.run(sql)
        except (NotImplementedError, DatabaseError) as error:
            return type(error).__name__, str(error)
        locks = sorted((each.table, str(each.index), each.mode, str(each.data)) for each in session.engine.data_locks())
        left = [(await session.run(f"SELECT * FROM {name}"))[0].rows for name in ("t", "u")]
        return answer.rows, answer.affected, [errno for errno, _ in answer.warnings], locks, left

    return run(body())


@pytest.mark.parametrize(
    ("sql", "clause"),
    [
        ("SELECT t.id FROM t{} FOR UPDATE", " WHERE a = 20"),
        ("SELECT a FROM t{}", " ORDER BY a DESC"),
        ("SELECT a FROM t{}", " LIMIT 2"),
        ("SELECT a FROM t LIMIT 2{}", " OFFSET 1"),
        ("SELECT{} a FROM t", " DISTINCT"),
        ("SELECT a, COUNT(*) FROM t GROUP BY a{}", " WITH ROLLUP"),
        ("SELECT a, COUNT(*) FROM t GROUP BY a{}", " HAVING COUNT(*) > 1"),
        ("SELECT id FROM t{}", " FOR UPDATE"),
        ("SELECT id FROM t{}", " LOCK IN SHARE MODE"),
        ("SELECT t.id FROM t JOIN u ON t.id = u.id FOR UPDATE{}", " OF t"),
        ("SELECT t.id FROM t{} JOIN u ON t.id = u.id", " LEFT"),
        ("SELECT * FROM t JOIN u{}", " USING (id)"),
        ("SELECT *{} FROM t JOIN u ON t.id = u.id FOR UPDATE", ", 1"),
        ("SELECT{} * FROM t JOIN u ON t.id = u.id FOR UPDATE", " STRAIGHT_JOIN"),
        ("SELECT{} * FROM t", " SQL_CALC_FOUND_ROWS"),
        ("SELECT{} * FROM t", " /*+ MRR(t) */"),
        ("SELECT * FROM t{} WHERE a = 20 FOR UPDATE", " IGNORE INDEX (ka)"),
        ("SELECT * FROM t{}", " PARTITION (p0)"),
        ("SELECT * FROM t{}", " TABLESAMPLE (1 PERCENT)"),
        ("SELECT id, SUM(a) OVER (ORDER BY id{}) FROM t", " ROWS 1 PRECEDING"),
        ("SELECT id, SUM(a) OVER ({}) FROM t", "PARTITION BY a"),
        ("SELECT id FROM t UNION{} SELECT id FROM u", " ALL"),
        ("WITH{} x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 3) SELECT n FROM x", " RECURSIVE"),
        ("UPDATE t SET a = 5{}", " WHERE id = 2"),
        ("UPDATE t SET a = 5{}", " LIMIT 1"),
        ("UPDATE t SET a = 5{} LIMIT 1", " ORDER BY id DESC"),
        ("UPDATE{} t SET id = 2 WHERE id = 1", " IGNORE"),
        ("UPDATE t{} SET t.a = 5", " JOIN u ON u.id = t.id"),
        ("UPDATE t SET t.a = 5{}", " FROM u"),
        ("DELETE FROM t{}", " WHERE id = 2"),
        ("DELETE FROM t{}", " LIMIT 1"),
        ("DELETE FROM t{} LIMIT 1", " ORDER BY id DESC"),
        ("DELETE FROM t{}", " USING t JOIN u ON u.id = t.id"),
        ("DELETE t{} FROM t JOIN u ON u.id = t.id", ", u"),
        ("DELETE FROM t{}", " RETURNING id"),
        ("INSERT{} INTO t VALUES (1, 1, 'n')", " IGNORE"),
        ("INSERT INTO t VALUES (1, 1, 'n'){}", " ON DUPLICATE KEY UPDATE a = 7"),
        ("INSERT INTO t{} VALUES (9, 1, NULL)", " (id, a, b)"),
        ("INSERT INTO t{} VALUES (9, 1, 'n')", " PARTITION (p0)"),
        ("INSERT{} INTO t VALUES (9, 1, 'n')", " DELAYED"),
        ("INSERT INTO u SELECT id + 10, a FROM t{}", " WHERE a = 20"),
        ("INSERT INTO t (id, a) VALUES (9, {}1)", "id + "),
        ("SELECT id, a FROM t GROUP BY {}a", "id, "),
        ("SELECT id FROM t WHERE id = 1 FOR UPDATE{}", " NOWAIT OF u"),
        ("SELECT id FROM t WHERE id = 1 FOR UPDATE{}", " WAIT 1"),
        ("UPDATE t{} JOIN u ON u.id = t.id SET t.a = 5", " LEFT"),
        ("UPDATE t JOIN u ON u.id = t.id SET t.a = 5{}", " LIMIT 1"),
        ("DELETE t FROM t JOIN u ON u.id = t.id{}", " LIMIT 1"),
        ("SELECT ROW(1, 1) = (SELECT id, c FROM u WHERE id = 1{})", " LIMIT 0"),
        ("START TRANSACTION{}", " READ ONLY, READ WRITE"),
        ("ROLLBACK{}", " AND CHAIN RELEASE"),
        ("SELECT{} a FROM t", " ALL DISTINCT"),
        ("SELECT id FROM t WHERE id NOT IN (SELECT 1{})", " WHERE FALSE"),
        ("SELECT * FROM t, {}(SELECT c FROM u WHERE u.id = t.id) d", "LATERAL "),
        ("SELECT b FROM t WHERE b = 'X'{}", " COLLATE utf8mb4_bin"),
        ("CREATE TABLE z (id INT AUTO_INCREMENT PRIMARY KEY{})", ", g INT AS (id)"),
        ("CREATE TABLE z SELECT id FROM t{}", " FOR UPDATE"),
    ],
)
def test_a_clause_is_obeyed_or_refused(sql, clause):
    without, with_it = play(sql.format("")), play(sql.format(clause))
    if clause == " (id, a, b)":  # all columns, in their order, are those of a statement that names none
        assert without == with_it
    else:
        assert without != with_it


@pytest.mark.parametrize("word", ["LOW_PRIORITY", "QUICK", "LOW_PRIORITY QUICK"])
def test_words_about_other_engines_change_nothing(word):
    assert play("DELETE FROM t WHERE id = 1") == play(f"DELETE {word} FROM t WHERE id = 1")
