"""Intervals leave what their conditions leave, in whatever pieces."""

from hypothesis import given
from hypothesis import strategies as st

from chatsim.innodb.sql.optimizer.intervals import END, START, Interval, Intervals, after, before, intersect, unite

VALUES = range(7)
CUTS = [START, *(cut(value) for value in VALUES for cut in (before, after)), END]


def lists(part):
    """Some intervals of a column, in order, with some of the next behind them."""
    behind = st.none() if part == 2 else st.none() | st.deferred(lambda: lists(part + 1))
    places = st.lists(st.integers(0, len(CUTS) - 1), min_size=2, max_size=6, unique=True).map(sorted)

    def made(drawn):
        ends, left = drawn
        pairs = zip(ends[::2], ends[1::2], strict=False)
        return Intervals(part, tuple(Interval(CUTS[one], CUTS[two], left[at]) for at, (one, two) in enumerate(pairs)))

    return st.tuples(places, st.lists(behind, min_size=3, max_size=3)).map(made)


def has(left, row):
    """Whether a row of values is left."""
    if left is None:
        return True
    value = row[left.part]
    return any(each.start <= before(value) < each.stop and has(each.next_part, row) for each in left.intervals)


def is_ordered(left):
    if left is None:
        return True
    stops = [START, *(each.stop for each in left.intervals)]
    return all(
        stop <= each.start < each.stop and is_ordered(each.next_part)
        for stop, each in zip(stops, left.intervals, strict=False)
    )


ROWS = st.tuples(*[st.sampled_from(VALUES)] * 3)
ANY = st.sampled_from([0, 1]).flatmap(lists)


@given(ANY, ANY, ROWS)
def test_what_both_leave_is_what_each_leaves(one, other, row):
    left = intersect(one, other)
    assert has(left, row) == (has(one, row) and has(other, row))
    assert is_ordered(left)


@given(lists(0), lists(0), ROWS)
def test_what_either_leaves_is_what_one_of_them_leaves(one, other, row):
    left = unite(one, other)
    assert is_ordered(left)
    assert has(left, row) or not (has(one, row) or has(other, row))
    if one.part == other.part and all(each.next_part is None for each in [*one.intervals, *other.intervals]):
        assert has(left, row) == (has(one, row) or has(other, row))


def test_nothing_is_known_where_different_columns_are_asked():
    assert unite(Intervals(0, (Interval(*POINT),)), Intervals(1, (Interval(*POINT),))) is None
    assert unite(None, Intervals(0, (Interval(*POINT),))) is None


POINT = before(3), after(3)
NEXT = Intervals(1, (Interval(*POINT),))
OTHER = Intervals(1, (Interval(before(5), after(5)),))


def test_intervals_that_touch_are_one_if_the_same_is_behind_them():
    one, two = Interval(before(1), before(3), NEXT), Interval(before(3), END, NEXT)
    assert unite(Intervals(0, (one,)), Intervals(0, (two,))).intervals == (Interval(before(1), END, NEXT),)
    other = Interval(before(3), END, OTHER)
    assert unite(Intervals(0, (one,)), Intervals(0, (other,))).intervals == (one, other)


def test_what_overlaps_and_differs_behind_is_split():
    one, two = Interval(before(1), before(4), NEXT), Interval(before(2), END, OTHER)
    shared = Intervals(1, (Interval(*POINT), Interval(before(5), after(5))))
    assert unite(Intervals(0, (one,)), Intervals(0, (two,))).intervals == (
        Interval(before(1), before(2), NEXT),
        Interval(before(2), before(4), shared),
        Interval(before(4), END, OTHER),
    )


def test_pieces_that_have_become_alike_stay_apart():
    one, two = Interval(START, before(2), NEXT), Interval(START, before(4))
    assert unite(Intervals(0, (one,)), Intervals(0, (two,))).intervals == (
        Interval(START, before(2)),
        Interval(before(2), before(4)),
    )


def test_all_values_together_leave_all():
    assert unite(Intervals(0, (Interval(START, before(3)),)), Intervals(0, (Interval(before(3), END),))) is None


def test_a_point_is_one_value():
    assert Interval(*POINT).point == (3,)
    assert Interval(before(3), before(4)).point is None
    assert Interval(START, END).point is None
