"""ENUM and SET: their members, by names and by numbers."""

import pytest

from chatsim.innodb.storage.collations import collation_named
from chatsim.innodb.storage.column_types import BadValueError, Enumeration, MemberSet, UnusableError

COLOUR, FLAGS = Enumeration(1, ("red", "Green")), MemberSet(1, ("a", "b", "c"))
EXACT = Enumeration(1, ("x", "X"), collation_named("utf8mb4_bin"))


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        (COLOUR, "GREEN ", "Green"),
        (COLOUR, 2, "Green"),
        (COLOUR, "2", "Green"),
        (EXACT, "X", "X"),
        (FLAGS, "b,a,b", "a,b"),
        (FLAGS, "", ""),
        (FLAGS, 5, "a,c"),
    ],
)
def test_members_are_stored_in_the_order_of_their_declaration(column, value, stored):
    assert column.store(value) == stored


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [(COLOUR, "pink", ""), (COLOUR, 0, ""), (COLOUR, "", ""), (FLAGS, "a,d", "a"), (FLAGS, 8, "")],
)
def test_what_is_no_member_is_left_out(column, value, kept):
    with pytest.raises(BadValueError) as caught:
        column.store(value)
    assert (caught.value.errno, caught.value.kept) == (1265, kept)


@pytest.mark.parametrize(("column", "value", "number"), [(COLOUR, "Green", 2), (COLOUR, "", 0), (FLAGS, "a,c", 5)])
def test_members_are_shown_and_ordered_by_their_numbers(column, value, number):
    assert (column.shown(value), column.order(value), column.number(value)) == (str(number), number, float(number))


@pytest.mark.parametrize("column", [COLOUR, FLAGS])
@pytest.mark.parametrize("value", [1, "red"])
def test_an_index_of_members_is_not_searched_for_a_range(column, value):
    with pytest.raises(UnusableError):
        column.sought(value, ">")


def test_an_index_of_members_is_searched_for_a_member_or_a_number():
    assert COLOUR.sought("RED", "=") == 1
    assert COLOUR.sought("pink", "=") == 0  # as the server stores what is no member
    assert COLOUR.sought(2, "=") == 2
    assert FLAGS.sought("c,a", "=") == 5
    assert FLAGS.sought("d", "=") is None
