"""EXPLAIN of subqueries, and of changes of several tables, in the model and as a MySQL 9.7 has it."""

from functools import partial

import pytest
from sqlglot import exp

from chatsim.innodb.sql.parser import parse
from tests.engine_sessions import alone
from tests.plans import ALL, in_model, on_server

PLANS = [
    (
        "SELECT * FROM t WHERE id = 10 AND v NOT IN (SELECT c FROM m)",
        "PRIMARY | Impossible WHERE noticed after reading const tables",
        "DEPENDENT SUBQUERY | m | ALL | Using where",
    ),
    (
        "SELECT * FROM t WHERE k = (SELECT MAX(a) FROM m)",
        "PRIMARY | t | ref | kk(9) | const",
        "SUBQUERY | Select tables optimized away",
    ),
    (
        "SELECT * FROM t WHERE k > (SELECT AVG(a) FROM m WHERE b = 1)",
        "PRIMARY | t | range | kk(9) | Using where",
        "SUBQUERY | m | ref | by_b(5) | const",
    ),
    (
        "SELECT id, (SELECT COUNT(*) FROM m WHERE m.a = t.k) FROM t",
        "PRIMARY | t | index | kk(9) | Using index",
        "DEPENDENT SUBQUERY | m | ref | by_a(5) | t.k | Using where; Using index",
    ),
    (
        "SELECT id, (SELECT v FROM t WHERE id = 10) FROM m",
        "PRIMARY | m | index | by_a(5) | Using index",
        "SUBQUERY | t | const | PRIMARY(8) | const",
    ),
    (
        "SELECT * FROM t WHERE id IN (SELECT a FROM m)",
        "t | ALL",
        "m | ref | by_a(5) | t.id | Using where; Using index; FirstMatch(t)",
    ),
    (
        "SELECT * FROM t WHERE k IN (SELECT a FROM m)",
        "t | ALL | Using where",
        "m | ref | by_a(5) | t.k | Using where; Using index; FirstMatch(t)",
    ),
    (
        "SELECT * FROM t WHERE k IN (SELECT id FROM m)",
        "t | ALL | Using where",
        "m | eq_ref | PRIMARY(4) | t.k | Using where; Using index",
    ),
    (
        "SELECT * FROM t WHERE v IN (SELECT c FROM m)",
        "t | ALL | Using where",
        "<subquery2> | eq_ref | <auto_distinct_key>(5) | t.v | Using where",
        "MATERIALIZED | m | ALL",
    ),
    (
        "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM m WHERE m.a = t.k)",
        "t | ALL | Using where",
        "m | ref | by_a(5) | t.k | Using where; Using index; FirstMatch(t)",
    ),
    (
        "SELECT * FROM t WHERE NOT EXISTS (SELECT 1 FROM m WHERE m.a = t.k)",
        "t | ALL",
        "m | ref | by_a(5) | t.k | Using where; Not exists; Using index",
    ),
    (
        "SELECT * FROM t WHERE id NOT IN (SELECT id FROM m)",
        "t | ALL",
        "m | eq_ref | PRIMARY(4) | t.id | Using where; Not exists; Using index",
    ),
    (
        "SELECT * FROM t WHERE k = ANY (SELECT a FROM m)",
        "t | ALL | Using where",
        "m | ref | by_a(5) | t.k | Using where; Using index; FirstMatch(t)",
    ),
    (
        "SELECT * FROM t WHERE k > ALL (SELECT a FROM m)",
        "PRIMARY | t | ALL | Using where",
        "SUBQUERY | m | index | by_a(5) | Using index",
    ),
    (
        "SELECT * FROM t WHERE id IN (SELECT a FROM m) OR k = 3",
        "PRIMARY | t | ALL | Using where",
        "DEPENDENT SUBQUERY | m | index_subquery | by_a(5) | func | Using where; Using index",
    ),
    (
        "SELECT * FROM t WHERE (k, id) IN (SELECT a, b FROM m)",
        "t | ALL | Using where",
        "m | ref | by_a(5) | t.k | Using index condition; Using where; FirstMatch(t)",
    ),
    (
        "SELECT * FROM t WHERE k IN (SELECT a FROM m GROUP BY a)",
        "t | ALL | Using where",
        "m | ref | by_a(5) | t.k | Using where; Using index; FirstMatch(t)",
    ),
    (
        "SELECT * FROM t WHERE k = (SELECT a FROM m WHERE id = 1)",
        "PRIMARY | t | ref | kk(9) | const",
        "SUBQUERY | m | const | PRIMARY(4) | const",
    ),
    (
        "SELECT * FROM t WHERE id = (SELECT id FROM m WHERE id = 10)",
        "PRIMARY | t | const | PRIMARY(8) | const",
        "SUBQUERY | m | const | PRIMARY(4) | const | Using index",
    ),
    (
        "SELECT * FROM chats WHERE one IN (SELECT id FROM t)",
        "t | index | uu(9) | Using index",
        "chats | ref | pair(8) | t.id | Using index condition",
    ),
    (
        "SELECT * FROM chats WHERE other IN (SELECT a FROM m WHERE b = 1)",
        "<subquery2> | ALL | Using where",
        "chats | ref | by_other(8) | <subquery2>.a | Using index condition",
        "MATERIALIZED | m | ref | by_b(5) | const",
    ),
    (
        "SELECT id FROM t UNION SELECT id FROM m WHERE a = (SELECT MAX(b) FROM m)",
        "PRIMARY | t | index | uu(9) | Using index",
        "UNION | m | ref | by_a(5) | const | Using index",
        "SUBQUERY | Select tables optimized away",
        "UNION RESULT | <union1,2> | ALL | Using temporary",
    ),
    (
        "SELECT (SELECT 1), id FROM t",
        "t | index | uu(9) | Using index",
    ),
    (
        "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM m)",
        "m | index | by_a(5) | Using index; FirstMatch",
        "t | ALL | Using join buffer (hash join)",
    ),
    (
        "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM m WHERE id = 3)",
        "m | const | PRIMARY(4) | const | Using index",
        "t | ALL",
    ),
    (
        "SELECT k, (SELECT MAX(id) FROM m) AS x FROM t GROUP BY k HAVING x > 3",
        "PRIMARY | t | index | kk(9) | Using index",
        "SUBQUERY | Select tables optimized away",
    ),
    (
        "SELECT * FROM t ORDER BY (SELECT MAX(b) FROM m WHERE m.a = t.k)",
        "PRIMARY | t | ALL | Using filesort",
        "DEPENDENT SUBQUERY | m | ref | by_a(5) | t.k | Using index condition",
    ),
    (
        "SELECT * FROM t JOIN m ON m.a = t.k WHERE m.b IN (SELECT c FROM m x WHERE x.id < 5)",
        "t | ALL | Using where",
        "m | ref | by_a(5) | t.k | Using index condition; Using where",
        "<subquery2> | eq_ref | <auto_distinct_key>(5) | m.b",
        "MATERIALIZED | x | range | PRIMARY(4) | Using where",
    ),
    (
        "UPDATE t SET v = 'x' WHERE k = (SELECT MAX(a) FROM m)",
        "UPDATE | t | range | kk(9) | const | Using where",
        "SUBQUERY | Select tables optimized away",
    ),
    (
        "UPDATE t SET v = (SELECT MAX(c) FROM m WHERE m.a = t.k) WHERE id = 10",
        "UPDATE | t | range | PRIMARY(8) | const | Using where",
        "DEPENDENT SUBQUERY | m | ref | by_a(5) | t.k | Using index condition",
    ),
    (
        "DELETE FROM t WHERE k IN (SELECT a FROM m)",
        "DELETE | t | ALL | Using where",
        "m | ref | by_a(5) | t.k | Using where; Using index; FirstMatch(t)",
    ),
    (
        "UPDATE t JOIN m ON m.a = t.k SET t.v = 'y'",
        "UPDATE | t | ALL | Using where",
        "m | ref | by_a(5) | t.k | Using where; Using index",
    ),
    (
        "DELETE t FROM t JOIN m ON m.a = t.k WHERE m.b = 1",
        "m | ref | by_b(5) | const | Using where",
        "DELETE | t | ref | kk(9) | m.a | Using where",
    ),
    (
        "DELETE t, m FROM t LEFT JOIN m ON m.a = t.k WHERE t.id > 10",
        "DELETE | t | range | PRIMARY(8) | Using where",
        "DELETE | m | ref | by_a(5) | t.k | Using where",
    ),
    (
        "UPDATE t, m SET t.v = 'y', m.c = 3 WHERE t.k = m.id",
        "UPDATE | t | ALL | Using where",
        "UPDATE | m | eq_ref | PRIMARY(4) | t.k | Using where",
    ),
    (
        "INSERT INTO m SELECT id, k, 1, 1 FROM t WHERE k IN (SELECT a FROM m)",
        "INSERT | m | ALL",
        "t | index | kk(9) | Using where; Using index; Using temporary",
        "m | ref | by_a(5) | t.k | Using where; Using index; FirstMatch(t)",
    ),
    (
        "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM m JOIN chats ON chats.one = m.a WHERE m.id = t.k)",
        "t | ALL | Using where",
        "m | eq_ref | PRIMARY(4) | t.k | Using where",
        "chats | ref | pair(8) | m.a | Using where; Using index; FirstMatch(m)",
    ),
    (
        "SELECT * FROM t WHERE id IN (SELECT /*+ NO_SEMIJOIN() */ a FROM m)",
        "PRIMARY | t | ALL | Using where",
        "DEPENDENT SUBQUERY | m | index_subquery | by_a(5) | func | Using where; Using index",
    ),
    (
        "SELECT * FROM t WHERE id IN (SELECT /*+ SUBQUERY(INTOEXISTS) */ a FROM m)",
        "PRIMARY | t | ALL | Using where",
        "DEPENDENT SUBQUERY | m | index_subquery | by_a(5) | func | Using where; Using index",
    ),
    (
        "SELECT * FROM t WHERE k IN (SELECT /*+ SEMIJOIN(DUPSWEEDOUT) */ a FROM m)",
        "t | ALL | Using where",
        "m | ref | by_a(5) | t.k | Using where; Using index; Start temporary; End temporary",
    ),
    (
        "SELECT * FROM t WHERE k IN (SELECT /*+ SEMIJOIN(MATERIALIZATION) */ a FROM m)",
        "t | ALL | Using where",
        "<subquery2> | eq_ref | <auto_distinct_key>(5) | t.k | Using where",
        "MATERIALIZED | m | index | by_a(5) | Using index",
    ),
    (
        "SELECT * FROM t WHERE k IN (SELECT /*+ SEMIJOIN(LOOSESCAN) */ a FROM m)",
        "m | index | by_a(5) | Using index; LooseScan",
        "t | ALL | Using where; Using join buffer (hash join)",
    ),
    (
        "SELECT (SELECT MAX(id) FROM t), g.n FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) g",
        "PRIMARY | <derived3> | ALL",
        "DERIVED | t | index | kk(9) | Using index",
        "SUBQUERY | Select tables optimized away",
    ),
]
"""Statements, and of each table: its name, type, key and how long, what that is compared with, what else is done."""

