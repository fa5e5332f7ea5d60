"""What columns keep of the values they are given, which they refuse and why, and how they are ordered."""

import operator
from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.db.errors import DatabaseError
from chatsim.innodb.storage.collations import collate, collation_named
from chatsim.innodb.storage.column_types import (
    BadValueError,
    Binary,
    Decimals,
    Doubles,
    Enumeration,
    Integer,
    Moment,
    Text,
    UnusableError,
)
from chatsim.innodb.storage.values import NULL, as_number, as_text

moment = datetime.fromisoformat

TINY, UNSIGNED = Integer(1, -128, 127), Integer(1, 0, 255)
MONEY = Decimals(4, 5, 2)
NAME = Text(20, 5)
CODE = Text(20, 5, collation_named("utf8mb4_bin"))
BYTES = Binary(4, 4)
DAY, SECOND, MILLI = Moment(3, None), Moment(5, 0), Moment(5, 3)
COLOUR = Enumeration(1, ("red", "Green", "blue"))


def refused(column, value):
    """The number and the text of the refusal, and what IGNORE would keep."""
    with pytest.raises(BadValueError) as caught:
        column.store(value)
    return caught.value.errno, caught.value.message("t", "c", 3), caught.value.kept


def stored(column, value):
    """What a column keeps of a value, with a note or without."""
    try:
        return column.store(value)
    except BadValueError as note:
        return note.kept if note.harmless else None


# --- what is kept


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        (TINY, 127, 127),
        (TINY, "12", 12),
        (TINY, " -4 ", -4),
        (TINY, "1e1", 10),
        (TINY, 2.4, 2),
        (TINY, Decimal("2.5"), 3),
        (TINY, Decimal("-2.5"), -3),
        (TINY, "1.5", 2),
        (MONEY, 7, Decimal("7.00")),
        (MONEY, "2.5", Decimal("2.50")),
        (MONEY, 1.5, Decimal("1.50")),
        (Doubles(8), "1.5", 1.5),
        (Doubles(8), 3, 3.0),
        (NAME, "abcde", "abcde"),
        (NAME, 12345, "12345"),
        (NAME, Decimal("1.50"), "1.50"),
        (BYTES, "ab", b"ab"),
        (BYTES, b"\0\1", b"\0\1"),
        (DAY, "2024-01-02", date(2024, 1, 2)),
        (DAY, moment("2024-01-02 00:00:00"), date(2024, 1, 2)),
        (SECOND, "2024-01-02 03:04:05", moment("2024-01-02 03:04:05")),
        (SECOND, "2024-01-02", moment("2024-01-02")),
        (SECOND, date(2024, 1, 2), moment("2024-01-02")),
        (SECOND, "2024-12-31 23:59:59.6", moment("2025-01-01")),
        (MILLI, "2024-01-02 03:04:05.1236", moment("2024-01-02 03:04:05.124000")),
        (COLOUR, "green", "Green"),
        (COLOUR, 3, "blue"),
    ],
)
def test_a_column_keeps_a_value_as_its_type_has_it(column, value, kept):
    stored = column.store(value)
    assert (stored, type(stored)) == (kept, type(kept))
    assert column.store(stored) == stored


@pytest.mark.parametrize(
    ("column", "value", "errno", "reason", "kept"),
    [
        (TINY, 128, 1264, "Out of range value for column 'c' at row 3", 127),
        (TINY, -129, 1264, "Out of range value for column 'c' at row 3", -128),
        (UNSIGNED, -1, 1264, "Out of range value for column 'c' at row 3", 0),
        (TINY, "abc", 1366, "Incorrect integer value: 'abc' for column 'c' at row 3", 0),
        (TINY, "", 1366, "Incorrect integer value: '' for column 'c' at row 3", 0),
        (MONEY, 1000, 1264, "Out of range value for column 'c' at row 3", Decimal("999.99")),
        (MONEY, Decimal("-999.996"), 1264, "Out of range value for column 'c' at row 3", Decimal("-999.99")),
        (MONEY, "abc", 1366, "Incorrect decimal value: 'abc' for column 'c' at row 3", 0),
        (SECOND, "soon", 1292, "Incorrect datetime value: 'soon' for column 'c' at row 3", None),
        (DAY, "2024-02-30", 1292, "Incorrect date value: '2024-02-30' for column 'c' at row 3", None),
        (COLOUR, "pink", 1265, "Data truncated for column 'c' at row 3", ""),
        (COLOUR, 4, 1265, "Data truncated for column 'c' at row 3", ""),
    ],
)
def test_a_column_refuses_what_it_cannot_keep_and_names_the_value_the_column_and_the_row(
    column, value, errno, reason, kept
):
    assert refused(column, value) == (errno, reason, kept if kept is not None else column.zero)


@pytest.mark.parametrize(("column", "value", "kept"), [(NAME, "abcdef", "abcde"), (BYTES, b"abcde", b"abcd")])
def test_what_is_too_long_is_refused_and_ignore_would_keep_its_beginning(column, value, kept):
    errno, reason, left = refused(column, value)
    assert (errno, left) == (1406, kept)
    assert reason == "Data too long for column 'c' at row 3"


@pytest.mark.parametrize(
    ("column", "zero"),
    [(TINY, 0), (MONEY, Decimal("0.00")), (NAME, ""), (BYTES, b""), (COLOUR, "red")],
)
def test_where_there_must_be_a_value_and_none_is_given_there_is_the_types_zero(column, zero):
    assert column.zero == zero
    assert column.store(column.zero) == zero


