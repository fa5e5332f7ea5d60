"""What conditions leave of a column is what a row with each of its values would be asked."""

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import parse_one

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.innodb.sql.expressions import Env, Scope
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.conjuncts import conjuncts
from chatsim.innodb.sql.optimizer.ranges import ranges_of
from chatsim.innodb.storage.values import NULL
from chatsim.simulation.loop import run

K, V = 1, 2
OPERATORS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
VALUES = range(-1, 7)


@pytest.fixture(scope="module")
def session():
    async def made():
        session = EngineSession(Engine(lambda: 0.0))
        await session.run(
            "CREATE TABLE t (id INT PRIMARY KEY, k INT, v INT, w INT, KEY by_k (k, v), UNIQUE KEY by_v (v))"
        )
        return session

    return run(made())


@pytest.fixture(scope="module")
def asked(session):
    def asked(where):
        scope = Scope([("t", session.engine.table("t"))])
        return Conditions(scope, 0, (), conjuncts(parse_one(f"SELECT 1 FROM t WHERE {where}", "mysql").args["where"]))

    return asked


@pytest.fixture(scope="module")
def column_ranges(session, asked):
    return lambda where: asked(where).column_ranges(Env(session, (), [()]))


@given(st.lists(st.tuples(st.sampled_from(sorted(OPERATORS)), st.integers(0, 5)), min_size=1, max_size=4))
def test_a_span_has_the_values_of_which_all_comparisons_hold(column_ranges, comparisons):
    found = column_ranges(" AND ".join(f"k {sign} {number}" for sign, number in comparisons))[K]
    wanted = [value for value in VALUES if all(OPERATORS[sign](value, number) for sign, number in comparisons)]
    assert [value for value in VALUES if found.contains(value)] == wanted


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
def test_values_that_are_named_are_points(column_ranges, where, points):
    assert column_ranges(where)[K].points == points


def test_only_what_was_said_to_be_one_value_is_one(column_ranges):
    assert column_ranges("k = 3")[K].point == 3
    assert column_ranges("k IN (3, 3)")[K].point is None


@pytest.mark.parametrize(("where", "has_null"), [("k > 1", False), ("k IS NOT NULL", False), ("k IS NULL", True)])
def test_a_comparison_rules_null_out(column_ranges, where, has_null):
    assert column_ranges(where)[K].contains(NULL) is has_null


def test_nothing_equals_null(column_ranges):
    assert column_ranges("k = NULL") is None


def test_a_column_beside_another_of_the_table_or_in_an_expression_is_not_asked(column_ranges):
    assert column_ranges("k = v") == {}
    assert column_ranges("k + 1 = 2") == {}
    assert column_ranges("k = 1 OR v = 2") == {}
    assert column_ranges("k = 1 OR k IS NOT NULL") == {}


def test_pairs_in_parentheses_are_taken_apart(column_ranges):
    found = column_ranges("(k, v) = (1, 2)")
    assert (found[K].point, found[V].point) == (1, 2)


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ("v = 1", [V]),
        ("k <=> 1", [K]),
        ("k IS NULL", [K]),
        ("k = 1 AND v = 2", [K, V]),
        ("k > 1", []),
        ("id + 1 = 1", []),
        ("v > 1 AND k = 2", [K]),
        ("k IN (1, 2)", []),
    ],
)
def test_a_row_can_be_looked_up_by_what_a_column_has_to_equal(asked, where, columns):
    assert [each.column for each in asked(where).equalities()] == columns


@pytest.fixture
def ranges(session, asked):
    """What conditions leave of an index, in words: by_k, which is (k, v, id), if no other is named."""

    def found(where, index="by_k"):
        indexes = {each.definition.name: each for each in session.engine.table("t").indexes}
        range_tree = asked(where).range_tree(Env(session, (), [()]), list(indexes.values()))
        if range_tree.impossible:
            return "nothing"
        left = ranges_of(range_tree.by_index.get(indexes[index]))
        return None if left is None else [said(each) for each in left[0]]

    return found


