"""Which partitions of a table can have rows for which the conditions hold (manual, "Partition Pruning")."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import product, takewhile
from typing import Any, cast

from chatsim.db.errors import DatabaseError
from chatsim.innodb.sql.optimizer.column_range import ColumnRange
from chatsim.innodb.sql.optimizer.intervals import END, START, Cut, before
from chatsim.innodb.storage.partitions import Partitioning, column_place
from chatsim.innodb.storage.tables import Table
from chatsim.innodb.storage.values import NULL, Value

__all__ = ["used_partitions"]

_MOST_VALUES = 32
"""The most values of an interval that are looked at one by one, for HASH and KEY."""


def used_partitions(
    table: Table, ranges: Mapping[int, ColumnRange], chosen: frozenset[int] | None = None
) -> frozenset[int] | None:
    """The numbers of the partitions in which there may be rows; None if the table has no partitions.

    Args:
        table: the table.
        ranges: the values of columns that the conditions allow.
        chosen: the partitions that the statement names; None if it names none.
    """
    if table.partitioning is None:
        return None
    found = _within_ranges(table.partitioning, ranges)
    return found if chosen is None else found & chosen


def _within_ranges(partitioning: Partitioning, ranges: Mapping[int, ColumnRange]) -> frozenset[int]:
    every = frozenset(range(len(partitioning.partitions)))
    own = [ranges.get(at) for at in partitioning.columns]
    if len(own) > 1 and (partitioning.bounds or partitioning.listed):
        return _of_rows(partitioning, own)
    if all(each is not None and each.points is not None for each in own):
        points = product(*(each.points or () for each in own if each is not None))
        return frozenset(_numbers(partitioning, points))
    if len(own) > 1 or own[0] is None:
        return every
    return _of_interval(partitioning, own[0], every)


# -- RANGE COLUMNS and LIST COLUMNS of several columns

_Place = tuple[Any, ...]
_BELOW, _LAST, _ABOVE = (-1,), (1.5,), (3,)
"""The places before all values of a column, behind all but before MAXVALUE, and behind that."""


def _of_rows(partitioning: Partitioning, own: Sequence[ColumnRange | None]) -> frozenset[int]:
    """The partitions with rows between two rows of values, or beginnings of such: one pair for each of some points."""
    known = list(takewhile(bool, (each.points if each is not None else None for each in own)))
    found = set[int]()
    for points in product(*(each for each in known if each is not None)):
        prefix = [_place(each) for each in points]
        low, above = _end([*prefix, *_firsts(own[len(prefix) :])], len(own), _BELOW, _ABOVE)
        high, below = _end([*prefix, *_lasts(own[len(prefix) :])], len(own), _LAST, _BELOW)
        if partitioning.kind == "RANGE":
            start = bisect_right(partitioning.bounds, low)
            stop = (bisect_left if below else bisect_right)(partitioning.bounds, high)
            found |= {*range(start, min(stop + 1, len(partitioning.partitions)))}
        else:
            within = ((row, number) for row, number in partitioning.listed if low <= row <= high)
            found |= {number for row, number in within if not (above and row == low) and not (below and row == high)}
    return frozenset(found)


def _firsts(own: Iterable[ColumnRange | None]) -> Iterator[_Place | None]:
    """The least values of columns, as far as they matter; None behind one that is not included."""
    for each in own:
        cut = START if each is None else each.first
        if cut == START:
            return
        yield _place(cut[0])
        if cut[1] == 1:
            yield None
            return


def _lasts(own: Iterable[ColumnRange | None]) -> Iterator[_Place | None]:
    """The greatest values of columns, as `_firsts`."""
    for each in own:
        cut = END if each is None else each.last
        if cut == END:
            return
        yield _place(cut[0])
        if cut[1] == 0:
            yield None
            return


def _end(places: list[_Place | None], width: int, included: _Place, excluded: _Place) -> tuple[_Place, bool]:
    """The place of an end of a range of rows, and whether it is that of a row which is not included."""
    known = [each for each in places if each is not None]
    excludes = len(known) < len(places)
    fill = excluded if excludes else included
    return (*known, *[fill] * (width - len(known))), excludes


def _place(key: object) -> _Place:
    return column_place(None if key is NULL else key)


# -- one column


def _numbers(partitioning: Partitioning, rows: Iterable[tuple[object, ...]]) -> Iterable[int]:
    """The partitions of rows of values, which are also their sort keys. A row that has none is nowhere."""
    for row in rows:
        try:
            yield partitioning.number_of([None if each is NULL else cast("Value", each) for each in row])
        except DatabaseError:
            continue


def _of_interval(partitioning: Partitioning, own: ColumnRange, every: frozenset[int]) -> frozenset[int]:
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
