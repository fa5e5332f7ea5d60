"""Which conditions search a multi-valued index, as EXPLAIN tells."""

import pytest
from engine_sessions import alone

KEYS = "KEY i ((CAST(j->'$.t' AS UNSIGNED ARRAY))), KEY ai (a, (CAST(j->'$.x' AS CHAR(5) ARRAY)))"
ROWS = ", ".join(f'({at}, {at % 3}, \'{{"t": [{at}, {at + 20}], "x": ["x{at}"]}}\')' for at in range(1, 13))
MADE = (f"CREATE TABLE d (id INT PRIMARY KEY, a INT, j JSON, {KEYS})", f"INSERT INTO d VALUES {ROWS}")


def plan(condition, *, select="*"):
    (*_, rows) = alone(*MADE, f"EXPLAIN SELECT {select} FROM d WHERE {condition}")
    return rows[0][4], rows[0][6], rows[0][7]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("5 MEMBER OF (j->'$.t')", ("ref", "i", "9")),
        ("JSON_CONTAINS(j->'$.t', '[5, 3]')", ("range", "i", "9")),
        ("JSON_CONTAINS(j->'$.t', '5')", ("range", "i", "9")),
        ("JSON_OVERLAPS(j->'$.t', '[5, 3]')", ("range", "i", "9")),
        ("JSON_OVERLAPS('[5, 3]', j->'$.t')", ("range", "i", "9")),
        ("5 MEMBER OF (j->'$.t') OR 3 MEMBER OF (j->'$.t')", ("range", "i", "9")),
        ("5 MEMBER OF (j->'$.t') AND 25 MEMBER OF (j->'$.t')", ("ref", "i", "9")),
        ("5 MEMBER OF (j->'$.t') AND id > 3", ("range", "i", "13")),
        ("a = 1 AND 'x1' MEMBER OF (j->'$.x')", ("ref", "ai", "28")),
    ],
)
def test_a_condition_on_the_array_searches_the_index(condition, expected):
    assert plan(condition) == expected


@pytest.mark.parametrize(
    "condition",
    [
        "'5' MEMBER OF (j->'$.t')",
        "5.0 MEMBER OF (j->'$.t')",
        "CAST(5 AS JSON) MEMBER OF (j->'$.t')",
        "-1 MEMBER OF (j->'$.t')",
        "id MEMBER OF (j->'$.t')",
        "NOT (5 MEMBER OF (j->'$.t'))",
        "JSON_CONTAINS(j->'$.t', '[]')",
        "JSON_CONTAINS(j->'$.t', '[5, \"a\"]')",
        "JSON_CONTAINS('[5, 3]', j->'$.t')",
        "JSON_CONTAINS(j, '5', '$.t')",
        "JSON_CONTAINS(j->'$.t', '[5]') = 1",
        "j->'$.t' = 5",
        "'x1' MEMBER OF (j->'$.x')",
    ],
)
def test_others_do_not(condition):
    assert plan(condition) == ("ALL", None, None)


def test_it_covers_nothing_and_gives_no_order():
    assert plan("5 MEMBER OF (j->'$.t')", select="id")[:2] == ("ref", "i")
    (*_, counted, ordered) = alone(*MADE, "EXPLAIN SELECT COUNT(*) FROM d", "EXPLAIN SELECT a FROM d ORDER BY a")
    assert (counted[0][6], ordered[0][6]) == ("PRIMARY", None)


def test_a_row_that_several_values_find_is_found_once_the_greatest_value_first():
    (*_, rows) = alone(*MADE, "SELECT id FROM d FORCE INDEX (i) WHERE JSON_OVERLAPS(j->'$.t', '[1, 21, 2]')")
    assert rows == [(1,), (2,)]