DIFFERENCES = [
    (
        "SELECT * FROM t WHERE k NOT IN (SELECT a FROM m)",
        [
            "PRIMARY | t | ALL | Using where",
            "DEPENDENT SUBQUERY | m | index_subquery | by_a(5) | func | Using where; Using index",
        ],
        [
            "PRIMARY | t | ALL | Using where",
            "DEPENDENT SUBQUERY | m | index_subquery | by_a(5) | func | Using where; Using index; Full scan on NULL key",  # noqa: E501
        ],
    ),
    (
        "SELECT * FROM (SELECT k, COUNT(*) AS n FROM t GROUP BY k) g WHERE n = (SELECT MAX(b) FROM m)",
        [
            "PRIMARY | <derived2> | ALL | Using where",
            "SUBQUERY | Select tables optimized away",
            "DERIVED | t | index | kk(9) | Using index",
        ],
        [
            "PRIMARY | <derived2> | ref | <auto_key0>(8) | const",
            "SUBQUERY | Select tables optimized away",
            "DERIVED | t | index | kk(9) | Using index",
        ],
    ),
    (
        "UPDATE t JOIN m ON m.a = t.k SET t.v = 'y' WHERE m.id = 3",
        ["m | const | PRIMARY(4) | const", "UPDATE | t | ref | kk(9) | const"],
        ["m | const | PRIMARY(4) | const", "UPDATE | t | ref | kk(9) | const | Using where"],
    ),
    (
        "SELECT * FROM t WHERE id = 10 AND k IN (SELECT a FROM m)",
        ["t | const | PRIMARY(8) | const", "m | ref | by_a(5) | const | Using index; FirstMatch(t)"],
        ["t | const | PRIMARY(8) | const", "m | ref | by_a(5) | const | Using where; Using index; FirstMatch(t)"],
    ),
    (
        "WITH x AS (SELECT k FROM t) SELECT * FROM x WHERE k IN (SELECT a FROM m)",
        [
            "t | index | kk(9) | Using where; Using index",
            "m | ref | by_a(5) | t.k | Using where; Using index; FirstMatch(t)",
        ],
        [
            "t | index | kk(9) | Using where; Using index",
            "m | ref | by_a(5) | func | Using where; Using index; FirstMatch(t)",
        ],
    ),
]
"""Statements, their plans in the model, and on the server."""


