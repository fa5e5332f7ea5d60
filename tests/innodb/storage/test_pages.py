"""Pages: when they are split and merged, which records are on which, and that locks follow."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsim.db.deadlock import LockKind
from chatsim.db.session import Isolation
from chatsim.innodb.storage.column_types import Binary, Integer
from chatsim.innodb.storage.dictionary import Column, IndexDefinition
from chatsim.innodb.storage.locks import LockSystem
from chatsim.innodb.storage.pages import fill_pages, insert_record, remove_record, replace_row
from chatsim.innodb.storage.structures import Index, Transaction

NUMBER = Column("id", Integer(4, 0, 1 << 31), nullable=False)
PADDING = Column("padding", Binary(30, 5000), nullable=False)
ROW = b"x" * 976
"""Makes a row of 1,000 bytes: a page has room for 16 of them, and for 15 if they come in order."""


class Pages:
    """An index, locks, and transactions that have locked something."""

    def __init__(self, keys=(), *, clustered=True):
        self.locks = LockSystem(lambda *_: None)
        definition = IndexDefinition("PRIMARY", (0,), unique=True, clustered=clustered, place=(0, 1))
        self.index = Index(definition, [NUMBER, PADDING])
        self._numbers = itertools.count(1)
        self.insert(*keys)

    def insert(self, *keys, row=ROW):
        for key in keys:
            insert_record(self.index.successor((key,)), (key,), (key, row), None, self.locks)

    def remove(self, *keys):
        for key in keys:
            remove_record(self.index.get((key,)), self.locks)

    def update(self, key, row):
        replace_row(self.index.get((key,)), (key, row), self.locks)

    def trx(self, level=Isolation.REPEATABLE_READ):
        return Transaction(next(self._numbers), level)

    def lock(self, trx, *keys, kind=LockKind.NEXT_KEY, mode="X"):
        for key in keys:
            record = self.index.supremum if key is None else self.index.get((key,))
            self.locks.lock_record(trx, record, mode, kind)

    def held(self, trx):
        """What a transaction has locked: kind, key or the number of the page for a supremum."""
        return {
            (lock.kind.value, f"end of {self.index.pages.index(lock.page)}" if record.is_supremum else record.key[0])
            for lock in trx.locks.structures
            for record in lock.records
        }

    @property
    def keys(self):
        """The keys on each page."""
        return [[key for (key,) in each] for each in self._walked()]

    def _walked(self):
        found, page, record = [], [], self.index.supremum.following
        while True:
            if record.is_supremum:
                found.append(page)
                page = []
                if record is self.index.supremum:
                    return found
            else:
                page.append(record.key)
            record = record.following

    def check(self):
        """What must hold of pages, records and lock structures after every change."""
        index = self.index
        assert [key for page in self._walked() for key in page] == sorted(record.key for record in index)
        assert len(index.lows) == len(index.pages) - 1
        assert index.lows == sorted(index.lows)
        assert index.supremum is index.pages[-1].supremum
        for page, keys in zip(index.pages, self._walked(), strict=True):
            records = [index.get(key) for key in keys]
            assert all(each.page is page is index.page_of(each.key) for each in records)
            assert page.count == len(records)
            assert page.used == sum(index.size_of(each.row) for each in records) <= 16_252
            assert all(lock in page.structures for each in (*records, page.supremum) for lock in each.locks)
            assert all(lock.page is page for lock in page.structures)
            assert all(record.page is page for lock in page.structures for record in lock.records)


def spans(*bounds):
    return [list(range(low, high + 1)) for low, high in bounds]


# --- splits


def test_a_new_index_is_one_page_which_is_the_root():
    pages = Pages(range(15))
    assert pages.keys == [list(range(15))]
    assert pages.index.pages[0].is_root


def test_the_first_split_is_in_the_middle_and_rows_in_order_then_fill_pages_but_for_a_sixteenth():
    pages = Pages(range(1, 41))
    assert pages.keys == spans((1, 7), (8, 22), (23, 37), (38, 40))
    assert not any(page.is_root for page in pages.index.pages)


def test_entries_of_a_secondary_index_fill_pages_whole():
    assert Pages(range(1, 41), clustered=False).keys == spans((1, 8), (9, 24), (25, 40))


def test_rows_in_descending_order_fill_pages_downwards():
    assert Pages(range(40, 0, -1)).keys == spans((1, 2), (3, 17), (18, 32), (33, 40))


def test_rows_in_no_order_split_a_page_in_the_middle():
    pages = Pages(range(10, 170, 10))
    pages.insert(5, 85, 15)
    assert pages.keys[0] == [5, 10, 15, 20, 30, 40, 50, 60, 70]


def test_a_row_at_the_end_of_a_full_page_goes_to_the_next_page_which_then_begins_with_it():
    pages = Pages(range(10, 280, 10))
    assert [each[0] for each in pages.keys] == [10, 80, 230]
    pages.insert(225)
    assert [each[0] for each in pages.keys] == [10, 80, 225]
    assert pages.index.at_or_after((225,)) is pages.index.pages[1].supremum
    pages.check()


def test_a_row_that_does_not_fit_on_either_half_gets_a_split_by_bytes():
    pages = Pages(range(10, 170, 10))
    pages.insert(45, row=b"x" * 5000)
    pages.insert(46, 47, 44, row=b"x" * 5000)
    pages.check()
    assert [key for page in pages.keys for key in page] == sorted([*range(10, 170, 10), 44, 45, 46, 47])


def test_two_rows_that_do_not_fit_on_one_page_are_on_two():
    for keys in ([1, 2], [2, 1]):
        pages = Pages()
        pages.insert(*keys, row=b"x" * 5000)
        pages.insert(*(each * 10 for each in keys), row=b"x" * 5000)
        pages.check()
        assert len(pages.keys) == 2


# --- merges


def test_a_page_that_is_less_than_half_full_is_merged_with_the_one_before():
    pages = Pages(range(1, 41))
    pages.remove(*range(9, 15))
    assert pages.keys == [list(range(1, 8)), [8, *range(15, 23)], *spans((23, 37), (38, 40))]
    pages.remove(15)
    assert pages.keys == [[*range(1, 9), *range(16, 23)], *spans((23, 37), (38, 40))]


def test_a_page_is_merged_with_the_one_behind_if_the_one_before_is_full():
    pages = Pages(range(1, 61), clustered=False)
    pages.remove(*range(41, 48))
    assert pages.keys == spans((1, 8), (9, 24), (25, 40), (48, 56), (57, 60))
    pages.remove(48)
    assert pages.keys == spans((1, 8), (9, 24), (25, 40), (49, 60))


def test_a_page_between_two_full_ones_goes_when_its_last_record_does():
    pages = Pages(range(1, 61), clustered=False)
    assert pages.keys == spans((1, 8), (9, 24), (25, 40), (41, 56), (57, 60))
    pages.remove(*range(25, 41))
    assert pages.keys == spans((1, 8), (9, 24), (41, 56), (57, 60))


def test_the_only_page_of_an_index_that_shrinks_becomes_the_root_again():
    pages = Pages(range(1, 41))
    pages.remove(*range(2, 41))
    assert pages.keys == [[1]]
    assert pages.index.pages[0].is_root
    pages.remove(1)
    assert pages.keys == [[]]
    pages.insert(*range(1, 41))
    assert len(pages.keys) == 4


# --- rows that change their size


def test_a_row_that_grows_splits_its_page():
    pages = Pages(range(1, 16))
    pages.update(4, b"x" * 3000)
    assert len(pages.keys) == 2
    pages.check()


def test_rows_that_shrink_merge_pages():
    pages = Pages(range(1, 41))
    for key in range(1, 41):
        pages.update(key, b"")
    assert pages.keys == [list(range(1, 41))]


# --- where a search begins


def test_a_search_for_the_least_key_of_a_page_begins_at_the_end_of_the_page_before():
    pages = Pages(range(1, 41))
    assert pages.index.at_or_after((8,)) is pages.index.pages[0].supremum
    assert pages.index.at_or_after((9,)).key == (9,)
    assert pages.index.first_at((8,)).key == (8,)
    assert pages.index.after((7,)) is pages.index.pages[0].supremum
    assert pages.index.after((8,)).key == (9,)


def test_a_new_row_goes_to_the_page_of_its_key():
    pages = Pages(range(10, 410, 10))
    assert pages.index.successor((75,)) is pages.index.pages[0].supremum
    assert pages.index.successor((85,)).key == (90,)
    assert pages.index.successor((999,)) is pages.index.supremum


# --- locks


def test_each_page_has_lock_structures_of_its_own():
    pages = Pages(range(1, 41))
    trx = pages.trx()
    pages.lock(trx, *range(1, 41))
    assert trx.weight == 4


def test_locks_move_with_their_records_and_leave_empty_structures_behind():
    pages = Pages(range(10, 160, 10))
    trx = pages.trx()
    pages.lock(trx, 20, 100, kind=LockKind.RECORD)
    assert trx.weight == 1
    pages.insert(15, 16)
    assert pages.held(trx) == {("record", 20), ("record", 100)}
    assert trx.weight == 3  # of the root, which is no leaf any more, and of the two pages
    pages.check()


def test_the_end_of_the_lower_half_is_locked_as_the_first_record_of_the_upper_half_is():
    pages = Pages(range(10, 160, 10))
    trx = pages.trx()
    pages.lock(trx, 80, None)
    pages.insert(15, 16)
    assert pages.held(trx) == {("next-key", 80), ("next-key", "end of 0"), ("next-key", "end of 1")}


def test_a_row_that_goes_to_the_next_page_extends_the_locked_gap_there():
    pages = Pages(range(10, 280, 10))
    trx = pages.trx()
    pages.locks.lock_record(trx, pages.index.pages[1].supremum, "X", LockKind.NEXT_KEY)
    pages.insert(225)
    assert pages.held(trx) == {("next-key", "end of 1"), ("gap", 225), ("gap", 230)}


def test_a_request_waits_on_for_a_record_that_has_moved():
    pages = Pages(range(10, 160, 10))
    one, other = pages.trx(), pages.trx()
    pages.lock(one, 120)
    pages.lock(other, 120)
    waiting = other.locks.wait_lock
    pages.insert(15, 16)
    assert other.locks.wait_lock is waiting
    assert waiting.page is pages.index.pages[1]
    assert other.weight == 3  # itself, and what it has left on the root and on the page that was split
    pages.locks.release_all(one)
    assert other.locks.wait_lock is None
    pages.check()


def test_a_page_that_is_given_back_takes_its_empty_structures_with_it():
    pages = Pages(range(1, 41))
    trx = pages.trx()
    pages.lock(trx, 1, 39, kind=LockKind.RECORD)
    pages.remove(*range(2, 39))
    pages.check()
    assert pages.held(trx) >= {("record", 1), ("record", 39)}
    assert sum(bool(lock.records) for lock in trx.locks.structures) == len(trx.locks.structures)


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.integers(0, 120), st.sampled_from([0, 400, 976, 3000])),
        st.tuples(st.just("remove"), st.integers(0, 120), st.just(0)),
        st.tuples(st.just("update"), st.integers(0, 120), st.sampled_from([0, 400, 976, 3000, 5000])),
    ),
    max_size=80,
)


@given(st.permutations(range(0, 120, 3)), CHANGES)
def test_what_is_locked_stays_locked_however_pages_are_split_and_merged(keys, changes):
    pages = Pages(keys)
    trx, waiting = pages.trx(), pages.trx()
    pages.lock(trx, *keys, None)
    for page in pages.index.pages:
        pages.locks.lock_record(trx, page.supremum, "X", LockKind.NEXT_KEY)
    pages.lock(waiting, keys[0])
    for what, key, size in changes:
        there = pages.index.get((key,)) is not None
        if what == "insert" and not there:
            pages.insert(key, row=b"x" * size)
        elif what == "remove" and there:
            pages.remove(key)
        elif what == "update" and there:
            pages.update(key, b"x" * size)
        pages.check()
    for key in range(121):
        assert pages.locks.lock_for_insert(pages.trx(), pages.index.successor((key,))) is not None
    pages.locks.release_all(trx)
    assert waiting.locks.wait_lock is None


# --- filling an index in one go


@pytest.mark.parametrize(("clustered", "expected"), [(True, [15, 15, 10]), (False, [16, 16, 8])])
def test_an_index_that_is_made_of_rows_that_are_there_has_full_pages(clustered, expected):
    pages = Pages(clustered=clustered)
    for key in range(40):
        pages.index.insert((key,), (key, ROW), None)
    fill_pages(pages.index)
    assert [len(each) for each in pages.keys] == expected
    pages.check()


def test_an_index_of_a_few_rows_stays_one_page_when_it_is_filled():
    pages = Pages(range(15))
    fill_pages(pages.index)
    assert pages.index.pages[0].is_root
