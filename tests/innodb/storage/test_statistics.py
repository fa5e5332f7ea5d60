"""What the optimizer believes: rows counted as statements go, values counted by ANALYZE, put together when opened.

The figures are those that a MySQL 9.7 showed in EXPLAIN's "rows" and by the index that it took.
"""

import pytest

from chatsim.innodb.storage.dictionary import IndexDefinition
from chatsim.innodb.storage.partitions import Partition
from chatsim.innodb.storage.statistics import Statistics
from chatsim.innodb.storage.structures import Index, TableLocks

SIX_ROWS = ((1, 10), (1, 11), (1, 12), (2, 13), (2, 14), (3, 15))
A, B = 1, 2


def index(keys, *, clustered=False):
    definition = IndexDefinition("by_k", columns=(1,), unique=False, clustered=clustered, place=(1, 0))
    made = Index(definition)
    for key in keys:
        made.insert(key, key, None)
    return made


@pytest.fixture
def rows():
    return index(SIX_ROWS, clustered=True)


@pytest.fixture
def statistics(rows):
    made = Statistics()
    made.analyze([rows])
    return made


def test_analyze_counts_the_rows_that_are_there(rows):
    next(iter(rows)).deleted = True
    statistics = Statistics()
    statistics.analyze([rows])
    assert statistics.rows == 5


def test_statements_count_for_a_partition_and_for_all_and_never_less_than_none():
    low, high = (Partition(name, [index(())], TableLocks("t")) for name in ("low", "high"))
    statistics = Statistics()
    for change, partition in ((1, low), (1, high), (1, high), (-1, low), (-1, low)):
        statistics.changed(change, partition)
    assert (statistics.rows, statistics.rows_of) == (1, {"low": 0, "high": 2})


def test_a_count_of_partitions_takes_the_rows_that_are_there(rows):
    low, high = (Partition(name, [made], TableLocks("t")) for name, made in (("low", rows), ("high", index(()))))
    next(iter(rows)).deleted = True
    statistics = Statistics()
    statistics.changed(1, high)
    statistics.analyze([rows], [low, high])
    assert (statistics.rows, statistics.rows_of) == (5, {"low": 5, "high": 0})


def test_rows_to_a_key_are_all_rows_by_the_values_of_its_first_columns(statistics, rows):
    statistics.opened(A, 1)
    assert [statistics.rows_per_key(rows, width) for width in (1, 2)] == [2.0, 1.0]


def test_a_search_without_bounds_has_one_key_of_all_rows(statistics, rows):
    statistics.opened(A, 1)
    assert statistics.rows_per_key(rows, 0) == 6.0


def test_rows_that_came_later_count_once_another_session_opens_the_table(statistics, rows):
    statistics.opened(A, 1)
    statistics.rows = 12
    statistics.opened(A, 1)
    assert statistics.rows_per_key(rows, 1) == 2.0
    statistics.opened(B, 1)
    assert statistics.rows_per_key(rows, 1) == 4.0


def test_a_statement_that_names_the_table_twice_opens_it_twice(statistics, rows):
    statistics.opened(A, 1)
    statistics.rows = 12
    statistics.opened(A, 2)
    assert statistics.rows_per_key(rows, 1) == 4.0
    statistics.rows = 18
    statistics.opened(A, 1)
    assert statistics.rows_per_key(rows, 1) == 4.0


def test_there_is_one_row_to_a_key_at_least(statistics, rows):
    statistics.rows = 1
    statistics.opened(A, 1)
    assert statistics.rows_per_key(rows, 1) == 1.0


def test_after_analyze_everybody_opens_the_table_again(statistics, rows):
    statistics.opened(A, 1)
    rows.insert((3, 16), (3, 16), None)
    rows.insert((3, 17), (3, 17), None)
    rows.insert((3, 18), (3, 18), None)
    statistics.analyze([rows])
    statistics.opened(A, 1)
    assert statistics.rows_per_key(rows, 1) == 3.0


def test_a_table_that_was_empty_when_analyzed_has_one_key_of_all_rows():
    empty = index([])
    statistics = Statistics()
    statistics.analyze([empty])
    statistics.rows = 5
    statistics.opened(A, 1)
    assert statistics.rows_per_key(empty, 1) == 5.0


def test_what_was_never_analyzed_is_looked_at():
    assert Statistics().rows_per_key(index(SIX_ROWS), 1) == 2.0
    assert Statistics().rows_per_key(index([]), 1) == 1.0
