"""The intervals of a column as an index of a prefix has them, or one in descending order."""

import pytest

from chatsim.innodb.sql.optimizer.index_order import intervals_in_index
from chatsim.innodb.sql.optimizer.intervals import END, START, Interval, after, before
from chatsim.innodb.storage.column_types import Integer, Text
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.values import NULL, descending

COLUMNS = [Column("n", Integer(4, -99, 99), nullable=True), Column("s", Text(20, 9), nullable=True)]


def index(column, *, length=0, down=False):
    return Index(
        IndexDefinition(
            *("k", (column,), False, False, (column,)),
            lengths=(length,) if length else (),
            descending=frozenset({column} if down else ()),
        ),
        COLUMNS,
    )


def test_an_index_in_ascending_order_has_the_intervals_as_they_are():
    intervals = [Interval(before(1), after(2))]
    assert intervals_in_index(index(0), 0, intervals) is intervals


def test_a_descending_index_has_them_the_other_way_round():
    intervals = [Interval(START, before(1)), Interval(after(3), END)]
    found = intervals_in_index(index(0, down=True), 0, intervals)
    assert found == [Interval(START, before(descending(3))), Interval(after(descending(1)), END)]
    assert all(each.start < each.stop for each in found)


def test_null_is_at_the_end_of_a_descending_index():
    (found,) = intervals_in_index(index(0, down=True), 0, [Interval(after(NULL), END)])
    assert found.stop > after(descending(-99))
    (null,) = intervals_in_index(index(0, down=True), 0, [Interval(before(NULL), after(NULL))])
    assert null.point == (descending(NULL),)


@pytest.mark.parametrize(
    ("intervals", "found"),
    [
        ([Interval(before("abcd"), after("abcd"))], [Interval(before("ab"), after("ab"))]),
        ([Interval(after("abcd"), END)], [Interval(before("ab"), END)]),
        ([Interval(after(NULL), before("ab"))], [Interval(after(NULL), after("ab"))]),
        (
            [Interval(before("abc"), after("abc")), Interval(before("abd"), after("abd"))],
            [Interval(before("ab"), after("ab"))],
        ),
        (
            [Interval(before("a"), after("a")), Interval(before("b"), after("b"))],
            [Interval(before("a"), after("a")), Interval(before("b"), after("b"))],
        ),
    ],
)
def test_an_index_of_prefixes_has_the_prefixes_of_the_ends_within(intervals, found):
    assert intervals_in_index(index(1, length=2), 0, intervals) == found
