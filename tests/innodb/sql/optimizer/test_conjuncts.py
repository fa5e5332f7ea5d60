"""Conditions taken apart, and their negations: the server pushes NOT down to what has an opposite."""

import pytest
import sqlglot

from chatsim.innodb.sql.optimizer.conjuncts import conjuncts, sides


def parsed(condition):
    return sqlglot.parse_one(f"SELECT * FROM t WHERE {condition}", dialect="mysql").args["where"]


def parts(condition):
    return [each.sql("mysql") for each in conjuncts(parsed(condition))]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a = 1 AND (b = 2 AND c = 3)", ["a = 1", "b = 2", "c = 3"]),
        ("a = 1 OR b = 2", ["a = 1 OR b = 2"]),
        ("(a, b) = (1, 2)", ["a = 1", "b = 2"]),
        ("a", ["a <> 0"]),
        ("a BETWEEN 3 AND 3", ["a = 3"]),
        ("a BETWEEN 3 AND 4", ["a BETWEEN 3 AND 4"]),
        ("NOT (a = 1)", ["a <> 1"]),
        ("NOT a", ["a = 0"]),
        ("NOT (a < 1 OR b >= 2)", ["a >= 1", "b < 2"]),
        ("NOT (NOT (a = 1))", ["a = 1"]),
        ("NOT (a IN (1, 2))", ["NOT a IN (1, 2)"]),
        ("NOT (a BETWEEN 1 AND 2)", ["NOT a BETWEEN 1 AND 2"]),
        ("NOT (a IS NULL)", ["NOT a IS NULL"]),
        ("NOT ((a IS NULL))", ["NOT a IS NULL"]),
        ("NOT (a IS NOT NULL)", ["a IS NULL"]),
    ],
)
def test_what_has_to_hold(condition, expected):
    assert parts(condition) == expected


def test_isnull_is_is_null():
    assert [repr(each) for each in conjuncts(parsed("NOT ISNULL(a)"))] == [
        repr(each) for each in conjuncts(parsed("a IS NOT NULL"))
    ]


def test_no_condition_has_no_parts():
    assert conjuncts(None) == []


def test_sides_of_an_or_and_of_those_within():
    (node,) = conjuncts(parsed("a = 1 OR (b = 2 OR c = 3 AND d = 4)"))
    assert [each.sql("mysql") for each in sides(node)] == ["a = 1", "b = 2", "c = 3 AND d = 4"]
