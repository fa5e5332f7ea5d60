"""An index is its records in order: looked up, walked both ways, counted, as a sorted list would be."""

import itertools
from bisect import bisect_left, insort

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.innodb.storage.dictionary import IndexDefinition
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.values import NULL

PAIRS = [(NULL, 1), (NULL, 4), (1, NULL), (1, 2), (1, 7), (2, 2), (5, NULL), (5, 1)]


def index(keys=()):
    made = Index(IndexDefinition("k", (0,), unique=False, clustered=False, place=(0, 1)))
    for key in keys:
        made.insert(key, key, None)
    return made


def walked(index, step="following"):
    keys, record = [], getattr(index.supremum, step)
    while not record.is_supremum:
        keys.append(record.key)
        record = getattr(record, step)
    return keys


def plain(key):
    """A key that Python can sort by itself: NULL before everything else."""
    return tuple((0, 0) if part is NULL else (1, part) for part in key)


def key_of(record):
    return None if record.is_supremum else record.key


# --- order


def test_records_are_in_the_order_of_their_keys_null_first_however_they_came():
    for keys in itertools.islice(itertools.permutations(PAIRS), 0, None, 97):
        assert walked(index(keys)) == PAIRS


def test_records_can_be_walked_backwards_to_where_they_begin():
    assert walked(index(PAIRS), "previous") == PAIRS[::-1]


def test_an_empty_index_is_its_supremum():
    empty = index()
    assert len(empty) == 0
    assert empty.at_or_after((1,)) is empty.after((1,)) is empty.at_or_after(()) is empty.supremum
    assert empty.supremum.following is empty.supremum.previous is empty.supremum
    assert empty.get((1, 1)) is None


def test_texts_and_numbers_of_any_size_are_compared_as_they_are():
    assert walked(index([("b", 1), ("", 3), ("B", 2), (NULL, 9)])) == [(NULL, 9), ("", 3), ("B", 2), ("b", 1)]
    assert walked(index([(10**30, 1), (-(10**30), 1), (0, 1)])) == [(-(10**30), 1), (0, 1), (10**30, 1)]


# --- looking up


def test_a_record_is_found_by_its_whole_key_only():
    made = index(PAIRS)
    assert made.get((1, 7)).key == (1, 7)
    assert made.get((1,)) is None
    assert made.get((1, 3)) is None
    assert made.get((NULL, 4)).key == (NULL, 4)


@pytest.mark.parametrize(
    ("sought", "first", "behind"),
    [
        ((), (NULL, 1), None),
        ((NULL,), (NULL, 1), (1, NULL)),
        ((NULL, 4), (NULL, 4), (1, NULL)),
        ((0,), (1, NULL), (1, NULL)),
        ((1,), (1, NULL), (2, 2)),
        ((1, NULL), (1, NULL), (1, 2)),
        ((1, 2), (1, 2), (1, 7)),
        ((1, 3), (1, 7), (1, 7)),
        ((5,), (5, NULL), None),
        ((5, 1), (5, 1), None),
        ((6,), None, None),
    ],
)
def test_a_prefix_finds_the_first_record_that_begins_with_it_and_the_first_behind_all_that_do(sought, first, behind):
    made = index(PAIRS)
    assert key_of(made.at_or_after(sought)) == first
    assert key_of(made.after(sought)) == behind


@pytest.mark.parametrize(
    ("low", "high", "low_included", "high_included", "count"),
    [
        (None, None, True, True, 8),
        ((1,), (1,), True, True, 3),
        ((1,), (5,), True, True, 6),
        ((1,), (5,), False, True, 3),
        ((1,), (5,), True, False, 4),
        ((1,), (5,), False, False, 1),
        ((NULL,), None, False, True, 6),
        (None, (NULL,), True, True, 2),
        ((1, 2), (1, 7), True, True, 2),
        ((3,), (4,), True, True, 0),
        ((5,), (1,), True, True, 0),
        ((1,), (1,), False, False, 0),
    ],
)
def test_records_between_two_prefixes_are_counted(low, high, low_included, high_included, count):
    assert index(PAIRS).count(low, high, low_included=low_included, high_included=high_included) == count


# --- coming and going


def test_a_record_that_comes_stands_between_its_neighbours():
    made = index([(1, 1), (3, 3)])
    new = made.insert((2, 2), ("a row",), None)
    assert (new.previous.key, new.following.key) == ((1, 1), (3, 3))
    assert new.previous.following is new is new.following.previous
    assert (new.row, new.writer, new.deleted, new.older, new.locks, new.gone) == (
        ("a row",),
        None,
        False,
        None,
        [],
        False,
    )


def test_a_record_that_goes_leaves_its_neighbours_next_to_each_other_and_still_shows_where_it_was():
    made = index([(1, 1), (2, 2), (3, 3)])
    gone = made.get((2, 2))
    made.remove(gone)
    assert gone.gone
    assert (gone.previous.key, gone.following.key) == ((1, 1), (3, 3))
    assert walked(made) == walked(made, "previous")[::-1] == [(1, 1), (3, 3)]
    assert made.get((2, 2)) is None
    assert made.at_or_after((2,)).key == (3, 3)


def test_a_key_that_went_may_come_again_as_another_record():
    made = index([(1, 1)])
    old = made.get((1, 1))
    made.remove(old)
    new = made.insert((1, 1), (1, 1), None)
    assert made.get((1, 1)) is new is not old
    assert new.heap > old.heap


def test_what_is_not_there_can_not_be_taken_out_again():
    made = index([(1, 1)])
    gone = made.get((1, 1))
    made.remove(gone)
    with pytest.raises(KeyError):
        made.remove(gone)
    assert walked(made) == []


def test_a_record_names_its_index_and_its_key():
    made = index([(1, NULL)])
    assert repr(made.get((1, NULL))) == "k(1, NULL)"
    assert repr(made.supremum) == "k(supremum)"


# --- all of it, against a sorted list

PART = st.one_of(st.just(NULL), st.integers(0, 4))
STEPS = st.lists(st.tuples(st.booleans(), st.tuples(PART, PART)), max_size=40)
PREFIX = st.one_of(st.just(()), st.tuples(PART), st.tuples(PART, PART))


@given(steps=STEPS, low=PREFIX, high=PREFIX, low_included=st.booleans(), high_included=st.booleans())
def test_it_is_a_sorted_list(steps, low, high, low_included, high_included):
    made, expected = index(), []
    for put, key in steps:
        if put and made.get(key) is None:
            made.insert(key, key, None)
            insort(expected, key, key=plain)
        elif not put and made.get(key) is not None:
            made.remove(made.get(key))
            del expected[bisect_left(expected, plain(key), key=plain)]
    assert walked(made) == walked(made, "previous")[::-1] == expected
    assert len(made) == len(expected)

    def begins(key, prefix):
        return plain(key)[: len(prefix)]

    def in_it(key):
        after = begins(key, low) >= plain(low) if low_included else begins(key, low) > plain(low)
        return after and (begins(key, high) <= plain(high) if high_included else begins(key, high) < plain(high))

    count = made.count(low, high, low_included=low_included, high_included=high_included)
    assert count == sum(in_it(key) for key in expected)
    at_or_after = next((key for key in expected if begins(key, low) >= plain(low)), None)
    after = next((key for key in expected if begins(key, low) > plain(low)), None)
    assert (key_of(made.at_or_after(low)), key_of(made.after(low))) == (at_or_after, after)
