"""Values of a type that are taken out of documents."""

from decimal import Decimal

import pytest

from chatsim.innodb.sql.expressions.json_values import UnfitError, json_type, typed_value
from chatsim.innodb.sql.parser import parse


def of_type(part, name, *, whole=True):
    (statement,) = parse(f"SELECT JSON_VALUE('1', '$' RETURNING {name})")
    return typed_value(part, json_type(statement.expressions[0].args["returning"]), whole=whole)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("12", "SIGNED", 12),
        (1.7, "SIGNED", 2),
        (True, "UNSIGNED", 1),
        (True, "CHAR(9)", "true"),
        ([1], "CHAR(9)", "[1]"),
        (1.5, "DECIMAL(4,2)", Decimal("1.50")),
        (None, "SIGNED", None),
        (None, "JSON", "null"),
    ],
)
def test_a_part_that_fits_is_converted(part, name, value):
    assert of_type(part, name) == value


@pytest.mark.parametrize(("part", "name"), [("x", "SIGNED"), (-1, "UNSIGNED"), ([1], "SIGNED"), ("abc", "CHAR(2)")])
def test_one_that_does_not_fit_is_said_to_be_so(part, name):
    with pytest.raises(UnfitError):
        of_type(part, name)


def test_an_array_is_no_text_in_a_table():
    with pytest.raises(UnfitError):
        of_type([1], "CHAR(9)", whole=False)
