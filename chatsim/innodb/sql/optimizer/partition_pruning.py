"""Which partitions of a table can have rows for which the conditions hold (manual, "Partition Pruning")."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, cast

from chatsim.db.errors import DatabaseError
from chatsim.innodb.sql.optimizer.intervals import END, START, Cut, Interval, before
from chatsim.innodb.sql.optimizer.range_tree import RangeTree
from chatsim.innodb.sql.optimizer.ranges import ranges_of
from chatsim.innodb.storage.partitions import Partitioning, column_place
from chatsim.innodb.storage.scan import Range
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import NULL, Key, Value

__all__ = ["used_partitions"]

_MOST_VALUES = 32
"""The most values of an interval that are looked at one by one, for HASH and KEY."""


def used_partitions(table: Table, tree: RangeTree, chosen: frozenset[int] | None = None) -> frozenset[int]:
    """The numbers of the partitions in which there may be rows.

    As in the server (``prune_partitions``), range analysis is made as if the columns that decide about the partition
    were the only index, `Partitioning.key`.

    Args:
        table: the table, which has partitions.
        tree: the ranges of that index that the conditions allow.
        chosen: the partitions that the statement names; None if it names none.
    """
    assert table.partitioning is not None
    found = frozenset[int]() if tree.impossible else _within(table.partitioning, tree)
    return found if chosen is None else found & chosen


def _within(partitioning: Partitioning, tree: RangeTree) -> frozenset[int]:
    every = frozenset(range(len(partitioning.partitions)))
    left = tree.by_index.get(partitioning.key)
    found = ranges_of(left)
    if left is None or found is None:
        return every
    if len(partitioning.columns) == 1:
        return frozenset().union(*(_of_interval(partitioning, each, every) for each in left.intervals))
    ranges, _ = found
    if partitioning.bounds or partitioning.listed:
        return frozenset().union(*(_of_rows(partitioning, each) for each in ranges))
    rows = [each.low for each in ranges if each.exact and each.low and len(each.low) == len(partitioning.columns)]
    return frozenset(_numbers(partitioning, rows)) if len(rows) == len(ranges) else every


# -- RANGE COLUMNS and LIST COLUMNS of several columns

_Place = tuple[Any, ...]
_BELOW, _LAST, _ABOVE = (-1,), (1.5,), (3,)
"""The places before all values of a column, behind all but before MAXVALUE, and behind that."""


def _of_rows(partitioning: Partitioning, span: Range) -> set[int]:
    """The partitions with rows between two rows of values, or beginnings of such."""
    low = _end(span.low, len(partitioning.columns), _BELOW if span.low_included else _ABOVE)
    high = _end(span.high, len(partitioning.columns), _LAST if span.high_included else _BELOW)
    if partitioning.kind == "RANGE":
        start = bisect_right(partitioning.bounds, low)
        stop = (bisect_right if span.high_included else bisect_left)(partitioning.bounds, high)
        return {*range(start, min(stop + 1, len(partitioning.partitions)))}
    within = ((row, number) for row, number in partitioning.listed if low <= row <= high)
    return {
        number for row, number in within if (span.low_included or row != low) and (span.high_included or row != high)
    }


def _end(key: Key | None, width: int, fill: _Place) -> tuple[_Place, ...]:
    """The place of an end of a range of rows."""
    known = [column_place(None if each is NULL else each) for each in key or ()]
    return (*known, *[fill] * (width - len(known)))


# -- one column


def _numbers(partitioning: Partitioning, rows: Iterable[tuple[object, ...]]) -> Iterable[int]:
    """The partitions of rows of values, which are also their sort keys. A row that has none is nowhere."""
    for row in rows:
        try:
            yield partitioning.number_of([None if each is NULL else cast("Value", each) for each in row])
        except DatabaseError:
            continue


def _of_interval(partitioning: Partitioning, own: Interval, every: frozenset[int]) -> frozenset[int]:
    if own.point is not None:
        return frozenset(_numbers(partitioning, [own.point]))
    start, stop = own.start, own.stop
    if partitioning.kind == "LIST" and partitioning.strictly:
        within = [(each,) for each in partitioning.listed if start <= before(NULL if each is None else each) < stop]
        return frozenset(_numbers(partitioning, [(NULL,) if each == (None,) else each for each in within]))
    if partitioning.kind == "RANGE" and (partitioning.strictly or partitioning.monotonic):
        first = _bound(partitioning, start, 1, 0)
        last = _bound(partitioning, stop, -1, len(every) - 1)
        return frozenset(each for each in every if first <= each <= last)
    low, high = _neighbour(start, 1), _neighbour(stop, -1)
    if isinstance(low, int) and isinstance(high, int) and high - low < _MOST_VALUES and partitioning.strictly:
        return frozenset(_numbers(partitioning, [(each,) for each in range(low, high + 1)]))
    return every


def _bound(partitioning: Partitioning, cut: Cut, step: int, otherwise: int) -> int:
    """The partition at an end of an interval."""
    if partitioning.bounds and step < 0 and cut not in (START, END) and cut[1] == 0 and cut[0] is not NULL:
        return min(bisect_left(partitioning.bounds, cut[0]), otherwise)  # the values below a bound
    value = _neighbour(cut, step) if partitioning.strictly else (cut[0] if cut not in (START, END) else None)
    if cut in (START, END) or value is None or value is NULL:
        return otherwise
    try:
        return partitioning.number_of([cast("Value", value)])
    except DatabaseError:
        return otherwise if step < 0 else len(partitioning.partitions)


def _neighbour(cut: Cut, step: int) -> object:
    """The first value after a cut, or the last one before it, among integers and dates."""
    if cut in (START, END) or cut[0] is NULL:
        return None
    value, behind = cut
    if isinstance(value, float):
        return math.ceil(value) if step > 0 else math.floor(value)
    outside = behind == (1 if step > 0 else 0)
    if not outside or not isinstance(value, int | date):
        return value
    return value + step if isinstance(value, int) else value + timedelta(days=step)
