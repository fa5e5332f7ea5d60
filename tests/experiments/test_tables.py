"""Tables: their columns have types, the important ones come first; texts are on the left, and `unsafe` is marked."""

import math
import re

import pandas as pd
import pytest

from chatsim.experiments.catchup.experiment import CatchUp
from chatsim.experiments.creation.experiment import Race
from chatsim.experiments.parameters import units
from chatsim.experiments.tables import html, in_digits, summary
from chatsim.experiments.talk.experiment import Talk


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], "int64"),
        ([2**60 + 1, None], "Int64"),
        ([1.0, None], "float64"),
        ([1, 2.5], "float64"),
        ([None, None], "float64"),
        ([True, False], "bool"),
        ([True, None], "boolean"),
        (["a", None], "str"),
        ([{"deadlock": 1}, {}], "object"),
    ],
)
def test_a_column_has_the_type_of_its_values_also_where_some_are_missing(values, dtype):
    table = summary([{"a": value} for value in values], (), {})
    assert str(table["a"].dtype) == dtype
    assert [None if pd.isna(value) is True else value for value in table["a"]] == values


def test_important_columns_come_first_and_the_others_keep_their_order():
    rows = [{"z": 1, "b": 2, "a": 3}, {"z": 1, "y": 2}]
    assert [*summary(rows, ("a", "x", "b"), {}).columns] == ["a", "b", "z", "y"]


def test_units_are_in_the_names_of_parameters():
    assert [*summary([{"a": 1, "rate": 2.0}], (), {"rate": "per_s"}).columns] == ["a", "rate_per_s"]
    assert units(Race) == {"duration": "s", "warm_up": "s", "rate": "per_s", "think_time": "ms", "deadline": "s"}
    assert units(CatchUp) == {"bandwidth": "mbit_per_s", "writer_rtt": "ms"}
    assert units(Talk()) == {"pause": "s", "down": "s", "patience": "s"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0.00"),
        (0.004, "0.00"),
        (0.256, "0.26"),
        (9.996, "10.0"),
        (12.34, "12.3"),
        (99.96, "100"),
        (1_234.5, "1,230"),
        (1_234_567.0, "1,230,000"),
        (-45_678.0, "-45,700"),
        (math.inf, "inf"),
    ],
)
def test_of_a_measured_number_three_digits_count(value, shown):
    assert in_digits(value) == shown


def test_what_a_row_above_has_said_is_left_blank():
    table = pd.DataFrame({"way": ["one", "two"], "ms": [1.234, 1.234]})
    text = html(table, blank=[[], ["ms"]])
    assert text.count("1.23") == 1
    assert html(table).count("1.23") == 2


def test_nothing_is_an_empty_table():
    assert summary([], ("a",), {}).empty


def styles(page, cell):
    """The style of the cell with that text."""
    (name,) = re.findall(rf'<td id="(\w+)"[^>]*>{cell}</td>', page)
    return " ".join(re.findall(rf"#{name}[^{{]*{{([^}}]*)}}", page))


def test_texts_are_on_the_left_and_verdicts_that_are_not_safe_are_marked():
    page = html(pd.DataFrame({"verdict": ["unsafe", "safe", "errors"], "ok/s": [1234.567, None, 1.0]}))
    assert "font-weight: bold" in styles(page, "unsafe")
    assert styles(page, "safe") == ""
    assert "color" in styles(page, "errors")
    assert re.search(r"\.col0 \{\s*text-align: left;", page)
    assert not re.search(r"\.col1 \{\s*text-align: left;", page)
    assert "1,230" in page
    assert "–" in page
