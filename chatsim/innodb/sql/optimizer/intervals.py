"""What conditions leave of an index: intervals of a column, and behind each what is left of the next columns.

Where two conditions have to hold, intervals are cut with each other; where one has to, they are put together. Those
that overlap become one only if the same is left behind them: else they are cut into intervals, which stay apart even if
what is behind them becomes the same later. How many ranges a search has, and so what it costs and where it locks,
follows from that. Source: the ranges that the server's optimizer trace names; MySQL manual, "Range Optimization".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from chatsim.innodb.storage.values import HIGHEST

__all__ = ["END", "START", "Cut", "Interval", "Intervals", "after", "before", "intersect", "unite"]

Cut: TypeAlias = tuple[object, ...]
"""A place between the values of a column: before one or after it."""

START: Cut = ()
"""Before NULL, which is before all values."""

END: Cut = (HIGHEST,)
"""After all values."""


def before(value: object) -> Cut:
    """The place before a value."""
    return value, 0


def after(value: object) -> Cut:
    """The place after a value."""
    return value, 1


@dataclass(frozen=True)
class Interval:
    """The values of a column between two places.

    Attributes:
        start: where it begins.
        stop: where it ends, behind that.
        next_part: what is left of the columns that follow; None if all is.
    """

    start: Cut
    stop: Cut
    next_part: Intervals | None = None

    @property
    def point(self) -> tuple[object] | None:
        """The one value that it has, if it has one."""
        value = self.start[:1]
        one = value == self.stop[:1] and self.start == before(*value) and self.stop == after(*value)
        return (value[0],) if one else None


@dataclass(frozen=True)
class Intervals:
    """What is left of one column of an index.

    Attributes:
        part: which of the index's columns.
        intervals: in order, none overlaps another; if there are none, nothing is left.
    """

    part: int
    intervals: Sequence[Interval]


def intersect(one: Intervals | None, other: Intervals | None) -> Intervals | None:
    """What two conditions leave that both have to hold; None is all."""
    if one is None or other is None:
        return one or other
    if one.part != other.part:
        first, then = (one, other) if one.part < other.part else (other, one)
        intervals = [replace(each, next_part=intersect(each.next_part, then)) for each in first.intervals]
    else:
        intervals = _cut(one.intervals, other.intervals)
    return Intervals(min(one.part, other.part), tuple(each for each in intervals if not _is_nothing(each.next_part)))


def _is_nothing(left: Intervals | None) -> bool:
    return left is not None and not left.intervals


def _cut(ones: Sequence[Interval], others: Sequence[Interval]) -> list[Interval]:
    """What intervals have in common with others."""
    found: list[Interval] = []
    i = j = 0
    while i < len(ones) and j < len(others):
        one, other = ones[i], others[j]
        start, stop = max(one.start, other.start), min(one.stop, other.stop)
        if start < stop:
            found.append(Interval(start, stop, intersect(one.next_part, other.next_part)))
        if one.stop < other.stop:
            i += 1
        else:
            j += 1
    return found


def unite(one: Intervals | None, other: Intervals | None) -> Intervals | None:
    """What two conditions leave of which one has to hold; None is all, as where they are about different columns."""
    if one is None or other is None or one.part != other.part:
        return None
    intervals = list(one.intervals)
    for each in other.intervals:
        intervals = _add(intervals, each)
    if any((each.start, each.stop) == (START, END) for each in intervals if each.next_part is None):
        return None
    return Intervals(one.part, tuple(intervals))


def _add(intervals: Sequence[Interval], new: Interval) -> list[Interval]:
    """Pieces and one more, which may overlap some. One that has is not joined with what only touches its end."""
    found: list[Interval] = []
    rest: Interval | None = new
    overlapped = False
    for at, each in enumerate(intervals):
        if rest is None or each.stop < rest.start:
            found.append(each)
        elif (
            each.next_part == rest.next_part
            and each.start <= rest.stop
            and not (overlapped and each.start == rest.stop)
        ):
            overlapped = overlapped or (each.start < rest.stop and rest.start < each.stop)
            rest = Interval(min(each.start, rest.start), max(each.stop, rest.stop), rest.next_part)
            if each.stop > new.stop:
                return [*found, rest, *intervals[at + 1 :]]
        elif rest.stop <= each.start:
            found += [rest, each]
            rest = None
        elif each.stop <= rest.start:
            found.append(each)
        else:
            rest = _split(found, each, rest)
    return found if rest is None else [*found, rest]


def _split(found: list[Interval], each: Interval, rest: Interval) -> Interval | None:
    """Where two overlap that differ next_part: the intervals of them, but for what the second has behind the first."""
    if rest.start < each.start:
        found.append(replace(rest, stop=each.start))
    elif each.start < rest.start:
        found.append(replace(each, stop=rest.start))
    stop = min(each.stop, rest.stop)
    found.append(Interval(max(each.start, rest.start), stop, unite(each.next_part, rest.next_part)))
    if stop < each.stop:
        found.append(replace(each, start=stop))
    return replace(rest, start=stop) if stop < rest.stop else None
