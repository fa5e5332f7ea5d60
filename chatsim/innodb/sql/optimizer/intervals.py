"""Intervals of an index: of one of its columns (a key part), in each those of the next (in the server: SEL_ARG).

AND intersects intervals, OR unites them. Intervals that overlap are united into one only if the intervals of the next
key part are the same; else they are split, and stay split even if those become the same later. The number of ranges of
a search, and so its cost and the places where it locks, follows from that. Source: the ranges in the server's optimizer
trace; MySQL manual, "Range Optimization".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from chatsim.innodb.storage.values import HIGHEST

__all__ = ["END", "START", "Cut", "Interval", "Intervals", "after", "before", "intersect", "overlap", "unite"]

Cut: TypeAlias = tuple[object, ...]
"""A position between the values of a column: before one or after it."""

START: Cut = ()
"""Before NULL, which is before all values."""

END: Cut = (HIGHEST,)
"""After all values."""


def before(value: object) -> Cut:
    """The position before a value."""
    return value, 0


def after(value: object) -> Cut:
    """The position after a value."""
    return value, 1


@dataclass(frozen=True)
class Interval:
    """The values of a column between two cuts.

    Attributes:
        start: where it begins.
        stop: where it ends; greater than the start.
        next_part: the intervals of a later key part; None if that is not restricted.
    """

    start: Cut
    stop: Cut
    next_part: Intervals | None = None

    @property
    def point(self) -> tuple[object] | None:
        """The value, if the interval has only one."""
        value = self.start[:1]
        one = value == self.stop[:1] and self.start == before(*value) and self.stop == after(*value)
        return (value[0],) if one else None


@dataclass(frozen=True)
class Intervals:
    """The intervals of one key part of an index.

    Attributes:
        part: the number of the key part.
        intervals: in order, without overlaps; empty if no value is left.
        several: a row has several values of it, those of an array (a multi-valued index). The intervals are its single
            values then, the last added first, as the server searches for them.
    """

    part: int
    intervals: Sequence[Interval]
    several: bool = False


def intersect(one: Intervals | None, other: Intervals | None) -> Intervals | None:
    """The intervals of two conditions that both have to hold; None is no restriction."""
    if one is None or other is None:
        return one or other
    if one.part != other.part:
        first, then = (one, other) if one.part < other.part else (other, one)
        intervals = [replace(each, next_part=intersect(each.next_part, then)) for each in first.intervals]
    elif one.several:  # a row may have both values: one of the conditions is left to be checked later
        return other if len(other.intervals) > len(one.intervals) else one
    else:
        first, intervals = one, _cut(one.intervals, other.intervals)
    left = tuple(each for each in intervals if not _is_nothing(each.next_part))
    return Intervals(first.part, left, first.several)


def overlap(ones: Sequence[Interval], others: Sequence[Interval]) -> bool:
    """Whether some intervals of one column have a value in common with others."""
    return any(max(one.start, other.start) < min(one.stop, other.stop) for one in ones for other in others)


def _is_nothing(left: Intervals | None) -> bool:
    return left is not None and not left.intervals


def _cut(ones: Sequence[Interval], others: Sequence[Interval]) -> list[Interval]:
    """The intersections of intervals with others."""
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
    """The intervals of two conditions of which one has to hold; None if that restricts no column of both."""
    if one is None or other is None or one.part != other.part:
        return None
    if one.several:
        return Intervals(one.part, (*reversed(other.intervals), *one.intervals), several=True)
    intervals = list(one.intervals)
    for each in other.intervals:
        intervals = _add(intervals, each)
    if any((each.start, each.stop) == (START, END) for each in intervals if each.next_part is None):
        return None
    return Intervals(one.part, tuple(intervals))


def _add(intervals: Sequence[Interval], new: Interval) -> list[Interval]:
    """Intervals and one more, which may overlap some. After an overlap it is not united with one that only touches."""
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
    """Split two that overlap and differ in the next key part; returns what the second has after the first."""
    if rest.start < each.start:
        found.append(replace(rest, stop=each.start))
    elif each.start < rest.start:
        found.append(replace(each, stop=rest.start))
    stop = min(each.stop, rest.stop)
    found.append(Interval(max(each.start, rest.start), stop, unite(each.next_part, rest.next_part)))
    if stop < each.stop:
        found.append(replace(each, start=stop))
    return replace(rest, start=stop) if stop < rest.stop else None
