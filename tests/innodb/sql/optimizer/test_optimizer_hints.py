"""Optimizer hints: each is obeyed, or refused by its name. What the obeyed ones do, recorded schedules show."""

import pytest

from chatsim.innodb.sql.optimizer.optimizer_hints import hints_of
from chatsim.innodb.sql.parser import parse
from tests.engine_sessions import alone


def hints(text):
    (node,) = parse(f"SELECT /*+ {text} */ * FROM t")
    return [(each.name, each.words) for each in hints_of(node)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("INDEX(t a)", [("INDEX", ["t", "a"])]),
        ("no_index( t a , `b` )", [("NO_INDEX", ["t", "a", "b"])]),
        ("JOIN_ORDER(u, t) NO_BNL()", [("JOIN_ORDER", ["u", "t"]), ("NO_BNL", [])]),
        ("INDEX(t), QB_NAME(x)", [("INDEX", ["t"]), ("QB_NAME", ["x"])]),
    ],
)
def test_hints_have_names_and_words(text, wanted):
    assert hints(text) == wanted


def test_a_value_may_have_parentheses_in_quotes():
    (node,) = parse("SELECT /*+ SET_VAR(optimizer_switch = 'a=(b)') */ 1")
    assert [each.inner for each in hints_of(node)] == ["optimizer_switch = 'a=(b)'"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT /*+ FOO(t) */ * FROM t",
        "SELECT /*+ INDEX(x a) */ * FROM t",
        "SELECT /*+ INDEX(t x) */ * FROM t",
        "SELECT /*+ INDEX() */ * FROM t",
        "SELECT /*+ NO_ICP(t a) */ * FROM t",
        "SELECT /*+ INDEX(t@x a) */ * FROM t",
        "SELECT /*+ INDEX(t a) */ * FROM t IGNORE INDEX (a)",
        "SELECT /*+ JOIN_ORDER(t, u) */ * FROM t LEFT JOIN u ON u.id = t.id",
        "SELECT /*+ NO_BNL(t) */ * FROM t JOIN u",
        "SELECT /*+ MRR(t) */ * FROM t",
        "SELECT * FROM t WHERE id IN (SELECT /*+ NO_SEMIJOIN() */ id FROM u)",
        "SELECT * FROM t WHERE id IN (SELECT /*+ MAX_EXECUTION_TIME(1) */ id FROM u)",
        "SELECT * FROM (SELECT /*+ INDEX(t a) */ * FROM t) x",
        "WITH x AS (SELECT /*+ INDEX(t a) */ * FROM t) SELECT * FROM x",
        "CREATE VIEW v AS SELECT /*+ INDEX(t a) */ * FROM t",
        "UPDATE /*+ NO_INDEX(t a) */ t JOIN u ON u.id = t.id SET t.a = 1",
        "INSERT /*+ NO_INDEX(t a) */ INTO u VALUES (1)",
        "REPLACE /*+ SET_VAR(foreign_key_checks=0) */ INTO u VALUES (1)",
        "SELECT /*+ SET_VAR(autocommit=0) */ 1",
        "SELECT /*+ SET_VAR(sql_mode='') */ 1",
        "SELECT /*+ SET_VAR(optimizer_switch='index_merge=off') */ 1",
        "SELECT /*+ INDEX(t a",
    ],
)
def test_what_is_not_obeyed_is_refused(sql):
    *_, told = alone("CREATE TABLE u (id INT PRIMARY KEY)", sql)
    assert str(told).startswith(("the model's SQL has no ", "1064: "))


def test_a_variable_is_set_for_one_statement_also_if_that_fails():
    *_, told, mode = alone(
        "SELECT /*+ SET_VAR(sql_mode='NO_ENGINE_SUBSTITUTION') */ nope FROM t", "SELECT @@sql_mode LIKE 'ONLY%'"
    )
    assert told.startswith("1054: ")
    assert mode == [(1,)]
