"""Optimizer hints: each is obeyed, or refused by its name. What the obeyed ones do, recorded schedules show."""

import pytest
from sqlglot import exp

from chatsim.innodb.sql.optimizer.optimizer_hints import hints_of
from chatsim.innodb.sql.parsed_statement import parsed
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


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT /*+ NO_SEMIJOIN(@s FIRSTMATCH) */ 1 FROM t WHERE id IN (SELECT /*+ QB_NAME(s) */ id FROM u)",
        "SELECT /*+ NO_SEMIJOIN(@`select#2` FIRSTMATCH) */ 1 FROM t WHERE id IN (SELECT id FROM u)",
    ],
)
def test_a_hint_that_names_a_query_block_is_put_there(sql):
    node = parsed(sql)[0].node
    inner = list(node.find_all(exp.Select, bfs=False))[1]
    assert hints_of(node) == []
    assert [(each.name, each.words) for each in hints_of(inner)][-1] == ("NO_SEMIJOIN", ["FIRSTMATCH"])


def test_a_table_of_another_query_block_is_named_with_it():
    sql = "SELECT /*+ NO_INDEX(u@s a) */ 1 FROM t WHERE id = (SELECT /*+ QB_NAME(s) */ MAX(id) FROM u)"
    inner = list(parsed(sql)[0].node.find_all(exp.Select, bfs=False))[1]
    assert [(each.name, each.words) for each in hints_of(inner)][-1] == ("NO_INDEX", ["u", "a"])


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
        "SELECT * FROM t WHERE id IN (SELECT /*+ SEMIJOIN(FOO) */ id FROM u)",
        "SELECT * FROM t WHERE id IN (SELECT /*+ SUBQUERY() */ id FROM u)",
        "SELECT * FROM t WHERE id IN (SELECT /*+ INDEX(u PRIMARY) */ id FROM u)",
        "SELECT /*+ NO_SEMIJOIN(@x) */ * FROM t WHERE id IN (SELECT id FROM u)",
        "SELECT /*+ NO_MERGE(x) */ * FROM t",
        "SELECT /*+ NO_RANGE_OPTIMIZATION(t x) */ * FROM t",
        "SELECT * FROM t WHERE id IN (SELECT /*+ MAX_EXECUTION_TIME(1) */ id FROM u)",
        "SELECT * FROM (SELECT /*+ INDEX(t a) */ * FROM t) x",
        "WITH x AS (SELECT /*+ INDEX(t a) */ * FROM t) SELECT * FROM x",
        "CREATE VIEW v AS SELECT /*+ INDEX(t a) */ * FROM t",
        "UPDATE /*+ NO_INDEX(x a) */ t JOIN u ON u.id = t.id SET t.a = 1",
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
