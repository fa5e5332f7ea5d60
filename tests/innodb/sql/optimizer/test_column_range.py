"""What one condition leaves of a column, as pieces of an index."""

import pytest

from chatsim.innodb.sql.optimizer.column_range import ColumnRange, intervals_of
from chatsim.innodb.sql.optimizer.intervals import END, START, Interval, after, before
from chatsim.innodb.storage.collations import collation_named
from chatsim.innodb.storage.column_types import Integer, Text
from chatsim.innodb.storage.dictionary import Column
from chatsim.innodb.storage.values import NULL

NUMBER = Column("n", Integer(4, -(2**31), 2**31 - 1), nullable=True)
COUNTED = Column("c", NUMBER.type, nullable=False)
NAME = Column("name", Text(80, 20, collation_named("utf8mb4_0900_bin")), nullable=True)


@pytest.mark.parametrize(
    ("operator", "values", "left"),
    [
        ("<", [3], [(after(NULL), before(3))]),
        (">=", [3], [(before(3), END)]),
        ("in", [5, 3, 5], [(before(3), after(3)), (before(5), after(5))]),
        ("not in", [5, 3], [(after(NULL), before(3)), (after(3), before(5)), (after(5), END)]),
        ("is null", [None], [(before(NULL), after(NULL))]),
        ("not null", [], [(after(NULL), END)]),
        ("=", [2.5], []),  # no integer is that
        ("<", [2.5], [(after(NULL), before(2.5))]),
    ],
)
def test_a_condition_leaves_intervals(operator, values, left):
    assert intervals_of(NUMBER, operator, values) == [Interval(*each) for each in left]


def test_where_there_is_no_null_an_interval_begins_at_the_start():
    assert intervals_of(COUNTED, "<", [3]) == [Interval(START, before(3))]
    assert intervals_of(COUNTED, "not in", [3]) == [Interval(START, before(3)), Interval(after(3), END)]


def test_what_says_nothing_of_the_order_leaves_all():
    assert intervals_of(COUNTED, "not null", []) is None
    assert intervals_of(NAME, "=", [3]) is None  # a text is compared with a number as a number
    assert intervals_of(NAME, "not in", [3, 4]) is None
    assert intervals_of(NUMBER, "not in", [None, None]) is None
    assert intervals_of(NAME, "like", ["%a"]) is None


def test_a_pattern_leaves_what_begins_as_it_does():
    (left,) = intervals_of(NAME, "like", ["ab%c"])
    span = ColumnRange(start=left.start, stop=left.stop)
    assert [text for text in ("aa", "ab", "abzz", "ac") if span.contains(text)] == ["ab", "abzz"]
    assert intervals_of(NAME, "like", [r"a\%b"]) == [Interval(before("a%b"), after("a%b"))]
