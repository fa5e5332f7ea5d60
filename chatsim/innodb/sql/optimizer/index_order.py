"""Intervals of a column, as an index has them: of a prefix, or in descending order."""

from __future__ import annotations

from collections.abc import Sequence

from chatsim.innodb.sql.optimizer.intervals import END, START, Cut, Interval
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.values import NULL, descending

__all__ = ["intervals_in_index"]


def intervals_in_index(index: Index, part: int, intervals: Sequence[Interval]) -> Sequence[Interval]:
    """The intervals of a column in the order of one part of an index.

    Args:
        index: the index.
        part: the number of the key part that is the column.
        intervals: of the column, in ascending order.
    """
    definition = index.definition
    if definition.length(part):
        intervals = _of_prefixes(index, part, intervals)
    if definition.place[part] in definition.descending:
        return [Interval(_turned(each.stop), _turned(each.start)) for each in intervals[::-1]]
    return intervals


def _of_prefixes(index: Index, part: int, intervals: Sequence[Interval]) -> Sequence[Interval]:
    """The intervals of the prefixes of a column's values. Values that differ only behind the prefix fall together."""
    found: list[Interval] = []
    for each in intervals:
        start, stop = _prefix(index, part, each.start, 0), _prefix(index, part, each.stop, 1)
        if found and start < found[-1].stop:
            start, stop = found[-1].start, max(found.pop().stop, stop)
        found.append(Interval(start, stop))
    return found


def _prefix(index: Index, part: int, cut: Cut, end: int) -> Cut:
    """An end of an interval, among prefixes: the prefix is within, since a longer value may be."""
    if cut in (START, END) or cut[0] is NULL:
        return cut
    column, length = index.definition.place[part], index.definition.length(part)
    return index.prefix_order(column, cut[0], length), end


def _turned(cut: Cut) -> Cut:
    """A position between values, in descending order."""
    if cut in (START, END):
        return END if cut == START else START
    return descending(cut[0]), 1 - int(str(cut[1]))