def said(span):
    low = "[("[not span.low_included] + ", ".join(map(str, span.low or ()))
    return f"{low} … {', '.join(map(str, span.high or ()))}{'])'[not span.high_included]}"


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ("k < 1 OR k > 3 OR k = 2", ["(NULL … 1)", "[2 … 2]", "(3 … ]"]),
        ("k <= 2 OR k = 5 OR k > 1", ["(NULL … ]"]),
        ("k IS NULL OR k < 3", ["[NULL … 3)"]),
        ("k > 0 AND (k < 1 OR k > 3)", ["(0 … 1)", "(3 … ]"]),
        ("(k < 5 OR k > 7) AND (k > 9 OR k < 2)", ["(NULL … 2)", "(9 … ]"]),
        ("k > 3 AND (k < 5 OR (k > 6 AND (k < 8 OR k > 9)))", ["(3 … 5)", "(6 … 8)", "(9 … ]"]),
        ("k = NULL OR k > 3", ["(3 … ]"]),
        ("1 = 0 OR k > 3", ["(3 … ]"]),
        ("k = NULL OR (k = 1 AND k = 2)", "nothing"),
        ("k <> 3", ["(NULL … 3)", "(3 … ]"]),
        ("k NOT IN (3, 1)", ["(NULL … 1)", "(1 … 3)", "(3 … ]"]),
        ("k NOT IN (3, NULL)", ["(NULL … 3)", "(3 … ]"]),
        ("k NOT BETWEEN 1 AND 3", ["(NULL … 1)", "(3 … ]"]),
        ("k NOT IN (9, 0) OR k <= 0", ["(NULL … 0]", "(0 … 9)", "(9 … ]"]),
        ("k NOT IN (9, 0) OR k <= 3", ["(NULL … 9)", "(9 … ]"]),
        ("k NOT IN (9, 0) OR k <= 9", ["(NULL … 9]", "(9 … ]"]),
        ("k NOT IN (9, 0) OR k = 0", ["(NULL … 9)", "(9 … ]"]),
        ("k NOT IN (0, 3, 9) OR k >= 3", ["(NULL … 0)", "(0 … ]"]),
        ("k <= 0 OR k NOT IN (9, 0)", ["(NULL … 9)", "(9 … ]"]),
        ("NOT (k = 3 OR k > 5)", ["(NULL … 3)", "(3 … 5]"]),
        ("(k, v) IN ((1, 2), (3, 4))", ["[1, 2 … 1, 2]", "[3, 4 … 3, 4]"]),
    ],
)
def test_alternatives_are_ranges_of_one_index(ranges, where, left):
    assert ranges(where) == left


@pytest.mark.parametrize(
    (
        "where",
        "left",
    ),  # as a MySQL 9.7's optimizer trace names them, but for the ends of intervals, which it cuts short
    [
        ("k < 3 OR (k < 5 AND v = 3) OR (k > 7 AND v = 4)", ["(NULL … 3)", "[3, 3 … 5)", "(7 … ]"]),
        (
            "k = 2 OR k < 4 AND v > 1 OR k = 3",
            ["(NULL … 2)", "[2 … 2]", "(2 … 3)", "[3 … 3]", "(3 … 4)"],
        ),
        ("(k = 2 OR k = 5) AND (v = 3 OR v > 7)", ["[2, 3 … 2, 3]", "(2, 7 … 2]", "[5, 3 … 5, 3]", "(5, 7 … 5]"]),
        (
            "(k >= 2 AND k < 4 AND v = 3) OR (k IN (1, 3, 7) AND v = 4)",
            ["[1, 4 … 1, 4]", "[2, 3 … 3)", "[3, 3 … 3, 3]", "[3, 4 … 3, 4]", "(3 … 4)", "[7, 4 … 7, 4]"],
        ),
        ("(k < 3 AND v = 1) OR (k < 5 AND v = 1)", ["(NULL … 5)"]),
    ],
)
def test_ranges_are_split_where_the_next_column_is_asked_for_something_else(ranges, where, left):
    assert ranges(where) == left


@pytest.mark.parametrize(
    "where", ["k = 1 OR k + 1 = 4", "k = 1 OR v = 2", "k IS NULL OR k IS NOT NULL OR v = 1", "v = 1"]
)
def test_what_leaves_an_index_whole_is_no_range_of_it(ranges, where):
    assert ranges(where) is None


def test_of_a_column_that_is_never_null_is_not_null_leaves_all(ranges):
    assert ranges("id IS NOT NULL", "PRIMARY") is None
    assert ranges("id < 3", "PRIMARY") == ["[ … 3)"]


@pytest.fixture
def merges(session, asked):
    """Of each OR the first columns of the indexes that its sides can be searched by."""

    def found(where):
        range_tree = asked(where).range_tree(Env(session, (), [()]), session.engine.table("t").indexes)
        return [
            [sorted(index.definition.name for index in side.by_index if index in side) for side in sides]
            for sides in range_tree.merges
        ]

    return found


