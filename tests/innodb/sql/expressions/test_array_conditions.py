"""Conditions on the arrays of multi-valued indexes, and JSON's own comparisons beside them."""

import pytest
from engine_sessions import alone

MADE = (
    "CREATE TABLE d (id INT PRIMARY KEY, j JSON, KEY i ((CAST(j->'$.t' AS UNSIGNED ARRAY))))",
    """INSERT INTO d VALUES (1, '{"t": [1.5, "13"]}'), (2, '{"t": [5]}'), (3, '{"t": 9}'), (4, NULL)""",
)


def ids(condition):
    (*_, rows) = alone(*MADE, f"SELECT id FROM d WHERE {condition} ORDER BY id")
    return [each for (each,) in rows]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("2 MEMBER OF (j->'$.t')", [1]),
        ("JSON_CONTAINS(j->'$.t', '[13]')", [1]),
        ("JSON_CONTAINS(j->'$.t', '[5.4]')", [2]),
        ("JSON_CONTAINS(j->'$.t', '[]')", [1, 2, 3]),
        ("JSON_OVERLAPS('[9, 2]', j->'$.t')", [1, 3]),
        ("JSON_CONTAINS(j->'$.t', '[5, null]')", []),
    ],
)
def test_values_are_compared_as_the_index_has_them(condition, found):
    assert ids(condition) == found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("1.5 MEMBER OF (j->'$.t')", [1]),
        ("'13' MEMBER OF (j->'$.t')", [1]),
        ("id MEMBER OF (j->'$.t')", []),
        ("JSON_OVERLAPS(j->'$.t', '[\"x\", 5]')", [2]),
    ],
)
def test_values_of_another_type_are_compared_as_json(condition, found):
    assert ids(condition) == found


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 MEMBER OF ('[true]')", 0),
        ("true MEMBER OF ('[1]')", 0),
        ("true MEMBER OF ('[true]')", 1),
        ("CAST('[1]' AS JSON) MEMBER OF ('[[1, 2]]')", 0),
        ("JSON_OVERLAPS('[1, 2]', '[true]')", 0),
        ("JSON_OVERLAPS('{\"a\": 1}', '{\"a\": true}')", 0),
    ],
)
def test_true_and_false_are_no_numbers_and_a_member_is_equal(expression, value):
    assert alone(f"SELECT {expression}") == [[(value,)]]


def test_an_array_is_cast_only_in_an_index():
    (outcome,) = alone("SELECT CAST('[1]' AS UNSIGNED ARRAY)")
    assert outcome.startswith("1235: ")
