"""The ranges of an index: its intervals, column by column, as pairs of keys."""

from __future__ import annotations

from collections.abc import Iterator

from chatsim.innodb.sql.optimizer.intervals import END, START, Cut, Intervals
from chatsim.innodb.storage.scan import Range
from chatsim.innodb.storage.values import Key

__all__ = ["bound", "ranges_of"]


def ranges_of(left: Intervals | None) -> tuple[list[Range], int] | None:
    """The ranges, in order, and how many key parts restrict them; None if the first key part is not restricted.

    Args:
        left: the intervals of an index.
    """
    if left is None or left.part > 0:
        return None
    ranges, parts = zip(*_ranges((), left), strict=True)
    return list(ranges), max(parts)


def _ranges(prefix: Key, left: Intervals) -> Iterator[tuple[Range, int]]:
    for each in left.intervals:
        behind = _next(left, each.next_part)
        if (point := each.point) is None:
            low, low_included = _extended(prefix, each.start, behind, 0)
            high, high_included = _extended(prefix, each.stop, behind, -1)
            yield Range(low or None, high or None, low_included, high_included), left.part + 1
        elif behind is None:
            key = (*prefix, *point)
            yield Range(key, key, exact=True), left.part + 1
        else:
            yield from _ranges((*prefix, *point), behind)


def _next(left: Intervals, behind: Intervals | None) -> Intervals | None:
    """The intervals of the very next key part."""
    return behind if behind is not None and behind.part == left.part + 1 else None


def _extended(prefix: Key, cut: Cut, behind: Intervals | None, end: int) -> tuple[Key, bool]:
    """The key at an end of a range, and whether it is included; the next key part extends an included one."""
    key, included = bound(prefix, cut, end)
    if included and len(key) > len(prefix) and behind is not None:
        piece = behind.intervals[end]
        return _extended(key, piece.stop if end else piece.start, _next(behind, piece.next_part), end)
    return key, included


def bound(prefix: Key, cut: Cut, end: int) -> tuple[Key, bool]:
    """A position in a column as a key, and whether records with that key are within the range.

    Args:
        prefix: the values of the columns before.
        cut: the place.
        end: 0 for the beginning of a range, -1 for its end.
    """
    if cut in (START, END):
        return prefix, True
    value, behind = cut
    return (*prefix, value), (behind == 1) == (end == -1)
