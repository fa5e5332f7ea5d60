"""Loose index scan: whether an index can be read from group to group, and what that costs.

Source: MySQL manual, "GROUP BY Optimization", "DISTINCT Optimization"; in the server: ``get_best_group_skip_scan``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, log

from chatsim.innodb.sql.optimizer.access_request import AccessRequest, Grouping
from chatsim.innodb.sql.optimizer.cost_model import COMPARE, PAGE, ROW, Candidate, key_parts, records_in_range
from chatsim.innodb.sql.optimizer.intervals import Interval, Intervals
from chatsim.innodb.sql.optimizer.ranges import ranges_of
from chatsim.innodb.storage.group_skip import GroupSkip
from chatsim.innodb.storage.scan import Range
from chatsim.innodb.storage.structures import Index
from chatsim.innodb.storage.values import Key

__all__ = ["best_group_skip"]


class _NoConstantError(Exception):
    """The intervals of a key part depend on those of the parts before."""


def best_group_skip(request: AccessRequest, below: float) -> Candidate[GroupSkip] | None:
    """The cheapest way from group to group, if it costs less than ``below``."""
    wanted, columns = request.grouping, request.table.columns
    if wanted is None or request.used is not None:
        return None
    if any(columns[at].virtual for at in request.touched):  # the server takes it that what they are made of is read
        return None
    if wanted.column is not None and not request.conditions.compares_plainly(wanted.column):
        return None
    found = (_candidate(request, index, wanted) for index in request.searchable)
    best = min((each for each in found if each is not None), key=lambda each: each.read_cost, default=None)
    return best if best is not None and best.read_cost < below else None


def _candidate(request: AccessRequest, index: Index, wanted: Grouping) -> Candidate[GroupSkip] | None:
    definition = index.definition
    parts = tuple(key_parts(index))
    width = _width(parts, wanted)
    if definition.lengths or width is None or not request.covers(index, entry=True):
        return None
    if wanted.column in definition.descending:
        return None  # the server goes to its ends too, past the NULLs
    value = [] if wanted.column is None else [wanted.column]
    if not {*value} <= {*parts[width:]}:
        return None
    until = parts.index(value[0]) if value else len(parts)
    left = request.range_tree.by_index.get(index)
    try:
        infix = _infix(left, range(width, until))
        values = _of_part(left, until) if value else None
    except _NoConstantError:
        return None
    behind = width + len(infix)
    groups = _groups(left, width)
    gap = bool(value) and behind < until
    backwards = wanted.last and parts[0] not in definition.descending
    if gap or not request.touched <= {*parts[:behind], *value} or (backwards and not groups):
        return None  # an index that is read backwards until there are enough is better for the last ones
    skip = GroupSkip(
        *(request.table, index, width, groups, infix, wanted.least, wanted.greatest),
        values=_alone(values) if values is not None else (),
    )
    counted = ranges_of(left)
    rows = None if counted is None else sum(max(records_in_range(index, each), 1) for each in counted[0])
    cost, number = _cost(request, skip, rows)
    return Candidate(skip, number, cost, behind + len(value))


def _width(parts: Sequence[int], wanted: Grouping) -> int | None:
    """How many key parts make the groups; None if the columns of the groups do not stand first in the index."""
    if tuple(parts[: len(wanted.by)]) != tuple(wanted.by) or not wanted.distinct <= {*parts}:
        return None
    places = {*range(len(wanted.by)), *(parts.index(each) for each in wanted.distinct)}
    width = len(places)
    return width if places == {*range(width)} and width <= wanted.furthest else None


def _of_part(left: Intervals | None, part: int) -> Intervals | None:
    """The intervals of a key part, the same for all intervals of the parts before it; None if it is not restricted.

    Raises:
        _NoConstantError: they are not the same.
    """
    if left is None or left.part > part:
        return None
    if left.part == part:
        return left
    found = [_of_part(each.next_part, part) for each in left.intervals]
    if any(_ends(each) != _ends(found[0]) for each in found[1:]):
        raise _NoConstantError
    return found[0]


def _ends(left: Intervals | None) -> list[Interval] | None:
    return None if left is None else list(left.intervals)


def _infix(left: Intervals | None, parts: Iterable[int]) -> Key:
    """The values of key parts behind the groups, up to the first that is not restricted.

    Raises:
        _NoConstantError: one is restricted otherwise than to one value.
    """
    found: list[object] = []
    for part in parts:
        own = _of_part(left, part)
        if own is None:
            break
        if len(own.intervals) != 1 or own.intervals[0].point is None:
            raise _NoConstantError
        found += own.intervals[0].point
    return tuple(found)


def _alone(values: Intervals) -> list[Range]:
    """The ranges of a key part, without those before it."""
    ranges, _ = ranges_of(Intervals(0, values.intervals)) or ([], 0)
    return ranges


def _groups(left: Intervals | None, width: int) -> list[Range]:
    """The ranges of an index, by the first columns alone."""
    found = ranges_of(left)
    return [] if found is None else [*_cut_off(found[0], width)]


def _cut_off(ranges: Iterable[Range], width: int) -> Iterator[Range]:
    latest: Range | None = None
    for each in ranges:
        low, high = each.low and each.low[:width], each.high and each.high[:width]
        cut = Range(
            *(low, high),
            low_included=each.low_included or low != each.low,
            high_included=each.high_included or high != each.high,
            exact=each.exact or (low == high and low is not None and len(low) == width),
        )
        if cut != latest:
            yield cut
        latest = cut


def _cost(request: AccessRequest, skip: GroupSkip, rows: int | None) -> tuple[float, int]:
    """What it costs, and the estimated number of groups. In the server: ``cost_group_skip_scan``.

    Args:
        request: the request.
        skip: how the groups are found.
        rows: the number of rows in the ranges of the index; None if it has no ranges.
    """
    statistics, every = request.table.statistics, request.rows
    per_page = request.page_reads.entries_per_page(skip.index)
    pages = every // per_page + 1
    per_group = max(statistics.rows_per_key(skip.index, skip.width), 1)
    number = int(every / per_group) + 1
    if rows is not None:
        number = max(round(number * rows / every), 1)
    if skip.infix:
        in_part = statistics.rows_per_key(skip.index, skip.width + len(skip.infix))
        overlap = 1.0 if in_part >= per_page else min(pages / number * (in_part - 1) / per_group, 1.0)
        read = min(number * (1 + overlap), pages)
    elif per_group > per_page:
        read = number + (skip.least and skip.greatest)
    else:
        read = pages
    depth = ceil(log(max(every, 2)) / log(max(per_page, 2)))
    return read * PAGE + number * (depth * COMPARE + ROW), number
