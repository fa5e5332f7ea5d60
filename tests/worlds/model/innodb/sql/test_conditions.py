"""What conditions leave of a column is what a row with each of its values would be asked."""

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import parse_one

from chatsim.worlds.model.innodb.engine import Engine
from chatsim.worlds.model.innodb.session import EngineSession
from chatsim.worlds.model.innodb.sql.conditions import Conditions, conjuncts
from chatsim.worlds.model.innodb.sql.expressions import Env, Scope
from chatsim.worlds.model.innodb.values import NULL
from chatsim.worlds.model.loop import run

K, V = 1, 2
OPERATORS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
VALUES = range(-1, 7)


@pytest.fixture(scope="module")
def session():
    async def made():
        session = EngineSession(Engine(lambda: 0.0))
        await session.run("CREATE TABLE t (id INT PRIMARY KEY, k INT, v INT, KEY by_k (k, v), UNIQUE KEY by_v (v))")
        return session

    return run(made())


@pytest.fixture(scope="module")
def asked(session):
    def asked(where):
        scope = Scope([("t", session.engine.table("t"))])
        return Conditions(scope, 0, (), conjuncts(parse_one(f"SELECT 1 FROM t WHERE {where}", "mysql").args["where"]))

    return asked


@pytest.fixture(scope="module")
def spans(session, asked):
    return lambda where: asked(where).spans(Env(session, (), [()]))


@given(st.lists(st.tuples(st.sampled_from(sorted(OPERATORS)), st.integers(0, 5)), min_size=1, max_size=4))
def test_a_span_has_the_values_of_which_all_comparisons_hold(spans, comparisons):
    found = spans(" AND ".join(f"k {sign} {number}" for sign, number in comparisons))[K]
    wanted = [value for value in VALUES if all(OPERATORS[sign](value, number) for sign, number in comparisons)]
    assert [value for value in VALUES if found.has(value)] == wanted


@pytest.mark.parametrize(
    ("where", "points"),
    [
        ("k = 3", (3,)),
        ("k IN (5, 2, 5)", (2, 5)),
        ("k IN (1, 5) AND k < 5", (1,)),
        ("k BETWEEN 4 AND 4", (4,)),
        ("k = 5 OR k = 2 OR k = 5", (2, 5)),
        ("(k = 1 OR k IN (4, 5)) AND k > 1", (4, 5)),
        ("k = 3 AND k = 4", ()),
        ("k IS NULL", (NULL,)),
        ("k <=> 2", (2,)),
        ("3 = k", (3,)),
    ],
)
def test_values_that_are_named_are_points(spans, where, points):
    assert spans(where)[K].points == points


def test_only_what_was_said_to_be_one_value_is_one(spans):
    assert spans("k = 3")[K].point == 3
    assert spans("k IN (3, 3)")[K].point is None


@pytest.mark.parametrize(("where", "has_null"), [("k > 1", False), ("k IS NOT NULL", False), ("k IS NULL", True)])
def test_a_comparison_rules_null_out(spans, where, has_null):
    assert spans(where)[K].has(NULL) is has_null


def test_nothing_equals_null(spans):
    assert spans("k = NULL") is None


def test_a_column_beside_another_of_the_table_or_in_an_expression_is_not_asked(spans):
    assert spans("k = v") == {}
    assert spans("k + 1 = 2") == {}
    assert spans("k = 1 OR v = 2") == {}


def test_pairs_in_parentheses_are_taken_apart(spans):
    found = spans("(k, v) = (1, 2)")
    assert (found[K].point, found[V].point) == (1, 2)


@pytest.mark.parametrize(
    ("where", "rank"), [("v = 1", 0), ("k = 1", 2), ("k > 1", 3), ("id + 1 = 1", 4), ("v > 1 AND k = 2", 2)]
)
def test_the_more_is_asked_the_lower_the_rank(asked, where, rank):
    assert asked(where).rank() == rank


@pytest.fixture
def alternatives(asked):
    """What each alternative of a condition leaves of k: its ends, or its points."""

    def found(where):
        conditions = asked(where)
        env = Env(None, ())
        spans = conditions.spans(env)
        return [
            each.get(K) and (each[K].points or (each[K].low, each[K].high))
            for each in conditions.alternatives(spans, env)
        ]

    return found


def test_alternatives_leave_something_each(alternatives):
    assert alternatives("k < 1 OR k > 3 OR k = 2") == [(None, 1), (3, None), (2,)]


def test_what_is_asked_beside_alternatives_is_asked_of_each(alternatives):
    assert alternatives("k > 0 AND (k < 1 OR k > 3)") == [(0, 1), (3, None)]
    assert alternatives("(k < 5 OR k > 7) AND (k > 9 OR k < 2)") == [(None, 2), (9, None)]


def test_alternatives_within_alternatives_are_more_of_them(alternatives):
    assert alternatives("v = 1 AND (k < 1 OR (k > 3 AND (k < 5 OR k > 8)))") == [(None, 1), (3, 5), (8, None)]


def test_an_alternative_that_asks_nothing_of_an_index_makes_the_others_useless(alternatives):
    assert alternatives("k = 1 OR k + 1 = 4") == [None]


def test_an_alternative_that_equals_null_is_none(alternatives):
    assert alternatives("k = NULL OR k > 3") == [(3, None)]


def test_too_many_alternatives_are_not_looked_at(alternatives):
    assert alternatives(" AND ".join(f"(k < {number} OR v > {number})" for number in range(10))) == [None]


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ("k <> 3", [(None, 3), (3, None)]),
        ("k NOT IN (3, 1)", [(1, 3), (None, 1), (3, None)]),
        ("k NOT BETWEEN 1 AND 3", [(None, 1), (3, None)]),
        ("NOT (k = 3 OR k > 5)", [(None, 3), (3, 5)]),
        ("(k, v) IN ((1, 2), (3, 4))", [(1,), (3,)]),
    ],
)
def test_what_is_denied_and_lists_of_rows_are_alternatives(alternatives, where, left):
    assert sorted(alternatives(where), key=str) == sorted(left, key=str)


def test_what_is_asked_of_no_column_is_known_beforehand(spans):
    assert spans("k = 1 AND 1 = 0") is None
    assert spans("k = 1 AND 1 = 1")[K].point == 1
