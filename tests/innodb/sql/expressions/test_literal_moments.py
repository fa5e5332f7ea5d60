"""Texts that are compared with columns of dates and times."""

import pytest

from tests.engine_sessions import alone

DATES = "CREATE TABLE d (day DATE, at DATETIME, ts TIMESTAMP NULL, n INT)"


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT n FROM d WHERE day = 'x'", "1525: Incorrect DATE value: 'x'"),
        ("SELECT n FROM d WHERE '2024-02-30' < day", "1525: Incorrect DATE value: '2024-02-30'"),
        ("SELECT n FROM d WHERE at > ''", "1525: Incorrect DATETIME value: ''"),
        ("SELECT n FROM d WHERE ts <> 'x'", "1525: Incorrect TIMESTAMP value: 'x'"),
        ("SELECT n FROM d WHERE day = '0000-00-00'", "1525: Incorrect DATE value: '0000-00-00'"),
        ("UPDATE d SET n = 1 WHERE day = 'x'", "1292: Incorrect date value: 'x' for column 'day' at row 1"),
        ("SELECT n FROM d WHERE day = '2024-01-01x'", []),
        ("SELECT n FROM d WHERE day IN ('x', '2024-01-01')", []),
        ("SELECT n FROM d WHERE day BETWEEN 'x' AND '2024-01-01'", []),
        ("SELECT n FROM d WHERE n = '5'", []),
    ],
)
def test_a_text_that_is_no_date_is_refused_before_there_is_a_row(sql, told):
    assert alone(DATES, sql)[-1] == told


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("day = '2024-01-02 10:00'", []),
        ("day >= '2024-01-02 10:00'", [(3,)]),
        ("day > '2024-01-02 10:00'", [(3,)]),
        ("day < '2024-01-02 10:00'", [(1,), (2,)]),
        ("day <= '2024-01-02 10:00'", [(1,), (2,)]),
    ],
)
def test_a_date_is_compared_with_a_time_of_day_as_its_beginning(condition, found):
    rows = "INSERT INTO d (day, n) VALUES ('2024-01-01', 1), ('2024-01-02', 2), ('2024-01-03', 3)"
    for key in ("", "ALTER TABLE d ADD KEY (day)"):
        *_, told = alone(DATES, rows, *filter(None, [key]), f"SELECT n FROM d WHERE {condition} ORDER BY n")
        assert told == found
