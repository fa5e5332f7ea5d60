"""Keys with multi-valued parts: which are refused, and how they are shown."""

import pytest
from engine_sessions import alone

U, T = "(CAST(j->'$.a' AS UNSIGNED ARRAY))", "(CAST(j->'$.b' AS UNSIGNED ARRAY))"


@pytest.mark.parametrize(
    ("key", "errno"),
    [
        (f"KEY ({U}, {T})", 1235),
        (f"KEY ({U} DESC)", 1221),
        (f"PRIMARY KEY ({U})", 3756),
        ("KEY ((CAST(j AS CHAR ARRAY)))", 1235),
        ("KEY ((CAST(j AS CHAR(513) ARRAY)))", 1235),
        ("KEY ((CAST(j AS DOUBLE ARRAY)))", 1235),
        ("KEY ((CAST(j AS YEAR ARRAY)))", 1235),
    ],
)
def test_a_key_that_can_not_be_multi_valued_is_refused(key, errno):
    (outcome,) = alone(f"CREATE TABLE d (j JSON, {key})")
    assert outcome.startswith(f"{errno}: ")


def test_it_is_shown_as_the_server_understood_it():
    (*_, shown, ((*_, expression),)) = alone(
        f"CREATE TABLE d (j JSON, KEY u ({U}))",
        "ALTER TABLE d ADD UNIQUE c (j, (CAST(j AS DECIMAL(5) ARRAY)))",
        "ALTER TABLE d ADD INDEX c ((CAST(j AS DECIMAL(5) ARRAY))), ADD INDEX e ((CAST(j->'$.e' AS CHAR(9) ARRAY)))",
        "SHOW CREATE TABLE d",
        "SHOW INDEX FROM d WHERE Key_name = 'u'",
    )
    text = shown[0][1]
    assert "KEY `u` ((cast(json_extract(`j`,_utf8mb4'$.a') as unsigned array)))" in text
    assert "KEY `c` ((cast(`j` as decimal(5, 0) array)))" in text
    assert "KEY `e` ((cast(json_extract(`j`,_utf8mb4'$.e') as char(9) array)))" in text
    assert expression == "cast(json_extract(`j`,_utf8mb4\\'$.a\\') as unsigned array)"


def test_rows_enter_an_index_that_is_made_later_and_the_table_is_copied():
    outcomes = alone(
        "CREATE TABLE d (id INT PRIMARY KEY, j JSON)",
        "INSERT INTO d VALUES (1, '[3, 1, 3]'), (2, '[]'), (3, NULL), (4, '[3]')",
        "CREATE UNIQUE INDEX k ON d ((CAST(j AS SIGNED ARRAY)))",
        "CREATE INDEX k ON d ((CAST(j AS SIGNED ARRAY)))",
        "SELECT id FROM d FORCE INDEX (k) WHERE 3 MEMBER OF (j)",
    )
    assert outcomes[2:] == ["1062: Duplicate entry '[3]' for key 'd.k'", 4, [(1,), (4,)]]
