"""Constants in place of columns that equal them: what is false with these has no row, and nothing else is left out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatsim.innodb.server.engine import Engine
from chatsim.innodb.server.session import EngineSession
from chatsim.simulation.loop import run

NOW = 1_700_000_000.0
TABLES = (
    "CREATE TABLE s (id INT PRIMARY KEY, k INT, n VARCHAR(3) NOT NULL, d DATE, KEY by_k (k), UNIQUE KEY by_n (n))",
    "INSERT INTO s VALUES (1, 1, 'a', '2026-01-01'), (2, NULL, 'b', NULL), (3, 3, 'c', '2026-01-03')",
    "CREATE TABLE q (id INT PRIMARY KEY, k INT)",
    "INSERT INTO q VALUES (1, 3), (2, NULL), (3, 1)",
)


def rows(sql):
    async def main():
        session = EngineSession(Engine(lambda: NOW, purges=False))
        for each in TABLES:
            await session.run(each)
        return (await session.run(sql))[-1].rows

    return run(main())


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("id = 1 AND id = (SELECT 1)", [1]),
        ("id = (SELECT 1) AND id = 1", [1]),
        ("id = 1 AND id = (SELECT MIN(k) FROM q)", [1]),
        ("id = 3 AND id = (SELECT MIN(k) FROM q)", []),
        ("id = (SELECT 1) AND id = (SELECT MIN(k) FROM q)", [1]),
        ("id = (SELECT 3) AND id = (SELECT MIN(k) FROM q)", []),
        ("id = 1 AND id = (SELECT k FROM q WHERE id = 2)", []),
        ("k = 1 AND k = (SELECT MIN(k) FROM q)", [1]),
        ("id = 1 AND id = 3", []),
        ("id = 1 AND id <> 1", []),
    ],
)
def test_a_column_that_equals_two_things(where, found):
    assert [each for (each,) in rows(f"SELECT id FROM s WHERE {where}")] == found


NUMBERS = st.sampled_from(
    ["1", "2", "3", "NULL", "(SELECT 1)", "(SELECT MIN(k) FROM q)", "(SELECT k FROM q WHERE id = 2)"]
)
TEXTS = st.sampled_from(["'a'", "'c'", "(SELECT 'a')", "(SELECT 'c')"])
DATES = st.sampled_from(["'2026-01-01'", "'2026-01-03'", "(SELECT '2026-01-01')", "NULL"])
OPERATORS = st.sampled_from(["=", "=", "=", "<>", "<=", ">", "<=>"])
CONDITIONS = st.one_of(
    st.tuples(st.sampled_from(["id", "k"]), OPERATORS, NUMBERS).map(" ".join),
    st.tuples(st.just("n"), OPERATORS, TEXTS).map(" ".join),
    st.tuples(st.just("d"), OPERATORS, DATES).map(" ".join),
    st.sampled_from(
        ["id IN (1, 3)", "id IN (SELECT k FROM q)", "k NOT IN (SELECT id FROM q WHERE k > 1)", "k IS NULL"]
    ),
    st.sampled_from(["id BETWEEN 2 AND 3", "NOT (id BETWEEN 2 AND 3)", "NOT (k IN (1, 2))", "id = k", "n > 'a'"]),
)


@settings(max_examples=150)
@given(conditions=st.lists(CONDITIONS, min_size=2, max_size=4))
def test_the_rows_are_those_for_which_each_condition_is_true(conditions):
    told = rows(f"SELECT id, {', '.join(f'({each})' for each in conditions)} FROM s")
    wanted = sorted(number for number, *values in told if all(values))
    assert sorted(each for (each,) in rows(f"SELECT id FROM s WHERE {' AND '.join(conditions)}")) == wanted
