"""Views: what of them is refused, and what their names may not be used for."""

import pytest

from tests.engine_sessions import alone

VIEWS = (
    "CREATE TABLE u (id INT PRIMARY KEY, c INT)",
    "CREATE VIEW v AS SELECT id, a FROM t WHERE a > 10",
    "CREATE VIEW renamed (i, j) AS SELECT id, a FROM t",
    "CREATE VIEW checked AS SELECT id, a FROM t WHERE a < 5 WITH LOCAL CHECK OPTION",
    "CREATE VIEW joined AS SELECT t.id, u.c FROM t JOIN u ON u.id = t.id",
    "CREATE VIEW counted AS SELECT a, COUNT(*) AS n FROM t GROUP BY a",
)


def told(*statements):
    return alone(*VIEWS, *statements)[len(VIEWS) :]


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE checked SET a = 1", "WITH CHECK OPTION"),
        ("INSERT INTO checked VALUES (9, 9)", "WITH CHECK OPTION"),
        ("INSERT INTO joined (id) VALUES (9)", "INSERT into view joined of several tables"),
        ("UPDATE renamed SET j = 1 WHERE i IN (SELECT id FROM u)", "beside a view that renames columns"),
        ("LOCK TABLES v READ", "LOCK TABLES of view v"),
        ("DESCRIBE v", "SHOW COLUMNS of view v"),
        ("RENAME TABLE v TO w", "RENAME TABLE of view v"),
        ("CREATE TABLE IF NOT EXISTS v (id INT)", "the name of a view"),
    ],
)
def test_what_the_model_can_not_do_with_a_view_is_refused_by_name(sql, named):
    refusal, rows = told(sql, "SELECT COUNT(*) FROM t")
    assert refusal.startswith("the model's SQL has no ")
    assert named in refusal
    assert rows == [(3,)]


@pytest.mark.parametrize(
    ("sql", "refusal"),
    [
        ("DELETE FROM counted", "1288: The target table counted of the DELETE is not updatable"),
        ("INSERT INTO counted VALUES (1, 1)", "1471: The target table counted of the INSERT is not insertable-into"),
        ("DELETE joined FROM joined JOIN u ON u.id = joined.id", "1395: Can not delete from join view 'joined'"),
        ("UPDATE renamed SET a = 1", "1054: Unknown column 'a' in 'field list'"),
        ("INSERT INTO renamed (a) VALUES (1)", "1054: Unknown column 'a' in 'field list'"),
        ("CREATE VIEW w AS SELECT ?", "1351: View's SELECT contains a variable or parameter"),
        ("ALTER VIEW w AS SELECT 1", "1146: Table 'w' doesn't exist"),
        ("CREATE TABLE v AS SELECT 1 AS x", "1050: Table 'v' already exists"),
    ],
)
def test_what_the_server_refuses_is_refused(sql, refusal):
    assert told(sql.replace("?", "@x")) == [refusal]


def test_a_column_that_is_added_to_a_table_is_not_in_a_view_of_all_its_columns():
    *_, rows = alone("CREATE VIEW every AS SELECT * FROM t WHERE id = 1", "ALTER TABLE t ADD b INT", "TABLE every")
    assert rows == [(1, 10)]


def test_a_view_is_never_a_temporary_table():
    *_, rows = told("CREATE TEMPORARY TABLE t (id INT, a INT)", "SELECT COUNT(*) FROM v")
    assert rows == [(2,)]


def test_a_query_of_a_view_means_something_else_on_a_server_where_the_name_is_a_tables():
    query = "SELECT j FROM r WHERE j = 20"
    assert alone("CREATE VIEW r (i, j) AS SELECT id, a FROM t", query)[-1] == [(20,)]
    assert alone("CREATE TABLE r (j INT)", "INSERT INTO r VALUES (20)", query)[-1] == [(20,)]