@given(st.integers(-1000, 1000))
def test_an_integer_is_kept_within_its_bounds_and_refused_beyond_the_nearest_one(value):
    if -128 <= value <= 127:
        assert TINY.store(value) == value
    else:
        assert refused(TINY, value)[2] == max(-128, min(127, value))


@given(st.decimals(-999, 999, places=4))
def test_a_decimal_is_kept_to_its_scale_no_further_off_than_half_of_its_last_digit(value):
    kept = stored(MONEY, value)
    assert abs(kept - value) <= Decimal("0.005")
    assert kept.as_tuple().exponent == -2


# --- order


@pytest.mark.parametrize("value", [-5, "", moment("0001-01-01")])
def test_null_is_less_than_any_value(value):
    answers = [compared(NULL, value) for compared in (operator.lt, operator.le, operator.gt, operator.ge)]
    assert answers == [True, True, False, False]
    assert sorted([(value,), (NULL,), (value,), (NULL,)]) == [(NULL,), (NULL,), (value,), (value,)]


def test_null_is_the_same_as_itself_to_an_index():
    answers = [compared(NULL, NULL) for compared in (operator.lt, operator.le, operator.gt, operator.ge)]
    assert answers == [False, True, False, True]
    assert repr(NULL) == "NULL"


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [("a", "A", True), ("é", "E", True), ("ä", "a", True), ("a", "b", False), ("straße", "STRASSE", True)],
)
def test_case_and_accents_make_no_difference_to_a_collation(left, right, same):
    assert (collate(left) == collate(right)) is same
    assert (NAME.order(left) == NAME.order(right)) is same


def test_a_binary_collation_goes_by_code_points():
    assert sorted(["b", "a", "B"], key=CODE.order) == ["B", "a", "b"]
    assert sorted(["b", "a", "B"], key=NAME.order) == ["a", "b", "B"]


def test_only_a_padded_collation_is_blind_to_spaces_at_the_end():
    assert CODE.order("a  ") == CODE.order("a")
    assert NAME.order("a  ") != NAME.order("a")


def test_the_members_of_an_enum_are_ordered_as_they_are_declared():
    assert sorted(["blue", "red", "Green", ""], key=COLOUR.order) == ["", "red", "Green", "blue"]


# --- what an index is asked


@pytest.mark.parametrize(
    ("value", "operator", "place"),
    [(5, "=", 5), ("5", "=", 5), (5.0, "<", 5), (4.5, "=", None), (4.5, "in", None), (1000, "=", 1000)],
)
def test_an_index_of_integers_is_asked_for_the_number_or_for_nothing(value, operator, place):
    assert TINY.sought(value, operator) == place


def test_a_fraction_lies_between_two_integers():
    assert 4 < TINY.sought(Decimal("4.2"), ">") < 5
    assert -5 < TINY.sought(-4.2, "<") < -4


def test_an_index_of_texts_is_of_no_use_to_look_for_a_number():
    assert NAME.sought("AB", "=") == "ab"
    with pytest.raises(UnusableError):
        NAME.sought(5, "=")


def test_a_value_that_a_column_cannot_have_is_nowhere_and_of_no_use_as_a_bound():
    assert MONEY.sought("abc", "=") is None
    with pytest.raises(UnusableError):
        MONEY.sought("abc", "<")


# --- numbers and texts


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("12", 12),
        (" 12abc", 12),
        ("-1.5e2x", -150.0),
        (".5", 0.5),
        ("abc", 0),
        ("", 0),
        (b"7", 7),
        (moment("2024-01-02 03:04:05"), 20240102030405),
        (date(2024, 1, 2), 20240102),
        (Decimal("1.50"), Decimal("1.50")),
    ],
)
def test_where_a_number_is_wanted_a_text_is_the_number_that_it_begins_with(value, number):
    assert as_number(value) == number


def test_what_is_no_number_is_refused_by_name():
    with pytest.raises(DatabaseError, match="None is no number"):
        as_number(None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (b"a", "a"),
        (5, "5"),
        (5.0, "5"),
        (0.1, "0.1"),
        (Decimal("1.50"), "1.50"),
        (date(2024, 1, 2), "2024-01-02"),
    ],
)
def test_where_a_text_is_wanted_a_value_is_as_mysql_shows_it(value, text):
    assert as_text(value) == text


@given(st.lists(st.text("aAbBäé ", max_size=4), min_size=2, max_size=2))
def test_texts_that_are_the_same_to_a_collation_have_the_same_place_in_an_index(pair):
    left, right = pair
    assert operator.eq(collate(left), collate(right)) is operator.eq(NAME.order(left), NAME.order(right))


@pytest.mark.parametrize(
    ("column", "values", "sizes"),
    [
        (TINY, (1, 127, None), (1, 1, None)),
        (COLOUR, ("red", "Green", None), (1, 1, None)),
        (NAME, ("", "ab", "é", None), (0, 2, 2, None)),
        (Text(20, 3, trimmed=True), ("", "ab", "ééé"), (3, 3, 6)),
        (BYTES, (b"", b"abc", None), (0, 3, None)),
    ],
)
def test_what_a_record_keeps_a_value_in_hangs_on_it_where_the_length_does(column, values, sizes):
    assert tuple(map(column.stored, values)) == sizes
