"""MIN() and MAX() from the end of an index: EXPLAIN's "Select tables optimized away"."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from chatsim.innodb.sql.expressions import Env
from chatsim.innodb.sql.optimizer.column_range import ColumnRange
from chatsim.innodb.sql.optimizer.conditions import Conditions
from chatsim.innodb.sql.optimizer.index_hints import IndexHints
from chatsim.innodb.sql.optimizer.intervals import after
from chatsim.innodb.sql.optimizer.ranges import bound
from chatsim.innodb.storage.scan import AccessPath, Range
from chatsim.innodb.storage.values import NULL

__all__ = ["min_max_paths"]


def min_max_paths(
    conditions: Conditions, env: Env, hints: IndexHints, of: tuple[int, bool], read: set[int]
) -> list[AccessPath]:
    """The paths to MIN() or MAX() of a column: the first row of the first path that has one. Empty if no index will do.

    The paths have no end, since only their first row is read, whether it meets the conditions or not. The second path
    is for rows that have NULL only.

    Args:
        conditions: the conditions on the table.
        env: the values known now.
        hints: of the statement.
        of: the column, and whether its greatest value is wanted.
        read: the columns that the statement reads.
    """
    column, greatest = of
    left = conditions.column_ranges(env) if hints.partitions is None else None
    fixed = [each for each, own in (left or {}).items() if own.point is not None]
    if left is None or not conditions.is_simple(fixed) or any(_is_nothing(own) for own in left.values()):
        return []
    for index in filter(hints.search.permits, conditions.table.indexes):
        definition = index.definition
        if definition.lengths or definition.descending:
            continue
        before = tuple(takewhile(lambda each: each != column, definition.place))
        if before == definition.place or set(left) - {*before, column}:
            continue
        points = tuple(left.get(each, ColumnRange()).point for each in before)
        if None in points:
            continue
        own = left.get(column, ColumnRange())
        skips_nulls = own.is_open_below and own.points is None and conditions.table.columns[column].nullable
        low, low_included = bound(points, after(NULL) if skips_nulls else own.first, 0)
        high, high_included = bound(points, own.last, -1)
        if greatest:
            ranges = [Range(None, high or None, high_included=high_included)]
        else:
            ranges = [Range(low or None, None, low_included=low_included)]
            ranges += [Range(low, low, exact=True)] if skips_nulls and column not in left else []
        covering = definition.clustered or read <= set(definition.place)
        made = AccessPath(conditions.table, index, [], descending=greatest, covering=covering, access="range")
        path = replace(made, in_order=True)
        return [replace(path, ranges=[each]) for each in ranges]
    return []


def _is_nothing(span: ColumnRange) -> bool:
    """Whether a column can have no value; the server reads from one end of a range without seeing that it has none."""
    return span.points == () and not span.ends_before_it_starts