@pytest.mark.parametrize(
    ("where", "found"),  # as a MySQL 9.7's optimizer trace names them
    [
        ("k = 1 OR id = 2", [[["by_k"], ["PRIMARY"]]]),
        ("(k = 1 OR id = 2) OR (k = 3 AND id = 4)", [[["by_k"], ["PRIMARY"]]]),
        ("(k = 1 OR v = 2) OR id = 4", [[["by_k"], ["by_v"], ["PRIMARY"]]]),
        ("(k = 1 OR id = 2) AND (k = 3 OR v = 2)", [[["by_k"], ["PRIMARY"]], [["by_k"], ["by_v"]]]),
        (
            "((k = 1 OR v = 2) AND (k = 3 OR v = 1)) OR id = 4",
            [[["by_k"], ["by_v"], ["PRIMARY"]], [["by_k"], ["by_v"], ["PRIMARY"]]],
        ),
        ("(v > 3 AND (k = 1 OR id = 2)) OR k = 3", [[["by_v"], ["by_k"]]]),
        ("k = 1 OR k + 1 = 4 OR id = 3", []),
        ("k = 1 OR k > 3", []),
    ],
)
def test_alternatives_of_different_indexes_are_searched_together(merges, where, found):
    assert merges(where) == found


def test_what_is_asked_of_no_column_is_known_beforehand(column_ranges):
    assert column_ranges("k = 1 AND 1 = 0") is None
    assert column_ranges("k = 1 AND 1 = 1")[K].point == 1


@pytest.mark.parametrize(
    ("where", "selectivity"),  # the manual's "Condition Filtering": guesses where no index tells
    [
        *(("w = 3", 0.1), ("w <=> 3", 0.1), ("w IS NULL", 0.1), ("w <> 3", 0.9), ("w IS NOT NULL", 0.9)),
        *(("w IN (1, 2, 3)", 0.3), ("w NOT IN (1, 2, 3)", 0.7), ("w IN (1, 2, 3, 4, 5, 6, 7)", 0.5)),
        *(("w > 1", 0.3333), ("w > 1 AND w < 5", 0.3333**2), ("w BETWEEN 1 AND 5", 0.1111)),
        *(("w = 3 OR w > 5", 0.1 + 0.3333 - 0.03333), ("w = 3 OR w + 1 = 5", 1), ("w + 1 = 5", 1)),
        *(("k = 3", 1), ("k = 3 AND w = 3", 0.1), ("k = 3 OR w = 3", 1)),
    ],
)
def test_a_share_of_the_rows_is_guessed_of_what_no_index_tells(asked, where, selectivity):
    assert asked(where).selectivity(100, {K}) == pytest.approx(selectivity)


def test_of_few_rows_a_value_has_a_greater_share(asked):
    selectivities = {"w = 3": 0.5, "w <> 3": 0.5, "w > 3": 0.5, "w BETWEEN 1 AND 3": 0.5, "w IN (1, 2)": 0.5}
    assert {where: asked(where).selectivity(2, set()) for where in selectivities} == selectivities


def test_of_an_equality_the_statistics_of_an_index_tell_though_it_is_not_searched(asked):
    assert asked("v = 3").selectivity(100, {K}) == pytest.approx(0.01)
    assert asked("v <=> 3").selectivity(100, {K}) == pytest.approx(0.1)


def test_between_ends_that_are_the_wrong_way_round_there_is_nothing(column_ranges):
    assert column_ranges("k BETWEEN 4 AND 2")[K].points == ()
    assert column_ranges("k BETWEEN NULL AND 2") is None


@pytest.mark.parametrize(
    "where", ["k = 3 OR k IS NULL", "k IS NULL AND v > 1 OR k = 3", "k IS NULL OR k = 3 AND v < 9"]
)
def test_a_value_or_null_are_two_points(column_ranges, where):
    assert (column_ranges(where)[K].points, column_ranges(where)[K].or_null) == ((NULL, 3), True)


@pytest.mark.parametrize("where", ["k > 3 OR k IS NULL", "v = 3 OR k IS NULL", "k = 3 OR k IS NULL OR k = 4"])
def test_a_range_another_column_or_a_third_side_are_not(column_ranges, where):
    assert column_ranges(where) == {}