def plans_of(explain):
    statements = [sql for sql, *_ in PLANS]
    return dict(zip(statements, explain(statements, ALL), strict=True))


def test_the_plans_of_the_model_are_these():
    assert plans_of(in_model) == {sql: plan for sql, *plan in PLANS}


def test_a_server_has_the_same_plans(mysql_url):
    assert plans_of(partial(on_server, mysql_url)) == {sql: plan for sql, *plan in PLANS}


def test_where_plans_differ_it_is_known(mysql_url):
    statements = [sql for sql, _, _ in DIFFERENCES]
    found = zip(statements, in_model(statements, ALL), on_server(mysql_url, statements, ALL), strict=True)
    assert list(found) == DIFFERENCES


def test_selects_have_their_numbers_in_the_order_of_the_text_and_the_last_is_explained_first():
    *_, rows = alone(
        "CREATE TABLE u (id INT PRIMARY KEY, b INT)",
        "INSERT INTO u VALUES (1, 1), (2, 2)",
        "EXPLAIN SELECT (SELECT MAX(b) FROM u), d.n FROM (SELECT b, COUNT(*) AS n FROM u GROUP BY b) d"
        " WHERE d.b > (SELECT MIN(b) FROM u)",
    )
    assert [row[:3] for row in rows] == [
        (1, "PRIMARY", "<derived3>"),
        (4, "SUBQUERY", "u"),
        (3, "DERIVED", "u"),
        (2, "SUBQUERY", "u"),
    ]


def test_an_update_has_the_first_number():
    (node,) = parse("EXPLAIN UPDATE t SET a = (SELECT 1) WHERE id = (SELECT 2)")
    assert [each.meta["number"] for each in node.find_all(exp.Select, bfs=False)] == [2, 3]


@pytest.mark.parametrize(
    "sql",
    [
        "EXPLAIN SELECT (SELECT a FROM t x UNION SELECT t.a) FROM t",
        "EXPLAIN INSERT INTO t VALUES (9, (SELECT COUNT(*) FROM (SELECT 1) d))",
    ],
)
def test_what_can_not_be_explained_is_refused_by_name(sql):
    assert str(*alone(sql)).startswith("the model's SQL has no EXPLAIN of ")
