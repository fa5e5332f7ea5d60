"""Arrays in multi-valued indexes: which elements a part of a document has, and which errors there are instead."""

import copy
from datetime import date
from decimal import Decimal

import pytest

from chatsim.db.errors import DatabaseError
from chatsim.innodb.storage.collations import collation_named
from chatsim.innodb.storage.column_types import Binary, Decimals, Integer, Moment, Text, TypedArray
from chatsim.innodb.storage.values import Document

UNSIGNED = TypedArray(8, Integer(8, 0, (1 << 64) - 1), "i")
CHAR = TypedArray(5, Text(5, 5, collation_named("utf8mb4_0900_bin")), "i")
BINARY = TypedArray(4, Binary(4, 4), "i")
DECIMAL = TypedArray(4, Decimals(4, 6, 2), "i")
DATE = TypedArray(3, Moment(3, None), "i")


@pytest.mark.parametrize(
    ("kind", "part", "elements"),
    [
        (UNSIGNED, [3, 1, 3], (1, 3)),
        (UNSIGNED, [], ()),
        (UNSIGNED, 9, (9,)),
        (UNSIGNED, ["12", 1.6, True], (1, 2, 12)),
        (CHAR, ["b", "a", "B", 5, True], ("5", "B", "a", "b", "true")),
        (BINARY, ["x"], (b"x",)),
        (DECIMAL, [1.5, "2"], (Decimal("1.50"), Decimal("2.00"))),
        (DATE, ["2020-01-02", "1999-12-31"], (date(1999, 12, 31), date(2020, 1, 2))),
    ],
)
def test_an_array_has_each_element_once_in_order(kind, part, elements):
    assert kind.values_of(part).elements == elements


def test_it_knows_which_element_the_document_has_last_and_is_shown_as_json():
    made = UNSIGNED.values_of([30, 10, 20])
    assert (made, made.elements, made.last) == ("[10, 20, 30]", (10, 20, 30), 20)
    again = copy.deepcopy(made)
    assert (again, again.elements, again.last) == (made, made.elements, made.last)


@pytest.mark.parametrize(
    ("kind", "part", "errno"),
    [
        (UNSIGNED, None, 3903),
        (UNSIGNED, [None], 3903),
        (UNSIGNED, ["a"], 3903),
        (UNSIGNED, [-1], 3752),
        (UNSIGNED, [1e20], 3904),
        (UNSIGNED, [[1]], 3908),
        (UNSIGNED, {"a": 1}, 1235),
        (UNSIGNED, True, 1235),
        (CHAR, ["abcdef"], 3907),
        (DATE, [20200102], 3751),
        (DATE, ["x"], 3751),
        (DECIMAL, [99999], 3752),
    ],
)
def test_what_can_not_be_an_array_of_the_type_is_an_error(kind, part, errno):
    with pytest.raises(DatabaseError) as raised:
        kind.values_of(part)
    assert raised.value.errno == errno


@pytest.mark.parametrize(
    ("kind", "value", "elements"),
    [
        (UNSIGNED, 5, (5,)),
        (UNSIGNED, -1, None),
        (UNSIGNED, "5", None),
        (UNSIGNED, Decimal("5.0"), None),
        (UNSIGNED, Document("5"), None),
        (CHAR, "a", ("a",)),
        (CHAR, 5, None),
        (DECIMAL, Decimal("1.5"), (Decimal("1.50"),)),
        (DECIMAL, 1, None),
        (DATE, "2020-01-02", (date(2020, 1, 2),)),
        (DATE, date(2020, 1, 2), (date(2020, 1, 2),)),
    ],
)
def test_member_of_finds_an_element_by_a_value_of_its_type_only(kind, value, elements):
    found = kind.member(value)
    assert (found and found.elements) == elements


@pytest.mark.parametrize(
    ("found", "skips", "elements"),
    [
        ([5, "3"], False, (3, 5)),
        (5, False, (5,)),
        ([5, None], False, None),
        ([5, None], True, (5,)),
        (["x"], True, None),
    ],
)
def test_the_values_of_a_document_are_converted(found, skips, elements):
    made = UNSIGNED.members(found, skips_nulls=skips)
    assert (made and made.elements) == elements


def test_an_error_about_a_duplicate_shows_as_much_of_an_array_as_of_a_short_element():
    assert UNSIGNED.in_error(UNSIGNED.values_of([15, 50, 60])) == "[15, 50,"
    assert CHAR.in_error(CHAR.values_of(["a", "b", "c", "d", "e"])) == '["a", "b", "c", "d", "e"]'
